import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { newMessage, NO_BLOB, queued, remoteRecipient } from '../../../test/support/queued.ts';
import { directRoute, routeRule, ruleRouter } from '../../../test/support/routes.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { Fault } from '../../base/fault.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import type { NewQueuedMessage } from '../../queue/queue.ts';
import { BlobError } from '../../store/blob-store.ts';
import { openMemoryBlobStore } from '../../store/memory/blob-store.ts';
import type { DeliveryEvent } from '../event.ts';
import type { HopAnswer, HopMessage, HopTarget, HopVisit } from './hop.ts';
import type { TlsRequirement } from './tls-requirement.ts';
import { BrokenTls } from './broken-tls.ts';
import { RemoteDelivery } from './remote-delivery.ts';
import type { RouteRule } from './route-rule.ts';
import type { RemoteRoute } from './router.ts';
import type { PoolRule } from './rule-router.ts';
import { Routing } from './routing.ts';
import type { TlsConnection, TlsPolicy } from './tls-policy.ts';
import { uniformTlsPolicy } from './tls-policy.ts';

const ZONE: Zone = {
  'two.example': {
    mx: [
      { preference: 10, exchange: 'one.example' },
      { preference: 20, exchange: 'other.example' },
    ],
  },
  'one.example': { a: ['192.0.2.1'] },
  'other.example': { a: ['192.0.2.2'] },
  'loop.example': {
    mx: [
      { preference: 10, exchange: 'one.example' },
      { preference: 20, exchange: 'ours.example' },
      { preference: 30, exchange: 'other.example' },
    ],
  },
  'ours.example': { a: ['192.0.2.99'] },
  'many.example': {
    mx: Array.from({ length: 30 }, (_, index) => ({ preference: index, exchange: `h${index}.example` })),
  },
  ...Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [
      `h${index}.example`,
      { a: Array.from({ length: 9 }, (__, at) => `198.51.100.${index * 8 + at}`) },
    ]),
  ),
};

const said = (
  at: 'greeting' | 'mail' | 'rcpt' | 'content',
  code: number,
  text = `${code} said`,
): HopAnswer => ({
  kind: 'replied',
  at,
  reply: { code, lines: [text] },
});
const session = (...answers: HopAnswer[]): HopVisit => ({ kind: 'session', answers, speaksDsn: false });
const lost = (at: 'mail' | 'content', how: 'timeout' | 'reset' | 'garbage'): HopAnswer => ({
  kind: 'lost',
  how,
  at,
  text: how,
});
const refused: HopVisit = { kind: 'no-connection', problem: { kind: 'refused', text: 'ECONNREFUSED' } };

type Visited = { readonly target: HopTarget; readonly recipients: readonly string[] };

async function deliver(
  domain: string,
  locals: readonly string[],
  visit: (target: HopTarget, message: HopMessage) => HopVisit,
  options: {
    readonly signal?: AbortSignal;
    readonly route?: RemoteRoute;
    readonly tlsPolicy?: TlsPolicy;
    readonly more?: Partial<NewQueuedMessage>;
    readonly brokenTls?: BrokenTls;
  } = {},
) {
  const visited: Visited[] = [];
  const events: DeliveryEvent[] = [];
  const delivery = new RemoteDelivery({
    routing: new Routing({
      resolver: new MemoryResolver(ZONE),
      random: seededRandom(),
      ownNames: [],
      ownAddresses: ['192.0.2.99'],
      loopbackAllowed: false,
    }),
    tlsPolicy: options.tlsPolicy ?? uniformTlsPolicy({ kind: 'opportunistic' }),
    hop: {
      visit: async (target, message) => {
        visited.push({ target, recipients: message.recipients.map(({ forwardPath }) => forwardPath) });
        return visit(target, message);
      },
    },
    brokenTls: options.brokenTls ?? new BrokenTls(new FakeClock(), 0),
    blobs: openMemoryBlobStore(),
    clock: new FakeClock(),
    events: (event) => events.push(event),
  });
  const recipients = locals.map((local) => remoteRecipient(`${local}@${domain}`));
  const message = queued({ ...newMessage(recipients), ...options.more });
  const outcome = await delivery.deliver(
    message,
    options.route ?? directRoute(domain),
    message.recipients,
    options.signal ?? new AbortController().signal,
  );
  return {
    visited,
    events,
    unreachable: outcome.finding.kind === 'closed',
    down: outcome.finding.kind === 'closed' ? outcome.finding.answer.status : undefined,
    outcomes: [...outcome.outcomes].map(([number, one]) => `${number} ${one.kind} ${one.answer?.status}`),
    outcome,
  };
}

