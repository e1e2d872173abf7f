/**
 * FETCH. Reads no more of a message than its items need: entries for flags, rows for dates and sizes, digests for
 * envelopes, octets for bodies. Source: RFC 9051 §6.4.5, RFC 7162 §3.1.4 (CHANGEDSINCE, VANISHED), RFC 8474 §5.
 */
import { unreachable } from '../../../base/unreachable.ts';
import { toBuffer } from '../../../base/bytes.ts';
import { BlobError } from '../../../store/blob-store.ts';
import { known, toModSeq, type Uid } from '../../../store/ids.ts';
import { FLAG, type Entry, type PlacedMessage, type StoredMessage } from '../../../store/mail-store.ts';
import { formatBodyLabel, type FetchItem } from '../../wire/command/fetch.ts';
import type { Command } from '../../wire/command.ts';
import type { FetchDatum, Untagged } from '../../wire/response.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { openMessage, readBinary, readSection, sectionOfRfc822, type OpenMessage, type ScanCache } from '../fetch/section.ts';
import { flagNames } from '../flags.ts';
import { pagesOf, partialOf, resolveSet } from '../message-set.ts';
import { formatEmailId, formatThreadId } from '../object-id.ts';
import type { Selected, SelectedMailbox } from '../state.ts';

type Fetch = Extract<Command, { verb: 'FETCH' }>;

/** Messages of one read: bounds how long the thread is held. */
const ENTRIES_PAGE = 2000;
const PLACED_PAGE = 500;
const FULL_PAGE = 250;

/** One message with what was read of it. */
type Row = { readonly entry: Entry; readonly placed?: PlacedMessage; readonly full?: StoredMessage };

export async function* fetch(state: Selected, command: Fetch, context: Context): Replies {
  const { selected } = state;
  const { enabled } = context;
  const resolved = resolveSet(command.set, command.uid, selected);
  if (!resolved.ok) return resolved.error;
  let uids = command.partial === undefined ? resolved.value : partialOf(resolved.value, command.partial);
  // RFC 7162 §3.1.2: both are CONDSTORE enabling.
  const wantsModSeq = command.items.some((item) => item.kind === 'plain' && item.item === 'MODSEQ');
  if (command.changedSince !== undefined || wantsModSeq) enabled.condstore = true;
  if (command.changedSince !== undefined) {
    if (command.vanished && !enabled.qresync) return { status: 'BAD', text: 'ENABLE QRESYNC comes first' };
    const changed = await changedSince(state, uids, command.changedSince, context);
    if (command.vanished && changed.vanished.length > 0)
      yield { kind: 'vanished', earlier: true, uids: rangesOf(changed.vanished) };
    uids = changed.uids;
  }
  const plan = planOf(command, enabled.condstore && command.changedSince !== undefined);
  let found = 0;
  let problem: Outcome | undefined;
  for await (const rows of readRows(state, uids, plan, context)) {
    found += rows.length;
    const seen = plan.setsSeen ? await markSeen(state, rows, context) : undefined;
    for (const row of rows) {
      const seq = selected.view.seqOf(row.entry.uid);
      if (seq === undefined) continue;
      const answer = await answerOf(seq, row, seen?.get(row.entry.uid), plan, selected.scans, context);
      if (answer.kind === 'fetch') yield answer;
      else problem = answer.outcome;
    }
  }
  if (problem !== undefined) return problem;
  // RFC 5530 §3: another session has expunged some that this one still counts.
  if (found < uids.length) return { status: 'OK', code: 'EXPUNGEISSUED', text: 'Some of the messages are gone' };
  return done('Fetched');
}

type Plan = {
  readonly items: readonly FetchItem[];
  readonly detail: 'entry' | 'placed' | 'full';
  readonly setsSeen: boolean;
  readonly uid: boolean;
};

function planOf(command: Fetch, wantsModSeq: boolean): Plan {
  const items = [...command.items];
  if (wantsModSeq && !items.some((item) => item.kind === 'plain' && item.item === 'MODSEQ'))
    items.push({ kind: 'plain', item: 'MODSEQ' });
  const details = items.map(detailOf);
  const detail = details.includes('full') ? 'full' : details.includes('placed') ? 'placed' : 'entry';
  return { items, detail, setsSeen: items.some(setsSeen), uid: command.uid };
}

