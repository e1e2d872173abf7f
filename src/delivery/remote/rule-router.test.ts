import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountId, newMessage } from '../../../test/support/queued.ts';
import { routeRule, ruleRouter } from '../../../test/support/routes.ts';
import { parseIpNetwork } from '../../base/ip-network.ts';
import type { NewQueuedMessage } from '../../queue/queue.ts';
import { sourcesFor } from './pool.ts';
import type { RouteRule, RuleMatch } from './route-rule.ts';
import type { RoutedRecipient } from './router.ts';
import type { RuleRouterOptions } from './rule-router.ts';
import { DIRECT } from './rule-router.ts';

const network = parseIpNetwork('192.0.2.0/24');
assert.ok(network !== undefined);

const ANY: RuleMatch = { recipients: ['*'], senders: [], accounts: [], networks: [], pools: [] };
const rule = (name: string, match: Partial<RuleMatch>, more: Partial<RouteRule> = {}): RouteRule =>
  routeRule(name, { to: [`${name}.example`], match: { ...ANY, ...match }, ...more });

function plan(
  options: Partial<RuleRouterOptions>,
  {
    to = 'bob@far.example',
    waitedMs = 0,
    state,
    ...message
  }: Partial<NewQueuedMessage> & {
    readonly to?: string;
    readonly waitedMs?: number;
    readonly state?: RoutedRecipient['state'];
  } = {},
) {
  const routed = newMessage([], message);
  const domain = to.slice(to.lastIndexOf('@') + 1).toLowerCase();
  const recipient = { forwardPath: to, ...(state === undefined ? {} : { state }) };
  const known = (address: string) => (address === 'amy@here.example' ? accountId(7) : undefined);
  return ruleRouter({ accountId: known, ...options }).plan(
    routed,
    recipient,
    domain,
    routed.arrivedAtMs + waitedMs,
  );
}

const from = (account: number | undefined, remote: string | undefined): NewQueuedMessage['source'] => ({
  kind: 'submission',
  remote,
  helo: undefined,
  account: account === undefined ? undefined : accountId(account),
});

const cases: readonly {
  readonly name: string;
  readonly match: Partial<RuleMatch>;
  readonly mail: Parameters<typeof plan>[1];
  readonly taken: boolean;
}[] = [
  { name: 'a domain', match: { recipients: ['far.example'] }, mail: {}, taken: true },
  { name: 'a domain in capitals', match: { recipients: ['FAR.example'] }, mail: {}, taken: true },
  { name: 'another domain', match: { recipients: ['ar.example'] }, mail: {}, taken: false },
  { name: 'below a suffix', match: { recipients: ['.example'] }, mail: {}, taken: true },
  { name: 'the suffix itself', match: { recipients: ['.far.example'] }, mail: {}, taken: false },
  { name: 'a suffix within a label', match: { recipients: ['.ar.example'] }, mail: {}, taken: false },
  { name: 'an address', match: { recipients: ['Bob@far.example'] }, mail: {}, taken: true },
  { name: 'another address', match: { recipients: ['ob@far.example'] }, mail: {}, taken: false },
  {
    name: 'a literal (RFC 5321 §4.1.3)',
    match: { recipients: ['[192.0.2.7]'] },
    mail: { to: 'bob@[192.0.2.7]' },
    taken: true,
  },
  { name: 'nobody', match: { recipients: [] }, mail: {}, taken: false },
  { name: 'a sender', match: { senders: ['sender.example'] }, mail: {}, taken: true },
  { name: 'another sender', match: { senders: ['x@sender.example'] }, mail: {}, taken: false },
  { name: 'the null path', match: { senders: ['<>'] }, mail: { reversePath: null }, taken: true },
  { name: 'not the null path', match: { senders: ['<>'] }, mail: {}, taken: false },
  {
    name: 'the null path of a domain',
    match: { senders: ['sender.example'] },
    mail: { reversePath: null },
    taken: false,
  },
  { name: 'any sender', match: { senders: ['*'] }, mail: { reversePath: null }, taken: true },
  {
    name: 'an account',
    match: { accounts: ['amy@here.example'] },
    mail: { source: from(7, undefined) },
    taken: true,
  },
  {
    name: 'another account',
    match: { accounts: ['amy@here.example'] },
    mail: { source: from(8, undefined) },
    taken: false,
  },
  { name: 'no account', match: { accounts: ['amy@here.example'] }, mail: {}, taken: false },
  {
    name: 'an account that is not there, for mail of none',
    match: { accounts: ['gone@here.example'] },
    mail: {},
    taken: false,
  },
  {
    name: 'a network',
    match: { networks: [network] },
    mail: { source: from(undefined, '192.0.2.9') },
    taken: true,
  },
  {
    name: 'another network',
    match: { networks: [network] },
    mail: { source: from(undefined, '198.51.100.9') },
    taken: false,
  },
  { name: 'no network', match: { networks: [network] }, mail: {}, taken: false },
  {
    name: 'only one of two conditions',
    match: { recipients: ['far.example'], senders: ['x.example'] },
    mail: {},
    taken: false,
  },
];
for (const { name, match, mail, taken } of cases)
  test(`a rule for ${name} ${taken ? 'takes' : 'leaves'} it`, () => {
    const route = plan({ rules: [rule('relay', match)] }, mail);
    assert.equal(route.rule, taken ? 'relay' : undefined);
    if (!taken) assert.equal(route.next.kind, 'domain');
  });

