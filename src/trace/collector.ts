/**
 * Gathers what the events of one thread say of messages, and hands it on in batches. Nothing waits for it: where the sink is
 * slower than the mail, or fails, what is above the limit is not traced, and that is told.
 *
 * Of a session only its facts are held until it ends; they go to the head of every message that it begins, or of a trace of
 * its own where something happened outside any message. Entries are written out at once: what is held for a batch is text.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { encodeEntry } from './entry-form.ts';
import { RARE_OUTCOMES } from './story.ts';
import { SESSION_ENTRY, TRACE_EVENTS, saidOf, type TraceRow } from './trace-events.ts';
import { toTraceKeys, type TraceKey, type TraceKeyKind } from './trace-key.ts';
import type { TraceFields, TraceSink } from './trace-store.ts';

/** Any event of the catalogue. */
export type TracedEvent = { readonly name: string; readonly [field: string]: unknown };

export type CollectorOptions = {
  readonly sink: TraceSink;
  readonly clock: Clock;
  /** Fields that the operator does not want kept: `subject`. */
  readonly without: ReadonlySet<string>;
  /** Entries were lost: too many waited, or the sink threw. At most once a second. */
  readonly onDropped: (entries: number, cause: unknown) => void;
};

/** A row, made ready for its events. */
type Rule = {
  readonly row: TraceRow;
  readonly keeps: readonly string[];
  readonly keys: readonly (readonly [field: string, kind: TraceKeyKind])[];
};

type Session = {
  facts: TraceFields;
  /** The facts as they are written, once somebody needed that. */
  written: string | undefined;
  keys: readonly TraceKey[];
  /** Entries that wait for a message, or for one that is worth a trace. */
  readonly quiet: string[];
  /** Entries of the session's own trace so far; 0 where it has none. */
  entries: number;
};

/** How long an entry waits for others before they are written: a crash loses so much. */
const BATCH_MS = 500;
const BATCH_ENTRIES = 5000;
const TELL_MS = 1000;
/** Most of the mail of a while is from and for the same addresses. */
const KNOWN_ADDRESSES_MAX = 5000;
const NO_KEYS: readonly TraceKey[] = [];

