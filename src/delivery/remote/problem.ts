/** Why a host or a whole route is not gone to, for the last answer. `reason` is stable. */
export type Problem = { readonly status: string; readonly reason: string; readonly text: string };
