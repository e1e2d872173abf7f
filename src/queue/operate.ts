/**
 * What an operator does to many messages: page after page, a commit for each, so that the queue goes on meanwhile. What was
 * done when a fault ends it stays done; said again, it goes on.
 */
import { acted, matchesRecipient } from './progress.ts';
import { heldBySuspension } from './queue.ts';
import type { Acted, OperatorAct, Queue, QueueFilter, QueueId, SuspensionScope } from './queue.ts';

export type Tally = { readonly messages: number; readonly recipients: number };

/** Whether the recipients that match are meant, or the messages that have one, with all their recipients. */
export type Meaning = 'recipients' | 'messages';

/** Messages of one commit. */
const PAGE_MESSAGES = 200;
const EVERYBODY: QueueFilter = {};

/** @param told what each commit changed */
export async function operate(
  queue: Pick<Queue, 'find' | 'act'>,
  filter: QueueFilter,
  act: OperatorAct,
  nowMs: number,
  meaning: Meaning = 'recipients',
  told: (changed: readonly Acted[]) => void = () => undefined,
): Promise<Tally> {
  const meant = meaning === 'messages' ? EVERYBODY : filter;
  let tally: Tally = { messages: 0, recipients: 0 };
  for (let after: QueueId | undefined; ;) {
    // oxlint-disable-next-line no-await-in-loop -- commit after commit
    const ids = await queue.find(filter, after, PAGE_MESSAGES);
    if (ids.length > 0) {
      // oxlint-disable-next-line no-await-in-loop -- the same
      const changed = await queue.act(ids, meant, act, nowMs);
      tally = add(tally, changed);
      told(changed);
    }
    if (ids.length < PAGE_MESSAGES) return tally;
    after = ids.at(-1);
  }
}

/** What {@link operate} would change now. */
export async function rehearse(
  queue: Pick<Queue, 'list'>,
  filter: QueueFilter,
  act: OperatorAct,
  nowMs: number,
  meaning: Meaning = 'recipients',
): Promise<Tally> {
  const meant = meaning === 'messages' ? EVERYBODY : filter;
  let tally: Tally = { messages: 0, recipients: 0 };
  for (let after: QueueId | undefined; ;) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page = await queue.list(filter, after, PAGE_MESSAGES);
    const changed = page.map(({ id, recipients }) => ({
      id,
      recipients: recipients
        .filter(
          (one) => matchesRecipient(meant, one, one.state) && acted(one.state, act, nowMs) !== undefined,
        )
        .map(({ number }) => number),
    }));
    tally = add(tally, changed);
    if (page.length < PAGE_MESSAGES) return tally;
    after = page.at(-1)?.id;
  }
}

function add({ messages, recipients }: Tally, changed: readonly Acted[]): Tally {
  return {
    messages: messages + changed.filter((one) => one.recipients.length > 0).length,
    recipients: recipients + changed.reduce((sum, one) => sum + one.recipients.length, 0),
  };
}

/** Ends a suspension and lets go what it held; undefined where there was none and nothing is left of it. */
export async function resume(
  queue: Pick<Queue, 'resume' | 'find' | 'act'>,
  scope: SuspensionScope,
  nowMs: number,
): Promise<Tally | undefined> {
  const was = await queue.resume(scope);
  // Where a resumption was cut short, saying it again ends it.
  const released = await operate(queue, { hold: heldBySuspension(scope) }, { kind: 'release' }, nowMs);
  return was || released.messages > 0 ? released : undefined;
}
