import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  foldCase,
  isNameable,
  toAddressKey,
  toCatchAllDomain,
  toDomainKey,
  toDomainName,
} from './address-key.ts';

const domainCases = [
  { name: 'case', input: 'Example.ORG', want: 'example.org' },
  { name: 'U-label (RFC 5890 §2.3.2.1)', input: 'Bücher.example', want: 'xn--bcher-kva.example' },
  { name: 'A-label in capitals', input: 'XN--BCHER-KVA.Example', want: 'xn--bcher-kva.example' },
  { name: 'decomposed U-label', input: 'bu\u0308cher.example', want: 'xn--bcher-kva.example' },
  { name: 'sharp s is not ss', input: 'faß.example', want: 'xn--fa-hia.example' },
  { name: 'ideographic full stop', input: 'a。example', want: 'a.example' },
  { name: 'full width letters', input: 'ａ.example', want: 'a.example' },
  { name: 'one label', input: 'localhost', want: 'localhost' },
  { name: 'underscore', input: 'my_host.example', want: 'my_host.example' },
  { name: 'label of 63', input: `${'a'.repeat(63)}.example`, want: `${'a'.repeat(63)}.example` },
  { name: 'label of 64 (RFC 1035 §2.3.4)', input: `${'a'.repeat(64)}.example`, want: undefined },
  { name: 'U-label that grows beyond 63', input: `${'ü'.repeat(60)}.example`, want: undefined },
  { name: 'name of 256', input: `${'a.'.repeat(125)}domain`, want: undefined },
  { name: 'trailing dot (RFC 5321 §2.3.5)', input: 'example.org.', want: undefined },
  { name: 'leading dot', input: '.example.org', want: undefined },
  { name: 'empty label', input: 'example..org', want: undefined },
  { name: 'label that IDNA empties', input: '\u00ad.example', want: undefined },
  { name: 'empty', input: '', want: undefined },
  { name: 'hyphen first', input: '-a.example', want: undefined },
  { name: 'hyphen last', input: 'a-.example', want: undefined },
  { name: 'percent', input: '%61.example', want: undefined },
  { name: 'full width percent', input: '％61.example', want: undefined },
  { name: 'slash', input: 'example.org/x', want: undefined },
  { name: 'account-of sign', input: '℀.example', want: undefined },
  { name: 'backslash', input: 'example.org\\x', want: undefined },
  { name: 'query', input: 'example.org?x', want: undefined },
  { name: 'fragment', input: 'example.org#x', want: undefined },
  { name: 'port', input: 'example.org:25', want: undefined },
  { name: 'user', input: 'a@example.org', want: undefined },
  { name: 'space', input: 'exa mple.org', want: undefined },
  { name: 'tab that a URL would skip', input: 'exa\tmple.örg', want: undefined },
  { name: 'line end', input: 'example.org\r\n', want: undefined },
  { name: 'NUL', input: 'example.org\0', want: undefined },
  { name: 'bare IPv4', input: '127.0.0.1', want: undefined },
  { name: 'IPv4 in other clothes', input: '0x7f.1', want: undefined },
  { name: 'number last', input: 'example.1', want: undefined },
  { name: 'joiner first', input: '\u200da.example', want: undefined },
  { name: 'lone surrogate', input: '\ud800.example', want: undefined },
];
for (const { name, input, want } of domainCases) {
  test(`domain: ${name}`, () => assert.equal(toDomainName(input), want));
}

const literalCases = [
  { input: '[127.0.0.1]', want: '[127.0.0.1]' },
  { input: '[127.0.0.01]', want: '[127.0.0.1]' },
  { input: '[127.0.0.256]', want: undefined },
  { input: '[127.0.1]', want: undefined },
  { input: '[IPv6:::1]', want: '[IPv6:::1]' },
  { input: '[ipv6:0:0:0:0:0:0:0:1]', want: '[IPv6:::1]' },
  { input: '[IPv6:2001:DB8::1]', want: '[IPv6:2001:db8::1]' },
  { input: '[::1]', want: undefined },
  { input: '[IPv6:::1', want: undefined },
  { input: '[IPv6:::1]/', want: undefined },
  { input: '[tag:content]', want: undefined },
  { input: '[]', want: undefined },
];
for (const { input, want } of literalCases) {
  test(`address literal ${input} (RFC 5321 §4.1.3)`, () => assert.equal(toDomainKey(input), want));
}

