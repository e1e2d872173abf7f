/**
 * NOTIFY on every way that a message can take: which reports its sender gets, and what the next hop is asked. One row a way,
 * one column a value of NOTIFY. Sources: RFC 3461 §4.1, §5.2.1 to §5.2.7.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import { directRouter } from '../../test/support/routes.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { fromLatin1 } from '../base/bytes.ts';
import { MemoryResolver } from '../dns/memory/resolver.ts';
import { MemoryQueue } from '../queue/memory/queue.ts';
import { createQueueIds } from '../queue/queue-id.ts';
import { nextDueMs } from '../queue/retry.ts';
import { NO_MAIL_PARAMETERS } from '../smtp/wire/parameter.ts';
import type { NotifyCondition } from '../smtp/wire/parameter.ts';
import { parseEnvelopeAddress } from '../smtp/wire/path.ts';
import { openMemoryBlobStore } from '../store/memory/blob-store.ts';
import { openMemoryMailStore } from '../store/memory/mail-store.ts';
import { DeliverNow } from './deliver-now.ts';
import { DeliveryIntake } from './intake.ts';
import { LocalDelivery } from './local.ts';
import type { HopMessage, HopVisit } from './remote/hop.ts';
import { BrokenTls } from './remote/broken-tls.ts';
import { RemoteDelivery } from './remote/remote-delivery.ts';
import { Routing } from './remote/routing.ts';
import { uniformTlsPolicy } from './remote/tls-policy.ts';
import { Relaying } from './relaying.ts';
import { ReturnPaths } from './return-paths.ts';
import { DeliveryRunner } from './runner.ts';
import { Settler } from './settler.ts';

const HOUR_MS = 3_600_000;
const AUTHOR = 'author@sender.example';
const OWNER = 'boss@owner.example';

const path = (text: string) => parseEnvelopeAddress(text) ?? assert.fail(text);

type Hop = { readonly dsn: boolean; readonly code: 250 | 451 | 550 };

/** What came of one message: reports as `to: action recipient`, and what far.example was asked. */
async function sent(
  to: string,
  role: 'relay' | 'submission' | 'lmtp',
  hop: Hop,
  notify: readonly NotifyCondition[] | undefined,
  orcpt?: string,
): Promise<{ readonly reports: readonly string[]; readonly asked: readonly HopMessage[] }> {
  const clock = new FakeClock();
  const random = seededRandom();
  const store = openMemoryMailStore(clock);
  const blobs = openMemoryBlobStore();
  const queue = new MemoryQueue(clock);
  const directory = new MemoryDirectory({ clock, random });
  await directory.addDomain('here.example');
  for (const name of ['bob', 'amy'])
    assert.ok((await directory.addAccount({ address: `${name}@here.example`, password: undefined })).ok);
  await directory.setAlias('robert@here.example', ['bob@here.example']);
  await directory.setAlias('team@here.example', ['bob@here.example', 'eve@far.example']);
  await directory.setAlias('away@here.example', ['eve@far.example']);
  await directory.setAlias('news@here.example', ['bob@here.example', 'eve@far.example'], { owner: OWNER });
  const returnPaths = new ReturnPaths({ directory, clock }, RETURN_PATHS);
  const events = (): void => undefined;
  const newId = createQueueIds(clock, random);
  const reports: string[] = [];
  const asked: HopMessage[] = [];
  const visit = async (message: HopMessage): Promise<HopVisit> => {
    const [first] = message.recipients;
    const isReport = message.reversePath === null;
    const text: string[] = [];
    for await (const chunk of message.content()) text.push(Buffer.from(chunk).toString('latin1'));
    if (isReport)
      for (const [, recipient, action] of text
        .join('')
        .matchAll(/^Final-Recipient: rfc822; (.*)\r\nAction: (.*)\r$/gm))
        reports.push(`${first?.forwardPath}: ${action} ${recipient}`);
    else asked.push(message);
    const { code } = isReport ? { code: 250 } : hop;
    const reply = { code, lines: [code === 250 ? '2.0.0 Ok' : `${String(code)[0]}.1.1 No`] };
    return {
      kind: 'session',
      speaksDsn: hop.dsn,
      answers: message.recipients.map(() => ({
        kind: 'replied',
        at: code === 250 ? 'content' : 'rcpt',
        reply,
      })),
    };
  };
  const zone = Object.fromEntries(
    ['far.example', 'sender.example', 'owner.example'].map((name) => [name, { a: ['192.0.2.1'] }]),
  );
  const remote = new RemoteDelivery({
    routing: new Routing({
      resolver: new MemoryResolver(zone),
      random,
      ownNames: [],
      ownAddresses: [],
      loopbackAllowed: false,
    }),
    tlsPolicy: uniformTlsPolicy({ kind: 'opportunistic' }),
    hop: { visit: (_target, message) => visit(message) },
    brokenTls: new BrokenTls(clock, 0),
    blobs,
    clock,
    events,
  });
  const local = new LocalDelivery({ store, blobs, directory, clock });
  const settler = new Settler(
    {
      queue,
      blobs,
      directory,
      returnPaths,
      clock,
      random,
      newId,
      nextDueMs: (tried, nowMs) => nextDueMs(tried, nowMs, random),
      events,
    },
    { hostname: 'mx.here.example', delayReportAfterMs: 4 * HOUR_MS, dsnLifetimeMs: 48 * HOUR_MS },
  );
  const router = directRouter();
  const now = new DeliverNow({ queue, local, settler, clock, events }, 'thread-1');
  const intake = new DeliveryIntake(
    {
      directory,
      returnPaths,
      relaying: new Relaying({ networks: [], domains: [] }),
      router,
      blobs,
      mail: store,
      local,
      now,
      settler,
      newId,
      clock,
      events,
    },
    { lifetimeMs: 120 * HOUR_MS, hostname: 'mx.here.example' },
  );
  const runner = new DeliveryRunner(
    { queue, local, remote, router, settler, clock, events },
    { owner: 'runner-1' },
  );
  runner.start();
  const [type = '', written = ''] = orcpt?.split(';') ?? [];
  const transaction = {
    traceId: newId(),
    startedAtMs: clock.nowMs(),
    reversePath: path(AUTHOR),
    parameters: { ...NO_MAIL_PARAMETERS, envelopeId: 'QQ314159', ret: 'HDRS' as const },
    recipients: [
      {
        forwardPath: path(to),
        parameters: { notify, originalRecipient: orcpt === undefined ? undefined : { type, written } },
      },
    ],
  };
  const sink = intake.begin(transaction);
  await sink.write(fromLatin1('Subject: x\r\n\r\nText\r\n'));
  const session = {
    role: { name: role },
    remote: { address: '192.0.2.9', port: 4000 },
    hello: { domain: 'client.example' },
    principal: undefined,
  };
  const answer = await sink.commit({ transaction, session, prefix: new Uint8Array(), hold: undefined });
  assert.notEqual(answer.kind, 'refuse');
  await now.idle();
  // Past the first attempt after four hours, however the pauses vary.
  await clock.advance(10 * HOUR_MS);
  await runner.stop(0);
  return { reports, asked };
}

