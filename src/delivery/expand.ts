/**
 * From the recipients of an envelope to those of the queue: aliases and groups are followed, each account gets the message
 * once however many ways lead there, and targets at other hosts become remote recipients that keep the address the sender
 * wrote (RFC 3461 §5.2.7: ORCPT, NOTIFY go along). A list is a message of its own, from its owner (RFC 5321 §3.9.2).
 * Sources: RFC 5321 §3.9, §4.1.1.3.
 */
import { Gate } from '../base/gate.ts';
import { LIMITS } from '../base/limits.ts';
import type { Directory, ListTargets, Resolution } from '../auth/directory.ts';
import { originalRecipientOf } from '../smtp/wire/original-recipient.ts';
import type { NewQueuedMessage, NewRecipient, NotifyOn } from '../queue/queue.ts';
import type { ReturnPaths } from './return-paths.ts';

/** One accepted RCPT. */
export type EnvelopeRecipient = {
  /** `local@domain` as received, or `postmaster`. */
  readonly address: string;
  readonly notify: NotifyOn | undefined;
  /** As {@link NewRecipient.originalRecipient}. */
  readonly originalRecipient: string | undefined;
  /** As {@link NewRecipient.reversePath}: what the sender asked for. */
  readonly reversePath?: string | undefined;
};

/** What one RCPT became: indexes into `recipients` and `lists`. Several RCPTs may share one. */
export type ExpansionTarget = { readonly recipients: readonly number[]; readonly lists: readonly number[] };

/** The copies that a list redistributes. */
export type ListCopies = {
  readonly address: string;
  readonly owner: string;
  /** May be empty: all of them get the message without the list. */
  readonly recipients: readonly NewRecipient[];
};

export type Expansion = {
  readonly recipients: readonly NewRecipient[];
  readonly lists: readonly ListCopies[];
  /** For each envelope recipient, in order. `undefined`: it is nobody's any more. */
  readonly targets: readonly (ExpansionTarget | undefined)[];
  /** Those whose sender asked to hear of success, and hears of it when we take the message. */
  readonly reports: readonly {
    readonly recipient: EnvelopeRecipient;
    /** `delivered`: to a list, where it ends (RFC 3461 §5.2.7.1). `expanded`: to several (§5.2.7.3 (c)). */
    readonly action: 'delivered' | 'expanded';
  }[];
};

export type ExpandPorts = {
  readonly directory: Pick<Directory, 'resolve'>;
  readonly returnPaths: ReturnPaths;
};

type Local = Extract<Resolution, { kind: 'local' }>;

/** Recipients by what makes two of them one. */
class Recipients {
  readonly list: NewRecipient[] = [];
  readonly #numbers = new Map<string, number>();

  has(recipient: NewRecipient): boolean {
    return this.#numbers.has(keyOf(recipient));
  }

  /** Gives its number; of two that are one, what either of them asked for holds. */
  add(recipient: NewRecipient): number {
    const key = keyOf(recipient);
    const known = this.#numbers.get(key);
    const first = known === undefined ? undefined : this.list[known];
    if (known !== undefined && first !== undefined) {
      this.list[known] = { ...first, notify: eitherOf(first.notify, recipient.notify) };
      return known;
    }
    this.#numbers.set(key, this.list.length);
    return this.list.push(recipient) - 1;
  }
}

/** Whether a message for both of them is delivered once. */
export function isSameRecipient(one: NewRecipient, other: NewRecipient): boolean {
  return keyOf(one) === keyOf(other);
}

function keyOf({ route, forwardPath }: NewRecipient): string {
  return route.kind === 'local' ? `local ${route.account}` : `remote ${forwardPath}`;
}

