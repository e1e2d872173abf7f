import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../../../test/support/dns-server.ts';
import { REAL_CLOCK, seededRandom } from '../../../test/support/world.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { CONTRACT_ZONE, resolverContract } from '../resolver.contract.ts';
import { AnswerCache } from './answer-cache.ts';
import { parseResolvConf } from './resolv-conf.ts';
import type { SystemResolverOptions } from './resolver.ts';
import { SystemResolver } from './resolver.ts';

type Place = { readonly address: string; readonly port: number };

function resolverFor(
  servers: readonly Place[],
  options: Partial<SystemResolverOptions> = {},
): SystemResolver {
  return new SystemResolver({
    clock: REAL_CLOCK,
    random: seededRandom(),
    timeoutMs: 200,
    servers: servers.map(({ address, port }) => ({ address, port, trusted: true })),
    ...options,
  });
}

for (const oneCname of [false, true])
  resolverContract(async () => {
    const server = await startDnsServer(CONTRACT_ZONE, { authentic: true, oneCname });
    return {
      // One round: a name that is answered by silence costs this once, a busy machine has time to answer the others.
      resolver: resolverFor([server], { timeoutMs: 1000, rounds: 1 }),
      [Symbol.asyncDispose]: () => server.close(),
    };
  });

const ZONE = {
  'example.org': {
    mx: [{ preference: 10, exchange: 'mx.example.org' }],
    a: ['192.0.2.1'],
    txt: ['v=spf1 -all'],
  },
  'mx.example.org': { a: ['192.0.2.25'], aaaa: ['2001:db8::25'] },
  'www.example.org': { cname: 'example.org' },
  'null.example': { mx: [{ preference: 0, exchange: '' }] },
  '1.2.0.192.in-addr.arpa': { ptr: ['example.org'] },
  '_25._tcp.mx.example.org': {
    tlsa: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 1) }],
  },
  'big.example': { txt: ['x'.repeat(3000)] },
  'broken.example': { fails: 'servfail' as const },
  'silent.example': { fails: 'timeout' as const },
};

test('a truncated answer is asked for again over TCP (RFC 7766 §5)', async () => {
  await using server = await startDnsServer(ZONE);
  const answer = await resolverFor([server]).txt('big.example');
  assert.equal(answer.kind === 'found' && answer.records[0]?.length, 3000);
  assert.deepEqual(server.asked, ['udp TXT big.example', 'tcp TXT big.example']);
});

test('equal questions on their way are asked once, and the answer is remembered', async () => {
  await using server = await startDnsServer(ZONE);
  const resolver = resolverFor([server]);
  await Promise.all(Array.from({ length: 50 }, () => resolver.a('example.org')));
  await resolver.a('EXAMPLE.org');
  await resolver.a('nowhere.example');
  await resolver.a('nowhere.example');
  assert.deepEqual(server.asked, ['udp A example.org', 'udp A nowhere.example']);
});

test('a negative answer without SOA is not remembered (RFC 2308 §5)', async () => {
  await using server = await startDnsServer(ZONE, { negativeTtlS: 0 });
  const resolver = resolverFor([server]);
  await resolver.a('nowhere.example');
  await resolver.a('nowhere.example');
  assert.equal(server.asked.length, 2);
});

for (const [name, reason] of [
  ['broken.example', 'servfail'],
  ['silent.example', 'timeout'],
] as const)
  test(`no answer now is ${reason}, bounded, and remembered for a moment (RFC 9520 §3.2)`, async () => {
    await using server = await startDnsServer(ZONE);
    const resolver = resolverFor([server], { timeoutMs: 250 });
    assert.deepEqual(await resolver.a(name), { kind: 'unavailable', reason });
    const { length } = server.asked;
    assert.ok(length <= 2, String(length));
    await resolver.a(name);
    assert.equal(server.asked.length, length);
  });

test('a silent or broken server makes the next one be asked, and the one that answered is asked first then', async () => {
  await using silent = await startDnsServer({ 'example.org': { fails: 'timeout' } });
  await using broken = await startDnsServer({ 'example.org': { fails: 'servfail' } });
  await using good = await startDnsServer(ZONE);
  const resolver = resolverFor([silent, broken, good], { timeoutMs: 500 });
  assert.equal((await resolver.a('example.org')).kind, 'found');
  assert.equal((await resolver.mx('example.org')).kind, 'found');
  assert.equal(silent.asked.length, 1);
});

