/**
 * Who may log in, for every directory. One rule above all: whatever the reason of a refusal (no such account, wrong
 * password, disabled, out of scope), it has cost the same (a slow hash, or for SCRAM as many quick ones), so that nobody
 * learns by the clock who is here.
 */
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { ScramClaim, ScramHash, ScramSalt } from '../../sasl/mechanism.ts';
import {
  formatScramKeys,
  isProofOf,
  isSaltOf,
  parseScramKeys,
  SCRAM_HASHES,
  SCRAM_OCTETS,
  serverSignature,
} from '../../sasl/scram-key.ts';
import type { ScramKey } from '../../sasl/scram-key.ts';
import type { AccountId } from '../../store/ids.ts';
import { toAddressKey } from '../address-key.ts';
import type { Authentication, CertificateNames, ScramAccepted } from '../authentication.ts';
import type { LoginThrottle } from '../login-throttle.ts';
import type { AuthProblem, Principal, Scope } from '../principal.ts';
import type { Turn } from '../turn.ts';
import { findAppPassword, toAppPassword } from './app-password.ts';
import type { KeptAppPassword } from './app-password.ts';
import { preparePassword } from './password-hash.ts';
import type { LoginTurn, Overloaded } from './password-hash.ts';
import type { KeptSecrets, PasswordSecrets } from './password-secrets.ts';
import { SALT_OCTETS } from './scram-key-maker.ts';
import { VerifiedPasswords } from './verified-passwords.ts';

/** What the directory keeps to know somebody by. */
export type Credential = {
  readonly account: AccountId;
  readonly address: string;
  readonly disabled: boolean;
  readonly passwordHash: string | undefined;
  readonly scramKeys: string | undefined;
  readonly appPasswords: readonly KeptAppPassword[];
  /** Networks that the account signed in from, and when last. */
  readonly networks: readonly HomeNetwork[];
};

export type HomeNetwork = { readonly network: string; readonly seenAtMs: number };

export type CredentialSource = {
  /** @param key as accounts are found by */
  credential(key: string): Credential | undefined | Promise<Credential | undefined>;
  /** Of the account that has the certificate. */
  credentialByCertificate(fingerprint: string): Credential | undefined | Promise<Credential | undefined>;
  /** Puts `fresh` in the place of what is kept, if that is still the hash `kept`. */
  replaceSecrets(account: AccountId, kept: string, fresh: KeptSecrets): void | Promise<void>;
  /** Notes that the account signed in from a network; the oldest beyond a limit go. */
  keepNetwork(account: AccountId, seen: HomeNetwork): void | Promise<void>;
  /** Keeps keys for an app password that is still there. */
  keepAppPasswordKeys(account: AccountId, secretHash: string, scramKeys: string): void | Promise<void>;
};

/** As many keys are tried for everybody; only who has more app passwords than this stands out, by microseconds. */
const PROOFS_MIN = 8;

/** As the tables give them: `192.0.2.1 1700000000000,…`. */
export function parseHomeNetworks(text: string | undefined): readonly HomeNetwork[] {
  if (text === undefined) return [];
  return text
    .split(',')
    .map((one) => one.split(' '))
    .map(([network = '', seenAtMs]) => ({ network, seenAtMs: Number(seenAtMs) }));
}

/** A key, and which app password it is of; undefined: the account's own. */
type Candidate = { readonly key: ScramKey; readonly appPassword: KeptAppPassword | undefined };

export type AuthenticatorOptions = {
  readonly source: CredentialSource;
  readonly passwords: PasswordSecrets;
  readonly throttle: LoginThrottle;
  readonly clock: Clock;
};

export class Authenticator implements Authentication {
  readonly #source: CredentialSource;
  readonly #passwords: PasswordSecrets;
  readonly #verified: VerifiedPasswords;
  readonly #throttle: LoginThrottle;
  readonly #clock: Clock;
  /** Attempts whose hash is being computed: the same one, made meanwhile, waits for the same answer. */
  readonly #running = new Map<string, Promise<Result<boolean, Overloaded>>>();

  constructor({ source, passwords, throttle, clock }: AuthenticatorOptions) {
    this.#source = source;
    this.#passwords = passwords;
    this.#verified = new VerifiedPasswords(clock);
    this.#throttle = throttle;
    this.#clock = clock;
  }

