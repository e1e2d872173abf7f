/** What can be asked about the queue, and done to it, from outside the protocols. */
import type { Directory } from '../../auth/directory.ts';
import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { parseNamedHop } from '../../delivery/named-hop.ts';
import type { RemoteHop } from '../../delivery/named-hop.ts';
import { readdress } from '../../delivery/readdress.ts';
import type { Readdressing } from '../../delivery/readdress.ts';
import type { ReturnPaths } from '../../delivery/return-paths.ts';
import type { EventOf } from '../../observe/definition.ts';
import type { QUEUE_EVENTS } from '../../observe/events/queue.ts';
import { operate, rehearse, resume } from '../../queue/operate.ts';
import { toQueueId, toSuspensionScope } from '../../queue/queue.ts';
import type { OperatorAct, Queue, QueueFilter, QueueId, SuspensionScope } from '../../queue/queue.ts';
import { BlobError } from '../../store/blob-store.ts';
import type { BlobRef, BlobStore } from '../../store/blob-store.ts';
import { toAccountId } from '../../store/ids.ts';
import { BadRequest } from './fields.ts';
import type { Fields } from './fields.ts';
import { directoryProblem } from './problem.ts';
import type { ControlProblem } from './problem.ts';
import { viewGroup, viewMessage } from './queue-view.ts';
import type { QueueCount, QueueFilterView, QueueGroupView, QueuedMessageView } from './queue-view.ts';

type Page = { readonly after?: string; readonly limit?: number };
type None = Readonly<Record<string, never>>;
/** `dryRun`: nothing is changed; what would be is counted. */
type Meant = QueueFilterView & { readonly dryRun?: boolean };
/** With `whole`, messages that have a matching recipient are meant with all their recipients. */
type MeantByMessage = Meant & { readonly whole?: boolean };
type Changed = { readonly messages: number; readonly recipients: number };
type Readdressed = Changed & { readonly busy: number; readonly unknown: number };
/** One of the three. */
type ScopeView = { readonly domain?: string; readonly route?: string; readonly all?: true };
export type SuspensionView = { readonly scope: string; readonly sinceMs: number };

export type QueueMethods = {
  'queue.list': {
    params: QueueFilterView & Page;
    result: { readonly messages: readonly QueuedMessageView[] };
  };
  'queue.summary': {
    params: QueueFilterView & { readonly limit?: number };
    result: {
      readonly groups: readonly QueueGroupView[];
      readonly suspensions: readonly SuspensionView[];
      readonly count: QueueCount;
    };
  };
  'queue.show': { params: { readonly id: string }; result: { readonly message: QueuedMessageView } };
  /** What its next hops would get, but for Return-Path, from the octet `from` on; `octets` are base64, `total` is of all. */
  'queue.content': {
    params: { readonly id: string; readonly from?: number };
    result: { readonly octets: string; readonly total: number };
  };
  'queue.count': { params: None; result: QueueCount };
  'queue.retry': { params: MeantByMessage; result: Changed };
  'queue.hold': { params: MeantByMessage; result: Changed };
  'queue.release': { params: MeantByMessage; result: Changed };
  'queue.expire': { params: MeantByMessage; result: Changed };
  'queue.drop': { params: MeantByMessage; result: Changed };
  'queue.requeue': { params: Meant; result: Readdressed };
  /** One of `toAddress` and `toHop`. */
  'queue.reroute': {
    params: Meant & { readonly toAddress?: string; readonly toHop?: string };
    result: Readdressed;
  };
  'queue.suspend': { params: ScopeView; result: SuspensionView };
  'queue.resume': { params: ScopeView; result: Changed };
};

export type QueueEvent = EventOf<typeof QUEUE_EVENTS>;

export type QueueControlPorts = {
  readonly clock: Clock;
  readonly directory: Directory;
  readonly returnPaths: ReturnPaths;
  queue(): Promise<Queue>;
  blobs(): Promise<Pick<BlobStore, 'read'>>;
  /** Told of everything that an operator does. */
  queueEvents(event: QueueEvent): void;
};

type Method = keyof QueueMethods;
type Run<Of extends Method> = (
  fields: Fields,
  ports: QueueControlPorts,
) => Promise<Result<QueueMethods[Of]['result'], ControlProblem>>;

const SUMMARY_GROUPS = 1000;

