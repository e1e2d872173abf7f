/**
 * The one call by which an event becomes a log line and its metrics. What the catalogue does not name is not written,
 * so no field reaches a log by accident.
 */
import type { Catalogue, EventDefinition, EventOf, FieldDefinition, Level } from './definition.ts';
import type { Counters, Labels } from './metrics.ts';

/** Where log lines go. */
export type Log = {
  readonly level: Level;
  write(level: Level, name: string, text: string, fields: Readonly<Record<string, unknown>>): void;
};

export type Sink = { readonly log: Log; readonly counters: Counters };

const RANK: Readonly<Record<Level, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/**
 * `const emit = createObserver(SMTP_EVENTS, sink)` gives a function that takes the events of the catalogue; assigned to a
 * server's `(event: SmtpEvent) => void`, it compiles only while the two agree.
 */
export function createObserver<const Of extends Catalogue>(
  catalogue: Of,
  { log, counters }: Sink,
): (event: EventOf<Of>) => void {
  const definitions = new Map(Object.entries(catalogue.events));
  return (event) => {
    const name = event.name.toString();
    const definition = definitions.get(name);
    if (definition === undefined) throw new TypeError(`No event ${JSON.stringify(name)} in the catalogue`);
    const isShown = RANK[definition.level] >= RANK[log.level];
    // Most events of a message are neither counted nor written: they cost no more than this.
    if (!isShown && definition.metrics === undefined) return;
    const fields = new Map<string, unknown>(Object.entries(event));
    count(definition, fields, counters);
    if (!isShown) return;
    const shown: Record<string, unknown> = {};
    for (const [key, field] of Object.entries(definition.fields)) {
      const value = fields.get(key);
      const told = value === undefined ? undefined : show(field, value, log.level === 'debug');
      if (told !== undefined) shown[key] = told;
    }
    log.write(definition.level, name, definition.text, shown);
  };
}

function count(
  { metrics = [] }: EventDefinition,
  fields: ReadonlyMap<string, unknown>,
  counters: Counters,
): void {
  for (const { name, labels = [], add } of metrics) {
    const values: Labels = Object.fromEntries(labels.map((label) => [label, textOf(fields.get(label))]));
    const by = add === undefined ? 1 : fields.get(add);
    if (typeof by === 'number') counters.add(name, values, by);
  }
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
