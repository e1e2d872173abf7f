/** A trace on one line, from its entries. Pure. */
import type { RecipientFate, TraceDirection, TraceOutcome } from './story.ts';
import { Story } from './story.ts';
import { saidOf, TRACE_EVENTS } from './trace-events.ts';
import type { TraceEntry } from './trace-store.ts';

export type TraceSummary = {
  readonly id: string;
  /** When it began. */
  readonly atMs: number;
  /** The session that it came in. */
  readonly sessionId: string | undefined;
  readonly direction: TraceDirection;
  readonly client: string | undefined;
  /** '' is the null reverse-path; undefined: no message was begun. */
  readonly sender: string | undefined;
  readonly recipients: readonly { readonly address: string; readonly fate: RecipientFate }[];
  readonly messageId: string | undefined;
  readonly subject: string | undefined;
  readonly octets: number | undefined;
  readonly outcome: TraceOutcome;
  /** What was said last: by a next hop, or by us in refusing. */
  readonly lastText: string | undefined;
};

/** @param entries in order, at least one */
export function summarise(id: string, entries: readonly TraceEntry[]): TraceSummary {
  const story = new Story(id);
  for (const { event, fields } of entries) TRACE_EVENTS[event]?.sums?.(story, saidOf(fields));
  const { sessionId, direction, client, sender, messageId, subject, octets, outcome, lastText } = story;
  return {
    id,
    atMs: entries[0]?.atMs ?? 0,
    sessionId,
    // What came in no session is ours: a report.
    direction: direction ?? 'out',
    client,
    sender,
    recipients: [...story.recipients].map(([address, fate]) => ({ address, fate })),
    messageId,
    subject,
    octets,
    outcome,
    lastText,
  };
}

/** One line on an entry. An event that this version does not know is told by its name and fields. */
export function tellEntry({ event, fields }: TraceEntry): string {
  const row = TRACE_EVENTS[event];
  if (row !== undefined) return row.tells(saidOf(fields));
  const rest = Object.entries(fields).map(([field, value]) => ` ${field}=${String(value)}`);
  return `${event}${rest.join('')}`;
}