/** The route of a message to the domain by these rules. */
function routeFor(rules: readonly RouteRule[], pools: readonly PoolRule[] = []): RemoteRoute {
  const message = newMessage([]);
  const recipient = { forwardPath: 'bob@two.example' };
  return ruleRouter({ rules, pools }).plan(message, recipient, 'two.example', message.arrivedAtMs);
}

const at = (host: string, first: HopVisit, second: HopVisit) => (target: HopTarget) =>
  target.host === host ? first : second;

const cases: readonly {
  name: string;
  visit: (target: HopTarget) => HopVisit;
  hosts: number;
  want: string;
  unreachable?: boolean;
}[] = [
  {
    name: 'accepted by the first host',
    visit: () => session(said('content', 250)),
    hosts: 1,
    want: 'relayed 2.0.0',
  },
  {
    name: 'no connection to the first (RFC 5321 §5.1)',
    visit: at('one.example', refused, session(said('content', 250))),
    hosts: 2,
    want: 'relayed 2.0.0',
  },
  { name: 'no connection at all', visit: () => refused, hosts: 2, want: 'delayed 4.4.1', unreachable: true },
  {
    name: 'refused for good at RCPT: no other host',
    visit: () => session(said('rcpt', 550, '5.1.1 unknown')),
    hosts: 1,
    want: 'failed 5.1.1',
  },
  {
    name: '552 at RCPT is too many recipients (RFC 5321 §4.5.3.1.10)',
    visit: () => session(said('rcpt', 552, 'too much')),
    hosts: 1,
    want: 'delayed 4.5.3',
  },
  {
    name: '552 at RCPT, a full mailbox by its status',
    visit: () => session(said('rcpt', 552, '5.2.2 full')),
    hosts: 1,
    want: 'delayed 4.2.2',
  },
  {
    name: '552 at RCPT, too large by its status',
    visit: () => session(said('rcpt', 552, '5.3.4 too large')),
    hosts: 1,
    want: 'failed 5.3.4',
  },
  {
    name: 'refused for now at RCPT: the next host',
    visit: at('one.example', session(said('rcpt', 450)), session(said('content', 250))),
    hosts: 2,
    want: 'relayed 2.0.0',
  },
  {
    name: 'refused for now everywhere',
    visit: () => session(said('rcpt', 450, '4.2.1 greylisted')),
    hosts: 2,
    want: 'delayed 4.2.1',
  },
  {
    name: 'refused for good after the content',
    visit: () => session(said('content', 554, '5.7.1 spam')),
    hosts: 1,
    want: 'failed 5.7.1',
  },
  {
    name: 'refused for now after the content',
    visit: () => session(said('content', 451)),
    hosts: 1,
    want: 'delayed 4.0.0',
  },
  {
    name: '554 as greeting, the next takes it',
    visit: at('one.example', session(said('greeting', 554)), session(said('content', 250))),
    hosts: 2,
    want: 'relayed 2.0.0',
  },
  {
    name: '554 as greeting everywhere',
    visit: () => session(said('greeting', 554)),
    hosts: 2,
    want: 'failed 5.0.0',
  },
  {
    name: '554 as greeting, the other down: hope is left',
    visit: at('one.example', session(said('greeting', 554)), refused),
    hosts: 2,
    want: 'delayed 4.4.1',
  },
  {
    name: 'the same the other way round',
    visit: at('one.example', refused, session(said('greeting', 554))),
    hosts: 2,
    want: 'delayed 4.4.1',
  },
  {
    name: '421 as greeting',
    visit: at('one.example', session(said('greeting', 421)), session(said('content', 250))),
    hosts: 2,
    want: 'relayed 2.0.0',
  },
  {
    name: 'silent at MAIL',
    visit: at('one.example', session(lost('mail', 'timeout')), session(said('content', 250))),
    hosts: 2,
    want: 'relayed 2.0.0',
  },
  {
    name: 'closed after the content: no copy elsewhere',
    visit: () => session(lost('content', 'reset')),
    hosts: 1,
    want: 'delayed 4.4.2',
  },
  {
    name: 'garbage',
    visit: () => session(lost('mail', 'garbage')),
    hosts: 2,
    want: 'delayed 4.5.0',
    unreachable: true,
  },
  {
    name: '2xx where a no was due',
    visit: () => session(said('mail', 250)),
    hosts: 2,
    want: 'delayed 4.5.0',
  },
  {
    name: 'a status that contradicts the code',
    visit: () => session(said('content', 550, '2.0.0 hm')),
    hosts: 1,
    want: 'failed 5.0.0',
  },
  {
    name: 'no REQUIRETLS (RFC 8689 §4.2.1)',
    visit: () => ({ kind: 'cannot', what: 'requiretls' }),
    hosts: 2,
    want: 'failed 5.7.30',
  },
  {
    name: 'too large (RFC 1870 §6.1)',
    visit: () => ({ kind: 'cannot', what: 'size' }),
    hosts: 2,
    want: 'failed 5.3.4',
  },
];
for (const { name, visit, hosts, want, unreachable = false } of cases)
  test(name, async () => {
    const { visited, outcomes, ...rest } = await deliver('two.example', ['bob'], visit);
    assert.deepEqual(outcomes, [`0 ${want}`]);
    assert.equal(visited.length, hosts);
    assert.equal(rest.unreachable, unreachable);
  });

