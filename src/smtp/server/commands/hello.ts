/** EHLO, HELO and LHLO. Sources: RFC 5321 §4.1.1.1, RFC 2033 §4.1; one keyword line for each extension's own document. */
import { reply } from '../../wire/reply.ts';
import type { Command, HelloVerb } from '../../wire/command.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { Hello, MaybePromise, SessionFacts } from '../ports.ts';
import { answered } from '../verdict.ts';
import { offeredMechanisms } from './auth.ts';

export function hello(
  command: Extract<Command, { verb: HelloVerb }>,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  const { verb, domain } = command;
  // RFC 2033 §4.1: LHLO takes the place of HELO and EHLO, and there is no mixing.
  if ((verb === 'LHLO') !== (deps.role.name === 'lmtp')) {
    const right = deps.role.name === 'lmtp' ? 'LHLO' : 'EHLO';
    return refused('wrong-hello', reply(500, '5.5.1', `Say ${right} here`));
  }
  const greeted: Hello = { verb, domain };
  const facts: SessionFacts = { ...session, hello: greeted };
  const accepted: Outcome = {
    // RFC 2034 §4: no status in the answer to EHLO.
    reply: reply(250, undefined, deps.hostname, ...(verb === 'HELO' ? [] : extensions(facts, deps))),
    state: { phase: 'ready', hello: greeted },
  };
  return answered(deps.policy.hello?.(facts), accepted);
}

function extensions(session: SessionFacts, deps: SmtpServerDeps): string[] {
  const keywords = [
    'PIPELINING',
    `SIZE ${deps.limits.messageOctetsMax}`,
    '8BITMIME',
    'SMTPUTF8',
    'ENHANCEDSTATUSCODES',
    'CHUNKING',
    'DSN',
  ];
  if (deps.startTls && session.tls === undefined) keywords.push('STARTTLS');
  const mechanisms = offeredMechanisms(session);
  if (mechanisms.length > 0) keywords.push(`AUTH ${mechanisms.map(({ name }) => name).join(' ')}`);
  return keywords;
}
