import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { compileListPattern, matchesListPattern } from './list-pattern.ts';
import {
  decodeListPattern,
  decodeMailboxName,
  decodeUtf7,
  encodeMailboxName,
  encodeUtf7,
  isNetUnicode,
} from './mailbox-name.ts';

suite('modified UTF-7 (RFC 3501 §5.1.3)', () => {
  const pairs = [
    ['~peter/mail/&U,BTFw-/&ZeVnLIqe-', '~peter/mail/台北/日本語'],
    ['Entw&APw-rfe', 'Entwürfe'],
    ['A&-B', 'A&B'],
    ['&2D3eAA-', '😀'],
    ['INBOX', 'INBOX'],
    ['', ''],
  ] as const;
  for (const [coded, text] of pairs)
    test(`${coded} is ${text}`, () => {
      assert.equal(decodeUtf7(Buffer.from(coded)), text);
      assert.equal(encodeUtf7(text), coded);
    });
  const refused = {
    'not closed': 'a&APw',
    'a lone &': 'R&D',
    'printable characters in base64': '&AGE-',
    'superfluous shift': '&U,BTFw-&ZeVnLIqe-',
    'half a surrogate pair': '&2D0-',
    'an odd octet': '&AA-',
    'bits left over': '&APx-',
    padding: '&APw=-',
    'the alphabet of MIME': '&U/BTFw-',
    'raw octets': 'Entw\xfcrfe',
  };
  for (const [name, coded] of Object.entries(refused))
    test(`refuses ${name}: ${coded}`, () =>
      assert.equal(decodeUtf7(Buffer.from(coded, 'latin1')), undefined));

  test('each text has one spelling, and it reads back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const coded = encodeUtf7(text);
        assert.match(coded, /^[\x20-\x7e]*$/);
        assert.equal(decodeUtf7(Buffer.from(coded)), text.isWellFormed() ? text : undefined);
      }),
    );
  });
  test('whatever decodes encodes to the same octets', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('&', '-', 'A', 'P', 'w', ',', 'e', '0') }), (coded) => {
        const text = decodeUtf7(Buffer.from(coded));
        if (text !== undefined) assert.equal(encodeUtf7(text), coded);
      }),
    );
  });
});

suite('mailbox names (RFC 9051 §5.1)', () => {
  test('INBOX in any case is INBOX, and only INBOX', () => {
    assert.equal(decodeMailboxName(Buffer.from('iNbOx'), false), 'INBOX');
    assert.equal(decodeMailboxName(Buffer.from('inbox/a'), false), 'inbox/a');
  });
  test('UTF-8 is taken in both modes (RFC 6855 §3), & is itself in one', () => {
    assert.equal(decodeMailboxName(Buffer.from('Entwürfe'), false), 'Entwürfe');
    assert.equal(decodeMailboxName(Buffer.from('R&D'), true), 'R&D');
    assert.equal(decodeMailboxName(Buffer.from('R&D'), false), undefined);
  });
  test('controls and ill-formed UTF-8 are refused (RFC 5198 §2)', () => {
    assert.equal(decodeMailboxName(Buffer.from('a\tb'), true), undefined);
    assert.equal(decodeMailboxName(Buffer.from([0x61, 0xff]), true), undefined);
    assert.equal(decodeMailboxName(Buffer.from([0x61, 0xff]), false), undefined);
  });
  test('Net-Unicode is form C (RFC 5198 §2)', () => {
    assert.equal(isNetUnicode('\u00e9'), true);
    assert.equal(isNetUnicode('e\u0301'), false);
  });
  test('encodes by mode', () => {
    assert.equal(encodeMailboxName('é', false).toString(), '&AOk-');
    assert.equal(encodeMailboxName('é', true).toString(), 'é');
  });
  test('a pattern is decoded between its wildcards, and kept where it cannot be', () => {
    assert.equal(decodeListPattern(Buffer.from('%/&AOk-*')), '%/é*');
    assert.equal(decodeListPattern(Buffer.from('R&D*')), 'R&D*');
  });
});

/** The definition, slow and plain. */
function reference(pattern: string, name: string): boolean {
  if (pattern === '') return name === '';
  const rest = pattern.slice(1);
  if (pattern[0] === '*' || pattern[0] === '%') {
    if (reference(rest, name)) return true;
    return name !== '' && (pattern[0] === '*' || name[0] !== '/') && reference(pattern, name.slice(1));
  }
  return name[0] === pattern[0] && reference(rest, name.slice(1));
}

suite('LIST wildcards (RFC 9051 §6.3.9)', () => {
  const cases = [
    ['*', 'a/b', true],
    ['%', 'a', true],
    ['%', 'a/b', false],
    ['%/%', 'a/b', true],
    ['a*b', 'a/x/b', true],
    ['a%b', 'a/x/b', false],
    ['%b', 'ab', true],
    ['', '', true],
    ['inbox', 'INBOX', true],
    ['in%', 'INBOX', true],
    ['é%', 'éa', true],
    ['%%%%', 'a', true],
    ['%*', 'a/b', true],
  ] as const;
  for (const [pattern, name, want] of cases)
    test(`${pattern} ${want ? 'matches' : 'does not match'} ${name}`, () =>
      assert.equal(matchesListPattern(compileListPattern(pattern, '/'), name), want));
  test('agrees with the plain definition', () => {
    const text = (units: string): fc.Arbitrary<string> =>
      fc.string({ unit: fc.constantFrom(...Array.from(units)), maxLength: 10 });
    fc.assert(
      fc.property(text('ab/%*'), text('ab/'), (pattern, name) =>
        assert.equal(matchesListPattern(compileListPattern(pattern, '/'), name), reference(pattern, name)),
      ),
      { numRuns: 2000 },
    );
  });
  test('a pattern made to backtrack costs pattern times name at most', () => {
    const pattern = compileListPattern('*a%'.repeat(10_000), '/');
    assert.equal(matchesListPattern(pattern, 'a'.repeat(1024)), false);
    const hard = compileListPattern('%a'.repeat(500) + 'b', '/');
    const start = performance.now();
    assert.equal(matchesListPattern(hard, 'a'.repeat(1024)), false);
    assert.ok(performance.now() - start < 500);
  });
});
