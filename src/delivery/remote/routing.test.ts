import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../test/support/world.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import type { RoutingOptions } from './routing.ts';
import type { AddressFamily } from './routing.ts';
import { Routing } from './routing.ts';

const mx = (...list: readonly (readonly [number, string])[]) =>
  list.map(([preference, exchange]) => ({ preference, exchange }));

const ZONE: Zone = {
  'plain.example': { a: ['192.0.2.1'] },
  'ordered.example': { mx: mx([20, 'b.example'], [10, 'a.example'], [30, 'c.example']) },
  'null.example': { mx: mx([0, '']), a: ['192.0.2.1'] },
  'null-and-more.example': { mx: mx([0, ''], [10, 'a.example']) },
  'alias.example': { cname: 'ordered.example' },
  'silent.example': { fails: 'timeout' },
  'broken.example': { fails: 'servfail' },
  'backup.example': { mx: mx([10, 'a.example'], [20, 'here.example'], [20, 'b.example'], [30, 'c.example']) },
  'loop.example': { mx: mx([10, 'here.example'], [20, 'a.example']) },
  'a.example': { a: ['192.0.2.10', '192.0.2.11'], aaaa: ['2001:db8::10'] },
  'ours.example': { a: ['192.0.2.99'] },
  'ours6.example': { aaaa: ['2001:db8::99'] },
  'inner.example': { a: ['127.0.0.1', '0.0.0.0'], aaaa: ['::1', '::ffff:127.0.0.1'] },
  'dangling.example': { cname: 'nowhere.example' },
  'round.example': { cname: 'round.example' },
  'number.example': { mx: mx([10, '192.0.2.7']) },
  'via-alias.example': { mx: mx([10, 'alias-of-a.example']) },
  'alias-of-a.example': { cname: 'a.example' },
  'to-nowhere.example': { mx: mx([10, 'nowhere.example']), a: ['192.0.2.1'] },
  'twice.example': { mx: mx([10, 'a.example'], [20, 'b.example'], [30, 'A.example']) },
  'loud-loop.example': { mx: mx([10, 'HERE.example'], [20, 'a.example']) },
  'bogus.example': { fails: 'bogus' },
  'empty.example': { txt: ['x'] },
  'half.example': { a: ['127.0.0.1', '192.0.2.5'] },
};

function routing(options: Partial<RoutingOptions> = {}): Routing {
  return new Routing({
    resolver: new MemoryResolver(ZONE),
    random: seededRandom(),
    ownNames: ['here.example'],
    ownAddresses: ['192.0.2.99', '2001:DB8:0:0::99'],
    loopbackAllowed: false,
    ...options,
  });
}

const exchanges = (...list: string[]) => list;

const plans = [
  {
    name: 'MX by preference (RFC 5321 §5.1)',
    domain: 'ordered.example',
    want: exchanges('a.example', 'b.example', 'c.example'),
  },
  { name: 'implicit MX (RFC 5321 §5.1)', domain: 'plain.example', want: exchanges('plain.example') },
  {
    name: 'MX behind a CNAME (RFC 5321 §5.1)',
    domain: 'alias.example',
    want: exchanges('a.example', 'b.example', 'c.example'),
  },
  { name: 'null MX (RFC 7505 §3)', domain: 'null.example', want: ['failed', '5.1.10', 'dns.null-mx'] },
  { name: 'null MX beside others', domain: 'null-and-more.example', want: exchanges('a.example') },
  { name: 'no such domain', domain: 'nowhere.example', want: ['failed', '5.1.2', 'dns.no-domain'] },
  { name: 'no answer', domain: 'silent.example', want: ['delayed', '4.4.3', 'dns.timeout'] },
  { name: 'SERVFAIL', domain: 'broken.example', want: ['delayed', '4.4.3', 'dns.servfail'] },
  {
    name: 'own name cuts the list at its preference (RFC 5321 §5.1)',
    domain: 'backup.example',
    want: exchanges('a.example'),
  },
  { name: 'own name comes first', domain: 'loop.example', want: ['failed', '5.4.6', 'route.loop'] },
  { name: 'IPv4 literal (RFC 5321 §4.1.3)', domain: '[192.0.2.7]', want: exchanges('192.0.2.7') },
  { name: 'IPv6 literal', domain: '[IPv6:2001:db8::7]', want: exchanges('2001:db8::7') },
  { name: 'an unknown literal', domain: '[X25:123]', want: ['failed', '5.1.2', 'route.bad-domain'] },
  {
    name: 'an alias to nowhere (RFC 5321 §5.1)',
    domain: 'dangling.example',
    want: ['failed', '5.1.2', 'dns.no-domain'],
  },
  { name: 'aliases that lead round', domain: 'round.example', want: ['delayed', '4.4.3', 'dns.malformed'] },
  { name: 'signatures that do not hold', domain: 'bogus.example', want: ['delayed', '4.4.3', 'dns.bogus'] },
  {
    name: 'MX that cannot be used: never the domain itself (RFC 5321 §5.1)',
    domain: 'to-nowhere.example',
    want: exchanges('nowhere.example'),
  },
  {
    name: 'one host twice, in whatever case (RFC 4343 §3)',
    domain: 'twice.example',
    want: exchanges('a.example', 'b.example'),
  },
  {
    name: 'own name in capitals',
    domain: 'loud-loop.example',
    want: ['failed', '5.4.6', 'route.loop'],
  },
  {
    name: 'MX with an address instead of a name (RFC 5321 §5.1)',
    domain: 'number.example',
    want: ['failed', '5.4.4', 'dns.bad-exchange'],
  },
  { name: 'MX that names an alias', domain: 'via-alias.example', want: exchanges('alias-of-a.example') },
  { name: 'no host name', domain: 'a b', want: ['failed', '5.1.2', 'route.bad-domain'] },
] as const;
for (const { name, domain, want } of plans)
  test(name, async () => {
    const plan = await routing().exchangesOf(domain);
    assert.deepEqual(
      plan.kind === 'exchanges' ? plan.exchanges : [plan.kind, plan.status, plan.reason],
      want,
    );
  });

