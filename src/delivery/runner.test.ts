import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { localRecipient, newMessage, queued, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { directRouter, routeRule, ruleRouter } from '../../test/support/routes.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { fromLatin1 } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import { LIMITS } from '../base/limits.ts';
import type { Zone } from '../dns/memory/resolver.ts';
import { MemoryResolver } from '../dns/memory/resolver.ts';
import { parseHeader } from '../message/header.ts';
import { scanMessage } from '../message/scan.ts';
import { MemoryQueue } from '../queue/memory/queue.ts';
import { operate, resume } from '../queue/operate.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { toSuspensionScope } from '../queue/queue.ts';
import type { NewQueuedMessage, NewRecipient } from '../queue/queue.ts';
import { nextDueMs } from '../queue/retry.ts';
import type { BlobRef } from '../store/blob-store.ts';
import { known } from '../store/ids.ts';
import { openMemoryBlobStore } from '../store/memory/blob-store.ts';
import { openMemoryMailStore } from '../store/memory/mail-store.ts';
import { DeliverNow } from './deliver-now.ts';
import type { DeliveryEvent } from './event.ts';
import type { MessageFacts } from './message-facts.ts';
import { LocalDelivery } from './local.ts';
import type { HopMessage, HopTarget, HopVisit } from './remote/hop.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import { ReturnPaths } from './return-paths.ts';
import { BrokenTls } from './remote/broken-tls.ts';
import { RemoteDelivery } from './remote/remote-delivery.ts';
import type { Router } from './remote/router.ts';
import { Routing } from './remote/routing.ts';
import type { TlsPolicy } from './remote/tls-policy.ts';
import { uniformTlsPolicy } from './remote/tls-policy.ts';
import { DeliveryRunner } from './runner.ts';
import { Settler } from './settler.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type Visit = (target: HopTarget, message: HopMessage, signal: AbortSignal) => HopVisit | Promise<HopVisit>;

const took: HopVisit = {
  kind: 'session',
  speaksDsn: false,
  answers: [{ kind: 'replied', at: 'content', reply: { code: 250, lines: ['2.0.0 Ok'] } }],
};
const answered = (at: 'rcpt' | 'content', code: number, line: string): HopVisit => ({
  kind: 'session',
  speaksDsn: false,
  answers: [{ kind: 'replied', at, reply: { code, lines: [line] } }],
});
const down: HopVisit = {
  kind: 'no-connection',
  problem: { kind: 'timeout', text: 'No connection within 30000 ms' },
};

async function world(
  visit: Visit,
  options: {
    zone?: Zone;
    messagesMax?: number;
    lostReportsTo?: string;
    router?: Router;
    tlsPolicy?: TlsPolicy;
  } = {},
) {
  const clock = new FakeClock();
  const random = seededRandom();
  const store = openMemoryMailStore(clock);
  const blobs = openMemoryBlobStore();
  const queue = new MemoryQueue(clock);
  const directory = new MemoryDirectory({ clock, random });
  await directory.addDomain('here.example');
  const added = await directory.addAccount({ address: 'author@here.example', password: undefined });
  assert.ok(added.ok);
  const author = added.value.id;
  const events: DeliveryEvent[] = [];
  const visited: string[] = [];
  const note = (event: DeliveryEvent): void => void events.push(event);
  const remote = new RemoteDelivery({
    routing: new Routing({
      resolver: new MemoryResolver(options.zone ?? { 'far.example': { a: ['192.0.2.1'] } }),
      random,
      ownNames: ['mx.here.example'],
      ownAddresses: [],
      loopbackAllowed: false,
    }),
    tlsPolicy: options.tlsPolicy ?? uniformTlsPolicy({ kind: 'opportunistic' }),
    hop: {
      visit: async (target, message, signal) => {
        visited.push(target.host);
        return visit(target, message, signal);
      },
    },
    brokenTls: new BrokenTls(clock, 0),
    blobs,
    clock,
    events: note,
  });
  const local = new LocalDelivery({ store, blobs, directory, clock });
  const settler = new Settler(
    {
      queue,
      blobs,
      directory,
      returnPaths: new ReturnPaths({ directory, clock }, RETURN_PATHS),
      clock,
      random,
      newId: createQueueIds(clock, random),
      nextDueMs: (tried, nowMs) => nextDueMs(tried, nowMs, random),
      events: note,
    },
    {
      hostname: 'mx.here.example',
      delayReportAfterMs: 4 * HOUR_MS,
      dsnLifetimeMs: 2 * DAY_MS,
      lostReportsTo: options.lostReportsTo,
    },
  );
  const router = options.router ?? directRouter();
  const ports = { queue, local, remote, router, settler, clock, events: note };
  const runner = new DeliveryRunner(ports, {
    owner: 'runner-1',
    ...(options.messagesMax === undefined ? {} : { messagesMax: options.messagesMax }),
  });
  const blobOf = async (text: string): Promise<BlobRef> => {
    const writer = blobs.create();
    await writer.write(fromLatin1(text));
    return writer.finish();
  };
  const blob = await blobOf('Subject: original\r\n\r\nText\r\n');
  const accept = (recipients: readonly NewRecipient[], more: Partial<NewQueuedMessage> = {}): Promise<void> =>
    queue.accept(
      newMessage(recipients, {
        blob,
        prefix: fromLatin1('Received: x\r\n'),
        reversePath: 'author@here.example',
        arrivedAtMs: clock.nowMs(),
        expiresAtMs: clock.nowMs() + 5 * DAY_MS,
        ...more,
      }),
    );
  /** The reports in the author's mailbox: subject, and the fields of the status part by recipient. */
  const reports = async () => {
    const inbox = (await store.mailboxes(author)).find(({ role }) => role === 'inbox');
    assert.ok(inbox);
    const entries = await store.entries(author, inbox.id, 0, 100);
    const messages = await store.messages(
      author,
      inbox.id,
      entries.map(({ uid }) => uid),
    );
    return Promise.all(
      messages.map(async (message) => {
        const octets = await blobs.read(message.blob);
        const { root } = scanMessage(octets);
        const [, status, original] = root.children;
        assert.ok(status && original);
        const groups = octets.toString('utf8', status.headerEnd, status.bodyEnd).split('\r\n\r\n').slice(1);
        return {
          subject: message.digest.subject,
          to: /^Delivered-To: (.*)\r$/m.exec(Buffer.from(message.prefix).toString())?.[1],
          original: octets.toString('utf8', original.headerEnd, original.bodyEnd),
          groups: groups.map((text) =>
            Object.fromEntries(parseHeader(`${text}\r\n`).map(({ name, raw }) => [name, raw.trim()])),
          ),
        };
      }),
    );
  };
  return {
    clock,
    store,
    blobs,
    queue,
    directory,
    author,
    events,
    visited,
    runner,
    accept,
    reports,
    ports,
    blobOf,
  };
}

test('a message for a next hop goes out and leaves the queue', async () => {
  const { runner, accept, queue, visited, reports, clock } = await world(() => took);
  runner.start();
  await accept([remoteRecipient('bob@far.example')]);
  await clock.advance(100);
  assert.deepEqual(visited, ['far.example']);
  assert.equal((await queue.count()).messages, 0);
  assert.deepEqual(await reports(), []);
  await runner.stop(0);
});

test('what one host has taken is written down while another is silent, and never goes out again', async () => {
  const zone = { 'fast.example': { a: ['192.0.2.1'] }, 'slow.example': { a: ['192.0.2.2'] } };
  const silent = Promise.withResolvers<HopVisit>();
  let slow = 0;
  const { runner, accept, queue, visited, clock, events } = await world(
    ({ host }) => {
      if (host === 'fast.example') return took;
      slow += 1;
      return slow === 1 ? silent.promise : took;
    },
    { zone },
  );
  runner.start();
  await accept([remoteRecipient('bob@fast.example'), remoteRecipient('bob@slow.example')]);
  await clock.advance(60_000);
  const [message] = await queue.list({}, undefined, 10);
  assert.deepEqual(
    message?.recipients.map(({ state }) => state.kind),
    ['settled', 'waiting'],
  );
  assert.equal(message?.lease?.owner, 'runner-1');
  silent.resolve(down);
  await clock.advance(1000);
  const [again] = await queue.list({}, undefined, 10);
  assert.deepEqual([again?.recipients[1]?.state.kind, again?.lease], ['waiting', undefined]);
  await clock.advance(HOUR_MS);
  assert.deepEqual(visited, ['fast.example', 'slow.example', 'slow.example']);
  assert.equal((await queue.count()).messages, 0);
  assert.ok(events.every(({ name }) => name !== 'delivery.lease-lost'));
  await runner.stop(0);
});

test('what was due before the start is worked on, local recipients too', async () => {
  const { runner, accept, queue, store, author, clock } = await world(() => took);
  await accept([localRecipient('author@here.example', author), remoteRecipient('bob@far.example')]);
  runner.start();
  await clock.advance(1000);
  assert.equal((await queue.count()).messages, 0);
  assert.equal((await store.quota(author)).messagesUsed, 1);
  await runner.stop(0);
});

test('each reverse-path of a message has a transaction of its own (RFC 5321 §3.3)', async () => {
  const sent: (readonly [string | null, readonly string[], string])[] = [];
  const { runner, accept, clock, queue } = await world(async (_target, message) => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of message.content()) chunks.push(chunk);
    const octets = Buffer.concat(chunks);
    assert.equal(octets.length, message.octets);
    const [first = ''] = octets.toString('utf8').split('\r\n');
    sent.push([message.reversePath, message.recipients.map(({ forwardPath }) => forwardPath), first]);
    return { ...took, answers: message.recipients.flatMap(() => took.answers) };
  });
  const reversePath = 'SRS0=hash=2W=sender.example=author@here.example';
  await accept([
    remoteRecipient('amy@far.example'),
    remoteRecipient('bob@far.example', { reversePath }),
    remoteRecipient('cid@far.example'),
    remoteRecipient('dan@far.example', { reversePath }),
    remoteRecipient('eve@far.example', { reversePath, forwardedFrom: 'away@here.example' }),
  ]);
  runner.start();
  await clock.advance(1000);
  assert.deepEqual(sent, [
    ['author@here.example', ['amy@far.example', 'cid@far.example'], 'Received: x'],
    [reversePath, ['bob@far.example', 'dan@far.example'], 'Received: x'],
    [reversePath, ['eve@far.example'], 'Delivered-To: away@here.example'],
  ]);
  assert.equal((await queue.count()).messages, 0);
  await runner.stop(0);
});

