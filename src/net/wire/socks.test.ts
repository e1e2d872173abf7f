import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz, seeds } from './socks.fuzz.ts';
import { encodeConnect, encodeLogin, encodeMethods, scanLogin, scanMethod, scanReply } from './socks.ts';

const hex = (octets: Uint8Array | undefined): string | undefined =>
  octets === undefined ? undefined : Buffer.from(octets).toString('hex');

const sent: readonly (readonly [name: string, made: Uint8Array | undefined, want: string | undefined])[] = [
  ['no login (RFC 1928 §3)', encodeMethods(false), '050100'],
  ['a login or none (RFC 1928 §3)', encodeMethods(true), '05020002'],
  ['a login (RFC 1929 §2)', encodeLogin({ username: 'us', password: 'x' }), '010275730178'],
  ['an empty password (RFC 1929 §2)', encodeLogin({ username: 'us', password: '' }), undefined],
  ['a name too long (RFC 1929 §2)', encodeLogin({ username: 'u'.repeat(256), password: 'x' }), undefined],
  ['an IPv4 address (RFC 1928 §4)', encodeConnect('192.0.2.1', 25), '05010001c00002010019'],
  [
    'an IPv6 address (RFC 1928 §5)',
    encodeConnect('2001:db8::1', 587),
    '0501000420010db8000000000000000000000001024b',
  ],
  ['a name (RFC 1928 §5)', encodeConnect('mx.a', 65_535), '05010003046d782e61ffff'],
  ['what is no name', encodeConnect('a b', 25), undefined],
  ['a name too long', encodeConnect('a'.repeat(256), 25), undefined],
];
for (const [name, made, want] of sent) test(`says ${name}`, () => assert.equal(hex(made), want));

const said: readonly (readonly [
  name: string,
  scan: (octets: Uint8Array) => {
    readonly kind: string;
    readonly value?: string;
    readonly rest?: Uint8Array;
  },
  octets: string,
  want: string,
])[] = [
  ['a method', scanMethod, '0500', 'none '],
  ['a method, and more', scanMethod, '050201', 'password 01'],
  ['no method (RFC 1928 §3)', scanMethod, '05ff', 'refused '],
  ['a method that was not asked for', scanMethod, '0501', 'malformed'],
  ['another version', scanMethod, '04', 'malformed'],
  ['half a method', scanMethod, '05', 'need-more'],
  ['a login accepted (RFC 1929 §2)', scanLogin, '0100', 'accepted '],
  ['a login refused (RFC 1929 §2)', scanLogin, '0101', 'refused '],
  ['a login answered by SMTP', scanLogin, '32323020', 'malformed'],
  ['a connection (RFC 1928 §6)', scanReply, '05000001000000000000323230', 'succeeded 323230'],
  ['a connection, by IPv6', scanReply, `05000004${'00'.repeat(18)}`, 'succeeded '],
  ['a connection, by name', scanReply, '05000003016100190a', 'succeeded 0a'],
  ['half a connection', scanReply, '050000010000000000', 'need-more'],
  ['a name without its length', scanReply, '05000003', 'need-more'],
  ['an address of no type', scanReply, '05000002', 'malformed'],
  ['a refusal (RFC 1928 §6)', scanReply, '0505', 'refused '],
  ['a refusal that nobody knows', scanReply, '05990001', 'general-failure '],
  ['SMTP at once', scanReply, '323230', 'malformed'],
  ['nothing', scanReply, '', 'need-more'],
];
for (const [name, scan, octets, want] of said)
  test(`reads ${name}`, () => {
    const found = scan(Buffer.from(octets, 'hex'));
    assert.equal(found.kind === 'reply' ? `${found.value} ${hex(found.rest)}` : found.kind, want);
  });

test('seeds of the fuzz target pass', () => {
  for (const seed of seeds) fuzz(seed);
});
