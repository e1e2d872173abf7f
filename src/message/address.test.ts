import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { fuzz } from './address.fuzz.ts';
import type { Address } from './address.ts';
import {
  decodeAddresses,
  flattenAddresses,
  formatAddress,
  formatAddresses,
  parseAddresses,
} from './address.ts';

/** 'name|local|domain', groups as 'name[…]'. */
function sketch(address: Address): string {
  if (address.kind === 'group') return `${address.name}[${address.members.map(sketch).join(' ')}]`;
  return `${address.name}|${address.localPart}|${address.domain}${address.route === undefined ? '' : `|${address.route}`}`;
}

const cases = [
  { name: 'an address alone', rfc: '5322 §3.4', input: 'a@b.example', want: ['|a|b.example'] },
  { name: 'a display name', rfc: '5322 §3.4', input: 'John Q. Public <a@b>', want: ['John Q. Public|a|b'] },
  {
    name: 'a quoted name',
    rfc: '5322 §3.2.4',
    input: '"Joe, \\"Q\\" Public" <a@b>',
    want: ['Joe, "Q" Public|a|b'],
  },
  { name: 'a list', rfc: '5322 §3.4', input: 'a@b, c@d', want: ['|a|b', '|c|d'] },
  { name: 'empty elements', rfc: '5322 §4.4', input: ',, a@b,,', want: ['|a|b'] },
  {
    name: 'a group',
    rfc: '5322 §3.4',
    input: 'A Group: x@y, Z <z@w>;, a@b',
    want: ['A Group[|x|y Z|z|w]', '|a|b'],
  },
  {
    name: 'an empty group',
    rfc: '5322 §3.4',
    input: 'undisclosed-recipients:;',
    want: ['undisclosed-recipients[]'],
  },
  { name: 'a group that never ends', rfc: '5322 §3.4', input: 'g: a@b', want: ['g[|a|b]'] },
  {
    name: 'a comment as the name',
    rfc: '5322 §3.4',
    input: 'a@b (Real \\) Name)',
    want: ['Real ) Name|a|b'],
  },
  {
    name: 'comments everywhere',
    rfc: '5322 §A.5',
    input: 'Pete(A nice \\) chap) <pete(his)@silly.test(host)>',
    want: ['Pete|pete|silly.test'],
  },
  { name: 'nested comments', rfc: '5322 §3.2.2', input: '(a (b) c) a@b', want: ['a (b) c|a|b'] },
  { name: 'a route', rfc: '5322 §4.4', input: '<@a.example, @b:c@d>', want: ['|c|d|@a.example,@b'] },
  { name: 'blanks around the dots', rfc: '5322 §4.4', input: 'a . b @ c (x) . d', want: ['x|a.b|c.d'] },
  { name: 'a quoted local part', rfc: '5322 §3.4.1', input: '"a b"@c', want: ['|a b|c'] },
  {
    name: 'a domain literal',
    rfc: '5322 §3.4.1',
    input: 'a@[IPv6:2001:db8::1]',
    want: ['|a|[IPv6:2001:db8::1]'],
  },
  {
    name: 'brackets forgotten',
    rfc: '5322 §3.4',
    input: 'John Doe john@d.example',
    want: ['John Doe|john|d.example'],
  },
  { name: 'a word alone', rfc: '5322 §3.4', input: 'postmaster', want: ['|postmaster|'] },
  { name: 'nothing in brackets', rfc: '5322 §3.4', input: '<>, Name <>', want: ['Name||'] },
  { name: 'a bracket that never closes', rfc: '5322 §3.4', input: 'A <a@b, c@d', want: ['A|a|b', '|c|d'] },
  { name: 'an address for a name', rfc: '5322 §3.4', input: 'a@b <c@d>, e@f', want: ['a@b|c|d', '|e|f'] },
  { name: 'an address in a name', rfc: '5322 §3.4', input: 'A a@b via L <c@d>', want: ['A a@b via L|c|d'] },
  { name: 'two brackets', rfc: '5322 §3.4', input: 'A <a@b> <c@d>', want: ['A|a|b', '|c|d'] },
  { name: 'two at signs', rfc: '5322 §3.4.1', input: '<a@b@c>', want: ['|a@b|c'] },
  {
    name: 'a comma in an encoded word',
    rfc: '2047 §5',
    input: '=?utf-8?q?Doe,_J?= <a@b>',
    want: ['Doe, J|a|b'],
  },
  {
    name: 'adjacent encoded words',
    rfc: '2047 §6.2',
    input: '=?utf-8?q?=E2=82?= =?utf-8?q?=AC?= <a@b>',
    want: ['€|a|b'],
  },
  {
    name: 'raw UTF-8',
    rfc: '6532 §3',
    input: 'J\xc3\xb6rg <j\xc3\xb6rg@m\xc3\xbcller.example>',
    want: ['Jörg|jörg|müller.example'],
  },
  { name: '8-bit that is no UTF-8', rfc: '5322 §3.4', input: 'J\xf6rg <a@b>', want: ['Jörg|a|b'] },
  { name: 'folding', rfc: '5322 §2.2.3', input: 'A\r\n <a@b>,\r\n\tc@d', want: ['A|a|b', '|c|d'] },
  { name: 'stray closers', rfc: '5322 §3.4', input: ')>] a@b ;', want: ['|a|b'] },
  { name: 'nothing', rfc: '5322 §3.4', input: ' ', want: [] },
] as const;
for (const { name, rfc, input, want } of cases) {
  test(`${name} (RFC ${rfc})`, () => assert.deepEqual(decodeAddresses(input).map(sketch), want));
}

