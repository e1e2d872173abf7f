import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { fromLatin1, latin1 } from '../base/bytes.ts';
import { FieldDropper } from './field-dropper.ts';
import { parseHeader } from './header.ts';

const NAMES = ['bcc', 'resent-bcc'];

/** What is left of a message that comes in pieces of so many octets. */
function left(text: string, pieceOctets = text.length): string {
  const dropper = new FieldDropper(NAMES);
  const octets = fromLatin1(text);
  let out = '';
  for (let at = 0; at < octets.length; at += Math.max(pieceOctets, 1))
    out += latin1(dropper.push(octets.subarray(at, at + Math.max(pieceOctets, 1))));
  return out + latin1(dropper.end());
}

const cases: readonly (readonly [string, string, string])[] = [
  ['one', 'A: 1\r\nBcc: x@y.test\r\nB: 2\r\n\r\nbody', 'A: 1\r\nB: 2\r\n\r\nbody'],
  ['folded (RFC 5322 §2.2.3)', 'Bcc: x@y.test,\r\n z@y.test,\r\n\tw@y.test\r\nB: 2\r\n\r\n', 'B: 2\r\n\r\n'],
  ['several', 'Bcc: a@b\r\nTo: c@d\r\nBcc: e@f\r\n\r\n', 'To: c@d\r\n\r\n'],
  ['nothing else', 'Bcc: a@b\r\n\r\nbody', '\r\nbody'],
  ['Resent-Bcc (RFC 5322 §3.6.6)', 'Resent-To: a@b\r\nResent-Bcc: c@d\r\n\r\n', 'Resent-To: a@b\r\n\r\n'],
  ['in any case', 'BCC: a@b\r\nbcC: c@d\r\nX: 1\r\n\r\n', 'X: 1\r\n\r\n'],
  ['blanks before the colon (RFC 5322 §4.5)', 'Bcc \t : a@b\r\nX: 1\r\n\r\n', 'X: 1\r\n\r\n'],
  ['empty', 'Bcc:\r\nX: 1\r\n\r\n', 'X: 1\r\n\r\n'],
  [
    'a name that only begins so',
    'Bccx: 1\r\nBc: 2\r\nX-Bcc: 3\r\nBcc 4\r\n\r\n',
    'Bccx: 1\r\nBc: 2\r\nX-Bcc: 3\r\nBcc 4\r\n\r\n',
  ],
  ['a folded line of another field', 'To: a@b\r\n Bcc: c@d\r\n\r\n', 'To: a@b\r\n Bcc: c@d\r\n\r\n'],
  ['a folded line of nothing', ' Bcc: c@d\r\nX: 1\r\n\r\n', ' Bcc: c@d\r\nX: 1\r\n\r\n'],
  [
    'in the body and in parts',
    'X: 1\r\n\r\nBcc: a@b\r\n\r\nBcc: c@d\r\n',
    'X: 1\r\n\r\nBcc: a@b\r\n\r\nBcc: c@d\r\n',
  ],
  ['a body without a header', '\r\nBcc: a@b\r\n', '\r\nBcc: a@b\r\n'],
  ['at the end of a header without a body', 'X: 1\r\nBcc: a@b', 'X: 1\r\n'],
  ['a line that a body may begin with', 'Bcc: a@b\r\n\r\n Bcc: c@d\r\n', '\r\n Bcc: c@d\r\n'],
  ['more blanks than a line may have', `Bcc${' '.repeat(2000)}: a@b\r\nX: 1\r\n\r\n`, 'X: 1\r\n\r\n'],
  ['LF alone ends a line', 'Bcc: a@b\nX: 1\n\nBcc: c@d', 'X: 1\n\nBcc: c@d'],
  ['a CR that is not one', 'X: 1\r\n\rBcc: a@b\r\n\r\n', 'X: 1\r\n\rBcc: a@b\r\n\r\n'],
  ['empty message', '', ''],
];
for (const [name, input, want] of cases)
  test(`fields that go: ${name}`, () => {
    assert.equal(left(input), want);
    for (const pieceOctets of [1, 2, 3, 7]) assert.equal(left(input, pieceOctets), want, `by ${pieceOctets}`);
  });

test('what nothing is taken from is passed on as it came', () => {
  const dropper = new FieldDropper(NAMES);
  const header = fromLatin1('To: a@b\r\n\r\n');
  const body = fromLatin1('text\r\n');
  assert.equal(dropper.push(header), header);
  assert.equal(dropper.push(body), body);
});

test('as cutting the fields out of the whole header would, however the network cut it', () => {
  const word = fc.constantFrom(
    'Bcc',
    'bcc',
    'Resent-Bcc',
    'To',
    'B',
    ':',
    ' ',
    '\t',
    '\r\n',
    '\n',
    '\r',
    'x@y',
    ',',
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (words, pieceOctets) => {
      const text = words.join('');
      const fields = parseHeader(text);
      const kept = fields.filter(({ key }) => !NAMES.includes(key));
      const rest = text.slice(fields.at(-1)?.end ?? 0);
      const want = kept.map(({ start, end }) => text.slice(start, end)).join('') + rest;
      assert.equal(left(text, pieceOctets), want);
    }),
    { numRuns: 2000 },
  );
});
