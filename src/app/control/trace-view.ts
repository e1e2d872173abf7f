/** What the control socket and `--json` show of traces. These shapes are documented in docs/cli.md and only ever grow. */
import type { FoundTrace } from '../../trace/search.ts';
import type { RecipientFate, TraceDirection, TraceOutcome } from '../../trace/story.ts';
import { tellEntry, type TraceSummary } from '../../trace/summary.ts';
import type { TraceEntry, TraceFields } from '../../trace/trace-store.ts';

/** Which traces; several fields must all hold. */
export type TraceFilterView = {
  /** '' is the null reverse-path. */
  readonly address?: string;
  readonly client?: string;
  readonly messageId?: string;
  readonly sinceMs?: number;
  readonly untilMs?: number;
  readonly direction?: TraceDirection;
  readonly outcome?: TraceOutcome;
};

export type TraceSummaryView = {
  readonly id: string;
  readonly atMs: number;
  readonly sessionId: string | null;
  readonly direction: TraceDirection;
  readonly client: string | null;
  /** '' is the null reverse-path; `null`: no message was begun. */
  readonly sender: string | null;
  readonly recipients: readonly { readonly address: string; readonly fate: RecipientFate }[];
  readonly messageId: string | null;
  readonly subject: string | null;
  readonly octets: number | null;
  readonly outcome: TraceOutcome;
  readonly lastText: string | null;
};

export type TraceEntryView = {
  readonly atMs: number;
  readonly event: string;
  /** For a person. */
  readonly text: string;
  readonly fields: TraceFields;
};

export type TraceView = TraceSummaryView & {
  /** In order of time. */
  readonly entries: readonly TraceEntryView[];
  /** What happened in its session outside any message. */
  readonly session: readonly TraceEntryView[];
};

export function viewTraceSummary(summary: TraceSummary): TraceSummaryView {
  const { sessionId, client, sender, messageId, subject, octets, lastText } = summary;
  return {
    ...summary,
    sessionId: sessionId ?? null,
    client: client ?? null,
    sender: sender ?? null,
    messageId: messageId ?? null,
    subject: subject ?? null,
    octets: octets ?? null,
    lastText: lastText ?? null,
  };
}

export function viewTrace({ summary, entries, session }: FoundTrace): TraceView {
  return {
    ...viewTraceSummary(summary),
    entries: entries.map(viewEntry),
    session: session.map(viewEntry),
  };
}

function viewEntry(entry: TraceEntry): TraceEntryView {
  return { ...entry, text: tellEntry(entry) };
}