test('reports go to whom a copy left from: a tagged address names its recipient, a rewritten one stands for the sender', async () => {
  const { runner, accept, clock, reports } = await world((_target, message) => ({
    kind: 'session',
    speaksDsn: false,
    answers: message.recipients.map(() => ({
      kind: 'replied',
      at: 'rcpt',
      reply: { code: 550, lines: ['5.1.1 No such user'] },
    })),
  }));
  await accept([
    remoteRecipient('amy@far.example', { reversePath: 'SRS0=hash=2W=x.example=author@here.example' }),
    remoteRecipient('bob@far.example', { reversePath: 'author+bob=far.example@here.example' }),
    remoteRecipient('cid@far.example', { reversePath: 'author+cid=far.example@here.example' }),
    remoteRecipient('dan@far.example'),
  ]);
  runner.start();
  await clock.advance(1000);
  const about = (await reports()).map(({ to, groups }) => [
    to,
    groups.map((group) => group['Final-Recipient']),
  ]);
  assert.deepEqual(about, [
    ['author@here.example', ['rfc822; amy@far.example', 'rfc822; dan@far.example']],
    ['author+bob=far.example@here.example', ['rfc822; bob@far.example']],
    ['author+cid=far.example@here.example', ['rfc822; cid@far.example']],
  ]);
  await runner.stop(0);
});

const REFUSED = answered('rcpt', 550, '5.1.1 No such user');
const named = (events: readonly DeliveryEvent[], name: DeliveryEvent['name']): readonly DeliveryEvent[] =>
  events.filter((event) => event.name === name);

for (const lostReportsTo of [undefined, 'author@here.example'])
  test(`a report that fails makes no other${lostReportsTo === undefined ? '' : ', but the postmaster hears of it'} (RFC 5321 §6.1)`, async () => {
    const { runner, accept, clock, events, reports, queue } = await world(
      () => REFUSED,
      lostReportsTo === undefined ? {} : { lostReportsTo },
    );
    await accept([remoteRecipient('bob@far.example')], { reversePath: null });
    runner.start();
    await clock.advance(1000);
    assert.deepEqual(named(events, 'delivery.unreported').length, 1);
    const about = (await reports()).map(({ groups }) => groups[0]?.['Final-Recipient']);
    assert.deepEqual(about, lostReportsTo === undefined ? [] : ['rfc822; bob@far.example']);
    assert.equal((await queue.count()).messages, 0);
    await runner.stop(0);
  });

test('what does not reach the postmaster is not told to the postmaster', async () => {
  const { runner, accept, clock, events, queue } = await world(() => REFUSED, {
    lostReportsTo: 'boss@far.example',
  });
  await accept([remoteRecipient('boss@far.example')], { reversePath: null });
  runner.start();
  await clock.advance(1000);
  assert.equal(named(events, 'delivery.unreported').length, 1);
  assert.equal(named(events, 'delivery.dsn-queued').length, 0);
  assert.equal((await queue.count()).messages, 0);
  await runner.stop(0);
});