test('a handshake that fails is followed by plain text (RFC 7435)', async () => {
  const { visited, outcomes } = await deliver('two.example', ['bob'], (target) =>
    target.tls.kind === 'none'
      ? session(said('content', 250))
      : { kind: 'tls-failed', failure: { kind: 'handshake', text: 'bad' }, localAddress: undefined },
  );
  assert.deepEqual(
    visited.map(({ target }) => `${target.host} ${target.tls.kind}`),
    ['one.example opportunistic', 'one.example none'],
  );
  assert.deepEqual(outcomes, ['0 relayed 2.0.0']);
});

const HANDSHAKE_FAILS: HopVisit = {
  kind: 'tls-failed',
  failure: { kind: 'handshake', text: 'bad' },
  localAddress: undefined,
};
const OPENED = { tls: { kind: 'plain' }, localAddress: '192.0.2.7', isNew: true } as const;
/** TLS fails; in plain it comes to this. */
const onlyPlain =
  (plain: HopVisit) =>
  ({ tls }: HopTarget): HopVisit =>
    tls.kind === 'none' ? plain : HANDSHAKE_FAILS;
const TAKEN: HopVisit = {
  kind: 'session',
  answers: [said('content', 250)],
  speaksDsn: false,
  opened: OPENED,
};

test('a host that failed at TLS and took mail in plain is gone to in plain next time, and the trace says why', async () => {
  const clock = new FakeClock();
  const brokenTls = new BrokenTls(clock, 900_000);
  const told: string[] = [];
  const tlsPolicy: TlsPolicy = {
    ofDomain: async () => ({
      kind: 'policy',
      of: async () => ({
        kind: 'require',
        tls: { kind: 'opportunistic' },
        by: 'nobody',
        told: ({ outcome }) => told.push(outcome.kind),
      }),
    }),
  };
  const go = async () => {
    const { visited, events } = await deliver('two.example', ['bob'], onlyPlain(TAKEN), {
      brokenTls,
      tlsPolicy,
    });
    return {
      asked: visited.map(({ target }) => target.tls.kind),
      reached: events.flatMap((event) => (event.name === 'delivery.tls' ? [event.reached] : [])),
    };
  };
  assert.deepEqual(await go(), { asked: ['opportunistic', 'none'], reached: ['handshake: bad', 'plain'] });
  assert.deepEqual(await go(), {
    asked: ['none'],
    reached: ['plain, not tried as it failed before (handshake: bad)'],
  });
  assert.deepEqual(told, ['failed', 'failed'], 'reports count it as the failure that it is (RFC 8460 §4.3)');
  await clock.advance(900_000);
  assert.deepEqual((await go()).asked, ['opportunistic', 'none']);
});

test('a host that takes nothing in plain either is asked for TLS again', async () => {
  const brokenTls = new BrokenTls(new FakeClock(), 900_000);
  await deliver('two.example', ['bob'], onlyPlain(refused), { brokenTls });
  assert.equal(brokenTls.size, 0);
});

