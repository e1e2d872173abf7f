/** What every resolver does with one zone, whatever it gets its answers from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Zone } from './memory/resolver.ts';
import type { DnsAnswer, Resolver } from './resolver.ts';

/** What the resolver under test answers from: all secure, but for what says otherwise. */
export const CONTRACT_ZONE: Zone = {
  'example.org': {
    mx: [
      { preference: 10, exchange: 'mx.example.org' },
      { preference: 20, exchange: 'mx2.example.org' },
    ],
    a: ['192.0.2.1'],
    txt: ['v=spf1 -all', 'x'.repeat(600)],
    ttlS: 100,
  },
  'mx.example.org': { a: ['192.0.2.25'], aaaa: ['2001:db8::25'] },
  'www.example.org': { cname: 'Hop.example.org', ttlS: 50 },
  'hop.example.org': { cname: 'example.org', ttlS: 30 },
  'to-insecure.example.org': { cname: 'insecure.example' },
  'insecure.example': { a: ['192.0.2.2'], authentic: false },
  'from-insecure.example': { cname: 'mx.example.org', authentic: false },
  'lost.example.org': { cname: 'nowhere.example' },
  'dry.example.org': { cname: 'null.example' },
  'loop.example': { cname: 'pool.example' },
  'pool.example': { cname: 'loop.example' },
  'null.example': { mx: [{ preference: 0, exchange: '' }] },
  'xn--bcher-kva.example': { a: ['192.0.2.3'] },
  '1.2.0.192.in-addr.arpa': { ptr: ['example.org'] },
  '_25._tcp.mx.example.org': {
    tlsa: [{ usage: 3, selector: 1, matchingType: 1, data: Buffer.alloc(32, 1) }],
  },
  'broken.example': { fails: 'servfail' },
  'silent.example': { fails: 'timeout' },
  'closed.example': { fails: 'refused' },
  'bogus.example': { a: ['192.0.2.66'], fails: 'bogus' },
};

type Asked = { readonly kind: string; readonly [key: string]: unknown };

/** Without what a resolver may choose. */
function told(answer: DnsAnswer<unknown>): Asked {
  if (answer.kind !== 'none') return answer;
  const { kind, nameExists, authentic } = answer;
  return { kind, nameExists, authentic };
}

const none = (nameExists: boolean, authentic = true): Asked => ({ kind: 'none', nameExists, authentic });

type Case = {
  readonly name: string;
  readonly ask: (resolver: Resolver) => Promise<DnsAnswer<unknown>>;
  readonly want: Asked;
};