test('a message with eight bits in its header comes back as a header in seven, whoever carries it (RFC 6522 §3)', async () => {
  const { runner, accept, clock, reports, blobOf } = await world(() => REFUSED);
  const blob = await blobOf('Subject: Gr\u00fc\u00dfe\r\n\r\nText\r\n');
  await accept([remoteRecipient('bob@far.example')], { blob });
  runner.start();
  await clock.advance(1000);
  const [report] = await reports();
  assert.equal(report?.original, 'Received: x\r\nSubject: Gr=FC=DFe\r\n');
  await runner.stop(0);
});

test('a sender at our domain who is not there is not told', async () => {
  const { runner, accept, clock, events } = await world(() => REFUSED);
  await accept([remoteRecipient('bob@far.example')], { reversePath: 'gone@here.example' });
  runner.start();
  await clock.advance(1000);
  const [event, ...more] = named(events, 'delivery.unreported');
  assert.deepEqual(event?.name === 'delivery.unreported' && [event.address, event.reason, more.length], [
    'gone@here.example',
    'nobody-there',
    0,
  ]);
  await runner.stop(0);
});

test('a week of retries: one notice of delay, one of failure, then silence (RFC 5321 §4.5.4.1, RFC 3464)', async () => {
  const { runner, accept, clock, queue, visited, reports } = await world(() =>
    answered('rcpt', 451, '4.7.1 Come back later'),
  );
  runner.start();
  await accept([remoteRecipient('bob@far.example', { originalRecipient: 'rfc822;Bob@far.example' })]);
  await clock.advance(3 * HOUR_MS);
  assert.equal((await reports()).length, 0);
  await clock.advance(3 * HOUR_MS);
  const [delay] = await reports();
  assert.equal(delay?.subject, 'Your message is delayed');
  assert.equal(delay?.original, 'Received: x\r\nSubject: original\r\n');
  await clock.advance(7 * DAY_MS);
  const all = await reports();
  assert.deepEqual(
    all.map(({ subject }) => subject),
    ['Your message is delayed', 'Your message could not be delivered'],
  );
  assert.deepEqual(all[1]?.groups, [
    {
      'Original-Recipient': 'rfc822; Bob@far.example',
      'Final-Recipient': 'rfc822; bob@far.example',
      Action: 'failed',
      Status: '4.7.1',
      'Remote-MTA': 'dns; far.example',
      'Diagnostic-Code': 'smtp; 451 4.7.1 Come back later',
      'Last-Attempt-Date': all[1]?.groups[0]?.['Last-Attempt-Date'],
    },
  ]);
  assert.equal(all[1]?.original, 'Received: x\r\nSubject: original\r\n\r\nText\r\n');
  assert.equal((await queue.count()).messages, 0);
  assert.ok(visited.length > 25 && visited.length < 60, `${visited.length} attempts`);
  await runner.stop(0);
});

test('what is to be returned in time is not tried after it, and fails as 5.4.7 (RFC 2852 §4.1.3)', async () => {
  const { runner, accept, clock, queue, visited, reports } = await world(() =>
    answered('rcpt', 451, '4.7.1 Come back later'),
  );
  runner.start();
  const byMs = clock.nowMs() + 7 * 60_000;
  await accept([remoteRecipient('bob@far.example')], { deliverBy: { byMs, mode: 'return', trace: false } });
  await clock.advance(6 * 60_000);
  assert.equal(visited.length, 2);
  assert.deepEqual(await reports(), []);
  await clock.advance(2 * 60_000);
  const [report, ...more] = await reports();
  assert.deepEqual(more, []);
  assert.deepEqual([report?.groups[0]?.['Action'], report?.groups[0]?.['Status']], ['failed', '5.4.7']);
  assert.equal(visited.length, 2, 'no attempt at or after the time');
  assert.equal((await queue.count()).messages, 0);
  await runner.stop(0);
});

test('who is to be notified hears of the delay at the time, once, as 4.4.7, and it is tried on (RFC 2852 §4.1.3)', async () => {
  const { runner, accept, clock, queue, reports } = await world(() =>
    answered('rcpt', 451, '4.7.1 Come back later'),
  );
  runner.start();
  const byMs = clock.nowMs() + 7 * 60_000;
  const deliverBy = { byMs, mode: 'notify', trace: false } as const;
  await accept(
    [remoteRecipient('bob@far.example'), remoteRecipient('c@far.example', { notify: ['failure'] })],
    {
      deliverBy,
    },
  );
  await clock.advance(6 * 60_000);
  assert.deepEqual(await reports(), []);
  await clock.advance(2 * 60_000);
  const [report] = await reports();
  assert.deepEqual(
    report?.groups.map((group) => [group['Final-Recipient'], group['Action'], group['Status']]),
    [['rfc822; bob@far.example', 'delayed', '4.4.7']],
  );
  await clock.advance(DAY_MS);
  assert.equal((await reports()).length, 1);
  assert.equal((await queue.count()).messages, 1);
  await runner.stop(0);
});

test('a hand-over to a host that knows nothing of the time is told, one that keeps it is not (RFC 2852 §4.1.4)', async () => {
  for (const [speaksDeliverBy, trace, want] of [
    [false, false, ['relayed']],
    [true, false, []],
    [true, true, ['relayed']],
  ] as const) {
    const { runner, accept, clock, reports } = await world(() => ({
      ...took,
      speaksDsn: true,
      speaksDeliverBy,
    }));
    runner.start();
    const byMs = clock.nowMs() + HOUR_MS;
    await accept([remoteRecipient('bob@far.example')], { deliverBy: { byMs, mode: 'notify', trace } });
    await clock.advance(1000);
    assert.deepEqual(
      (await reports()).map(({ groups }) => groups[0]?.['Action']),
      want,
    );
    await runner.stop(0);
  }
});

test('what is held until its release is not tried before, and its delay counts from there (RFC 4865 §4.2)', async () => {
  const { runner, accept, clock, visited, reports } = await world(() =>
    answered('rcpt', 451, '4.7.1 Come back later'),
  );
  runner.start();
  await accept([remoteRecipient('bob@far.example')], { releaseAtMs: clock.nowMs() + 6 * HOUR_MS });
  await clock.advance(6 * HOUR_MS - 1000);
  assert.deepEqual(visited, []);
  await clock.advance(2000);
  assert.equal(visited.length, 1);
  await clock.advance(3 * HOUR_MS);
  assert.deepEqual(await reports(), []);
  await clock.advance(3 * HOUR_MS);
  assert.equal((await reports()).length, 1);
  await runner.stop(0);
});

test('a report of what had to travel under TLS has to as well, and is as urgent (RFC 8689 §5, RFC 6710 §4.6)', async () => {
  const { runner, accept, clock, queue } = await world((_target, { reversePath }) =>
    answered('rcpt', reversePath === null ? 451 : 550, 'no'),
  );
  await accept([remoteRecipient('bob@far.example')], {
    reversePath: 'eve@far.example',
    requireTls: true,
    priority: 4,
  });
  runner.start();
  await clock.advance(1000);
  const [report] = await queue.list({}, undefined, 10);
  assert.deepEqual([report?.reversePath, report?.requireTls, report?.priority], [null, true, 4]);
  await runner.stop(0);
});

