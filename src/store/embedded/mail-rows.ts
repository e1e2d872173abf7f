/** From rows of a mail shard to the port's values. The order of columns is that of `mail-schema.ts`. */
import { toBuffer } from '../../base/bytes.ts';
import { Fault } from '../../base/fault.ts';
import { numberAt, octetsAt, optionalNumberAt, optionalTextAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { toBlobPlace } from '../blob-store.ts';
import {
  known,
  toBlobId,
  toEmailId,
  toMailboxId,
  toModSeq,
  toThreadId,
  toUid,
  toUidValidity,
} from '../ids.ts';
import type { AccountId, MailboxId, Uid } from '../ids.ts';
import type {
  Entry,
  ListedMessage,
  Mailbox,
  MailboxRole,
  MetadataChanged,
  MetadataEntry,
  PlacedMessage,
  Sortable,
  SortPart,
  StoredMessage,
} from '../mail-store.ts';
import { parseSortTexts, partOf } from '../sortable.ts';
import { decodeDigest, decodeShown } from './mail-digest.ts';

const NONE: readonly string[] = [];

/** Keywords are kept sorted, joined with a space, which none can have. */
export function toKeywords(text: string): readonly string[] {
  return text === '' ? NONE : text.split(' ');
}

const ROLES: ReadonlySet<string> = new Set<MailboxRole>([
  'inbox',
  'drafts',
  'sent',
  'junk',
  'trash',
  'archive',
  'flagged',
  'important',
  'all',
]);

function isRole(text: string): text is MailboxRole {
  return ROLES.has(text);
}

export function toMailbox(row: Row): Mailbox {
  const parent = numberAt(row, 1);
  const role = optionalTextAt(row, 3);
  return {
    id: known(toMailboxId(numberAt(row, 0))),
    parent: parent === 0 ? undefined : known(toMailboxId(parent)),
    name: textAt(row, 2),
    role: role !== undefined && isRole(role) ? role : undefined,
    uidValidity: known(toUidValidity(numberAt(row, 4))),
    uidNext: numberAt(row, 5),
    highestModSeq: known(toModSeq(numberAt(row, 6))),
    total: numberAt(row, 7),
    unseen: numberAt(row, 8),
    deleted: numberAt(row, 9),
    octets: numberAt(row, 10),
    createdAtMs: numberAt(row, 11),
  };
}

export function toMetadata(row: Row): MetadataEntry {
  return { mailbox: toMailboxId(numberAt(row, 0)), name: textAt(row, 1), value: octetsAt(row, 2) };
}

export function toMetadataChanged(row: Row): MetadataChanged {
  const modSeq = known(toModSeq(numberAt(row, 2)));
  return { mailbox: toMailboxId(numberAt(row, 0)), name: textAt(row, 1), modSeq };
}

export function toMetadataSize(row: Row): { readonly name: string; readonly octets: number } {
  return { name: textAt(row, 0), octets: numberAt(row, 1) };
}

export function toEntry(row: Row): Entry {
  return {
    uid: known(toUid(numberAt(row, 0))),
    emailId: known(toEmailId(numberAt(row, 1))),
    flags: numberAt(row, 2),
    keywords: toKeywords(textAt(row, 3)),
    modSeq: known(toModSeq(numberAt(row, 4))),
  };
}

export function toListed(row: Row): ListedMessage {
  const shown = decodeShown(octetsAt(row, 9));
  if (shown === undefined) throw damaged(row);
  return { ...toFacts(row), ...shown };
}

function toFacts(row: Row): Omit<PlacedMessage, 'blob' | 'prefix'> {
  return {
    uid: known(toUid(numberAt(row, 0))),
    emailId: known(toEmailId(numberAt(row, 1))),
    flags: numberAt(row, 2),
    keywords: toKeywords(textAt(row, 3)),
    modSeq: known(toModSeq(numberAt(row, 4))),
    savedAtMs: numberAt(row, 5),
    threadId: known(toThreadId(numberAt(row, 6))),
    receivedAtMs: numberAt(row, 7),
    octets: numberAt(row, 8),
  };
}

export function toPlaced(row: Row): PlacedMessage {
  return {
    ...toFacts(row),
    blob: {
      id: known(toBlobId(toBuffer(octetsAt(row, 9)).toString('hex'))),
      octets: numberAt(row, 10),
      place: known(toBlobPlace(numberAt(row, 11))),
    },
    prefix: octetsAt(row, 12),
  };
}

export function toStored(row: Row): StoredMessage {
  const digest = decodeDigest(octetsAt(row, 13));
  if (digest === undefined) throw damaged(row);
  return { ...toPlaced(row), digest };
}

function damaged(row: Row): Fault {
  return new Fault(`Reading the digest of message ${numberAt(row, 1)}`);
}

/** The UID alone for rows of earlier versions: their digests are to be asked. */
export function toSortables(rows: readonly Row[], part: SortPart | undefined): readonly (Sortable | Uid)[] {
  const texts = part && parseSortTexts(rows.map((row) => optionalTextAt(row, 5) ?? '[""]'));
  if (part !== undefined && texts === undefined) throw new Fault('Reading what messages are sorted by');
  return rows.map((row, index) => {
    const uid = known(toUid(numberAt(row, 0)));
    const subject = optionalTextAt(row, 4);
    if (subject === undefined) return uid;
    const sortable = {
      uid,
      receivedAtMs: numberAt(row, 1),
      octets: numberAt(row, 2),
      sentAtMs: optionalNumberAt(row, 3),
      subject,
    };
    return part === undefined ? sortable : { ...sortable, ...partOf(part, texts?.[index] ?? []) };
  });
}

/** UIDs asked for lie in one run while gaps, filled mostly with what was expunged, are no larger than this. */
const GAP_MAX = 16;

/**
 * The rows of these UIDs, ascending, by a statement with the parameters account, mailbox, first UID, last UID. Runs of
 * UIDs are read as ranges: most clients ask for runs.
 */
export function rowsOf(
  database: Database,
  sql: string,
  account: AccountId,
  mailbox: MailboxId,
  uids: readonly Uid[],
): readonly Row[] {
  const sorted = Float64Array.from(uids).toSorted();
  const wanted = new Set<number>(sorted);
  const rows: Row[] = [];
  for (let at = 0; at < sorted.length;) {
    const from = sorted[at] ?? 0;
    let last = from;
    for (at += 1; at < sorted.length && (sorted[at] ?? 0) - last <= GAP_MAX; at += 1)
      last = sorted[at] ?? last;
    for (const row of database.prepare(sql).rows(account, mailbox, from, last))
      if (wanted.has(numberAt(row, 0))) rows.push(row);
  }
  return rows;
}
