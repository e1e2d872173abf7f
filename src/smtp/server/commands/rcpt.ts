/** RCPT. Sources: RFC 5321 §4.1.1.3, §4.5.3.1.10 (too many), 6531 §3.5, 3461 §5.1. */
import { reply } from '../../wire/reply.ts';
import type { Command } from '../../wire/command.ts';
import { formatEnvelopeAddress, type ForwardPath } from '../../wire/path.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import type { AcceptedRecipient, MaybePromise, RecipientVerdict, SessionFacts, Verdict } from '../ports.ts';
import type { State, Transaction } from '../state.ts';
import { about, refusalOutcome } from '../verdict.ts';

type Rcpt = Extract<Command, { verb: 'RCPT' }>;

export function rcpt(
  command: Rcpt,
  state: State,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  if (state.phase === 'chunking') return badSequence('The message has begun');
  if (state.phase !== 'transaction') return badSequence('Say MAIL first');
  const forwardPath = toForwardPath(command);
  return about(
    { recipient: formatEnvelopeAddress(forwardPath) },
    admit({ forwardPath, parameters: command.parameters }, state.transaction, session, deps),
  );
}

function admit(
  recipient: AcceptedRecipient,
  transaction: Transaction,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  // RFC 5321 §4.5.3.1.10: 452, so that the client sends the rest in another transaction.
  if (transaction.recipients.length >= deps.limits.recipientsMax)
    return refused(
      'too-many-recipients',
      reply(452, '4.5.3', 'Too many recipients, send the rest separately'),
    );
  // RFC 6531 §3.5.
  if (!recipient.forwardPath.ascii && !transaction.parameters.smtpUtf8)
    return refused(
      'smtputf8-needed',
      reply(553, '5.6.7', 'A recipient beyond ASCII needs the parameter SMTPUTF8'),
    );
  const verdict = deps.recipients.verify(recipient.forwardPath, transaction, session);
  return verdict instanceof Promise
    ? verdict.then((settled) => verified(settled, recipient, transaction, session, deps))
    : verified(verdict, recipient, transaction, session, deps);
}

function verified(
  verdict: RecipientVerdict,
  recipient: AcceptedRecipient,
  transaction: Transaction,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  if (verdict.kind === 'refuse') return refusalOutcome(verdict);
  const checked = deps.policy.recipient?.(recipient, transaction, session);
  return checked instanceof Promise
    ? checked.then((settled) => judged(settled, recipient, transaction, session, deps))
    : judged(checked, recipient, transaction, session, deps);
}

function judged(
  verdict: Verdict | undefined,
  recipient: AcceptedRecipient,
  transaction: Transaction,
  session: SessionFacts,
  deps: SmtpServerDeps,
): Outcome {
  if (verdict?.kind === 'refuse') return refusalOutcome(verdict);
  transaction.recipients.push(verdict?.kind === 'discard' ? { ...recipient, isDiscarded: true } : recipient);
  deps.events({
    name: 'smtp.recipient',
    sessionId: session.sessionId,
    role: session.role.name,
    remoteAddress: session.remote.address,
    traceId: transaction.traceId,
    recipient: formatEnvelopeAddress(recipient.forwardPath),
    notify: recipient.parameters.notify?.join(','),
  });
  return { reply: OK };
}

function toForwardPath({ forwardPath }: Rcpt): ForwardPath {
  return forwardPath.domain === null
    ? { localPart: forwardPath.localPart, domain: '', domainSyntax: 'name', ascii: true }
    : forwardPath;
}

const OK = reply(250, '2.1.5', 'Recipient ok');
