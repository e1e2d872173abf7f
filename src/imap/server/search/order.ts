/** The order of SORT. Source: RFC 5256 §3 (BASE.6.4.SORT), RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 6203 §6 (RELEVANCY). */
import { Pace, sortInTurns } from '../../../base/pace.ts';
import { unreachable } from '../../../base/unreachable.ts';
import type { Uid } from '../../../store/ids.ts';
import type { Sortable } from '../../../store/mail-store.ts';
import type { SortCriterion } from '../../wire/command/search.ts';
import type { ImapDeps } from '../ports.ts';
import type { SelectedMailbox } from '../state.ts';
import type { Found } from './run.ts';

type Value = number | string;
/** Values of one criterion by place in the mailbox, and how two of them compare. */
type Column = { readonly values: readonly Value[]; readonly compare: (a: Value, b: Value) => number };

/** @param found with relevancies, where they are among the criteria */
export async function sorted(
  { account, id }: Pick<SelectedMailbox, 'account' | 'id'>,
  { uids, relevancies }: Pick<Found, 'uids' | 'relevancies'>,
  criteria: readonly SortCriterion[],
  { store, clock }: Pick<ImapDeps, 'store' | 'clock'>,
): Promise<readonly Uid[]> {
  const part = criteria.some(({ key }) => ADDRESS_KEYS.has(key)) ? 'addresses' : undefined;
  const rows = await store.sortables(account, id, uids, part);
  const columns = criteria.map((criterion) => toColumn(criterion, rows, relevancies));
  // What arrived first comes first where all criteria are equal: the rows ascend.
  const compare = (a: number, b: number): number => {
    for (const column of columns) {
      const [left, right] = [column.values[a] ?? '', column.values[b] ?? ''];
      if (left !== right) return column.compare(left, right);
    }
    return a - b;
  };
  const order = await sortInTurns(rows.keys().toArray(), compare, new Pace(clock));
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