const VALUES = {
  unsaid: undefined,
  NEVER: [],
  SUCCESS: ['SUCCESS'],
  FAILURE: ['FAILURE'],
  DELAY: ['DELAY'],
  all: ['SUCCESS', 'FAILURE', 'DELAY'],
} as const satisfies Record<string, readonly NotifyCondition[] | undefined>;
type Value = keyof typeof VALUES;

const OK: Hop = { dsn: false, code: 250 };
const OK_DSN: Hop = { dsn: true, code: 250 };
const NO: Hop = { dsn: false, code: 550 };
const NO_DSN: Hop = { dsn: true, code: 550 };
const LATER: Hop = { dsn: true, code: 451 };

type Way = {
  readonly way: string;
  readonly to: string;
  readonly role?: 'submission' | 'lmtp';
  readonly hop: Hop;
  /** Who hears what, by value; none where the value is not named. */
  readonly heard: Partial<Record<Value, readonly string[]>>;
};

const onSuccess = (...heard: readonly string[]): Way['heard'] => ({ SUCCESS: heard, all: heard });
const onFailure = (...heard: readonly string[]): Way['heard'] => ({
  unsaid: heard,
  FAILURE: heard,
  all: heard,
});
const onDelay = (...heard: readonly string[]): Way['heard'] => ({ unsaid: heard, DELAY: heard, all: heard });
const always = (...heard: readonly string[]): Way['heard'] =>
  Object.fromEntries(Object.keys(VALUES).map((value) => [value, heard]));

