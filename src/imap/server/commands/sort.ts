/** SORT. Source: RFC 5256 §3 (BASE.6.4.SORT), RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 5267 §3.1 (ESORT). */
import { unreachable } from '../../../base/unreachable.ts';
import type { Uid } from '../../../store/ids.ts';
import type { StoredMessage } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import type { SortCriterion } from '../../wire/command/search.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { pagesOf } from '../message-set.ts';
import type { Selected } from '../state.ts';
import { extended, numbersOf, savedOf, searched } from './search.ts';

type Sort = Extract<Command, { verb: 'SORT' }>;

const PAGE = 250;

export async function* sort(state: Selected, command: Sort, context: Context): Replies {
  const { selected } = state;
  const found = await searched(state, command.key, command.returns, context, true);
  if ('status' in found) return found;
  const uids = await sorted(state, found.uids, command.criteria, context);
  if (command.returns === undefined) {
    yield { kind: 'sort', numbers: numbersOf(uids, command.uid, selected) };
    return done('Sorted');
  }
  if (command.returns.save) selected.saved = savedOf(command.returns, uids);
  yield* extended(context.tag, command.uid, command.returns, { ...found, uids }, selected);
  return done('Sorted');
}

/** What a message is sorted by: one value a criterion. */
type SortRow = { readonly uid: Uid; readonly values: readonly (number | string)[] };

async function sorted(
  state: Selected,
  uids: readonly Uid[],
  criteria: readonly SortCriterion[],
  context: Context,
): Promise<readonly Uid[]> {
  const rows: SortRow[] = [];
  for await (const message of messagesOf(state, uids, context))
    rows.push({ uid: message.uid, values: criteria.map(({ key }) => valueOf(key, message)) });
  const signs = criteria.map(({ reverse }) => (reverse ? -1 : 1));
  return rows.toSorted((a, b) => compareRows(a, b, signs)).map(({ uid }) => uid);
}

/** Those that still exist, ascending; only what is made of them is kept. */
export async function* messagesOf(
  { selected }: Selected,
  uids: readonly Uid[],
  { deps }: Context,
): AsyncGenerator<StoredMessage, void, void> {
  for (const page of pagesOf(uids, PAGE))
    yield* await deps.store.messages(selected.account, selected.id, page);
}

/** RFC 5256 §2.2: where there is no date that can be read, when the message came. */
export function sentMs({ digest, receivedAtMs }: StoredMessage): number {
  return digest.sentAtMs ?? receivedAtMs;
}

function valueOf(key: SortCriterion['key'], message: StoredMessage): number | string {
  const { sortKeys } = message.digest;
  switch (key) {
    case 'ARRIVAL':
      return message.receivedAtMs;
    case 'DATE':
      return sentMs(message);
    case 'SIZE':
      return message.octets;
    case 'SUBJECT':
      return sortKeys.subject;
    case 'FROM':
      return sortKeys.from;
    case 'TO':
      return sortKeys.to;
    case 'CC':
      return sortKeys.cc;
    case 'DISPLAYFROM':
      return sortKeys.displayFrom;
    case 'DISPLAYTO':
      return sortKeys.displayTo;
    default:
      return unreachable(key);
  }
}

/** REVERSE turns its own criterion round, not the order of arrival behind them all. */
function compareRows(a: SortRow, b: SortRow, signs: readonly number[]): number {
  for (const [index, sign] of signs.entries()) {
    const order = compare(a.values[index] ?? '', b.values[index] ?? '');
    if (order !== 0) return order * sign;
  }
  return a.uid - b.uid;
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'string' && typeof b === 'string') return compareText(a, b);
  return Number(a) - Number(b);
}

/** RFC 5051 §3: by the octets of UTF-8, which is by code points; code units differ from those only with surrogates. */
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
