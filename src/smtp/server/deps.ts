/** Everything a receiving session is given. Sessions of a listener share all but `policy`, and change nothing in it. */
import type { SignIn } from '../../auth/sign-in.ts';
import type { Clock } from '../../base/clock.ts';
import type { Trust } from '../../policy/trust.ts';
import type { SmtpEventSink } from './event.ts';
import type { SmtpExtensions } from './extensions.ts';
import type { SmtpLimits } from './limits.ts';
import type { AddressQueries, Intake, Policy, RecipientVerifier, UrlContents } from './ports.ts';
import type { SmtpRole } from './role.ts';

export type SmtpServerDeps = {
  readonly role: SmtpRole;
  readonly limits: SmtpLimits;
  readonly extensions: SmtpExtensions;
  readonly trust: Pick<Trust, 'isPeer' | 'isForwarder'>;
  /** Our name in the greeting and in Received. */
  readonly hostname: string;
  /** Whether STARTTLS is offered; the connection's driver holds the certificates. */
  readonly startTls: boolean;
  readonly clock: Clock;
  /** A new sortable id, for sessions and messages. */
  readonly traceId: () => string;
  /** Needed where the role has AUTH. */
  readonly signIn: SignIn | undefined;
  readonly recipients: RecipientVerifier;
  /** Answers VRFY and EXPN. */
  readonly addresses: AddressQueries;
  readonly intake: Intake;
  /** BURL, where the role is submission. Undefined: not offered. */
  readonly urls?: UrlContents | undefined;
  /** Of this session alone: what checks said at one stage is known to it at the next. */
  readonly policy: Policy;
  readonly events: SmtpEventSink;
  /** Once aborted, sessions end: idle ones at once, those in a message after it or after `limits.shutdownMs`. */
  readonly shutdown: AbortSignal;
};
