/** SORT. Source: RFC 5256 §3 (BASE.6.4.SORT), RFC 5267 §3.1 (ESORT). */
import type { Command } from '../../wire/command.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { sorted } from '../search/order.ts';
import type { Selected } from '../state.ts';
import { answered, numbersOf, searched } from './search.ts';

type Sort = Extract<Command, { verb: 'SORT' }>;

export async function* sort(state: Selected, command: Sort, context: Context): Replies {
  const { selected } = state;
  const found = await searched(state, command, context);
  if ('status' in found) return found;
  const uids = await sorted(selected, found, command.criteria, context.deps);
  if (command.returns === undefined) {
    yield { kind: 'sort', numbers: numbersOf(uids, command.uid, selected) };
    return done('Sorted');
  }
  yield* answered(selected, command, command.returns, { ...found, uids }, context);
  return done('Sorted');
}