export async function expandRecipients(
  ports: ExpandPorts,
  message: Pick<NewQueuedMessage, 'reversePath' | 'smtpUtf8'>,
  envelope: readonly EnvelopeRecipient[],
): Promise<Expansion> {
  const asked = await Promise.all(envelope.map((recipient) => resolved(ports, recipient)));
  const recipients = new Recipients();
  const lists = new Map<string, { readonly list: ListTargets; readonly number: number }>();
  const targets: (ExpansionTarget | undefined)[] = [];
  const reports: Expansion['reports'][number][] = [];
  for (const { recipient, resolution } of asked) {
    const numbers: number[] = [];
    if (resolution.kind === 'unknown' || resolution.kind === 'disabled') {
      targets.push(undefined);
      continue;
    }
    // Where nobody may be told, there is no owner either: bounces of bounces would come to life.
    const local =
      resolution.kind === 'local' && message.reversePath === null ? plain(resolution) : resolution;
    const own = local.kind === 'local' ? (local.lists ?? []) : [];
    // oxlint-disable-next-line no-await-in-loop -- earlier recipients decide what later ones share
    for (const one of await directTargets(ports, message, recipient, local, own.length))
      numbers.push(recipients.add(one));
    for (const list of own) {
      const known = lists.get(list.address);
      lists.set(list.address, {
        list: known === undefined ? list : united(known.list, list),
        number: known?.number ?? lists.size,
      });
    }
    targets.push({
      recipients: numbers,
      lists: own.map(({ address }) => lists.get(address)?.number).filter((number) => number !== undefined),
    });
    if (recipient.notify?.includes('success') !== true) continue;
    if (numbers.length + own.length > 1) reports.push({ recipient, action: 'expanded' });
    else if (own.length === 1) reports.push({ recipient, action: 'delivered' });
  }
  if (lists.size === 0) return { recipients: recipients.list, lists: [], targets, reports };
  const all = new Recipients();
  for (const recipient of recipients.list) all.add(recipient);
  const copies: ListCopies[] = [];
  for (const { list } of lists.values())
    // oxlint-disable-next-line no-await-in-loop -- who is in one list is not in the next
    copies.push(await copiesOf(ports, message, list, all));
  return { recipients: recipients.list, lists: copies, targets, reports };
}

/** A rewritten address of ours is asked for by whom it stands for: a report about forwarded mail is forwarded to its sender. */
async function resolved(
  { directory, returnPaths }: ExpandPorts,
  recipient: EnvelopeRecipient,
): Promise<{ readonly recipient: EnvelopeRecipient; readonly resolution: Resolution }> {
  const original = await returnPaths.original(recipient.address);
  if (original === undefined) return { recipient, resolution: await directory.resolve(recipient.address) };
  if (original.kind !== 'address') return { recipient, resolution: { kind: 'unknown' } };
  const resolution = await directory.resolve(original.address);
  return resolution.kind === 'remote'
    ? { recipient, resolution: { kind: 'local', accounts: [], forwards: [original.address] } }
    : { recipient: { ...recipient, address: original.address }, resolution };
}

/** One list as two ways lead to it: who was reached past it on one of them may not be on the other. */
function united(one: ListTargets, other: ListTargets): ListTargets {
  const accounts = [...one.accounts, ...other.accounts];
  return {
    ...one,
    accounts: accounts.filter(
      ({ account }, index) => accounts.findIndex((first) => first.account === account) === index,
    ),
    forwards: [...new Set([...one.forwards, ...other.forwards])],
  };
}

/** A list taken for an alias. */
function plain({ accounts, forwards, lists = [] }: Local): Local {
  return {
    kind: 'local',
    accounts: [...accounts, ...lists.flatMap((list) => list.accounts)],
    forwards: [...forwards, ...lists.flatMap((list) => list.forwards)],
  };
}

/** Those whom a RCPT reaches through no list. @param lists through how many others are reached */
async function directTargets(
  ports: ExpandPorts,
  message: Pick<NewQueuedMessage, 'reversePath' | 'smtpUtf8'>,
  recipient: EnvelopeRecipient,
  resolution: Extract<Resolution, { kind: 'local' | 'remote' }>,
  lists: number,
): Promise<readonly NewRecipient[]> {
  const { address, notify, originalRecipient, reversePath } = recipient;
  const own = reversePath === undefined ? {} : { reversePath };
  if (resolution.kind === 'remote') {
    const forwardPath = onTheWire(address, resolution.domain, message.smtpUtf8);
    const route = { kind: 'remote', domain: resolution.domain } as const;
    return [{ forwardPath, route, notify, originalRecipient, ...own }];
  }
  const { accounts, forwards } = resolution;
  const several = accounts.length + forwards.length + lists > 1;
  const original = originalRecipient ?? originalRecipientOf(address);
  // RFC 3461 §5.2.7.3 (c): who stands behind an alias of several is nobody's to learn from a report of success.
  const notifyEach = several ? notify?.filter((condition) => condition !== 'success') : notify;
  const local = accounts.map((target): NewRecipient => ({
    // RFC 5321 §4.1.1.3: `postmaster` comes without a domain, and goes on with one.
    forwardPath: several || !address.includes('@') ? target.address : address,
    route: { kind: 'local', account: target.account, detail: target.detail },
    notify: notifyEach,
    originalRecipient: several ? original : originalRecipient,
    ...own,
  }));
  const wanted = reversePath ?? message.reversePath;
  const left = forwards.length === 0 ? wanted : await leftWith(ports, wanted, address);
  const remote = await eachOf(forwards, (forward) =>
    forwardedTo(ports, message, address, forward, left, message.reversePath),
  );
  return [...local, ...remote.map((one) => ({ ...one, notify: notifyEach, originalRecipient: original }))];
}

