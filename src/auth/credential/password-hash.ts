/**
 * Passwords kept as argon2id (RFC 9106) in the PHC string format: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`, base64
 * without padding. Hashing runs off the event loop, a few at once, since each takes its memory for its time: in Node's
 * thread pool, unless one is given who computes. A server has threads for it; the pool is the disk's.
 */
import { Buffer } from 'node:buffer';
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Turn } from '../turn.ts';
import { HashGate } from './hash-gate.ts';

export type HashParameters = {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
};

/** The least that OWASP's password storage cheat sheet asks of argon2id. */
export const DEFAULT_PARAMETERS: HashParameters = { memory: 19_456, passes: 2, parallelism: 1 };

const SALT_OCTETS = 16;
const TAG_OCTETS = 32;

/** Computes one tag; rejects with `Fault`. */
export type ComputeHash = (
  password: string,
  parameters: HashParameters,
  salt: Uint8Array,
  tagOctets: number,
) => Promise<Buffer>;

/** More logins wait for their hash than is sensible to let wait; or when its turn came, this one was not to have one. */
export type Overloaded = { readonly kind: 'overloaded' };

/** When a login is hashed. */
export type LoginTurn = Turn & {
  /** Asked when its turn has come. */
  isWanted(): boolean;
};

const AT_ANY_TIME: LoginTurn = { network: '', isFirst: true, isWanted: () => true };

/** The passwords' keeper. An interface, so that tests can count what is hashed. */
export type PasswordHasher = {
  /** For those who set a password: waits its turn, however long. */
  hash(password: string): Promise<string>;
  /** Exactly one hash is computed in every case; `undefined` stands for an account that is not there, and is false. */
  verify(password: string, kept: string | undefined, turn?: LoginTurn): Promise<Result<boolean, Overloaded>>;
  /** True when the parameters differ from those used today. */
  isOutdated(kept: string): boolean;
};

type Kept = { readonly parameters: HashParameters; readonly salt: Buffer; readonly tag: Buffer };

const PHC =
  /^\$argon2id\$v=19\$m=([0-9]{1,7}),t=([0-9]{1,3}),p=([0-9]{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Undefined where the text is no hash of ours; nothing computed from it is ever out of bounds. */
export function parsePasswordHash(text: string): Kept | undefined {
  const match = PHC.exec(text);
  if (match === null) return undefined;
  const [, memory, passes, parallelism, salt = '', tag = ''] = match;
  const parameters = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  // RFC 9106 §3.1: at least 8 KiB for each lane.
  const isSound =
    parameters.parallelism >= 1 && parameters.passes >= 1 && parameters.memory >= 8 * parameters.parallelism;
  return isSound
    ? { parameters, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') }
    : undefined;
}

function formatPasswordHash({ parameters, salt, tag }: Kept): string {
  const { memory, passes, parallelism } = parameters;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${base64(salt)}$${base64(tag)}`;
}

function base64(octets: Buffer): string {
  return octets.toString('base64').replaceAll('=', '');
}

/**
 * A password as it is compared: NFC, spaces of other scripts as the ASCII one (RFC 8265 §4.2.2). Nothing else of that
 * profile is enforced: what the owner chose must let them in. Undefined: empty or too long.
 */
export function preparePassword(password: string): string | undefined {
  const octets = Buffer.byteLength(password);
  if (octets === 0 || octets > LIMITS.passwordOctetsMax) return undefined;
  return password.replaceAll(/\p{Zs}/gu, ' ').normalize('NFC');
}

export class Argon2Hasher implements PasswordHasher {
  readonly #parameters: HashParameters;
  readonly #gate: HashGate;
  readonly #compute: ComputeHash;
  /** What a password is compared with when there is no account: salt and tag of nobody. */
  readonly #nobody: Kept;

  constructor(
    parameters: HashParameters = DEFAULT_PARAMETERS,
    gate: HashGate = new HashGate(LIMITS.passwordHashesAtOnceMax, LIMITS.passwordHashesWaitingMax),
    compute: ComputeHash = computeInPool,
  ) {
    this.#parameters = parameters;
    this.#gate = gate;
    this.#compute = compute;
    this.#nobody = { parameters, salt: randomBytes(SALT_OCTETS), tag: randomBytes(TAG_OCTETS) };
  }

  async hash(password: string): Promise<string> {
    const salt = randomBytes(SALT_OCTETS);
    const parameters = this.#parameters;
    const tag = await this.#gate.patiently(() => this.#compute(password, parameters, salt, TAG_OCTETS));
    return formatPasswordHash({ parameters, salt, tag });
  }

  async verify(
    password: string,
    kept: string | undefined,
    turn: LoginTurn = AT_ANY_TIME,
  ): Promise<Result<boolean, Overloaded>> {
    const parsed = kept === undefined ? undefined : parsePasswordHash(kept);
    const { parameters, salt, tag } = parsed ?? this.#nobody;
    const computed = await this.#gate.enter(
      async () => (turn.isWanted() ? this.#compute(password, parameters, salt, tag.length) : undefined),
      turn,
    );
    return computed === undefined
      ? err({ kind: 'overloaded' })
      : ok(timingSafeEqual(computed, tag) && parsed !== undefined);
  }

  isOutdated(kept: string): boolean {
    const parameters = parsePasswordHash(kept)?.parameters;
    return (
      parameters?.memory !== this.#parameters.memory ||
      parameters.passes !== this.#parameters.passes ||
      parameters.parallelism !== this.#parameters.parallelism
    );
  }
}

async function computeInPool(
  password: string,
  parameters: HashParameters,
  salt: Uint8Array,
  tagLength: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message: password, nonce: salt, tagLength, ...parameters }, (error, tag) => {
      if (error === null) resolve(tag);
      else reject(new Fault('Hashing a password', error));
    });
  });
}
