/** What is being learned of one trace while its entries are gone through, and what it comes to. Pure. */

export type TraceOutcome =
  | 'refused'
  | 'failed'
  | 'delayed'
  | 'held'
  | 'dropped'
  | 'delivered'
  /** Accepted, and not everybody has it yet. */
  | 'queued'
  /** The client went away, or took its message back. */
  | 'unfinished';

/** What one looks for: traces are found by these, while all others are found by their time. */
export const RARE_OUTCOMES: ReadonlySet<string> = new Set<TraceOutcome>([
  'refused',
  'failed',
  'delayed',
  'held',
  'dropped',
]);

export const TRACE_OUTCOMES: readonly TraceOutcome[] = [
  'refused',
  'failed',
  'delayed',
  'held',
  'dropped',
  'delivered',
  'queued',
  'unfinished',
];

/** `offered`: a RCPT that was accepted; `expanded`: others stand for it; the rest as in the queue. */
export type RecipientFate =
  | 'offered'
  | 'refused'
  | 'queued'
  | 'expanded'
  | 'delivered'
  | 'relayed'
  | 'failed'
  | 'delayed'
  | 'held'
  | 'dropped';

const SETTLED: ReadonlySet<RecipientFate> = new Set<RecipientFate>([
  'delivered',
  'relayed',
  'failed',
  'delayed',
  'held',
  'dropped',
]);

const FATES: ReadonlySet<string> = new Set<RecipientFate>([
  'offered',
  'refused',
  'queued',
  'expanded',
  ...SETTLED,
]);

export function toFate(text: string): RecipientFate | undefined {
  return isFate(text) ? text : undefined;
}

function isFate(text: string): text is RecipientFate {
  return FATES.has(text);
}

/** From another host, or from our own people and ourselves. */
export type TraceDirection = 'in' | 'out';

/** Filled entry by entry; see the rows of `trace-events.ts`. */
export class Story {
  readonly id: string;
  direction: TraceDirection | undefined;
  sessionId: string | undefined;
  client: string | undefined;
  /** '' is the null reverse-path. */
  sender: string | undefined;
  messageId: string | undefined;
  subject: string | undefined;
  octets: number | undefined;
  /** By address as it was written. */
  readonly recipients: Map<string, RecipientFate> = new Map();
  /** The last thing that somebody said: a next hop, or we to the client. */
  lastText: string | undefined;
  #accepted = false;
  #refused = false;

  constructor(id: string) {
    this.id = id;
  }

  accept(): void {
    this.#accepted = true;
    for (const [address, fate] of this.recipients)
      if (fate === 'offered') this.recipients.set(address, 'queued');
  }

  refuse(text: string): void {
    this.#refused = true;
    this.lastText = text;
  }

  get outcome(): TraceOutcome {
    const fates = [...this.recipients.values()];
    // A message that was taken for one recipient is not undone by what was said of another.
    if (!this.#accepted && !fates.some((fate) => SETTLED.has(fate)))
      return this.#refused ? 'refused' : 'unfinished';
    for (const fate of ['failed', 'delayed', 'held', 'dropped'] as const)
      if (fates.includes(fate)) return fate;
    return fates.some((fate) => fate === 'queued' || fate === 'offered') ? 'queued' : 'delivered';
  }
}
