import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, mkdir, rm, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { MemoryDirectory } from '../../auth/memory/directory.ts';
import { LIMITS } from '../../base/limits.ts';
import { known, toAccountId, toBlobId } from '../../store/ids.ts';
import type { AccountId } from '../../store/ids.ts';
import { openMemoryMailStore } from '../../store/memory/mail-store.ts';
import { MemoryTraceStore } from '../../trace/memory/trace-store.ts';
import { toQueueId } from '../../queue/queue.ts';
import type { Queue, QueueFilter, QueuedMessage } from '../../queue/queue.ts';
import type { BlobPlace } from '../../store/blob-store.ts';
import { openSimulation } from '../open-stores.ts';
import { systemClock, systemRandom } from '../system.ts';
import { connectControl } from './client.ts';
import type { ControlClient } from './client.ts';
import { RETURN_PATHS } from '../../../test/support/return-paths.ts';
import { tlsReports } from '../../../test/support/tls-reports.ts';
import { ReturnPaths } from '../../delivery/return-paths.ts';
import type { ControlPorts } from './methods.ts';
import type { QueueEvent } from './queue-methods.ts';
import { openControlServer } from './server.ts';

const MESSAGE: QueuedMessage = {
  id: known(toQueueId('0123456789ABC')),
  blob: { id: known(toBlobId('ab'.repeat(32))), octets: 300_000, place: 1 as BlobPlace },
  prefix: Buffer.from('Received: x\r\n'),
  reversePath: null,
  body: '8bitmime',
  smtpUtf8: false,
  dsn: { ret: undefined, envid: undefined },
  priority: 0,
  requireTls: false,
  tlsOptional: false,
  deliverBy: undefined,
  arrivedAtMs: 1,
  releaseAtMs: undefined,
  releaseRequest: undefined,
  expiresAtMs: 2,
  source: { kind: 'mx', remote: '192.0.2.1', helo: 'x', account: undefined },
  lease: undefined,
  recipients: [
    {
      number: 0,
      forwardPath: 'bob@b.test',
      route: { kind: 'remote', domain: 'b.test' },
      notify: undefined,
      originalRecipient: undefined,
      state: {
        kind: 'waiting',
        dueAtMs: 5,
        attempts: 1,
        delayReported: false,
        lastAnswer: { atMs: 3, host: undefined, status: '4.4.1', text: 'no', reason: 'dns.timeout' },
      },
    },
  ],
};

const CONTENT = Buffer.alloc(MESSAGE.blob.octets, 'content ');

/** A queue of one message that writes down what was asked of it. */
function oneMessageQueue(): { readonly queue: Queue; readonly asked: [string, QueueFilter][] } {
  const asked: [string, QueueFilter][] = [];
  const isIt = ({ id }: QueueFilter): boolean => id === undefined || id === MESSAGE.id;
  const queue: Partial<Queue> = {
    list: async (filter, after) => (isIt(filter) && after === undefined ? [MESSAGE] : []),
    count: async () => ({ messages: 1, recipients: 1, held: 0 }),
    find: async (filter, after) => (isIt(filter) && after === undefined ? [MESSAGE.id] : []),
    act: async (ids, filter, { kind }) => {
      asked.push([kind, filter]);
      return ids.map((id) => ({ id, recipients: [0] }));
    },
    summary: async (filter) => {
      asked.push(['summary', filter]);
      return [];
    },
    suspend: async (scope) => void asked.push(['suspend', { hold: scope }]),
    resume: async (scope) => asked.push(['resume', { hold: scope }]) > 0,
    suspensions: async () => [],
  };
  return { queue: queue as Queue, asked };
}

type Given = {
  readonly folder: string;
  readonly path: string;
  readonly client: ControlClient;
  readonly asked: readonly [string, QueueFilter][];
  readonly told: readonly QueueEvent[];
  readonly bugs: unknown[];
  readonly stopped: () => boolean;
  readonly ports: ControlPorts;
};

