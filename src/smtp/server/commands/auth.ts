/** AUTH: whether it may run, and which mechanism. The exchange itself is driven by the session. Source: RFC 4954 §4 and §6. */
import type { SaslMechanism } from '../../../sasl/mechanism.ts';
import { MECHANISMS, mechanismNamed } from '../../../sasl/registry.ts';
import type { Result } from '../../../base/result.ts';
import { err, ok } from '../../../base/result.ts';
import { reply } from '../../wire/reply.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import type { SessionFacts } from '../ports.ts';
import type { State } from '../state.ts';

/** RFC 4954 §4: what would show a password to the wire is offered under TLS only. */
export function offeredMechanisms(session: SessionFacts): readonly SaslMechanism[] {
  if (session.role.auth === 'none' || session.principal !== undefined) return [];
  return MECHANISMS.filter((mechanism) => session.tls !== undefined || !mechanism.revealsSecret);
}

export function admitAuth(name: string, state: State, session: SessionFacts): Result<SaslMechanism, Outcome> {
  if (session.role.auth === 'none')
    return err(refused('not-implemented', reply(502, '5.5.1', 'AUTH is not offered here')));
  if (state.phase === 'start') return err(badSequence('Say EHLO first'));
  // RFC 4954 §4: not twice, and not inside a transaction.
  if (session.principal !== undefined) return err(badSequence('Authenticated already'));
  if (state.phase !== 'ready') return err(badSequence('Not inside a transaction'));
  const mechanism = mechanismNamed(name);
  if (mechanism === undefined)
    return err(refused('unknown-mechanism', reply(504, '5.5.4', 'No such authentication mechanism')));
  if (mechanism.revealsSecret && session.tls === undefined)
    return err(
      refused('encryption-required', reply(538, '5.7.11', 'Encryption required, say STARTTLS first')),
    );
  return ok(mechanism);
}
