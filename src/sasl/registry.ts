/** The mechanisms that exist, strongest first: in this order they are offered. */
import { external } from './external.ts';
import { login } from './login.ts';
import type { SaslChannel, SaslMechanism, SaslMechanismName } from './mechanism.ts';
import { oauthBearer, xoauth2 } from './oauth.ts';
import { plain } from './plain.ts';
import { scram } from './scram-server.ts';

export const MECHANISMS: readonly SaslMechanism[] = [
  scram('SHA-256', true),
  scram('SHA-1', true),
  scram('SHA-256', false),
  scram('SHA-1', false),
  external,
  oauthBearer,
  xoauth2,
  plain,
  login,
];

/** What is offered on a channel. Without privacy that is nothing: a password, or what it is guessed by, would be seen. */
export function offeredMechanisms(
  allowed: ReadonlySet<SaslMechanismName>,
  channel: SaslChannel,
): readonly SaslMechanism[] {
  if (!channel.isPrivate) return [];
  return MECHANISMS.filter((mechanism) => allowed.has(mechanism.name) && mechanism.isPossible(channel));
}

/** @param name in any case: RFC 4422 §3.1 writes mechanism names in capitals, clients do not always */
export function mechanismNamed(name: string): SaslMechanism | undefined {
  const wanted = name.toUpperCase();
  return MECHANISMS.find((mechanism) => mechanism.name === wanted);
}