const mustHaveTls: readonly { readonly name: string; readonly tls: TlsRequirement }[] = [
  { name: 'encrypt', tls: { kind: 'encrypt' } },
  { name: 'MTA-STS, REQUIRETLS', tls: { kind: 'verified', names: ['one.example'] } },
  { name: 'DANE', tls: { kind: 'dane', names: ['one.example'], records: [] } },
  { name: 'a fingerprint', tls: { kind: 'fingerprint', sha256: ['00'] } },
  {
    name: 'MTA-STS in testing, whose failures are counted',
    tls: { kind: 'opportunistic', wanted: { kind: 'pkix', names: ['one.example'] } },
  },
];
for (const { name, tls } of mustHaveTls)
  test(`that a host failed at TLS counts for nothing where it must have it: ${name}`, async () => {
    const brokenTls = new BrokenTls(new FakeClock(), 900_000);
    await deliver('two.example', ['bob'], onlyPlain(TAKEN), { brokenTls });
    assert.equal(brokenTls.size, 1);
    const { visited } = await deliver('two.example', ['bob'], () => HANDSHAKE_FAILS, {
      brokenTls,
      tlsPolicy: uniformTlsPolicy(tls),
    });
    assert.deepEqual(visited[0]?.target.tls, tls);
  });

const strict = [
  { kind: 'encrypt' },
  { kind: 'verified', names: ['one.example'] },
  { kind: 'dane', names: ['one.example'], records: [] },
] as const;
for (const tls of strict)
  test(`a handshake that fails where TLS must be '${tls.kind}' is not followed by plain text`, async () => {
    const { visited, outcomes } = await deliver(
      'two.example',
      ['bob'],
      () => ({ kind: 'tls-failed', failure: { kind: 'handshake', text: 'bad' }, localAddress: undefined }),
      { tlsPolicy: uniformTlsPolicy(tls) },
    );
    assert.deepEqual(
      visited.map(({ target }) => target.tls),
      [tls, tls],
    );
    assert.deepEqual(outcomes, ['0 delayed 4.7.5']);
  });

const problem = { status: '4.7.5', reason: 'tls.policy', text: 'Not known now' };

test('a policy that is not known now delays before any host is gone to', async () => {
  const { visited, outcomes } = await deliver('two.example', ['bob'], () => refused, {
    tlsPolicy: { ofDomain: async () => ({ kind: 'delayed', ...problem }) },
  });
  assert.deepEqual([visited.length, outcomes], [0, ['0 delayed 4.7.5']]);
});

test('a host that the policy rules out is passed over, and is told what was found about it', async () => {
  const asked: unknown[] = [];
  const { visited, outcomes } = await deliver('two.example', ['bob'], () => session(said('content', 250)), {
    tlsPolicy: {
      ofDomain: async (found) => {
        asked.push(found);
        return {
          kind: 'policy',
          of: async (host) => {
            asked.push(host);
            return host.host === 'one.example'
              ? { kind: 'delayed', ...problem }
              : { kind: 'require', tls: { kind: 'encrypt' }, by: 'rule' };
          },
        };
      },
    },
  });
  assert.deepEqual(
    visited.map(({ target }) => `${target.host} ${target.tls.kind}`),
    ['other.example encrypt'],
  );
  assert.deepEqual(outcomes, ['0 relayed 2.0.0']);
  assert.deepEqual(asked, [
    { domain: 'two.example', source: 'mx', authentic: false, canonicalName: 'two.example', protocol: 'smtp' },
    { host: 'one.example', port: 25, canonicalName: 'one.example', authentic: false },
    { host: 'other.example', port: 25, canonicalName: 'other.example', authentic: false },
  ]);
});

const failures = [
  { kind: 'not-offered', plain: '4.7.10', required: 'failed 5.7.10' },
  { kind: 'refused', plain: '4.7.10', required: 'failed 5.7.10' },
  { kind: 'not-trusted', plain: '4.7.5', required: 'failed 5.7.10' },
  { kind: 'handshake', plain: '4.7.5', required: 'failed 5.7.10' },
  { kind: 'timeout', plain: '4.7.5', required: 'delayed 4.7.5' },
  { kind: 'reset', plain: '4.7.5', required: 'delayed 4.7.5' },
] as const;
for (const { kind, plain, required } of failures)
  test(`TLS that fails (${kind}) makes mail wait, and mail with REQUIRETLS fail for good (RFC 8689 §4.2.1)`, async () => {
    const visit = (): HopVisit => ({
      kind: 'tls-failed',
      failure: { kind, text: 'x' },
      localAddress: undefined,
    });
    const tlsPolicy = uniformTlsPolicy({ kind: 'encrypt' });
    const { outcomes } = await deliver('two.example', ['bob'], visit, { tlsPolicy });
    assert.deepEqual(outcomes, [`0 delayed ${plain}`]);
    const asked = await deliver('two.example', ['bob'], visit, { tlsPolicy, more: { requireTls: true } });
    assert.deepEqual(asked.outcomes, [`0 ${required}`]);
    // RFC 8689 §5: a report waits as any other mail does.
    const report = { requireTls: true, reversePath: null };
    const bounced = await deliver('two.example', ['bob'], visit, { tlsPolicy, more: report });
    assert.deepEqual(bounced.outcomes, [`0 delayed ${plain}`]);
  });

