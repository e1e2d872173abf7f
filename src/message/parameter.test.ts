import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parameterText, parseParameterized } from './parameter.ts';

const cases = [
  {
    name: 'a token and its parameter',
    rfc: '2045 §5.1',
    input: 'Text/Plain; Charset=UTF-8',
    want: { charset: 'UTF-8' },
  },
  {
    name: 'quoted, with a quoted pair',
    rfc: '2045 §5.1',
    input: 'a/b; x="c\\"; d"; y=e',
    want: { x: 'c"; d', y: 'e' },
  },
  { name: 'comments', rfc: '2045 §5.1', input: 'a/b (c;d) ; (e) x = (f) y (g)', want: { x: 'y' } },
  { name: 'a forgotten semicolon', rfc: '2045 §5.1', input: 'a/b; x=1 y=2', want: { x: '1', y: '2' } },
  {
    name: 'blanks in a bare value',
    rfc: '2045 §5.1',
    input: 'a/b; name=two words.pdf; x=y',
    want: { name: 'two words.pdf', x: 'y' },
  },
  { name: 'a quote that never closes', rfc: '2045 §5.1', input: 'a/b; x="c; d', want: { x: 'c; d' } },
  { name: 'the first of two equal names', rfc: '2045 §5.1', input: 'a/b; x=1; x=2', want: { x: '1' } },
  { name: 'continuations', rfc: '2231 §3', input: 'a/b; x*0="c"; x*1=d; x*2=e', want: { x: 'cde' } },
  { name: 'continuations out of order', rfc: '2231 §3', input: 'a/b; x*1=d; x*0=c', want: { x: 'cd' } },
  { name: 'a gap ends the value', rfc: '2231 §3', input: 'a/b; x*0=c; x*2=d', want: { x: 'c' } },
  { name: 'no first section', rfc: '2231 §3', input: 'a/b; x*1=c', want: {} },
  { name: 'a charset', rfc: '2231 §4', input: "a/b; x*=iso-8859-1'en'%E4%20b", want: { x: 'ä b' } },
  {
    name: 'a charset over continuations',
    rfc: '2231 §4.1',
    input: "a/b; x*0*=utf-8''%E2%82; x*1*=%AC; x*2=%20",
    want: { x: '€%20' },
  },
  {
    name: 'the extended form beats the plain one',
    rfc: '2231 §4',
    input: "a/b; x=a; x*=utf-8''%C3%A4",
    want: { x: 'ä' },
  },
  {
    name: 'an encoded word against the rules',
    rfc: '2047 §5',
    input: 'a/b; x="=?utf-8?q?=C3=A4?="',
    want: { x: 'ä' },
  },
  { name: 'raw UTF-8', rfc: '6532 §3', input: 'a/b; x="\xc3\xa4"', want: { x: 'ä' } },
  { name: 'no value', rfc: '2045 §5.1', input: 'a/b; x; y=; ;; =z', want: { y: '' } },
] as const;
for (const { name, rfc, input, want } of cases) {
  test(`${name} (RFC ${rfc})`, () => {
    const { parameters } = parseParameterized(input);
    assert.deepEqual(
      Object.fromEntries(parameters.map((one) => [one.name, parameterText(parameters, one.name)])),
      want,
    );
  });
}

test('the token is in lower case and without comments (RFC 2045 §5.1)', () => {
  assert.equal(parseParameterized(' Text/(x)HTML (y) ; a=b').token, 'text/html');
});
