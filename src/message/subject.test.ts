import assert from 'node:assert/strict';
import { test } from 'node:test';
import { baseSubject, collationKey, isReplySubject } from './subject.ts';

const cases = [
  { step: '(1)', input: ' a \t  b ', want: 'a b' },
  { step: '(2)', input: 'b (fWd)  (fwd)', want: 'b' },
  { step: '(3)', input: 'Re: fw: FWD : re[2]: b', want: 'b' },
  { step: '(3)', input: '[foo] Fwd: [bar] Re: fw: b (fWd)  (fwd)', want: 'b' },
  { step: '(4)', input: '[list] b', want: 'b' },
  { step: '(4)', input: '[xyz]', want: '[xyz]' },
  { step: '(4)', input: '[a][b]', want: '[b]' },
  { step: '(4)', input: '[a[b] c', want: '[a[b] c' },
  { step: '(5)', input: 'Re: [a] Re: [b] c', want: 'c' },
  { step: '(6)', input: 'Re: [FWD: c]', want: 'c' },
  { step: '(6)', input: '[fwd: Re: c (fwd)] ', want: 'c' },
  { step: '(7)', input: 'reply: b', want: 'reply: b' },
  { step: '(7)', input: 'b (a)', want: 'b (a)' },
  { step: '(7)', input: 'Re:', want: '' },
  { step: '(7)', input: '', want: '' },
] as const;
for (const { step, input, want } of cases) {
  test(`${JSON.stringify(input)} (RFC 5256 §2.1 ${step})`, () => assert.equal(baseSubject(input), want));
}

const replies = [
  { input: 'Re: a', want: true },
  { input: '[x] fwd[y]: a', want: true },
  { input: 'a (fwd)', want: true },
  { input: '[Fwd: a]', want: true },
  { input: '[x] a', want: false },
  { input: 'Regards', want: false },
] as const;
for (const { input, want } of replies) {
  test(`${input} answers: ${want} (RFC 5256 §3)`, () => assert.equal(isReplySubject(input), want));
}

test('a long subject of the worst kind is read in linear time', () => {
  for (const piece of ['[a]', '[', 're:', '(fwd)', '[fwd:', ' ', 're [']) baseSubject(piece.repeat(60_000));
  baseSubject(`${'[fwd:'.repeat(30_000)}a${']'.repeat(30_000)}`);
});

test('keys of strings that differ in case only are equal (RFC 5051 §2)', () => {
  assert.equal(collationKey('abc'), 'ABC');
  assert.equal(collationKey('Ärger'), collationKey('äRGER'));
  assert.equal(collationKey('\u00e4'), collationKey('a\u0308'));
  assert.notEqual(collationKey('ß'), collationKey('ss'));
  for (const [small, title] of ['ᾀᾈ', 'ᾗᾟ', 'ᾧᾯ', 'ᾳᾼ', 'ῃῌ', 'ῳῼ'])
    assert.equal(collationKey(small ?? ''), collationKey(title ?? ''));
});
