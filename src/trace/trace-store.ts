/**
 * The port to what is kept of every message's story, refused ones included. Its meaning is `trace-store.contract.ts`;
 * what is kept and for how long is in docs/trace.md.
 *
 * A trace is a list of entries under one id: the trace id of a message, or the session id of a session in which something
 * happened before any message. Ids are letters and digits and sort by time as text (`queue/queue-id.ts`). Nothing waits for
 * a trace: what was appended may be lost in a crash, and old traces go when their time or their room is over.
 */
import type { TraceKey } from './trace-key.ts';

/** Plain values only: they are kept as JSON. */
export type TraceFields = Readonly<Record<string, string | number | boolean>>;

/** One thing that happened. */
export type TraceEntry = {
  readonly atMs: number;
  /** The name of the event in the catalogue; or `session`, for what was known of the session when a trace began. */
  readonly event: string;
  readonly fields: TraceFields;
};

/** What one thread has seen since it told last, in the form in which it is gathered and kept at the least cost. */
export type TraceBatch = {
  /** Each trace once, its entries in order as `encodeEntries` writes them. */
  readonly parts: readonly { readonly id: string; readonly entries: string }[];
  /** What traces are found by, in addition to what they were found by before: ids with spaces between. */
  readonly keys: ReadonlyMap<TraceKey, string>;
};

export type TraceSink = {
  /** Takes a batch in. Resolves when it can be found; it is on stable storage some time later. Throws `Fault`. */
  append(batch: TraceBatch): Promise<void>;
};

export type TraceQuery = {
  /** Undefined: all of them. */
  readonly key: TraceKey | undefined;
  /** The least id. */
  readonly from: string | undefined;
  /** Above all ids. */
  readonly before: string | undefined;
  readonly limit: number;
};

export type TraceReader = {
  /** Entries by trace, in order of time; ids that are not known are left out. Throws `Fault`. */
  read(ids: readonly string[]): Promise<ReadonlyMap<string, readonly TraceEntry[]>>;
  /** Ids, the newest first, each once, at most `limit`. Throws `Fault`. */
  find(query: TraceQuery): Promise<readonly string[]>;
};

export type TraceStore = TraceSink & TraceReader;

/** How much of the past is kept. */
export type TraceBounds = {
  /** What is older goes. */
  readonly keptMs: number;
  /** What is oldest goes while all of it together is larger. */
  readonly octetsMax: number;
};

/** Above every id: ids are letters and digits. */
export const AFTER_ALL_IDS = '~';

/** Entries of several parts, in order of time; of one instant, in the order in which they were appended. */
export function inOrder(entries: readonly TraceEntry[]): readonly TraceEntry[] {
  return entries.toSorted((left, right) => left.atMs - right.atMs);
}
