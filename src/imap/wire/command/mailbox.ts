/**
 * Commands about one or two mailboxes. Sources: RFC 9051 §6.3.2 to §6.3.8, §6.3.11, §6.4.7, §6.4.8; RFC 7162 §3.1.8
 * and §3.2.5 (CONDSTORE, QRESYNC); RFC 6154 §3 (USE); RFC 4466 §2 (parameters).
 */
import type { Cursor } from '../cursor.ts';
import type { SequenceRange, SequenceSet } from '../sequence-set.ts';

/** RFC 7162 §3.2.5: what the client knows of the mailbox. */
export type QresyncParameter = {
  readonly uidValidity: number;
  readonly modSeq: number;
  readonly knownUids?: readonly SequenceRange[];
  /** Sequence numbers and the UIDs they had, one to one. */
  readonly sequenceMatch?: {
    readonly sequences: readonly SequenceRange[];
    readonly uids: readonly SequenceRange[];
  };
};

export const STATUS_ITEMS = [
  'MESSAGES',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'DELETED',
  'SIZE',
  // RFC 3501 §6.3.10, RFC 7162 §3.1.7, RFC 8474 §4.2, RFC 7889 §4, RFC 9208 §5.1.
  'RECENT',
  'HIGHESTMODSEQ',
  'MAILBOXID',
  'APPENDLIMIT',
  'DELETED-STORAGE',
] as const;
export type StatusItem = (typeof STATUS_ITEMS)[number];

export type MailboxCommand =
  | {
      readonly verb: 'SELECT' | 'EXAMINE';
      readonly mailbox: string;
      readonly condstore: boolean;
      readonly qresync?: QresyncParameter;
    }
  | {
      readonly verb: 'CREATE';
      readonly mailbox: string;
      /** Special uses as given, `\Sent` for one. RFC 6154 §3. */
      readonly uses: readonly string[];
    }
  | { readonly verb: 'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE'; readonly mailbox: string }
  | { readonly verb: 'RENAME'; readonly from: string; readonly to: string }
  | { readonly verb: 'STATUS'; readonly mailbox: string; readonly items: readonly StatusItem[] }
  | {
      readonly verb: 'COPY' | 'MOVE';
      readonly uid: boolean;
      readonly set: SequenceSet;
      readonly mailbox: string;
    };

export function parseOneMailbox(
  verb: 'DELETE' | 'SUBSCRIBE' | 'UNSUBSCRIBE',
): (cursor: Cursor) => MailboxCommand | undefined {
  return (cursor) => {
    const mailbox = parseMailbox(cursor);
    return mailbox === undefined ? undefined : { verb, mailbox };
  };
}

function parseMailbox(cursor: Cursor): string | undefined {
  return cursor.space('a mailbox name') && cursor.mailbox();
}

export function parseRename(cursor: Cursor): MailboxCommand | undefined {
  const from = parseMailbox(cursor);
  if (from === undefined) return undefined;
  const to = parseMailbox(cursor);
  return to === undefined ? undefined : { verb: 'RENAME', from, to };
}

export function parseSelect(verb: 'SELECT' | 'EXAMINE'): (cursor: Cursor) => MailboxCommand | undefined {
  return (cursor) => {
    const mailbox = parseMailbox(cursor);
    if (mailbox === undefined) return undefined;
    if (!cursor.takeSpaceLeft()) return { verb, mailbox, condstore: false };
    let condstore = false;
    let qresync: QresyncParameter | undefined;
    do {
      const name = cursor.label('a parameter');
      if (name === 'CONDSTORE') condstore = true;
      else if (name === 'QRESYNC' && qresync === undefined) {
        qresync = parseQresync(cursor);
        if (qresync === undefined) return undefined;
      } else return cursor.fail(`Unknown or repeated parameter of ${verb}`);
    } while (cursor.takeSpace());
    if (!cursor.right('the parameters')) return undefined;
    return { verb, mailbox, condstore, ...(qresync === undefined ? {} : { qresync }) };
  };
}