export const QUEUE_METHODS: { readonly [Of in Method]: Run<Of> } = {
  'queue.list': async (fields, ports) => {
    const filter = await readFilter(fields, ports);
    const { after, limit } = fields.page();
    fields.end();
    const afterId = after === undefined ? undefined : readQueueId(after);
    const messages = await (await ports.queue()).list(filter, afterId, limit);
    return ok({ messages: messages.map(viewMessage) });
  },
  'queue.summary': async (fields, ports) => {
    const filter = await readFilter(fields, ports);
    const limit = fields.whole('limit') ?? SUMMARY_GROUPS;
    fields.end();
    const queue = await ports.queue();
    const [groups, suspensions, count] = await Promise.all([
      queue.summary(filter, Math.min(limit, SUMMARY_GROUPS)),
      queue.suspensions(),
      queue.count(),
    ]);
    return ok({ groups: groups.map(viewGroup), suspensions, count });
  },
  'queue.show': async (fields, ports) => {
    const id = fields.text('id');
    fields.end();
    const [message] = await (await ports.queue()).list({ id: readQueueId(id) }, undefined, 1);
    if (message === undefined) return err(directoryProblem({ kind: 'not-found' }, id));
    return ok({ message: viewMessage(message) });
  },
  'queue.content': async (fields, ports) => {
    const id = fields.text('id');
    const from = fields.whole('from') ?? 0;
    fields.end();
    const [message] = await (await ports.queue()).list({ id: readQueueId(id) }, undefined, 1);
    if (message === undefined) return err(directoryProblem({ kind: 'not-found' }, id));
    const { prefix, blob } = message;
    const to = from + LIMITS.controlContentOctetsMax;
    const rest = await readBlob(await ports.blobs(), blob, from - prefix.length, to - prefix.length);
    const octets = Buffer.concat([prefix.subarray(from, to), rest]).toString('base64');
    return ok({ octets, total: prefix.length + blob.octets });
  },
  'queue.count': async (fields, ports) => {
    fields.end();
    return ok(await (await ports.queue()).count());
  },
  'queue.retry': (fields, ports) => act(fields, ports, { kind: 'retry' }),
  'queue.hold': (fields, ports) => act(fields, ports, { kind: 'hold' }),
  'queue.release': (fields, ports) => act(fields, ports, { kind: 'release' }),
  'queue.expire': (fields, ports) => act(fields, ports, { kind: 'expire' }),
  'queue.drop': (fields, ports) => act(fields, ports, { kind: 'drop' }),
  'queue.requeue': (fields, ports) => sendElsewhere(fields, ports, { kind: 'directory' }, 'requeue'),
  'queue.reroute': (fields, ports) => {
    const address = fields.optionalText('toAddress');
    const hop = fields.optionalText('toHop');
    if ((address === undefined) === (hop === undefined))
      throw new BadRequest('One of toAddress and toHop is needed');
    const to: Readdressing =
      address === undefined ? { kind: 'next-hop', hop: readHop(hop ?? '') } : { kind: 'address', address };
    return sendElsewhere(fields, ports, to, 'reroute');
  },
  'queue.suspend': async (fields, ports) => {
    const scope = readScope(fields);
    fields.end();
    const sinceMs = ports.clock.nowMs();
    await (await ports.queue()).suspend(scope, sinceMs);
    ports.queueEvents({ name: 'queue.suspended', scope });
    return ok({ scope, sinceMs });
  },
  'queue.resume': async (fields, ports) => {
    const scope = readScope(fields);
    fields.end();
    const resumed = await resume(await ports.queue(), scope, ports.clock.nowMs());
    if (resumed === undefined) return err(directoryProblem({ kind: 'not-found' }, scope));
    ports.queueEvents({ name: 'queue.resumed', scope, recipients: resumed.recipients });
    return ok(resumed);
  },
};

async function readBlob(
  blobs: Pick<BlobStore, 'read'>,
  blob: BlobRef,
  start: number,
  end: number,
): Promise<Buffer> {
  if (end <= 0) return Buffer.alloc(0);
  try {
    return await blobs.read(blob, Math.max(start, 0), end);
  } catch (cause) {
    throw cause instanceof BlobError ? new Fault('Reading the content of a message', cause) : cause;
  }
}

async function act(
  fields: Fields,
  ports: QueueControlPorts,
  what: OperatorAct,
): Promise<Result<Changed, ControlProblem>> {
  const filter = await readFilter(fields, ports);
  const dryRun = fields.flag('dryRun') ?? false;
  const meaning = fields.flag('whole') === true ? 'messages' : 'recipients';
  fields.end();
  const queue = await ports.queue();
  const nowMs = ports.clock.nowMs();
  if (dryRun) return ok(await rehearse(queue, filter, what, nowMs, meaning));
  return ok(
    await operate(queue, filter, what, nowMs, meaning, (changed) => {
      for (const { id, recipients } of changed)
        ports.queueEvents({
          name: 'queue.acted',
          queueId: id,
          act: what.kind,
          recipients: recipients.length,
          ...meantBy(filter, meaning),
        });
    }),
  );
}

