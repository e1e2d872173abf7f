/**
 * Checks a value against the schema and fills in the defaults. Every problem is found, not only the first; each is
 * said in the words of the person who wrote the file. Never throws.
 */
import { FORMATS } from './format.ts';
import { nearest } from './nearest.ts';
import type { ListNode, SchemaNode, TableNode, TextNode, WholeNumberNode } from './schema-node.ts';

/** `path` is the key as TOML would write it from the top: `listeners.smtp.port`, `resolver.servers[1]`. */
export type ConfigProblem = {
  readonly path: string;
  readonly line: number | undefined;
  /** What is wrong, without a full stop. */
  readonly text: string;
};

export type Report = (path: string, text: string) => void;

/** @returns the table with every default in place; to be used only if nothing was reported */
export function readTable(
  node: TableNode,
  value: unknown,
  path: string,
  report: Report,
  root: TableNode = node,
): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  if (!isTable(value)) {
    report(path, `must be a table, not ${told(value)}`);
    return result;
  }
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(node.properties, key)) continue;
    report(join(path, key), `is not a known key${suggestion(node, root, path, key)}`);
  }
  for (const [key, child] of Object.entries(node.properties)) {
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    const read = readKey(child, given, join(path, key), node.required.includes(key), report, root);
    if (read !== undefined) result[key] = read;
  }
  return result;
}

function readKey(
  node: SchemaNode,
  given: unknown,
  path: string,
  required: boolean,
  report: Report,
  root: TableNode,
): unknown {
  if (node.type === 'object')
    return given === undefined && !required ? undefined : readTable(node, given ?? {}, path, report, root);
  if (given === undefined) {
    if (node.default === undefined && required) report(path, 'is missing');
    return node.default;
  }
  if (node.type === 'array' && node.items.type === 'object')
    return readTables(node, node.items, given, path, report, root);
  check(node, given, path, report);
  return given;
}

function readTables(
  node: ListNode,
  items: TableNode,
  given: unknown,
  path: string,
  report: Report,
  root: TableNode,
): unknown {
  if (!Array.isArray(given)) return report(path, `must be a list of tables, not ${told(given)}`);
  if (given.length < node.minItems) report(path, 'must not be empty');
  return given.map((item, index) => readTable(items, item, `${path}[${index}]`, report, root));
}

function check(node: Exclude<SchemaNode, TableNode>, value: unknown, path: string, report: Report): void {
  switch (node.type) {
    case 'string':
      return checkText(node, value, path, report);
    case 'integer':
      return checkWholeNumber(node, value, path, report);
    case 'boolean':
      if (typeof value !== 'boolean') report(path, `must be true or false, not ${told(value)}`);
      return undefined;
    case 'array':
      return checkList(node, value, path, report);
  }
}

function checkText(node: TextNode, value: unknown, path: string, report: Report): void {
  if (node.enum !== undefined) {
    if (typeof value === 'string' && node.enum.includes(value)) return;
    const near = typeof value === 'string' ? nearest(value, node.enum) : undefined;
    const choices = node.enum.map((choice) => JSON.stringify(choice)).join(', ');
    report(path, `must be one of ${choices}, not ${told(value)}${didYouMean(near)}`);
  } else if (typeof value !== 'string') {
    report(path, `must be a text in quotes, not ${told(value)}`);
  } else if (value.length < (node.minLength ?? 0)) {
    report(path, 'must not be empty');
  } else if (CONTROLS.test(value)) {
    report(path, 'must hold no line ends and no other control characters');
  } else if (node.format !== undefined) {
    const { test, wanted, holdsSecret } = FORMATS[node.format];
    if (!test(value)) report(path, `must be ${wanted}${holdsSecret ? '' : `, not ${told(value)}`}`);
  }
}

/** No path, name, address or line of a reply has any. */
// oxlint-disable-next-line no-control-regex -- that is what it is about
const CONTROLS = /[\0-\x1f\x7f]/;

function checkWholeNumber(node: WholeNumberNode, value: unknown, path: string, report: Report): void {
  const { minimum, maximum } = node;
  if (typeof value === 'number' && Number.isInteger(value) && value >= minimum && value <= maximum) return;
  report(path, `must be a whole number from ${minimum} to ${maximum}, not ${told(value)}`);
}

function checkList(node: ListNode, value: unknown, path: string, report: Report): void {
  if (!Array.isArray(value)) return report(path, `must be a list in brackets, not ${told(value)}`);
  if (value.length < node.minItems) report(path, 'must not be empty');
  const { items } = node;
  if (items.type === 'object') return undefined;
  for (const [index, item] of value.entries()) check(items, item, `${path}[${index}]`, report);
  return undefined;
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function join(path: string, key: string): string {
  const part = /^[A-Za-z0-9_-]+$/.test(key) ? key : JSON.stringify(key);
  return path === '' ? part : `${path}.${part}`;
}

const TOLD_LETTERS_MAX = 60;

function told(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (isTable(value)) return 'a table';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > TOLD_LETTERS_MAX ? `${text.slice(0, TOLD_LETTERS_MAX)}…` : text;
}

/** A key of this table that is spelled nearly so, or the same key in the one other table that has it. */
function suggestion(node: TableNode, root: TableNode, path: string, key: string): string {
  const near = nearest(key, Object.keys(node.properties));
  if (near !== undefined) return didYouMean(join(path, near));
  const elsewhere = pathsOf(root, '', key);
  return didYouMean(elsewhere.length === 1 ? elsewhere[0] : undefined);
}

function pathsOf(node: TableNode, path: string, key: string): string[] {
  return Object.entries(node.properties).flatMap(([name, child]) => {
    const here = name === key ? [join(path, name)] : [];
    const table = tableOf(child);
    return table === undefined ? here : [...here, ...pathsOf(table, join(path, name), key)];
  });
}

/** A table, or what a list of tables is made of. */
export function tableOf(node: SchemaNode): TableNode | undefined {
  if (node.type === 'object') return node;
  return node.type === 'array' && node.items.type === 'object' ? node.items : undefined;
}

function didYouMean(word: string | undefined): string {
  return word === undefined ? '' : ` (did you mean ${JSON.stringify(word)}?)`;
}