test('the first rule that matches decides', () => {
  const rules = [rule('no', { recipients: [] }), rule('one', {}), rule('two', {})];
  assert.equal(plan({ rules }).rule, 'one');
});

test('a recipient with a reverse-path of its own is routed by that', () => {
  const router = ruleRouter({ rules: [rule('relay', { senders: ['srs.example'] })] });
  const message = newMessage([]);
  const recipient = { forwardPath: 'bob@far.example', reversePath: 'SRS0=x@srs.example' };
  assert.equal(router.plan(message, recipient, 'far.example', 0).rule, 'relay');
});

const keys: readonly {
  readonly name: string;
  readonly rules: readonly RouteRule[];
  readonly want: string;
}[] = [
  { name: 'the domain', rules: [], want: 'far.example' },
  {
    name: 'the domain, where a rule changes nothing',
    rules: [rule('x', {}, { action: { kind: 'deliver', hosts: [], speech: DIRECT } })],
    want: 'far.example',
  },
  {
    name: 'the domain and the rule that changes how it is spoken with',
    rules: [
      rule('x', {}, { action: { kind: 'deliver', hosts: [], speech: { ...DIRECT, tls: 'verified' } } }),
    ],
    want: 'far.example;x',
  },
  { name: 'a host', rules: [rule('x', {})], want: 'smtp:[x.example]:25' },
  {
    name: 'hosts',
    rules: [routeRule('x', { to: ['a.example', '2001:db8::1'] })],
    want: 'smtp:[a.example]:25,smtp:[2001:db8::1]:25',
  },
  {
    name: 'LMTP',
    rules: [
      rule(
        'x',
        {},
        {
          action: {
            kind: 'deliver',
            hosts: [{ host: 'a.example', port: 24 }],
            speech: { ...DIRECT, protocol: 'lmtp' },
          },
        },
      ),
    ],
    want: 'lmtp:[a.example]:24',
  },
  {
    name: 'a host that another rule speaks with in another way',
    rules: [
      rule(
        'first',
        { recipients: [] },
        {
          action: { kind: 'deliver', hosts: [{ host: 'x.example', port: 25 }], speech: DIRECT },
        },
      ),
      rule('x', {}),
    ],
    want: 'smtp:[x.example]:25;x',
  },
  { name: 'a hold', rules: [rule('x', {}, { action: { kind: 'hold', text: 'No' } })], want: 'held:x' },
];
for (const { name, rules, want } of keys)
  test(`the key of a route names ${name}`, () => assert.equal(plan({ rules }).key, want));

const source = { address: '192.0.2.50', helloName: 'out.example' };
const pools = [
  { pool: { name: 'idle', sources: [source] }, senders: [], accounts: [] },
  { pool: { name: 'bulk', sources: [source] }, senders: ['sender.example'], accounts: [] },
];

test('a pool is chosen by sender, a route may match it, and may name another', () => {
  assert.equal(plan({ pools }).pool.name, 'bulk');
  assert.equal(plan({ pools }).key, 'far.example/bulk');
  assert.equal(plan({ pools }, { reversePath: 'a@other.example' }).pool.name, undefined);
  assert.equal(plan({ pools, rules: [rule('x', { pools: ['bulk'] })] }).rule, 'x');
  assert.equal(plan({ pools, rules: [rule('x', { pools: ['idle'] })] }).rule, undefined);
  assert.equal(plan({ pools, rules: [rule('x', {}, { pool: 'idle' })] }).pool.name, 'idle');
});

