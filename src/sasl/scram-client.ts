/**
 * SCRAM, the client's side. The server must show that it knows the password too: until then no success is believed.
 * Source: RFC 5802 §3, §5, §6; RFC 7677 §3.
 */
import { createHash, pbkdf2, timingSafeEqual } from 'node:crypto';
import { fromUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import { encodeBase64 } from './base64.ts';
import type { SaslClientExchange, SaslCredentials, ScramHash, ScramSalt } from './mechanism.ts';
import { saslPrep } from './prepare.ts';
import { digestOf, hmac, SCRAM_OCTETS, xor } from './scram-key.ts';
import { encodeName, parseServerFinal, parseServerFirst } from './scram-message.ts';

export type ScramClientOptions = {
  readonly hash: ScramHash;
  /**
   * How the channel is bound to. 'not-offered': we could, and the server did not offer it; that is said, so that somebody
   * in between who took the offer away is found out (RFC 5802 §6).
   */
  readonly binding: { readonly type: string; readonly octets: Uint8Array } | 'not-offered' | 'not-supported';
  /** Printable ASCII without commas. */
  readonly nonce: string;
};

/** RFC 5802 §5.1, RFC 7677 §3: fewer make the password cheap to try for whoever got between. */
const ITERATIONS_MIN = 4096;

type Progress =
  | { readonly kind: 'begun' }
  | { readonly kind: 'proved'; readonly signature: Uint8Array }
  | { readonly kind: 'satisfied' }
  | { readonly kind: 'over' };

export function scramClient(credentials: SaslCredentials, options: ScramClientOptions): SaslClientExchange {
  const { hash, binding, nonce } = options;
  const flag = binding === 'not-supported' ? 'n' : binding === 'not-offered' ? 'y' : `p=${binding.type}`;
  const { authorizationId = '', authenticationId, password } = credentials;
  const gs2Header = `${flag},${authorizationId === '' ? '' : `a=${encodeName(authorizationId)}`},`;
  const bare = `n=${encodeName(authenticationId)},r=${nonce}`;
  const bound = typeof binding === 'string' ? new Uint8Array() : binding.octets;
  let progress: Progress = { kind: 'begun' };

  const prove = async (challenge: Uint8Array): Promise<Uint8Array | undefined> => {
    const told = parseServerFirst(challenge);
    const isSound =
      told !== undefined &&
      // RFC 5802 §5.1: the nonce goes on from ours. One that adds nothing may be an old exchange played again.
      told.nonce.startsWith(nonce) &&
      told.nonce.length > nonce.length &&
      told.iterations >= ITERATIONS_MIN &&
      told.iterations <= LIMITS.scramIterationsMax;
    if (!isSound) return undefined;
    const salted = await saltedPassword(hash, saslPrep(password) ?? password, told);
    const clientKey = hmac(hash, salted, 'Client Key');
    const storedKey = createHash(digestOf(hash)).update(clientKey).digest();
    const channelBinding = encodeBase64(Buffer.concat([fromUtf8(gs2Header), bound]));
    const withoutProof = `c=${channelBinding},r=${told.nonce}`;
    const authMessage = `${bare},${Buffer.from(challenge).toString('utf8')},${withoutProof}`;
    const proof = xor(clientKey, hmac(hash, storedKey, authMessage));
    progress = { kind: 'proved', signature: hmac(hash, hmac(hash, salted, 'Server Key'), authMessage) };
    return fromUtf8(`${withoutProof},p=${encodeBase64(proof)}`);
  };

  const judge = (challenge: Uint8Array, signature: Uint8Array): Uint8Array | undefined => {
    const shown = parseServerFinal(challenge);
    if (shown?.length !== signature.length || !timingSafeEqual(shown, signature)) return undefined;
    progress = { kind: 'satisfied' };
    return new Uint8Array();
  };

  return {
    mechanism: `SCRAM-${hash}${typeof binding === 'string' ? '' : '-PLUS'}`,
    initial: () => fromUtf8(gs2Header + bare),
    async respond(challenge) {
      const before = progress;
      progress = { kind: 'over' };
      if (before.kind === 'begun') return prove(challenge);
      return before.kind === 'proved' ? judge(challenge, before.signature) : undefined;
    },
    isSatisfied: () => progress.kind === 'satisfied',
  };
}

/**
 * Hi() of RFC 5802 §2.2, off the event loop.
 *
 * @param password normalised
 */
export async function saltedPassword(
  hash: ScramHash,
  password: string,
  { salt, iterations }: ScramSalt,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    pbkdf2(password, salt, iterations, SCRAM_OCTETS[hash], digestOf(hash), (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
