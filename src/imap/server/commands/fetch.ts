/**
 * FETCH. Reads no more of a message than its items need: entries for flags, rows for dates and sizes, digests for
 * envelopes, octets for bodies. Source: RFC 9051 §6.4.5, RFC 7162 §3.1.4 (CHANGEDSINCE, VANISHED), RFC 8474 §5.
 */
import { unreachable } from '../../../base/unreachable.ts';
import { toBuffer } from '../../../base/bytes.ts';
import { Fault } from '../../../base/fault.ts';
import { BlobError } from '../../../store/blob-store.ts';
import { known, toModSeq, type Uid } from '../../../store/ids.ts';
import {
  FLAG,
  type Entry,
  type ListedMessage,
  type MailStore,
  type PlacedMessage,
  type StoredMessage,
} from '../../../store/mail-store.ts';
import { formatBodyLabel, type FetchItem } from '../../wire/command/fetch.ts';
import type { Command } from '../../wire/command.ts';
import type { FetchDatum, Untagged } from '../../wire/response.ts';
import { rangesHave, rangesOf, resolveRanges, type SequenceSet } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { openMessage, readBinary, readSection, sectionOfRfc822, type OpenMessage } from '../fetch/section.ts';
import { flagNames } from '../flags.ts';
import { currentRights } from '../mailbox-access.ts';
import { highestOf, sayingLimit, tooMany } from '../message-limit.ts';
import { pagesFromEnd, pagesOf, partialOf, resolveSet, spanOf } from '../message-set.ts';
import { formatEmailId, formatThreadId, type OtherOwner } from '../object-id.ts';
import type { Enabled, Selected, SelectedMailbox } from '../state.ts';
import { flagsFetch } from '../updates.ts';

type Fetch = Extract<Command, { verb: 'FETCH' }>;

/** Messages of one read: bounds how long the thread is held, and what is gathered for a client that does not read. */
const ENTRIES_PAGE = 2000;
const PAGES = { placed: 500, listed: 500, full: 250 } as const;
/** Where bodies are read: those that become \Seen are marked before they are sent, so not many at once. */
const OCTETS_PAGE = 50;

/** One message with what was read of it. */
type Row = {
  readonly entry: Entry;
  readonly dated?: Omit<PlacedMessage, 'blob' | 'prefix'> | undefined;
  readonly shown?: Pick<ListedMessage, 'envelope' | 'bodyStructure' | 'body'> | undefined;
  readonly placed?: PlacedMessage | undefined;
  readonly digest?: StoredMessage['digest'] | undefined;
};
type FetchResponse = Extract<Untagged, { kind: 'fetch' | 'uidfetch' }>;

export async function* fetch(state: Selected, command: Fetch, context: Context): Replies {
  const { selected } = state;
  const { deps, enabled, progress } = context;
  const { messagesMax } = deps.limits;
  const resolved = resolveSet(command.set, command.uid, selected);
  if (!resolved.ok) return resolved.error;
  if (command.vanished && !enabled.qresync) return { status: 'BAD', text: 'ENABLE QRESYNC comes first' };
  // RFC 9738 §3.1: a range that is too large is refused before anything is done.
  if (command.partial !== undefined && spanOf(command.partial) > messagesMax) return tooMany(messagesMax);
  // RFC 7162 §3.1.2: both are CONDSTORE enabling.
  const wantsModSeq = command.items.some((item) => item.kind === 'plain' && item.item === 'MODSEQ');
  if (command.changedSince !== undefined || wantsModSeq) enabled.condstore = true;
  let uids = resolved.value;
  if (command.changedSince !== undefined) {
    const changed = await changedSince(state, uids, command.changedSince, context);
    const vanished = command.vanished ? amongAsked(changed.vanished, command.set, selected) : [];
    if (vanished.length > 0) yield { kind: 'vanished', earlier: true, uids: rangesOf(vanished) };
    uids = changed.uids;
  }
  // RFC 9394 §3.3: of what the other modifiers leave.
  if (command.partial !== undefined) uids = partialOf(uids, command.partial);
  const limited = highestOf(uids, messagesMax);
  const plan = planOf(command, enabled, limited.lowest !== undefined);
  ({ uids } = limited);
  // RFC 4314 §4: \Seen only for who has the right.
  const marksSeen = plan.setsSeen && (await currentRights(state, context.deps)).includes('s');
  let found = 0;
  let problem: Outcome | undefined;
  for await (const rows of readRows(state, uids, plan, context)) {
    found += rows.length;
    progress.of(rows.length, uids.length);
    if (!plan.readsOctets) {
      yield rows.flatMap((row) => answerOf(row, plan, selected) ?? []);
      continue;
    }
    const seen = marksSeen ? await markSeen(state, rows, context) : undefined;
    const answered = inOrder(rows, (row) =>
      answerWithOctets(row, seen?.get(row.entry.uid), plan, selected, context),
    );
    for await (const { row, answer } of answered) {
      if (answer === undefined) continue;
      if (answer.kind !== 'problem') yield answer;
      else {
        problem = answer.outcome;
        const entry = seen?.get(row.entry.uid);
        const seq = selected.view.seqOf(row.entry.uid);
        if (entry !== undefined && seq !== undefined) yield flagsFetch(seq, entry, enabled);
      }
    }
  }
  if (problem !== undefined) return problem;
  const outcome: Outcome =
    found < uids.length && !command.uid
      ? // RFC 5530 §3: another session has expunged some whose numbers still count here.
        { status: 'OK', code: 'EXPUNGEISSUED', text: 'Some of the messages are gone' }
      : done('Fetched');
  return yield* sayingLimit(outcome, messagesMax, limited.lowest);
}

