/** The states of a receiving session. Each carries what is known in it. Source: RFC 5321 §3.3 and §4.1.4, RFC 3030 §2. */
import { unreachable } from '../../base/unreachable.ts';
import type { IncomingMessage } from './incoming-message.ts';
import type { AcceptedRecipient, Hello, TransactionFacts } from './ports.ts';

/** {@link TransactionFacts}, with the list that RCPT fills. */
export type Transaction = TransactionFacts & {
  readonly recipients: AcceptedRecipient[];
  /** For deadlines; `startedAtMs` is for people. */
  readonly startedMonotonicMs: number;
};

export type State =
  /** The connection was refused with 554: only QUIT is answered (RFC 5321 §3.1). */
  | { readonly phase: 'refused' }
  /** Greeted, or just under TLS: the client has not said EHLO. */
  | { readonly phase: 'start' }
  | { readonly phase: 'ready'; readonly hello: Hello }
  | { readonly phase: 'transaction'; readonly hello: Hello; readonly transaction: Transaction }
  /** At least one BDAT was taken, LAST has not come. */
  | {
      readonly phase: 'chunking';
      readonly hello: Hello;
      readonly transaction: Transaction;
      readonly message: IncomingMessage;
    }
  /** A BDAT failed: the message is lost, and nothing but RSET, EHLO or QUIT goes on (RFC 3030 §2). */
  | { readonly phase: 'chunk-failed'; readonly hello: Hello };

/** The state without the transaction that may be open in it. */
export function withoutTransaction(state: State): State {
  switch (state.phase) {
    case 'refused':
    case 'start':
    case 'ready':
      return state;
    case 'transaction':
    case 'chunking':
    case 'chunk-failed':
      return { phase: 'ready', hello: state.hello };
    default:
      return unreachable(state);
  }
}