function parseQresync(cursor: Cursor): QresyncParameter | undefined {
  if (!cursor.takeSpaceLeft()) return cursor.fail('QRESYNC takes a list');
  const uidValidity = cursor.nzNumber('UIDVALIDITY');
  if (uidValidity === undefined || !cursor.space('a mod-sequence')) return undefined;
  const modSeq = cursor.number64('a mod-sequence');
  if (modSeq === undefined) return undefined;
  if (modSeq === 0) return cursor.fail('Expected a mod-sequence above 0');
  let knownUids: readonly SequenceRange[] | undefined;
  let sequenceMatch: QresyncParameter['sequenceMatch'];
  if (!atSpaceLeft(cursor) && cursor.takeSpace()) {
    knownUids = parseKnown(cursor);
    if (knownUids === undefined) return undefined;
  }
  if (cursor.takeSpaceLeft()) {
    const sequences = parseKnown(cursor);
    if (sequences === undefined || !cursor.space('known UIDs')) return undefined;
    const uids = parseKnown(cursor);
    if (uids === undefined || !cursor.right('the known UIDs')) return undefined;
    sequenceMatch = { sequences, uids };
  }
  if (!cursor.right('the values of QRESYNC')) return undefined;
  return {
    uidValidity,
    modSeq,
    ...(knownUids === undefined ? {} : { knownUids }),
    ...(sequenceMatch === undefined ? {} : { sequenceMatch }),
  };
}

function atSpaceLeft(cursor: Cursor): boolean {
  return cursor.octets[cursor.at] === 0x20 && cursor.octets[cursor.at + 1] === 0x28;
}

/** RFC 7162 §7: neither `*` nor `$` is allowed here. */
function parseKnown(cursor: Cursor): readonly SequenceRange[] | undefined {
  const set = cursor.sequenceSet();
  if (set === undefined) return undefined;
  return set.kind === 'saved' || set.ranges.some(({ first, last }) => first === Infinity || last === Infinity)
    ? cursor.fail("QRESYNC takes neither '*' nor '$'")
    : set.ranges;
}

export function parseCreate(cursor: Cursor): MailboxCommand | undefined {
  const mailbox = parseMailbox(cursor);
  if (mailbox === undefined) return undefined;
  let uses: readonly string[] = [];
  if (cursor.takeSpaceLeft()) {
    if (cursor.label('a parameter') !== 'USE') return cursor.fail('Unknown parameter of CREATE');
    if (!cursor.takeSpaceLeft()) return cursor.fail('USE takes a list');
    if (!cursor.takeRight()) {
      const found = cursor.listToRight('the uses', () => {
        const name = cursor.take(0x5c) ? cursor.atom('a use') : cursor.fail("A use begins with '\\'");
        return name === undefined ? undefined : `\\${name}`;
      });
      if (found === undefined) return undefined;
      uses = found;
    }
    if (!cursor.right('the parameters')) return undefined;
  }
  return { verb: 'CREATE', mailbox, uses };
}

export function parseStatus(cursor: Cursor): MailboxCommand | undefined {
  const mailbox = parseMailbox(cursor);
  if (mailbox === undefined) return undefined;
  if (!cursor.takeSpaceLeft()) return cursor.fail('STATUS takes a list of items');
  const items = parseStatusItems(cursor);
  return items && { verb: 'STATUS', mailbox, items };
}

const STATUS_ITEM_OF: ReadonlyMap<string, StatusItem> = new Map(
  STATUS_ITEMS.map((item) => [item, item] as const),
);

/** After `(`, up to and with `)`; each item once. */
export function parseStatusItems(cursor: Cursor): readonly StatusItem[] | undefined {
  const items = new Set<StatusItem>();
  do {
    const name = cursor.label('an item');
    if (name === undefined) return undefined;
    const item = STATUS_ITEM_OF.get(name);
    if (item === undefined) return cursor.fail(`Unknown item of STATUS: ${name.slice(0, 40)}`);
    items.add(item);
  } while (cursor.takeSpace());
  return cursor.right('the items') && [...items];
}

export function parseCopy(
  verb: 'COPY' | 'MOVE',
): (cursor: Cursor, uid: boolean) => MailboxCommand | undefined {
  return (cursor, uid) => {
    const set = cursor.space('a sequence set') && cursor.sequenceSet();
    if (set === undefined) return undefined;
    const mailbox = parseMailbox(cursor);
    return mailbox === undefined ? undefined : { verb, uid, set, mailbox };
  };
}
