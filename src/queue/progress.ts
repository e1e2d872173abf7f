/**
 * How a recipient's state changes, and what a filter matches: the rules that every queue shares. Pure. See docs/queue.md.
 */
import { unreachable } from '../base/unreachable.ts';
import type {
  LastAnswer,
  NewQueuedMessage,
  NewRecipient,
  QueueFilter,
  RecipientState,
  Route,
  Settlement,
} from './queue.ts';

export type OperatorAction = 'retry' | 'hold' | 'release' | 'drop';

type FirstTimes = Pick<NewQueuedMessage, 'arrivedAtMs' | 'releaseAtMs'>;

/** When the recipients of a new message are due for the first time (RFC 4865 §4: not before its release). */
export function firstDueMs({ arrivedAtMs, releaseAtMs }: FirstTimes): number {
  return Math.max(arrivedAtMs, releaseAtMs ?? arrivedAtMs);
}

/** The state in which every recipient of a message begins. */
export function firstState(message: FirstTimes & Pick<NewQueuedMessage, 'hold'>): RecipientState {
  const { arrivedAtMs, hold } = message;
  const fresh = { attempts: 0, delayReported: false };
  if (hold === undefined)
    return { kind: 'waiting', dueAtMs: firstDueMs(message), lastAnswer: undefined, ...fresh };
  // RFC 3463 §3.8: X.7.0, no more is said of a matter of policy.
  const lastAnswer = { atMs: arrivedAtMs, host: undefined, status: '4.7.0', ...hold };
  return { kind: 'held', lastAnswer, ...fresh };
}

/** The state after an attempt, or undefined: settled already, so it stays. */
export function settled(
  state: RecipientState,
  settlement: Settlement,
  nowMs: number,
): RecipientState | undefined {
  if (state.kind === 'settled') return undefined;
  if (settlement.kind === 'held') {
    const { attempts, delayReported } = state;
    return { kind: 'held', attempts: attempts + 1, lastAnswer: settlement.answer, delayReported };
  }
  if (settlement.kind !== 'delayed') {
    const atMs = settlement.answer?.atMs ?? nowMs;
    return {
      kind: 'settled',
      outcome: settlement.kind,
      atMs,
      lastAnswer: settlement.answer ?? state.lastAnswer,
    };
  }
  const progress: {
    readonly attempts: number;
    readonly lastAnswer: LastAnswer;
    readonly delayReported: boolean;
  } = {
    attempts: state.attempts + 1,
    lastAnswer: settlement.answer,
    delayReported: settlement.delayReported,
  };
  // The operator's hold outlives an attempt that was under way.
  if (state.kind === 'held') return { kind: 'held', ...progress };
  return { kind: 'waiting', dueAtMs: settlement.dueAtMs, ...progress };
}

/** The state after the operator's act, or undefined: it does not concern this recipient. */
export function acted(
  state: RecipientState,
  action: OperatorAction,
  nowMs: number,
): RecipientState | undefined {
  if (state.kind === 'settled') return undefined;
  const { attempts, lastAnswer, delayReported } = state;
  switch (action) {
    case 'retry':
      return { kind: 'waiting', dueAtMs: nowMs, attempts, lastAnswer, delayReported };
    case 'release':
      if (state.kind !== 'held') return undefined;
      return { kind: 'waiting', dueAtMs: nowMs, attempts, lastAnswer, delayReported };
    case 'hold':
      return state.kind === 'held' ? undefined : { kind: 'held', attempts, lastAnswer, delayReported };
    case 'drop':
      return { kind: 'settled', outcome: 'dropped', atMs: nowMs, lastAnswer };
    default:
      return unreachable(action);
  }
}

/** When the message is due by itself: the earliest of its waiting recipients. */
export function dueAtMs(states: readonly RecipientState[]): number | undefined {
  let due: number | undefined;
  for (const state of states)
    if (state.kind === 'waiting') due = Math.min(due ?? state.dueAtMs, state.dueAtMs);
  return due;
}

/** When the queue looks at the message next: not before the lease is over. */
export function nextLookMs(due: number | undefined, leaseUntilMs: number | undefined): number | undefined {
  return due === undefined || leaseUntilMs === undefined ? due : Math.max(due, leaseUntilMs);
}

/** The domain that a filter compares with: of the route, or of a local recipient's address. */
export function domainOf(forwardPath: string, route: Route): string {
  if (route.kind === 'remote') return route.domain.toLowerCase();
  return forwardPath.slice(forwardPath.lastIndexOf('@') + 1).toLowerCase();
}

/** What {@link QueueFilter.sender} compares with. */
export function senderKey(reversePath: string | null): string {
  return (reversePath ?? '').toLowerCase();
}

/** Whether a recipient is meant. What is settled never is. */
export function matchesRecipient(
  filter: QueueFilter,
  { forwardPath, route }: NewRecipient,
  state: RecipientState,
): boolean {
  if (state.kind === 'settled') return false;
  if (filter.state !== undefined && filter.state !== state.kind) return false;
  if (filter.domain !== undefined && filter.domain.toLowerCase() !== domainOf(forwardPath, route))
    return false;
  return filter.recipient === undefined || filter.recipient.toLowerCase() === forwardPath.toLowerCase();
}

/** True when all of it may be written down without a sync of its own: local delivery repeats itself harmlessly. */
export function isRepeatable(settlements: readonly Settlement[], follow: readonly unknown[]): boolean {
  return follow.length === 0 && settlements.every(({ kind }) => kind === 'delivered');
}
