/**
 * What an address leads to, as one walk over accounts and aliases. Pure: it asks for rows by yielding their key and is
 * answered by whoever holds them, from a cache or over a network.
 *
 * Keys: `local@domain` for an account or alias, `domain` for a domain. Aliases may lead to aliases; a loop is walked once,
 * and nothing deeper than `aliasDepthMax` is looked at.
 */
import { LIMITS } from '../base/limits.ts';
import type { AccountId } from '../store/ids.ts';
import { DETAIL_SEPARATOR, toAddressKey } from './address-key.ts';
import type { AddressKey } from './address-key.ts';
import type { Alias, ListTargets, Resolution, ResolvedAccount } from './directory.ts';

/** What is stored under a key. No two kinds ever have the same key. */
export type DirectoryRow =
  | { readonly kind: 'domain'; readonly catchAll: readonly string[] | undefined }
  | {
      readonly kind: 'account';
      readonly account: AccountId;
      readonly address: string;
      readonly disabled: boolean;
      readonly quotaOctets?: number;
    }
  | {
      readonly kind: 'alias';
      readonly targets: readonly string[];
      /** Makes it a list. */
      readonly owner?: string;
      readonly verp?: boolean;
    };

export function toAliasRow({
  targets,
  owner,
  verp,
}: Pick<Alias, 'targets' | 'owner' | 'verp'>): DirectoryRow {
  return {
    kind: 'alias',
    targets,
    ...(owner === undefined ? {} : { owner }),
    ...(verp === undefined ? {} : { verp }),
  };
}

/** A list that a walk is in. */
type List = Pick<ListTargets, 'address' | 'owner' | 'verp'>;

export type Walk<Answer> = Generator<string, Answer, DirectoryRow | undefined>;

/** The accounts and addresses that a walk came to. */
export type Expansion = {
  readonly accounts: Map<
    AccountId,
    ResolvedAccount & {
      /** Undefined where a way leads there that is through no list. */
      readonly list: List | undefined;
    }
  >;
  readonly disabled: Set<AccountId>;
  readonly forwards: Map<string, List | undefined>;
  /** Targets at domains of ours that name nobody. */
  readonly dangling: Set<string>;
  isLooped: boolean;
  isTooDeep: boolean;
};

/** What the operator decides for the whole directory. */
export type DirectorySettings = {
  /** Who reads mail for postmaster and abuse that no account and no alias takes. Undefined: nobody. */
  readonly postmasterAddress?: string | undefined;
  /** One character, or '': there are no details. */
  readonly detailSeparator?: string;
  /** Whether keys for SCRAM are kept of passwords; left out: they are. */
  readonly makesScramKeys?: boolean;
};

/** Local parts that RFC 5321 §4.5.1 and RFC 2142 §4 want answered at every domain. */
const ROLES = new Set(['postmaster', 'abuse']);

/** Source: RFC 5321 §4.5.1, where `postmaster` is the one address without a domain. */
export function isBarePostmaster(address: string): boolean {
  return address.toLowerCase() === 'postmaster';
}

/** As `Directory.resolve`, but for a bare `postmaster` where no address is set for it: that is unknown. */
export function* resolveAddress(address: string, settings: DirectorySettings): Walk<Resolution> {
  const isBare = isBarePostmaster(address);
  const key = toAddressKey(isBare ? (settings.postmasterAddress ?? '') : address);
  if (key === undefined) return { kind: 'unknown' };
  const domain = yield key.domain;
  if (domain?.kind !== 'domain' && !isBare) return { kind: 'remote', domain: key.domain };
  const found = yield* expandAddress(key.mailable, settings);
  if (found.accounts.size > 0 || found.forwards.size > 0) return localResolution(found);
  const [disabled] = found.disabled;
  return disabled === undefined ? { kind: 'unknown' } : { kind: 'disabled', account: disabled };
}

/** Whether an account is among those an address leads to, through a list too. */
export function leadsTo(resolution: Resolution, account: AccountId): boolean {
  if (resolution.kind !== 'local') return false;
  const reached = [resolution, ...(resolution.lists ?? [])].flatMap(({ accounts }) => accounts);
  return reached.some((one) => one.account === account);
}

function localResolution({ accounts, forwards }: Expansion): Resolution {
  const lists = new Map<string, List>();
  for (const list of [...accounts.values().map((one) => one.list), ...forwards.values()])
    if (list !== undefined) lists.set(list.address, list);
  const reachedBy = (address: string | undefined): Pick<ListTargets, 'accounts' | 'forwards'> => ({
    accounts: [...accounts.values()]
      .filter(({ list }) => list?.address === address)
      .map(({ list: _list, ...account }) => account),
    forwards: [...forwards].filter(([, list]) => list?.address === address).map(([forward]) => forward),
  });
  const direct = { kind: 'local', ...reachedBy(undefined) } as const;
  if (lists.size === 0) return direct;
  return { ...direct, lists: [...lists.values()].map((list) => ({ ...list, ...reachedBy(list.address) })) };
}

