/**
 * Asks the authority itself about each token (RFC 7662), over HTTPS. A few questions at once; good tokens are known again for
 * a short while, as their SHA-256.
 */
import { createHash } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { HashGate } from '../credential/hash-gate.ts';
import type { TokenVerifier } from '../token-verifier.ts';

export type IntrospectionOptions = {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Must be among the token's scopes. */
  readonly scope?: string;
  /** Must be among those whom the token is for. */
  readonly audience?: string;
  /** The member of the answer that holds the address. */
  readonly addressField: string;
  readonly clock: Clock;
  readonly fetch?: typeof fetch;
};

type Known = { readonly address: string; readonly endsAtMs: number };
type Members = Readonly<Record<string, unknown>>;

const ASKING = 'Asking about a token';

export function introspection(options: IntrospectionOptions): TokenVerifier {
  const { clock } = options;
  const gate = new HashGate(LIMITS.tokenQuestionsAtOnceMax, LIMITS.tokenQuestionsWaitingMax);
  const known = new Map<string, Known>();

  return async (token, turn) => {
    const mark = createHash('sha256').update(token).digest('base64');
    const found = known.get(mark);
    if (found !== undefined && clock.nowMs() < found.endsAtMs) return found.address;
    known.delete(mark);
    const answer = await gate.enter(() => ask(token, options), turn);
    if (answer === undefined) throw new Fault(ASKING, new Error('Too many wait for an answer'));
    const nowMs = clock.nowMs();
    const address = addressIn(answer, options, nowMs);
    if (address === undefined) return undefined;
    const { exp } = answer;
    const expiresAtMs = typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY;
    known.set(mark, { address, endsAtMs: Math.min(nowMs + LIMITS.verifiedPasswordMs, expiresAtMs) });
    const [oldest] = known.keys();
    if (known.size > LIMITS.verifiedPasswordsMax && oldest !== undefined) known.delete(oldest);
    return address;
  };
}

/** RFC 7662 §2.1. */
async function ask(token: string, options: IntrospectionOptions): Promise<Members> {
  const { url, clientId, clientSecret } = options;
  // RFC 6749 §2.3.1: both are encoded before they are joined.
  const login = [clientId, clientSecret].map((one) => encodeURIComponent(one)).join(':');
  try {
    const response = await (options.fetch ?? fetch)(url, {
      method: 'POST',
      redirect: 'error',
      headers: {
        accept: 'application/json',
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from(login).toString('base64')}`,
      },
      body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
      signal: AbortSignal.timeout(LIMITS.tokenQuestionMs),
    });
    // RFC 7662 §2.3: a token that is not good is no error; an error is one of ours, or theirs.
    if (response.status !== 200) throw new Error(`The authority answered ${response.status}`);
    const answer: unknown = JSON.parse(await bodyOf(response));
    if (!isMembers(answer)) throw new Error('The authority answered no object');
    return answer;
  } catch (cause) {
    throw new Fault(ASKING, cause);
  }
}

async function bodyOf(response: Response): Promise<string> {
  const pieces: Uint8Array[] = [];
  let octets = 0;
  for await (const piece of response.body ?? []) {
    octets += piece.length;
    if (octets > LIMITS.tokenAnswerOctetsMax) throw new Error('The answer of the authority is too long');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** RFC 7662 §2.2 and §4: active, within its time, with our scope, for us. */
function addressIn(answer: Members, options: IntrospectionOptions, nowMs: number): string | undefined {
  const { active, scope, aud, exp, nbf, [options.addressField]: address } = answer;
  const scopes = typeof scope === 'string' ? scope.split(' ') : [];
  const audiences: readonly unknown[] = Array.isArray(aud) ? aud : [aud];
  const isGood =
    active === true &&
    (typeof exp !== 'number' || nowMs < exp * 1000) &&
    (typeof nbf !== 'number' || nowMs >= nbf * 1000) &&
    (options.scope === undefined || scopes.includes(options.scope)) &&
    (options.audience === undefined || audiences.includes(options.audience));
  return isGood && typeof address === 'string' ? address : undefined;
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