function it(promise: string, run: (given: Given) => Promise<void>, deep = ''): void {
  test(`control: ${promise}`, { timeout: 20_000 }, async () => {
    const root = await mkdtemp(join(tmpdir(), 'postrider-control-'));
    const folder = join(root, deep);
    await mkdir(folder, { recursive: true });
    const { queue, asked } = oneMessageQueue();
    const mailStore = openMemoryMailStore(systemClock);
    let isStopped = false;
    const told: QueueEvent[] = [];
    const directory = new MemoryDirectory({ clock: systemClock, random: systemRandom });
    const ports: ControlPorts = {
      clock: systemClock,
      directory,
      returnPaths: new ReturnPaths({ directory, clock: systemClock }, RETURN_PATHS),
      queue: async () => queue,
      blobs: async () => ({ read: async (_blob, start, end) => CONTENT.subarray(start, end) }),
      mailStore: async () => mailStore,
      simulation: async () => openSimulation('/nowhere', undefined),
      tlsReports,
      explainRoute: async ({ address, account }) =>
        account === undefined
          ? { address, resolution: 'unknown', mailboxes: [], remote: [] }
          : 'no-such-account',
      queueEvents: (event) => void told.push(event),
      search: async () => undefined,
      traces: async () => new MemoryTraceStore(),
      server: {
        status: () => ({ version: '1', pid: 1, hostname: 'h.test', startedAtMs: 1, listeners: [] }),
        stop: () => (isStopped = true),
      },
    };
    const bugs: unknown[] = [];
    const server = await openControlServer(folder, ports, (error) => bugs.push(error));
    const client = await connectControl(folder);
    assert.ok(client !== undefined);
    try {
      await run({ folder, path: server.path, client, asked, told, bugs, stopped: () => isStopped, ports });
      assert.deepEqual(bugs, []);
    } finally {
      await client.close();
      await server.close();
      assert.equal(await connectControl(folder), undefined, 'nothing listens any more');
      await rm(root, { recursive: true });
    }
  });
}

/** What the server says to octets, one line each, until it ends or has said `lines`. */
async function converse(path: string, octets: string | Uint8Array, lines: number): Promise<string[]> {
  const socket = connect(path);
  socket.on('error', () => undefined);
  socket.write(octets);
  let text = '';
  while (text.split('\n').length <= lines) {
    const [chunk] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown];
    if (!Buffer.isBuffer(chunk)) break;
    text += chunk.toString();
  }
  socket.destroy();
  return text.split('\n').filter((line) => line !== '');
}