const cases: readonly Case[] = [
  {
    name: 'the TTL of an answer is the smallest on the way to it (RFC 2181 §5.2)',
    ask: (resolver) => resolver.a('www.example.org'),
    want: {
      kind: 'found',
      records: ['192.0.2.1'],
      ttlS: 30,
      authentic: true,
      canonicalName: 'example.org',
    },
  },
  {
    name: 'upper and lower case and the final dot are nothing to it (RFC 4343 §3)',
    ask: (resolver) => resolver.aaaa('MX.Example.ORG.'),
    want: {
      kind: 'found',
      records: ['2001:db8::25'],
      ttlS: 300,
      authentic: true,
      canonicalName: 'mx.example.org',
    },
  },
  {
    name: 'U-labels are asked for as A-labels (RFC 5890 §2.3.2.1)',
    ask: (resolver) => resolver.a('Bücher.example'),
    want: {
      kind: 'found',
      records: ['192.0.2.3'],
      ttlS: 300,
      authentic: true,
      canonicalName: 'xn--bcher-kva.example',
    },
  },
  {
    name: 'an insecure end makes the answer insecure (RFC 7672 §2.1.3)',
    ask: (resolver) => resolver.a('to-insecure.example.org'),
    want: {
      kind: 'found',
      records: ['192.0.2.2'],
      ttlS: 300,
      authentic: false,
      canonicalName: 'insecure.example',
    },
  },
  {
    name: 'an insecure CNAME makes a secure end insecure (RFC 7672 §2.1.3)',
    ask: (resolver) => resolver.a('from-insecure.example'),
    want: {
      kind: 'found',
      records: ['192.0.2.25'],
      ttlS: 300,
      authentic: false,
      canonicalName: 'mx.example.org',
    },
  },
  {
    name: 'the CNAME alone may be secure where its end is not (RFC 7672 §2.1.3)',
    ask: (resolver) => resolver.cname('to-insecure.example.org'),
    want: {
      kind: 'found',
      records: ['insecure.example'],
      ttlS: 300,
      authentic: true,
      canonicalName: 'to-insecure.example.org',
    },
  },
  {
    name: 'the CNAME is not followed where it is asked for',
    ask: (resolver) => resolver.cname('www.example.org'),
    want: {
      kind: 'found',
      records: ['hop.example.org'],
      ttlS: 50,
      authentic: true,
      canonicalName: 'www.example.org',
    },
  },
  {
    name: 'no CNAME is proof that there is none',
    ask: (resolver) => resolver.cname('example.org'),
    want: none(true),
  },
  {
    name: 'a name without records of the type exists (RFC 2308 §2.2)',
    ask: (resolver) => resolver.aaaa('example.org'),
    want: none(true),
  },
  {
    name: 'a name that does not exist (RFC 2308 §2.1)',
    ask: (resolver) => resolver.mx('nowhere.example'),
    want: none(false),
  },
  {
    name: 'a CNAME to a name that does not exist leads to none that exists (RFC 6604 §3)',
    ask: (resolver) => resolver.a('lost.example.org'),
    want: none(false),
  },
  {
    name: 'a CNAME to a name without the type (RFC 2308 §2.2)',
    ask: (resolver) => resolver.a('dry.example.org'),
    want: none(true),
  },
  {
    name: 'CNAMEs in a circle are no answer (RFC 1034 §3.6.2)',
    ask: (resolver) => resolver.a('loop.example'),
    want: { kind: 'unavailable', reason: 'malformed' },
  },
  {
    name: 'SERVFAIL is no answer',
    ask: (resolver) => resolver.a('broken.example'),
    want: { kind: 'unavailable', reason: 'servfail' },
  },
  {
    name: 'silence is no answer',
    ask: (resolver) => resolver.a('silent.example'),
    want: { kind: 'unavailable', reason: 'timeout' },
  },
  {
    name: 'REFUSED is no answer',
    ask: (resolver) => resolver.a('closed.example'),
    want: { kind: 'unavailable', reason: 'refused' },
  },
  {
    name: 'bogus data is no answer, and is called so (RFC 7672 §2.1.1)',
    ask: (resolver) => resolver.a('bogus.example'),
    want: { kind: 'unavailable', reason: 'bogus' },
  },
  {
    name: 'the null MX is an empty exchange (RFC 7505 §3)',
    ask: (resolver) => resolver.mx('null.example'),
    want: {
      kind: 'found',
      records: [{ preference: 0, exchange: '' }],
      ttlS: 300,
      authentic: true,
      canonicalName: 'null.example',
    },
  },
  {
    name: 'all MX records',
    ask: (resolver) => resolver.mx('example.org'),
    want: {
      kind: 'found',
      records: CONTRACT_ZONE['example.org']?.mx,
      ttlS: 100,
      authentic: true,
      canonicalName: 'example.org',
    },
  },
  {
    name: 'the strings of a TXT record are one text (RFC 7208 §3.3)',
    ask: (resolver) => resolver.txt('example.org'),
    want: {
      kind: 'found',
      records: CONTRACT_ZONE['example.org']?.txt,
      ttlS: 100,
      authentic: true,
      canonicalName: 'example.org',
    },
  },
  {
    name: 'PTR by address (RFC 1035 §3.5)',
    ask: (resolver) => resolver.ptr('192.0.2.1'),
    want: {
      kind: 'found',
      records: ['example.org'],
      ttlS: 300,
      authentic: true,
      canonicalName: '1.2.0.192.in-addr.arpa',
    },
  },
  {
    name: 'TLSA (RFC 6698 §2.1)',
    ask: async (resolver) => {
      const answer = await resolver.tlsa('_25._tcp.mx.example.org');
      if (answer.kind !== 'found') return answer;
      return {
        ...answer,
        records: answer.records.map(({ data, ...rest }) => ({
          ...rest,
          hex: Buffer.from(data).toString('hex'),
        })),
      };
    },
    want: {
      kind: 'found',
      records: [{ usage: 3, selector: 1, matchingType: 1, hex: '01'.repeat(32) }],
      ttlS: 300,
      authentic: true,
      canonicalName: '_25._tcp.mx.example.org',
    },
  },
];

/** @param open a resolver over {@link CONTRACT_ZONE} that does not wait long */
export function resolverContract(
  open: () => Promise<{ readonly resolver: Resolver } & AsyncDisposable>,
): void {
  for (const { name, ask, want } of cases)
    test(name, async () => {
      await using opened = await open();
      assert.deepEqual(told(await ask(opened.resolver)), want);
    });

  for (const text of ['', '.', 'a..b', 'not a name', '192.0.2.1%', 'a%2eb', `${'a'.repeat(64)}.org`])
    test(`${JSON.stringify(text)} is no name and has no records`, async () => {
      await using opened = await open();
      assert.equal((await opened.resolver.a(text)).kind, 'none');
    });
}
