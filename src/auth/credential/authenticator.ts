/**
 * Who may log in, for every directory. One rule above all: whatever the reason of a refusal (no such account, wrong
 * password, disabled, out of scope), it has cost exactly one slow hash, so that nobody learns by the clock who is here.
 */
import { Fault } from '../../base/fault.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { AccountId } from '../../store/ids.ts';
import { toAddressKey } from '../address-key.ts';
import type { LoginThrottle } from '../login-throttle.ts';
import type { AuthProblem, Principal, Scope } from '../principal.ts';
import { findAppPassword } from './app-password.ts';
import type { KeptAppPassword } from './app-password.ts';
import { preparePassword } from './password-hash.ts';
import type { Overloaded, PasswordHasher } from './password-hash.ts';
import type { VerifiedPasswords } from './verified-passwords.ts';

/** What the directory keeps to know somebody by. */
export type Credential = {
  readonly account: AccountId;
  readonly address: string;
  readonly disabled: boolean;
  readonly passwordHash: string | undefined;
  readonly appPasswords: readonly KeptAppPassword[];
};

export type CredentialSource = {
  /** @param key as accounts are found by */
  credential(key: string): Credential | undefined | Promise<Credential | undefined>;
  /** Puts `fresh` in the place of `kept`, if that is still what is kept. */
  replaceHash(account: AccountId, kept: string, fresh: string): void | Promise<void>;
};

export class Authenticator {
  readonly #source: CredentialSource;
  readonly #hasher: PasswordHasher;
  readonly #verified: VerifiedPasswords;
  readonly #throttle: LoginThrottle;
  /** Attempts whose hash is being computed: the same one, made meanwhile, waits for the same answer. */
  readonly #running = new Map<string, Promise<Result<boolean, Overloaded>>>();

  constructor(
    source: CredentialSource,
    hasher: PasswordHasher,
    verified: VerifiedPasswords,
    throttle: LoginThrottle,
  ) {
    this.#source = source;
    this.#hasher = hasher;
    this.#verified = verified;
    this.#throttle = throttle;
  }

  /** As `Directory.authenticate`. */
  async authenticate(
    name: string,
    password: string,
    scope: Scope,
    source: string | undefined,
  ): Promise<Result<Principal, AuthProblem>> {
    if (!this.#throttle.admits(source)) return err({ kind: 'throttled' });
    const answer = await this.#judge(name, password, scope);
    // Where nobody was judged, nothing is held against the source.
    if (!answer.ok && answer.error.kind !== 'throttled') this.#throttle.failed(source);
    return answer;
  }

  async #judge(name: string, password: string, scope: Scope): Promise<Result<Principal, AuthProblem>> {
    const key = toAddressKey(name)?.key;
    const credential = key === undefined ? undefined : await this.#source.credential(key);
    const prepared = preparePassword(password);
    const appPassword =
      credential === undefined ? undefined : findAppPassword(credential.appPasswords, password);
    const principal = (known: Credential): Principal => ({
      address: known.address,
      account: known.account,
      authenticationId: name,
      appPassword: appPassword?.name,
    });
    if (credential !== undefined && !credential.disabled && appPassword?.scopes.includes(scope) === true)
      return ok(principal(credential));

    const kept = prepared === undefined || appPassword !== undefined ? undefined : credential?.passwordHash;
    const verdict = await this.#verify(key ?? '', prepared ?? '', kept, credential);
    if (!verdict.ok) return err({ kind: 'throttled' });
    if (credential === undefined) return err({ kind: 'refused' });
    if (credential.disabled && (verdict.value || appPassword !== undefined)) return err({ kind: 'disabled' });
    if (appPassword !== undefined) return err({ kind: 'not-in-scope' });
    return verdict.value ? ok(principal(credential)) : err({ kind: 'refused' });
  }

  async #verify(
    name: string,
    password: string,
    kept: string | undefined,
    credential: Credential | undefined,
  ): Promise<Result<boolean, Overloaded>> {
    const mark = this.#verified.mark(name, kept, password);
    // A disabled account must cost what the others cost.
    if (credential?.disabled !== true && this.#verified.isVerified(mark)) return ok(true);
    const running = this.#running.get(mark);
    if (running !== undefined) return running;
    const verifying = this.#hasher.verify(password, kept);
    this.#running.set(mark, verifying);
    try {
      const verdict = await verifying;
      if (verdict.ok && verdict.value && kept !== undefined && credential !== undefined)
        await this.#accept(mark, password, kept, credential);
      return verdict;
    } finally {
      this.#running.delete(mark);
    }
  }

  async #accept(mark: string, password: string, kept: string, credential: Credential): Promise<void> {
    this.#verified.verified(mark);
    if (credential.disabled || !this.#hasher.isOutdated(kept)) return;
    try {
      await this.#source.replaceHash(credential.account, kept, await this.#hasher.hash(password));
    } catch (cause) {
      // The password was right: a disk that cannot take its new hash keeps nobody out. The next login tries again.
      if (!(cause instanceof Fault)) throw cause;
    }
  }
}
