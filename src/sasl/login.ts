/**
 * LOGIN: two prompts, identity then password. Never standardised (draft-murchison-sasl-login); kept for old mail programs,
 * some of which read the prompts' text, so it must stay as it is. Departs from RFC 4954 §4, which wants an initial response
 * refused where the server speaks first: many programs send the identity with the command.
 */
import { isUtf8 } from 'node:buffer';
import { fromLatin1, fromUtf8, utf8 } from '../base/bytes.ts';
import { malformed } from './mechanism.ts';
import type { SaslClientExchange, SaslCredentials, SaslMechanism, SaslServerStep } from './mechanism.ts';

const PART_OCTETS_MAX = 1024;

export const login: SaslMechanism = {
  name: 'LOGIN',
  isPossible: () => true,
  server: (_context, initial) =>
    initial === undefined
      ? { kind: 'challenge', octets: fromLatin1('Username:'), next: named }
      : named(initial),
};

function named(identity: Uint8Array): SaslServerStep {
  const authenticationId = toText(identity);
  if (authenticationId === undefined) return malformed(BAD_PART);
  const next = (response: Uint8Array): SaslServerStep => {
    const password = toText(response);
    if (password === undefined) return malformed(BAD_PART);
    return {
      kind: 'claim',
      claim: { kind: 'password', mechanism: 'LOGIN', authorizationId: '', authenticationId, password },
    };
  };
  return { kind: 'challenge', octets: fromLatin1('Password:'), next };
}

/** LOGIN has no initial response: the server prompts first. The prompts' text is not looked at, only their number. */
export function loginClient(credentials: SaslCredentials): SaslClientExchange {
  const answers = [credentials.authenticationId, credentials.password];
  return {
    mechanism: 'LOGIN',
    initial: () => undefined,
    async respond() {
      const answer = answers.shift();
      return answer === undefined ? undefined : fromUtf8(answer);
    },
    isSatisfied: () => true,
  };
}

const BAD_PART = 'empty, too long, with NUL, or not UTF-8';

function toText(octets: Uint8Array): string | undefined {
  if (octets.length === 0 || octets.length > PART_OCTETS_MAX || octets.includes(0) || !isUtf8(octets))
    return undefined;
  return utf8(octets);
}