  /** As `Directory.authenticate`. */
  async authenticate(
    name: string,
    password: string,
    scope: Scope,
    source: string | undefined,
  ): Promise<Result<Principal, AuthProblem>> {
    const credential = await this.#credential(name);
    return this.#attempt(source, toNameKey(name), credential, async (turn) =>
      this.#judge(name, password, scope, credential, turn),
    );
  }

  async scramSalt(name: string, hash: ScramHash): Promise<ScramSalt> {
    const credential = await this.#credential(name);
    const drawn = await this.#passwords.salt(hash, toNameKey(name));
    const kept = candidatesOf(credential ?? NOBODY).find(({ key }) => key.hash === hash)?.key;
    if (credential === undefined || kept === undefined) return drawn;
    return { salt: kept.salt, iterations: kept.iterations };
  }

  async byProof(
    claim: ScramClaim,
    scope: Scope,
    source?: string,
  ): Promise<Result<ScramAccepted, AuthProblem>> {
    const credential = await this.#credential(claim.authenticationId);
    return this.#attempt(source, toNameKey(claim.authenticationId), credential, () =>
      judgeProof(claim, scope, credential),
    );
  }

  async byCertificate(
    names: CertificateNames,
    authorizationId: string,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>> {
    const holder = await this.#holderOf(names, authorizationId);
    return this.#attempt(source, holder?.address ?? names.fingerprint, holder, () => {
      if (holder === undefined) return err({ kind: 'refused' });
      return holder.disabled ? err({ kind: 'disabled' }) : ok(toPrincipal(holder, holder.address, undefined));
    });
  }

  async byToken(
    authorizationId: string,
    vouch: (turn: Turn) => Promise<string | undefined>,
    source?: string,
  ): Promise<Result<Principal, AuthProblem>> {
    const wanted = authorizationId === '' ? undefined : await this.#credential(authorizationId);
    return this.#attempt(source, toNameKey(authorizationId), wanted, async (turn) => {
      const address = await vouch(turn);
      const holder = address === undefined ? undefined : await this.#credential(address);
      if (holder === undefined || (authorizationId !== '' && holder.account !== wanted?.account))
        return err({ kind: 'refused' });
      return holder.disabled ? err({ kind: 'disabled' }) : ok(toPrincipal(holder, holder.address, undefined));
    });
  }

  async #attempt<Accepted>(
    source: string | undefined,
    name: string,
    credential: Credential | undefined,
    judge: (turn: LoginTurn) => Result<Accepted, AuthProblem> | Promise<Result<Accepted, AuthProblem>>,
  ): Promise<Result<Accepted, AuthProblem>> {
    const network = this.#throttle.networkOf(source);
    const seenAtMs = credential?.networks.find((one) => one.network === network)?.seenAtMs;
    const nowMs = this.#clock.nowMs();
    const isAtHome = seenAtMs !== undefined && nowMs - seenAtMs < LIMITS.homeNetworkMs;
    const attempt = { network, name, isAtHome };
    if (!this.#throttle.admits(attempt)) return err({ kind: 'throttled' });
    const answer = await judge({
      network: network ?? '',
      // What strangers send keeps nobody out at home.
      isFirst: network === undefined || isAtHome,
      // Others that came with this one may have failed meanwhile.
      isWanted: () => this.#throttle.admits(attempt),
    });
    if (!answer.ok) {
      // Where nobody was judged, nothing is held against the source.
      if (answer.error.kind !== 'throttled') this.#throttle.failed(attempt);
      return answer;
    }
    const isNoted = seenAtMs !== undefined && nowMs - seenAtMs < LIMITS.homeNetworkNotedMs;
    if (credential !== undefined && network !== undefined && !isNoted)
      await whenPossible(async () =>
        this.#source.keepNetwork(credential.account, { network, seenAtMs: nowMs }),
      );
    return answer;
  }

  async #credential(name: string): Promise<Credential | undefined> {
    const key = toAddressKey(name)?.key;
    return key === undefined ? undefined : this.#source.credential(key);
  }

  /** The one account that the certificate leads to, or the one among several that the client asks to be. */
  async #holderOf(
    { fingerprint, addresses }: CertificateNames,
    authorizationId: string,
  ): Promise<Credential | undefined> {
    const kept = await this.#source.credentialByCertificate(fingerprint);
    const named = kept === undefined ? await this.#named(addresses) : [kept];
    const wanted = authorizationId === '' ? undefined : (toAddressKey(authorizationId)?.key ?? '');
    const found = new Map<AccountId, Credential>();
    for (const one of named)
      if (one !== undefined && (wanted === undefined || one.address === wanted)) found.set(one.account, one);
    const [holder, another] = found.values();
    // RFC 4422 §A.1: who cannot be told from others is nobody.
    return another === undefined ? holder : undefined;
  }

  async #named(addresses: readonly string[]): Promise<readonly (Credential | undefined)[]> {
    return Promise.all(addresses.map(async (address) => this.#credential(address)));
  }

  async #judge(
    name: string,
    password: string,
    scope: Scope,
    credential: Credential | undefined,
    turn: LoginTurn,
  ): Promise<Result<Principal, AuthProblem>> {
    const key = toAddressKey(name)?.key;
    const prepared = preparePassword(password);
    const appPassword =
      credential === undefined ? undefined : findAppPassword(credential.appPasswords, password);
    if (
      credential !== undefined &&
      !credential.disabled &&
      appPassword !== undefined &&
      appPassword.scopes.includes(scope)
    ) {
      await this.#renewAppPassword(credential, appPassword, password);
      return ok(toPrincipal(credential, name, appPassword));
    }

    const kept = prepared === undefined || appPassword !== undefined ? undefined : credential?.passwordHash;
    const verdict = await this.#verify(key ?? '', prepared ?? '', kept, credential, turn);
    if (!verdict.ok) return err({ kind: 'throttled' });
    if (credential === undefined) return err({ kind: 'refused' });
    if (credential.disabled && (verdict.value || appPassword !== undefined)) return err({ kind: 'disabled' });
    if (appPassword !== undefined) return err({ kind: 'not-in-scope' });
    return verdict.value ? ok(toPrincipal(credential, name, appPassword)) : err({ kind: 'refused' });
  }

  async #verify(
    name: string,
    password: string,
    kept: string | undefined,
    credential: Credential | undefined,
    turn: LoginTurn,
  ): Promise<Result<boolean, Overloaded>> {
    const mark = this.#verified.mark(name, kept, password);
    // A disabled account must cost what the others cost.
    if (credential?.disabled !== true && this.#verified.isVerified(mark)) return ok(true);
    const running = this.#running.get(mark);
    if (running !== undefined) return running;
    const verifying = this.#passwords.hasher.verify(password, kept, turn);
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
    const isHashOutdated = this.#passwords.hasher.isOutdated(kept);
    const isKeysOutdated = this.#passwords.needsKeys(parseScramKeys(credential.scramKeys ?? '') ?? []);
    if (credential.disabled || !(isHashOutdated || isKeysOutdated)) return;
    await whenPossible(async () => {
      const passwordHash = isHashOutdated ? await this.#passwords.hasher.hash(password) : kept;
      const scramKeys = isKeysOutdated
        ? await this.#passwords.scramKeys(credential.address, password)
        : credential.scramKeys;
      await this.#source.replaceSecrets(credential.account, kept, { passwordHash, scramKeys });
    });
  }

  /** One from before there were keys gets them when it is shown. */
  async #renewAppPassword(
    { account, address }: Credential,
    { secretHash, scramKeys }: KeptAppPassword,
    password: string,
  ): Promise<void> {
    const shown = toAppPassword(password);
    if (shown === undefined || !this.#passwords.needsKeys(parseScramKeys(scramKeys ?? '') ?? [])) return;
    await whenPossible(async () => {
      const fresh = await this.#passwords.scramKeys(address, shown);
      if (fresh !== undefined) await this.#source.keepAppPasswordKeys(account, secretHash, fresh);
    });
  }
}

