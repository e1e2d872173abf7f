/** What a directory keeps of a password: its slow hash, and keys for SCRAM unless the operator wants none. */
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { ScramHash, ScramSalt } from '../../sasl/mechanism.ts';
import { formatScramKeys } from '../../sasl/scram-key.ts';
import type { ScramKey } from '../../sasl/scram-key.ts';
import type { DirectoryProblem, Secret } from '../directory.ts';
import { preparePassword } from './password-hash.ts';
import type { PasswordHasher } from './password-hash.ts';
import type { ScramKeyMaker } from './scram-key-maker.ts';

export type KeptSecrets = {
  readonly passwordHash: string;
  /** As `formatScramKeys` writes them. */
  readonly scramKeys: string | undefined;
};

/** The directory's secrets for salts, the newest first. Salts are drawn from the oldest: a new one would tell who has old keys. */
export type SaltSecrets = () => Promise<readonly Secret[]>;

export class PasswordSecrets {
  readonly hasher: PasswordHasher;
  readonly #maker: ScramKeyMaker;
  readonly #makesKeys: boolean;
  readonly #saltSecrets: SaltSecrets;

  constructor(
    hasher: PasswordHasher,
    scram: { readonly maker: ScramKeyMaker; readonly makesKeys: boolean },
    saltSecrets: SaltSecrets,
  ) {
    this.hasher = hasher;
    this.#maker = scram.maker;
    this.#makesKeys = scram.makesKeys;
    this.#saltSecrets = saltSecrets;
  }

  /**
   * Of a password that is set.
   *
   * @param key of the address of the account
   */
  async of(key: string, password: string): Promise<Result<KeptSecrets, DirectoryProblem>> {
    const prepared = preparePassword(password);
    if (prepared === undefined) return err({ kind: 'bad-password' });
    const [passwordHash, scramKeys] = await Promise.all([
      this.hasher.hash(prepared),
      this.scramKeys(key, prepared),
    ]);
    return ok({ passwordHash, scramKeys });
  }

  /** @param prepared as `preparePassword` gives it, or an app password as it is shown */
  async scramKeys(key: string, prepared: string): Promise<string | undefined> {
    if (!this.#makesKeys) return undefined;
    return formatScramKeys(await this.#maker.make(await this.#saltSecret(), key, prepared));
  }

  /** Whether keys are to be made that are missing, or were made in another way than today. */
  needsKeys(kept: readonly ScramKey[]): boolean {
    return this.#makesKeys && this.#maker.isOutdated(kept);
  }

  async salt(hash: ScramHash, key: string): Promise<ScramSalt> {
    return this.#maker.saltOf(await this.#saltSecret(), hash, key);
  }

  async #saltSecret(): Promise<string> {
    return (await this.#saltSecrets()).at(-1)?.text ?? '';
  }
}
