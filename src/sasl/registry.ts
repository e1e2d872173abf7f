/** The mechanisms that exist, in the order in which they are offered. */
import { login } from './login.ts';
import type { SaslMechanism } from './mechanism.ts';
import { plain } from './plain.ts';

export const MECHANISMS: readonly SaslMechanism[] = [plain, login];

/** @param name in any case: RFC 4422 §3.1 writes mechanism names in capitals, clients do not always */
export function mechanismNamed(name: string): SaslMechanism | undefined {
  const wanted = name.toUpperCase();
  return MECHANISMS.find((mechanism) => mechanism.name === wanted);
}
