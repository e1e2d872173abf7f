import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import packet from 'dns-packet';
import { fuzz, seeds } from './answer.fuzz.ts';
import { interpretAnswer } from './answer.ts';
import type { Question, RecordType } from './question.ts';
import { encodeQuestion, mixCase, toDnsName, toReverseName } from './question.ts';

const asked = (type: RecordType): Question => ({ id: 7, name: 'example.org', type });

type Spec = {
  id?: number;
  flags?: number;
  name?: string;
  answers?: { name: string; type: string; data: unknown; ttl?: number }[];
  soa?: { ttl: number; minimum: number };
};

function message(
  type: string,
  { id = 7, flags = 0x0180, name = 'example.org', answers = [], soa }: Spec,
): Buffer {
  const data = {
    mname: 'a.test',
    rname: 'b.test',
    serial: 1,
    refresh: 1,
    retry: 1,
    expire: 1,
    minimum: soa?.minimum,
  };
  return packet.encode({
    id,
    type: 'response',
    flags,
    questions: [{ type, name }],
    answers: answers.map((answer) => ({ ttl: 300, ...answer })),
    authorities: soa === undefined ? [] : [{ name: 'org', type: 'SOA', ttl: soa.ttl, data }],
  });
}

const A = { name: 'example.org', type: 'A', data: '192.0.2.1' };

const kinds: readonly { name: string; octets: Buffer; want: string }[] = [
  { name: 'an answer', octets: message('A', { answers: [A] }), want: 'found' },
  { name: 'another id (RFC 5452 §9.1)', octets: message('A', { id: 8, answers: [A] }), want: 'foreign' },
  { name: 'another question', octets: message('A', { name: 'evil.org', answers: [A] }), want: 'foreign' },
  {
    name: 'another spelling (0x20)',
    octets: message('A', { name: 'Example.org', answers: [A] }),
    want: 'foreign',
  },
  { name: 'another type', octets: message('MX', { answers: [A] }), want: 'foreign' },
  {
    name: 'a query sent back',
    octets: encodeQuestion(asked('A'), { edns: true, dnssec: true, unchecked: false }),
    want: 'foreign',
  },
  { name: 'nothing', octets: Buffer.alloc(0), want: 'foreign' },
  { name: 'TC (RFC 7766 §5)', octets: message('A', { flags: 0x0380 }), want: 'truncated' },
  { name: 'SERVFAIL', octets: message('A', { flags: 0x0182 }), want: 'failed' },
  { name: 'REFUSED', octets: message('A', { flags: 0x0185 }), want: 'failed' },
  { name: 'NXDOMAIN', octets: message('A', { flags: 0x0183 }), want: 'none' },
  { name: 'no such type', octets: message('A', {}), want: 'none' },
  {
    name: 'records of another name only',
    octets: message('A', { answers: [{ ...A, name: 'evil.org' }] }),
    want: 'none',
  },
  { name: 'cut in a record', octets: message('A', { answers: [A] }).subarray(0, -1), want: 'malformed' },
  {
    name: 'a circle of CNAMEs',
    octets: message('A', {
      answers: [
        { name: 'example.org', type: 'CNAME', data: 'b.org' },
        { name: 'b.org', type: 'CNAME', data: 'example.org' },
      ],
    }),
    want: 'malformed',
  },
];
for (const { name, octets, want } of kinds)
  test(`${name} is ${want}`, () => assert.equal(interpretAnswer(octets, asked('A')).kind, want));

test('CNAMEs are followed, and the smallest TTL counts (RFC 2181 §5.2)', () => {
  const octets = message('MX', {
    flags: 0x01a0,
    answers: [
      { name: 'example.org', type: 'CNAME', data: 'B.Example', ttl: 30 },
      { name: 'b.example', type: 'MX', data: { preference: 10, exchange: 'MX.b.example' } },
    ],
  });
  assert.deepEqual(interpretAnswer(octets, asked('MX')), {
    kind: 'found',
    records: [{ type: 'MX', mx: { preference: 10, exchange: 'mx.b.example' } }],
    ttlS: 30,
    authentic: true,
    canonicalName: 'b.example',
  });
});

test('a CNAME without its target is to be followed by us (RFC 7672 §2.1.3)', () => {
  const answers = [{ name: 'example.org', type: 'CNAME', data: 'B.Example', ttl: 30 }];
  assert.deepEqual(interpretAnswer(message('A', { flags: 0x01a0, answers }), asked('A')), {
    kind: 'alias',
    target: 'b.example',
    ttlS: 30,
    authentic: true,
  });
  const proven = message('A', { answers, soa: { ttl: 60, minimum: 60 } });
  assert.equal(interpretAnswer(proven, asked('A')).kind, 'none');
  assert.equal(interpretAnswer(message('A', { flags: 0x0183, answers }), asked('A')).kind, 'none');
});

test('a question for the CNAME itself is answered by it (RFC 7672 §2.1.3)', () => {
  const octets = message('CNAME', {
    answers: [
      { name: 'example.org', type: 'CNAME', data: 'b.example' },
      { name: 'b.example', type: 'CNAME', data: 'c.example' },
    ],
  });
  const answer = interpretAnswer(octets, asked('CNAME'));
  assert.deepEqual(answer.kind === 'found' && answer.records, [{ type: 'CNAME', text: 'b.example' }]);
});

