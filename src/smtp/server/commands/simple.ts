/** The commands that only answer: NOOP, HELP, RSET. Sources: RFC 5321 §4.1.1.5, §4.1.1.8, §4.1.1.9. */
import { reply } from '../../wire/reply.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { SessionFacts } from '../ports.ts';
import type { State } from '../state.ts';
import { withoutTransaction } from '../state.ts';
import { mayAsk } from './address-query.ts';

export function noop(): Outcome {
  return NOOP;
}

/** What this client may say now, or how one of these commands is written. */
export function help(topic: string, session: SessionFacts, deps: SmtpServerDeps): Outcome {
  const usages = usagesFor(session, deps);
  if (topic === '')
    return {
      reply: reply(214, '2.0.0', 'Commands:', [...usages.keys()].join(' '), 'HELP and a command tells more'),
    };
  const usage = usages.get(topic.toUpperCase());
  return usage === undefined
    ? refused('unknown-topic', reply(504, '5.5.4', 'There is no help on that'))
    : { reply: reply(214, '2.0.0', usage) };
}

function usagesFor(session: SessionFacts, deps: SmtpServerDeps): ReadonlyMap<string, string> {
  const { role, extensions, startTls } = deps;
  const isLmtp = role.name === 'lmtp';
  const { HELO, EHLO, LHLO, STARTTLS, AUTH, EXPN, BURL, ...always } = USAGES;
  return new Map(
    Object.entries({
      ...(isLmtp ? { LHLO } : { EHLO, HELO }),
      ...(startTls && session.tls === undefined ? { STARTTLS } : {}),
      ...(role.auth === 'none' ? {} : { AUTH }),
      ...always,
      ...(role.name === 'submission' && deps.urls !== undefined ? { BURL } : {}),
      ...(mayAsk(extensions.expn, session, deps) ? { EXPN } : {}),
    }),
  );
}

export function rset(state: State): Outcome {
  return { reply: RSET, state: withoutTransaction(state) };
}

const USAGES = {
  EHLO: 'EHLO domain: greets, and asks what is offered',
  HELO: 'HELO domain: greets, as of old',
  LHLO: 'LHLO domain: greets, and asks what is offered (RFC 2033)',
  STARTTLS: 'STARTTLS: goes on under TLS (RFC 3207)',
  AUTH: 'AUTH mechanism [initial-response]: signs in (RFC 4954)',
  MAIL: 'MAIL FROM:<address> [parameters]: begins a message',
  RCPT: 'RCPT TO:<address> [parameters]: names a recipient',
  DATA: 'DATA: the content follows, up to a line with a dot alone',
  BDAT: 'BDAT octets [LAST]: so many octets of content follow (RFC 3030)',
  BURL: 'BURL url [LAST]: content from a mailbox here follows (RFC 4468)',
  RSET: 'RSET: gives the message up',
  VRFY: 'VRFY address [SMTPUTF8]: asks whether there is such an address',
  EXPN: 'EXPN address [SMTPUTF8]: asks whom an address stands for',
  NOOP: 'NOOP: does nothing',
  HELP: 'HELP [command]: this',
  QUIT: 'QUIT: ends the session',
} as const;

const NOOP: Outcome = { reply: reply(250, '2.0.0', 'Ok') };
const RSET = reply(250, '2.0.0', 'Ok');