async function copiesOf(
  ports: ExpandPorts,
  message: Pick<NewQueuedMessage, 'smtpUtf8'>,
  { address, owner, verp, accounts, forwards }: ListTargets,
  all: Recipients,
): Promise<ListCopies> {
  const tag = (recipient: string): string | undefined =>
    verp ? ports.returnPaths.tagged(owner, recipient) : undefined;
  const local = accounts.map((target): NewRecipient => {
    const reversePath = tag(target.address);
    return {
      forwardPath: target.address,
      route: { kind: 'local', account: target.account, detail: target.detail },
      notify: undefined,
      originalRecipient: undefined,
      ...(reversePath === undefined ? {} : { reversePath }),
    };
  });
  const remote = await eachOf(forwards, async (forward) => {
    const left = await leftWith(ports, tag(forward) ?? owner, address);
    return forwardedTo(ports, message, address, forward, left, owner);
  });
  const recipients = [...local, ...remote].filter((one) => !all.has(one));
  for (const recipient of recipients) all.add(recipient);
  return { address, owner, recipients };
}

/** The reverse-path of a copy that an address of ours forwards: rewritten, where it must be. */
async function leftWith(
  { returnPaths }: ExpandPorts,
  reversePath: string | null,
  from: string,
): Promise<string | null> {
  return (await returnPaths.forwarded(reversePath, from)) ?? reversePath;
}

/** Those of them who are somebody, in their order; so many are asked about at once, as a list may be long. */
async function eachOf<Found>(
  forwards: readonly string[],
  ask: (forward: string) => Promise<Found | undefined>,
): Promise<readonly Found[]> {
  const gate = new Gate(LIMITS.expansionsMax);
  const found = await Promise.all(forwards.map((forward) => gate.run(() => ask(forward))));
  return found.filter((one) => one !== undefined);
}

/**
 * A recipient at another host, to which an address of ours leads.
 *
 * @param left the reverse-path that its copy leaves with
 * @param usual the reverse-path of the message that it is a recipient of
 */
async function forwardedTo(
  { directory }: ExpandPorts,
  { smtpUtf8 }: Pick<NewQueuedMessage, 'smtpUtf8'>,
  from: string,
  forward: string,
  left: string | null,
  usual: string | null,
): Promise<NewRecipient | undefined> {
  const next = await directory.resolve(forward);
  if (next.kind !== 'remote') return undefined;
  return {
    forwardPath: onTheWire(forward, next.domain, smtpUtf8),
    route: { kind: 'remote', domain: next.domain },
    notify: undefined,
    originalRecipient: undefined,
    ...(left === null || left === usual ? {} : { reversePath: left }),
    forwardedFrom: from,
  };
}

/** What either of two RCPTs that come together asks to hear of. Unsaid means FAILURE, and DELAY as we choose (RFC 3461 §4.1). */
function eitherOf(one: NotifyOn | undefined, other: NotifyOn | undefined): NotifyOn | undefined {
  if (one === undefined && other === undefined) return undefined;
  return [...new Set([...(one ?? UNSAID), ...(other ?? UNSAID)])];
}

const UNSAID: NotifyOn = ['failure', 'delay'];

/** The local part is the next host's to read: kept as it is. The domain is in A-labels where UTF-8 was not agreed. */
function onTheWire(address: string, domain: string, smtpUtf8: boolean): string {
  const at = address.lastIndexOf('@');
  return smtpUtf8 || at === -1 ? address : `${address.slice(0, at)}@${domain}`;
}