/** What must be read of each message, the least first. */
type Detail = 'entry' | 'placed' | 'listed' | 'full';

type Plan = {
  readonly items: readonly FetchItem[];
  readonly detail: Detail;
  readonly readsOctets: boolean;
  readonly setsSeen: boolean;
  /** RFC 9738 §3.1: so where not all are read. */
  readonly highestFirst: boolean;
  readonly uidonly: boolean;
};

function planOf(command: Fetch, { uidonly }: Enabled, highestFirst: boolean): Plan {
  const items = [...command.items];
  const add = (item: 'UID' | 'MODSEQ'): void => {
    if (!items.some((one) => one.kind === 'plain' && one.item === item))
      items.unshift({ kind: 'plain', item });
  };
  // RFC 7162 §3.1.4.1: CHANGEDSINCE asks for MODSEQ too.
  if (command.changedSince !== undefined) add('MODSEQ');
  // RFC 9051 §6.4.9: the UID is told though it was not asked for.
  if (command.uid && !uidonly) add('UID');
  return {
    items,
    detail: mostOf(items),
    readsOctets: items.some(readsOctets),
    setsSeen: items.some(setsSeen),
    highestFirst,
    uidonly,
  };
}

function mostOf(items: readonly FetchItem[]): Detail {
  const details = new Set(items.map(detailOf));
  // Lists know nothing of where the octets are.
  if (details.has('full') || (details.has('listed') && items.some(readsOctets))) return 'full';
  if (details.has('listed')) return 'listed';
  return details.has('placed') ? 'placed' : 'entry';
}

type OctetsItem = Extract<FetchItem, { kind: 'rfc822' | 'body' | 'binary' | 'binary-size' }>;

function readsOctets(item: FetchItem): item is OctetsItem {
  return (
    item.kind === 'rfc822' || item.kind === 'body' || item.kind === 'binary' || item.kind === 'binary-size'
  );
}

function detailOf(item: FetchItem): Detail {
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
          return 'listed';
        case 'INTERNALDATE':
        case 'RFC822.SIZE':
        case 'SAVEDATE':
        case 'THREADID':
          return 'placed';
        default:
          return unreachable(item);
      }
    case 'body-structure-basic':
      return 'listed';
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
  { selected }: Selected,
  uids: readonly Uid[],
  plan: Plan,
  { deps: { store } }: Context,
): AsyncGenerator<readonly Row[], void, void> {
  const { account } = selected;
  const { highestFirst } = plan;
  const detail =
    plan.detail === 'entry' && (highestFirst || isSparse(uids, selected)) ? 'placed' : plan.detail;
  if (detail !== 'entry') {
    const size = plan.readsOctets ? OCTETS_PAGE : PAGES[detail];
    for (const page of highestFirst ? pagesFromEnd(uids, size) : pagesOf(uids, size)) {
      const rows = await rowsByUid(store, selected, page, detail);
      yield highestFirst ? rows.toReversed() : rows;
    }
  } else {
    const wanted = new Set<number>(uids);
    const last = uids.at(-1) ?? 0;
    for (let after = (uids[0] ?? 1) - 1; after < last;) {
      const page = await store.entries(account, selected.id, after, ENTRIES_PAGE);
      yield page.filter(({ uid }) => wanted.has(uid)).map((entry) => ({ entry }));
      if (page.length < ENTRIES_PAGE) return;
      after = page.at(-1)?.uid ?? last;
    }
  }
}

