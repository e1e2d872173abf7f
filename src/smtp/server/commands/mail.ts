/** MAIL. Sources: RFC 5321 §4.1.1.2, 1870 §6.1, 6531 §3.4 and §3.5, 6409 §4.3, 4954 §5 and §6. */
import { reply } from '../../wire/reply.ts';
import type { Command } from '../../wire/command.ts';
import type { SmtpServerDeps } from '../deps.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import { formatEnvelopeAddress } from '../../wire/path.ts';
import type { MaybePromise, SessionFacts } from '../ports.ts';
import type { State, Transaction } from '../state.ts';
import { about, answered } from '../verdict.ts';

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
  const problem = authorizationProblem(session, deps) ?? parameterProblem(command, deps);
  if (problem !== undefined) return about({ traceId }, problem);
  const transaction: Transaction = {
    traceId,
    startedAtMs: deps.clock.nowMs(),
    startedMonotonicMs: deps.clock.monotonicMs(),
    reversePath: command.reversePath,
    parameters: command.parameters,
    recipients: [],
  };
  const accepted: Outcome = { reply: OK, state: { phase: 'transaction', hello: state.hello, transaction } };
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
    envelopeId: parameters.envelopeId,
  });
}

/** RFC 6409 §4.3 and RFC 4954 §6: 530 where authentication, or first TLS, is missing. */
function authorizationProblem(session: SessionFacts, deps: SmtpServerDeps): Outcome | undefined {
  if (deps.role.auth !== 'required' || session.principal !== undefined) return undefined;
  return session.tls === undefined && deps.startTls
    ? refused('tls-required', reply(530, '5.7.0', 'Say STARTTLS first'))
    : refused('authentication-required', reply(530, '5.7.0', 'Authentication required'));
}

function parameterProblem({ parameters, reversePath }: Mail, deps: SmtpServerDeps): Outcome | undefined {
  // RFC 3030 §3: only where BINARYMIME was offered.
  if (parameters.body === 'BINARYMIME') return unsupported('BODY=BINARYMIME');
  // RFC 4954 §5: only where AUTH is offered.
  if (parameters.submitter !== undefined && deps.role.auth === 'none') return unsupported('AUTH');
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

function unsupported(keyword: string): Outcome {
  return refused('parameter-not-offered', reply(555, '5.5.4', `${keyword} is not offered here`));
}

const OK = reply(250, '2.1.0', 'Sender ok');
