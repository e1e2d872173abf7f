/** Which mechanism our client uses with a server: the strongest that both have. Source: RFC 5802 §6. */
import { loginClient } from './login.ts';
import type { SaslClientExchange, SaslCredentials } from './mechanism.ts';
import { plainClient } from './plain.ts';
import { scramClient } from './scram-client.ts';
import { SCRAM_HASHES } from './scram-key.ts';

export type ClientChannel = {
  /** What the channel can be bound by, best first. */
  readonly bindings: ReadonlyMap<string, Uint8Array>;
  /** Printable ASCII without commas that nobody can foresee. */
  readonly nonce: string;
};

/**
 * Undefined where the server offers nothing that we have. Nothing weaker is tried after a refusal: whoever sits between
 * could make it refuse.
 *
 * @param offered in capitals
 */
export function chooseMechanism(
  offered: readonly string[],
  credentials: SaslCredentials,
  { bindings, nonce }: ClientChannel,
): SaslClientExchange | undefined {
  const [best] = bindings;
  const binding = best === undefined ? undefined : { type: best[0], octets: best[1] };
  if (binding !== undefined) {
    const hash = SCRAM_HASHES.find((one) => offered.includes(`SCRAM-${one}-PLUS`));
    if (hash !== undefined) return scramClient(credentials, { hash, binding, nonce });
  }
  const hash = SCRAM_HASHES.find((one) => offered.includes(`SCRAM-${one}`));
  if (hash !== undefined) {
    // RFC 5802 §6: we could have bound, and say so; a server that offered it knows that its offer was taken away.
    const flag = binding === undefined ? 'not-supported' : 'not-offered';
    return scramClient(credentials, { hash, binding: flag, nonce });
  }
  if (offered.includes('PLAIN')) return plainClient(credentials);
  return offered.includes('LOGIN') ? loginClient(credentials) : undefined;
}