const wishes = [
  { name: 'REQUIRETLS', more: { requireTls: true }, want: 'require' },
  { name: 'REQUIRETLS of a report', more: { requireTls: true, reversePath: null }, want: undefined },
  { name: 'TLS-Required: No', more: { tlsOptional: true }, want: 'optional' },
  { name: 'nothing', more: {}, want: undefined },
] as const;
for (const { name, more, want } of wishes)
  test(`the policy hears that the message asks for ${name} (RFC 8689 §4.1)`, async () => {
    const asked: unknown[] = [];
    const tlsPolicy: TlsPolicy = {
      ofDomain: async (_found, wish) => {
        asked.push(wish);
        return {
          kind: 'policy',
          of: async () => ({ kind: 'require', tls: { kind: 'encrypt' }, by: 'rule' }),
        };
      },
    };
    await deliver('two.example', ['bob'], () => session(said('content', 250)), { tlsPolicy, more });
    assert.deepEqual(asked, [want]);
  });

const named = [
  { host: 'One.Example', domain: 'one.example', authentic: true, why: 'its name is a policy domain' },
  { host: '192.0.2.1', domain: '192.0.2.1', authentic: false, why: 'an address has no name' },
  {
    host: 'inside.example',
    domain: 'inside.example',
    authentic: false,
    proxy: { address: '192.0.2.80', port: 1080, login: undefined },
    why: 'only the proxy knows it',
  },
] as const;
for (const { host, domain, authentic, why, ...more } of named)
  test(`the policy is asked about the host that a route names, ${why} (RFC 8461 §3.4)`, async () => {
    const speech = {
      protocol: 'smtp',
      tls: 'authenticated',
      implicitTls: false,
      credentials: undefined,
      proxy: undefined,
      ...more,
    } as const;
    const hosts = [{ host, port: 587 }];
    const asked: unknown[] = [];
    const { visited } = await deliver('two.example', ['bob'], () => session(said('content', 250)), {
      route: routeFor([routeRule('relay', { action: { kind: 'deliver', hosts, speech } })]),
      more: { requireTls: true },
      tlsPolicy: {
        ofDomain: async (found, wish, route) => {
          asked.push(found, wish, route);
          return {
            kind: 'policy',
            of: async (to) => {
              asked.push([to.host, to.port]);
              return { kind: 'require', tls: { kind: 'encrypt' }, by: 'dane' };
            },
          };
        },
      },
    });
    assert.deepEqual(visited[0]?.target.tls, { kind: 'encrypt' });
    assert.deepEqual(asked, [
      { domain, source: 'route', authentic, canonicalName: domain, protocol: 'smtp' },
      'require',
      'authenticated',
      [domain, 587],
    ]);
  });

test('whoever required TLS hears of each new connection, once, and the answer says what it came to', async () => {
  const told: TlsConnection[] = [];
  const tls = { kind: 'tls', protocol: 'TLSv1.3', cipher: 'X', verifiedBy: 'pkix' } as const;
  const failure = { kind: 'expired', text: 'x' } as const;
  let visits = 0;
  const { outcome, events } = await deliver(
    'two.example',
    ['bob'],
    (): HopVisit => {
      visits += 1;
      if (visits === 1) return { kind: 'tls-failed', failure, localAddress: '192.0.2.7' };
      const opened = { tls, localAddress: '192.0.2.7', isNew: true };
      const answers = [said('content', 250)];
      return { kind: 'session', answers, speaksDsn: false, opened };
    },
    {
      tlsPolicy: {
        ofDomain: async () => ({
          kind: 'policy',
          of: async () => ({
            kind: 'require',
            tls: { kind: 'verified', names: [] },
            by: 'rule',
            told: (connection) => told.push(connection),
          }),
        }),
      },
    },
  );
  assert.deepEqual(
    told.map(({ outcome: { kind }, localAddress }) => [kind, localAddress]),
    [
      ['failed', '192.0.2.7'],
      ['tls', '192.0.2.7'],
    ],
  );
  assert.equal(outcome.outcomes.get(0)?.answer?.tls, 'TLSv1.3 X, verified by pkix');
  assert.deepEqual(
    events.flatMap((event) => (event.name === 'delivery.tls' ? [[event.required, event.level]] : [])),
    [
      ['verified', 'failed'],
      ['verified', 'verified'],
    ],
  );
});

