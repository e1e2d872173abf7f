import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineEnds } from './line-ends.ts';

function converted(pieces: readonly Buffer[], dotEnds: boolean): string {
  const lines = new LineEnds(dotEnds);
  const out = pieces.map((piece) => lines.push(piece));
  return Buffer.concat([...out, lines.end()]).toString('latin1');
}

/** [what is proved, input, output with dots, output where a dot ends] */
const cases: readonly (readonly [string, string, string, string?])[] = [
  ['LF', 'a\nb\n', 'a\r\nb\r\n'],
  ['CRLF stays', 'a\r\nb\r\n', 'a\r\nb\r\n'],
  ['a CR alone ends a line (RFC 5322 §2.3)', '10%\r20%\r\n', '10%\r\n20%\r\n'],
  ['CR CR LF are two lines', 'a\r\r\nb\n', 'a\r\n\r\nb\r\n'],
  ['the last line gets its end', 'a', 'a\r\n'],
  ['a CR at the end', 'a\r', 'a\r\n'],
  ['nothing', '', ''],
  ['a dot alone', 'a\n.\nb\n', 'a\r\n.\r\nb\r\n', 'a\r\n'],
  ['a dot alone at the end of all', 'a\n.', 'a\r\n.\r\n', 'a\r\n'],
  ['a dot alone first', '.\na\n', '.\r\na\r\n', ''],
  ['dots that are not alone', '..\n.a\n. \n', '..\r\n.a\r\n. \r\n'],
  ['octets of every kind', '\0\xff\n', '\0\xff\r\n'],
];
for (const [what, input, kept, ended = kept] of cases)
  test(what, () => {
    assert.equal(converted([Buffer.from(input, 'latin1')], false), kept);
    assert.equal(converted([Buffer.from(input, 'latin1')], true), ended);
  });

test('gives the same however the pipe cut the octets, and never a CR or LF alone', () => {
  const octets = fc.array(fc.constantFrom(0x0d, 0x0a, 0x2e, 0x61), { maxLength: 24 });
  fc.assert(
    fc.property(octets, fc.boolean(), (list, dotEnds) => {
      const whole = converted([Buffer.from(list)], dotEnds);
      assert.equal(
        converted(
          list.map((octet) => Buffer.from([octet])),
          dotEnds,
        ),
        whole,
      );
      assert.doesNotMatch(whole.replaceAll('\r\n', ''), /[\r\n]/);
      assert.ok(whole === '' || whole.endsWith('\r\n'));
    }),
  );
});
