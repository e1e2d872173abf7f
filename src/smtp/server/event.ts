/** What happens in receiving sessions, for logs and metrics. No content, no password, no address in clear but the peer's. */
import type { TlsProblem } from '../../base/connection.ts';
import type { SmtpRole } from './role.ts';

type OfSession = {
  readonly sessionId: string;
  readonly role: SmtpRole['name'];
  readonly remoteAddress: string;
};
type OfMessage = OfSession & { readonly traceId: string };

export type SmtpEvent =
  | (OfSession & {
      readonly name: 'smtp.session-opened';
      readonly localPort: number;
      readonly implicitTls: boolean;
    })
  | (OfSession & { readonly name: 'smtp.early-talker' })
  | (OfSession & { readonly name: 'smtp.tls-started'; readonly protocol: string; readonly cipher: string })
  | (OfSession & { readonly name: 'smtp.tls-failed'; readonly problem: TlsProblem })
  | (OfSession & { readonly name: 'smtp.plaintext-behind-starttls' })
  | (OfSession & {
      readonly name: 'smtp.authenticated';
      readonly mechanism: string;
      readonly accountId: number;
    })
  | (OfSession & { readonly name: 'smtp.auth-failed'; readonly mechanism: string; readonly reason: string })
  /** A command was answered 4xx or 5xx. `traceId` where a transaction was open. */
  | (OfSession & {
      readonly name: 'smtp.command-refused';
      readonly verb: string;
      readonly code: number;
      readonly status: string | undefined;
      readonly reason: string;
      readonly traceId: string | undefined;
    })
  | (OfMessage & {
      readonly name: 'smtp.message-accepted';
      readonly octets: number;
      readonly recipients: number;
      readonly tookMs: number;
    })
  /** All of the content came or was given up, and at least one recipient did not get it. */
  | (OfMessage & {
      readonly name: 'smtp.message-refused';
      readonly octets: number;
      readonly recipients: number;
      readonly code: number;
      readonly status: string | undefined;
      readonly reason: string;
    })
  /** A port threw a fault of the world. */
  | (OfSession & { readonly name: 'smtp.fault'; readonly doing: string; readonly cause: unknown })
  /** A broken invariant: the session was ended. */
  | (OfSession & { readonly name: 'smtp.bug'; readonly cause: unknown })
  | (OfSession & {
      readonly name: 'smtp.session-closed';
      readonly how: CloseCause;
      readonly durationMs: number;
      readonly commands: number;
      readonly messages: number;
      readonly octetsReceived: number;
    });

export type CloseCause =
  | 'quit'
  | 'client-closed'
  | 'reset'
  | 'timeout'
  | 'refused'
  | 'too-many-errors'
  | 'tls-failed'
  | 'limit'
  | 'shutdown'
  | 'bug';

export type SmtpEventSink = (event: SmtpEvent) => void;
