/**
 * Where in a TOML text each key stands, for messages. The parser does not say, so this looks for what begins a line:
 * table headers and keys. A key inside an inline table or a quoted key with dots is found by its table's line.
 */
const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]/;
const KEY = /^\s*([A-Za-z0-9_.'"-]+)\s*=/;

/** `tls.keyFile` to its line, counted from 1. */
export function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  /** How many tables of a list have come. */
  const counts = new Map<string, number>();
  let table = '';
  let fence: string | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    if (fence !== undefined) {
      if (line.includes(fence)) fence = undefined;
      continue;
    }
    const header = HEADER.exec(line);
    const key = KEY.exec(line);
    if (header !== null) {
      const name = bare(header[2] ?? '');
      note(lines, name, index + 1);
      const count = counts.get(name) ?? 0;
      if (header[1] === '[[') counts.set(name, count + 1);
      table = header[1] === '[[' ? `${name}[${count}]` : name;
      note(lines, table, index + 1);
    } else if (key !== null) {
      note(lines, table === '' ? bare(key[1] ?? '') : `${table}.${bare(key[1] ?? '')}`, index + 1);
      fence = openFence(line);
    }
  }
  return lines;
}

/** The line of a key, or of the nearest table above it that has one. `servers[1]` stands where `servers` does. */
export function lineOf(lines: ReadonlyMap<string, number>, path: string): number | undefined {
  for (let at = path; at !== ''; at = at.slice(0, Math.max(at.lastIndexOf('.'), 0))) {
    const line = lines.get(at) ?? lines.get(at.replace(/\[\d+\]$/, ''));
    if (line !== undefined) return line;
  }
  return undefined;
}

function bare(path: string): string {
  return path.replace(/["'\s]/g, '');
}

function note(lines: Map<string, number>, path: string, line: number): void {
  if (!lines.has(path)) lines.set(path, line);
}

/** The quotes of a multi-line text that begins on this line and does not end on it. */
function openFence(line: string): string | undefined {
  const fence = /"""|'''/.exec(line)?.[0];
  return fence !== undefined && line.split(fence).length === 2 ? fence : undefined;
}
