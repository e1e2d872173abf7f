/**
 * LIST and LSUB. Sources: RFC 9051 §6.3.9, RFC 5258 (several patterns), RFC 5819 (STATUS), RFC 6154 §5 (SPECIAL-USE), RFC 8440 §5 (MYRIGHTS),
 * RFC 3501 §6.3.9 (LSUB).
 */
import type { Cursor } from '../cursor.ts';
import { decodeListPattern, decodeMailboxName } from '../mailbox-name.ts';
import { parseEntryList } from './metadata.ts';
import { parseStatusItems, type StatusItem } from './mailbox.ts';

export type ListSelection = 'SUBSCRIBED' | 'REMOTE' | 'RECURSIVEMATCH' | 'SPECIAL-USE';

export type ListReturn = {
  readonly subscribed: boolean;
  readonly children: boolean;
  readonly specialUse: boolean;
  /** RFC 8440. */
  readonly myRights: boolean;
  /** Empty: no STATUS responses. */
  readonly status: readonly StatusItem[];
  /** Entries; empty: no METADATA responses. RFC 9590. */
  readonly metadata: readonly string[];
};

export type ListCommand =
  | {
      readonly verb: 'LIST';
      readonly reference: string;
      readonly patterns: readonly string[];
      readonly selection: ReadonlySet<ListSelection>;
      readonly returns: ListReturn;
      /** Any of the syntax of RFC 5258 was used: §3 there changes what is answered. */
      readonly extended: boolean;
    }
  | { readonly verb: 'LSUB'; readonly reference: string; readonly pattern: string };

const SELECTIONS: ReadonlyMap<string, ListSelection> = new Map([
  ['SUBSCRIBED', 'SUBSCRIBED'],
  ['REMOTE', 'REMOTE'],
  ['RECURSIVEMATCH', 'RECURSIVEMATCH'],
  ['SPECIAL-USE', 'SPECIAL-USE'],
]);
const RETURNS_NOTHING: ListReturn = {
  subscribed: false,
  children: false,
  specialUse: false,
  myRights: false,
  status: [],
  metadata: [],
};

export function parseList(cursor: Cursor): ListCommand | undefined {
  const selected = cursor.takeSpaceLeft();
  const selection = selected ? parseSelection(cursor) : new Set<ListSelection>();
  if (selection === undefined) return undefined;
  const reference = parseReference(cursor);
  if (reference === undefined || !cursor.space('a pattern')) return undefined;
  const several = cursor.takeLeft();
  const first = several ? undefined : parsePattern(cursor);
  const patterns = several
    ? cursor.listToRight('the patterns', () => parsePattern(cursor))
    : first !== undefined && [first];
  if (patterns === undefined || patterns === false) return undefined;
  let returns = RETURNS_NOTHING;
  const returning = cursor.takeSpace() && !cursor.done();
  if (returning) {
    const found = parseReturn(cursor);
    if (found === undefined) return undefined;
    returns = found;
  }
  return {
    verb: 'LIST',
    reference,
    patterns,
    selection,
    returns,
    extended: selected || several || returning,
  };
}

export function parseLsub(cursor: Cursor): ListCommand | undefined {
  const reference = parseReference(cursor);
  if (reference === undefined || !cursor.space('a pattern')) return undefined;
  const pattern = parsePattern(cursor);
  return pattern === undefined ? undefined : { verb: 'LSUB', reference, pattern };
}

/** A reference is no mailbox that must be there: a name that is not well formed is kept, and matches nothing. */
function parseReference(cursor: Cursor): string | undefined {
  const octets = cursor.space('a reference') && cursor.astring('a reference');
  if (octets === undefined) return undefined;
  const { utf8 } = cursor.context;
  return (
    decodeMailboxName(octets, utf8) ?? (utf8 ? cursor.utf8(octets, 'a reference') : octets.toString('utf8'))
  );
}

function parsePattern(cursor: Cursor): string | undefined {
  const octets = cursor.listMailbox();
  if (octets === undefined) return undefined;
  // RFC 6855 §3: BAD, once UTF-8 was agreed on.
  return cursor.context.utf8 ? cursor.utf8(octets, 'a pattern') : decodeListPattern(octets);
}

function parseSelection(cursor: Cursor): ReadonlySet<ListSelection> | undefined {
  const selection = new Set<ListSelection>();
  if (cursor.takeRight()) return selection;
  do {
    const name = cursor.label('a selection option');
    if (name === undefined) return undefined;
    const option = SELECTIONS.get(name);
    // RFC 5258 §3: an unknown option is BAD.
    if (option === undefined) return cursor.fail(`Unknown selection option: ${name.slice(0, 40)}`);
    selection.add(option);
  } while (cursor.takeSpace());
  if (!cursor.right('the selection options')) return undefined;
  // RFC 9051 §6.3.9.1: a modifier needs an option to modify.
  if (selection.has('RECURSIVEMATCH') && !selection.has('SUBSCRIBED') && !selection.has('SPECIAL-USE'))
    return cursor.fail('RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE');
  return selection;
}

function parseReturn(cursor: Cursor): ListReturn | undefined {
  if (cursor.label('RETURN') !== 'RETURN' || !cursor.takeSpaceLeft())
    return cursor.fail('Expected RETURN and a list');
  let returns = RETURNS_NOTHING;
  if (cursor.takeRight()) return returns;
  do {
    const name = cursor.label('a return option');
    if (name === undefined) return undefined;
    if (name === 'SUBSCRIBED') returns = { ...returns, subscribed: true };
    else if (name === 'CHILDREN') returns = { ...returns, children: true };
    else if (name === 'SPECIAL-USE') returns = { ...returns, specialUse: true };
    else if (name === 'MYRIGHTS') returns = { ...returns, myRights: true };
    else if (name === 'STATUS') {
      if (!cursor.takeSpaceLeft()) return cursor.fail('STATUS takes a list of items');
      const status = parseStatusItems(cursor);
      if (status === undefined) return undefined;
      returns = { ...returns, status };
    } else if (name === 'METADATA') {
      const metadata = cursor.space('entries') && parseEntryList(cursor);
      if (metadata === undefined) return undefined;
      returns = { ...returns, metadata };
    } else return cursor.fail(`Unknown return option: ${name.slice(0, 40)}`);
  } while (cursor.takeSpace());
  return cursor.right('the return options') && returns;
}
