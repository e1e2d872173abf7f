import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { routeRule, ruleRouter } from '../../test/support/routes.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { fromLatin1, latin1 } from '../base/bytes.ts';
import { Fault } from '../base/fault.ts';
import type { NewQueuedMessage, Queue, Settlement } from '../queue/queue.ts';
import { toQueueId } from '../queue/queue.ts';
import type { Intake, MessageSink, RecipientVerifier } from '../smtp/server/ports.ts';
import { NO_MAIL_PARAMETERS, NO_RCPT_PARAMETERS } from '../smtp/wire/parameter.ts';
import type { MailParameters, RcptParameters } from '../smtp/wire/parameter.ts';
import type { EnvelopeAddress } from '../smtp/wire/path.ts';
import { parseEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';
import { known } from '../store/ids.ts';
import { openMemoryBlobStore } from '../store/memory/blob-store.ts';
import { openMemoryMailStore } from '../store/memory/mail-store.ts';
import { DeliverNow } from './deliver-now.ts';
import type { IntakeTransaction } from './intake-facts.ts';
import type { IntakeMessage } from './intake.ts';
import { DeliveryIntake } from './intake.ts';
import { LocalDelivery } from './local.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import type { RelayingRules } from './relaying.ts';
import { Relaying } from './relaying.ts';
import { ReturnPaths } from './return-paths.ts';
import { Settler } from './settler.ts';

/** The session's ports are met, though neither side imports the other. */
export function asSessionPorts(intake: DeliveryIntake): RecipientVerifier & Intake {
  const sink: (transaction: IntakeTransaction) => MessageSink = (transaction) => intake.begin(transaction);
  return { verify: (...facts) => intake.verify(...facts), begin: (transaction) => sink(transaction) };
}

const path = (text: string): EnvelopeAddress => parseEnvelopeAddress(text) ?? assert.fail(text);

const REFUSES = routeRule('no', {
  recipients: ['closed.example'],
  action: { kind: 'refuse', text: 'We do not write there' },
});

function copyIds() {
  let copies = 0;
  return () => known(toQueueId(`copy${String((copies += 1)).padStart(8, '0')}`));
}

async function world(relaying: RelayingRules = { networks: [], domains: [] }) {
  const clock = new FakeClock();
  const random = seededRandom();
  const store = openMemoryMailStore(clock);
  const blobs = openMemoryBlobStore();
  const directory = new MemoryDirectory({ clock, random });
  await directory.addDomain('here.example');
  const account = async (address: string) => {
    const added = await directory.addAccount({ address, password: undefined });
    assert.ok(added.ok);
    return added.value.id;
  };
  const bob = await account('bob@here.example');
  const amy = await account('amy@here.example');
  await directory.setAlias('team@here.example', ['bob@here.example', 'amy@here.example', 'eve@far.example']);
  const accepted: { message: NewQueuedMessage; leased: boolean }[] = [];
  const settledWith: (readonly Settlement[])[] = [];
  const queue: Pick<Queue, 'accept' | 'acceptAll' | 'settle'> = {
    accept: async (message, lease) => void accepted.push({ message, leased: lease !== undefined }),
    acceptAll: async (messages) =>
      void accepted.push(...messages.map((message) => ({ message, leased: false }))),
    settle: async (_id, _owner, settlements) => {
      settledWith.push(settlements);
      return 'settled';
    },
  };
  const events: unknown[] = [];
  const note = (event: unknown): void => void events.push(event);
  const local = new LocalDelivery({ store, blobs, directory, clock });
  const returnPaths = new ReturnPaths({ directory, clock }, RETURN_PATHS);
  const settler = new Settler(
    {
      queue,
      blobs,
      directory,
      returnPaths,
      clock,
      random,
      newId: () => known(toQueueId('dsn00001')),
      nextDueMs: (_tried, nowMs) => nowMs + 900_000,
      events: note,
    },
    {
      hostname: 'here.example',
      delayReportAfterMs: 14_400_000,
      dsnLifetimeMs: 86_400_000,
      lostReportsTo: 'postmaster',
    },
  );
  const now = new DeliverNow({ queue, local, settler, clock, events: note }, 'thread-1');
  const intake = new DeliveryIntake(
    {
      directory,
      returnPaths,
      relaying: new Relaying(relaying),
      router: ruleRouter({ rules: [REFUSES] }),
      blobs,
      mail: store,
      local,
      now,
      settler,
      newId: copyIds(),
      clock,
      events: note,
    },
    { lifetimeMs: 5 * 86_400_000, hostname: 'mx.here.example' },
  );
  const inbox = async (id: typeof bob) => {
    const found = (await store.mailboxes(id)).find(({ role }) => role === 'inbox');
    assert.ok(found);
    const entries = await store.entries(id, found.id, 0, 100);
    return store.messages(
      id,
      found.id,
      entries.map(({ uid }) => uid),
    );
  };
  const session = (name: 'relay' | 'submission' | 'lmtp') => ({
    role: { name },
    remote: { address: '192.0.2.9', port: 4000 },
    hello: { domain: 'client.example' },
    principal:
      name === 'submission'
        ? { address: 'bob@here.example', account: bob, authenticationId: 'bob', appPassword: undefined }
        : undefined,
  });
  const send = async (
    recipients: readonly string[],
    role: 'relay' | 'submission' | 'lmtp' = 'relay',
    text = 'Subject: x\r\n\r\nBody\r\n',
    notify?: RcptParameters['notify'],
    from = 'author@sender.example',
    hold?: IntakeMessage['hold'],
    parameters: Partial<MailParameters> = {},
  ) => {
    const transaction: IntakeTransaction = {
      traceId: 'abcdef0123456789abcdef',
      startedAtMs: clock.nowMs(),
      reversePath: from === '' ? null : path(from),
      parameters: { ...NO_MAIL_PARAMETERS, ...parameters },
      recipients: recipients.map((one) => ({
        forwardPath: path(one),
        parameters: { ...NO_RCPT_PARAMETERS, notify },
      })),
    };
    const sink = intake.begin(transaction);
    for (let at = 0; at < text.length; at += 7) await sink.write(fromLatin1(text.slice(at, at + 7)));
    const message: IntakeMessage = {
      transaction,
      session: session(role),
      prefix: fromLatin1('Received: x\r\n'),
      hold,
    };
    return sink.commit(message);
  };
  /** What the queue's worker would do for the mailboxes here. */
  const work = async () => {
    await now.idle();
    for (const { message, leased } of accepted)
      for (const [number, { route, ...recipient }] of message.recipients.entries())
        if (!leased && route.kind === 'local') await local.deliver(message, { ...recipient, number, route });
  };
  return {
    clock,
    store,
    blobs,
    directory,
    intake,
    now,
    work,
    queue,
    accepted,
    settledWith,
    events,
    returnPaths,
    bob,
    amy,
    inbox,
    session,
    send,
  };
}

test('the postmaster is reached without a domain (RFC 5321 §4.5.1)', async () => {
  const { directory, intake, session } = await world();
  await directory.setAlias('postmaster@here.example', ['amy@here.example']);
  const postmaster = { localPart: 'Postmaster', domain: '', domainSyntax: 'name', ascii: true } as const;
  const transaction: IntakeTransaction = {
    traceId: 'abcdef0123456789abcdef',
    startedAtMs: 0,
    reversePath: null,
    parameters: NO_MAIL_PARAMETERS,
    recipients: [],
  };
  assert.deepEqual(await intake.verify(postmaster, transaction, session('relay')), { kind: 'accept' });
});

test('the session ports are met', async () => {
  const { intake } = await world();
  assert.equal(typeof asSessionPorts(intake).verify, 'function');
});

const LATER = 86_400_000;
const fromNow = (ms: number): number => new FakeClock().nowMs() + ms;

/** [what MAIL said, the text, what the queue gets of it] */
const carried: readonly (readonly [string, Partial<MailParameters>, string, Partial<NewQueuedMessage>])[] = [
  [
    'nothing said (RFC 6710 §4.1)',
    {},
    '',
    { priority: 0, requireTls: false, tlsOptional: false, deliverBy: undefined, releaseAtMs: undefined },
  ],
  ['MT-PRIORITY (RFC 6710 §4.1)', { priority: -3 }, '', { priority: -3 }],
  ['BODY=BINARYMIME (RFC 3030 §3)', { body: 'BINARYMIME' }, '', { body: 'binarymime' }],
  ['REQUIRETLS (RFC 8689 §4.1)', { requireTls: true }, '', { requireTls: true, tlsOptional: false }],
  [
    'REQUIRETLS against the field (RFC 8689 §4.1)',
    { requireTls: true },
    'TLS-Required: No\r\n',
    { requireTls: true, tlsOptional: false },
  ],
  ['TLS-Required: No (RFC 8689 §3)', {}, 'TLS-Required:\r\n no\r\n', { tlsOptional: true }],
  ['TLS-Required: Yes', {}, 'TLS-Required: Yes\r\n', { tlsOptional: false }],
  ['TLS-Required twice (RFC 8689 §3)', {}, 'TLS-Required: No\r\n'.repeat(2), { tlsOptional: false }],
  [
    'BY (RFC 2852 §4)',
    { deliverBy: { seconds: -5, mode: 'notify', trace: true } },
    '',
    { deliverBy: { byMs: fromNow(-5000), mode: 'notify', trace: true } },
  ],
  [
    'HOLDFOR (RFC 4865 §4.2)',
    { hold: { kind: 'for', seconds: LATER / 1000 } },
    '',
    {
      releaseAtMs: fromNow(LATER),
      releaseRequest: 'for;86400',
      expiresAtMs: fromNow(LATER + 5 * 86_400_000),
    },
  ],
  [
    'HOLDUNTIL (RFC 4865 §4.2)',
    { hold: { kind: 'until', atMs: Date.UTC(2030, 0, 1) } },
    '',
    {
      releaseAtMs: Date.UTC(2030, 0, 1),
      releaseRequest: 'until;2030-01-01T00:00:00Z',
      expiresAtMs: Date.UTC(2030, 0, 1) + 5 * 86_400_000,
    },
  ],
  [
    'HOLDUNTIL in the past',
    { hold: { kind: 'until', atMs: 0 } },
    '',
    { releaseAtMs: 0, expiresAtMs: fromNow(5 * 86_400_000) },
  ],
];
for (const [name, parameters, fields, want] of carried)
  test(`the queue is told: ${name}`, async () => {
    const { accepted, send } = await world();
    const text = `Subject: x\r\n${fields}\r\nBody\r\n`;
    const to = ['eve@far.example'];
    assert.deepEqual(
      await send(to, 'submission', text, undefined, 'bob@here.example', undefined, parameters),
      { kind: 'accepted' },
    );
    const [message] = accepted.map((one) => one.message);
    for (const [key, value] of Object.entries(want)) assert.deepEqual(Reflect.get(message ?? {}, key), value);
  });

test('what is to be released later is not in the mailbox now, but in the queue (RFC 4865 §4.2)', async () => {
  const { accepted, bob, inbox, send } = await world();
  const hold = { kind: 'for', seconds: 60 } as const;
  const to = ['bob@here.example'];
  const answer = await send(to, 'submission', undefined, undefined, 'bob@here.example', undefined, { hold });
  assert.deepEqual(answer, { kind: 'accepted' });
  assert.deepEqual(
    accepted.map(({ message, leased }) => [message.releaseAtMs, leased]),
    [[fromNow(60_000), false]],
  );
  assert.equal((await inbox(bob)).length, 0);
});

const verdicts = [
  { address: 'bob@here.example', role: 'relay', want: 'accept' },
  { address: 'BOB+x@HERE.example', role: 'relay', want: 'accept' },
  { address: 'team@here.example', role: 'lmtp', want: 'accept' },
  { address: 'nobody@here.example', role: 'relay', want: '550 5.1.1 recipient.unknown' },
  { address: 'eve@far.example', role: 'relay', want: '550 5.7.1 recipient.relay-denied' },
  { address: 'eve@far.example', role: 'lmtp', want: '550 5.7.1 recipient.relay-denied' },
  { address: 'eve@far.example', role: 'submission', want: 'accept' },
  { address: 'eve@closed.example', role: 'submission', want: '550 5.7.1 route.refused' },
  // Source routes are dropped by the parser; what is left of other tricks is a local part like any (RFC 5321 §5.1).
  { address: 'eve%far.example@here.example', role: 'relay', want: '550 5.1.1 recipient.unknown' },
  { address: '"eve@far.example"@here.example', role: 'relay', want: '550 5.1.1 recipient.unknown' },
  { address: 'far.example!eve@here.example', role: 'relay', want: '550 5.1.1 recipient.unknown' },
] as const;

/** What RCPT hears. */
async function verified(
  address: string,
  role: 'relay' | 'submission' | 'lmtp',
  relaying?: RelayingRules,
): Promise<string> {
  const { intake, session } = await world(relaying);
  const transaction = {
    traceId: '',
    startedAtMs: 0,
    reversePath: null,
    parameters: NO_MAIL_PARAMETERS,
    recipients: [],
  };
  const verdict = await intake.verify(path(address), transaction, session(role));
  if (verdict.kind === 'accept') return 'accept';
  return `${verdict.reply.code} ${verdict.reply.status} ${verdict.reason}`;
}

for (const { address, role, want } of verdicts)
  test(`RCPT ${address} as ${role}: ${want}`, async () => assert.equal(await verified(address, role), want));

const DENIED = '550 5.7.1 recipient.relay-denied';
const RELAYED: readonly (readonly [
  string,
  Partial<RelayingRules>,
  string,
  'relay' | 'submission' | 'lmtp',
  string,
])[] = [
  ['its network', { networks: ['192.0.2.0/24'] }, 'eve@far.example', 'relay', 'accept'],
  ['its address', { networks: ['2001:db8::1', '192.0.2.9'] }, 'eve@far.example', 'relay', 'accept'],
  ['a network beside it', { networks: ['192.0.3.0/24'] }, 'eve@far.example', 'relay', DENIED],
  ['its network, by LMTP', { networks: ['192.0.2.0/24'] }, 'eve@far.example', 'lmtp', DENIED],
  [
    'its network, to a closed route',
    { networks: ['192.0.2.9'] },
    'eve@closed.example',
    'relay',
    '550 5.7.1 route.refused',
  ],
  [
    'its network, to nobody here',
    { networks: ['192.0.2.9'] },
    'x@here.example',
    'relay',
    '550 5.1.1 recipient.unknown',
  ],
  ['the domain', { domains: ['far.example'] }, 'eve@FAR.example', 'relay', 'accept'],
  ['what is below the domain', { domains: ['.far.example'] }, 'eve@a.far.example', 'relay', 'accept'],
  ['a domain is not below itself', { domains: ['.far.example'] }, 'eve@far.example', 'relay', DENIED],
  ['the address', { domains: ['eve@far.example'] }, 'Eve@far.example', 'relay', 'accept'],
  ['another address', { domains: ['eve@far.example'] }, 'eva@far.example', 'relay', DENIED],
  ['a part of the domain', { domains: ['example'] }, 'eve@far.example', 'relay', DENIED],
  ['the domain, by LMTP', { domains: ['far.example'] }, 'eve@far.example', 'lmtp', DENIED],
];
for (const [name, rules, address, role, want] of RELAYED)
  test(`relaying for ${name}: ${want}`, async () =>
    assert.equal(await verified(address, role, { networks: [], domains: [], ...rules }), want));

for (const role of ['relay', 'lmtp'] as const)
  test(`what a check holds goes into the queue and nowhere else, by ${role}`, async () => {
    const { send, accepted, inbox, bob } = await world();
    const hold = { reason: 'rule.odd', text: 'Looks odd' };
    const answer = await send(['bob@here.example'], role, undefined, undefined, undefined, hold);
    assert.deepEqual(answer, { kind: 'accepted' });
    assert.deepEqual(
      accepted.map(({ message, leased }) => [message.hold, leased]),
      [[hold, false]],
    );
    assert.deepEqual(await inbox(bob), []);
  });

test('all recipients here: in the mailbox before the 250, and never in the queue', async () => {
  const { send, accepted, settledWith, events, inbox, bob } = await world();
  assert.deepEqual(await send(['bob@here.example']), { kind: 'accepted' });
  const [kept] = await inbox(bob);
  assert.equal(
    latin1(kept?.prefix ?? Buffer.alloc(0)),
    'Return-Path: <author@sender.example>\r\nDelivered-To: bob@here.example\r\nReceived: x\r\n',
  );
  assert.deepEqual([accepted.length, settledWith.length], [0, 0]);
  assert.deepEqual(
    events.map((event) =>
      typeof event === 'object' && event !== null && 'name' in event ? event.name : event,
    ),
    ['delivery.accepted', 'delivery.settled'],
  );
});

test('a mailbox that cannot take it now: accepted by the queue, and settled for all', async () => {
  const { send, now, accepted, settledWith, inbox, store, bob, amy } = await world();
  await store.setQuota(amy, 1);
  assert.deepEqual(await send(['bob@here.example', 'amy@here.example']), { kind: 'accepted' });
  assert.deepEqual([accepted.length, accepted[0]?.leased], [1, true]);
  assert.equal(accepted[0]?.message.source.kind, 'mx');
  assert.equal(accepted[0]?.message.reversePath, 'author@sender.example');
  await now.idle();
  assert.deepEqual([(await inbox(bob)).length, (await inbox(amy)).length], [1, 0]);
  assert.deepEqual(
    settledWith.map((settlements) => settlements.map(({ recipient, kind }) => [recipient, kind])),
    [
      [
        [0, 'delivered'],
        [1, 'delayed'],
      ],
    ],
  );
});

test('success to be reported: accepted by the queue, settled with its report (RFC 3461 §4.1)', async () => {
  const { send, now, accepted, settledWith, inbox, bob } = await world();
  await send(['bob@here.example'], 'relay', undefined, ['SUCCESS']);
  await now.idle();
  assert.deepEqual([accepted.length, (await inbox(bob)).length], [1, 1]);
  assert.deepEqual(settledWith, [[{ recipient: 0, kind: 'delivered', answer: undefined }]]);
});

test('a message for other hosts alone goes to the runner', async () => {
  const { send, accepted, settledWith } = await world();
  await send(['eve@far.example'], 'submission');
  await settled();
  assert.deepEqual([accepted.length, accepted[0]?.leased, settledWith.length], [1, false, 0]);
});

test('a group: each account once, the rest is left to the runner', async () => {
  const { send, now, accepted, settledWith, inbox, bob, amy } = await world();
  await send(['team@here.example', 'bob@here.example']);
  await now.idle();
  assert.deepEqual(
    accepted[0]?.message.recipients.map(({ forwardPath }) => forwardPath),
    ['bob@here.example', 'amy@here.example', 'eve@far.example'],
  );
  assert.deepEqual([(await inbox(bob)).length, (await inbox(amy)).length], [1, 1]);
  assert.deepEqual(
    settledWith.map((settlements) => settlements.map(({ recipient }) => recipient)),
    [[0, 1]],
  );
});

test('too many Received fields are refused at the door (RFC 5321 §6.3)', async () => {
  const { send, accepted } = await world();
  const answer = await send(['bob@here.example'], 'relay', `${'Received: x\r\n'.repeat(51)}\r\n`);
  assert.equal(answer.kind === 'refuse' && answer.reply.code, 554);
  assert.equal(accepted.length, 0);
});

test('a recipient that vanished since RCPT: the client tries again', async () => {
  const { send, accepted } = await world();
  const answer = await send(['bob@here.example', 'gone@here.example']);
  assert.equal(answer.kind === 'refuse' && answer.reply.code, 451);
  assert.equal(accepted.length, 0);
});

test('LMTP: in the mailbox before the answer, one answer for each (RFC 2033 §4.2)', async () => {
  const { send, accepted, inbox, bob, amy, store } = await world();
  await store.setQuota(amy, 1);
  const answer = await send(
    ['bob@here.example', 'amy@here.example', 'bob+x@here.example', 'gone@here.example'],
    'lmtp',
  );
  assert.ok(answer.kind === 'each');
  assert.deepEqual(
    answer.outcomes.map((one) =>
      one.kind === 'refuse' ? `${one.reply.code} ${one.reply.status}` : one.kind,
    ),
    ['accepted', '452 4.2.2', 'accepted', '550 5.1.1'],
  );
  assert.equal((await inbox(bob)).length, 1);
  assert.equal(accepted.length, 0);
});

test('LMTP: a group is answered when the queue has it', async () => {
  const { send, now, accepted, inbox, bob, amy } = await world();
  const answer = await send(['team@here.example', 'amy@here.example'], 'lmtp');
  assert.ok(answer.kind === 'each');
  assert.deepEqual(answer.outcomes, [{ kind: 'accepted' }, { kind: 'accepted' }]);
  await now.idle();
  assert.equal(accepted.length, 1);
  assert.deepEqual([(await inbox(bob)).length, (await inbox(amy)).length], [1, 1]);
});

test('LMTP: a queue that faults refuses its own recipients, not who has the message (RFC 2033 §4.2)', async () => {
  const { send, queue, directory, inbox, bob } = await world();
  await directory.setAlias('away@here.example', ['eve@far.example']);
  queue.accept = async () => {
    throw new Fault('Writing to the disk');
  };
  const answer = await send(['bob@here.example', 'away@here.example'], 'lmtp');
  assert.ok(answer.kind === 'each');
  assert.deepEqual(
    answer.outcomes.map((one) =>
      one.kind === 'refuse' ? `${one.reply.code} ${one.reply.status}` : one.kind,
    ),
    ['accepted', '451 4.3.0'],
  );
  assert.equal((await inbox(bob)).length, 1);
});

test('LMTP: a success that is to be reported is settled in the queue (RFC 3461 §5.2.3)', async () => {
  const { send, now, accepted, settledWith } = await world();
  await send(['bob@here.example'], 'lmtp', 'Subject: x\r\n\r\n', ['SUCCESS']);
  await now.idle();
  assert.equal(accepted.length, 1);
  assert.deepEqual(
    settledWith.flat().map(({ kind }) => kind),
    ['delivered'],
  );
});

test('success of an alias of several is one "expanded" report that names nobody behind it (RFC 3461 §5.2.7.3)', async () => {
  const { send, now, accepted, blobs, directory } = await world();
  await directory.setAlias('author@here.example', ['bob@here.example']);
  await send(
    ['team@here.example'],
    'relay',
    'Subject: x\r\n\r\n',
    ['SUCCESS', 'FAILURE'],
    'author@here.example',
  );
  await now.idle();
  const [dsn, message, ...more] = accepted.map((one) => one.message);
  assert.equal(more.length, 0);
  assert.deepEqual([dsn?.reversePath, dsn?.source.kind], [null, 'dsn']);
  assert.deepEqual(
    message?.recipients.map(({ notify }) => notify),
    [['failure'], ['failure'], ['failure']],
  );
  assert.ok(dsn);
  const text = (await blobs.read(dsn.blob)).toString('latin1');
  assert.match(
    text,
    /\r\nFinal-Recipient: rfc822; team@here\.example\r\nAction: expanded\r\nStatus: 2\.0\.0\r\n/,
  );
  for (const member of ['bob@', 'amy@', 'eve@']) assert.ok(!text.includes(member), member);
});

const rewrittenVerdicts = [
  { from: null, days: 0, want: 'accept' },
  { from: 'MAILER-DAEMON@far.example', days: 0, want: 'accept' },
  { from: 'postmaster@far.example', days: 21, want: 'accept' },
  { from: 'spammer@far.example', days: 0, want: '550 5.7.1 srs.no-report' },
  { from: null, days: 22, want: '550 5.1.1 srs.expired' },
  { from: null, days: 0, forged: true, want: '550 5.1.1 srs.bad-hash' },
  { from: 'spammer@far.example', days: 0, forged: true, want: '550 5.1.1 srs.bad-hash' },
] as const;
for (const { from, days, want, ...more } of rewrittenVerdicts)
  test(`RCPT of a ${'forged' in more ? 'forged' : `${days} days old`} SRS address from <${from ?? ''}>: ${want}`, async () => {
    const { intake, session, returnPaths, clock } = await world();
    const rewritten = await returnPaths.forwarded('author@sender.example', 'team@here.example');
    assert.ok(rewritten !== undefined);
    await clock.advance(days * 86_400_000);
    const transaction: IntakeTransaction = {
      traceId: 'abcdef0123456789abcdef',
      startedAtMs: 0,
      reversePath: from === null ? null : path(from),
      parameters: NO_MAIL_PARAMETERS,
      recipients: [],
    };
    const address = 'forged' in more ? rewritten.replace('author', 'victim') : rewritten.toLowerCase();
    const verdict = await intake.verify(path(address), transaction, session('relay'));
    assert.equal(
      verdict.kind === 'accept'
        ? 'accept'
        : `${verdict.reply.code} ${verdict.reply.status} ${verdict.reason}`,
      want,
    );
  });

test('a report about forwarded mail goes on to the sender, from the null reverse-path still', async () => {
  const { send, returnPaths, accepted } = await world();
  const rewritten = await returnPaths.forwarded('author@sender.example', 'team@here.example');
  assert.deepEqual(await send([rewritten ?? ''], 'relay', undefined, undefined, ''), { kind: 'accepted' });
  const [message] = accepted.map((one) => one.message);
  assert.deepEqual(
    [
      message?.reversePath,
      message?.recipients.map(({ forwardPath, reversePath }) => [forwardPath, reversePath]),
    ],
    [null, [['author@sender.example', undefined]]],
  );
});

test('mail to a list alone is one message, from its owner; its sender hears that the list has it (RFC 3461 §5.2.7.1)', async () => {
  const { send, work, accepted, blobs, directory, inbox, bob, events } = await world();
  await directory.setAlias('author@here.example', ['amy@here.example']);
  await directory.setAlias('news@here.example', ['bob@here.example', 'eve@far.example'], {
    owner: 'amy@here.example',
    verp: true,
  });
  await send(['news@here.example'], 'relay', undefined, ['SUCCESS'], 'author@here.example');
  await work();
  const [report, message, ...more] = accepted.map((one) => one.message);
  assert.equal(more.length, 0);
  assert.equal(message?.id, 'abcdef0123456789abcdef');
  assert.equal(message?.reversePath, 'amy@here.example');
  assert.deepEqual(
    message?.recipients.map(({ reversePath, notify }) => [reversePath, notify]),
    [
      ['amy+bob=here.example@here.example', undefined],
      ['amy+eve=far.example@here.example', undefined],
    ],
  );
  assert.match(
    latin1((await inbox(bob))[0]?.prefix ?? Buffer.alloc(0)),
    /^Return-Path: <amy\+bob=here\.example@here\.example>\r\n/,
  );
  assert.ok(report);
  const text = (await blobs.read(report.blob)).toString('latin1');
  assert.match(text, /\r\nFinal-Recipient: rfc822; news@here\.example\r\nAction: delivered\r\n/);
  assert.match(text, /^To: <author@here\.example>\r$/m);
  assert.ok(events.some((event) => (event as { name: string }).name === 'delivery.redistributed'));
});

const tags = [
  [{ tag: '+', at: '=' }, (name: string) => `news+${name.replace('@', '=')}@here.example`],
  [{ tag: '-', at: '=' }, (name: string) => `news-${name.replace('@', '=')}@here.example`],
  [{}, (name: string) => `news+${name.replace('@', '=')}@here.example`],
] as const;
for (const [verp, tagged] of tags)
  test(`XVERP ${JSON.stringify(verp)}: each copy and each report is about one address that was written to`, async () => {
    const { send, work, accepted, blobs, directory, inbox, bob } = await world();
    await directory.setAlias('news@here.example', ['amy@here.example']);
    // Where `-` divides nothing, its owner has to take what comes back.
    await directory.setAlias(tagged('both@here.example'), ['amy@here.example']);
    await directory.setAlias('both@here.example', ['bob@here.example', 'zoe@far.example']);
    const to = ['bob+x@here.example', 'both@here.example', 'eve@far.example', 'EVE.2@far.example'];
    await send(to, 'submission', undefined, ['SUCCESS', 'FAILURE'], 'news@here.example', undefined, {
      verp,
      envelopeId: 'QQ1',
    });
    await work();
    const [report, message, ...more] = accepted.map((one) => one.message);
    assert.equal(more.length, 0);
    assert.equal(message?.reversePath, 'news@here.example');
    assert.deepEqual(
      message?.recipients.map(({ forwardPath, reversePath, notify }) => [forwardPath, reversePath, notify]),
      [
        ['bob+x@here.example', tagged('bob+x@here.example'), ['success', 'failure']],
        ['zoe@far.example', tagged('both@here.example'), ['failure']],
        ['eve@far.example', tagged('eve@far.example'), ['success', 'failure']],
        ['EVE.2@far.example', tagged('EVE.2@far.example'), ['success', 'failure']],
      ],
    );
    assert.match(
      latin1((await inbox(bob))[0]?.prefix ?? Buffer.alloc(0)),
      new RegExp(`^Return-Path: <${tagged('bob+x@here.example').replaceAll('+', '\\+')}>\r\n`),
    );
    assert.ok(report);
    assert.deepEqual(
      report.recipients.map(({ forwardPath }) => forwardPath),
      [tagged('both@here.example')],
    );
    const text = (await blobs.read(report.blob)).toString('latin1');
    assert.match(text, /\r\nOriginal-Envelope-Id: QQ1\r\n/);
    assert.match(text, /\r\nFinal-Recipient: rfc822; both@here\.example\r\nAction: expanded\r\n/);
  });

test('what is too long for any local part leaves from the sender as it is', async () => {
  const { send, accepted } = await world();
  const to = [`${'x'.repeat(245)}@far.example`];
  await send(to, 'submission', undefined, undefined, 'bob@here.example', undefined, { verp: {} });
  assert.equal(accepted[0]?.message.recipients[0]?.reversePath, undefined);
});

test('a list beside others is a second message, and nobody gets two', async () => {
  const { send, work, accepted, directory, inbox, bob, amy } = await world();
  await directory.setAlias('news@here.example', ['bob@here.example', 'eve@far.example']);
  await directory.setAlias('owner-news@here.example', ['amy@here.example']);
  await send(['news@here.example', 'bob@here.example', 'amy@here.example']);
  await work();
  assert.deepEqual(
    accepted.map(({ message }) => [message.id, message.reversePath, message.recipients.length]),
    [
      ['copy00000001', 'owner-news@here.example', 1],
      ['abcdef0123456789abcdef', 'author@sender.example', 2],
    ],
  );
  assert.deepEqual([(await inbox(bob)).length, (await inbox(amy)).length], [1, 1]);
});

test('a list, its report and the message beside them are one commit: what fails leaves nothing behind', async () => {
  for (const role of ['relay', 'lmtp'] as const) {
    const { send, accepted, directory, inbox, amy, queue, events } = await world();
    await directory.setAlias('author@here.example', ['amy@here.example']);
    await directory.setAlias('news@here.example', ['bob@here.example', 'zoe@far.example'], {
      owner: 'amy@here.example',
    });
    queue.acceptAll = async (messages) => {
      assert.equal(messages.length, 3);
      throw new Fault('Writing to the disk');
    };
    const to = ['news@here.example', 'team@here.example'];
    const sent = send(to, role, undefined, ['SUCCESS'], 'author@here.example');
    if (role === 'relay') await assert.rejects(sent, Fault);
    else {
      const answer = await sent;
      assert.deepEqual(
        answer.kind === 'each' &&
          answer.outcomes.map((one) => (one.kind === 'refuse' ? one.reply.code : one.kind)),
        [451, 451],
      );
    }
    assert.deepEqual([accepted.length, (await inbox(amy)).length], [0, 0]);
    const told = events.map((event) => (event as { name: string }).name);
    assert.deepEqual(
      told.filter((name) => name === 'delivery.redistributed' || name === 'delivery.dsn-queued'),
      [],
    );
  }
});

test('LMTP: a list is answered when the queue has its copies', async () => {
  const { send, now, accepted, directory, inbox, bob, queue } = await world();
  await directory.setAlias('news@here.example', ['bob@here.example', 'eve@far.example'], {
    owner: 'amy@here.example',
  });
  const answer = await send(['news@here.example', 'amy@here.example'], 'lmtp');
  await now.idle();
  assert.deepEqual(answer.kind === 'each' && answer.outcomes, [{ kind: 'accepted' }, { kind: 'accepted' }]);
  assert.deepEqual([accepted.length, (await inbox(bob)).length], [1, 1]);
  queue.accept = async () => {
    throw new Fault('Writing to the disk');
  };
  const again = await send(['news@here.example', 'amy@here.example'], 'lmtp');
  assert.deepEqual(
    again.kind === 'each' && again.outcomes.map((one) => (one.kind === 'refuse' ? one.reply.code : one.kind)),
    [451, 'accepted'],
  );
});

const loops = [
  { to: 'away@here.example', been: 'Away@HERE.example' },
  { to: 'news@here.example', been: 'news@here.example' },
] as const;
for (const { to, been } of loops)
  test(`what comes back to ${to} is refused at the door; beside another recipient it is reported (RFC 9228 §4)`, async () => {
    const { send, work, accepted, blobs, directory, inbox, bob } = await world();
    await directory.setAlias('away@here.example', ['eve@far.example']);
    await directory.setAlias('news@here.example', ['eve@far.example'], { owner: 'amy@here.example' });
    const looping = `Delivered-To: ${been}\r\nSubject: x\r\n\r\n`;
    const alone = await send([to], 'relay', looping);
    assert.equal(
      alone.kind === 'refuse' && `${alone.reply.code} ${alone.reply.status} ${alone.reason}`,
      '554 5.4.6 delivery.loop',
    );
    assert.equal(accepted.length, 0);
    assert.deepEqual(await send([to, 'bob@here.example'], 'relay', looping), { kind: 'accepted' });
    await work();
    assert.equal((await inbox(bob)).length, 1);
    const [report, main, ...more] = accepted.map((one) => one.message);
    assert.equal(main?.reversePath, 'author@sender.example');
    assert.equal(more.length, 0);
    assert.ok(report);
    assert.match(
      (await blobs.read(report.blob)).toString('latin1'),
      new RegExp(`\\r\\nFinal-Recipient: rfc822; ${to}\\r\\nAction: failed\\r\\nStatus: 5.4.6\\r\\n`),
    );
    assert.deepEqual(await send([to], 'relay', 'Delivered-To: other@here.example\r\n\r\n'), {
      kind: 'accepted',
    });
  });

const full = async ({ store, directory, bob }: Awaited<ReturnType<typeof world>>, octetsMax: number) => {
  await store.setQuota(bob, octetsMax);
  const changed = await directory.setAccount(bob, { quotaOctets: octetsMax });
  assert.ok(changed.ok);
};

// What can be refused at the door never becomes a report to a stranger: docs/delivery.md.
const atTheDoor = [
  { to: 'bob@here.example', octetsMax: 1000, declared: undefined, want: 'accept' },
  { to: 'bob@here.example', octetsMax: 1000, declared: 900, want: 'accept' },
  { to: 'bob@here.example', octetsMax: 1000, declared: 999, want: '452 4.2.2 mailbox.over-quota' },
  { to: 'bob@here.example', octetsMax: 1000, declared: 1001, want: '552 5.2.3 mailbox.too-large' },
  { to: 'bob+x@here.example', octetsMax: 20, declared: undefined, want: '452 4.2.2 mailbox.over-quota' },
  { to: 'team@here.example', octetsMax: 20, declared: undefined, want: 'accept' },
  { to: 'amy@here.example', octetsMax: 20, declared: 1_000_000, want: 'accept' },
  { to: 'bob@here.example', octetsMax: 20, declared: undefined, role: 'submission', want: 'accept' },
  { to: 'bob@here.example', octetsMax: 20, declared: undefined, role: 'lmtp', want: 'accept' },
] as const;
for (const { to, octetsMax, declared, want, ...more } of atTheDoor) {
  const role = 'role' in more ? more.role : 'relay';
  test(`RCPT ${to}, ${declared ?? 'no'} SIZE, 20 octets in a mailbox of ${octetsMax}, as ${role}: ${want} (RFC 1870 §6.1)`, async () => {
    const made = await world();
    const { send, intake, session, inbox, bob } = made;
    await send(['bob@here.example'], 'relay', 'Subject: x\r\n\r\n');
    const [kept] = await inbox(bob);
    assert.ok(kept);
    // To the octet, whatever the fields are that were put before.
    await full(made, octetsMax === 20 ? kept.octets : octetsMax);
    const transaction: IntakeTransaction = {
      traceId: 'abcdef0123456789abcdef',
      startedAtMs: 0,
      reversePath: path('author@sender.example'),
      parameters: {
        ...NO_MAIL_PARAMETERS,
        declaredOctets:
          declared === 999 ? 1000 - kept.octets + 1 : declared === 900 ? 1000 - kept.octets : declared,
      },
      recipients: [],
    };
    const verdict = await intake.verify(path(to), transaction, session(role));
    assert.equal(
      verdict.kind === 'accept'
        ? 'accept'
        : `${verdict.reply.code} ${verdict.reply.status} ${verdict.reason}`,
      want,
    );
  });
}

const atTheEnd = [
  { why: 'the only mailbox is full', to: ['bob@here.example'], want: '452 4.2.2 mailbox.over-quota' },
  { why: 'one of two is full', to: ['bob@here.example', 'amy@here.example'], want: 'accepted' },
  {
    why: 'it was delivered there before',
    to: ['amy@here.example'],
    been: 'amy@here.example',
    want: '554 5.4.6 delivery.loop',
  },
  {
    why: 'one is full, the other a loop',
    to: ['bob@here.example', 'amy@here.example'],
    been: 'amy@here.example',
    want: '452 4.2.2 mailbox.over-quota',
  },
  { why: 'the sender has signed in', to: ['bob@here.example'], role: 'submission', want: 'accepted' },
  { why: 'another recipient is elsewhere', to: ['bob@here.example', 'team@here.example'], want: 'accepted' },
] as const;
for (const { why, to, want, ...more } of atTheEnd)
  test(`at the end of the data, ${why}: ${want} (RFC 5321 §6.1)`, async () => {
    const made = await world();
    await full(made, 1);
    const been = 'been' in more ? `Delivered-To: ${more.been}\r\n` : '';
    const role = 'role' in more ? more.role : 'relay';
    const answer = await made.send(to, role, `${been}Subject: x\r\n\r\n`);
    assert.equal(
      answer.kind === 'refuse' ? `${answer.reply.code} ${answer.reply.status} ${answer.reason}` : answer.kind,
      want,
    );
    assert.equal(made.accepted.length, want === 'accepted' ? 1 : 0);
    await made.now.idle();
  });

test('a report of success that was asked for does not keep a full mailbox from being refused', async () => {
  const made = await world();
  await full(made, 1);
  const answer = await made.send(['bob@here.example'], 'relay', undefined, ['SUCCESS']);
  assert.equal(answer.kind === 'refuse' && answer.reply.code, 452);
  assert.equal(made.accepted.length, 0);
});

for (const [passes, by, want] of [
  [5, 'MX.here.example', 'accepted'],
  [6, 'MX.here.example', 'refuse'],
  [40, 'mx.other.example', 'accepted'],
] as const)
  test(`a message that was at ${by} ${passes} times: ${want} (RFC 5321 §6.3)`, async () => {
    const { send } = await world();
    const received = `Received: from x (y)\r\n\tby ${by} with ESMTPS id abcdef0123456789abcdef;\r\n\tdate\r\n`;
    const answer = await send(['bob@here.example'], 'relay', `${received.repeat(passes)}\r\n`);
    assert.equal(answer.kind, want);
    if (answer.kind === 'refuse') assert.equal(answer.reply.status, '5.4.6');
  });

for (const { to, from, member } of [
  { to: 'bob+eve=far.example@here.example', from: '', member: 'eve@far.example' },
  { to: 'bob+eve=far.example@here.example', from: 'mailer@far.example', member: undefined },
  { to: 'bob+lists@here.example', from: '', member: undefined },
  { to: 'bob@here.example', from: '', member: undefined },
])
  test(`a report to ${to} from <${from}> is ${member === undefined ? 'none of a list' : `about ${member}`}`, async () => {
    const { send, events } = await world();
    await send([to], 'relay', undefined, undefined, from);
    const told = events.filter((event) => (event as { name: string }).name === 'delivery.list-bounced');
    assert.deepEqual(
      told.map((event) => (event as { member: string }).member),
      member === undefined ? [] : [member],
    );
  });

test('a program of this machine is not there to be told no: a recipient who is nobody is reported to the sender', async () => {
  const { intake, session, inbox, bob, work, accepted, events } = await world();
  const transaction: IntakeTransaction = {
    traceId: 'abcdef0123456789abcdef',
    startedAtMs: 0,
    reversePath: path('amy@here.example'),
    parameters: NO_MAIL_PARAMETERS,
    recipients: ['nobody@here.example', 'bob@here.example'].map((one) => ({
      forwardPath: path(one),
      parameters: NO_RCPT_PARAMETERS,
    })),
  };
  const sink = intake.begin(transaction);
  await sink.write(fromLatin1('Subject: x\r\n\r\n'));
  const local = { ...session('relay'), role: { name: 'local' } as const };
  assert.deepEqual(await sink.commit({ transaction, session: local, prefix: new Uint8Array() }), {
    kind: 'accepted',
  });
  await work();
  assert.equal((await inbox(bob)).length, 1);
  const [report] = accepted;
  assert.equal(report?.message.reversePath, null);
  assert.deepEqual(
    report?.message.recipients.map(({ forwardPath }) => forwardPath),
    ['amy@here.example'],
  );
  assert.ok(
    events.some(
      (event) =>
        typeof event === 'object' &&
        event !== null &&
        'outcome' in event &&
        'address' in event &&
        event.outcome === 'failed' &&
        event.address === 'nobody@here.example',
    ),
  );
});

test('whom the checks refused of a local message its sender hears of, and the postmaster where there is no sender', async () => {
  for (const sender of ['amy@here.example', undefined]) {
    const { intake, session, accepted, blobs, events, directory, amy, bob } = await world();
    await directory.setAlias('postmaster@here.example', ['bob@here.example']);
    const transaction: IntakeTransaction = {
      traceId: 'abcdef0123456789abcdef',
      startedAtMs: 0,
      reversePath: sender === undefined ? null : path(sender),
      parameters: NO_MAIL_PARAMETERS,
      recipients: [],
    };
    const recipient = { forwardPath: path('carol@far.example'), parameters: NO_RCPT_PARAMETERS };
    const sink = intake.begin(transaction);
    await sink.write(fromLatin1('Subject: x\r\n\r\n'));
    const answer = await sink.commit({
      transaction,
      session: { ...session('relay'), role: { name: 'local' } },
      prefix: new Uint8Array(),
      refused: [{ recipient, reply: reply(550, '5.7.1', 'Not this'), reason: 'test.no' }],
    });
    assert.deepEqual(answer, { kind: 'accepted' });
    assert.equal(accepted.length, 1);
    const [report] = accepted;
    assert.deepEqual(
      report?.message.recipients.map(({ route }) => route.kind === 'local' && route.account),
      [sender === undefined ? bob : amy],
    );
    const text = (await blobs.read(report?.message.blob ?? assert.fail())).toString('latin1');
    assert.match(text, /^Final-Recipient: rfc822; *carol@far\.example\r$/m);
    assert.match(text, /^Status: 5\.7\.1\r$/m);
    assert.match(text, /^Subject: x\r$/m);
    const said = (event: unknown): boolean =>
      JSON.stringify(event).includes('"name":"delivery.unreported"') &&
      JSON.stringify(event).includes('null-reverse-path');
    assert.equal(events.some(said), sender === undefined);
  }
});

for (const to of ['away@here.example', 'news@here.example'])
  test(`of a loop at ${to} nobody hears who asked for NEVER, and nobody hears that it was delivered (RFC 3461 §4.1)`, async () => {
    const { send, now, accepted, blobs, directory } = await world();
    await directory.setAlias('away@here.example', ['eve@far.example']);
    await directory.setAlias('news@here.example', ['eve@far.example'], { owner: 'amy@here.example' });
    const looping = `Delivered-To: ${to}\r\n\r\n`;
    await send([to, 'bob@here.example'], 'submission', looping, []);
    await now.idle();
    assert.equal(accepted.length, 0);
    await send([to, 'bob@here.example'], 'submission', looping, ['SUCCESS', 'FAILURE']);
    await now.idle();
    const [report] = accepted.filter(({ message }) => message.source.kind === 'dsn');
    const text = (await blobs.read(report?.message.blob ?? assert.fail())).toString('latin1');
    assert.deepEqual(text.match(/^Action: .*(?=\r$)/gm), ['Action: failed']);
  });
