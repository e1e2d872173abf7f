import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  formatOriginalRecipient,
  originalRecipientOf,
  parseOriginalRecipient,
} from './original-recipient.ts';

const forms = [
  ['rfc822;Bob@Example.Org', true],
  ['RFC822;Bob+2Bx@example.org', true],
  ['rfc822;Bob+2bx@example.org', true],
  ['x400;/C=+20x', false],
  ['x400;/C+3D+20x', true],
  ['utf-8;jörg@example.org', true],
  ['UTF-8;j\\x{F6}rg@example.org', true],
  ['utf-8;用户@例え.test', true],
  ['rfc822;jörg@example.org', false],
  ['rfc822;Bob+2@example.org', false],
  ['rfc822;Bob+GG@example.org', false],
  ['rfc822;', false],
  ['rfc822', false],
  [';Bob@example.org', false],
  ['rfc 822;Bob', false],
  ['-x;Bob', false],
  [`rfc822;${'x'.repeat(493)}`, true],
  [`rfc822;${'x'.repeat(494)}`, false],
] as const;
for (const [value, isOne] of forms)
  test(`ORCPT ${value.slice(0, 40)} is ${isOne ? 'taken' : 'refused'} (RFC 3461 §4.2, RFC 6533 §3)`, () => {
    const parsed = parseOriginalRecipient(value);
    assert.equal(parsed !== undefined, isOne);
    if (parsed !== undefined) assert.equal(`${parsed.type};${parsed.written}`, value);
  });

const passedOn = [
  ['rfc822;Bob+2bx@example.org', 'rfc822;Bob+2bx@example.org', 'rfc822;Bob+2bx@example.org'],
  ['utf-8;jörg@example.org', 'utf-8;jörg@example.org', 'utf-8;j\\x{F6}rg@example.org'],
  ['utf-8;j\\x{F6}rg@example.org', 'utf-8;j\\x{F6}rg@example.org', 'utf-8;j\\x{F6}rg@example.org'],
  ['utf-8;😀@example.org', 'utf-8;😀@example.org', 'utf-8;\\x{1F600}@example.org'],
  [`utf-8;${'ü'.repeat(494)}`, `utf-8;${'ü'.repeat(494)}`, undefined],
] as const;
for (const [value, withUtf8, without] of passedOn)
  test(`ORCPT ${value.slice(0, 40)} goes on as it came, or escaped (RFC 3461 §5.2.1, RFC 6533 §3)`, () => {
    const parsed = parseOriginalRecipient(value) ?? assert.fail();
    assert.equal(formatOriginalRecipient(parsed, true), withUtf8);
    assert.equal(formatOriginalRecipient(parsed, false), without);
  });

test('what an older queue kept and no peer may be given is left out', () => {
  assert.equal(formatOriginalRecipient({ type: 'rfc822', written: 'a b' }, true), undefined);
  assert.equal(formatOriginalRecipient({ type: 'rfc822', written: 'a\r\nRSET' }, true), undefined);
  assert.equal(formatOriginalRecipient({ type: 'rfc822', written: 'a=b' }, true), undefined);
  assert.equal(formatOriginalRecipient({ type: '', written: 'a' }, true), undefined);
});

test('an address that came without ORCPT is one that is taken, and means the same', () => {
  assert.equal(originalRecipientOf('a+b=c@d.example'), 'rfc822;a+2Bb+3Dc@d.example');
  assert.equal(originalRecipientOf('ü+b=c d@d.example'), 'utf-8;ü\\x{2B}b\\x{3D}c\\x{20}d@d.example');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (address) => {
      const value = originalRecipientOf(address);
      if (/[\x80-\x9f\ud800-\udfff]/.test(address)) return;
      const parsed = parseOriginalRecipient(value);
      assert.ok(parsed !== undefined);
      const ascii = formatOriginalRecipient(parsed, false);
      assert.match(ascii ?? '!', /^[!-<>-~]+$/);
    }),
  );
});