function detailOf(item: FetchItem): Plan['detail'] {
  switch (item.kind) {
    case 'plain':
      switch (item.item) {
        case 'UID':
        case 'FLAGS':
        case 'MODSEQ':
        case 'EMAILID':
          return 'entry';
        case 'ENVELOPE':
        case 'BODYSTRUCTURE':
          return 'full';
        default:
          return 'placed';
      }
    case 'body-structure-basic':
    case 'preview':
      return 'full';
    case 'rfc822':
      return item.item === 'RFC822' ? 'placed' : 'full';
    case 'body':
      return item.section.part.length > 0 || item.section.text.kind === 'whole' ? 'placed' : 'full';
    case 'binary':
    case 'binary-size':
      return 'placed';
    default:
      return unreachable(item);
  }
}

function setsSeen(item: FetchItem): boolean {
  if (item.kind === 'rfc822') return item.item !== 'RFC822.HEADER';
  return (item.kind === 'body' || item.kind === 'binary') && !item.peek;
}

async function* readRows(
  { principal, selected }: Selected,
  uids: readonly Uid[],
  plan: Plan,
  { deps: { store } }: Context,
): AsyncGenerator<readonly Row[], void, void> {
  const { account } = principal;
  if (plan.detail === 'full') {
    for (const page of pagesOf(uids, FULL_PAGE))
      yield (await store.messages(account, selected.id, page)).map((full) => ({ entry: full, placed: full, full }));
  } else if (plan.detail === 'placed' || isSparse(uids, selected)) {
    for (const page of pagesOf(uids, PLACED_PAGE))
      yield (await store.placed(account, selected.id, page)).map((placed) => ({ entry: placed, placed }));
  } else {
    const wanted = new Set<number>(uids);
    const last = uids.at(-1) ?? 0;
    for (let after = (uids[0] ?? 1) - 1; after < last; ) {
      const page = await store.entries(account, selected.id, after, ENTRIES_PAGE);
      yield page.filter(({ uid }) => wanted.has(uid)).map((entry) => ({ entry }));
      if (page.length < ENTRIES_PAGE) return;
      after = page.at(-1)?.uid ?? last;
    }
  }
}

/** Whether reading all entries between the first and the last would read far more than is wanted. */
function isSparse(uids: readonly Uid[], { view }: SelectedMailbox): boolean {
  const [first] = uids;
  const last = uids.at(-1);
  if (first === undefined || last === undefined) return false;
  return (view.seqOf(last) ?? 0) - (view.seqOf(first) ?? 0) + 1 > 4 * uids.length;
}

/** RFC 7162 §3.1.4.1, §3.2.6. */
async function changedSince(
  { principal, selected }: Selected,
  uids: readonly Uid[],
  since: number,
  { deps }: Context,
): Promise<{ readonly uids: readonly Uid[]; readonly vanished: readonly Uid[] }> {
  const changes = await deps.store.mailboxChanges(principal.account, selected.id, known(toModSeq(since)));
  if (!changes.ok) return { uids: [], vanished: [] };
  const changed = new Set(changes.value.changed.map(({ uid }) => uid));
  return {
    uids: uids.filter((uid) => changed.has(uid)),
    vanished: changes.value.vanished.filter((uid) => selected.view.seqOf(uid) === undefined),
  };
}

/** The messages that become \Seen by being read, with their new entries. */
async function markSeen(
  { principal, selected }: Selected,
  rows: readonly Row[],
  { deps }: Context,
): Promise<ReadonlyMap<Uid, Entry> | undefined> {
  const unseen = rows.filter(({ entry }) => (entry.flags & FLAG.seen) === 0).map(({ entry }) => entry.uid);
  if (selected.readOnly || unseen.length === 0) return undefined;
  const change = { mode: 'add', flags: FLAG.seen, keywords: [] } as const;
  const changed = await deps.store.setFlags(principal.account, selected.id, unseen, change);
  if (!changed.ok) return undefined;
  selected.view.toldOf(changed.value.entries);
  return new Map(changed.value.entries.map((entry) => [entry.uid, entry] as const));
}

type Answer =
  | Extract<Untagged, { kind: 'fetch' }>
  /** Nothing is said of this message; the completion says why. */
  | { readonly kind: 'problem'; readonly outcome: Outcome };

