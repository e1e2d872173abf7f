/**
 * Gives queued recipients the way that the directory knows now, another address, or another next hop. A message that is
 * being worked on at this moment is passed over and counted: it is as it was, and can be asked for again.
 */
import { matchesRecipient } from '../queue/progress.ts';
import type {
  NewRecipient,
  Queue,
  QueueFilter,
  QueuedMessage,
  QueuedRecipient,
  QueueId,
  Replacement,
} from '../queue/queue.ts';
import { originalRecipientOf } from '../smtp/wire/original-recipient.ts';
import type { ExpandPorts } from './expand.ts';
import { expandRecipients } from './expand.ts';
import type { RemoteHop } from './named-hop.ts';

/** Where recipients are to go. */
export type Readdressing =
  /** Where their own address leads now. */
  | { readonly kind: 'directory' }
  | { readonly kind: 'address'; readonly address: string }
  /** The hosts of this domain, or the address literal, take the mail; the recipient stays who he is. */
  | { readonly kind: 'next-hop'; readonly hop: RemoteHop };

export type Readdressed = {
  readonly messages: number;
  readonly recipients: number;
  /** Messages that somebody was working on. */
  readonly busy: number;
  /** Recipients whose address is nobody's. */
  readonly unknown: number;
};

export type ReaddressPorts = ExpandPorts & { readonly queue: Pick<Queue, 'list' | 'readdress' | 'act'> };

const PAGE_MESSAGES = 200;

/** @param told of each message that was changed */
export async function readdress(
  ports: ReaddressPorts,
  filter: QueueFilter,
  to: Readdressing,
  nowMs: number,
  rehearses: boolean,
  told: (id: QueueId, recipients: number) => void = () => undefined,
): Promise<Readdressed> {
  const sum = { messages: 0, recipients: 0, busy: 0, unknown: 0 };
  for (let after: QueueId | undefined; ;) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page = await ports.queue.list(filter, after, PAGE_MESSAGES);
    for (const message of page) {
      const meant = message.recipients.filter((one) => matchesRecipient(filter, one, one.state));
      // oxlint-disable-next-line no-await-in-loop -- commit after commit
      const plan = await planOf(ports, message, meant, to);
      sum.unknown += plan.unknown;
      if (plan.known.length === 0) continue;
      // oxlint-disable-next-line no-await-in-loop -- the same
      if (!rehearses && !(await carryOut(ports.queue, message.id, filter, plan, nowMs))) {
        sum.busy += 1;
        continue;
      }
      sum.messages += 1;
      sum.recipients += plan.known.length;
      if (!rehearses) told(message.id, plan.known.length);
    }
    if (page.length < PAGE_MESSAGES) return sum;
    after = page.at(-1)?.id;
  }
}

type Plan = {
  readonly known: readonly QueuedRecipient[];
  /** Of known recipients: who comes in their place. The others stay who they are, and are tried again. */
  readonly replacements: readonly Replacement[];
  readonly unknown: number;
};

async function planOf(
  ports: ExpandPorts,
  message: QueuedMessage,
  meant: readonly QueuedRecipient[],
  to: Readdressing,
): Promise<Plan> {
  const known: QueuedRecipient[] = [];
  const replacements: Replacement[] = [];
  for (const recipient of meant) {
    // oxlint-disable-next-line no-await-in-loop -- a message has few that match
    const by = await placeOf(ports, message, recipient, to);
    if (by.length === 0) continue;
    known.push(recipient);
    const [only] = by;
    const same = by.length === 1 && only !== undefined && isSame(only, recipient);
    if (!same) replacements.push({ recipient: recipient.number, by });
  }
  return { known, replacements, unknown: meant.length - known.length };
}

async function placeOf(
  ports: ExpandPorts,
  message: QueuedMessage,
  recipient: QueuedRecipient,
  to: Readdressing,
): Promise<readonly NewRecipient[]> {
  const { number: _number, state: _state, ...kept } = recipient;
  if (to.kind === 'next-hop') return [{ ...kept, route: to.hop }];
  const address = to.kind === 'address' ? to.address : recipient.forwardPath;
  // RFC 3461 §5.2.7: whom the sender wrote to goes along.
  const originalRecipient =
    to.kind === 'address'
      ? (recipient.originalRecipient ?? originalRecipientOf(recipient.forwardPath))
      : recipient.originalRecipient;
  const { recipients, lists } = await expandRecipients(ports, message, [
    { address, notify: recipient.notify, originalRecipient },
  ]);
  const { reversePath } = recipient;
  return [
    ...recipients.map((one) => ({ ...(reversePath === undefined ? {} : { reversePath }), ...one })),
    // No message of its own any more; its owner hears of its copies all the same.
    ...lists.flatMap(({ owner, recipients: members }) =>
      members.map((one) => ({ reversePath: owner, ...one })),
    ),
  ];
}

function isSame(one: NewRecipient, other: NewRecipient): boolean {
  return (
    one.forwardPath === other.forwardPath &&
    one.route.kind === other.route.kind &&
    (one.route.kind === 'local'
      ? other.route.kind === 'local' && one.route.account === other.route.account
      : other.route.kind === 'remote' &&
        one.route.domain === other.route.domain &&
        one.route.port === other.route.port &&
        one.route.speech === other.route.speech)
  );
}

/** False: somebody is working on the message, or it has left. */
async function carryOut(
  queue: ReaddressPorts['queue'],
  id: QueueId,
  filter: QueueFilter,
  { replacements, known }: Plan,
  nowMs: number,
): Promise<boolean> {
  if (replacements.length > 0 && (await queue.readdress(id, replacements, nowMs)) !== 'readdressed')
    return false;
  if (replacements.length < known.length) await queue.act([id], filter, { kind: 'retry' }, nowMs);
  return true;
}