async function sendElsewhere(
  fields: Fields,
  ports: QueueControlPorts,
  to: Readdressing,
  name: 'requeue' | 'reroute',
): Promise<Result<Readdressed, ControlProblem>> {
  const filter = await readFilter(fields, ports);
  const dryRun = fields.flag('dryRun') ?? false;
  fields.end();
  if (to.kind === 'address') {
    const { kind } = await ports.directory.resolve(to.address);
    if (kind === 'unknown' || kind === 'disabled')
      return err(directoryProblem({ kind: 'not-found' }, to.address));
  }
  const queue = await ports.queue();
  const changed = await readdress(
    { queue, directory: ports.directory, returnPaths: ports.returnPaths },
    filter,
    to,
    ports.clock.nowMs(),
    dryRun,
    (queueId, recipients) =>
      ports.queueEvents({ name: 'queue.acted', queueId, act: name, recipients, ...meantBy(filter) }),
  );
  return ok(changed);
}

/** Which recipients of a message, for its trace, where the filter says it. */
function meantBy(
  { recipient, domain }: QueueFilter,
  meaning: 'messages' | 'recipients' = 'recipients',
): Pick<Extract<QueueEvent, { name: 'queue.acted' }>, 'address' | 'domain'> {
  if (meaning === 'messages') return { address: undefined, domain: undefined };
  return { address: recipient, domain: recipient === undefined ? domain : undefined };
}

async function readFilter(
  fields: Fields,
  { directory }: Pick<QueueControlPorts, 'directory'>,
): Promise<QueueFilter> {
  const id = fields.optionalText('id');
  const account = fields.optionalText('account');
  const filter: { -readonly [Key in keyof QueueFilter]: QueueFilter[Key] | undefined } = {
    id: id === undefined ? undefined : readQueueId(id),
    state: fields.oneOf('state', ['waiting', 'held'] as const),
    hold: fields.optionalText('hold'),
    domain: fields.optionalText('domain'),
    recipient: fields.optionalText('recipient'),
    sender: fields.optionalText('sender'),
    account: account === undefined ? undefined : await readAccount(directory, account),
    source: fields.optionalText('source'),
    arrivedBeforeMs: fields.whole('arrivedBeforeMs'),
    arrivedAfterMs: fields.whole('arrivedAfterMs'),
    octetsMin: fields.whole('octetsMin'),
    octetsMax: fields.whole('octetsMax'),
    priorityMin: fields.integer('priorityMin'),
    priorityMax: fields.integer('priorityMax'),
    reason: fields.optionalText('reason'),
    host: fields.optionalText('host'),
    text: fields.optionalText('text'),
  };
  for (const value of Object.values(filter))
    if (typeof value === 'string' && value.includes('\0')) throw new BadRequest('A filter has a NUL in it');
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is undefined is taken out
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as QueueFilter;
}

/** An account that is gone is named by its number. */
async function readAccount(directory: Directory, text: string): Promise<NonNullable<QueueFilter['account']>> {
  const id = /^[0-9]{1,15}$/.test(text)
    ? toAccountId(Number(text))
    : (await directory.accountByAddress(text))?.id;
  if (id === undefined) throw new BadRequest(`${JSON.stringify(text.slice(0, 300))} is no account`);
  return id;
}

function readQueueId(text: string): QueueId {
  const id = toQueueId(text);
  if (id === undefined) throw new BadRequest(`${JSON.stringify(text.slice(0, 60))} is no queue id`);
  return id;
}

function readHop(text: string): RemoteHop {
  const hop = parseNamedHop(text);
  if (hop !== undefined) return hop;
  throw new BadRequest(
    `${JSON.stringify(text.slice(0, 300))} is no next hop: a domain or an address in brackets, with or without a port`,
  );
}

function readScope(fields: Fields): SuspensionScope {
  const domain = fields.optionalText('domain');
  const route = fields.optionalText('route');
  const all = fields.flag('all') === true;
  if ([domain !== undefined, route !== undefined, all].filter(Boolean).length !== 1)
    throw new BadRequest('One of domain, route and all is needed');
  const text = all ? '*' : domain === undefined ? `route:${route ?? ''}` : `domain:${domain.toLowerCase()}`;
  const scope = toSuspensionScope(text);
  if (scope === undefined) throw new BadRequest(`${JSON.stringify(text.slice(0, 300))} cannot be suspended`);
  return scope;
}
