/** What every handler is given beside its command and state: the ports, and what the client has enabled. */
import type { Completion, Untagged } from '../wire/response.ts';
import type { ImapDeps } from './ports.ts';
import type { Enabled, State } from './state.ts';

export type Context = {
  readonly deps: ImapDeps;
  readonly enabled: Enabled;
  /** Of the command being answered: ESEARCH repeats it. */
  readonly tag: string;
};

/** How a command ended. `next` is the state from then on, where that changes. */
export type Outcome = Completion & { readonly next?: State };

/** Untagged data is yielded, the completion returned; nobody but the driver writes. */
export type Replies = AsyncGenerator<Untagged, Outcome, void>;

export function done(text: string): Outcome {
  return { status: 'OK', text };
}
