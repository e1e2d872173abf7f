/** Runs a search over the selected mailbox, reading each message only as far as its answer needs. */
import { Pace } from '../../../base/pace.ts';
import { BlobError } from '../../../store/blob-store.ts';
import type { Uid } from '../../../store/ids.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import { pagesOf, toUids } from '../message-set.ts';
import type { ImapDeps } from '../ports.ts';
import type { Progress } from '../progress.ts';
import type { SearchedMailbox } from '../state.ts';
import { compile, type Compiled, type Evidence } from './evaluate.ts';
import { askIndex, emailIdsOf } from './indexed.ts';
import { toFuzzyText } from '../../../search/fuzzy.ts';
import { readTexts } from '../../../search/message-text.ts';

/** Keys may be a thousand. */
const ASKED_AT_ONCE = 100;
const RELEVANCY_MAX = 100;
const ENTRIES_PAGE = 2000;
const PLACED_PAGE = 500;
const FULL_PAGE = 250;

export type Searching = { readonly deps: ImapDeps; readonly progress: Pick<Progress, 'of'> };

export type Found = {
  /** Ascending. */
  readonly uids: readonly Uid[];
  /** The mod-sequence of each, where MODSEQ was among the keys (RFC 7162 §3.1.5). */
  readonly modSeqs: ReadonlyMap<number, number> | undefined;
  /** From 1 to 100, where they were asked for (RFC 6203 §4). */
  readonly relevancies: ReadonlyMap<number, number> | undefined;
};

/** @param isRanked how well each message fits is asked as well: more of it may have to be read */
export async function runSearch(
  mailbox: SearchedMailbox,
  key: SearchKey,
  isRanked: boolean,
  searching: Searching,
): Promise<Found> {
  const answers = await askIndex(key, mailbox, searching.deps);
  const emailIds =
    answers.exact.size + answers.fuzzy.size === 0 ? undefined : await emailIdsOf(mailbox, searching.deps);
  const plain = compile(key, mailbox, searching.deps.clock.nowMs(), answers);
  const compiled = isRanked ? ranked(plain) : plain;
  const found: number[] = [];
  const scores = new Map<number, number>();
  const open: Evidence[] = [];
  const pace = new Pace(searching.deps.clock);
  let seq = 0;
  for (const uid of mailbox.view.all()) {
    seq += 1;
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    if (seq % ASKED_AT_ONCE === 0) await pace.give();
    const emailId = emailIds?.get(uid);
    const evidence = emailId === undefined ? { uid, seq } : { uid, seq, emailId };
    const verdict = compiled.asksModSeq ? undefined : compiled.test(evidence);
    if (verdict === true) {
      found.push(uid);
      if (isRanked) scores.set(uid, total(compiled, evidence));
    } else if (verdict === undefined) open.push(evidence);
  }
  const modSeqs = new Map<number, number>();
  for await (const evidence of decide(mailbox, open, compiled, searching)) {
    const { uid, entry } = evidence;
    found.push(uid);
    if (entry !== undefined) modSeqs.set(uid, entry.modSeq);
    if (isRanked) scores.set(uid, total(compiled, evidence));
  }
  return {
    uids: toUids(found.toSorted((a, b) => a - b)),
    modSeqs: compiled.asksModSeq ? modSeqs : undefined,
    relevancies: isRanked ? toRelevancies(scores) : undefined,
  };
}

/** A message is read until it is known how well it fits, unless it does not match. */
function ranked(compiled: Compiled): Compiled {
  const { test, scores } = compiled;
  return {
    ...compiled,
    test: (evidence) => {
      const verdict = test(evidence);
      return verdict === true && scores.some((score) => score(evidence) === undefined) ? undefined : verdict;
    },
  };
}

function total({ scores }: Compiled, evidence: Evidence): number {
  let sum = 0;
  for (const score of scores) sum += score(evidence) ?? 0;
  return sum;
}

/** RFC 6203 §4: 1 to 100, the best of this search has 100. */
function toRelevancies(scores: ReadonlyMap<number, number>): ReadonlyMap<number, number> {
  let best = 0;
  for (const score of scores.values()) best = Math.max(best, score);
  return new Map(
    [...scores].map(([uid, score]) => [
      uid,
      best === 0 ? RELEVANCY_MAX : Math.max(1, Math.round((score / best) * RELEVANCY_MAX)),
    ]),
  );
}

