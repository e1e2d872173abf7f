/** What a check of stored data says: one line for the operator, one stable code for programs. */
export type Finding = {
  /** Stable, `subject.what`: `segment.damaged`, `queue.counter`. */
  readonly kind: string;
  /** 'note': nothing is wrong, but somebody may want to know. 'damage': something is. */
  readonly severity: 'note' | 'damage';
  /** What was found and where, without a full stop; never content of a message. */
  readonly text: string;
  /** True when the repair was asked for and it put this right. */
  readonly mended: boolean;
};
