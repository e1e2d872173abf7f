/**
 * Searches that are kept under a name, as annotations of the server, and put in where FILTER names them.
 * Source: RFC 5466 §3.
 */
import type { Principal } from '../../../auth/principal.ts';
import { LIMITS } from '../../../base/limits.ts';
import { err, ok, type Result } from '../../../base/result.ts';
import { COMMAND_LIMITS } from '../../wire/command-reader.ts';
import { parseSearchKeys, type SearchKey } from '../../wire/command/search-key.ts';
import { Cursor } from '../../wire/cursor.ts';
import type { Outcome } from '../command-context.ts';
import type { ImapDeps } from '../ports.ts';
import { leavesOf } from './indexed.ts';

/** RFC 5466 §3.1 asks for three: filters within filters. */
const PASSES_MAX = 10;
const VALUES = /^\/(?:private|shared)\/filters\/values\/(.*)$/;

/** The search with its filters in it; refused where one does not exist, is none, or leads back to itself. */
export async function withFilters(
  key: SearchKey,
  { account }: Principal,
  { store }: Pick<ImapDeps, 'store'>,
): Promise<Result<SearchKey, Outcome>> {
  if (!leavesOf(key).some(({ key: one }) => one.kind === 'filter')) return ok(key);
  const values = new Map<string, Uint8Array>();
  for (const { name, value } of await store.metadata(account, account, undefined)) {
    const filter = VALUES.exec(name)?.[1];
    // RFC 5466 §3.1: the private one of two.
    if (filter !== undefined && (name.startsWith('/private/') || !values.has(filter)))
      values.set(filter, value);
  }
  return new Filters(values).put(key);
}

/** Whether it may be kept as a filter; names that are no filter's may hold anything. */
export function isGoodFilter(name: string, value: Uint8Array | null): boolean {
  const filter = VALUES.exec(name)?.[1];
  if (filter === undefined || value === null) return true;
  return !filter.includes('/') && parseFilterValue(value) !== undefined;
}

function parseFilterValue(value: Uint8Array): SearchKey | undefined {
  const cursor = new Cursor(Buffer.from(value), { ...COMMAND_LIMITS, utf8: true });
  const key = parseSearchKeys(cursor, 'UTF-8');
  return key !== undefined && cursor.end() ? key : undefined;
}

class Filters {
  readonly #values: ReadonlyMap<string, Uint8Array>;
  /** Put in so far: filters within filters grow fast. */
  #keys = 0;

  constructor(values: ReadonlyMap<string, Uint8Array>) {
    this.#values = values;
  }

  put(key: SearchKey, within: readonly string[] = []): Result<SearchKey, Outcome> {
    if (key.kind === 'filter') return this.#filter(key.name, within);
    if (key.kind === 'not' || key.kind === 'fuzzy') {
      const inner = this.put(key.key, within);
      return inner.ok ? ok({ ...key, key: inner.value }) : inner;
    }
    this.#keys += 1;
    if (this.#keys > LIMITS.imapSearchKeysMax * 2)
      return err({ status: 'NO', code: 'LIMIT', text: 'The filters have too many keys' });
    if (key.kind !== 'and' && key.kind !== 'or') return ok(key);
    const keys: SearchKey[] = [];
    for (const one of key.keys) {
      const inner = this.put(one, within);
      if (!inner.ok) return inner;
      keys.push(inner.value);
    }
    return ok({ ...key, keys });
  }

  #filter(name: string, within: readonly string[]): Result<SearchKey, Outcome> {
    const folded = name.toLowerCase();
    const value = this.#values.get(folded);
    const key = value && parseFilterValue(value);
    // RFC 5466 §3.1: a loop, and what is too deep, is no filter.
    return key === undefined || within.includes(folded) || within.length >= PASSES_MAX
      ? err(undefinedFilter(name))
      : this.put(key, [...within, folded]);
  }
}

/** RFC 5466 §3.1. */
function undefinedFilter(name: string): Outcome {
  return {
    status: 'NO',
    code: { kind: 'EXTENSION', text: `UNDEFINED-FILTER ${name}` },
    text: 'There is no such filter',
  };
}