test('a host that comes back after two days gets the message', async () => {
  const start = new FakeClock().nowMs();
  let clock: FakeClock | undefined;
  const made = await world(() => ((clock?.nowMs() ?? 0) > start + 2 * DAY_MS ? took : down));
  clock = made.clock;
  made.runner.start();
  await made.accept([remoteRecipient('bob@far.example', { notify: ['success'] })]);
  await clock.advance(3 * DAY_MS);
  assert.deepEqual(
    (await made.reports()).map(({ subject, groups }) => [
      subject,
      groups[0]?.['Action'],
      groups[0]?.['Status'],
    ]),
    [['Your message was handed on', 'relayed', '2.0.0']],
  );
  await made.runner.stop(0);
});

test('each recipient by its own answer; NOTIFY=NEVER hears nothing (RFC 3461 §4.1)', async () => {
  const { runner, accept, reports, queue, clock } = await world(
    (target) => (target.host === 'good.example' ? took : answered('rcpt', 550, '5.1.1 No such user')),
    {
      zone: {
        'good.example': { a: ['192.0.2.1'] },
        'bad.example': { a: ['192.0.2.2'] },
        'null.example': { mx: [{ preference: 0, exchange: '' }] },
      },
    },
  );
  runner.start();
  await accept([
    remoteRecipient('a@good.example'),
    remoteRecipient('b@bad.example'),
    remoteRecipient('c@null.example'),
    remoteRecipient('d@nowhere.example', { notify: [] }),
  ]);
  await clock.advance(1000);
  const [report, ...more] = await reports();
  assert.deepEqual(more, []);
  assert.deepEqual(
    report?.groups.map((group) => [group['Final-Recipient'], group['Status']]),
    [
      ['rfc822; b@bad.example', '5.1.1'],
      ['rfc822; c@null.example', '5.1.10'],
    ],
  );
  assert.equal((await queue.count()).messages, 0);
  await runner.stop(0);
});

test('a report that cannot be delivered makes no report (RFC 5321 §6.1)', async () => {
  const { runner, accept, queue, clock, events } = await world(() => answered('rcpt', 550, '5.1.1 no'));
  runner.start();
  await accept([remoteRecipient('bob@far.example')], { reversePath: 'lost@far.example' });
  await clock.advance(DAY_MS);
  assert.equal((await queue.count()).messages, 0);
  assert.equal(events.filter(({ name }) => name === 'delivery.dsn-queued').length, 1);
  await runner.stop(0);
});

test('a sender of ours who is gone is not told', async () => {
  const { runner, accept, queue, clock, events } = await world(() => answered('rcpt', 550, '5.1.1 no'));
  runner.start();
  await accept([remoteRecipient('bob@far.example')], { reversePath: 'gone@here.example' });
  await clock.advance(1000);
  assert.equal((await queue.count()).messages, 0);
  assert.equal(
    events.some(({ name }) => name === 'delivery.dsn-queued'),
    false,
  );
  await runner.stop(0);
});

test('a full mailbox waits, and takes the message once there is room', async () => {
  const { runner, accept, clock, store, author, queue } = await world(() => took);
  await store.setQuota(author, 1);
  runner.start();
  await accept([localRecipient('author@here.example', author)], { reversePath: null });
  await clock.advance(HOUR_MS);
  const [waiting] = await queue.list({}, undefined, 10);
  assert.equal(waiting?.recipients[0]?.state.lastAnswer?.reason, 'mailbox.over-quota');
  await store.setQuota(author, undefined);
  await clock.advance(DAY_MS);
  assert.equal((await queue.count()).messages, 0);
  assert.equal((await store.quota(author)).messagesUsed, 1);
  await runner.stop(0);
});

test('a domain that is down is probed, not hammered, and its mail waits with the answer', async () => {
  const { runner, accept, clock, visited, queue, events } = await world(() => down);
  runner.start();
  for (let n = 0; n < 200; n += 1)
    await accept([remoteRecipient('bob@far.example')], { id: queueId(`m${n}`), reversePath: null });
  await clock.advance(20_000);
  assert.ok(visited.length <= LIMITS.destinationVisitsAtFirst, `${visited.length} visits`);
  assert.equal(events.filter(({ name }) => name === 'delivery.destination-down').length, 1);
  const waiting = await queue.list({}, undefined, 1000);
  assert.equal(waiting.length, 200);
  for (const { recipients } of waiting)
    assert.equal(recipients[0]?.state.lastAnswer?.reason, 'connect.timeout');
  await clock.advance(DAY_MS);
  assert.ok(visited.length < 400, `${visited.length} visits in a day for 200 messages`);
  await runner.stop(0);
});

/** What mail of each wish must have of TLS; of a domain that promises it, in a certificate for its host. */
const BY_WISH: TlsPolicy = {
  ofDomain: async (_found, wish) =>
    uniformTlsPolicy(
      wish === 'optional' ? { kind: 'opportunistic' } : { kind: 'verified', names: ['far.example'] },
    ).ofDomain(_found, wish, 'policy'),
};

const OF_WISH = {
  ordinary: {},
  'TLS-Required: No': { tlsOptional: true },
  REQUIRETLS: { requireTls: true },
} as const satisfies Record<string, Partial<NewQueuedMessage>>;

const failsTls = (kind: 'reset' | 'expired'): HopVisit => ({
  kind: 'tls-failed',
  failure: { kind, text: 'no' },
  localAddress: undefined,
});

const tlsScopes: readonly {
  readonly name: string;
  /** What is the first to go, and fails. */
  readonly first: keyof typeof OF_WISH;
  readonly met: (target: HopTarget, message: HopMessage) => HopVisit;
  /** What the others come to, each without waiting. */
  readonly others: Partial<Record<keyof typeof OF_WISH, 'goes' | 'waits' | 'tries'>>;
}[] = [
  {
    name: 'TLS that a domain promised fails: mail with TLS-Required: No goes at once (RFC 8689 §4.2.2)',
    first: 'ordinary',
    met: ({ tls }) => (tls.kind === 'verified' ? failsTls('expired') : took),
    others: { 'TLS-Required: No': 'goes', ordinary: 'waits' },
  },
  {
    name: 'TLS fails for mail with REQUIRETLS: ordinary mail goes at once (RFC 8689 §4.2.1)',
    first: 'REQUIRETLS',
    met: (_target, { requireTls }) => (requireTls ? failsTls('reset') : took),
    others: { ordinary: 'goes', 'TLS-Required: No': 'goes', REQUIRETLS: 'waits' },
  },
  {
    name: 'TLS fails for good for mail with REQUIRETLS, which is told each of its senders',
    first: 'REQUIRETLS',
    met: (_target, { requireTls }) => (requireTls ? failsTls('expired') : took),
    others: { REQUIRETLS: 'tries', ordinary: 'goes' },
  },
  {
    name: 'nobody answers: that covers all mail',
    first: 'ordinary',
    met: () => down,
    others: { 'TLS-Required: No': 'waits', REQUIRETLS: 'waits', ordinary: 'waits' },
  },
];

