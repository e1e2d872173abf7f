/**
 * LOGIN: two prompts, identity then password. Never standardised (draft-murchison-sasl-login); kept for old mail programs,
 * some of which read the prompts' text, so it must stay as it is.
 */
import { isUtf8 } from 'node:buffer';
import { fromLatin1, fromUtf8, utf8 } from '../base/bytes.ts';
import type {
  SaslClientExchange,
  SaslCredentials,
  SaslMechanism,
  SaslServerExchange,
  SaslServerStep,
} from './mechanism.ts';

const PART_OCTETS_MAX = 1024;

export const login: SaslMechanism = { name: 'LOGIN', revealsSecret: true, server };

function server(): SaslServerExchange {
  let authenticationId: string | undefined;
  return {
    step(response) {
      if (response === undefined) return challenge('Username:');
      const text = toText(response);
      if (text === undefined) return { kind: 'malformed', detail: 'empty, too long, with NUL, or not UTF-8' };
      if (authenticationId === undefined) {
        authenticationId = text;
        return challenge('Password:');
      }
      return {
        kind: 'claim',
        claim: {
          kind: 'password',
          mechanism: 'LOGIN',
          authorizationId: '',
          authenticationId,
          password: text,
        },
      };
    },
  };
}

/** LOGIN has no initial response: the server prompts first. The prompts' text is not looked at, only their number. */
export function loginClient(credentials: SaslCredentials): SaslClientExchange {
  const answers = [credentials.authenticationId, credentials.password];
  return {
    mechanism: 'LOGIN',
    initial() {
      return undefined;
    },
    respond() {
      const answer = answers.shift();
      return answer === undefined ? undefined : fromUtf8(answer);
    },
  };
}

function challenge(text: string): SaslServerStep {
  return { kind: 'challenge', octets: fromLatin1(text) };
}

function toText(octets: Uint8Array): string | undefined {
  if (octets.length === 0 || octets.length > PART_OCTETS_MAX || octets.includes(0) || !isUtf8(octets))
    return undefined;
  return utf8(octets);
}
