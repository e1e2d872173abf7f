/** Runs a search over the selected mailbox, reading each message only as far as its answer needs. */
import { BlobError } from '../../../store/blob-store.ts';
import type { Uid } from '../../../store/ids.ts';
import type { SearchKey } from '../../wire/command/search-key.ts';
import type { Context } from '../command-context.ts';
import { pagesOf, toUids } from '../message-set.ts';
import type { Selected } from '../state.ts';
import { compile, type Compiled, type Evidence } from './evaluate.ts';
import { readTexts } from './text.ts';

const ENTRIES_PAGE = 2000;
const PLACED_PAGE = 500;
const FULL_PAGE = 250;

export type Found = {
  /** Ascending. */
  readonly uids: readonly Uid[];
  /** The highest mod-sequence among them, where MODSEQ was among the keys (RFC 7162 §3.1.5). */
  readonly modSeq: number | undefined;
};

export async function runSearch(state: Selected, key: SearchKey, context: Context): Promise<Found> {
  const compiled = compile(key, state.selected, context.deps.clock.nowMs());
  const found: number[] = [];
  const open: Evidence[] = [];
  let seq = 0;
  for (const uid of state.selected.view.all()) {
    seq += 1;
    const evidence = { uid, seq };
    const verdict = compiled.asksModSeq ? undefined : compiled.test(evidence);
    if (verdict === true) found.push(uid);
    else if (verdict === undefined) open.push(evidence);
  }
  const modSeqs: number[] = [];
  for await (const { uid, entry, holds } of decide(state, open, compiled, context)) {
    if (!holds) continue;
    found.push(uid);
    if (entry !== undefined) modSeqs.push(entry.modSeq);
  }
  const modSeq = compiled.asksModSeq ? modSeqs.reduce((most, one) => Math.max(most, one), 0) : undefined;
  return { uids: toUids(found.toSorted((a, b) => a - b)), modSeq };
}

type Decided = Evidence & { readonly holds: boolean };

/** Step by step: whatever a step settles is not read any further. */
async function* decide(
  state: Selected,
  undecided: readonly Evidence[],
  { test, depth }: Compiled,
  context: Context,
): AsyncGenerator<Decided, void, void> {
  let open = undecided;
  for (const step of STEPS) {
    if (open.length === 0) return;
    const still: Evidence[] = [];
    for await (const evidence of step(state, open, context)) {
      const verdict = test(evidence);
      if (verdict === undefined) still.push(evidence);
      else yield { ...evidence, holds: verdict };
    }
    open = still;
  }
  for (const evidence of open) yield* readBodies(evidence, depth === 'body', test, context);
}

type Step = (state: Selected, open: readonly Evidence[], context: Context) => AsyncGenerator<Evidence, void, void>;

/** Messages that are gone by now drop out. */
const STEPS: readonly Step[] = [
  async function* entries({ principal, selected }, open, { deps }) {
    const wanted = new Map(open.map((evidence) => [evidence.uid, evidence] as const));
    const last = open.at(-1)?.uid ?? 0;
    for (let after = (open[0]?.uid ?? 1) - 1; after < last; ) {
      const page = await deps.store.entries(principal.account, selected.id, after, ENTRIES_PAGE);
      for (const entry of page) {
        const evidence = wanted.get(entry.uid);
        if (evidence !== undefined) yield { ...evidence, entry };
      }
      if (page.length < ENTRIES_PAGE) return;
      after = page.at(-1)?.uid ?? last;
    }
  },
  async function* placed({ principal, selected }, open, { deps }) {
    for (const page of pagesOf(open, PLACED_PAGE)) {
      const byUid = new Map(page.map((evidence) => [evidence.uid, evidence] as const));
      for (const row of await deps.store.placed(principal.account, selected.id, toUids(byUid.keys()))) {
        const evidence = byUid.get(row.uid);
        if (evidence !== undefined) yield { ...evidence, placed: row };
      }
    }
  },
  async function* full({ principal, selected }, open, { deps }) {
    for (const page of pagesOf(open, FULL_PAGE)) {
      const byUid = new Map(page.map((evidence) => [evidence.uid, evidence] as const));
      for (const row of await deps.store.messages(principal.account, selected.id, toUids(byUid.keys()))) {
        const evidence = byUid.get(row.uid);
        if (evidence !== undefined) yield { ...evidence, full: row };
      }
    }
  },
];

/** One message at a time: octets are not gathered, and other sessions get their turn in between. */
async function* readBodies(
  evidence: Evidence,
  wantsBody: boolean,
  test: Compiled['test'],
  { deps }: Context,
): AsyncGenerator<Decided, void, void> {
  const { placed, full } = evidence;
  if (placed === undefined || full === undefined) return;
  const { headerOctets } = full.digest;
  try {
    const header = { ...evidence, text: await readTexts(placed, headerOctets, deps.blobs, false) };
    let verdict = test(header);
    if (verdict === undefined && wantsBody)
      verdict = test({ ...evidence, text: await readTexts(placed, headerOctets, deps.blobs, true) });
    yield { ...evidence, holds: verdict ?? false };
  } catch (cause) {
    // A message that cannot be read matches nothing; the rest of the answer still counts.
    if (!(cause instanceof BlobError)) throw cause;
    deps.emit({ name: 'imap.blob.unreadable', blob: placed.blob.id, problem: cause.problem.kind });
  }
}
