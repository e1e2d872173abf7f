/**
 * Which parameters of MAIL are granted, and what the message gets by them. Sources: RFC 1870 §6.1 (SIZE), 4954 §5 (AUTH),
 * 6531 §3.5 (SMTPUTF8), 8689 §2 (REQUIRETLS), 4865 §4.2 (HOLDFOR, HOLDUNTIL), 2852 §4 (BY), 6710 §4.1 (MT-PRIORITY);
 * Postfix's VERP_README (XVERP).
 */
import type { Result } from '../../../base/result.ts';
import { err, ok } from '../../../base/result.ts';
import type { Command } from '../../wire/command.ts';
import type { HoldRequest, MailParameters } from '../../wire/parameter.ts';
import type { Reply } from '../../wire/reply.ts';
import { reply } from '../../wire/reply.ts';
import type { SmtpServerDeps } from '../deps.ts';
import { holdUntilMaxMs } from '../extensions.ts';
import type { Outcome } from '../outcome.ts';
import { refused } from '../outcome.ts';
import type { SessionFacts } from '../ports.ts';

type Mail = Extract<Command, { verb: 'MAIL' }>;

export type GrantedMail = {
  /** As asked for, but for a priority that was lowered. */
  readonly parameters: MailParameters;
  readonly reply: Reply;
};

/** @param nowMs when MAIL came: times ahead count from here */
export function grantParameters(
  mail: Mail,
  session: SessionFacts,
  deps: SmtpServerDeps,
  nowMs: number,
): Result<GrantedMail, Outcome> {
  const problem = offerProblem(mail, session, deps) ?? timeProblem(mail, deps, nowMs);
  return problem === undefined ? ok(withPriority(mail.parameters, session, deps)) : err(problem);
}

function offerProblem(
  { parameters, reversePath }: Mail,
  session: SessionFacts,
  deps: SmtpServerDeps,
): Outcome | undefined {
  // RFC 4954 §5: only where AUTH is offered.
  if (parameters.submitter !== undefined && deps.role.auth === 'none') return unsupported('AUTH');
  // RFC 8689 §2: only in a session under TLS.
  if (parameters.requireTls && session.tls === undefined) return unsupported('REQUIRETLS');
  // RFC 4865 §4.2 (2): for submission alone.
  if (
    parameters.hold !== undefined &&
    (deps.role.name !== 'submission' || deps.extensions.hold === undefined)
  )
    return unsupported(parameters.hold.kind === 'for' ? 'HOLDFOR' : 'HOLDUNTIL');
  const { deliverBy, priority, binaryMime } = deps.extensions;
  if (parameters.deliverBy !== undefined && deliverBy === undefined) return unsupported('DELIVERBY');
  if (parameters.priority !== undefined && priority === undefined) return unsupported('MT-PRIORITY');
  if (parameters.body === 'BINARYMIME' && !binaryMime) return unsupported('BINARYMIME');
  if (parameters.verp !== undefined) {
    if (!isTrusted(session, deps)) return unsupported('XVERP');
    if (reversePath === null)
      return refused('verp-of-nobody', reply(503, '5.5.4', 'XVERP needs a sender that is not empty'));
  }
  const { declaredOctets } = parameters;
  // RFC 1870 §6.1 (3): permanent, as the limit will not change.
  if (declaredOctets !== undefined && declaredOctets > deps.limits.messageOctetsMax)
    return refused(
      'declared-too-large',
      reply(552, '5.3.4', `Message is larger than ${deps.limits.messageOctetsMax} octets`),
    );
  // RFC 6531 §3.5.
  if (reversePath !== null && !reversePath.ascii && !parameters.smtpUtf8)
    return refused(
      'smtputf8-needed',
      reply(550, '5.6.7', 'A sender beyond ASCII needs the parameter SMTPUTF8'),
    );
  return undefined;
}

function timeProblem({ parameters }: Mail, deps: SmtpServerDeps, nowMs: number): Outcome | undefined {
  const { hold, deliverBy } = parameters;
  const { hold: offer, deliverBy: { secondsMin = 0 } = {} } = deps.extensions;
  const releaseAtMs = hold === undefined ? nowMs : releaseMs(hold, nowMs);
  // RFC 4865 §4.2 (7), (8) and (10): no further ahead than was offered.
  if (hold !== undefined && offer !== undefined && releaseAtMs > (holdUntilMaxMs(offer, nowMs) ?? nowMs))
    return refused('held-too-long', reply(501, '5.5.4', 'Messages are not held for so long here'));
  if (deliverBy === undefined) return undefined;
  // RFC 4865 §5.2.2: it cannot be released after it was to be delivered.
  if (hold !== undefined && releaseAtMs > nowMs + deliverBy.seconds * 1000)
    return refused(
      'held-beyond-deliver-by',
      reply(501, '5.5.4', 'To be released after it is to be delivered'),
    );
  // RFC 2852 §3 and §4: a permanent refusal of what was announced not to be accepted.
  if (deliverBy.mode === 'return' && deliverBy.seconds < secondsMin)
    return refused(
      'deliver-by-too-soon',
      reply(555, '5.5.4', `No delivery is promised in less than ${secondsMin} seconds`),
    );
  return undefined;
}

export function releaseMs(hold: HoldRequest, nowMs: number): number {
  return hold.kind === 'for' ? nowMs + hold.seconds * 1000 : hold.atMs;
}

/** RFC 6710 §4.1: strangers may lower the priority of their mail, only trusted clients may raise it. */
function withPriority(parameters: MailParameters, session: SessionFacts, deps: SmtpServerDeps): GrantedMail {
  const { priority } = parameters;
  const priorityMax = isTrusted(session, deps) ? (deps.extensions.priority?.max ?? 0) : 0;
  if (priority === undefined || priority <= priorityMax) return { parameters, reply: OK };
  return {
    parameters: { ...parameters, priority: priorityMax },
    // The text begins with the new priority.
    reply: reply(250, '2.3.6', `${priorityMax} is the priority of the message, sender ok`),
  };
}

/** Who has signed in, a peer that the operator named, and whoever delivers by LMTP. */
export function isTrusted(session: SessionFacts, deps: SmtpServerDeps): boolean {
  return (
    session.principal !== undefined ||
    session.role.name === 'lmtp' ||
    deps.trust.isPeer(session.remote.address)
  );
}

function unsupported(keyword: string): Outcome {
  return refused('parameter-not-offered', reply(555, '5.5.4', `${keyword} is not offered here`));
}

const OK = reply(250, '2.1.0', 'Sender ok');