for (const { name, first, met, others } of tlsScopes)
  test(name, async () => {
    const made = await world(met, { tlsPolicy: BY_WISH });
    made.runner.start();
    // Two are let in at first: each of them finds out, and another stays as it is.
    for (const id of ['first1', 'first2'])
      await made.accept([remoteRecipient('bob@far.example')], {
        id: queueId(id),
        reversePath: 'author@here.example',
        ...OF_WISH[first],
      });
    await made.clock.advance(1000);
    for (const [wish, fate] of Object.entries(others)) {
      const before = made.visited.length;
      const id = queueId(`other${fate}${before}`);
      const more = Object.entries(OF_WISH).find(([key]) => key === wish)?.[1];
      await made.accept([remoteRecipient('bob@far.example')], { id, ...more });
      await made.clock.advance(1000);
      const left = (await made.queue.find({ id }, undefined, 1)).length;
      assert.deepEqual(
        [made.visited.length - before, left],
        { goes: [1, 0], waits: [0, 1], tries: [1, 0] }[fate],
        wish,
      );
    }
    await made.runner.stop(0);
  });

test('mail that waits for a place at a destination is not drawn into what TLS another lacks', async () => {
  const places: (() => void)[] = [];
  const made = await world(
    async ({ tls }) => {
      await new Promise<void>((resolve) => places.push(resolve));
      return tls.kind === 'verified' && made.visited.length > 2 ? failsTls('expired') : took;
    },
    { tlsPolicy: BY_WISH },
  );
  const next = async (): Promise<void> => {
    places.shift()?.();
    await made.clock.advance(100);
  };
  made.runner.start();
  const accept = (id: string, more: Partial<NewQueuedMessage> = {}): Promise<void> =>
    made.accept([remoteRecipient('bob@far.example')], { id: queueId(id), ...more });
  await accept('proves01');
  await accept('proves02');
  await made.clock.advance(100);
  await next();
  await next();
  // Four places; who comes then waits.
  for (let n = 0; n < 4; n += 1) await accept(`fails${n}`);
  for (let n = 0; n < 3; n += 1) {
    await accept(`optional${n}`, { tlsOptional: true });
    await accept(`ordinary${n}`);
  }
  await made.clock.advance(100);
  assert.equal(made.visited.length, 6);
  for (let n = 0; n < 7; n += 1) await next();
  const left = (await made.queue.list({}, undefined, 100)).map(({ id }) => String(id));
  assert.deepEqual(
    left.filter((id) => id.includes('optional')),
    [],
  );
  assert.equal(left.length, 7);
  assert.equal(made.visited.length, 9, 'none of those that waited found out by itself');
  await made.runner.stop(0);
});

test('what the operator asks for goes out although its destination is down', async () => {
  let isUp = false;
  const { runner, accept, clock, queue, visited } = await world(() => (isUp ? took : down));
  runner.start();
  for (const id of ['m1', 'm2'])
    await accept([remoteRecipient('bob@far.example')], { id: queueId(id), reversePath: null });
  await clock.advance(1000);
  const before = visited.length;
  isUp = true;
  await queue.act([queueId('m2')], {}, { kind: 'retry' }, clock.nowMs());
  await clock.advance(1);
  assert.equal(visited.length, before + 1);
  assert.deepEqual(
    (await queue.list({}, undefined, 10)).map(({ id }) => id),
    [queueId('m1')],
  );
  await clock.advance(100);
  assert.equal((await queue.count()).messages, 0, 'it has shown that the destination is back');
  await runner.stop(0);
});

/** Ids by what they are, in the order that they went out in. */
async function comesBack(
  more: Parameters<typeof world>[1],
  waits: (made: Awaited<ReturnType<typeof world>>) => Promise<void>,
): Promise<{ readonly went: readonly string[]; readonly most: number; readonly left: number }> {
  let isUp = false;
  let now = 0;
  let most = 0;
  const went: string[] = [];
  const made = await world(async (target, message) => {
    if (target.host === 'other.example') return down;
    if (!isUp) return down;
    now += 1;
    most = Math.max(most, now);
    await new Promise<void>((resolve) => made.clock.after(1000, resolve));
    now -= 1;
    if (String(message.id).includes('grey')) return answered('rcpt', 450, '4.7.1 Greylisted');
    went.push(String(message.id));
    return took;
  }, more);
  made.runner.start();
  await waits(made);
  await made.clock.advance(50_000);
  assert.equal(went.length, 0);
  isUp = true;
  await made.queue.act([queueId('probe001')], {}, { kind: 'retry' }, made.clock.nowMs());
  await made.clock.advance(30_000);
  const { messages } = await made.queue.count();
  await made.runner.stop(0);
  return { went, most, left: messages };
}

test('what waits for a destination that comes back is sent by priority and age, few at first, long before its time', async () => {
  const { went, most, left } = await comesBack({}, async ({ accept }) => {
    for (let n = 0; n < 100; n += 1)
      await accept([remoteRecipient('bob@far.example')], {
        id: queueId(`o${String(99 - n).padStart(7, '0')}`),
        priority: n % 10 === 0 ? 4 : 0,
      });
    await accept([remoteRecipient('bob@far.example')], { id: queueId('low00001'), priority: -4 });
    await accept([remoteRecipient('bob@far.example')], { id: queueId('probe001') });
  });
  assert.equal(left, 0);
  assert.equal(went.length, 102);
  assert.equal(went[0], 'probe001');
  const urgent = Array.from({ length: 10 }, (_, index) => `o00000${index}9`);
  assert.deepEqual(went.slice(1, 11), urgent);
  assert.equal(went.at(-1), 'low00001');
  const rest = went.slice(11, -1);
  assert.deepEqual(rest, rest.toSorted());
  assert.ok(most <= LIMITS.destinationVisitsMax, `${most} at once`);
});

test('what waits for another host, or for a reason of its own, is not woken by a destination that comes back', async () => {
  const router = ruleRouter({
    rules: [
      routeRule('far', { to: ['far.example'], recipients: ['a.example', 'b.example'] }),
      routeRule('other', { to: ['other.example'], recipients: ['c.example'] }),
    ],
  });
  const zone = { 'far.example': { a: ['192.0.2.1'] }, 'other.example': { a: ['192.0.2.2'] } };
  const { went, left } = await comesBack({ router, zone }, async ({ accept, queue, clock }) => {
    await accept([remoteRecipient('bob@c.example')], { id: queueId('other001') });
    for (const id of ['probe001', 'smart001', 'smart002'])
      await accept([remoteRecipient(`bob@${id === 'smart002' ? 'b' : 'a'}.example`)], { id: queueId(id) });
    await accept([remoteRecipient('bob@a.example')], { id: queueId('full0001') });
    await clock.advance(100);
    const lease = await queue.lease('x', clock.nowMs() + DAY_MS, clock.nowMs(), 10);
    assert.equal(lease.length, 5);
    const atMs = clock.nowMs();
    for (const { id } of lease)
      await queue.settle(
        id,
        'x',
        id === queueId('full0001')
          ? [
              {
                recipient: 0,
                kind: 'delayed',
                answer: { atMs, host: 'h', status: '4.2.2', text: 'full', reason: 'smtp.mailbox-full' },
                dueAtMs: atMs + DAY_MS,
                delayReported: false,
              },
            ]
          : [],
        [],
      );
  });
  assert.deepEqual(went, ['probe001', 'smart001', 'smart002']);
  assert.equal(left, 2);
});