async function rowsByUid(
  store: MailStore,
  { account, id }: SelectedMailbox,
  uids: readonly Uid[],
  detail: Exclude<Detail, 'entry'>,
): Promise<readonly Row[]> {
  switch (detail) {
    case 'placed':
      return (await store.placed(account, id, uids)).map((placed) => ({
        entry: placed,
        dated: placed,
        placed,
      }));
    case 'listed':
      return (await store.listed(account, id, uids)).map((listed) => ({
        entry: listed,
        dated: listed,
        shown: listed,
      }));
    case 'full':
      return (await store.messages(account, id, uids)).map((full) => ({
        entry: full,
        dated: full,
        placed: full,
        shown: full.digest,
        digest: full.digest,
      }));
    default:
      return unreachable(detail);
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
  { selected }: Selected,
  uids: readonly Uid[],
  since: number,
  { deps }: Context,
): Promise<{ readonly uids: readonly Uid[]; readonly vanished: readonly Uid[] }> {
  const changes = await deps.store.mailboxChanges(selected.account, selected.id, known(toModSeq(since)));
  if (!changes.ok) return { uids: [], vanished: [] };
  const changed = new Set(changes.value.changed.map(({ uid }) => uid));
  return {
    uids: uids.filter((uid) => changed.has(uid)),
    vanished: changes.value.vanished.filter((uid) => selected.view.seqOf(uid) === undefined),
  };
}

/** RFC 7162 §3.2.6: only what is in the set that was asked for, which may reach beyond the last message. */
function amongAsked(vanished: readonly Uid[], set: SequenceSet, { saved }: SelectedMailbox): readonly Uid[] {
  const ranges = set.kind === 'saved' ? rangesOf(saved) : resolveRanges(set.ranges, Infinity);
  return vanished.filter((uid) => rangesHave(ranges, uid));
}

type Answered = { readonly row: Row; readonly answer: Answer | undefined };

/** Messages that are read while earlier ones are on their way to the client, and what they may have in memory together. */
const AHEAD_MESSAGES_MAX = 8;
const AHEAD_OCTETS_MAX = 262_144;

/** Answers in the order of the rows; the disk is asked for several at once. */
async function* inOrder(
  rows: readonly Row[],
  answerTo: (row: Row) => Promise<Answer | undefined>,
): AsyncGenerator<Answered, void, void> {
  const begun: {
    readonly row: Row;
    readonly octets: number;
    readonly answer: Promise<Answer | undefined>;
  }[] = [];
  let ahead = 0;
  for (const row of rows) {
    const octets = row.placed?.octets ?? 0;
    while (begun.length >= AHEAD_MESSAGES_MAX || (begun.length > 0 && ahead + octets > AHEAD_OCTETS_MAX)) {
      const first = begun.shift();
      if (first === undefined) break;
      ahead -= first.octets;
      yield { row: first.row, answer: await first.answer };
    }
    const answer = answerTo(row);
    // A client that goes away leaves answers that nobody waits for.
    answer.catch(() => undefined);
    begun.push({ row, octets, answer });
    ahead += octets;
  }
  for (const { row, answer } of begun) yield { row, answer: await answer };
}

/** The messages that become \Seen by being read, with their new entries. */
async function markSeen(
  { selected }: Selected,
  rows: readonly Row[],
  { deps, fault }: Context,
): Promise<ReadonlyMap<Uid, Entry> | undefined> {
  const unseen = rows.filter(({ entry }) => (entry.flags & FLAG.seen) === 0).map(({ entry }) => entry.uid);
  if (selected.readOnly || unseen.length === 0) return undefined;
  const change = { mode: 'add', flags: FLAG.seen, keywords: [] } as const;
  try {
    const changed = await deps.store.setFlags(selected.account, selected.id, unseen, change);
    if (!changed.ok) return undefined;
    selected.view.toldOf(changed.value.entries);
    return new Map(changed.value.entries.map((entry) => [entry.uid, entry] as const));
  } catch (cause) {
    // A full disk must not keep people from reading.
    if (!(cause instanceof Fault)) throw cause;
    fault('FETCH', cause);
    return undefined;
  }
}

/** All that needs no octets. Undefined: the client does not count the message. */
function answerOf(
  row: Row,
  { items, uidonly }: Plan,
  { view, otherOwner }: SelectedMailbox,
): FetchResponse | undefined {
  const { uid } = row.entry;
  const sequence = view.seqOf(uid);
  if (sequence === undefined) return undefined;
  const data: FetchDatum[] = [];
  for (const item of items) if (!readsOctets(item)) data.push(plainDatum(item, row, otherOwner));
  return responseOf(sequence, uid, data, uidonly);
}

/** RFC 9586 §3.3. */
function responseOf(
  sequence: number,
  uid: Uid,
  data: readonly FetchDatum[],
  uidonly: boolean,
): FetchResponse {
  return uidonly ? { kind: 'uidfetch', uid, data } : { kind: 'fetch', sequence, data };
}

type Answer =
  | FetchResponse
  /** Nothing is said of this message; the completion says why. */
  | { readonly kind: 'problem'; readonly outcome: Outcome };

async function answerWithOctets(
  row: Row,
  seen: Entry | undefined,
  { items, uidonly }: Plan,
  { view, scans, otherOwner }: SelectedMailbox,
  { deps, enabled }: Context,
): Promise<Answer | undefined> {
  const entry = seen ?? row.entry;
  const { placed, digest } = row;
  const sequence = view.seqOf(entry.uid);
  if (sequence === undefined) return undefined;
  if (placed === undefined) throw new TypeError('A message was not read for its octets');
  const open = openMessage(placed, digest?.headerOctets, deps.blobs, scans);
  const data: FetchDatum[] = [];
  try {
    for (const item of items) {
      const datum = readsOctets(item)
        ? await octetsDatum(item, open)
        : plainDatum(item, { ...row, entry }, otherOwner);
      if (datum === 'unknown-encoding')
        return {
          kind: 'problem',
          outcome: { status: 'NO', code: 'UNKNOWN-CTE', text: 'The encoding is not known' },
        };
      data.push(datum);
    }
  } catch (cause) {
    if (!(cause instanceof BlobError)) throw cause;
    deps.emit({ name: 'imap.blob.unreadable', blob: placed.blob.id, problem: cause.problem.kind });
    return {
      kind: 'problem',
      outcome: { status: 'NO', code: 'CORRUPTION', text: 'A message cannot be read' },
    };
  }
  if (seen !== undefined) data.push(...seenData(seen, items, enabled.condstore));
  return responseOf(sequence, entry.uid, data, uidonly);
}

/** RFC 9051 §6.4.5, RFC 7162 §3.1.4.2: flags that a FETCH changed are told with it. */
function seenData(
  { flags, keywords, modSeq }: Entry,
  items: readonly FetchItem[],
  condstore: boolean,
): FetchDatum[] {
  const has = (name: string): boolean => items.some((item) => item.kind === 'plain' && item.item === name);
  return [
    ...(has('FLAGS') ? [] : [{ item: 'FLAGS', flags: flagNames(flags, keywords) } as const]),
    ...(!condstore || has('MODSEQ') ? [] : [{ item: 'MODSEQ', modSeq } as const]),
  ];
}

async function octetsDatum(item: OctetsItem, open: OpenMessage): Promise<FetchDatum | 'unknown-encoding'> {
  switch (item.kind) {
    case 'rfc822':
      return {
        item: 'section',
        label: item.item,
        value: await readSection(open, sectionOfRfc822(item.item)),
      };
    case 'body':
      return {
        item: 'section',
        label: formatBodyLabel(item),
        value: await readSection(open, item.section, item.partial),
      };
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

function plainDatum(
  item: Exclude<FetchItem, OctetsItem>,
  { entry, dated, shown, digest }: Row,
  otherOwner: OtherOwner,
): FetchDatum {
  if (item.kind === 'body-structure-basic') return { item: 'BODY', octets: present(shown).body };
  if (item.kind === 'preview') return { item: 'PREVIEW', text: present(digest).preview };
  const name = item.item;
  switch (name) {
    case 'UID':
      return { item: name, value: entry.uid };
    case 'FLAGS':
      return { item: name, flags: flagNames(entry.flags, entry.keywords) };
    case 'MODSEQ':
      return { item: name, modSeq: entry.modSeq };
    case 'EMAILID':
      return { item: name, id: formatEmailId(entry.emailId, otherOwner) };
    case 'INTERNALDATE':
      return { item: name, epochMs: present(dated).receivedAtMs };
    case 'SAVEDATE':
      return { item: name, epochMs: present(dated).savedAtMs };
    case 'RFC822.SIZE':
      return { item: name, value: present(dated).octets };
    case 'THREADID':
      return { item: name, id: formatThreadId(present(dated).threadId, otherOwner) };
    case 'ENVELOPE':
      return { item: name, octets: toBuffer(present(shown).envelope) };
    case 'BODYSTRUCTURE':
      return { item: name, octets: toBuffer(present(shown).bodyStructure) };
    default:
      return unreachable(name);
  }
}

function present<Part>(part: Part | undefined): Part {
  if (part === undefined) throw new TypeError('A message was read without what was asked for');
  return part;
}
