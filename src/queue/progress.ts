/**
 * How a recipient's state changes, and what a filter matches: the rules that every queue shares. Pure. See docs/queue.md.
 */
import { unreachable } from '../base/unreachable.ts';
import { HELD_BY_OPERATOR, heldBySuspension } from './queue.ts';
import type {
  NewQueuedMessage,
  NewRecipient,
  OperatorAct,
  QueuedMessage,
  QueueFilter,
  RecipientState,
  Route,
  Settlement,
  SuspensionScope,
} from './queue.ts';

type FirstTimes = Pick<NewQueuedMessage, 'arrivedAtMs' | 'releaseAtMs'>;

/** RFC 6710 §3.1. */
export const PRIORITY_MIN = -9;
export const PRIORITY_MAX = 9;
/** The highest first. */
export const PRIORITIES: readonly number[] = Array.from(
  { length: PRIORITY_MAX - PRIORITY_MIN + 1 },
  (_, step) => PRIORITY_MAX - step,
);
/** Of two messages that are due, one step of priority is worth so much waiting: the lower one goes later, but it goes. */
export const PRIORITY_STEP_MS = 60_000;

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
  return { kind: 'held', reason: hold.reason, lastAnswer, ...fresh };
}

/**
 * The state after an attempt, or undefined: it stays as it is.
 *
 * @param isSuspended asked in the commit that writes the state, so that no resumption falls in between
 */
