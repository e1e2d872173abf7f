/**
 * What happens in receiving sessions, for logs, metrics and traces. No content and no password; addresses of mail are marked
 * as such in the catalogue, so that logs show them at debug level only.
 */
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
      readonly remotePort: number;
      readonly localAddress: string;
      readonly localPort: number;
      readonly implicitTls: boolean;
      readonly protocol: string | undefined;
      readonly cipher: string | undefined;
    })
  /** XCLIENT: the session is this client's from here on. */
  | (OfSession & {
      readonly name: 'smtp.client-named';
      readonly client: string;
      readonly hostname: string | undefined;
    })
  /** XFORWARD: where a message came from before. */
  | (OfMessage & {
      readonly name: 'smtp.forwarded';
      readonly client: string | undefined;
      readonly hostname: string | undefined;
      readonly helo: string | undefined;
      readonly ident: string | undefined;
    })
  /** A greeting was accepted; the last one counts. */
  | (OfSession & { readonly name: 'smtp.hello'; readonly verb: string; readonly domain: string })
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
  /** MAIL was read: the message has its id from here on, whatever is answered. */
  | (OfMessage & {
      readonly name: 'smtp.mail';
      /** '' is the null reverse-path. */
      readonly reversePath: string;
      readonly declaredOctets: number | undefined;
      readonly body: string | undefined;
      readonly smtpUtf8: boolean;
      /** As it was asked for (RFC 6710 §4.1). */
      readonly priority: number | undefined;
      readonly envelopeId: string | undefined;
    })
  | (OfMessage & {
      readonly name: 'smtp.recipient';
      readonly recipient: string;
      /** RFC 3461 §4.1, as it was said. */
      readonly notify: string | undefined;
    })
  /** A command was answered 4xx or 5xx. `traceId` where a transaction was open, or was to be opened. */
  | (OfSession & {
      readonly name: 'smtp.command-refused';
      readonly verb: string;
      readonly code: number;
      readonly status: string | undefined;
      readonly reason: string;
      /** What the client was told. */
      readonly text: string;
      readonly traceId: string | undefined;
      /** Whom a RCPT was for. */
      readonly recipient: string | undefined;
    })
  | (OfMessage & {
      readonly name: 'smtp.message-accepted';
      readonly octets: number;
      readonly recipients: number;
      readonly tookMs: number;
    })
  /** The client was told that it was accepted, and by a rule nobody gets it. */
  | (OfMessage & {
      readonly name: 'smtp.message-discarded';
      readonly octets: number;
      readonly recipients: number;
      readonly reason: string;
    })
  /** All of the content came or was given up, and at least one recipient did not get it. */
  | (OfMessage & {
      readonly name: 'smtp.message-refused';
      readonly octets: number;
      readonly recipients: number;
      readonly code: number;
      readonly status: string | undefined;
      readonly reason: string;
      readonly text: string;
      /** Without brackets. */
      readonly messageId: string | undefined;
    })
  /** A port threw a fault of the world. */
  | (OfSession & {
      readonly name: 'smtp.fault';
      readonly doing: string;
      readonly cause: unknown;
      /** Where a transaction was open. */
      readonly traceId: string | undefined;
    })
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