test('equal preferences share the load (RFC 5321 §5.1)', async () => {
  const names = ['a.example', 'b.example', 'c.example', 'd.example'];
  const resolver = new MemoryResolver({
    'x.example': { mx: names.map((exchange) => ({ preference: 5, exchange })) },
  });
  const same = routing({ resolver });
  const first = new Map<string, number>();
  for (let turn = 0; turn < 4000; turn += 1) {
    const plan = await same.exchangesOf('x.example');
    const [name = ''] = plan.kind === 'exchanges' ? plan.exchanges : [];
    first.set(name, (first.get(name) ?? 0) + 1);
  }
  for (const name of names) assert.ok((first.get(name) ?? 0) > 800, `${name}: ${first.get(name)}`);
});

test('where only one kind of address can be had, that is used; what cannot be asked is no proof of none', async () => {
  const resolver = new MemoryResolver(ZONE);
  const silent = { kind: 'unavailable', reason: 'timeout' } as const;
  const six = routing({ resolver: Object.assign(new MemoryResolver(ZONE), { a: async () => silent }) });
  const found = await six.addressesOf('a.example', 'by-dns');
  assert.deepEqual(found.kind === 'addresses' && found.addresses, ['2001:db8::10']);
  const four = routing({ resolver: Object.assign(resolver, { aaaa: async () => silent }) });
  assert.equal((await four.addressesOf('ours6.example', 'by-dns')).kind, 'delayed');
});

const sources = [
  { domain: 'ordered.example', want: ['mx', true] },
  { domain: 'plain.example', want: ['implicit', true] },
  { domain: '[192.0.2.7]', want: ['literal', false] },
] as const;
for (const { domain, want } of sources)
  test(`says how the exchanges of ${domain} were found, and whether that was validated (RFC 7672 §2.2.1)`, async () => {
    const found = await routing({ resolver: new MemoryResolver(ZONE, { authentic: true }) }).exchangesOf(
      domain,
    );
    assert.deepEqual(found.kind === 'exchanges' && [found.source, found.authentic], want);
  });

test('addresses know their name after CNAMEs, and whether all of them were validated (RFC 7672 §2.2.2)', async () => {
  const zone: Zone = { 'b.example': { cname: 'c.example' }, 'c.example': { a: ['192.0.2.3'] } };
  for (const authentic of [true, false]) {
    const found = await routing({ resolver: new MemoryResolver(zone, { authentic }) }).addressesOf(
      'b.example',
      'by-dns',
    );
    assert.deepEqual(found.kind === 'addresses' && [found.canonicalName, found.authentic], [
      'c.example',
      authentic,
    ]);
  }
});

test('a host that the operator names may be on this machine', async () => {
  assert.equal((await routing().addressesOf('inner.example', 'by-operator')).kind, 'addresses');
});

const hosts = [
  { host: 'a.example', want: ['2001:db8::10', '192.0.2.10', '192.0.2.11'] },
  { host: 'ours.example', want: 'own' },
  { host: 'ours6.example', want: 'own' },
  { host: '::ffff:192.0.2.99', want: 'own' },
  { host: 'nowhere.example', want: 'failed' },
  { host: 'silent.example', want: 'delayed' },
  { host: 'inner.example', want: 'failed' },
  { host: 'half.example', want: ['192.0.2.5'] },
  { host: '192.0.2.4', want: ['192.0.2.4'] },
  { host: '::1', want: 'failed' },
  // Out of RFC 5321 §5.1, and followed all the same, as everybody does.
  { host: 'alias-of-a.example', want: ['2001:db8::10', '192.0.2.10', '192.0.2.11'] },
  { host: 'empty.example', want: 'failed' },
] as const;
for (const { host, want } of hosts)
  test(`addresses of ${host}`, async () => {
    const found = await routing().addressesOf(host, 'by-dns');
    assert.deepEqual(found.kind === 'addresses' ? found.addresses : found.kind, want);
  });

const byFamily: readonly (readonly [families: readonly AddressFamily[], host: string, want: unknown])[] = [
  [['ipv4', 'ipv6'], 'a.example', ['192.0.2.10', '2001:db8::10', '192.0.2.11']],
  [['ipv4'], 'a.example', ['192.0.2.10', '192.0.2.11']],
  [['ipv6'], 'a.example', ['2001:db8::10']],
  [['ipv6'], 'half.example', 'failed The host half.example has no IPv6 address'],
  [['ipv6'], '192.0.2.4', 'failed The host 192.0.2.4 has no IPv6 address'],
  [['ipv4'], '2001:db8::10', 'failed The host 2001:db8::10 has no IPv4 address'],
  [['ipv4'], 'silent.example', 'delayed'],
];
for (const [families, host, want] of byFamily)
  test(`addresses of ${host} by ${families.join(', ')}`, async () => {
    const found = await routing({ families: () => families }).addressesOf(host, 'by-dns');
    const said = found.kind === 'failed' ? `failed ${found.text}` : found.kind;
    assert.deepEqual(found.kind === 'addresses' ? found.addresses : said, want);
  });

test('an address that the operator names is gone to, of whatever version it is', async () => {
  const found = await routing({ families: () => ['ipv6'] }).addressesOf('192.0.2.4', 'by-operator');
  assert.equal(found.kind, 'addresses');
});