export function settled(
  state: RecipientState,
  settlement: Settlement,
  nowMs: number,
  isSuspended: (scope: SuspensionScope) => boolean,
): RecipientState | undefined {
  if (state.kind === 'settled') return undefined;
  if (settlement.kind === 'suspended') {
    const { attempts, lastAnswer, delayReported } = state;
    if (state.kind === 'held' || !isSuspended(settlement.scope)) return undefined;
    return {
      kind: 'held',
      reason: heldBySuspension(settlement.scope),
      attempts,
      lastAnswer,
      delayReported,
    };
  }
  if (settlement.kind === 'held') {
    const { attempts, delayReported } = state;
    const { answer } = settlement;
    return {
      kind: 'held',
      reason: answer.reason,
      attempts: attempts + 1,
      lastAnswer: answer,
      delayReported,
    };
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
  const progress = {
    attempts: state.attempts + 1,
    lastAnswer: settlement.answer,
    delayReported: settlement.delayReported,
  };
  // What the operator said meanwhile outlives an attempt that was under way.
  if (state.kind === 'held') return { kind: 'held', reason: state.reason, ...progress };
  if (state.expired === true) return { ...state, ...progress };
  return { kind: 'waiting', dueAtMs: settlement.dueAtMs, ...progress };
}

/** The state after the operator's act, or undefined: it does not concern this recipient. */
export function acted(state: RecipientState, act: OperatorAct, nowMs: number): RecipientState | undefined {
  if (state.kind === 'settled') return undefined;
  const { attempts, lastAnswer, delayReported } = state;
  const progress = { attempts, lastAnswer, delayReported };
  switch (act.kind) {
    case 'retry':
      return { kind: 'waiting', dueAtMs: nowMs, ...progress, askedAtMs: nowMs };
    case 'release':
      return state.kind === 'held' ? { kind: 'waiting', dueAtMs: nowMs, ...progress } : undefined;
    case 'hold': {
      const { reason = HELD_BY_OPERATOR } = act;
      return state.kind === 'held' && state.reason === reason
        ? undefined
        : { kind: 'held', reason, ...progress };
    }
    case 'expire':
      return { kind: 'waiting', dueAtMs: nowMs, ...progress, expired: true };
    case 'drop':
      return { kind: 'settled', outcome: 'dropped', atMs: nowMs, lastAnswer };
    case 'wake':
      return isInBacklog(state, nowMs) && act.reasons.includes(lastAnswer?.reason ?? '')
        ? { ...state, dueAtMs: nowMs }
        : undefined;
    default:
      return unreachable(act);
  }
}

/** Had an answer, and is due later. */
export function isInBacklog(
  state: RecipientState,
  nowMs: number,
): state is Extract<RecipientState, { kind: 'waiting' }> {
  return state.kind === 'waiting' && state.dueAtMs > nowMs && state.lastAnswer !== undefined;
}

/** What becomes of a recipient that others take the place of, and how they begin; undefined: it is settled. */
export function readdressed(
  state: RecipientState,
  nowMs: number,
): { readonly replaced: RecipientState; readonly first: RecipientState } | undefined {
  if (state.kind === 'settled') return undefined;
  return {
    replaced: { kind: 'settled', outcome: 'expanded', atMs: nowMs, lastAnswer: state.lastAnswer },
    first: {
      kind: 'waiting',
      dueAtMs: nowMs,
      attempts: 0,
      lastAnswer: undefined,
      delayReported: state.delayReported,
    },
  };
}

/** When the operator last asked for an attempt for one of them. */
export function lastAskedAtMs(recipients: readonly { readonly state: RecipientState }[]): number | undefined {
  const asked = recipients.flatMap(({ state }) =>
    state.kind === 'waiting' && state.askedAtMs !== undefined ? [state.askedAtMs] : [],
  );
  return asked.length === 0 ? undefined : Math.max(...asked);
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

/** Whether a recipient is meant, as far as that is up to it. What is settled never is. */
export function matchesRecipient(
  filter: QueueFilter,
  { forwardPath, route }: NewRecipient,
  state: RecipientState,
): boolean {
  if (state.kind === 'settled') return false;
  const { lastAnswer } = state;
  return (
    isOrUnasked(filter.state, state.kind) &&
    isOrUnasked(filter.hold, state.kind === 'held' ? state.reason : undefined) &&
    isOrUnasked(filter.domain?.toLowerCase(), domainOf(forwardPath, route)) &&
    isOrUnasked(filter.recipient?.toLowerCase(), forwardPath.toLowerCase()) &&
    isOrUnasked(filter.reason, lastAnswer?.reason) &&
    isOrUnasked(lowerAscii(filter.host), lowerAscii(lastAnswer?.host)) &&
    (filter.text === undefined ||
      (lowerAscii(lastAnswer?.text) ?? '').includes(lowerAscii(filter.text) ?? ''))
  );
}

/** Whether a message is meant, its recipients apart. */
export function matchesMessage(filter: QueueFilter, message: Omit<QueuedMessage, 'recipients'>): boolean {
  const { id, blob, reversePath, arrivedAtMs, priority, source } = message;
  return (
    isOrUnasked(filter.id, id) &&
    isOrUnasked(filter.sender?.toLowerCase(), senderKey(reversePath)) &&
    isOrUnasked(filter.account, source.account) &&
    isOrUnasked(filter.source, source.remote) &&
    arrivedAtMs < (filter.arrivedBeforeMs ?? Number.POSITIVE_INFINITY) &&
    arrivedAtMs > (filter.arrivedAfterMs ?? Number.NEGATIVE_INFINITY) &&
    blob.octets >= (filter.octetsMin ?? 0) &&
    blob.octets <= (filter.octetsMax ?? Number.POSITIVE_INFINITY) &&
    priority >= (filter.priorityMin ?? PRIORITY_MIN) &&
    priority <= (filter.priorityMax ?? PRIORITY_MAX)
  );
}

function isOrUnasked<Value>(asked: Value | undefined, value: Value | undefined): boolean {
  return asked === undefined || asked === value;
}

/** Lower case as databases know it without a locale. */
export function lowerAscii<Text extends string | undefined>(text: Text): Text | string {
  return text?.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase()) ?? text;
}

/** True when all of it may be written down without a sync of its own: local delivery repeats itself harmlessly. */
export function isRepeatable(settlements: readonly Settlement[], follow: readonly unknown[]): boolean {
  return follow.length === 0 && settlements.every(({ kind }) => kind === 'delivered');
}
