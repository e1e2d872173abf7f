/**
 * The port to the maildrop: where programs of this machine leave mail, and the server takes it from. Who left a message
 * is told by the system, which no program can pretend; all else of it is only said.
 */
import type { DropEnvelope } from './wire/drop-file.ts';

export type DroppedMessage = {
  readonly envelope: DropEnvelope;
  /** The user id of who left it. */
  readonly uid: number;
  readonly droppedAtMs: number;
  /** Of the content. */
  readonly octets: number;
  /** Once; throws what the disk throws. */
  content(): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
};

/** `unfinished`: still being written, or it is gone. `refused`: none of ours, or larger than may be. */
export type OpenedDrop =
  | { readonly kind: 'message'; readonly message: DroppedMessage }
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'refused'; readonly uid: number; readonly text: string };

export type Maildrop = {
  /** What is there, the oldest first; some of it may be unfinished. */
  list(): Promise<readonly string[]>;
  open(name: string): Promise<OpenedDrop>;
  remove(name: string): Promise<void>;
  /** Out of the way, for the operator to look at. */
  setAside(name: string): Promise<void>;
  /** Calls back soon after something may have come. A hint. */
  watch(listener: () => void): { close(): void };
};