const keyCases = [
  { input: 'Alice@Example.ORG', key: 'alice@example.org', base: 'alice@example.org', detail: undefined },
  {
    input: 'alice+News@example.org',
    key: 'alice+news@example.org',
    base: 'alice@example.org',
    detail: 'News',
  },
  { input: 'alice+a+b@example.org', key: 'alice+a+b@example.org', base: 'alice@example.org', detail: 'a+b' },
  { input: 'alice+@example.org', key: 'alice+@example.org', base: 'alice@example.org', detail: '' },
  { input: '+alice@example.org', key: '+alice@example.org', base: '+alice@example.org', detail: undefined },
  { input: '"alice"@example.org', key: 'alice@example.org', base: 'alice@example.org', detail: undefined },
  { input: '"al\\ice"@example.org', key: 'alice@example.org', base: 'alice@example.org', detail: undefined },
  { input: '"A B"@example.org', key: '"a b"@example.org', base: '"a b"@example.org', detail: undefined },
  { input: '"A B+c"@example.org', key: '"a b+c"@example.org', base: '"a b"@example.org', detail: 'c' },
  { input: '"a+b c"@example.org', key: '"a+b c"@example.org', base: 'a@example.org', detail: 'b c' },
  {
    input: '"a\\"b"@example.org',
    key: '"a\\"b"@example.org',
    base: '"a\\"b"@example.org',
    detail: undefined,
  },
  { input: '"a@b"@example.org', key: '"a@b"@example.org', base: '"a@b"@example.org', detail: undefined },
  { input: 'Jürgen@bücher.example', key: 'jürgen@xn--bcher-kva.example', base: undefined, detail: undefined },
  { input: 'ju\u0308rgen@example.org', key: 'jürgen@example.org', base: undefined, detail: undefined },
  { input: 'a%b@example.org', key: 'a%b@example.org', base: undefined, detail: undefined },
  { input: 'a@[127.0.0.1]', key: 'a@[127.0.0.1]', base: undefined, detail: undefined },
  {
    input: `${'a'.repeat(64)}@example.org`,
    key: `${'a'.repeat(64)}@example.org`,
    base: undefined,
    detail: undefined,
  },
];
for (const { input, key, base, detail } of keyCases) {
  test(`address ${input} is compared as ${key} (RFC 5321 §2.4, RFC 5233 §1)`, () => {
    const got = toAddressKey(input);
    assert.deepEqual([got?.key, got?.baseKey, got?.detail], [key, base ?? key, detail]);
  });
}

const refused = [
  'alice',
  '@example.org',
  'alice@',
  'a..b@example.org',
  '.a@example.org',
  'a.@example.org',
  'a b@example.org',
  'a@b@example.org',
  '"a@example.org',
  'a"b"@example.org',
  '""@example.org',
  '"a"b"@example.org',
  '"a\\"@example.org',
  '"a\r\nb"@example.org',
  'a\0@example.org',
  '\ud800@example.org',
  `${'a'.repeat(256)}@example.org`,
  `${'ü'.repeat(128)}@example.org`,
  `a@${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(63)}.${'e'.repeat(63)}.example`,
  '',
];
for (const input of refused) {
  test(`no address: ${JSON.stringify(input.slice(0, 30))} (RFC 5321 §4.1.2, §4.5.3.1)`, () =>
    assert.equal(toAddressKey(input), undefined));
}

test('paths that SMTP takes have a key; names of our own are shorter (RFC 5321 §4.5.3.1)', () => {
  const cases = [
    { local: 'a'.repeat(64), nameable: true },
    { local: 'a'.repeat(65), nameable: false },
    { local: 'ü'.repeat(33), nameable: false },
    { local: 'a'.repeat(255), nameable: false },
  ];
  for (const { local, nameable } of cases) {
    const key = toAddressKey(`${local}@example.org`);
    assert.ok(key);
    assert.equal(isNameable(key), nameable, local);
  }
});

test("the separator of details is the site's choice (RFC 5233 §1)", () => {
  assert.equal(toAddressKey('a-b@example.org', '-')?.baseKey, 'a@example.org');
  assert.equal(toAddressKey('a+b@example.org', '-')?.baseKey, 'a+b@example.org');
  assert.equal(toAddressKey('a+b@example.org', '')?.baseKey, 'a+b@example.org');
});

test('a forward keeps the local part as it was written', () => {
  assert.equal(toAddressKey('"Jo.Smith"@EXAMPLE.org')?.mailable, 'Jo.Smith@example.org');
});

test('a catch-all address has a domain and no local part', () => {
  assert.equal(toCatchAllDomain('@Bücher.example'), 'xn--bcher-kva.example');
  assert.equal(toCatchAllDomain('a@example.org'), undefined);
  assert.equal(toCatchAllDomain('@[127.0.0.1]'), undefined);
});

test('folding is stable for every character, and whatever its case', () => {
  for (let point = 0; point < 0x1_1000; point += 1) {
    if (point >= 0xd800 && point < 0xe000) continue;
    const character = String.fromCodePoint(point);
    const folded = foldCase(character);
    assert.equal(foldCase(folded), folded, `U+${point.toString(16)}`);
  }
  for (const same of [
    ['ΣΊΣΥΦΟΣ', 'σίσυφος'],
    ['STRASSE', 'Straße'],
    ['ÉCOLE', 'e\u0301cole'],
  ])
    assert.equal(foldCase(same[0] ?? ''), foldCase(same[1] ?? ''));
  assert.notEqual(foldCase('ı'), foldCase('i'));
});

test('a key is its own key', () => {
  const part = fc.string({ maxLength: 20, unit: 'grapheme' });
  fc.assert(
    fc.property(part, fc.domain(), fc.boolean(), (local, domain, quoted) => {
      const first = toAddressKey(`${quoted ? JSON.stringify(local) : local}@${domain}`);
      if (first === undefined) return;
      assert.equal(toAddressKey(first.key)?.key, first.key);
      assert.equal(toAddressKey(first.mailable)?.key, first.key);
      assert.equal(toAddressKey(first.baseKey)?.key, first.baseKey);
    }),
  );
});

test('no text makes it throw, and what is given is ASCII after the last @', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
      const domain = toAddressKey(text)?.domain ?? toDomainKey(text);
      if (domain !== undefined) assert.match(domain, /^[\x21-\x7e]+$/);
    }),
  );
});
