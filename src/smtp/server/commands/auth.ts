/** AUTH: whether it may run, and which mechanism. The exchange itself is driven by the session. Source: RFC 4954 §4 and §6. */
import type { SignIn } from '../../../auth/sign-in.ts';
import { offeredOn } from '../../../auth/sign-in.ts';
import type { SaslMechanism, SaslMechanismName } from '../../../sasl/mechanism.ts';
import { mechanismNamed } from '../../../sasl/registry.ts';
import type { Result } from '../../../base/result.ts';
import { err, ok } from '../../../base/result.ts';
import { reply } from '../../wire/reply.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import type { SessionFacts } from '../ports.ts';
import type { State } from '../state.ts';

/** RFC 4954 §4: under TLS only, and to whom has not authenticated. */
export function offeredMechanisms(
  session: SessionFacts,
  signIn: SignIn | undefined,
): readonly SaslMechanism[] {
  if (session.role.auth === 'none' || session.principal !== undefined || signIn === undefined) return [];
  return offeredOn(signIn, session.tls);
}

export function admitAuth(
  name: string,
  state: State,
  session: SessionFacts,
  signIn: SignIn | undefined,
): Result<{ readonly mechanism: SaslMechanism; readonly signIn: SignIn }, Outcome> {
  if (session.role.auth === 'none' || signIn === undefined)
    return err(refused('not-implemented', reply(502, '5.5.1', 'AUTH is not offered here')));
  if (state.phase === 'start') return err(badSequence('Say EHLO first'));
  // RFC 4954 §4: not twice, and not inside a transaction.
  if (session.principal !== undefined) return err(badSequence('Authenticated already'));
  if (state.phase !== 'ready') return err(badSequence('Not inside a transaction'));
  const mechanism = mechanismNamed(name);
  if (mechanism === undefined)
    return err(refused('unknown-mechanism', reply(504, '5.5.4', 'No such authentication mechanism')));
  if (session.tls === undefined)
    return err(
      refused('encryption-required', reply(538, '5.7.11', 'Encryption required, say STARTTLS first')),
    );
  if (offeredOn(signIn, session.tls).includes(mechanism)) return ok({ mechanism, signIn });
  // RFC 4954 §6: 534 for what the operator finds too weak, 504 for what this channel or the directory does not allow.
  return err(
    WEAK.has(mechanism.name)
      ? refused('mechanism-too-weak', reply(534, '5.7.9', 'That mechanism shows the password, use another'))
      : refused('mechanism-not-offered', reply(504, '5.5.4', `${mechanism.name} is not offered here`)),
  );
}

const WEAK: ReadonlySet<SaslMechanismName> = new Set(['PLAIN', 'LOGIN']);