test('AD counts only from a trusted server', async () => {
  await using server = await startDnsServer(ZONE, { authentic: true });
  const trusted = await resolverFor([server]).a('example.org');
  assert.equal(trusted.kind === 'found' && trusted.authentic, true);
  const { address, port } = server;
  const other = await resolverFor([], { servers: [{ address, port, trusted: false }] }).a('example.org');
  assert.equal(other.kind === 'found' && other.authentic, false);
});

test('where one server is trusted, the others are never asked (RFC 7672 §2.1.1)', async () => {
  await using broken = await startDnsServer({ 'example.org': { fails: 'servfail' } }, { authentic: true });
  await using other = await startDnsServer(ZONE);
  const servers = [
    { address: other.address, port: other.port, trusted: false },
    { address: broken.address, port: broken.port, trusted: true },
  ];
  const answer = await resolverFor([], { servers }).a('example.org');
  assert.deepEqual(answer, { kind: 'unavailable', reason: 'servfail' });
  assert.deepEqual(other.asked, []);
});

test('what is bogus is asked of nobody else, and remembered for a moment (RFC 7672 §2.1.2)', async () => {
  await using server = await startDnsServer({ 'example.org': { a: ['192.0.2.1'], fails: 'bogus' } });
  await using other = await startDnsServer(ZONE);
  const resolver = resolverFor([server, other]);
  assert.deepEqual(await resolver.a('example.org'), { kind: 'unavailable', reason: 'bogus' });
  await resolver.a('example.org');
  assert.deepEqual(other.asked, []);
  assert.equal(server.asked.length, 2);
});

test('an untrusted server is not asked for what does not validate', async () => {
  await using server = await startDnsServer({ 'example.org': { a: ['192.0.2.1'], fails: 'bogus' } });
  const servers = [{ address: server.address, port: server.port, trusted: false }];
  const answer = await resolverFor([], { servers }).a('example.org');
  assert.deepEqual(answer, { kind: 'unavailable', reason: 'servfail' });
});

test('a server that is heard over TCP alone is heard in the third round', async () => {
  await using server = await startDnsServer(ZONE, {
    spoil: (answer, transport) => (transport === 'udp' ? [] : [answer]),
  });
  const answer = await resolverFor([server], { timeoutMs: 300, rounds: 3 }).a('example.org');
  assert.equal(answer.kind, 'found');
  assert.deepEqual(
    server.asked.map((question) => question.split(' ', 1)[0]),
    ['udp', 'udp', 'tcp'],
  );
});

test('CNAMEs left to us are followed a bounded number of times', async () => {
  const zone = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`c${index}.example`, { cname: `c${index + 1}.example` }]),
  );
  await using server = await startDnsServer(zone, { oneCname: true });
  const answer = await resolverFor([server]).a('c0.example');
  assert.deepEqual(answer, { kind: 'unavailable', reason: 'malformed' });
  assert.equal(server.asked.length, 8);
});

test('forged datagrams are passed over, and the true answer is still taken (RFC 5452 §9)', async () => {
  const forged = Buffer.from(Array.from({ length: 40 }, (_, index) => index));
  await using server = await startDnsServer(ZONE, { spoil: (answer) => [forged, Buffer.alloc(0), answer] });
  assert.equal((await resolverFor([server]).a('example.org')).kind, 'found');
});

test('a flood of foreign datagrams ends', async () => {
  await using server = await startDnsServer(ZONE, {
    spoil: () => Array.from({ length: 200 }, () => Buffer.alloc(12)),
  });
  assert.equal((await resolverFor([server]).a('example.org')).kind, 'unavailable');
});

test('mixed case is echoed and checked', async () => {
  await using server = await startDnsServer(ZONE);
  const answer = await resolverFor([server], { mixCase: true }).a('example.org');
  assert.deepEqual(answer.kind === 'found' && [answer.records, answer.canonicalName], [
    ['192.0.2.1'],
    'example.org',
  ]);
  assert.notEqual(server.asked[0], 'udp A example.org');
});

test('a server without EDNS is asked again without it (RFC 6891 §7)', async () => {
  let first = true;
  await using server = await startDnsServer(ZONE, {
    spoil: (answer) => {
      if (!first) return [answer];
      first = false;
      const formerr = Buffer.from(answer.subarray(0, 12));
      formerr.writeUInt16BE(0x8181, 2);
      formerr.fill(0, 4);
      return [formerr];
    },
  });
  assert.equal((await resolverFor([server]).a('example.org')).kind, 'found');
});