/**
 * Everything that an address leads to, and what is wrong on the way.
 *
 * @param cameFrom the key of an alias that is being followed already
 */
export function* expandAddress(
  address: string,
  settings: DirectorySettings,
  cameFrom?: string,
): Walk<Expansion> {
  const found: Expansion = {
    accounts: new Map(),
    disabled: new Set(),
    forwards: new Map(),
    dangling: new Set(),
    isLooped: false,
    isTooDeep: false,
  };
  yield* follow(
    address,
    { detail: undefined, list: undefined },
    {
      found,
      settings,
      done: new Set(),
      path: cameFrom === undefined ? [] : [cameFrom],
    },
  );
  return found;
}

type Trail = {
  readonly found: Expansion;
  readonly settings: DirectorySettings;
  /** Keys of aliases that were walked, and those that are being walked. */
  readonly done: Set<string>;
  readonly path: string[];
};

/** What goes along from an alias to its targets. */
type Inherited = { readonly detail: string | undefined; readonly list: List | undefined };

function* follow(address: string, inherited: Inherited, trail: Trail): Walk<void> {
  const { found, settings } = trail;
  const key = toAddressKey(address, settings.detailSeparator ?? DETAIL_SEPARATOR);
  if (key === undefined) {
    found.dangling.add(address);
    return;
  }
  const domain = yield key.domain;
  if (domain?.kind !== 'domain') {
    if (!found.forwards.has(key.mailable) || inherited.list === undefined)
      found.forwards.set(key.mailable, inherited.list);
    return;
  }
  const holder = yield* holderOf(key, domain.catchAll, settings.postmasterAddress);
  if (holder === undefined) {
    found.dangling.add(key.mailable);
    return;
  }
  const detail = holder.isExact ? inherited.detail : (key.detail ?? inherited.detail);
  if (holder.row.kind === 'account') {
    const { account, address: primary, disabled, quotaOctets } = holder.row;
    const { list } = inherited;
    const known = found.accounts.get(account);
    if (disabled) found.disabled.add(account);
    else if (known === undefined || (list === undefined && known.list !== undefined)) {
      const quota = quotaOctets === undefined ? {} : { quotaOctets };
      found.accounts.set(account, { account, address: primary, detail, ...quota, list });
    }
    return;
  }
  if (trail.path.includes(holder.key)) found.isLooped = true;
  else if (trail.path.length >= LIMITS.aliasDepthMax) found.isTooDeep = true;
  else {
    const list = (yield* listOf(holder)) ?? inherited.list;
    const done = `${holder.key} ${list?.address ?? ''}`;
    if (trail.done.has(done)) return;
    trail.path.push(holder.key);
    for (const target of holder.row.targets) yield* follow(target, { detail, list }, trail);
    trail.path.pop();
    trail.done.add(done);
  }
}

const OWNER_PREFIX = 'owner-';

/** What makes an alias a list: an owner of its own, or that `owner-NAME` exists beside `NAME`, as with Sendmail and Postfix. */
function* listOf({ key, row }: Holder): Walk<List | undefined> {
  if (row.kind !== 'alias') return undefined;
  const address = key;
  if (row.owner !== undefined) return { address, owner: row.owner, verp: row.verp ?? false };
  if (key.startsWith('@') || key.startsWith(OWNER_PREFIX)) return undefined;
  const beside = yield `${OWNER_PREFIX}${key}`;
  const exists = beside?.kind === 'account' || beside?.kind === 'alias';
  return exists ? { address, owner: `${OWNER_PREFIX}${key}`, verp: false } : undefined;
}

type Holder = {
  readonly key: string;
  readonly row: Exclude<DirectoryRow, { kind: 'domain' }>;
  /** Found with its detail, which is then spent. */
  readonly isExact: boolean;
};

function* holderOf(
  { key, baseKey, domain }: AddressKey,
  catchAll: readonly string[] | undefined,
  postmasterAddress: string | undefined,
): Walk<Holder | undefined> {
  const exact = yield key;
  if (exact !== undefined && exact.kind !== 'domain') return { key, row: exact, isExact: true };
  const base = baseKey === key ? undefined : yield baseKey;
  if (base !== undefined && base.kind !== 'domain') return { key: baseKey, row: base, isExact: false };
  if (postmasterAddress !== undefined && ROLES.has(baseKey.slice(0, baseKey.lastIndexOf('@'))))
    return { key: baseKey, row: { kind: 'alias', targets: [postmasterAddress] }, isExact: false };
  if (catchAll === undefined) return undefined;
  return { key: `@${domain}`, row: { kind: 'alias', targets: catchAll }, isExact: false };
}

/** Walks with rows that are at hand. */
export function walk<Answer>(steps: Walk<Answer>, row: (key: string) => DirectoryRow | undefined): Answer {
  let step = steps.next();
  while (step.done !== true) step = steps.next(row(step.value));
  return step.value;
}
