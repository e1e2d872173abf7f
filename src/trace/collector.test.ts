import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { LIMITS } from '../base/limits.ts';
import { TraceCollector, type TracedEvent } from './collector.ts';
import { decodeEntries } from './entry-form.ts';
import { MemoryTraceStore } from './memory/trace-store.ts';
import { findTrace, searchTraces, type FoundTrace } from './search.ts';
import { tellEntry } from './summary.ts';
import type { TraceBatch, TraceSink } from './trace-store.ts';

const SESSION = { sessionId: 'SESSION1', role: 'relay', remoteAddress: '192.0.2.1' };
const OPENED = {
  ...SESSION,
  name: 'smtp.session-opened',
  remotePort: 4321,
  localAddress: '192.0.2.25',
  localPort: 25,
  implicitTls: false,
};
const HELLO = { ...SESSION, name: 'smtp.hello', verb: 'EHLO', domain: 'mx.away.test' };
const CLOSED = { ...SESSION, name: 'smtp.session-closed', how: 'quit', commands: 7 };

function mail(traceId: string, reversePath = 'bob@away.test'): TracedEvent {
  return { ...SESSION, name: 'smtp.mail', traceId, reversePath, smtpUtf8: false };
}

function recipient(traceId: string, address: string): TracedEvent {
  return { ...SESSION, name: 'smtp.recipient', traceId, recipient: address };
}

function accepted(queueId: string, messageId = '1@away.test'): TracedEvent {
  return { name: 'delivery.accepted', queueId, messageId, subject: 'Secret', octets: 99, recipients: 1 };
}

function settledAs(queueId: string, address: string, outcome: string): TracedEvent {
  const said = { host: 'mx.there.test', text: '250 2.0.0 ok', status: '2.0.0', reason: 'smtp.relayed' };
  return { name: 'delivery.settled', queueId, recipient: 0, address, outcome, ...said };
}

function gathering(without: readonly string[] = ['subject']) {
  const clock = new FakeClock();
  const store = new MemoryTraceStore();
  const dropped: number[] = [];
  const collector = new TraceCollector({
    sink: store,
    clock,
    without: new Set(without),
    onDropped: (entries) => void dropped.push(entries),
  });
  return { clock, store, collector, dropped };
}

async function storyOf(store: MemoryTraceStore, id: string): Promise<FoundTrace> {
  const found = await findTrace(store, id);
  if (typeof found === 'string') assert.fail(`${id}: ${found}`);
  return found;
}

