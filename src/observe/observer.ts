/**
 * The one call by which an event becomes a log line and its metrics. What the catalogue does not name is not written,
 * so no field reaches a log by accident.
 */
import type { Catalogue, EventDefinition, EventOf, FieldDefinition, Level } from './definition.ts';
import type { Counter, Counters } from './metrics.ts';

/** Where log lines go. */
export type Log = {
  readonly level: Level;
  write(level: Level, name: string, text: string, fields: Readonly<Record<string, unknown>>): void;
};

export type Sink = { readonly log: Log; readonly counters: Counters };

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A definition, made ready for its events: looked through once, and not for each of them. */
type Prepared = {
  readonly definition: EventDefinition;
  readonly isShown: boolean;
  readonly fields: readonly (readonly [key: string, field: FieldDefinition])[];
  readonly count: ((event: Fields) => void) | undefined;
};

type Fields = Readonly<Record<string, unknown>>;

/**
 * `const emit = createObserver(SMTP_EVENTS, sink)` gives a function that takes the events of the catalogue; assigned to a
 * server's `(event: SmtpEvent) => void`, it compiles only while the two agree.
 */
export function createObserver<const Of extends Catalogue>(
  catalogue: Of,
  { log, counters }: Sink,
): (event: EventOf<Of>) => void {
  const all = new Map<string, Prepared>();
  for (const [name, definition] of Object.entries<EventDefinition>(catalogue.events))
    all.set(name, {
      definition,
      isShown: RANK[definition.level] >= RANK[log.level],
      fields: Object.entries(definition.fields),
      count: counting(definition, counters),
    });
  return (event) => {
    const name = event.name.toString();
    const prepared = all.get(name);
    if (prepared === undefined) throw new TypeError(`No event ${JSON.stringify(name)} in the catalogue`);
    const { definition, isShown, fields, count } = prepared;
    const values: Fields = event;
    count?.(values);
    // Most events of a message are neither counted nor written: they cost no more than this.
    if (!isShown) return;
    const shown: Record<string, unknown> = {};
    for (const [key, field] of fields) {
      const value = values[key];
      const told = value === undefined ? undefined : show(field, value, log.level === 'debug');
      if (told !== undefined) shown[key] = told;
    }
    log.write(definition.level, name, definition.text, shown);
  };
}

/** What adds an event to the counters of its definition; undefined where there are none. */
function counting(
  { metrics = [] }: EventDefinition,
  counters: Counters,
): ((event: Fields) => void) | undefined {
  if (metrics.length === 0) return undefined;
  const each = metrics.map(({ name, labels = [], add }) => {
    const known = new Map<string, Counter>();
    return (event: Fields): void => {
      const by = add === undefined ? 1 : event[add];
      if (typeof by !== 'number') return;
      const values = labels.map((label) => textOf(event[label]));
      const key = values.length === 1 ? (values[0] ?? '') : JSON.stringify(values);
      let counter = known.get(key);
      if (counter === undefined) {
        counter = counters.of(name, Object.fromEntries(labels.map((label, at) => [label, values[at] ?? ''])));
        known.set(key, counter);
      }
      counter.value += by;
    };
  });
  return (event) => {
    for (const count of each) count(event);
  };
}

/** Undefined: not to be written. */
function show({ type, sensitive }: FieldDefinition, value: unknown, everything: boolean): unknown {
  if (type === 'cause') return describeCause(value);
  if (sensitive === 'content') return undefined;
  if (sensitive === undefined || everything) return value;
  if (sensitive === 'detail') return undefined;
  // RFC 5321 §4.5.5: the null reverse-path names nobody.
  if (typeof value !== 'string' || value === '') return value;
  const at = value.lastIndexOf('@');
  return at === -1 ? '…' : `…${value.slice(at)}`;
}

const CAUSES_MAX = 5;

/** Message and stack of what was thrown, and of what caused it, innermost last. */
function describeCause(cause: unknown): string {
  const told: string[] = [];
  for (let at = cause; at !== undefined && told.length < CAUSES_MAX;) {
    told.push(at instanceof Error ? (at.stack ?? at.message) : textOf(at));
    at = at instanceof Error ? at.cause : undefined;
  }
  return told.join('\ncaused by: ');
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