test('a connection that an earlier message opened was told of then', async () => {
  const opened = { tls: { kind: 'plain' }, localAddress: '192.0.2.7', isNew: false } as const;
  const { events, outcome } = await deliver('two.example', ['bob'], () => ({
    kind: 'session',
    answers: [said('content', 250)],
    speaksDsn: false,
    opened,
  }));
  assert.deepEqual(
    events.filter(({ name }) => name === 'delivery.tls'),
    [],
  );
  assert.equal(outcome.outcomes.get(0)?.answer?.tls, 'plain');
});

test('a host that the operator names takes everything, without MX', async () => {
  const credentials = { authenticationId: 'us', password: 'secret' };
  const speech = {
    protocol: 'smtp',
    tls: 'verified',
    implicitTls: true,
    credentials,
    proxy: undefined,
  } as const;
  const hosts = [{ host: '127.0.0.1', port: 587 }];
  const route = routeFor([routeRule('relay', { action: { kind: 'deliver', hosts, speech } })]);
  const { visited, outcomes } = await deliver('null.example', ['bob'], () => session(said('content', 250)), {
    route,
    tlsPolicy: uniformTlsPolicy({ kind: 'verified', names: ['127.0.0.1'] }),
  });
  assert.deepEqual(
    visited.map(({ target }) => target),
    [
      {
        host: '127.0.0.1',
        address: '127.0.0.1',
        port: 587,
        protocol: 'smtp',
        implicitTls: true,
        tls: { kind: 'verified', names: ['127.0.0.1'] },
        credentials,
        localAddress: undefined,
        helloName: 'here.example',
        proxy: undefined,
        isLast: true,
      },
    ],
  );
  assert.deepEqual(outcomes, ['0 relayed 2.0.0']);
});

test('where no host of a route answers, its fallback is taken in the same attempt', async () => {
  const fallback = { rule: 'second', afterMs: Number.POSITIVE_INFINITY };
  const route = routeFor([
    routeRule('first', { to: ['one.example'], fallback }),
    routeRule('second', { to: ['other.example'], recipients: [] }),
  ]);
  const answers = [
    { visit: at('one.example', refused, session(said('content', 250))), want: 'relayed 2.0.0', hosts: 2 },
    { visit: () => refused, want: 'delayed 4.4.1', hosts: 2 },
    // Who answers has said what is to be done.
    { visit: () => session(said('rcpt', 450, '4.2.1 later')), want: 'delayed 4.2.1', hosts: 1 },
    { visit: () => session(said('rcpt', 550, '5.1.1 no')), want: 'failed 5.1.1', hosts: 1 },
  ];
  for (const { visit, want, hosts } of answers) {
    // oxlint-disable-next-line no-await-in-loop -- one case after the other
    const { visited, outcomes, down } = await deliver('two.example', ['bob'], visit, { route });
    assert.deepEqual([outcomes, visited.length], [[`0 ${want}`], hosts]);
    assert.equal(down, hosts === 2 ? '4.4.1' : undefined, 'the first is down all the same');
  }
});

test('a rule that holds and one that refuses visit nobody', async () => {
  for (const [kind, want] of [
    ['hold', '0 held 4.7.1'],
    ['refuse', '0 failed 5.7.1'],
  ] as const) {
    const route = routeFor([routeRule('no', { action: { kind, text: 'Not now' } })]);
    // oxlint-disable-next-line no-await-in-loop -- one case after the other
    const { visited, outcomes, outcome } = await deliver('two.example', ['bob'], () => refused, { route });
    assert.deepEqual([visited.length, outcomes], [0, [want]]);
    assert.equal(outcome.outcomes.get(0)?.answer?.text, 'Not now');
  }
});

const POOL: PoolRule = {
  pool: {
    name: 'bulk',
    sources: [
      { address: '192.0.2.50', helloName: 'fifty.example' },
      { address: '192.0.2.51', helloName: 'fifty-one.example' },
      { address: '2001:db8::50', helloName: 'six.example' },
    ],
  },
  senders: ['*'],
  accounts: [],
};

test("behind a proxy the names of hosts are the proxy's to look up, and sources are of its family", async () => {
  const proxy = { address: '2001:db8::1080', port: 1080, login: undefined };
  const hosts = [{ host: 'inside.example', port: 25 }];
  const speech = {
    protocol: 'smtp',
    tls: 'none',
    implicitTls: false,
    credentials: undefined,
    proxy,
  } as const;
  const { visited, outcomes } = await deliver('two.example', ['bob'], () => session(said('content', 250)), {
    route: routeFor([routeRule('x', { action: { kind: 'deliver', hosts, speech } })], [POOL]),
  });
  assert.deepEqual(
    visited.map(({ target }) => [target.address, target.proxy, target.localAddress]),
    [['inside.example', proxy, '2001:db8::50']],
  );
  assert.deepEqual(outcomes, ['0 relayed 2.0.0']);
});

