/** SORT. Source: RFC 5256 §3 (BASE.6.4.SORT), RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 5267 §3.1 (ESORT). */
import { Pace, sortInTurns } from '../../../base/pace.ts';
import { unreachable } from '../../../base/unreachable.ts';
import type { Uid } from '../../../store/ids.ts';
import type { Sortable } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import type { SortCriterion } from '../../wire/command/search.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import type { Selected } from '../state.ts';
import type { Found } from '../search/run.ts';
import { extended, numbersOf, savedOf, searched } from './search.ts';

type Sort = Extract<Command, { verb: 'SORT' }>;

export async function* sort(state: Selected, command: Sort, context: Context): Replies {
  const { selected } = state;
  const found = await searched(state, command, context);
  if ('status' in found) return found;
  const uids = await sorted(state, found, command.criteria, context);
  if (command.returns === undefined) {
    yield { kind: 'sort', numbers: numbersOf(uids, command.uid, selected) };
    return done('Sorted');
  }
  if (command.returns.save) selected.saved = savedOf(command.returns, uids);
  yield* extended(context.tag, command.uid, command.returns, { ...found, uids }, selected);
  return done('Sorted');
}

type Value = number | string;
/** Values of one criterion by place in the mailbox, and how two of them compare. */
type Column = { readonly values: readonly Value[]; readonly compare: (a: Value, b: Value) => number };

async function sorted(
  { selected }: Selected,
  { uids, relevancies }: Found,
  criteria: readonly SortCriterion[],
  { deps }: Context,
): Promise<readonly Uid[]> {
  const part = criteria.some(({ key }) => ADDRESS_KEYS.has(key)) ? 'addresses' : undefined;
  const rows = await deps.store.sortables(selected.account, selected.id, uids, part);
  const columns = criteria.map((criterion) => toColumn(criterion, rows, relevancies));
  // What arrived first comes first where all criteria are equal: the rows ascend.
  const compare = (a: number, b: number): number => {
    for (const column of columns) {
      const [left, right] = [column.values[a] ?? '', column.values[b] ?? ''];
      if (left !== right) return column.compare(left, right);
    }
    return a - b;
  };
  const order = await sortInTurns(rows.keys().toArray(), compare, new Pace(deps.clock));
  return order.flatMap((place) => rows[place]?.uid ?? []);
}

/** REVERSE turns its own criterion round, not the order of arrival behind them all. */
function toColumn(
  { key, reverse }: SortCriterion,
  rows: readonly Sortable[],
  relevancies: Found['relevancies'],
): Column {
  // RFC 6203 §6: the highest score first.
  const values = rows.map((row) =>
    key === 'RELEVANCY' ? -(relevancies?.get(row.uid) ?? 0) : valueOf(key, row),
  );
  const isPlain = values.every((value) => typeof value === 'number' || !SURROGATE.test(value));
  const compare = isPlain ? comparePlain : compareAny;
  return { values, compare: reverse ? (a, b) => compare(b, a) : compare };
}

/** RFC 5256 §2.2: where there is no date that can be read, when the message came. */
export function sentMs({ sentAtMs, receivedAtMs }: Sortable): number {
  return sentAtMs ?? receivedAtMs;
}

const ADDRESS_KEYS: ReadonlySet<SortCriterion['key']> = new Set([
  'CC',
  'DISPLAYFROM',
  'DISPLAYTO',
  'FROM',
  'TO',
]);

function valueOf(key: Exclude<SortCriterion['key'], 'RELEVANCY'>, row: Sortable): Value {
  switch (key) {
    case 'ARRIVAL':
      return row.receivedAtMs;
    case 'DATE':
      return sentMs(row);
    case 'SIZE':
      return row.octets;
    case 'SUBJECT':
      return row.subject;
    case 'FROM':
      return row.addresses?.from ?? '';
    case 'TO':
      return row.addresses?.to ?? '';
    case 'CC':
      return row.addresses?.cc ?? '';
    case 'DISPLAYFROM':
      return row.addresses?.displayFrom ?? '';
    case 'DISPLAYTO':
      return row.addresses?.displayTo ?? '';
    default:
      return unreachable(key);
  }
}

/** RFC 5051 §3: by the octets of UTF-8, which is by code points; code units differ from those only with surrogates. */
const SURROGATE = /[\ud800-\udfff]/;

function comparePlain(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareAny(a: Value, b: Value): number {
  return typeof a === 'string' && typeof b === 'string' ? compareText(a, b) : comparePlain(a, b);
}

export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [left, right] = [a.charCodeAt(at), b.charCodeAt(at)];
    if (left === right) continue;
    const [leftHigh, rightHigh] = [isSurrogate(left), isSurrogate(right)];
    return leftHigh === rightHigh ? left - right : leftHigh ? 1 : -1;
  }
  return a.length - b.length;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
