/** What the services of one thread are built from. */
import type { TokenVerifier } from '../auth/token-verifier.ts';
import type { Clock } from '../base/clock.ts';
import type { Connect } from '../base/connection.ts';
import type { Random } from '../base/random.ts';
import type { Config } from '../config/config.ts';
import type { TlsRule } from '../delivery/tls/tls-rule.ts';
import type { Resolver } from '../dns/resolver.ts';
import type { Admission } from '../net/admission.ts';
import type { MaildropLocks } from '../pop3/server/ports.ts';
import type { ServerTls } from '../net/socket-connection.ts';
import type { Rates } from '../policy/rate.ts';
import type { Trust } from '../policy/trust.ts';
import type { SearchIndex } from '../search/search-index.ts';
import type { Backends } from './backends.ts';
import type { Observers } from './observers.ts';
import type { RoutePasswords } from './routes.ts';

/** What the configuration's files hold about TLS with other hosts. */
export type OutgoingTls = {
  /** PEM; undefined: the CAs that Node comes with. */
  readonly trustStore: readonly string[] | undefined;
  readonly rules: readonly TlsRule[];
};

export type ServiceOptions = {
  readonly config: Config;
  readonly backends: Backends;
  /** Undefined: searches read the messages. */
  readonly search: SearchIndex | undefined;
  readonly resolver: Resolver;
  readonly connect: Connect;
  readonly outgoingTls: OutgoingTls;
  readonly clock: Clock;
  readonly random: Random;
  readonly serverTls: ServerTls;
  /** Where people sign in. */
  readonly peopleTls: ServerTls;
  readonly admission: Admission;
  /** Over all threads. */
  readonly maildropLocks: MaildropLocks;
  readonly rates: Rates;
  readonly trust: Trust;
  readonly observers: Observers;
  /** Letters and digits; no other thread of this post office has it. */
  readonly owner: string;
  /** Whether this thread works through the queue, beside delivering what it accepted itself. */
  readonly runsQueue: boolean;
  readonly version: string;
  /** Mail may be sent on to addresses of this machine: for a post office on loopback. */
  readonly loopbackAllowed: boolean;
  readonly routePasswords: RoutePasswords;
  /** Where another authority's tokens let in. */
  readonly tokens: TokenVerifier | undefined;
};
