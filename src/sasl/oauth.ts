/**
 * OAUTHBEARER (RFC 7628) and its forerunner XOAUTH2, which Google defined and many programs speak: one message with a bearer
 * token. Where the token does not do, the client is told in JSON, and says one more thing before the end.
 *
 * Departs from RFC 7628 §3.2: host and port that the client names are not compared with ours. A server has many names, and
 * a bearer token is bound to none of them.
 */
import { isUtf8 } from 'node:buffer';
import { fromUtf8, utf8 } from '../base/bytes.ts';
import { malformed, withInitial } from './mechanism.ts';
import type { SaslMechanism, SaslServerStep, TokenClaim, TokenHints } from './mechanism.ts';
import { decodeName } from './scram-message.ts';

const MESSAGE_OCTETS_MAX = 9000;

/** RFC 7628 §3.1: a GS2 header without channel binding (RFC 5801 §4), then keys and values, each behind a %x01. */
// oxlint-disable-next-line no-control-regex -- that is what stands between them
const BEARER_MESSAGE =
  /^([ny]|p=[A-Za-z0-9.-]+),(?:a=([^,\x00\x01]+))?,\x01((?:[A-Za-z]+=[\t\n\r\x20-\x7e]*\x01)*)\x01$/;
// oxlint-disable-next-line no-control-regex -- as above
const GOOGLE_MESSAGE = /^user=([^\x00\x01]*)\x01((?:[A-Za-z]+=[\t\n\r\x20-\x7e]*\x01)*)\x01$/;
/** RFC 6750 §2.1: the scheme in any case, then a b64token. */
const AUTH = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i;

export const oauthBearer: SaslMechanism = {
  name: 'OAUTHBEARER',
  isPossible: () => true,
  server: ({ tokenHints }, initial) =>
    withInitial(initial, (response) => parseOauthBearer(response, tokenHints)),
};

export const xoauth2: SaslMechanism = {
  name: 'XOAUTH2',
  isPossible: () => true,
  server: ({ tokenHints }, initial) => withInitial(initial, (response) => parseXoauth2(response, tokenHints)),
};

export function parseOauthBearer(octets: Uint8Array, hints: TokenHints): SaslServerStep {
  const message = BEARER_MESSAGE.exec(toText(octets));
  const [, flag = '', name, pairs = ''] = message ?? [];
  const authorizationId = name === undefined ? '' : decodeName(name);
  if (message === null || authorizationId === undefined) return malformed('not a client response');
  // RFC 7628 §3.1 knows no binding: whoever asks for one must not believe to have it.
  if (flag.startsWith('p')) return { kind: 'refused', reason: 'channel-binding-type' };
  const problem = { status: 'invalid_token', ...hintsOf(hints) };
  return claimOf({ mechanism: 'OAUTHBEARER', authorizationId }, pairs, problem);
}

export function parseXoauth2(octets: Uint8Array, hints: TokenHints): SaslServerStep {
  const message = GOOGLE_MESSAGE.exec(toText(octets));
  if (message === null) return malformed('not a client response');
  const [, authorizationId = '', pairs = ''] = message;
  const problem = { status: '401', schemes: 'bearer', ...hintsOf(hints) };
  return claimOf({ mechanism: 'XOAUTH2', authorizationId }, pairs, problem);
}

function claimOf(
  of: Pick<TokenClaim, 'mechanism' | 'authorizationId'>,
  pairs: string,
  problem: Readonly<Record<string, string>>,
): SaslServerStep {
  // RFC 7628 §3.2.3: the client answers with a single %x01, and whatever it answers it is refused.
  const refused = (): SaslServerStep => ({
    kind: 'challenge',
    octets: fromUtf8(JSON.stringify(problem)),
    next: () => ({ kind: 'refused', reason: 'token' }),
  });
  const token = tokenIn(pairs);
  // RFC 7628 §4.3: without a token a client asks what kind of one it needs.
  if (token === undefined) return refused();
  return { kind: 'claim', claim: { kind: 'token', ...of, token }, refused };
}

function hintsOf({ scope, openidConfiguration }: TokenHints): Readonly<Record<string, string>> {
  return {
    ...(scope === undefined ? {} : { scope }),
    ...(openidConfiguration === undefined ? {} : { 'openid-configuration': openidConfiguration }),
  };
}

/** RFC 7628 §3.1: keys that are not known are passed over. */
function tokenIn(pairs: string): string | undefined {
  const auth = pairs.split('\u0001').find((pair) => pair.startsWith('auth='));
  return AUTH.exec(auth?.slice('auth='.length) ?? '')?.[1];
}

function toText(octets: Uint8Array): string {
  return octets.length <= MESSAGE_OCTETS_MAX && isUtf8(octets) ? utf8(octets) : '';
}