async function answerOf(
  sequence: number,
  row: Row,
  seen: Entry | undefined,
  { items, uid }: Plan,
  scans: ScanCache,
  context: Context,
): Promise<Answer> {
  const entry = seen ?? row.entry;
  const { placed } = row;
  const open = placed && openMessage(placed, row.full?.digest.headerOctets, context.deps.blobs, scans);
  const data: FetchDatum[] = [];
  if (uid && !items.some((item) => item.kind === 'plain' && item.item === 'UID'))
    data.push({ item: 'UID', value: entry.uid });
  try {
    for (const item of items) {
      const datum = await datumOf(item, entry, row, open);
      if (datum === 'unknown-encoding')
        return { kind: 'problem', outcome: { status: 'NO', code: 'UNKNOWN-CTE', text: 'The encoding is not known' } };
      data.push(datum);
    }
  } catch (cause) {
    if (!(cause instanceof BlobError)) throw cause;
    context.deps.emit({ name: 'imap.blob.unreadable', blob: row.placed?.blob.id ?? '', problem: cause.problem.kind });
    return { kind: 'problem', outcome: { status: 'NO', code: 'CORRUPTION', text: 'A message cannot be read' } };
  }
  if (seen !== undefined && !items.some((item) => item.kind === 'plain' && item.item === 'FLAGS'))
    data.push({ item: 'FLAGS', flags: flagNames(seen.flags, seen.keywords) });
  return { kind: 'fetch', sequence, data };
}

async function datumOf(
  item: FetchItem,
  entry: Entry,
  { placed, full }: Row,
  open: OpenMessage | undefined,
): Promise<FetchDatum | 'unknown-encoding'> {
  if (item.kind === 'plain' && detailOf(item) === 'entry') return entryDatum(item.item, entry);
  if (placed === undefined || open === undefined) throw new TypeError('A message was not read for its items');
  switch (item.kind) {
    case 'plain':
      return plainDatum(item.item, placed, full);
    case 'body-structure-basic':
      return { item: 'BODY', octets: digestOf(full).body };
    case 'preview':
      return { item: 'PREVIEW', text: digestOf(full).preview };
    case 'rfc822':
      return { item: 'section', label: item.item, value: await readSection(open, sectionOfRfc822(item.item)) };
    case 'body':
      return { item: 'section', label: formatBodyLabel(item), value: await readSection(open, item.section, item.partial) };
    case 'binary': {
      const read = await readBinary(open, item.part, item.partial);
      if (read.kind === 'unknown-encoding') return read.kind;
      return { item: 'section', label: formatBodyLabel(item), value: read.value, binary: true };
    }
    case 'binary-size': {
      const read = await readBinary(open, item.part);
      if (read.kind === 'unknown-encoding') return read.kind;
      const octets = Buffer.isBuffer(read.value) ? read.value.length : (read.value?.octets ?? 0);
      return { item: 'BINARY.SIZE', label: formatBodyLabel(item), octets };
    }
    default:
      return unreachable(item);
  }
}

type PlainItem = Extract<FetchItem, { kind: 'plain' }>['item'];

function entryDatum(item: PlainItem, entry: Entry): FetchDatum {
  if (item === 'UID') return { item, value: entry.uid };
  if (item === 'MODSEQ') return { item, modSeq: entry.modSeq };
  if (item === 'EMAILID') return { item, id: formatEmailId(entry.emailId) };
  return { item: 'FLAGS', flags: flagNames(entry.flags, entry.keywords) };
}

function plainDatum(item: PlainItem, placed: PlacedMessage, full: StoredMessage | undefined): FetchDatum {
  switch (item) {
    case 'INTERNALDATE':
      return { item, epochMs: placed.receivedAtMs };
    case 'SAVEDATE':
      return { item, epochMs: placed.savedAtMs };
    case 'RFC822.SIZE':
      return { item, value: placed.octets };
    case 'THREADID':
      return { item, id: formatThreadId(placed.threadId) };
    case 'ENVELOPE':
      return { item, octets: toBuffer(digestOf(full).envelope) };
    case 'BODYSTRUCTURE':
      return { item, octets: toBuffer(digestOf(full).bodyStructure) };
    default:
      return entryDatum(item, placed);
  }
}

function digestOf(full: StoredMessage | undefined): StoredMessage['digest'] {
  if (full === undefined) throw new TypeError('A message was read without its digest');
  return full.digest;
}
