/** MAIL. Sources: RFC 5321 §4.1.1.2, 6409 §4.3, 4954 §6. */
import { err } from '../../../base/result.ts';
import { reply } from '../../wire/reply.ts';
import type { Command } from '../../wire/command.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import { formatEnvelopeAddress } from '../../wire/path.ts';
import type { MaybePromise, SessionFacts } from '../ports.ts';
import type { State, Transaction } from '../state.ts';
import { about, answered } from '../verdict.ts';
import { grantParameters } from './mail-parameters.ts';

type Mail = Extract<Command, { verb: 'MAIL' }>;

export function mail(
  command: Mail,
  state: State,
  session: SessionFacts,
  deps: SmtpServerDeps,
): MaybePromise<Outcome> {
  if (state.phase === 'start')
    return badSequence(deps.role.name === 'lmtp' ? 'Say LHLO first' : 'Say EHLO first');
  if (state.phase !== 'ready') return badSequence('A transaction is open already');
  const traceId = deps.traceId();
  tell(command, traceId, session, deps);
  const startedAtMs = deps.clock.nowMs();
  const problem = authorizationProblem(session, deps);
  const granted = problem === undefined ? grantParameters(command, session, deps, startedAtMs) : err(problem);
  if (!granted.ok) return about({ traceId }, granted.error);
  const transaction: Transaction = {
    traceId,
    startedAtMs,
    startedMonotonicMs: deps.clock.monotonicMs(),
    reversePath: command.reversePath,
    parameters: granted.value.parameters,
    recipients: [],
  };
  const accepted: Outcome = {
    reply: granted.value.reply,
    state: { phase: 'transaction', hello: state.hello, transaction },
  };
  return about({ traceId }, answered(deps.policy.mail?.(transaction, session), accepted));
}

function tell(command: Mail, traceId: string, session: SessionFacts, deps: SmtpServerDeps): void {
  const { reversePath, parameters } = command;
  deps.events({
    name: 'smtp.mail',
    sessionId: session.sessionId,
    role: session.role.name,
    remoteAddress: session.remote.address,
    traceId,
    reversePath: reversePath === null ? '' : formatEnvelopeAddress(reversePath),
    declaredOctets: parameters.declaredOctets,
    body: parameters.body,
    smtpUtf8: parameters.smtpUtf8,
    priority: parameters.priority,
    envelopeId: parameters.envelopeId,
  });
  const { forwarded } = session;
  if (forwarded === undefined) return;
  deps.events({
    name: 'smtp.forwarded',
    sessionId: session.sessionId,
    role: session.role.name,
    remoteAddress: session.remote.address,
    traceId,
    client: forwarded.address,
    hostname: forwarded.name,
    helo: forwarded.helo,
    ident: forwarded.ident,
  });
}

/** RFC 6409 §4.3 and RFC 4954 §6: 530 where authentication, or first TLS, is missing. */
function authorizationProblem(session: SessionFacts, deps: SmtpServerDeps): Outcome | undefined {
  if (deps.role.auth !== 'required' || session.principal !== undefined) return undefined;
  return session.tls === undefined && deps.startTls
    ? refused('tls-required', reply(530, '5.7.0', 'Say STARTTLS first'))
    : refused('authentication-required', reply(530, '5.7.0', 'Authentication required'));
}