test('TLS that can be had again wakes mail that wants the same of it', async () => {
  let isMended = false;
  const made = await world(({ tls }) => (tls.kind === 'verified' && !isMended ? failsTls('expired') : took), {
    tlsPolicy: BY_WISH,
  });
  made.runner.start();
  for (let n = 0; n < 5; n += 1)
    await made.accept([remoteRecipient('bob@far.example')], { id: queueId(`m${n}`), reversePath: null });
  await made.clock.advance(1000);
  assert.equal((await made.queue.count()).messages, 5);
  isMended = true;
  await made.accept([remoteRecipient('bob@far.example')], { id: queueId('optional'), tlsOptional: true });
  await made.clock.advance(1000);
  assert.equal((await made.queue.count()).messages, 5, 'it went by another rule');
  await made.queue.act([queueId('m3')], {}, { kind: 'retry' }, made.clock.nowMs());
  await made.clock.advance(1000);
  assert.equal((await made.queue.count()).messages, 0);
  assert.deepEqual(
    made.events.flatMap((event) => (event.name === 'delivery.destination-back' ? [event.mail] : [])),
    ['without-wish'],
  );
  await made.runner.stop(0);
});

test('mail of a route that is down takes its fallback without finding that out each time', async () => {
  const router = ruleRouter({
    rules: [
      routeRule('first', {
        to: ['one.example'],
        fallback: { rule: 'second', afterMs: Number.POSITIVE_INFINITY },
      }),
      routeRule('second', { to: ['two.example'], recipients: [] }),
    ],
  });
  const zone = { 'one.example': { a: ['192.0.2.1'] }, 'two.example': { a: ['192.0.2.2'] } };
  const { runner, accept, clock, visited, queue } = await world(
    (target) => (target.host === 'one.example' ? down : took),
    { router, zone },
  );
  runner.start();
  for (let n = 0; n < 50; n += 1)
    await accept([remoteRecipient('bob@far.example')], { id: queueId(`m${n}`), reversePath: null });
  await clock.advance(30_000);
  assert.equal((await queue.count()).messages, 0);
  const first = visited.filter((host) => host === 'one.example').length;
  assert.ok(first <= LIMITS.destinationVisitsAtFirst, `${first} visits to the one that is down`);
  assert.equal(visited.length - first, 50);
  await runner.stop(0);
});

test('a rule that holds keeps mail until it is released', async () => {
  const router = ruleRouter({ rules: [routeRule('no', { action: { kind: 'hold', text: 'Not now' } })] });
  const { runner, accept, clock, visited, queue } = await world(() => took, { router });
  runner.start();
  await accept([remoteRecipient('bob@far.example')]);
  await clock.advance(DAY_MS);
  const [held] = await queue.list({}, undefined, 10);
  assert.deepEqual(
    [held?.recipients[0]?.state.kind, held?.recipients[0]?.state.lastAnswer?.reason, visited.length],
    ['held', 'route.held', 0],
  );
  await operate(queue, {}, { kind: 'release' }, clock.nowMs());
  await clock.advance(1000);
  assert.deepEqual([(await queue.count()).messages, visited.length], [0, 1]);
  await runner.stop(0);
});

/** Five messages to each of a thousand destinations, of which so many stall; gives when the others have theirs. */
async function timeOfTheOthers(stalled: number, comes: 'all' | 'others'): Promise<number> {
  const zone: Record<string, { a: string[] }> = {};
  for (let n = 0; n < 1000; n += 1) zone[`d${n}.example`] = { a: [`198.51.${n >> 8}.${n & 255}`] };
  let clock: FakeClock | undefined;
  const made = await world(
    async (target) => {
      const isStalled = Number(/\d+/.exec(target.host)?.[0]) < stalled;
      await new Promise<void>((resolve) => clock?.after(isStalled ? 300_000 : 200, resolve));
      if (!isStalled) return took;
      return {
        kind: 'session',
        speaksDsn: false,
        answers: [{ kind: 'lost', at: 'greeting', how: 'timeout', text: '' }],
      };
    },
    { zone, messagesMax: 500 },
  );
  clock = made.clock;
  const beganMs = clock.nowMs();
  // Those of the stalled ones first; without them, nothing in their place.
  const from = comes === 'others' ? 5 * stalled : 0;
  for (let n = from; n < 5000; n += 1)
    await made.accept([remoteRecipient(`x@d${Math.floor(n / 5)}.example`)], {
      id: queueId(`m${String(n).padStart(8, '0')}`),
      reversePath: null,
    });
  made.runner.start();
  const left = async (): Promise<number> =>
    (await made.queue.list({}, undefined, 10_000)).filter(
      ({ recipients: [first] }) => Number(/d(\d+)/.exec(first?.forwardPath ?? '')?.[1]) >= stalled,
    ).length;
  while ((await left()) > 0 && clock.nowMs() - beganMs < 600_000) await clock.advance(200);
  const tookMs = clock.nowMs() - beganMs;
  assert.ok(made.runner.inFlight <= 500 * (LIMITS.deliveryAsideFactor + 1));
  const stopping = made.runner.stop(0);
  await clock.advance(400_000);
  await stopping;
  return tookMs;
}

test('of a thousand destinations a hundred stall: the others have their mail as fast as without them', async () => {
  const withoutMs = await timeOfTheOthers(100, 'others');
  const withMs = await timeOfTheOthers(100, 'all');
  assert.ok(withMs <= withoutMs * 1.1, `${withMs} ms with them, ${withoutMs} ms without`);
});

test('more destinations stall than messages are delivered at once: the others wait for seconds, not for them', async () => {
  const tookMs = await timeOfTheOthers(700, 'all');
  assert.ok(tookMs < 60_000, `${tookMs} ms`);
});

test('more mail for one domain than fits is put back and comes again', async () => {
  let clock: FakeClock | undefined;
  let most = 0;
  let now = 0;
  const made = await world(
    async () => {
      now += 1;
      most = Math.max(most, now);
      await new Promise<void>((resolve) => clock?.after(1000, resolve));
      now -= 1;
      return took;
    },
    { messagesMax: 50 },
  );
  clock = made.clock;
  for (let n = 0; n < 500; n += 1)
    await made.accept([remoteRecipient('x@far.example')], { id: queueId(`m${n}`), reversePath: null });
  made.runner.start();
  await clock.advance(120_000);
  assert.equal((await made.queue.count()).messages, 0);
  assert.equal(most, LIMITS.destinationVisitsMax);
  assert.equal(made.visited.length, 500, 'each once');
  await made.runner.stop(0);
});

