/**
 * Makes what SCRAM keeps of a password. The salt of an address is drawn from the address and a secret of the directory, so
 * every address has one, whether or not it is anybody's, and it stays the same as accounts come, go and change their
 * passwords: what a stranger is told says nothing.
 */
import { createHmac } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import type { ScramHash, ScramSalt } from '../../sasl/mechanism.ts';
import { saslPrep } from '../../sasl/prepare.ts';
import { saltedPassword } from '../../sasl/scram-client.ts';
import { SCRAM_HASHES, toScramKey } from '../../sasl/scram-key.ts';
import type { ScramKey } from '../../sasl/scram-key.ts';
import { HashGate } from './hash-gate.ts';

export const SALT_OCTETS = 16;

/** Computes Hi() of RFC 5802 §2.2; rejects with `Fault`. */
export type ComputeSaltedPassword = (
  hash: ScramHash,
  password: string,
  salt: ScramSalt,
) => Promise<Uint8Array>;

export class ScramKeyMaker {
  readonly iterations: number;
  readonly #gate: HashGate;
  readonly #compute: ComputeSaltedPassword;

  constructor(
    iterations: number = LIMITS.scramIterations,
    gate: HashGate = new HashGate(LIMITS.passwordHashesAtOnceMax, LIMITS.passwordHashesWaitingMax),
    compute: ComputeSaltedPassword = computeInPool,
  ) {
    this.iterations = iterations;
    this.#gate = gate;
    this.#compute = compute;
  }

  /** @param key an address as accounts are found by, or whatever else somebody gave for a name */
  saltOf(secret: string, hash: ScramHash, key: string): ScramSalt {
    const salt = createHmac('sha256', secret).update(`${hash} ${key}`).digest().subarray(0, SALT_OCTETS);
    return { salt, iterations: this.iterations };
  }

  /**
   * For those who set a password: waits its turn, however long. Clients normalise in two ways (RFC 5802 §2.2 wants SASLprep,
   * many do nothing); where they differ, keys of both are made.
   *
   * @param password as `preparePassword` gives it
   */
  async make(secret: string, key: string, password: string): Promise<readonly ScramKey[]> {
    const spellings = new Set([saslPrep(password) ?? password, password]);
    const wanted = SCRAM_HASHES.flatMap((hash) => [...spellings].map((spelling) => ({ hash, spelling })));
    return Promise.all(
      wanted.map(async ({ hash, spelling }) => {
        const salt = this.saltOf(secret, hash, key);
        const salted = await this.#gate.patiently(() => this.#compute(hash, spelling, salt));
        return toScramKey(hash, salt, salted);
      }),
    );
  }

  /** True when keys made today would be others. */
  isOutdated(keys: readonly ScramKey[]): boolean {
    const isCurrent = (hash: ScramHash): boolean =>
      keys.some((key) => key.hash === hash && key.iterations === this.iterations);
    return !SCRAM_HASHES.every(isCurrent);
  }
}

async function computeInPool(hash: ScramHash, password: string, salt: ScramSalt): Promise<Uint8Array> {
  try {
    return await saltedPassword(hash, password, salt);
  } catch (cause) {
    throw new Fault('Salting a password', cause);
  }
}
