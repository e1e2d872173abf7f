import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { literalAddressOf, parseNamedHop } from './named-hop.ts';
import type { RemoteHop } from './named-hop.ts';

type Hop = Omit<RemoteHop, 'kind'>;
const CASES: readonly (readonly [string, Hop | undefined])[] = [
  ['Example.ORG', { domain: 'example.org' }],
  ['smtp:example.org', { domain: 'example.org' }],
  ['example.org:2525', { domain: 'example.org', port: 2525 }],
  ['SMTP:example.org:2525', { domain: 'example.org', port: 2525 }],
  ['smtps:example.org', { domain: 'example.org', port: 465, speech: 'smtps' }],
  ['lmtp:[127.0.0.1]', { domain: '[127.0.0.1]', port: 24, speech: 'lmtp' }],
  ['lmtp:[127.0.0.1]:2424', { domain: '[127.0.0.1]', port: 2424, speech: 'lmtp' }],
  ['[192.0.2.1]', { domain: '[192.0.2.1]' }],
  ['[192.0.2.1]:65535', { domain: '[192.0.2.1]', port: 65_535 }],
  ['[IPv6:2001:DB8::1]:25', { domain: '[ipv6:2001:db8::1]', port: 25 }],
  ['[2001:db8::1]:25', { domain: '[ipv6:2001:db8::1]', port: 25 }],
  ['example.org:0', undefined],
  ['example.org:65536', undefined],
  ['example.org:', undefined],
  ['example.org:smtp', undefined],
  ['2001:db8::1', undefined],
  ['[example.org]:25', undefined],
  ['[192.0.2.1', undefined],
  ['[192.0.2.1]25', undefined],
  ['[192.0.2.999]', undefined],
  ['http:example.org', undefined],
  ['someone@example.org', undefined],
  ['exa mple.org', undefined],
  ['..', undefined],
  ['', undefined],
];
for (const [text, want] of CASES)
  test(`a next hop named ${JSON.stringify(text)}`, () =>
    assert.deepEqual(parseNamedHop(text), want && { kind: 'remote', ...want }));

test('any text is a hop or none, and an address in brackets gives that address', () => {
  const part = fc.oneof(
    fc.string(),
    fc.constantFrom('smtp:', 'lmtp:', '[', ']', ':25', 'a.b', 'IPv6:', '::1'),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
      const hop = parseNamedHop(parts.join(''));
      if (hop !== undefined) assert.deepEqual(parseNamedHop(hop.domain)?.domain, hop.domain);
    }),
  );
  assert.equal(literalAddressOf('[ipv6:2001:db8::1]'), '2001:db8::1');
  assert.equal(literalAddressOf('[192.0.2.1]'), '192.0.2.1');
  assert.equal(literalAddressOf('example.org'), undefined);
});
