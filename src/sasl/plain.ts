/** PLAIN: authzid NUL authcid NUL password, UTF-8. Source: RFC 4616 §2. */
import { isUtf8 } from 'node:buffer';
import { fromUtf8, toBuffer } from '../base/bytes.ts';
import { malformed, withInitial } from './mechanism.ts';
import type { SaslClientExchange, SaslCredentials, SaslMechanism, SaslServerStep } from './mechanism.ts';

/** RFC 4616 §2 allows 255 octets for each part of the message. */
const PART_OCTETS_MAX = 1024;

export const plain: SaslMechanism = {
  name: 'PLAIN',
  isPossible: () => true,
  server: (_context, initial) => withInitial(initial, parsePlain),
};

/** The claim in one PLAIN message. */
export function parsePlain(octets: Uint8Array): SaslServerStep {
  const message = toBuffer(octets);
  const first = message.indexOf(0);
  const second = first === -1 ? -1 : message.indexOf(0, first + 1);
  if (second === -1) return malformed('two NULs are needed');
  // RFC 4616 §2: neither the identity nor the password may contain NUL.
  if (message.indexOf(0, second + 1) !== -1) return malformed('more than two NULs');
  if (!isUtf8(message)) return malformed('not UTF-8');
  const longest = Math.max(first, second - first - 1, message.length - second - 1);
  if (longest > PART_OCTETS_MAX) return malformed('a part is too long');
  const authenticationId = message.toString('utf8', first + 1, second);
  const password = message.toString('utf8', second + 1);
  // RFC 4616 §2: authcid and passwd are at least one character.
  if (authenticationId === '' || password === '') return malformed('identity or password is empty');
  const authorizationId = message.toString('utf8', 0, first);
  return {
    kind: 'claim',
    claim: { kind: 'password', mechanism: 'PLAIN', authorizationId, authenticationId, password },
  };
}

export function plainClient(credentials: SaslCredentials): SaslClientExchange {
  const { authorizationId = '', authenticationId, password } = credentials;
  const message = fromUtf8(`${authorizationId}\0${authenticationId}\0${password}`);
  return {
    mechanism: 'PLAIN',
    initial: () => message,
    respond: async () => undefined,
    isSatisfied: () => true,
  };
}
