/** VRFY and EXPN. Sources: RFC 5321 §3.5, §4.1.1.6, §4.1.1.7, §7.3; RFC 6531 §3.7.4.2 (SMTPUTF8 in them). */
import { parseEnvelopeAddress } from '../../wire/path.ts';
import { reply } from '../../wire/reply.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { AddressQuerents } from '../extensions.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { AddressAnswer, MaybePromise, SessionFacts } from '../ports.ts';
import { isTrusted } from './mail-parameters.ts';

type Query = { readonly address: string; readonly smtpUtf8: boolean };

/** Whether this client is told of addresses at all. */
export function mayAsk(querents: AddressQuerents, session: SessionFacts, deps: SmtpServerDeps): boolean {
  if (querents === 'trusted') return isTrusted(session, deps);
  return querents === 'everybody';
}

/** RFC 5321 §7.3: whether an address exists is not told to those who do not mean to send to it. */
export function vrfy(argument: string, session: SessionFacts, deps: SmtpServerDeps): MaybePromise<Outcome> {
  if (!mayAsk(deps.extensions.vrfy, session, deps)) return CANNOT_VERIFY;
  return asked(argument, session, deps, (answer, { address, smtpUtf8 }) => {
    if (answer.kind === 'unverifiable') return CANNOT_VERIFY;
    if (answer.kind === 'unknown') return UNKNOWN;
    const [only = address, ...others] = answer.addresses;
    // A list answers with its own name: who is on it, EXPN tells.
    const named = others.length === 0 ? only : address;
    return isSayable([named], smtpUtf8) ? { reply: reply(250, '2.1.5', `<${named}>`) } : NEEDS_UTF8;
  });
}

export function expn(argument: string, session: SessionFacts, deps: SmtpServerDeps): MaybePromise<Outcome> {
  if (!mayAsk(deps.extensions.expn, session, deps)) return NO_EXPN;
  return asked(argument, session, deps, (answer, { smtpUtf8 }) => {
    if (answer.kind === 'unverifiable') return CANNOT_EXPAND;
    if (answer.kind === 'unknown') return UNKNOWN;
    if (!isSayable(answer.addresses, smtpUtf8)) return NEEDS_UTF8;
    return { reply: reply(250, '2.1.5', ...answer.addresses.map((address) => `<${address}>`)) };
  });
}

function asked(
  argument: string,
  session: SessionFacts,
  deps: SmtpServerDeps,
  tell: (answer: AddressAnswer, query: Query) => Outcome,
): MaybePromise<Outcome> {
  const query = toQuery(argument);
  if (query === undefined) return AMBIGUOUS;
  const answer = deps.addresses.find(query.address, session);
  return answer instanceof Promise ? answer.then((settled) => tell(settled, query)) : tell(answer, query);
}

/** A whole address, with or without brackets, or the postmaster; a name alone could be anybody's of several domains. */
function toQuery(argument: string): Query | undefined {
  const found = QUERY.exec(argument);
  const written = found?.[1] ?? '';
  const address = written.startsWith('<') && written.endsWith('>') ? written.slice(1, -1) : written;
  if (parseEnvelopeAddress(address) === undefined && address.toLowerCase() !== 'postmaster') return undefined;
  return { address, smtpUtf8: found?.[2] !== undefined };
}

/** RFC 6531 §3.7.4.2: UTF-8 only for those who said that they can read it. */
function isSayable(addresses: readonly string[], smtpUtf8: boolean): boolean {
  return smtpUtf8 || addresses.every((address) => ASCII.test(address));
}

const QUERY = /^(.+?)( +SMTPUTF8)?$/i;
const ASCII = /^[\x20-\x7e]*$/;

const CANNOT_VERIFY: Outcome = {
  reply: reply(252, '2.0.0', 'Cannot verify, but will take a message and try'),
};
const CANNOT_EXPAND: Outcome = refused('not-a-list', reply(550, '5.2.4', 'No list of ours'));
const NO_EXPN: Outcome = refused('not-implemented', reply(502, '5.5.1', 'EXPN is not offered here'));
const UNKNOWN: Outcome = refused('unknown-address', reply(550, '5.1.1', 'No such mailbox here'));
const AMBIGUOUS: Outcome = refused('ambiguous-address', reply(553, '5.1.3', 'Say a whole address'));
/** RFC 6531 §4.2: X.6.8, a UTF-8 string reply is required but not permitted by the client. */
const NEEDS_UTF8: Outcome = { reply: reply(252, '2.6.8', 'The answer needs the parameter SMTPUTF8') };
