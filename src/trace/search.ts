/**
 * Finds traces: by what they are found by in the store, then by looking at each. One request looks through a bounded number of
 * candidates; where there may be more, it says from where the next one goes on.
 */
import { LIMITS } from '../base/limits.ts';
import { firstIdAt } from '../queue/queue-id.ts';
import { RARE_OUTCOMES, type TraceDirection, type TraceOutcome } from './story.ts';
import { summarise, type TraceSummary } from './summary.ts';
import { addressForms, toTraceKeys, type TraceKey } from './trace-key.ts';
import { AFTER_ALL_IDS, type TraceEntry, type TraceReader } from './trace-store.ts';

/** Every field given must hold. */
export type TraceSearch = {
  /** Sender or a recipient; '' is the null reverse-path. */
  readonly address?: string;
  readonly client?: string;
  /** Without brackets. */
  readonly messageId?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly direction?: TraceDirection;
  readonly outcome?: TraceOutcome;
};

export type TracePage = {
  /** The newest first. */
  readonly traces: readonly TraceSummary[];
  /** For `before` of the next request; undefined: there are no more. */
  readonly next: string | undefined;
};

/** Candidates that are read at once. */
const BATCH = 250;

export async function searchTraces(
  reader: TraceReader,
  search: TraceSearch,
  { before, limit }: { readonly before: string | undefined; readonly limit: number },
): Promise<TracePage> {
  const key = keyOf(search);
  const from = search.sinceMs === undefined ? undefined : firstIdAt(search.sinceMs);
  const until = search.untilMs === undefined ? undefined : firstIdAt(search.untilMs);
  let below = lesser(before, until);
  const traces: TraceSummary[] = [];
  for (let candidates = 0; candidates < LIMITS.traceCandidatesMax;) {
    // oxlint-disable-next-line no-await-in-loop -- each batch decides whether there is another
    const ids = await reader.find({ key, from, before: below, limit: BATCH });
    // oxlint-disable-next-line no-await-in-loop -- the same
    const found = await reader.read(ids);
    for (const id of ids) {
      const entries = found.get(id);
      below = id;
      const summary = entries === undefined ? undefined : summarise(id, entries);
      if (summary === undefined || !matches(search, summary)) continue;
      traces.push(summary);
      if (traces.length >= limit) return { traces, next: below };
    }
    if (ids.length < BATCH) return { traces, next: undefined };
    candidates += ids.length;
  }
  return { traces, next: below };
}

export type FoundTrace = {
  readonly summary: TraceSummary;
  readonly entries: readonly TraceEntry[];
  /** What happened in its session outside any message; empty where nothing did. */
  readonly session: readonly TraceEntry[];
};

/** By the beginning of its id. `ambiguous`: several begin so. */
export async function findTrace(
  reader: TraceReader,
  beginning: string,
): Promise<FoundTrace | 'unknown' | 'ambiguous'> {
  const [id, other] = await reader.find({
    key: undefined,
    from: beginning,
    before: beginning + AFTER_ALL_IDS,
    limit: 2,
  });
  if (id === undefined) return 'unknown';
  // Ids that are whole are never ambiguous, though they may be the beginning of others.
  if (other !== undefined && !(await reader.read([beginning])).has(beginning)) return 'ambiguous';
  const wanted = other === undefined ? id : beginning;
  const entries = (await reader.read([wanted])).get(wanted);
  if (entries === undefined) return 'unknown';
  const summary = summarise(wanted, entries);
  const { sessionId } = summary;
  const session =
    sessionId === undefined || sessionId === wanted
      ? []
      : ((await reader.read([sessionId])).get(sessionId) ?? []);
  return { summary, entries, session };
}

/** What leaves the fewest candidates. */
function keyOf({ messageId, address, client, outcome }: TraceSearch): TraceKey | undefined {
  if (messageId !== undefined) return toTraceKeys('message-id', messageId)[0];
  if (address !== undefined) return toTraceKeys('address', address)[0];
  if (client !== undefined) return toTraceKeys('client', client)[0];
  return outcome !== undefined && RARE_OUTCOMES.has(outcome) ? toTraceKeys('outcome', outcome)[0] : undefined;
}

function matches(search: TraceSearch, summary: TraceSummary): boolean {
  const { address, client, messageId, direction, outcome } = search;
  return (
    (messageId === undefined || summary.messageId === messageId) &&
    (client === undefined || summary.client?.toLowerCase() === client.toLowerCase()) &&
    (direction === undefined || summary.direction === direction) &&
    (outcome === undefined || hasOutcome(summary, outcome)) &&
    (address === undefined || isAbout(summary, address))
  );
}

/** The message as a whole, or one of its recipients. */
function hasOutcome({ outcome, recipients }: TraceSummary, wanted: TraceOutcome): boolean {
  return outcome === wanted || recipients.some(({ fate }) => fate === wanted);
}

function isAbout({ sender, recipients }: TraceSummary, address: string): boolean {
  const [wanted = ''] = addressForms(address);
  const all = [...(sender === undefined ? [] : [sender]), ...recipients.map((one) => one.address)];
  return all.some((one) => addressForms(one).includes(wanted));
}

function lesser(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one < other ? one : other;
}