export class TraceCollector {
  readonly #options: CollectorOptions;
  readonly #rules: ReadonlyMap<string, Rule>;
  readonly #sessions = new Map<string, Session>();
  readonly #addresses = new Map<string, readonly TraceKey[]>();
  /** Entries by trace, with commas between. */
  #parts = new Map<string, string>();
  #keys = new Map<TraceKey, string[]>();
  #waiting = 0;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #dropped = 0;
  #toldMs = Number.NEGATIVE_INFINITY;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#rules = new Map(
      Object.entries(TRACE_EVENTS).map(([name, row]) => [
        name,
        {
          row,
          keeps: row.keeps.filter((field) => !options.without.has(field)),
          keys: Object.entries(row.keys ?? {}),
        },
      ]),
    );
  }

  note(event: TracedEvent): void {
    const rule = this.#rules.get(event.name);
    if (rule === undefined) return;
    const id = idIn(rule.row, event);
    if (id === undefined) return;
    switch (rule.row.session) {
      case 'opens':
        this.#sessions.set(id, {
          facts: fieldsOf(rule, event),
          written: undefined,
          keys: this.#keysOf(rule, event),
          quiet: [],
          entries: 0,
        });
        return;
      case 'states': {
        const session = this.#sessions.get(id);
        if (session === undefined) return;
        session.facts = { ...session.facts, ...fieldsOf(rule, event) };
        session.keys = this.#keysOf(rule, event, session.keys);
        session.written = undefined;
        return;
      }
      case 'closes': {
        const session = this.#sessions.get(id);
        this.#sessions.delete(id);
        if (session !== undefined && session.entries > 0) this.#add(id, rule, event, fieldsOf(rule, event));
        return;
      }
      case 'begins': {
        const session = this.#sessions.get(String(event['sessionId']));
        if (session !== undefined) this.#head(id, session);
        this.#add(id, rule, event, fieldsOf(rule, event));
        return;
      }
      case undefined:
        this.#noteEntry(id, rule, event);
    }
  }

  /** Everything that was noted is with the sink, or lost. Nothing is noted any more. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    await this.#writing;
    await this.#write();
    if (this.#dropped > 0) this.#options.onDropped(this.#dropped, undefined);
  }

  #noteEntry(id: string, rule: Rule, event: TracedEvent): void {
    const fields = fieldsOf(rule, event);
    const session = this.#sessions.get(id);
    if (session === undefined) return this.#add(id, rule, event, fields);
    // Of the session and of no message: it gets a trace of its own, as long as it does not only make trouble.
    if (session.entries + session.quiet.length >= LIMITS.traceSessionEntriesMax) return undefined;
    if (session.entries === 0 && rule.row.isQuiet?.(saidOf(fields)) === true) {
      session.quiet.push(encodeEntry(this.#options.clock.nowMs(), event.name, JSON.stringify(fields)));
      return undefined;
    }
    if (session.entries === 0) this.#head(id, session);
    session.entries += 1;
    return this.#add(id, rule, event, fields);
  }

  #head(id: string, session: Session): void {
    session.written ??= JSON.stringify(session.facts);
    const entry = encodeEntry(this.#options.clock.nowMs(), SESSION_ENTRY, session.written);
    this.#push(id, entry, session.keys);
    for (const quiet of session.quiet) this.#push(id, quiet, NO_KEYS);
  }

  #add(id: string, rule: Rule, event: TracedEvent, fields: TraceFields): void {
    const entry = encodeEntry(this.#options.clock.nowMs(), event.name, JSON.stringify(fields));
    const keys = this.#keysOf(rule, event, outcomeKeysOf(rule.row, fields));
    this.#push(id, entry, keys);
    const other = rule.row.also === undefined ? undefined : event[rule.row.also];
    if (typeof other === 'string' && other !== id) this.#push(other, entry, keys);
  }

  #push(id: string, entry: string, keys: readonly TraceKey[]): void {
    if (this.#waiting >= LIMITS.traceEntriesWaitingMax) {
      this.#lose(1, undefined);
      return;
    }
    const part = this.#parts.get(id);
    this.#parts.set(id, part === undefined ? entry : `${part},${entry}`);
    for (const key of keys) {
      const ids = this.#keys.get(key);
      if (ids === undefined) this.#keys.set(key, [id]);
      // Once more than once does no harm.
      else if (ids[ids.length - 1] !== id) ids.push(id);
    }
    this.#waiting += 1;
    if (this.#writing !== undefined) return;
    if (this.#waiting >= BATCH_ENTRIES) this.#begin();
    else this.#timer ??= this.#options.clock.after(BATCH_MS, () => this.#begin());
  }

  #begin(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#writing = this.#write().then(() => {
      this.#writing = undefined;
      if (this.#waiting > 0) this.#timer ??= this.#options.clock.after(BATCH_MS, () => this.#begin());
    });
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    if (this.#waiting === 0) return;
    const entries = this.#waiting;
    const parts = Array.from(this.#parts, ([id, text]) => ({ id, entries: `[${text}]` }));
    const keys = new Map(Array.from(this.#keys, ([key, ids]) => [key, ids.join(' ')]));
    this.#parts = new Map();
    this.#keys = new Map();
    this.#waiting = 0;
    try {
      await this.#options.sink.append({ parts, keys });
    } catch (cause) {
      this.#lose(entries, cause);
    }
  }

  #lose(entries: number, cause: unknown): void {
    this.#dropped += entries;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#toldMs < TELL_MS) return;
    this.#options.onDropped(this.#dropped, cause);
    this.#toldMs = nowMs;
    this.#dropped = 0;
  }

  #keysOf({ keys }: Rule, event: TracedEvent, more: readonly TraceKey[] = NO_KEYS): readonly TraceKey[] {
    let found = more;
    for (const [field, kind] of keys) {
      const value = event[field];
      if (typeof value !== 'string') continue;
      const own = kind === 'address' ? this.#addressKeys(value) : toTraceKeys(kind, value);
      found = found.length === 0 ? own : [...found, ...own];
    }
    return found;
  }

  #addressKeys(address: string): readonly TraceKey[] {
    const known = this.#addresses.get(address);
    if (known !== undefined) return known;
    if (this.#addresses.size >= KNOWN_ADDRESSES_MAX) this.#addresses.clear();
    const keys = toTraceKeys('address', address);
    this.#addresses.set(address, keys);
    return keys;
  }
}

function idIn({ of }: TraceRow, event: TracedEvent): string | undefined {
  for (const field of of) {
    const value = event[field];
    if (typeof value === 'string') return value;
  }
  return undefined;
}

function fieldsOf({ keeps }: Rule, event: TracedEvent): TraceFields {
  const fields: Record<string, string | number | boolean> = {};
  for (const field of keeps) {
    const value = event[field];
    if (typeof value === 'string')
      fields[field] =
        value.length > LIMITS.traceTextCharactersMax ? value.slice(0, LIMITS.traceTextCharactersMax) : value;
    else if (typeof value === 'number' || typeof value === 'boolean') fields[field] = value;
  }
  return fields;
}

function outcomeKeysOf({ outcome }: TraceRow, fields: TraceFields): readonly TraceKey[] {
  if (outcome === undefined) return NO_KEYS;
  const found = outcome(saidOf(fields));
  return RARE_OUTCOMES.has(found) ? toTraceKeys('outcome', found) : NO_KEYS;
}
