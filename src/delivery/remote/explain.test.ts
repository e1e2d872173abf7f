import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { routeRule, ruleRouter } from '../../../test/support/routes.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { MemoryDirectory } from '../../auth/memory/directory.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import { explainRoute } from './explain.ts';
import type { RouteQuestion } from './explain.ts';
import type { RouteRule } from './route-rule.ts';
import type { PoolRule } from './rule-router.ts';
import { Routing } from './routing.ts';
import type { TlsDecider, TlsPolicy } from './tls-policy.ts';
import type { TlsRequirement } from './tls-requirement.ts';

const ZONE: Zone = {
  'far.example': {
    mx: [
      { preference: 20, exchange: 'two.example' },
      { preference: 10, exchange: 'one.example' },
    ],
  },
  'one.example': { a: ['192.0.2.1'], aaaa: ['2001:db8::1'] },
  'two.example': { a: ['192.0.2.99'] },
  'null.example': { mx: [{ preference: 0, exchange: '' }] },
};

function asks(tls: TlsRequirement, by: TlsDecider): TlsPolicy {
  return { ofDomain: async () => ({ kind: 'policy', of: async () => ({ kind: 'require', tls, by }) }) };
}

async function explain(
  question: Partial<RouteQuestion> & { readonly address: string },
  rules: readonly RouteRule[] = [],
  pools: readonly PoolRule[] = [],
  tlsPolicy: TlsPolicy = asks({ kind: 'dane', names: ['one.example'], records: [] }, 'dane'),
) {
  const clock = new FakeClock();
  const directory = new MemoryDirectory({ clock, random: seededRandom() });
  await directory.addDomain('here.example');
  const added = await directory.addAccount({ address: 'amy@here.example', password: undefined });
  assert.ok(added.ok);
  const { id } = added.value;
  await directory.setAlias('team@here.example', ['amy@here.example', 'carl@far.example']);
  return explainRoute(
    { sender: null, account: undefined, ...question },
    {
      directory,
      router: ruleRouter({
        rules,
        pools,
        accountId: (address) => (address === 'amy@here.example' ? id : undefined),
      }),
      routing: new Routing({
        resolver: new MemoryResolver(ZONE, { authentic: true }),
        random: seededRandom(),
        ownNames: [],
        ownAddresses: ['192.0.2.99'],
        loopbackAllowed: false,
      }),
      tlsPolicy,
      clock,
    },
  );
}

const ANY = [{ address: undefined, helloName: 'here.example' }];

test('another host: its exchanges in their order, their addresses, TLS and why; ours ends the list (RFC 5321 §5.1)', async () => {
  assert.deepEqual(await explain({ address: 'carl@far.example' }), {
    address: 'carl@far.example',
    resolution: 'remote',
    mailboxes: [],
    remote: [
      {
        address: 'carl@far.example',
        domain: 'far.example',
        ways: [
          {
            key: 'far.example',
            route: undefined,
            pool: undefined,
            protocol: 'smtp',
            proxy: undefined,
            hostsBy: 'mx',
            isSecure: true,
            hosts: [
              {
                host: 'one.example',
                port: 25,
                addresses: [
                  { address: '2001:db8::1', sources: ANY },
                  { address: '192.0.2.1', sources: ANY },
                ],
                isSecure: true,
                tls: { level: 'dane', why: '0 TLSA records; for one.example' },
                ending: undefined,
              },
              {
                host: 'two.example',
                port: 25,
                addresses: [],
                isSecure: false,
                tls: undefined,
                ending: {
                  outcome: 'failed',
                  status: '5.4.6',
                  reason: 'route.loop',
                  text: 'Mail for far.example leads back to this host, which is not its last',
                },
              },
            ],
            ending: undefined,
          },
        ],
      },
    ],
  });
});

const names = ['one.example'];
const whys: readonly { tls: TlsRequirement; by: TlsDecider; want: string }[] = [
  { tls: { kind: 'verified', names }, by: 'route', want: 'as the route smart has it; for one.example' },
  { tls: { kind: 'encrypt' }, by: 'rule', want: 'as the configuration has it' },
  { tls: { kind: 'dane', names, records: [] }, by: 'dane', want: '0 TLSA records; for one.example' },
  { tls: { kind: 'encrypt' }, by: 'dane', want: 'the host has TLSA records, and none can be used' },
  { tls: { kind: 'verified', names }, by: 'sts', want: 'MTA-STS; for one.example' },
  { tls: { kind: 'opportunistic' }, by: 'sts', want: 'MTA-STS, in testing' },
  { tls: { kind: 'opportunistic' }, by: 'nobody', want: 'nothing more is known of it' },
];
for (const { tls, by, want } of whys)
  test(`TLS of a host that a route names, asked for by ${by}: ${want}`, async () => {
    const rules = [routeRule('smart', { to: ['one.example'] })];
    const found = await explain({ address: 'carl@far.example' }, rules, [], asks(tls, by));
    assert.ok(found !== 'no-such-account');
    const [host] = found.remote[0]?.ways[0]?.hosts ?? [];
    assert.deepEqual([host?.tls, host?.isSecure], [{ level: tls.kind, why: want }, true]);
  });

test('an alias: its mailboxes, and each address at another host', async () => {
  const found = await explain({ address: 'team@here.example' });
  assert.ok(found !== 'no-such-account');
  assert.deepEqual(
    [found.resolution, found.mailboxes, found.remote.map(({ address }) => address)],
    ['local', ['amy@here.example'], ['carl@far.example']],
  );
});

test('nobody, an account that is not there, and what ends a way before any host', async () => {
  const nobody = await explain({ address: 'nobody@here.example' });
  assert.equal(nobody !== 'no-such-account' && nobody.resolution, 'unknown');
  assert.equal(
    await explain({ address: 'carl@far.example', account: 'zoe@here.example' }),
    'no-such-account',
  );
  const ended = await explain({ address: 'x@null.example' });
  assert.equal(ended !== 'no-such-account' && ended.remote[0]?.ways[0]?.ending?.status, '5.1.10');
});

test('rules by account and sender, pools and fallbacks are those of delivery', async () => {
  const rule = routeRule('smart', {
    to: ['one.example'],
    fallback: { rule: 'direct', afterMs: Number.POSITIVE_INFINITY },
  });
  const rules = [
    { ...rule, match: { ...rule.match, accounts: ['amy@here.example'] } },
    routeRule('direct', { recipients: [] }),
  ];
  const source = { address: '192.0.2.50', helloName: 'news.example' };
  const pools = [{ pool: { name: 'news', sources: [source] }, senders: ['news.example'], accounts: [] }];
  const question = { address: 'carl@far.example', sender: 'ed@news.example' };
  const ways = async (account: string | undefined) => {
    const found = await explain({ ...question, account }, rules, pools);
    return found === 'no-such-account' ? [] : (found.remote[0]?.ways ?? []);
  };
  const keys = (await ways('amy@here.example')).map(({ key, route }) => `${key} ${route}`);
  assert.deepEqual(keys, ['smtp:[one.example]:25/news smart', 'far.example;direct/news direct']);
  const [direct] = await ways(undefined);
  assert.equal(direct?.route, undefined);
  assert.deepEqual(direct?.hosts[0]?.addresses, [
    { address: '2001:db8::1', sources: [] },
    { address: '192.0.2.1', sources: [source] },
  ]);
});