test('mail that has waited long enough takes the fallback, and the fallback of that', () => {
  const rules = [
    rule('one', {}, { fallback: { rule: 'two', afterMs: 1000 } }),
    rule('two', { recipients: [] }, { fallback: { rule: 'three', afterMs: 5000 } }),
    rule('three', { recipients: [] }),
  ];
  const at = (waitedMs: number) => plan({ rules }, { waitedMs });
  assert.deepEqual(
    [0, 999, 1000, 4999, 5000, 1e9].map((waitedMs) => at(waitedMs).rule),
    ['one', 'one', 'two', 'two', 'three', 'three'],
  );
  assert.equal(at(0).fallback?.fallback?.key, 'smtp:[three.example]:25');
});

test('what was released from a hold, or tried before, is not held', () => {
  const rules = [rule('x', {}, { action: { kind: 'hold', text: 'No' } })];
  const state = {
    kind: 'waiting',
    dueAtMs: 0,
    attempts: 0,
    lastAnswer: undefined,
    delayReported: false,
  } as const;
  assert.equal(plan({ rules }, { state }).next.kind, 'held');
  const lastAnswer = { atMs: 0, host: undefined, status: '4.7.1', text: 'No', reason: 'route.held' };
  assert.equal(plan({ rules }, { state: { ...state, lastAnswer } }).next.kind, 'domain');
});

test('sources are those of the family, one message always begins with the same, and messages are spread', () => {
  const pool = {
    name: 'p',
    sources: ['192.0.2.1', '192.0.2.2', '192.0.2.3', '2001:db8::1'].map((address) => ({
      address,
      helloName: 'h',
    })),
  };
  const order = (id: string, to = '198.51.100.1') => sourcesFor(pool, to, id).map(({ address }) => address);
  assert.deepEqual(order('a', '2001:db8::99'), ['2001:db8::1']);
  assert.deepEqual(new Set(order('a')), new Set(['192.0.2.1', '192.0.2.2', '192.0.2.3']));
  assert.deepEqual(order('a'), order('a'));
  const first = new Map<string | undefined, number>();
  for (let turn = 0; turn < 3000; turn += 1) {
    const [address] = order(`message${turn}`);
    first.set(address, (first.get(address) ?? 0) + 1);
  }
  for (const [address, count] of first) assert.ok(count > 700, `${address}: ${count}`);
});

const hops = [
  [
    'smtp:far.example:2525',
    { domain: 'far.example', port: 2525 },
    { kind: 'domain', domain: 'far.example', port: 2525 },
  ],
  [
    'lmtp:[127.0.0.1]:2424',
    { domain: '[127.0.0.1]', port: 2424, speech: 'lmtp' },
    { kind: 'hosts', hosts: [{ host: '127.0.0.1', port: 2424 }] },
  ],
  [
    'smtps:[ipv6:2001:db8::1]:465',
    { domain: '[ipv6:2001:db8::1]', port: 465, speech: 'smtps' },
    { kind: 'hosts', hosts: [{ host: '2001:db8::1', port: 465 }] },
  ],
] as const;
for (const [key, hop, next] of hops)
  test(`an operator's hop ${key} is gone to whatever rules say, and none gives it a password`, () => {
    const rules = [
      rule('all', {}),
      rule('held', {}, { action: { kind: 'hold', text: 'x' } }),
      rule('refused', {}, { action: { kind: 'refuse', text: 'x' } }),
    ];
    for (const one of rules) {
      const route = ruleRouter({ rules: [one] }).plan(
        newMessage([]),
        { forwardPath: 'bob@far.example', route: { kind: 'remote', ...hop } },
        hop.domain,
        0,
      );
      assert.equal(route.key, `hop:${key}`);
      assert.deepEqual(route.next, next);
      const { protocol, implicitTls, credentials } = route.speech;
      assert.equal(protocol, key.startsWith('lmtp') ? 'lmtp' : 'smtp');
      assert.equal(implicitTls, key.startsWith('smtps'));
      assert.equal(credentials, undefined);
    }
  });
