/** STORE. Sources: RFC 9051 §6.4.6, RFC 7162 §3.1.3 (UNCHANGEDSINCE). */
import type { Cursor } from '../cursor.ts';
import type { SequenceSet } from '../sequence-set.ts';

export type StoreCommand = {
  readonly verb: 'STORE';
  readonly uid: boolean;
  readonly set: SequenceSet;
  readonly action: 'replace' | 'add' | 'remove';
  readonly silent: boolean;
  readonly flags: readonly string[];
  readonly unchangedSince?: number;
};

export function parseStore(cursor: Cursor, uid: boolean): StoreCommand | undefined {
  const set = cursor.space('a sequence set') && cursor.sequenceSet();
  if (set === undefined) return undefined;
  let unchangedSince: number | undefined;
  if (cursor.takeSpaceLeft()) {
    if (cursor.label('a modifier') !== 'UNCHANGEDSINCE') return cursor.fail('Unknown modifier of STORE');
    unchangedSince = cursor.space('a mod-sequence') && cursor.number64('a mod-sequence');
    // RFC 7162 §7: a single UNCHANGEDSINCE.
    if (unchangedSince === undefined || !cursor.right('the modifier')) return undefined;
  }
  if (!cursor.space('FLAGS')) return undefined;
  const action = cursor.take(0x2b) ? 'add' : cursor.take(0x2d) ? 'remove' : 'replace';
  const name = cursor.label('FLAGS');
  if (name !== 'FLAGS' && name !== 'FLAGS.SILENT') return cursor.fail('Expected FLAGS or FLAGS.SILENT');
  if (!cursor.space('flags')) return undefined;
  const flags = cursor.takeLeft() ? cursor.flagsToRight() : parseBareFlags(cursor);
  if (flags === undefined) return undefined;
  return {
    verb: 'STORE',
    uid,
    set,
    action,
    silent: name === 'FLAGS.SILENT',
    flags,
    ...(unchangedSince === undefined ? {} : { unchangedSince }),
  };
}

function parseBareFlags(cursor: Cursor): readonly string[] | undefined {
  const flags: string[] = [];
  do {
    const flag = cursor.flag();
    if (flag === undefined) return undefined;
    flags.push(flag);
  } while (cursor.takeSpace() && !cursor.done());
  return flags;
}