/** Gives what matches. Step by step: whatever a step settles is not read any further. */
async function* decide(
  mailbox: SearchedMailbox,
  undecided: readonly Evidence[],
  compiled: Compiled,
  searching: Searching,
): AsyncGenerator<Evidence, void, void> {
  const { test } = compiled;
  let open = undecided;
  for (const step of STEPS) {
    if (open.length === 0) return;
    const still: Evidence[] = [];
    for await (const page of step(mailbox, open, searching)) {
      for (const evidence of page) {
        const verdict = test(evidence);
        if (verdict === undefined) still.push(evidence);
        else if (verdict) yield evidence;
      }
    }
    open = still;
  }
  for (const evidence of open) {
    const read = await withText(evidence, compiled, searching);
    if (read !== undefined && test(read) === true) yield read;
    searching.progress.of(1, open.length);
  }
}

type Step = (
  mailbox: SearchedMailbox,
  open: readonly Evidence[],
  searching: Searching,
) => AsyncGenerator<readonly Evidence[], void, void>;

/** Messages that are gone by now drop out. */
const STEPS: readonly Step[] = [
  async function* entries(mailbox, open, { deps }) {
    const wanted = new Map(open.map((evidence) => [evidence.uid, evidence] as const));
    const last = open.at(-1)?.uid ?? 0;
    for (let after = (open[0]?.uid ?? 1) - 1; after < last;) {
      const page = await deps.store.entries(mailbox.account, mailbox.id, after, ENTRIES_PAGE);
      yield withEvidence(page, wanted, (evidence, entry) => ({ ...evidence, entry }));
      if (page.length < ENTRIES_PAGE) return;
      after = page.at(-1)?.uid ?? last;
    }
  },
  async function* placed(mailbox, open, { deps }) {
    for (const page of pagesOf(open, PLACED_PAGE)) {
      const byUid = new Map(page.map((evidence) => [evidence.uid, evidence] as const));
      const rows = await deps.store.placed(mailbox.account, mailbox.id, toUids(byUid.keys()));
      yield withEvidence(rows, byUid, (evidence, row) => ({ ...evidence, placed: row }));
    }
  },
  async function* full(mailbox, open, { deps }) {
    for (const page of pagesOf(open, FULL_PAGE)) {
      const byUid = new Map(page.map((evidence) => [evidence.uid, evidence] as const));
      const rows = await deps.store.messages(mailbox.account, mailbox.id, toUids(byUid.keys()));
      yield withEvidence(rows, byUid, (evidence, row) => ({ ...evidence, full: row }));
    }
  },
];

function withEvidence<Read extends { readonly uid: number }>(
  rows: readonly Read[],
  wanted: ReadonlyMap<number, Evidence>,
  join: (evidence: Evidence, row: Read) => Evidence,
): readonly Evidence[] {
  const joined: Evidence[] = [];
  for (const row of rows) {
    const evidence = wanted.get(row.uid);
    if (evidence !== undefined) joined.push(join(evidence, row));
  }
  return joined;
}

/**
 * Reads the header, and the rest where that does not settle it; one message at a time: octets are not gathered, and other
 * sessions get their turn in between. Undefined: it cannot be read.
 */
async function withText(
  evidence: Evidence,
  { test, depth }: Compiled,
  { deps }: Searching,
): Promise<Evidence | undefined> {
  const { placed, full } = evidence;
  if (placed === undefined || full === undefined) return undefined;
  const { headerOctets, subject } = full.digest;
  try {
    const header = { ...evidence, text: await readTexts(placed, headerOctets, deps.blobs, false) };
    if ((depth !== 'body' && depth !== 'words') || test(header) !== undefined) return header;
    const text = await readTexts(placed, headerOctets, deps.blobs, true);
    return { ...evidence, text, ...(depth === 'words' ? { fuzzy: toFuzzyText(text, subject) } : {}) };
  } catch (cause) {
    // A message that cannot be read matches nothing; the rest of the answer still counts.
    if (!(cause instanceof BlobError)) throw cause;
    deps.emit({ name: 'imap.blob.unreadable', blob: placed.blob.id, problem: cause.problem.kind });
    return undefined;
  }
}
