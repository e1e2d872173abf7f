/** How entries are kept: a JSON list of `[atMs, event, fields]`. Pure. */
import type { TraceEntry, TraceFields } from './trace-store.ts';

/**
 * @param event a name of the catalogue: letters, digits, dots and hyphens
 * @param fields as JSON
 */
export function encodeEntry(atMs: number, event: string, fields: string): string {
  return `[${atMs},"${event}",${fields}]`;
}

export function encodeEntries(entries: readonly TraceEntry[]): string {
  return `[${entries.map(({ atMs, event, fields }) => encodeEntry(atMs, event, JSON.stringify(fields))).join(',')}]`;
}

/** What is not as it should be is left out: a trace is read by people, and the rest of it is worth reading. */
export function decodeEntries(text: string): readonly TraceEntry[] {
  const list = parseJson(text);
  if (!Array.isArray(list)) return [];
  const entries: TraceEntry[] = [];
  for (const item of list) {
    if (!Array.isArray(item)) continue;
    const [atMs, event, fields]: readonly unknown[] = item;
    if (typeof atMs === 'number' && typeof event === 'string' && isFields(fields))
      entries.push({ atMs, event, fields });
  }
  return entries;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isFields(value: unknown): value is TraceFields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