test('what was put back comes as soon as there is room, and no more is held than may be', async () => {
  let clock: FakeClock | undefined;
  let held = 0;
  const made = await world(
    async () => {
      held = Math.max(held, made.runner.inFlight);
      await new Promise<void>((resolve) => clock?.after(10, resolve));
      return took;
    },
    { messagesMax: 50 },
  );
  clock = made.clock;
  for (let n = 0; n < 500; n += 1)
    await made.accept([remoteRecipient('x@far.example')], { id: queueId(`m${n}`), reversePath: null });
  made.runner.start();
  // The time at which the first of them comes back by itself is later.
  await clock.advance(900);
  assert.equal((await made.queue.count()).messages, 0);
  assert.equal(made.visited.length, 500, 'each once');
  assert.ok(held > LIMITS.destinationVisitsMax && held <= 50, `${held} at once`);
  await made.runner.stop(0);
});

test('however much is due at once, no more is held than there is room for', async () => {
  const silent = Promise.withResolvers<HopVisit>();
  const zone: Record<string, { a: string[] }> = {};
  for (let n = 0; n < 1000; n += 1) zone[`d${n}.example`] = { a: [`198.51.${n >> 8}.${n & 255}`] };
  let held = 0;
  const made = await world(
    () => {
      held = Math.max(held, made.runner.inFlight);
      return silent.promise;
    },
    { zone, messagesMax: 20 },
  );
  const looked: number[] = [];
  const lease = made.queue.lease.bind(made.queue);
  made.queue.lease = async (...args) => {
    const batch = await lease(...args);
    looked.push(batch.length);
    return batch;
  };
  for (let n = 0; n < 3000; n += 1)
    await made.accept([remoteRecipient(`x@d${n % 1000}.example`)], {
      id: queueId(`m${String(n).padStart(8, '0')}`),
      reversePath: null,
    });
  made.runner.start();
  await made.clock.advance(60_000);
  const most = 20 * (LIMITS.deliveryAsideFactor + 1);
  assert.ok(held > 20 && held <= most, `${held} messages in work`);
  assert.ok(Math.max(...looked) <= 100, `${Math.max(...looked)} messages looked at together`);
  const stopping = made.runner.stop(0);
  silent.resolve(down);
  await made.clock.advance(1000);
  await stopping;
  assert.equal(made.runner.inFlight, 0);
});

test('long work keeps its lease', async () => {
  let clock: FakeClock | undefined;
  const made = await world(async () => {
    await new Promise<void>((resolve) => clock?.after(30 * 60_000, resolve));
    return took;
  });
  clock = made.clock;
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')], { reversePath: null });
  for (let minute = 0; minute < 29; minute += 1) {
    await clock.advance(60_000);
    assert.deepEqual(await made.queue.lease('other', clock.nowMs(), clock.nowMs() + 1, 10), []);
  }
  await clock.advance(120_000);
  assert.equal((await made.queue.count()).messages, 0);
  assert.equal(made.visited.length, 1);
  await made.runner.stop(0);
});

test('a lease that was lost cuts the work, and nothing is written down', async () => {
  let cut = false;
  const made = await world(
    (_target, _message, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          cut = true;
          resolve({
            kind: 'session',
            speaksDsn: false,
            answers: [{ kind: 'lost', at: 'rcpt', how: 'stopped', text: '' }],
          });
        }),
      ),
  );
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')], { reversePath: null });
  await made.clock.advance(100);
  await operate(made.queue, {}, { kind: 'hold' }, 0);
  await made.queue.endLeases([]);
  await made.clock.advance(200_000);
  assert.equal(cut, true);
  assert.ok(made.events.some(({ name }) => name === 'delivery.lease-lost'));
  const [message] = await made.queue.list({}, undefined, 1);
  assert.equal(message?.recipients[0]?.state.kind, 'held');
  await made.runner.stop(0);
});

test('a route has a schedule of its own', async () => {
  const rule = routeRule('slow', { recipients: ['far.example'], retryMs: [60_000, 3_600_000] });
  const made = await world(() => answered('rcpt', 450, 'Not yet'), { router: ruleRouter({ rules: [rule] }) });
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')], { reversePath: null });
  await made.clock.advance(100);
  await made.clock.advance(75_000);
  assert.equal(made.visited.length, 2, 'after a minute');
  await made.clock.advance(40 * 60_000);
  assert.equal(made.visited.length, 2);
  await made.clock.advance(40 * 60_000);
  assert.equal(made.visited.length, 3, 'after another hour');
  await made.runner.stop(0);
});

test('a message for other hosts goes straight from its acceptance to its next hop, and once', async () => {
  const made = await world(() => took);
  const now = new DeliverNow(made.ports, 'session');
  now.handTo(made.runner);
  const facts = { messageId: undefined, subject: '' } as MessageFacts;
  const message = newMessage([remoteRecipient('x@far.example')], { reversePath: null });
  await now.accept(message, facts);
  assert.equal((await made.queue.list({}, undefined, 1))[0]?.lease, undefined, 'nobody took it over yet');
  made.runner.start();
  await made.clock.advance(100);
  assert.equal(made.visited.length, 1);
  await now.accept({ ...message, id: queueId('m2') }, facts);
  assert.equal((await made.queue.list({}, undefined, 1))[0]?.lease?.owner, 'runner-1');
  await settled();
  assert.equal(made.visited.length, 2);
  await made.clock.advance(1000);
  assert.deepEqual([(await made.queue.count()).messages, made.visited.length], [0, 2]);
  await made.runner.stop(0);
  made.runner.adopt({ ...queued(message), id: queueId('m3') });
  await now.accept({ ...message, id: queueId('m3') }, facts);
  assert.equal((await made.queue.list({}, undefined, 1))[0]?.lease, undefined, 'it has stopped');
});

test('what was adopted and finds its destination crowded comes again', async () => {
  let clock: FakeClock | undefined;
  const made = await world(async () => {
    await new Promise<void>((resolve) => clock?.after(500, resolve));
    return took;
  });
  clock = made.clock;
  made.runner.start();
  for (let n = 0; n < 30; n += 1) {
    const id = queueId(`m${n}`);
    const lease = { owner: made.runner.owner, untilMs: clock.nowMs() + 60_000 };
    const message = newMessage([remoteRecipient('x@far.example')], { id, reversePath: null });
    await made.queue.accept(message, lease);
    made.runner.adopt({ ...queued(message), lease });
  }
  await clock.advance(30_000);
  assert.deepEqual([(await made.queue.count()).messages, made.visited.length], [0, 30]);
  await made.runner.stop(0);
});