test('a message has what was known of its session, what was said, and what became of it', async () => {
  const { collector, store } = gathering();
  const events = [
    OPENED,
    HELLO,
    { ...SESSION, name: 'smtp.tls-started', protocol: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384' },
    mail('MESSAGE1'),
    recipient('MESSAGE1', 'Team@here.test'),
    {
      ...SESSION,
      name: 'smtp.command-refused',
      verb: 'RCPT',
      code: 550,
      status: '5.1.1',
      reason: 'recipient.unknown',
      text: 'No such mailbox here',
      traceId: 'MESSAGE1',
      recipient: 'nobody@here.test',
    },
    { name: 'delivery.expanded', queueId: 'MESSAGE1', address: 'Team@here.test', target: 'eve@there.test' },
    accepted('MESSAGE1'),
    settledAs('MESSAGE1', 'eve@there.test', 'relayed'),
    CLOSED,
  ];
  for (const event of events) collector.note(event);
  await collector.flush();
  const { summary, entries, session } = await storyOf(store, 'MESSAGE1');
  assert.deepEqual(entries.map(tellEntry), [
    'Session SESSION1 from 192.0.2.1:4321 to 192.0.2.25:25 (relay), EHLO mx.away.test, TLSv1.3 TLS_AES_256_GCM_SHA384',
    'MAIL FROM:<bob@away.test>',
    'RCPT TO:<Team@here.test>: accepted',
    'RCPT TO:<nobody@here.test>: 550 5.1.1 No such mailbox here (recipient.unknown)',
    'Team@here.test stands for eve@there.test',
    'Accepted: 99 octets for 1 recipient, Message-ID 1@away.test',
    'eve@there.test relayed by mx.there.test (smtp.relayed)',
  ]);
  assert.deepEqual(session, []);
  const { atMs: _at, ...rest } = summary;
  assert.deepEqual(rest, {
    id: 'MESSAGE1',
    sessionId: 'SESSION1',
    direction: 'in',
    client: '192.0.2.1',
    sender: 'bob@away.test',
    recipients: [
      { address: 'Team@here.test', fate: 'expanded' },
      { address: 'nobody@here.test', fate: 'refused' },
      { address: 'eve@there.test', fate: 'relayed' },
    ],
    messageId: '1@away.test',
    subject: undefined,
    octets: 99,
    outcome: 'delivered',
    lastText: '250 2.0.0 ok',
  });
  for (const search of [
    { address: 'BOB@away.test' },
    { address: 'team@HERE.test' },
    { address: 'eve@there.test' },
    { address: 'nobody@here.test' },
    { client: '192.0.2.1' },
    { messageId: '1@away.test' },
    { outcome: 'refused' },
    { outcome: 'delivered', direction: 'in' },
  ] as const) {
    const { traces } = await searchTraces(store, search, { before: undefined, limit: 10 });
    assert.deepEqual(
      traces.map(({ id }) => id),
      ['MESSAGE1'],
      JSON.stringify(search),
    );
  }
  for (const search of [{ address: 'x@there.test' }, { direction: 'out' }, { outcome: 'failed' }] as const)
    assert.deepEqual((await searchTraces(store, search, { before: undefined, limit: 10 })).traces, []);
});

test('a session that was refused before any message has a trace of its own, found by its client', async () => {
  const { collector, store } = gathering();
  const refused = { verb: 'EHLO', code: 550, status: '5.7.1', reason: 'policy.helo', text: 'Not you' };
  collector.note(OPENED);
  collector.note({ ...SESSION, name: 'smtp.command-refused', ...refused });
  collector.note(CLOSED);
  await collector.flush();
  const page = await searchTraces(store, { client: '192.0.2.1' }, { before: undefined, limit: 10 });
  assert.deepEqual(
    page.traces.map(({ id, outcome, lastText, sender }) => ({ id, outcome, lastText, sender })),
    [{ id: 'SESSION1', outcome: 'refused', lastText: '550 5.7.1 Not you (policy.helo)', sender: undefined }],
  );
  assert.deepEqual((await storyOf(store, 'SESSION1')).entries.map(tellEntry).slice(1), [
    'EHLO: 550 5.7.1 Not you (policy.helo)',
    'The session ended (quit) after 7 commands',
  ]);
});

test('a message shows what its session went through before', async () => {
  const { collector, store } = gathering();
  collector.note(OPENED);
  collector.note({ ...SESSION, name: 'smtp.auth-failed', mechanism: 'PLAIN', reason: 'refused' });
  collector.note({ ...SESSION, name: 'smtp.authenticated', mechanism: 'PLAIN', accountId: 7 });
  collector.note(mail('MESSAGE1'));
  await collector.flush();
  const { entries, session } = await storyOf(store, 'MESSAGE1');
  assert.match(tellEntry(entries[0] ?? assert.fail()), /account 7 by PLAIN$/);
  assert.deepEqual(session.map(tellEntry).slice(1), ['Not let in by PLAIN (refused)']);
});

test('a session without a refusal leaves nothing, and nothing is held of one that ended', async () => {
  const { collector, store } = gathering();
  const failed = { ...SESSION, name: 'smtp.auth-failed', mechanism: 'PLAIN', reason: 'refused' };
  for (const event of [OPENED, HELLO, { ...SESSION, name: 'smtp.early-talker' }, CLOSED])
    collector.note(event);
  await collector.flush();
  const all = { key: undefined, from: undefined, before: undefined, limit: 9 };
  assert.deepEqual(await store.find(all), []);
  // What comes behind the end has no facts any more.
  collector.note(failed);
  await collector.flush();
  assert.equal((await store.read(['SESSION1'])).get('SESSION1')?.length, 1);
});

test('what a check said of a session stands in each of its messages, and is no trace by itself', async () => {
  const { collector, store } = gathering();
  const verdict = {
    ...SESSION,
    name: 'policy.verdict',
    check: 'lists',
    stage: 'connect',
    reason: 'list.known',
  };
  collector.note(OPENED);
  collector.note({ ...verdict, verdict: 'accept', tags: 'known' });
  const all = { key: undefined, from: undefined, before: undefined, limit: 9 };
  await collector.flush();
  assert.deepEqual(await store.find(all), []);
  collector.note(mail('MESSAGE1'));
  collector.note(mail('MESSAGE2'));
  collector.note({ ...verdict, verdict: 'refuse', traceId: 'MESSAGE2', stage: 'mail', code: 550 });
  await collector.flush();
  const line = 'connect: lists says accept (list.known), tagged known';
  assert.equal(tellEntry((await storyOf(store, 'MESSAGE1')).entries[1] ?? assert.fail()), line);
  assert.deepEqual((await storyOf(store, 'MESSAGE2')).entries.slice(1).map(tellEntry), [
    line,
    'MAIL FROM:<bob@away.test>',
    'mail: lists says refuse 550 (list.known)',
  ]);
  assert.deepEqual(await store.find(all), ['MESSAGE2', 'MESSAGE1']);
});

test('a report stands in both traces: of the message that it is about, and its own', async () => {
  const { collector, store } = gathering();
  collector.note(mail('MESSAGE1'));
  collector.note({
    name: 'delivery.dsn-queued',
    queueId: 'MESSAGE1',
    dsnId: 'REPORT1',
    address: 'bob@away.test',
  });
  collector.note(settledAs('REPORT1', 'bob@away.test', 'relayed'));
  await collector.flush();
  const line = 'Report REPORT1 about MESSAGE1 goes to bob@away.test';
  assert.equal(tellEntry((await storyOf(store, 'MESSAGE1')).entries[1] ?? assert.fail()), line);
  const { summary, entries } = await storyOf(store, 'REPORT1');
  assert.equal(tellEntry(entries[0] ?? assert.fail()), line);
  assert.deepEqual([summary.sender, summary.direction, summary.outcome], ['', 'out', 'delivered']);
});

test('the subject is kept only where the operator wants it; what no row names never is', async () => {
  for (const [without, subject] of [
    [['subject'], undefined],
    [[], 'Secret'],
  ] as const) {
    const { collector, store } = gathering(without);
    collector.note({ ...accepted('MESSAGE1'), password: 'no' });
    await collector.flush();
    const { summary, entries } = await storyOf(store, 'MESSAGE1');
    assert.equal(summary.subject, subject);
    assert.equal(JSON.stringify(entries).includes('password'), false);
  }
});

test('entries of a moment are written together; later ones in the next batch', async () => {
  const batches: TraceBatch[] = [];
  const clock = new FakeClock();
  const sink: TraceSink = { append: async (batch) => void batches.push(batch) };
  const collector = new TraceCollector({ sink, clock, without: new Set(), onDropped: () => assert.fail() });
  collector.note(mail('MESSAGE1'));
  collector.note(accepted('MESSAGE1'));
  collector.note(mail('MESSAGE2'));
  await clock.advance(1000);
  collector.note(settledAs('MESSAGE1', 'bob@away.test', 'relayed'));
  await clock.advance(1000);
  assert.deepEqual(
    batches.map(({ parts }) => parts.map(({ id, entries }) => [id, decodeEntries(entries).length])),
    [
      [
        ['MESSAGE1', 2],
        ['MESSAGE2', 1],
      ],
      [['MESSAGE1', 1]],
    ],
  );
  assert.equal(clock.pending, 0);
});

test('a sink that hangs holds up nobody: what is above the limit is dropped, and told', async () => {
  const clock = new FakeClock();
  const dropped: number[] = [];
  let release: () => void = () => undefined;
  const hung = new Promise<void>((resolve) => (release = resolve));
  const taken: number[] = [];
  const sink: TraceSink = {
    append: async ({ parts }) => {
      await hung;
      taken.push(parts.length);
    },
  };
  const collector = new TraceCollector({
    sink,
    clock,
    without: new Set(),
    onDropped: (entries) => void dropped.push(entries),
  });
  collector.note(mail('FIRST'));
  await clock.advance(1000);
  for (let number = 0; number < LIMITS.traceEntriesWaitingMax + 5; number += 1)
    collector.note(mail(`M${number}`));
  assert.deepEqual(dropped, [1]);
  release();
  await settled();
  await collector.flush();
  assert.deepEqual(taken, [1, LIMITS.traceEntriesWaitingMax]);
  assert.deepEqual(dropped, [1, 4]);
});

test('a sink that fails loses its batch, and is tried again with the next', async () => {
  const clock = new FakeClock();
  const told: unknown[] = [];
  const taken: string[] = [];
  let isBroken = true;
  const sink: TraceSink = {
    append: async ({ parts }) => {
      if (isBroken) throw new Error('disk full');
      taken.push(...parts.map(({ id }) => id));
    },
  };
  const onDropped = (entries: number, cause: unknown): void => void told.push([entries, String(cause)]);
  const collector = new TraceCollector({ sink, clock, without: new Set(), onDropped });
  collector.note(mail('FIRST'));
  await clock.advance(1000);
  isBroken = false;
  collector.note(mail('SECOND'));
  await clock.advance(1000);
  assert.deepEqual(told, [[1, 'Error: disk full']]);
  assert.deepEqual(taken, ['SECOND']);
});

test('a session that only makes trouble fills no disk', async () => {
  const { collector, store } = gathering();
  collector.note(OPENED);
  for (let number = 0; number < 1000; number += 1)
    collector.note({
      ...SESSION,
      name: 'smtp.command-refused',
      verb: 'X',
      code: 500,
      text: 'x',
      reason: 'x',
    });
  await collector.flush();
  const { entries } = await storyOf(store, 'SESSION1');
  assert.equal(entries.length, LIMITS.traceSessionEntriesMax + 1);
});
