import assert from 'node:assert/strict';
import packet from 'dns-packet';
import { interpretAnswer } from './answer.ts';
import type { RecordType } from './question.ts';

export const covers: RegExp = /src\/dns\/wire\//;

const TYPES: readonly RecordType[] = ['A', 'AAAA', 'CNAME', 'MX', 'TXT', 'PTR', 'TLSA'];

/** No octets make it throw, and what it finds has the shape that it says. */
export function fuzz(octets: Uint8Array): void {
  for (const type of TYPES) {
    const answer = interpretAnswer(octets, { id: 7, name: 'example.org', type });
    if (answer.kind === 'alias') assert.notEqual(answer.target, 'example.org');
    if (answer.kind !== 'found') continue;
    assert.ok(answer.records.length > 0);
    assert.ok(answer.ttlS >= 0 && answer.ttlS <= 0x7fff_ffff);
    for (const record of answer.records) assert.equal(record.type, type);
  }
}

function seed(type: RecordType, answers: readonly { name: string; type: string; data: unknown }[]): Buffer {
  return packet.encode({
    id: 7,
    type: 'response',
    flags: 0x0180,
    questions: [{ type, name: 'example.org' }],
    answers: answers.map((answer) => ({ ttl: 300, ...answer })),
    authorities: [
      {
        name: 'org',
        type: 'SOA',
        ttl: 60,
        data: { mname: 'a.test', rname: 'b.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 9 },
      },
    ],
  });
}

function withoutAuthority(message: Buffer): Buffer {
  message.writeUInt16BE(0, 8);
  return message;
}

export const seeds: readonly Uint8Array[] = [
  seed('A', [{ name: 'example.org', type: 'A', data: '192.0.2.1' }]),
  seed('AAAA', [{ name: 'example.org', type: 'AAAA', data: '2001:db8::1' }]),
  seed('MX', [
    { name: 'example.org', type: 'CNAME', data: 'b.example' },
    { name: 'b.example', type: 'MX', data: { preference: 10, exchange: 'mx.b.example' } },
  ]),
  seed('CNAME', [{ name: 'example.org', type: 'CNAME', data: 'b.example' }]),
  // Cut off behind its header's counts: the authority section, and with it the SOA, is left out.
  withoutAuthority(seed('A', [{ name: 'example.org', type: 'CNAME', data: 'b.example' }])),
  seed('TXT', [{ name: 'example.org', type: 'TXT', data: ['v=spf1', ' -all'] }]),
  seed('TLSA', [
    {
      name: 'example.org',
      type: 'TLSA',
      data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.alloc(32) },
    },
  ]),
];
