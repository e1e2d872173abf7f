/** Gives the sessions of each service what they need: roles, limits, ports, rules. */
import { addressQueries } from './address-queries.ts';
import { LIMITS } from '../base/limits.ts';
import type { ListenerConfig, ServiceName } from '../config/config.ts';
import type { DeliveryIntake } from '../delivery/intake.ts';
import { DeflateConnection } from '../net/deflate-connection.ts';
import type { ImapDeps } from '../imap/server/ports.ts';
import { RecentMailboxes } from '../imap/server/recent-mailboxes.ts';
import { serveImap } from '../imap/server/session.ts';
import type { ListenerOptions } from '../net/listener.ts';
import type { Pop3Deps } from '../pop3/server/ports.ts';
import { servePop3 } from '../pop3/server/session.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import type { SmtpServerDeps } from '../smtp/server/deps.ts';
import { LMTP, RELAY, SUBMISSION, type SmtpRole } from '../smtp/server/role.ts';
import { serveSmtp } from '../smtp/server/session.ts';
import { withoutBlindCopies } from './blind-copies.ts';
import { urlContents } from './burl.ts';
import type { Policies } from './compose-policy.ts';
import type { ServiceOptions } from './service-options.ts';
import type { SignInOffer } from './sign-in.ts';
import { extensionsOf, smtpLimitsOf } from './smtp-settings.ts';

type Serve = (service: ServiceName, settings: ListenerConfig) => ListenerOptions['serve'];

export function composeSessions(
  options: ServiceOptions,
  intake: DeliveryIntake,
  policies: Policies,
  offer: SignInOffer,
  shutdown: AbortSignal,
): Serve {
  const { config, backends, clock, observers, random } = options;
  const { limits } = config;
  const submitters = new Set(config.submission.submitters.map((address) => address.toLowerCase()));
  const traceId = createQueueIds(clock, random);
  const urlPorts = {
    hostname: config.hostname,
    clock,
    random,
    store: backends.mail,
    blobs: backends.blobs,
    sharing: backends.directory,
    accounts: backends.directory,
  };
  const urls = urlContents(config.submission.burl, urlPorts);
  const smtpOf = (role: SmtpRole, settings: ListenerConfig): Omit<SmtpServerDeps, 'policy'> => ({
    role,
    limits: smtpLimitsOf(config),
    extensions: extensionsOf(config),
    trust: options.trust,
    addresses: addressQueries(backends.directory),
    hostname: config.hostname,
    startTls: settings.tls === 'starttls',
    clock,
    traceId,
    signIn: role.auth === 'none' ? undefined : offer.signIn('smtp'),
    recipients: intake,
    intake: role.name === 'submission' ? withoutBlindCopies(intake) : intake,
    urls: role.name === 'submission' ? urls : undefined,
    events: observers.smtp,
    shutdown,
  });
  const recent = new RecentMailboxes(LIMITS.imapRecentOctetsMax, LIMITS.imapRecentMessagesMin);
  const imapOf = (settings: ListenerConfig): ImapDeps => ({
    ...urlPorts,
    recent,
    ...(options.search === undefined ? {} : { search: options.search }),
    sharesWithAnyone: config.sharing.anyone,
    isSubmitter: (address) => submitters.has(address.toLowerCase()),
    signIn: offer.signIn('imap'),
    ...(config.imap.compress ? { compress: (connection) => new DeflateConnection(connection) } : {}),
    tlsAvailable: settings.tls === 'starttls',
    limits: {
      messageOctetsMax: limits.messageOctetsMax,
      errorsMax: limits.imapErrorsMax,
      authFailuresMax: LIMITS.smtpAuthFailuresMax,
      idleMs: limits.imapIdleSeconds * 1000,
      signInMs: limits.signInSeconds * 1000,
      appendMessagesMax: Math.max(1000, limits.imapMessagesMax || limits.imapSavedMessagesMax),
      messagesMax: limits.imapMessagesMax || Infinity,
      savedMessagesMax: limits.imapMessagesMax || limits.imapSavedMessagesMax || Infinity,
    },
    version: options.version,
    emit: observers.imap,
    shutdown,
  });
  const pop3Of = (settings: ListenerConfig): Pop3Deps => ({
    hostname: config.hostname,
    clock,
    store: backends.mail,
    blobs: backends.blobs,
    locks: options.maildropLocks,
    signIn: offer.signIn('pop3'),
    tlsAvailable: settings.tls === 'starttls',
    limits: {
      errorsMax: limits.pop3ErrorsMax,
      authFailuresMax: LIMITS.smtpAuthFailuresMax,
      idleMs: limits.pop3IdleSeconds * 1000,
      signInMs: limits.signInSeconds * 1000,
    },
    version: options.version,
    emit: observers.pop3,
    shutdown,
  });
  return (service, settings) => {
    switch (service) {
      case 'smtp':
      case 'submission':
      case 'submissions':
      case 'lmtp': {
        const role = service === 'smtp' ? RELAY : service === 'lmtp' ? LMTP : SUBMISSION;
        const deps = smtpOf(role, settings);
        const policyOf = policies.sessionChecks;
        return (connection) => serveSmtp(connection, { ...deps, policy: policyOf() });
      }
      case 'imap':
      case 'imaps': {
        const deps = imapOf(settings);
        return (connection) => serveImap(connection, deps);
      }
      case 'pop3':
      case 'pop3s': {
        const deps = pop3Of(settings);
        return (connection) => servePop3(connection, deps);
      }
    }
  };
}