test('a source address that cannot be used is told of, and the next of its family is', async () => {
  const unusable: string[] = [];
  const { visited, outcomes, events } = await deliver(
    'two.example',
    ['bob'],
    ({ localAddress = '' }) => {
      if (unusable.length > 0) return session(said('content', 250));
      unusable.push(localAddress);
      return { kind: 'no-connection', problem: { kind: 'source', text: 'EADDRNOTAVAIL' } };
    },
    { route: routeFor([], [POOL]) },
  );
  const sources = visited.map(({ target }) => `${target.localAddress} ${target.helloName}`).toSorted();
  assert.deepEqual(sources, ['192.0.2.50 fifty.example', '192.0.2.51 fifty-one.example']);
  assert.deepEqual(
    events.flatMap((event) =>
      event.name === 'delivery.source-unusable' ? [[event.pool, event.address]] : [],
    ),
    [['bulk', unusable[0]]],
  );
  assert.deepEqual(outcomes, ['0 relayed 2.0.0']);
});

test('every address that was gone to is told, with what was said of whom', async () => {
  let visits = 0;
  const { events } = await deliver('two.example', ['bob', 'eve'], () => {
    visits += 1;
    return visits === 1
      ? { kind: 'no-connection', problem: { kind: 'refused', text: 'Connection refused' } }
      : session(said('content', 250), said('rcpt', 550));
  });
  assert.deepEqual(
    events.flatMap((event) =>
      event.name === 'delivery.attempted' ? [[event.recipient, event.reason, event.text.slice(0, 13)]] : [],
    ),
    [
      [undefined, 'connect.refused', 'No connection'],
      ['bob@two.example', 'smtp.accepted', '250 250 said'],
      ['eve@two.example', 'smtp.refused', '550 550 said'],
    ],
  );
});

test('where no source can be used, mail waits, and the host does not count as down', async () => {
  const { outcomes, unreachable } = await deliver(
    'two.example',
    ['bob'],
    () => ({ kind: 'no-connection', problem: { kind: 'source', text: 'EADDRNOTAVAIL' } }),
    { route: routeFor([], [POOL]) },
  );
  assert.deepEqual([outcomes, unreachable], [['0 delayed 4.3.5'], false]);
});

const meant = [
  { text: '450 4.7.1 Too many connections', down: '4.7.1', events: 0 },
  { text: '550 5.7.1 Client host blocked using zen.example', down: '4.7.1', events: 1 },
  { text: '550 5.1.1 No such user', down: undefined, events: 0 },
  { text: '450 4.7.1 Greylisted', down: undefined, events: 0 },
];
for (const { text, down: want, events: count } of meant)
  test(`"${text}" ${want === undefined ? 'concerns this mail' : 'is meant for all our mail'}`, async () => {
    const { down, events } = await deliver('two.example', ['bob'], () =>
      session(said('rcpt', Number(text.slice(0, 3)), text.slice(4))),
    );
    assert.equal(down, want);
    assert.equal(events.filter(({ name }) => name === 'delivery.blocked').length, count);
  });

test('who takes some of our mail is not down', async () => {
  const { outcome } = await deliver('two.example', ['a', 'b'], () =>
    session(said('rcpt', 450, '4.7.1 Too many messages'), said('content', 250)),
  );
  assert.equal(outcome.finding.kind, 'open');
});

const broken: HopVisit = {
  kind: 'tls-failed',
  failure: { kind: 'reset', text: 'reset' },
  localAddress: undefined,
};
const VERIFIED = { kind: 'require', tls: { kind: 'verified', names: ['x'] }, by: 'sts' } as const;
const NOT_TO_ONE: TlsPolicy = {
  ofDomain: async () => ({
    kind: 'policy',
    of: async ({ host }) =>
      host === 'one.example'
        ? { kind: 'delayed', status: '4.7.5', reason: 'tls.sts-mx-mismatch', text: 'no' }
        : VERIFIED,
  }),
};
const STRICT = uniformTlsPolicy(VERIFIED.tls);

