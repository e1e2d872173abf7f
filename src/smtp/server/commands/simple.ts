/** The commands that only answer: NOOP, HELP, VRFY, EXPN, RSET. Sources: RFC 5321 §4.1.1.5 to §4.1.1.9, §3.5.3, §7.3. */
import { reply } from '../../wire/reply.ts';
import type { SmtpRole } from '../role.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { State } from '../state.ts';
import { withoutTransaction } from '../state.ts';

export function noop(): Outcome {
  return NOOP;
}

export function help(role: SmtpRole): Outcome {
  const verbs = ['MAIL', 'RCPT', 'DATA', 'BDAT', 'RSET', 'NOOP', 'QUIT', 'VRFY', 'HELP', 'STARTTLS'];
  const hello = role.name === 'lmtp' ? ['LHLO'] : ['EHLO', 'HELO'];
  const auth = role.auth === 'none' ? [] : ['AUTH'];
  return { reply: reply(214, '2.0.0', 'Commands:', [...hello, ...verbs, ...auth].join(' '), 'See RFC 5321') };
}

/** RFC 5321 §7.3: whether an address exists is not told to those who do not mean to send to it. */
export function vrfy(): Outcome {
  return VRFY;
}

export function expn(): Outcome {
  return EXPN;
}

export function rset(state: State): Outcome {
  return { reply: RSET, state: withoutTransaction(state) };
}

const NOOP: Outcome = { reply: reply(250, '2.0.0', 'Ok') };
const RSET = reply(250, '2.0.0', 'Ok');
const VRFY: Outcome = { reply: reply(252, '2.0.0', 'Cannot verify, but will take a message and try') };
const EXPN: Outcome = refused('not-implemented', reply(502, '5.5.1', 'EXPN is not offered here'));
