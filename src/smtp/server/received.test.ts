import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MEMORY_TLS } from '../../../test/support/memory-connection.ts';
import { ALICE } from '../../../test/support/smtp-ports.ts';
import { addressLiteral } from '../wire/domain.ts';
import { parseEnvelopeAddress } from '../wire/path.ts';
import type { ReceivedFacts } from './received.ts';
import { formatReceived, protocolName } from './received.ts';
import { LMTP, RELAY } from './role.ts';

const session = (change: Partial<ReceivedFacts['session']> = {}): ReceivedFacts['session'] => ({
  hello: { verb: 'EHLO', domain: 'client.test' },
  remote: { address: '192.0.2.1', port: 1 },
  tls: undefined,
  principal: undefined,
  role: RELAY,
  standsFor: undefined,
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

const written = formatReceived({
  hostname: 'mail.example.test',
  traceId: 'abc',
  session: session(),
  smtpUtf8: false,
  priority: undefined,
  recipient: parseEnvelopeAddress('"a b"@x.test'),
  receivedAtMs: Date.UTC(2026, 10, 9, 1, 2, 3),
});

test('the whole field, its date in UTC (RFC 5321 §4.4)', () => {
  assert.equal(
    written,
    'Received: from client.test ([192.0.2.1])\r\n\tby mail.example.test with ESMTP id abc\r\n' +
      '\tfor <"a b"@x.test>;\r\n\tMon, 9 Nov 2026 01:02:03 +0000\r\n',
  );
});

test('the name of the address is told where a trusted host told it, if it is one (RFC 5321 §4.4)', () => {
  const facts = { hostname: 'h.test', traceId: 'abc', smtpUtf8: false, priority: undefined, receivedAtMs: 0 };
  const from = (name: string): string =>
    formatReceived({ ...facts, session: session({ standsFor: { name } }), recipient: undefined });
  assert.match(from('spike.test'), /^Received: from client\.test \(spike\.test \[192\.0\.2\.1\]\)\r\n/);
  assert.match(from('spike_1.test'), /^Received: from client\.test \(\[192\.0\.2\.1\]\)\r\n/);
});

test('a priority that was granted is told (RFC 6710 §4.1, §7)', () => {
  const facts = { hostname: 'h.test', traceId: 'abc', session: session(), smtpUtf8: false, receivedAtMs: 0 };
  const field = formatReceived({ ...facts, recipient: undefined, priority: -3 });
  assert.match(field, /id abc\r\n\tPRIORITY -3;\r\n\t/);
});

test('the postmaster without a domain is no path, and is not named (RFC 5321 §4.4)', () => {
  const recipient = { localPart: 'Postmaster', domain: '', domainSyntax: 'name', ascii: true } as const;
  const facts = {
    hostname: 'h.test',
    traceId: 'abc',
    session: session(),
    smtpUtf8: false,
    priority: undefined,
    receivedAtMs: 0,
  };
  assert.ok(!formatReceived({ ...facts, recipient }).includes('for'));
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
        priority: undefined,
        recipient: undefined,
        receivedAtMs: 0,
      });
      const lines = field.slice(0, -2).split('\r\n');
      assert.equal(lines.length, 3);
      assert.match(lines[0] ?? '', /^Received: from [!-'*-:<-~]+ \(\[192\.0\.2\.1\]\)$/);
      assert.ok(lines.slice(1).every((line) => line.startsWith('\t')));
    }),
  );
});
