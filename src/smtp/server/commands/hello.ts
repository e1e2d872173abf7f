/** EHLO, HELO and LHLO. Sources: RFC 5321 §4.1.1.1, RFC 2033 §4.1; one keyword line for each extension's own document. */
import { formatTimestamp } from '../../../message/timestamp.ts';
import { XCLIENT_NAMES, XFORWARD_NAMES } from '../../wire/forwarding.ts';
import { reply } from '../../wire/reply.ts';
import type { Command, HelloVerb } from '../../wire/command.ts';
import { isTrusted } from './mail-parameters.ts';
import type { SmtpServerDeps } from '../deps.ts';
import { holdUntilMaxMs } from '../extensions.ts';
import type { SmtpLimits } from '../limits.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { Hello, MaybePromise, SessionFacts } from '../ports.ts';
import { answered } from '../verdict.ts';
import { mayAsk } from './address-query.ts';
import { offeredMechanisms } from './auth.ts';

export function hello(
  command: Extract<Command, { verb: HelloVerb }>,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  const { verb } = command;
  // RFC 2033 §4.1: LHLO takes the place of HELO and EHLO, and there is no mixing.
  if ((verb === 'LHLO') !== (deps.role.name === 'lmtp')) {
    const right = deps.role.name === 'lmtp' ? 'LHLO' : 'EHLO';
    return refused('wrong-hello', reply(500, '5.5.1', `Say ${right} here`));
  }
  const greeted = greetedAs(command, session);
  const facts: SessionFacts = { ...session, hello: greeted };
  const accepted: Outcome = {
    // RFC 2034 §4: no status in the answer to EHLO.
    reply: reply(250, undefined, deps.hostname, ...(verb === 'HELO' ? [] : keywords(facts, deps))),
    state: { phase: 'ready', hello: greeted },
  };
  return answered(deps.policy.hello?.(facts), accepted);
}

/** What XCLIENT said of the client counts more than what its stand-in says of itself. */
function greetedAs(
  { verb, domain }: Extract<Command, { verb: HelloVerb }>,
  { standsFor }: SessionFacts,
): Hello {
  return {
    verb: standsFor?.isExtended === false ? 'HELO' : verb,
    domain: standsFor?.helo ?? domain,
  };
}

function keywords(session: SessionFacts, deps: SmtpServerDeps): string[] {
  const { limits, extensions } = deps;
  const offered = [
    'PIPELINING',
    `SIZE ${limits.messageOctetsMax}`,
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'CHUNKING',
    ...(extensions.binaryMime ? ['BINARYMIME'] : []),
    'DSN',
    `LIMITS ${limitPairs(limits).join(' ')}`,
    ...(extensions.deliverBy === undefined ? [] : [`DELIVERBY ${extensions.deliverBy.secondsMin}`]),
    ...(extensions.priority === undefined ? [] : [`MT-PRIORITY ${extensions.priority.policy}`]),
  ];
  // RFC 4865 §4.2 (2): nowhere but on the submission service.
  const hold = deps.role.name === 'submission' ? holdOffer(deps) : undefined;
  if (hold !== undefined) offered.push(hold);
  // RFC 4468 §3.1 (1), §3.3: likewise, and what it takes is said to who has signed in.
  if (deps.role.name === 'submission' && deps.urls !== undefined)
    offered.push(['BURL', ...(session.principal === undefined ? [] : deps.urls.offer)].join(' '));
  // RFC 8689 §2: what is required of the next hop must hold here too.
  if (session.tls !== undefined) offered.push('REQUIRETLS');
  if (deps.startTls && session.tls === undefined) offered.push('STARTTLS');
  const mechanisms = offeredMechanisms(session, deps.signIn);
  if (mechanisms.length > 0) offered.push(`AUTH ${mechanisms.map(({ name }) => name).join(' ')}`);
  if (mayAsk(extensions.expn, session, deps)) offered.push('EXPN');
  // Whoever gets as far as MAIL at a submission port has signed in.
  if (deps.role.auth === 'required' || isTrusted(session, deps)) offered.push('XVERP');
  if (session.isForwarder)
    offered.push(`XCLIENT ${clientNames(deps).join(' ')}`, `XFORWARD ${XFORWARD_NAMES.join(' ')}`);
  offered.push('HELP');
  return offered;
}

/** Where nobody signs in, nobody is vouched for. */
function clientNames({ role }: SmtpServerDeps): readonly string[] {
  return XCLIENT_NAMES.filter((name) => name !== 'LOGIN' || role.auth !== 'none');
}

/** RFC 9422 §4. */
function limitPairs({ transactionsMax, recipientsMax, recipientDomainsMax }: SmtpLimits): string[] {
  const pairs = [`MAILMAX=${transactionsMax}`, `RCPTMAX=${recipientsMax}`];
  if (recipientDomainsMax !== undefined) pairs.push(`RCPTDOMAINMAX=${recipientDomainsMax}`);
  return pairs;
}

/** RFC 4865 §3: the longest interval, then the last date. */
function holdOffer({ extensions, clock }: SmtpServerDeps): string | undefined {
  const nowMs = clock.nowMs();
  const untilMs = extensions.hold === undefined ? undefined : holdUntilMaxMs(extensions.hold, nowMs);
  if (untilMs === undefined) return undefined;
  return `FUTURERELEASE ${Math.ceil((untilMs - nowMs) / 1000)} ${formatTimestamp(untilMs)}`;
}