const BOB = 'bob@here.example';
const EVE = 'eve@far.example';
const WAYS: readonly Way[] = [
  { way: 'into a mailbox', to: BOB, hop: OK, heard: onSuccess(`${AUTHOR}: delivered ${BOB}`) },
  {
    way: 'into a mailbox, by LMTP',
    to: BOB,
    role: 'lmtp',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: delivered ${BOB}`),
  },
  {
    way: 'an alias of one',
    to: 'robert@here.example',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: delivered robert@here.example`),
  },
  {
    way: 'an alias of several, taken by all',
    to: 'team@here.example',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: expanded team@here.example`),
  },
  {
    way: 'an alias of several, one of them refused',
    to: 'team@here.example',
    hop: NO,
    heard: {
      ...onFailure(`${AUTHOR}: failed ${EVE}`),
      ...onSuccess(`${AUTHOR}: expanded team@here.example`),
      all: [`${AUTHOR}: expanded team@here.example`, `${AUTHOR}: failed ${EVE}`],
    },
  },
  {
    way: 'forwarded to a host without DSN',
    to: 'away@here.example',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: relayed ${EVE}`),
  },
  { way: 'forwarded to a host with DSN', to: 'away@here.example', hop: OK_DSN, heard: {} },
  {
    way: 'forwarded and refused',
    to: 'away@here.example',
    hop: NO_DSN,
    heard: onFailure(`${AUTHOR}: failed ${EVE}`),
  },
  {
    way: 'forwarded and late',
    to: 'away@here.example',
    hop: LATER,
    heard: onDelay(`${AUTHOR}: delayed ${EVE}`),
  },
  {
    way: 'relayed to a host without DSN',
    to: EVE,
    role: 'submission',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: relayed ${EVE}`),
  },
  { way: 'relayed to a host with DSN', to: EVE, role: 'submission', hop: OK_DSN, heard: {} },
  {
    way: 'relayed and refused',
    to: EVE,
    role: 'submission',
    hop: NO,
    heard: onFailure(`${AUTHOR}: failed ${EVE}`),
  },
  {
    way: 'relayed and late',
    to: EVE,
    role: 'submission',
    hop: LATER,
    heard: onDelay(`${AUTHOR}: delayed ${EVE}`),
  },
  {
    way: 'a list, taken by all',
    to: 'news@here.example',
    hop: OK,
    heard: onSuccess(`${AUTHOR}: delivered news@here.example`),
  },
  {
    way: 'a list, one of them refused',
    to: 'news@here.example',
    hop: NO,
    heard: {
      ...always(`${OWNER}: failed ${EVE}`),
      ...onSuccess(`${AUTHOR}: delivered news@here.example`, `${OWNER}: failed ${EVE}`),
    },
  },
];

for (const { way, to, role = 'relay', hop, heard } of WAYS)
  for (const [value, notify] of Object.entries(VALUES) as [Value, (typeof VALUES)[Value]][])
    test(`${way}, NOTIFY ${value}: ${heard[value]?.join(' and ') ?? 'nothing is heard'} (RFC 3461 §5.2)`, async () => {
      const { reports } = await sent(to, role, hop, notify);
      assert.deepEqual(reports.toSorted(), (heard[value] ?? []).toSorted());
    });

const WIRES = [
  {
    to: EVE,
    role: 'submission',
    notify: VALUES.all,
    want: { notify: ['success', 'failure', 'delay'], orcpt: undefined },
  },
  { to: EVE, role: 'submission', notify: VALUES.NEVER, want: { notify: [], orcpt: undefined } },
  {
    to: EVE,
    role: 'submission',
    notify: undefined,
    orcpt: 'rfc822;Eve+40home@Far.Example',
    want: { notify: undefined, orcpt: 'rfc822;Eve+40home@Far.Example' },
  },
  {
    to: 'away@here.example',
    role: 'relay',
    notify: VALUES.all,
    want: { notify: ['success', 'failure', 'delay'], orcpt: 'rfc822;away@here.example' },
  },
  {
    to: 'away@here.example',
    role: 'relay',
    notify: VALUES.FAILURE,
    orcpt: 'rfc822;First@x.example',
    want: { notify: ['failure'], orcpt: 'rfc822;First@x.example' },
  },
  {
    to: 'team@here.example',
    role: 'relay',
    notify: VALUES.all,
    want: { notify: ['failure', 'delay'], orcpt: 'rfc822;team@here.example' },
  },
  {
    to: 'team@here.example',
    role: 'relay',
    notify: VALUES.SUCCESS,
    want: { notify: [], orcpt: 'rfc822;team@here.example' },
  },
] as const;
for (const { to, role, notify, want, ...more } of WIRES)
  test(`to the next hop go ENVID, RET, NOTIFY=${want.notify?.join(',') ?? 'unsaid'} and ORCPT=${want.orcpt ?? 'none'} for ${to} (RFC 3461 §5.2.1, §5.2.7)`, async () => {
    const { asked } = await sent(to, role, OK_DSN, notify, 'orcpt' in more ? more.orcpt : undefined);
    const [message] = asked;
    const [recipient] = message?.recipients ?? [];
    assert.deepEqual([recipient?.notify, recipient?.originalRecipient], [want.notify, want.orcpt]);
    assert.deepEqual(message?.dsn, { ret: 'hdrs', envid: 'QQ314159' });
  });

test('to the members of a list nothing goes that its author asked for (RFC 3461 §5.2.7.1 (b))', async () => {
  const { asked } = await sent('news@here.example', 'relay', OK_DSN, VALUES.all, 'rfc822;First@x.example');
  const [message] = asked;
  const [recipient] = message?.recipients ?? [];
  assert.deepEqual([recipient?.notify, recipient?.originalRecipient], [undefined, undefined]);
  assert.deepEqual(message?.dsn, { ret: undefined, envid: undefined });
});