/** The password was right: a disk that cannot take something new of it keeps nobody out. The next login tries again. */
async function whenPossible(renew: () => Promise<void>): Promise<void> {
  try {
    await renew();
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
  }
}

/** RFC 5802 §3. Every key is tried, whichever is the right one. */
function judgeProof(
  { authenticationId, authMessage, hash, proof, salt }: ScramClaim,
  scope: Scope,
  credential: Credential | undefined,
): Result<ScramAccepted, AuthProblem> {
  const candidates = candidatesOf(credential ?? NOBODY).filter(
    ({ key }) => key.hash === hash && isSaltOf(key, salt),
  );
  let found: Candidate | undefined;
  for (const candidate of candidates) if (isProofOf(candidate.key, authMessage, proof)) found ??= candidate;
  const nobody = { hash, storedKey: new Uint8Array(SCRAM_OCTETS[hash]) };
  for (let tried = candidates.length; tried < PROOFS_MIN; tried += 1) isProofOf(nobody, authMessage, proof);
  if (credential === undefined || found === undefined) return err({ kind: 'refused' });
  if (credential.disabled) return err({ kind: 'disabled' });
  const { appPassword, key } = found;
  if (appPassword?.scopes.includes(scope) === false) return err({ kind: 'not-in-scope' });
  return ok({
    principal: toPrincipal(credential, authenticationId, appPassword),
    serverSignature: serverSignature(key, authMessage),
  });
}

function toNameKey(name: string): string {
  return toAddressKey(name)?.key ?? name;
}

function toPrincipal(
  { address, account }: Credential,
  authenticationId: string,
  appPassword: KeptAppPassword | undefined,
): Principal {
  return { address, account, authenticationId, appPassword: appPassword?.name };
}

/** Read through where there is no account, so that this costs what an account costs. Its salt is drawn for no name. */
const NOBODY: Pick<Credential, 'scramKeys' | 'appPasswords'> = {
  scramKeys: formatScramKeys(
    SCRAM_HASHES.map((hash) => {
      const key = new Uint8Array(SCRAM_OCTETS[hash]);
      return { hash, salt: new Uint8Array(SALT_OCTETS), iterations: 1, storedKey: key, serverKey: key };
    }),
  ),
  appPasswords: [],
};

/** The account's own keys first. */
function candidatesOf(credential: Pick<Credential, 'scramKeys' | 'appPasswords'>): readonly Candidate[] {
  const keysOf = (text: string | undefined, appPassword?: KeptAppPassword): readonly Candidate[] =>
    (text === undefined ? [] : (parseScramKeys(text) ?? [])).map((key) => ({ key, appPassword }));
  return [
    ...keysOf(credential.scramKeys),
    ...credential.appPasswords.flatMap((one) => keysOf(one.scramKeys, one)),
  ];
}