test('raw addresses keep their encoded words (RFC 9051 §7.5.2)', () => {
  assert.deepEqual(parseAddresses('=?utf-8?q?a?= <a@b>').map(sketch), ['=?utf-8?q?a?=|a|b']);
});

test('keeps no more than the limit, also of one group', () => {
  assert.equal(flattenAddresses(parseAddresses(`g: ${'a@b, '.repeat(50)};`, 7)).length, 7);
});

test('a long field of the worst kind is read in linear time', () => {
  for (const piece of ['a ', '<@', '(', '"', 'a. ', '=?', '<a@b@', '<a ', ':;', '@a . ', '@[', '[']) {
    parseAddresses(piece.repeat(100_000));
  }
});

const formats = [
  { input: { kind: 'mailbox', name: '', localPart: 'a', domain: 'b' }, want: 'a@b' },
  { input: { kind: 'mailbox', name: 'A B', localPart: 'a', domain: 'b' }, want: 'A B <a@b>' },
  {
    input: { kind: 'mailbox', name: 'A. "B"', localPart: 'a b', domain: 'c' },
    want: '"A. \\"B\\"" <"a b"@c>',
  },
  {
    input: { kind: 'mailbox', name: 'Jörg', localPart: 'j', domain: 'd' },
    want: '=?utf-8?q?J=C3=B6rg?= <j@d>',
  },
  {
    input: {
      kind: 'group',
      name: 'g',
      members: [{ kind: 'mailbox', name: '', localPart: 'a', domain: 'b' }],
    },
    want: 'g: a@b;',
  },
] as const;
for (const { input, want } of formats) {
  test(`writes ${want} (RFC 5322 §3.4)`, () => assert.equal(formatAddress(input), want));
}

test('what is formatted reads back equal', () => {
  const word = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .map((text) => text.replace(/[\s\p{C}]+/gu, 'x'));
  const mailbox = fc.record(
    {
      kind: fc.constant('mailbox' as const),
      name: fc.oneof(fc.constant(''), word),
      localPart: word,
      domain: fc.domain(),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(mailbox, { maxLength: 4 }), (all) => {
      assert.deepEqual(decodeAddresses(Buffer.from(formatAddresses(all)).toString('latin1')), all);
    }),
  );
});

test('any text gives addresses that can be written', () => {
  const pieces = fc.constantFrom(
    'a',
    '@',
    '<',
    '>',
    ',',
    ';',
    ':',
    '"',
    '\\',
    '(',
    ')',
    '.',
    ' ',
    '[',
    ']',
    '=?utf-8?q?',
    '?=',
    '\xe4',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (all) => fuzz(Buffer.from(all.join(''), 'latin1'))),
    {
      numRuns: 1000,
    },
  );
});