it('is for its owner only', async ({ path }) => {
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

it('suspends and resumes what an account sends, and grants it addresses', async ({ client, asked }) => {
  const { call } = client;
  await call('domain.add', { name: 'a.test' });
  const added = await call('account.add', { address: 'alice@a.test' });
  assert.ok(added.ok);
  const { id: account } = added.value.account;
  const address = 'alice@a.test';
  const none = {
    messagesPerHour: null,
    messagesPerDay: null,
    recipientsPerHour: null,
    recipientsPerDay: null,
  };
  assert.deepEqual(await call('sending.show', { address }), {
    ok: true,
    value: { sending: { suspended: null, limits: none, grants: [] } },
  });
  const stopped = await call('sending.suspend', { address, reason: 'spam' });
  assert.ok(stopped.ok && stopped.value.sending.suspended?.reason === 'spam');
  assert.deepEqual([stopped.value.messages, stopped.value.recipients], [1, 1]);
  const resumed = await call('sending.resume', { address });
  assert.ok(resumed.ok && resumed.value.sending.suspended === null && resumed.value.messages === 0);
  assert.ok((await call('sending.resume', { address, release: true })).ok);
  assert.deepEqual(asked, [
    ['hold', { account, state: 'waiting' }],
    ['release', { account, hold: 'account-suspended' }],
  ]);
  await call('sending.limit', { address, messagesPerHour: 7, recipientsPerDay: 0 });
  const limited = await call('sending.limit', { address, messagesPerHour: null });
  assert.ok(limited.ok);
  assert.deepEqual(limited.value.sending.limits, { ...none, recipientsPerDay: 0 });
  const granted = await call('sending.grant', { address, as: 'Boss@b.test' });
  assert.ok(granted.ok);
  assert.deepEqual(granted.value.sending.grants, ['boss@b.test']);
  const twice = await call('sending.grant', { address, as: 'boss@b.test' });
  assert.equal(!twice.ok && twice.error.kind, 'exists');
  assert.ok((await call('sending.revoke', { address, as: 'boss@b.test' })).ok);
  const gone = await call('sending.revoke', { address, as: 'boss@b.test' });
  assert.equal(!gone.ok && gone.error.kind, 'not-found');
  const nobody = await call('sending.suspend', { address: 'nobody@a.test' });
  assert.equal(!nobody.ok && nobody.error.kind, 'not-found');
  const unreadable = await call('sending.suspend', { address, reason: 'a\nb' });
  assert.equal(!unreadable.ok && unreadable.error.kind, 'bad-name');
});

it('shares mailboxes of an account, and takes that back', async ({ client, ports }) => {
  const { call } = client;
  const problemOf = (answer: Awaited<ReturnType<typeof call>>): string =>
    answer.ok ? '' : answer.error.kind;
  await call('domain.add', { name: 'a.test' });
  const [address, identifier] = ['alice@a.test', 'bob@a.test'];
  const added = await call('account.add', { address });
  assert.ok(added.ok);
  await call('account.add', { address: identifier });
  const owner = known(toAccountId(added.value.account.id));
  const store = await ports.mailStore();
  const work = await store.createMailbox(owner, { parent: undefined, name: 'Work' });
  assert.ok(work.ok);
  assert.ok((await store.createMailbox(owner, { parent: work.value.id, name: 'Old' })).ok);

  assert.deepEqual(await call('share.list', { address }), { ok: true, value: { shares: [] } });
  await call('share.add', { address, identifier: 'Bob@a.test', rights: 'lr' });
  await call('share.add', { address, identifier, rights: 'lrd', mailbox: 'Work/Old' });
  await call('share.add', { address, identifier: 'anyone', rights: 'l', mailbox: 'inbox' });
  assert.deepEqual(await call('share.add', { address, identifier, rights: '+s', mailbox: 'Work/Old' }), {
    ok: true,
    value: {
      shares: [
        { mailbox: null, identifier, rights: 'lr' },
        { mailbox: 'INBOX', identifier: 'anyone', rights: 'l' },
        { mailbox: 'Work/Old', identifier, rights: 'lrsted' },
      ],
    },
  });
  await store.removeMailbox(owner, known((await ports.directory.shares(owner)).at(-1)?.mailbox));
  await call('share.remove', { address, identifier });
  const left = { shares: [{ mailbox: 'INBOX', identifier: 'anyone', rights: 'l' }] };
  assert.deepEqual(await call('share.list', { address }), { ok: true, value: left });

  for (const [change, want] of [
    [{ identifier: 'nobody@a.test' }, 'not-found'],
    [{ identifier: 'no address' }, 'bad-address'],
    [{ identifier: address }, 'in-use'],
    [{ address: 'nobody@a.test' }, 'not-found'],
    [{ mailbox: 'Work/None' }, 'not-found'],
    [{ rights: 'lz' }, 'bad-request'],
  ] as const)
    assert.equal(problemOf(await call('share.add', { address, identifier, rights: 'l', ...change })), want);
  assert.equal(problemOf(await call('share.remove', { address, identifier })), 'not-found');
  assert.equal(problemOf(await call('share.list', { address: 'nobody@a.test' })), 'not-found');
});

it('tends domains, accounts, app passwords and aliases', async ({ client, ports }) => {
  const { call } = client;
  assert.deepEqual(await call('domain.list', {}), { ok: true, value: { domains: [] } });
  assert.ok((await call('domain.add', { name: 'A.test' })).ok);
  const twice = await call('domain.add', { name: 'a.test' });
  assert.deepEqual(twice, { ok: false, error: { kind: 'exists', message: '"a.test" exists already' } });
  const added = await call('account.add', { address: 'alice@a.test', password: 'one', quotaOctets: 5000 });
  assert.ok(added.ok);
  assert.deepEqual([added.value.account.address, added.value.account.quotaOctets], ['alice@a.test', 5000]);
  const mailStore = await ports.mailStore();
  const id: AccountId = known(toAccountId(added.value.account.id));
  assert.equal((await mailStore.quota(id)).octetsMax, 5000);
  const changed = await call('account.set', { address: 'Alice@a.test', quotaOctets: null, disabled: true });
  assert.ok(changed.ok && changed.value.account.disabled && changed.value.account.quotaOctets === null);
  assert.equal((await mailStore.quota(id)).octetsMax, undefined);
  const shown = await call('account.show', { address: 'alice@a.test' });
  assert.ok(shown.ok && shown.value.messagesUsed === 0);
  const secret = await call('app-password.add', { address: 'alice@a.test', name: 'Phone', scopes: ['imap'] });
  assert.ok(secret.ok);
  const list = await call('app-password.list', { address: 'alice@a.test' });
  assert.ok(list.ok && list.value.appPasswords[0]?.name === 'Phone');
  assert.ok((await call('app-password.remove', { address: 'alice@a.test', name: 'Phone' })).ok);
  const fingerprint = 'ab'.repeat(32);
  assert.ok((await call('certificate.add', { address: 'alice@a.test', fingerprint })).ok);
  const bad = await call('certificate.add', { address: 'alice@a.test', fingerprint: 'x' });
  assert.equal(!bad.ok && bad.error.kind, 'bad-fingerprint');
  const certificates = await call('certificate.list', { address: 'alice@a.test' });
  assert.ok(certificates.ok && certificates.value.certificates[0]?.fingerprint === fingerprint);
  assert.ok((await call('certificate.remove', { address: 'alice@a.test', fingerprint })).ok);
  assert.ok((await call('alias.add', { address: 'x@a.test', targets: ['alice@a.test'] })).ok);
  const again = await call('alias.add', { address: 'X@a.test', targets: ['alice@a.test'] });
  assert.equal(!again.ok && again.error.kind, 'exists');
  assert.ok((await call('alias.set', { address: 'X@a.test', targets: ['y@b.test'] })).ok);
  const aliases = await call('alias.list', { limit: 10 });
  assert.ok(aliases.ok && aliases.value.aliases[0]?.targets[0] === 'y@b.test');
  assert.ok((await call('alias.remove', { address: 'x@a.test' })).ok);
  const used = await call('domain.remove', { name: 'a.test' });
  assert.equal(!used.ok && used.error.kind, 'in-use');
  assert.ok((await call('account.remove', { address: 'alice@a.test' })).ok);
  assert.ok((await call('domain.remove', { name: 'a.test' })).ok);
});

it('shows and moves the queue', async ({ client, asked, told }) => {
  const { call } = client;
  const list = await call('queue.list', { sender: '' });
  assert.ok(list.ok);
  assert.deepEqual(list.value.messages[0], {
    id: '0123456789ABC',
    sender: null,
    octets: 300_013,
    arrivedAtMs: 1,
    expiresAtMs: 2,
    priority: 0,
    requireTls: false,
    releaseAtMs: null,
    deliverBy: null,
    source: { kind: 'mx', remote: '192.0.2.1', account: null },
    leased: false,
    recipients: [
      {
        number: 0,
        address: 'bob@b.test',
        route: { kind: 'remote', domain: 'b.test' },
        state: 'waiting',
        hold: null,
        attempts: 1,
        dueAtMs: 5,
        lastAnswer: { atMs: 3, host: null, status: '4.4.1', text: 'no', reason: 'dns.timeout', tls: null },
      },
    ],
  });
  assert.ok((await call('queue.show', { id: '0123456789ABC' })).ok);
  const none = await call('queue.show', { id: '0123456789ABD' });
  assert.equal(!none.ok && none.error.kind, 'not-found');
  const one = { ok: true, value: { messages: 1, recipients: 1 } };
  assert.deepEqual(await call('queue.retry', { domain: 'b.test' }), one);
  await call('queue.hold', { id: '0123456789ABC', whole: true });
  await call('queue.release', { state: 'held', hold: 'operator' });
  await call('queue.expire', { account: '7', source: '192.0.2.1', text: "' OR 1=1 --", priorityMin: -3 });
  assert.deepEqual(await call('queue.drop', { recipient: 'Bob@B.test', dryRun: true }), one);
  await call('queue.drop', { recipient: 'Bob@B.test' });
  assert.ok((await call('queue.summary', { reason: 'dns.timeout', limit: 5 })).ok);
  assert.ok((await call('queue.suspend', { domain: 'B.test' })).ok);
  assert.ok((await call('queue.resume', { all: true })).ok);
  const unsaid = await call('queue.suspend', {});
  assert.equal(!unsaid.ok && unsaid.error.kind, 'bad-request');
  const account: AccountId = known(toAccountId(7));
  assert.deepEqual(asked, [
    ['retry', { domain: 'b.test' }],
    ['hold', {}],
    ['release', { state: 'held', hold: 'operator' }],
    ['expire', { account, source: '192.0.2.1', priorityMin: -3, text: "' OR 1=1 --" }],
    ['drop', { recipient: 'Bob@B.test' }],
    ['summary', { reason: 'dns.timeout' }],
    ['suspend', { hold: 'domain:b.test' }],
    ['resume', { hold: '*' }],
    ['release', { hold: 'suspended:*' }],
  ]);
  const names = told.map((event) => (event.name === 'queue.acted' ? event.act : event.name));
  assert.deepEqual(names, ['retry', 'hold', 'release', 'expire', 'drop', 'queue.suspended', 'queue.resumed']);
});

it('shows TLS reports by page (RFC 8460 §4.4)', async ({ client }) => {
  const first = await client.call('tls-report.show', { domain: 'FAR.example', limit: 1 });
  assert.ok(first.ok);
  const [one] = first.value.reports;
  assert.deepEqual([one?.day, one?.domain], ['2026-01-01', 'far.example']);
  assert.deepEqual(one?.report.policies[0]?.summary, {
    'total-successful-session-count': 3,
    'total-failure-session-count': 2,
  });
  const next = await client.call('tls-report.show', { after: '2026-01-01 far.example', limit: 1 });
  assert.ok(next.ok && next.value.reports[0]?.day === '2026-01-02');
  for (const params of [{ day: 'today' }, { after: 'x' }]) {
    const refused = await client.call('tls-report.show', params);
    assert.equal(!refused.ok && refused.error.kind, 'bad-request');
  }
});

it('gives the content of a queued message piece by piece, trace fields first', async ({ client }) => {
  const { prefix, blob } = MESSAGE;
  const whole = Buffer.concat([prefix, CONTENT]);
  const total = prefix.length + blob.octets;
  for (const from of [
    undefined,
    0,
    1,
    prefix.length - 1,
    prefix.length,
    prefix.length + 1,
    total,
    total + 9,
  ]) {
    const answered = await client.call('queue.content', {
      id: MESSAGE.id,
      ...(from === undefined ? {} : { from }),
    });
    assert.ok(answered.ok);
    const end = (from ?? 0) + LIMITS.controlContentOctetsMax;
    assert.deepEqual(answered.value, { octets: whole.subarray(from, end).toString('base64'), total });
  }
  const other = await client.call('queue.content', { id: '0123456789XYZ' });
  assert.ok(!other.ok && other.error.kind === 'not-found');
  const wrong = await client.call('queue.content', { id: MESSAGE.id, from: -1 });
  assert.ok(!wrong.ok && wrong.error.kind === 'bad-request');
});

it('says how the server is, and stops it after the answer', async ({ client, stopped }) => {
  const status = await client.call('status', {});
  assert.ok(status.ok && status.value.server.hostname === 'h.test' && status.value.queue.messages === 1);
  assert.deepEqual(await client.call('stop', {}), { ok: true, value: {} });
  assert.equal(stopped(), true);
});

const bad = [
  { name: 'no JSON', input: 'hello', want: /"id":null,"error":\{"kind":"bad-request"/ },
  { name: 'a number', input: '5', want: /"id":null,"error":\{"kind":"bad-request"/ },
  { name: 'a list', input: '[]', want: /bad-request/ },
  { name: 'null', input: 'null', want: /bad-request/ },
  { name: 'no method', input: '{"id":1}', want: /"id":1,"error":\{"kind":"unknown-method"/ },
  { name: 'a method of every object', input: '{"method":"constructor"}', want: /unknown-method/ },
  { name: 'a prototype', input: '{"id":1,"method":"__proto__"}', want: /unknown-method/ },
  {
    name: 'params that are none',
    input: '{"id":"a","method":"domain.list","params":5}',
    want: /"id":"a".*bad-req/,
  },
  { name: 'a missing field', input: '{"method":"domain.add","params":{}}', want: /name is missing/ },
  { name: 'a field of another type', input: '{"method":"domain.add","params":{"name":5}}', want: /not text/ },
  {
    name: 'an unknown field, before anything is done',
    input: '{"method":"queue.drop","params":{"id":"0123456789ABC","sendr":"x"}}',
    want: /\\"sendr\\" is no parameter/,
  },
  { name: 'a bad queue id', input: '{"method":"queue.show","params":{"id":"../x"}}', want: /no queue id/ },
  {
    name: 'a page too large',
    input: '{"method":"alias.list","params":{"limit":1001}}',
    want: /limit is not/,
  },
  {
    name: 'a scope that is none',
    input: '{"method":"app-password.add","params":{"address":"a@a.test","name":"x","scopes":["all"]}}',
    want: /scopes is not/,
  },
];
for (const { name, input, want } of bad) {
  it(`answers ${name}, and goes on`, async ({ path, asked }) => {
    const [first, second] = await converse(path, `${input}\n\n{"id":2,"method":"domain.list"}\n`, 2);
    assert.match(first ?? '', want);
    assert.match(second ?? '', /"id":2,"result"/);
    assert.deepEqual(asked, []);
  });
}

it('refuses a request beyond the limit and ends', async ({ path }) => {
  const long = 'x'.repeat(LIMITS.controlRequestOctetsMax + 1);
  for (const end of ['', '\n{"id":2,"method":"domain.list"}\n']) {
    const lines = await converse(path, `${long}${end}`, 2);
    assert.deepEqual(
      lines.map((line) => /too long/.test(line)),
      [true],
    );
  }
});

it('serves others while one connection says nothing, half a line, or vanishes', async ({ path, client }) => {
  const silent = [connect(path), connect(path), connect(path)];
  await Promise.all(silent.map(async (socket) => once(socket, 'connect')));
  for (const socket of silent) socket.on('error', () => undefined);
  silent[1]?.write('{"id":1,');
  silent[2]?.write('{"id":1,"method":"domain.list"}\n{"id"');
  silent[2]?.destroy();
  assert.ok((await client.call('domain.list', {})).ok);
});

it('turns away connections beyond the limit', async ({ path, client }) => {
  const many = Array.from({ length: LIMITS.controlConnectionsMax + 4 }, () => connect(path));
  await Promise.all(many.map(async (socket) => once(socket, 'connect')));
  assert.ok((await client.call('domain.list', {})).ok);
  for (const socket of many) socket.destroy();
});

it('ends although somebody does not take the answer', async ({ folder, ports, bugs }) => {
  const own = join(folder, 'own');
  await mkdir(own);
  const server = await openControlServer(own, ports, (error) => bugs.push(error), 1);
  const stalled = connect(server.path);
  stalled.on('error', () => undefined);
  stalled.write(`{"id":"${'x'.repeat(LIMITS.controlRequestOctetsMax - 1000)}","method":"domain.list"}\n`);
  // More than the kernel holds for one who reads no further.
  await once(stalled, 'readable');
  await server.close();
  stalled.destroy();
});

it('answers after any line of octets', async ({ path }) => {
  const line = fc.uint8Array({ maxLength: 200 }).map((octets) => octets.filter((octet) => octet !== 0x0a));
  await fc.assert(
    fc.asyncProperty(line, async (octets) => {
      const request = '\n{"id":7,"method":"domain.list"}\n';
      const lines = await converse(
        path,
        Buffer.concat([octets, Buffer.from(request)]),
        octets.length > 0 ? 2 : 1,
      );
      assert.match(lines.at(-1) ?? '', /^\{"id":7,"result":/);
    }),
    { numRuns: 50 },
  );
});

it(
  'listens elsewhere when the path is too long for a socket',
  async ({ folder, path, client }) => {
    assert.ok(!path.startsWith(folder));
    assert.ok(Buffer.byteLength(path) <= 103);
    assert.equal((await stat(join(path, '..'))).mode & 0o777, 0o700);
    assert.ok((await client.call('domain.list', {})).ok);
  },
  'd'.repeat(120),
);