const findings: readonly {
  readonly name: string;
  readonly visit: (target: HopTarget) => HopVisit;
  readonly tlsPolicy: TlsPolicy;
  readonly more?: Partial<NewQueuedMessage>;
  readonly want: string;
}[] = [
  { name: 'no host answers', visit: () => refused, tlsPolicy: STRICT, want: 'closed to all' },
  { name: 'TLS fails with both', visit: () => broken, tlsPolicy: STRICT, want: 'closed to wish' },
  {
    name: 'TLS fails with one, the other does not answer',
    visit: at('one.example', broken, refused),
    tlsPolicy: STRICT,
    want: 'closed to wish',
  },
  {
    name: 'one may not be gone to for its TLS, the other does not answer',
    visit: () => refused,
    tlsPolicy: NOT_TO_ONE,
    want: 'closed to wish',
  },
  {
    name: 'TLS fails with one, the other takes it',
    visit: at('one.example', broken, session(said('content', 250))),
    tlsPolicy: STRICT,
    want: 'open',
  },
  {
    name: 'TLS fails for good, and the next one is to be told as well (RFC 8689 §4.2.1)',
    visit: () => ({ ...broken, failure: { kind: 'not-trusted', text: 'no' } }),
    tlsPolicy: STRICT,
    more: { requireTls: true },
    want: 'unknown',
  },
];
for (const { name, visit, tlsPolicy, more = {}, want } of findings)
  test(`what a route is found to be: ${name}`, async () => {
    const { outcome } = await deliver('two.example', ['bob'], visit, { tlsPolicy, more });
    const { finding } = outcome;
    assert.equal(finding.kind === 'closed' ? `closed to ${finding.to}` : finding.kind, want);
  });

test('each recipient by its own answer; only the undecided go to the next host', async () => {
  const { visited, outcomes } = await deliver('two.example', ['a', 'b', 'c'], (target, message) =>
    target.host === 'one.example'
      ? session(said('content', 250), said('rcpt', 550, '5.1.1 no'), said('rcpt', 450))
      : session(...message.recipients.map(() => said('content', 250))),
  );
  assert.deepEqual(
    visited.map(({ recipients }) => recipients.length),
    [3, 1],
  );
  assert.deepEqual(outcomes.toSorted(), ['0 relayed 2.0.0', '1 failed 5.1.1', '2 relayed 2.0.0']);
});

test('own address cuts the list: hosts behind it are not tried (RFC 5321 §5.1)', async () => {
  const { visited, outcomes } = await deliver('loop.example', ['a'], () => refused);
  assert.deepEqual(
    visited.map(({ target }) => target.host),
    ['one.example'],
  );
  assert.deepEqual(outcomes, ['0 delayed 4.4.1']);
});

test('the visits of one attempt are bounded', async () => {
  const { visited } = await deliver('many.example', ['a'], () => refused);
  assert.equal(visited.length, 10);
});

test('an interruption is no attempt', async () => {
  const abort = new AbortController();
  abort.abort();
  const { visited, outcome } = await deliver('two.example', ['a'], () => refused, { signal: abort.signal });
  assert.equal(visited.length, 0);
  assert.equal(outcome.outcomes.get(0)?.answer?.reason, 'delivery.stopped');
});

test('a peer that speaks DSN reports itself (RFC 3461 §5.2.1)', async () => {
  const { outcome } = await deliver('two.example', ['a'], () => ({
    kind: 'session',
    answers: [said('content', 250, '2.1.5 Ok')],
    speaksDsn: true,
  }));
  const one = outcome.outcomes.get(0);
  assert.deepEqual(one?.kind === 'relayed' && [one.reportsItself, one.answer.text, one.answer.host], [
    true,
    '250 2.1.5 Ok',
    'one.example',
  ]);
});

test('octets that cannot be read delay whoever is left, and nobody who was served (RFC 3463 §3.4)', async () => {
  const { outcomes, outcome } = await deliver('two.example', ['a', 'b'], (target) => {
    if (target.host === 'one.example') return session(said('content', 250), said('rcpt', 450));
    throw new Fault('Reading a segment');
  });
  assert.deepEqual(outcomes, ['0 relayed 2.0.0', '1 delayed 4.3.0']);
  assert.equal(outcome.finding.kind, 'unknown');
  assert.ok(outcome.fault instanceof Fault);
});

test('octets that are lost for good fail', async () => {
  const { outcomes } = await deliver('two.example', ['a'], () => {
    throw new BlobError({ kind: 'damaged' }, NO_BLOB.id);
  });
  assert.deepEqual(outcomes, ['0 failed 5.3.0']);
});
