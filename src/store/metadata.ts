/** What a change of annotations comes to, whichever way rows are kept. Pure. */
import { LIMITS } from '../base/limits.ts';
import { err, ok } from '../base/result.ts';
import type { Result } from '../base/result.ts';
import type { AccountId } from './ids.ts';
import type { MetadataChange, MetadataProblem } from './mail-store.ts';

/** A change on its way to a row: `reader` is 0 where the annotation is shared. */
export type MetadataWrite = MetadataChange & { readonly reader: number };

/** Removals older than so many changes of the account are forgotten: no session is that far behind. */
export const METADATA_REMOVALS_KEPT = 1000;

/** Whose an annotation is. */
export function metadataReader(name: string, reader: AccountId): AccountId | 0 {
  return name.startsWith('/private/') ? reader : 0;
}

/**
 * @param kept annotations of the mailbox that the reader sees
 * @param accountOctets of all values of the account that the reader sees: what others keep for themselves leaves no less room
 */
export function checkMetadata(
  kept: readonly { readonly name: string; readonly octets: number }[],
  changes: readonly MetadataChange[],
  reader: AccountId,
  accountOctets: number,
): Result<readonly MetadataWrite[], MetadataProblem> {
  const octetsOf = new Map(kept.map(({ name, octets }) => [name, octets] as const));
  const before = [...octetsOf.values()].reduce((sum, octets) => sum + octets, 0);
  const writes = new Map<string, MetadataWrite>();
  for (const { name, value } of changes) {
    if (value === null) {
      if (!octetsOf.delete(name)) continue;
    } else octetsOf.set(name, value.length);
    writes.set(name, { name, value, reader: metadataReader(name, reader) });
  }
  const shared = [...octetsOf.keys()].filter((name) => metadataReader(name, reader) === 0).length;
  const after = [...octetsOf.values()].reduce((sum, octets) => sum + octets, 0);
  const isTooMany = Math.max(shared, octetsOf.size - shared) > LIMITS.metadataEntriesMax;
  const isTooMuch = after > before && accountOctets + after - before > LIMITS.metadataOctetsTotalMax;
  const grows = changes.some(({ value }) => value !== null);
  return grows && (isTooMany || isTooMuch) ? err({ kind: 'too-many-entries' }) : ok([...writes.values()]);
}