test('the query asks for DNSSEC by AD and DO, and with CD for what is bogus (RFC 6840 §5.7)', () => {
  const query = packet.decode(encodeQuestion(asked('A'), { edns: true, dnssec: true, unchecked: true }));
  assert.equal(query.flags & 0x0130, 0x0130);
  const [opt] = query.additionals ?? [];
  assert.deepEqual([opt?.udpPayloadSize, opt?.flags], [1232, 0x8000]);
  const plain = packet.decode(encodeQuestion(asked('A'), { edns: false, dnssec: false, unchecked: false }));
  assert.deepEqual([plain.flags & 0x0010, plain.additionals], [0, []]);
});

test('the null MX is an empty exchange (RFC 7505 §3)', () => {
  const octets = message('MX', {
    answers: [{ name: 'example.org', type: 'MX', data: { preference: 0, exchange: '.' } }],
  });
  const answer = interpretAnswer(octets, asked('MX'));
  assert.deepEqual(answer.kind === 'found' && answer.records, [
    { type: 'MX', mx: { preference: 0, exchange: '' } },
  ]);
});

for (const { ttl, minimum, want } of [
  { ttl: 60, minimum: 900, want: 60 },
  { ttl: 900, minimum: 60, want: 60 },
])
  test(`a negative answer lives for the smaller of ${ttl} and ${minimum} (RFC 2308 §5)`, () => {
    const answer = interpretAnswer(message('A', { flags: 0x0183, soa: { ttl, minimum } }), asked('A'));
    assert.deepEqual(answer, { kind: 'none', nameExists: false, ttlS: want, authentic: false });
  });

test('a TTL with its top bit set is 0 (RFC 2181 §8)', () => {
  const answer = interpretAnswer(message('A', { answers: [{ ...A, ttl: 0x8000_0000 }] }), asked('A'));
  assert.equal(answer.kind === 'found' && answer.ttlS, 0);
});

test('a pointer to itself ends (RFC 1035 §4.1.4)', () => {
  const octets = message('A', { answers: [A] });
  const at = octets.lastIndexOf(Buffer.from('\x07example\x03org\x00'));
  octets.writeUInt16BE(0xc000 + at, at);
  assert.equal(interpretAnswer(octets, asked('A')).kind, 'malformed');
});

test('65,535 records announced in a short message cost nothing', () => {
  const octets = message('A', { answers: [A] });
  octets.writeUInt16BE(0xffff, 6);
  assert.equal(interpretAnswer(octets, asked('A')).kind, 'malformed');
});

test('a long chain of pointers is refused in linear time', () => {
  const head = message('A', {});
  const chain = Buffer.alloc(16_000);
  for (let at = 2; at < chain.length; at += 2) chain.writeUInt16BE(0xc000 + head.length + at - 2, at);
  const octets = Buffer.concat([head, chain, Buffer.from([0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 1, 2, 3, 4])]);
  octets.writeUInt16BE(900, 6);
  assert.equal(interpretAnswer(octets, asked('A')).kind, 'malformed');
});

test('no octets make it throw, and any cut of an answer is answered', () => {
  for (const seed of seeds) for (let end = 0; end <= seed.length; end += 1) fuzz(seed.subarray(0, end));
  fc.assert(
    fc.property(
      fc.constantFrom(...seeds),
      fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
      (seed, changes) => {
        const octets = Buffer.from(seed);
        for (const [at, value] of changes) octets[at % octets.length] = value;
        fuzz(octets);
      },
    ),
    { numRuns: 3000 },
  );
});

test('names (RFC 1035 §2.3.4)', () => {
  assert.equal(toDnsName('Example.ORG.'), 'example.org');
  assert.equal(toDnsName('_25._tcp.mx.example'), '_25._tcp.mx.example');
  for (const bad of ['', '.', 'a..b', `${'a'.repeat(64)}.b`, 'a b', 'ä.de', `${'a.'.repeat(127)}aa`])
    assert.equal(toDnsName(bad), undefined, bad);
});

test('mixed case spells the same name', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bits) => {
      assert.equal(mixCase('mail.example-1.org', bits).toLowerCase(), 'mail.example-1.org');
    }),
  );
  assert.equal(mixCase('abcd', Uint8Array.of(0b0101)), 'AbCd');
});

const reverse = [
  ['192.0.2.1', '1.2.0.192.in-addr.arpa'],
  ['2001:db8::1', `1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`],
  ['::ffff:192.0.2.1', `1.0.2.0.0.0.0.c.f.f.f.f.${'0.'.repeat(20)}ip6.arpa`],
  ['1.2.3', undefined],
  ['1.2.3.256', undefined],
  ['01.2.3.4', undefined],
  ['::1::', undefined],
  ['1:2:3:4:5:6:7:8:9', undefined],
  ['g::', undefined],
] as const;
for (const [address, want] of reverse)
  test(`the reverse name of ${address} (RFC 3596 §2.5)`, () => assert.equal(toReverseName(address), want));