test('what the operator expired fails without a visit, and who sent it is told why', async () => {
  const made = await world(() => answered('content', 451, 'Not today'));
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')]);
  await made.clock.advance(100);
  assert.equal(made.visited.length, 1);
  await operate(made.queue, {}, { kind: 'expire' }, made.clock.nowMs());
  await made.clock.advance(1000);
  assert.equal(made.visited.length, 1);
  assert.deepEqual(await made.queue.count(), { messages: 0, recipients: 0, held: 0 });
  const [report] = await made.reports();
  assert.equal(report?.groups.at(-1)?.['Action'], 'failed');
  assert.equal(report?.groups.at(-1)?.['Status'], '5.4.7');
  assert.match(JSON.stringify(report), /the last answer was: 451 Not today/);
  await made.runner.stop(0);
});

for (const scope of ['*', 'domain:far.example', 'route:far.example'])
  test(`${scope} is suspended: nothing goes there until it is resumed, and the rest goes on`, async () => {
    const made = await world(() => took, {
      zone: { 'far.example': { a: ['192.0.2.1'] }, 'near.example': { a: ['192.0.2.2'] } },
    });
    const suspension = known(toSuspensionScope(scope));
    await made.queue.suspend(suspension, made.clock.nowMs());
    made.runner.start();
    await made.accept([remoteRecipient('x@far.example'), remoteRecipient('y@near.example')]);
    await made.clock.advance(5 * DAY_MS);
    assert.deepEqual(made.visited, scope === '*' ? [] : ['near.example']);
    assert.equal((await made.queue.count()).held, scope === '*' ? 2 : 1);
    await resume(made.queue, suspension, made.clock.nowMs());
    await made.clock.advance(1000);
    assert.deepEqual(made.visited.toSorted(), ['far.example', 'near.example']);
    assert.equal((await made.queue.count()).messages, 0);
    await made.runner.stop(0);
  });

test('stopping lets work end, then cuts it; what was cut stays due as it was', async () => {
  const made = await world(
    (target, _message, signal) =>
      target.host === 'quick.example'
        ? took
        : new Promise((resolve) =>
            signal.addEventListener('abort', () =>
              resolve({
                kind: 'session',
                speaksDsn: false,
                answers: [{ kind: 'lost', at: 'mail', how: 'stopped', text: '' }],
              }),
            ),
          ),
    { zone: { 'quick.example': { a: ['192.0.2.1'] }, 'slow.example': { a: ['192.0.2.2'] } } },
  );
  made.runner.start();
  await made.accept([remoteRecipient('a@quick.example'), remoteRecipient('b@slow.example')], {
    reversePath: null,
  });
  await made.clock.advance(100);
  const stopping = made.runner.stop(10_000);
  await made.clock.advance(11_000);
  await stopping;
  const [message] = await made.queue.list({}, undefined, 1);
  assert.deepEqual(
    message?.recipients.map(({ state }) =>
      state.kind === 'waiting' ? `waiting ${state.attempts}` : state.kind,
    ),
    ['settled', 'waiting 0'],
  );
  assert.equal(message?.lease, undefined);
  assert.equal(made.runner.inFlight, 0);
});

test('a fault of the store delays with 4.3.0, and the message is delivered once it is over', async () => {
  const made = await world(() => took);
  const deliver = made.store.deliver.bind(made.store);
  made.store.deliver = async () => {
    throw new Fault('Writing to the disk');
  };
  made.runner.start();
  await made.accept([localRecipient('author@here.example', made.author)], { reversePath: null });
  await made.clock.advance(1000);
  const [message] = await made.queue.list({}, undefined, 1);
  assert.equal(message?.recipients[0]?.state.lastAnswer?.status, '4.3.0');
  made.store.deliver = deliver;
  await made.clock.advance(10_000);
  assert.equal((await made.store.quota(made.author)).messagesUsed, 1);
  await made.runner.stop(0);
});

test('what was relayed is written down once the queue can, and does not go out twice', async () => {
  const made = await world(() => took);
  const settle = made.queue.settle.bind(made.queue);
  made.queue.settle = async () => {
    throw new Fault('Writing to the queue');
  };
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')], { reversePath: null });
  await made.clock.advance(20_000);
  assert.equal((await made.queue.count()).messages, 1);
  made.queue.settle = settle;
  await made.clock.advance(6000);
  assert.equal((await made.queue.count()).messages, 0);
  await made.clock.advance(HOUR_MS);
  assert.deepEqual(made.visited, ['far.example']);
  await made.runner.stop(0);
});

test('a queue that faults is asked again', async () => {
  const made = await world(() => took);
  const lease = made.queue.lease.bind(made.queue);
  let faults = 3;
  made.queue.lease = async (...args) => {
    faults -= 1;
    if (faults >= 0) throw new Fault('Reading the queue');
    return lease(...args);
  };
  made.runner.start();
  await made.accept([remoteRecipient('x@far.example')], { reversePath: null });
  await made.clock.advance(60_000);
  assert.equal((await made.queue.count()).messages, 0);
  await made.runner.stop(0);
});

test('a report that the disk refuses: the failure waits for it, what was done stays done', async () => {
  const made = await world(
    (target) => (target.host === 'good.example' ? took : answered('rcpt', 550, '5.1.1 no')),
    {
      zone: { 'good.example': { a: ['192.0.2.1'] }, 'bad.example': { a: ['192.0.2.2'] } },
    },
  );
  const create = made.blobs.create.bind(made.blobs);
  made.blobs.create = () => {
    throw new Fault('No room on the disk');
  };
  made.runner.start();
  await made.accept([
    remoteRecipient('a@good.example', { notify: ['success'] }),
    remoteRecipient('b@bad.example'),
  ]);
  await made.clock.advance(1000);
  const [message] = await made.queue.list({}, undefined, 1);
  assert.deepEqual(
    message?.recipients.map(({ state }) => state.kind),
    ['settled', 'waiting'],
  );
  // What is told is what was written down.
  const told = made.events.filter((event) => event.name === 'delivery.settled');
  assert.deepEqual(told.map(({ outcome }) => outcome).toSorted(), ['delayed', 'relayed']);
  made.blobs.create = create;
  await made.clock.advance(HOUR_MS);
  assert.deepEqual(
    (await made.reports()).map(({ subject }) => subject),
    ['Your message could not be delivered'],
  );
  assert.deepEqual(made.visited.filter((host) => host === 'good.example').length, 1);
  await made.runner.stop(0);
});

test('a local delivery is reported where success was asked for (RFC 3461 §5.2.2)', async () => {
  const made = await world(() => took);
  made.runner.start();
  await made.accept([localRecipient('author@here.example', made.author, { notify: ['success'] })], {
    dsn: { ret: 'full', envid: 'E1' },
  });
  await made.clock.advance(1000);
  const inbox = await made.store.quota(made.author);
  assert.equal(inbox.messagesUsed, 2);
  assert.equal((await made.queue.count()).messages, 0);
  await made.runner.stop(0);
});
