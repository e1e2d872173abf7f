import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { domainSyntax } from './domain.ts';
import { formatEnvelopeAddress, formatPath, parseEnvelopeAddress, scanPath } from './path.ts';

const long = (count: number): string => 'a'.repeat(count);

const good = [
  { input: '<a@example.test>', want: 'a@example.test' },
  { input: '<A.b+c=d@Example.TEST>', want: 'A.b+c=d@Example.TEST' },
  { input: "<!#$%&'*+-/=?^_`{|}~@x>", want: "!#$%&'*+-/=?^_`{|}~@x" },
  { input: '<"a b"@example.test>', want: '"a b"@example.test' },
  { input: '<"a\\"b\\\\c"@example.test>', want: '"a\\"b\\\\c"@example.test' },
  { input: '<"plain"@example.test>', want: 'plain@example.test' },
  { input: '<""@example.test>', want: '""@example.test' },
  { input: '<"a>b@c"@example.test>', want: '"a>b@c"@example.test' },
  { input: '<@hop.test:a@example.test>', want: 'a@example.test' },
  { input: '<@hop.test,@b.test:a@example.test>', want: 'a@example.test' },
  { input: '<a@[192.0.2.1]>', want: 'a@[192.0.2.1]' },
  { input: '<a@[IPv6:2001:db8::1]>', want: 'a@[IPv6:2001:db8::1]' },
  { input: '<a@[IPv6:::ffff:192.0.2.1]>', want: 'a@[IPv6:::ffff:192.0.2.1]' },
  { input: '<a@[tag:content]>', want: 'a@[tag:content]' },
  { input: '<用户@例え.test>', want: '用户@例え.test' },
  { input: `<${long(255)}@x.test>`, want: `${long(255)}@x.test` },
  { input: `<a@${long(63)}.test>`, want: `a@${long(63)}.test` },
];
for (const { input, want } of good) {
  test(`path ${input.slice(0, 60)} (RFC 5321 §4.1.2)`, () => {
    const scan = scanPath(input, 0);
    assert.ok(scan.kind === 'address', JSON.stringify(scan));
    assert.equal(scan.end, input.length);
    assert.equal(formatEnvelopeAddress(scan.address), want);
  });
}

const bad = [
  { input: '', problem: 'no-brackets' },
  { input: 'a@example.test', problem: 'no-brackets' },
  { input: '<a@example.test', problem: 'unclosed' },
  { input: '<a>', problem: 'local-part' },
  { input: '<@>', problem: 'source-route' },
  { input: '<@example.test>', problem: 'source-route' },
  { input: '<@example.test:>', problem: 'local-part' },
  { input: '<@-bad:a@example.test>', problem: 'source-route' },
  { input: '<.a@example.test>', problem: 'local-part' },
  { input: '<a.@example.test>', problem: 'local-part' },
  { input: '<a..b@example.test>', problem: 'local-part' },
  { input: '<a b@example.test>', problem: 'local-part' },
  { input: '<a(b)@example.test>', problem: 'local-part' },
  { input: '<"a@example.test>', problem: 'local-part' },
  { input: '<"a"b@example.test>', problem: 'local-part' },
  { input: '<"a\u0001"@example.test>', problem: 'local-part' },
  { input: '<a@>', problem: 'domain' },
  { input: '<a@b@c>', problem: 'domain' },
  { input: '<a@example.test.>', problem: 'domain' },
  { input: '<a@.example.test>', problem: 'domain' },
  { input: '<a@example..test>', problem: 'domain' },
  { input: '<a@-example.test>', problem: 'domain' },
  { input: '<a@example-.test>', problem: 'domain' },
  { input: '<a@exa_mple.test>', problem: 'domain' },
  { input: '<a@example.test >', problem: 'domain' },
  { input: '<a@[192.0.2.256]>', problem: 'domain' },
  { input: '<a@[192.0.2]>', problem: 'domain' },
  { input: '<a@[192.0.2.1>', problem: 'domain' },
  { input: '<a@[IPv6:1::2::3]>', problem: 'domain' },
  { input: '<a@[IPv6:2001:db8]>', problem: 'domain' },
  { input: '<a@[]>', problem: 'domain' },
  { input: '<a@例え。test>', problem: 'domain' },
  { input: `<${long(256)}@x.test>`, problem: 'local-part-too-long' },
  { input: `<a@${long(64)}.test>`, problem: 'domain' },
  { input: `<a@${'b.'.repeat(127)}cc>`, problem: 'domain-too-long' },
] as const;
for (const { input, problem } of bad) {
  test(`path ${JSON.stringify(input.slice(0, 60))} is refused (RFC 5321 §4.1.2)`, () => {
    const scan = scanPath(input, 0);
    assert.ok(scan.kind === 'malformed', JSON.stringify(scan));
    assert.equal(scan.problem, problem);
  });
}

test('the null path is a value of its own (RFC 5321 §4.5.5)', () => {
  assert.deepEqual(scanPath('<>', 0), { kind: 'null', end: 2 });
  assert.equal(formatPath(null), '<>');
});

test('Postmaster needs no domain, in any case (RFC 5321 §4.1.1.3)', () => {
  assert.deepEqual(scanPath('<PostMaster>', 0), { kind: 'postmaster', localPart: 'PostMaster', end: 12 });
});

test('a domain of 255 octets is taken, of 256 is not (RFC 5321 §4.5.3.1.2)', () => {
  const label = long(63);
  const most = `${label}.${label}.${label}.${label}`;
  assert.equal(most.length, 255);
  assert.equal(domainSyntax(most), 'name');
  assert.equal(domainSyntax(`${most}a`), undefined);
});

test('what is formatted reads back equal', () => {
  const localPart = fc.string({
    unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
    maxLength: 60,
  });
  fc.assert(
    fc.property(
      localPart,
      fc.constantFrom('example.test', '[192.0.2.1]', 'xn--r8jz45g.test'),
      (local, domain) => {
        const address = parseEnvelopeAddress(formatEnvelopeAddress({ localPart: local, domain }));
        assert.equal(address?.localPart, local);
        assert.equal(address.domain, domain);
      },
    ),
  );
});
