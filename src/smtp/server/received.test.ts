import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MEMORY_TLS } from '../../../test/support/memory-connection.ts';
import { ALICE } from '../../../test/support/smtp-ports.ts';
import { parseEnvelopeAddress } from '../wire/path.ts';
import type { ReceivedFacts } from './received.ts';
import {
  addressLiteral,
  formatReceived,
  formatReturnPath,
  formatTraceDate,
  protocolName,
} from './received.ts';
import { LMTP, RELAY } from './role.ts';
import { createTraceIds } from './trace-id.ts';

const session = (change: Partial<ReceivedFacts['session']> = {}): ReceivedFacts['session'] => ({
  hello: { verb: 'EHLO', domain: 'client.test' },
  remote: { address: '192.0.2.1', port: 1 },
  tls: undefined,
  principal: undefined,
  role: RELAY,
  ...change,
});

const protocols: readonly (readonly [Partial<ReceivedFacts['session']>, boolean, string])[] = [
  [{ hello: { verb: 'HELO', domain: 'x' } }, false, 'SMTP'],
  [{}, false, 'ESMTP'],
  [{ tls: MEMORY_TLS }, false, 'ESMTPS'],
  [{ principal: ALICE }, false, 'ESMTPA'],
  [{ tls: MEMORY_TLS, principal: ALICE }, false, 'ESMTPSA'],
  [{ tls: MEMORY_TLS, principal: ALICE }, true, 'UTF8SMTPSA'],
  [{}, true, 'UTF8SMTP'],
  [{ role: LMTP }, false, 'LMTP'],
  [{ role: LMTP, tls: MEMORY_TLS }, false, 'LMTPS'],
  [{ role: LMTP }, true, 'UTF8LMTP'],
];
for (const [change, smtpUtf8, want] of protocols) {
  test(`with ${want} (RFC 3848, RFC 6531 §4.3)`, () =>
    assert.equal(protocolName({ session: session(change), smtpUtf8 }), want));
}

const literals = [
  ['192.0.2.1', '[192.0.2.1]'],
  ['::ffff:192.0.2.1', '[192.0.2.1]'],
  ['2001:db8::1', '[IPv6:2001:db8::1]'],
  ['fe80::1%eth0', '[IPv6:fe80::1]'],
  ['not an address', '[0.0.0.0]'],
] as const;
for (const [address, want] of literals) {
  test(`literal of ${address} (RFC 5321 §4.1.3)`, () => assert.equal(addressLiteral(address), want));
}

test('a date is always UTC, with four digits of the year (RFC 5321 §4.4)', () => {
  assert.equal(formatTraceDate(Date.UTC(2026, 10, 9, 1, 2, 3)), 'Mon, 09 Nov 2026 01:02:03 +0000');
});

test('Return-Path (RFC 5321 §4.4)', () => {
  assert.equal(formatReturnPath(null), 'Return-Path: <>\r\n');
  assert.equal(
    formatReturnPath(parseEnvelopeAddress('"a b"@x.test') ?? null),
    'Return-Path: <"a b"@x.test>\r\n',
  );
});

test('nothing a client says in EHLO adds a field, a line or a comment of its own', () => {
  const domain = fc.string({
    unit: fc.constantFrom('\r\n', ' ', '(', ')', 'a', '.', '_', '[', ']', ';', 'ü'),
  });
  fc.assert(
    fc.property(domain, (said) => {
      const field = formatReceived({
        hostname: 'mail.example.test',
        traceId: 'abc',
        session: session({ hello: { verb: 'EHLO', domain: said } }),
        smtpUtf8: false,
        recipient: undefined,
        receivedAtMs: 0,
      });
      const lines = field.slice(0, -2).split('\r\n');
      assert.equal(lines.length, 3);
      assert.match(lines[0] ?? '', /^Received: from [^\s();]+ \(\[192\.0\.2\.1\]\)$/);
      assert.ok(lines.slice(1).every((line) => line.startsWith('\t')));
    }),
  );
});

test('trace ids sort by time and are atoms', () => {
  let now = 0;
  const clock = { nowMs: () => now, monotonicMs: () => now, after: () => ({ cancel: () => undefined }) };
  const ids = createTraceIds(clock, { octets: (count) => new Uint8Array(count).fill(now), below: () => 0 });
  const made = [0, 1, 31, 32, 1e6, Date.UTC(2026, 0), Date.UTC(2999, 0)].map((time) => {
    now = time;
    return ids();
  });
  assert.deepEqual(made, made.toSorted());
  for (const id of made) assert.match(id, /^[0-9a-z]{22}$/);
});
