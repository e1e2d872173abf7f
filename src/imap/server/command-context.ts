/** What every handler is given beside its command and state: the ports, and what the client has enabled. */
import type { Fault } from '../../base/fault.ts';
import type { Completion, Untagged } from '../wire/response.ts';
import type { MetadataWatch } from './metadata-watch.ts';
import type { Notifications } from './notify/notifications.ts';
import type { ImapDeps } from './ports.ts';
import type { Progress } from './progress.ts';
import type { Enabled, State } from './state.ts';

export type Context = {
  readonly deps: ImapDeps;
  readonly enabled: Enabled;
  readonly metadata: MetadataWatch;
  readonly notifications: Notifications;
  /** Of the command being answered: ESEARCH repeats it. */
  readonly tag: string;
  readonly progress: Progress;
  /** Reports a fault that the command goes on in spite of. */
  readonly fault: (verb: string, fault: Fault) => void;
};

/** How a command ended. `next` is the state from then on, where that changes. */
export type Outcome = Completion & { readonly next?: State };

/**
 * Untagged data is yielded, the completion returned; nobody but the driver writes. Several at once are for data that is
 * in memory already: each yield costs a turn.
 */
export type Replies = AsyncGenerator<Untagged | readonly Untagged[], Outcome, void>;

export function done(text: string): Outcome {
  return { status: 'OK', text };
}