test('a port where nobody listens is no answer, soon', async () => {
  const server = await startDnsServer(ZONE);
  await server.close();
  assert.equal((await resolverFor([server], { timeoutMs: 5000 }).a('example.org')).kind, 'unavailable');
});

test('the cache forgets by TTL and by number, the least recently used first', () => {
  const clock = new FakeClock();
  const cache = new AnswerCache<string>(clock, {
    entriesMax: 2,
    octetsMax: 100_000,
    octetsOf: (data) => data.length,
    ttlMaxS: 100,
    negativeTtlMaxS: 10,
    failureTtlS: 5,
  });
  const found = (ttlS: number) =>
    ({ kind: 'found', records: ['x'], ttlS, authentic: false, canonicalName: 'x' }) as const;
  cache.put('a', found(1000));
  cache.put('b', { kind: 'none', nameExists: true, ttlS: 1000, authentic: false });
  const a = cache.get('a');
  assert.equal(a?.kind === 'found' && a.ttlS, 100);
  cache.put('c', found(0));
  assert.equal(cache.size, 2);
  cache.put('c', found(50));
  assert.equal(cache.get('b'), undefined);
  assert.ok(cache.get('a'));
});

test('the cache forgets by octets: large answers leave no room for many', () => {
  const cache = new AnswerCache<string>(new FakeClock(), {
    entriesMax: 1000,
    octetsMax: 10_000,
    octetsOf: (data) => data.length,
    ttlMaxS: 100,
    negativeTtlMaxS: 10,
    failureTtlS: 5,
  });
  const put = (key: string, octets: number): void =>
    cache.put(key, {
      kind: 'found',
      records: ['x'.repeat(octets)],
      ttlS: 50,
      authentic: false,
      canonicalName: key,
    });
  for (let times = 0; times < 3; times += 1) for (const key of ['a', 'b', 'c']) put(key, 2500);
  assert.equal(cache.size, 3);
  assert.ok(cache.get('a'));
  put('d', 2500);
  assert.equal(cache.get('b'), undefined);
  assert.ok(cache.get('a'));
  put('huge', 60_000);
  assert.equal(cache.size, 0);
  put('e', 100);
  assert.ok(cache.get('e'));
});

test('the cache gives what is left of a TTL', async () => {
  const clock = new FakeClock();
  const cache = new AnswerCache<string>(clock, {
    entriesMax: 2,
    octetsMax: 100_000,
    octetsOf: (data) => data.length,
    ttlMaxS: 100,
    negativeTtlMaxS: 10,
    failureTtlS: 5,
  });
  cache.put('a', { kind: 'none', nameExists: true, ttlS: 8, authentic: false });
  await clock.advance(3000);
  assert.deepEqual(cache.get('a'), { kind: 'none', nameExists: true, ttlS: 5, authentic: false });
  await clock.advance(5000);
  assert.equal(cache.get('a'), undefined);
});

test('resolv.conf', () => {
  const text = '# x\nnameserver 192.0.2.53 \nnameserver ::1\nnameserver nonsense\noptions edns0 trust-ad\n';
  assert.deepEqual(parseResolvConf(text).servers, [
    { address: '192.0.2.53', port: 53, trusted: true },
    { address: '::1', port: 53, trusted: true },
  ]);
  assert.deepEqual(parseResolvConf('nameserver 192.0.2.53').servers, [
    { address: '192.0.2.53', port: 53, trusted: false },
  ]);
  assert.deepEqual(parseResolvConf('').servers, [{ address: '127.0.0.1', port: 53, trusted: true }]);
});

test('localhost never leaves the machine (RFC 6761 §6.3)', async () => {
  await using server = await startDnsServer(ZONE);
  const resolver = resolverFor([server]);
  const a = await resolver.a('LOCALHOST');
  const aaaa = await resolver.aaaa('mail.localhost.');
  assert.deepEqual(a.kind === 'found' && a.records, ['127.0.0.1']);
  assert.deepEqual(aaaa.kind === 'found' && aaaa.records, ['::1']);
  assert.equal((await resolver.mx('localhost')).kind, 'none');
  assert.deepEqual(server.asked, []);
});

test('a resolver shows that it validates by AD on the root', async () => {
  await using server = await startDnsServer({}, { authentic: true });
  assert.equal(await resolverFor([server]).validates(), true);
  const { address, port } = server;
  const untrusted = resolverFor([], { servers: [{ address, port, trusted: false }] });
  assert.equal(await untrusted.validates(), false);
  await server.close();
  assert.equal(await resolverFor([server], { timeoutMs: 20 }).validates(), undefined);
});
