/** In which order those who want to sign in are judged, where that takes time or costs much. */
export type Turn = {
  /** Whoever comes from the same one waits in its line. */
  readonly network: string;
  readonly isFirst: boolean;
};
