/**
 * What every directory asks of what it is given, whichever way it keeps it. Pure: rows are looked up through the
 * function that is passed in, within the transaction that will write.
 */
import { Buffer } from 'node:buffer';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import { isNameable, toAddressKey, toCatchAllDomain, toDomainName } from './address-key.ts';
import type { AddressKey } from './address-key.ts';
import type { Alias, AliasChange, DirectoryProblem, SendingChange } from './directory.ts';
import type { Scope } from './principal.ts';
import { expandAddress, walk } from './resolve-address.ts';
import type { DirectoryRow, DirectorySettings } from './resolve-address.ts';

export type RowLookup = (key: string) => DirectoryRow | undefined;

const SCOPES: readonly string[] = ['imap', 'pop3', 'smtp', 'managesieve', 'http'] satisfies Scope[];

export function isScope(value: unknown): value is Scope {
  return typeof value === 'string' && SCOPES.includes(value);
}

/** SHA-256 as it is kept, however it was written. */
export function toFingerprint(text: string): string | undefined {
  const digits = text.replaceAll(':', '').toLowerCase();
  return /^[0-9a-f]{64}$/.test(digits) ? digits : undefined;
}

export function checkName(name: string): DirectoryProblem | undefined {
  const isBad = Buffer.byteLength(name) > LIMITS.displayNameOctetsMax || /[\p{Cc}\p{Cs}]/u.test(name);
  return isBad ? { kind: 'bad-name' } : undefined;
}

/** Why an account is suspended, if it is to be: something to read. */
export function checkReason({ suspended }: SendingChange): DirectoryProblem | undefined {
  if (suspended === undefined || suspended === null) return undefined;
  return suspended === '' ? { kind: 'bad-name' } : checkName(suspended);
}

/** The domain of an address that is to be ours, and the key it will have. */
export function checkNewDomain(name: string, row: RowLookup): Result<string, DirectoryProblem> {
  const domain = toDomainName(name);
  if (domain === undefined) return err({ kind: 'bad-address' });
  return row(domain) === undefined ? ok(domain) : err({ kind: 'exists' });
}

/** The key of an account that is to be: at a domain of ours, and free. */
export function checkNewAccount(address: string, row: RowLookup): Result<string, DirectoryProblem> {
  const key = toAddressKey(address);
  if (key === undefined || !isNameable(key)) return err({ kind: 'bad-address' });
  if (row(key.domain) === undefined) return err({ kind: 'no-such-domain' });
  return row(key.key) === undefined ? ok(key.key) : err({ kind: 'exists' });
}

/** The key of an alias: of an address, or `@domain`. */
export function toAliasKey(
  address: string,
): AddressKey | { readonly key: string; readonly domain: string } | undefined {
  const domain = toCatchAllDomain(address);
  return domain === undefined ? toAddressKey(address) : { key: `@${domain}`, domain };
}

export type CheckedAlias = Pick<Alias, 'targets' | 'owner' | 'verp'> & {
  readonly key: string;
  readonly domain: string;
};

/** Key and targets of an alias that is to be, each target once. Loops are refused here; resolving would only pass over them. */
export function checkAlias(
  address: string,
  targets: readonly string[],
  change: AliasChange,
  settings: DirectorySettings,
  row: RowLookup,
): Result<CheckedAlias, DirectoryProblem> {
  const alias = toAliasKey(address);
  const keys = targets.map((target) => toAddressKey(target)?.mailable);
  const mailable = [...new Set(keys.filter((key) => key !== undefined))];
  const isNamed = alias !== undefined && (!('mailable' in alias) || isNameable(alias));
  if (!isNamed || mailable.length === 0 || keys.includes(undefined)) return err({ kind: 'bad-address' });
  const { key, domain } = alias;
  const home = row(domain);
  if (home?.kind !== 'domain') return err({ kind: 'no-such-domain' });
  if (row(key)?.kind === 'account') return err({ kind: 'exists' });
  if (mailable.length > LIMITS.aliasTargetsMax) return err({ kind: 'too-many' });

  const withAlias: RowLookup = (asked) => {
    if (asked === key) return { kind: 'alias', targets: mailable };
    return asked === domain && key === `@${domain}` ? { kind: 'domain', catchAll: mailable } : row(asked);
  };
  for (const target of mailable) {
    const found = walk(expandAddress(target, settings, key), withAlias);
    if (found.isLooped) return err({ kind: 'loop' });
    if (found.isTooDeep) return err({ kind: 'too-many' });
  }
  const before = row(key);
  const owning = checkOwner(key, change, before?.kind === 'alias' ? before : {});
  return owning === undefined
    ? err({ kind: 'bad-owner' })
    : ok({ key, domain, targets: mailable, ...owning });
}

/** Undefined where it cannot be so. */
function checkOwner(
  key: string,
  change: AliasChange,
  before: { readonly owner?: string; readonly verp?: boolean },
): Pick<Alias, 'owner' | 'verp'> | undefined {
  const owner = change.owner === undefined ? before.owner : (change.owner ?? undefined);
  const verp = change.verp ?? (owner !== undefined && before.verp === true);
  if (owner === undefined) return verp ? undefined : {};
  const mailable = toAddressKey(owner)?.mailable;
  if (mailable === undefined || key.startsWith('@')) return undefined;
  return toOwning(mailable, verp);
}

/** What makes an alias a list, as it is kept. */
export function toOwning(owner: string | undefined, verp: boolean): Pick<Alias, 'owner' | 'verp'> {
  if (owner === undefined) return {};
  return verp ? { owner, verp } : { owner };
}

/** Undefined where the text can be no secret. */
export function checkSecret(text: string): Result<string, DirectoryProblem> {
  return /^[\x21-\x7e]{16,256}$/.test(text) ? ok(text) : err({ kind: 'bad-secret' });
}

export function makeSecret(random: Random): string {
  return Buffer.from(random.octets(24)).toString('base64url');
}

/** A limit as resolving tells it: left out where there is none. */
export function toQuota(quotaOctets: number | undefined): { readonly quotaOctets?: number } {
  return quotaOctets === undefined ? {} : { quotaOctets };
}
