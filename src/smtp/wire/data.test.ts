import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataDecoder, DataEncoder, NewlineCheck } from './data.ts';

type Decoded = { content: string; rest: string | undefined; bare: boolean };

/** Everything at once, or cut after each of the given counts of octets. */
function decode(input: string, cuts: readonly number[] = []): Decoded {
  const decoder = new DataDecoder();
  const octets = Buffer.from(input, 'latin1');
  let content = '';
  let from = 0;
  for (const until of [
    ...cuts.map((cut) => Math.min(cut, octets.length)).toSorted((a, b) => a - b),
    octets.length,
  ]) {
    const step = decoder.push(octets.subarray(from, until));
    content += Buffer.from(step.octets).toString('latin1');
    if (step.kind === 'end') {
      const rest = Buffer.from(step.rest).toString('latin1') + octets.toString('latin1', until);
      return { content, rest, bare: decoder.bareNewline };
    }
    from = until;
  }
  return { content, rest: undefined, bare: decoder.bareNewline };
}

const cases = [
  { name: 'nothing but the end', input: '.\r\n', content: '', rest: '', bare: false },
  { name: 'one line', input: 'a\r\n.\r\n', content: 'a\r\n', rest: '', bare: false },
  {
    name: 'what follows the end',
    input: 'a\r\n.\r\nQUIT\r\n',
    content: 'a\r\n',
    rest: 'QUIT\r\n',
    bare: false,
  },
  {
    name: 'stuffed dot',
    input: '..a\r\n..\r\n...\r\n.\r\n',
    content: '.a\r\n.\r\n..\r\n',
    rest: '',
    bare: false,
  },
  { name: 'dot before other text', input: '.a\r\n.\r\n', content: 'a\r\n', rest: '', bare: false },
  { name: 'dot inside a line', input: 'a.\r\n.\r\n', content: 'a.\r\n', rest: '', bare: false },
  { name: 'LF . LF', input: 'a\n.\nb\r\n.\r\n', content: 'a\n.\nb\r\n', rest: '', bare: true },
  { name: 'LF . CRLF', input: 'a\n.\r\nb\r\n.\r\n', content: 'a\n.\r\nb\r\n', rest: '', bare: true },
  { name: 'CRLF . LF', input: 'a\r\n.\nb\r\n.\r\n', content: 'a\r\n\nb\r\n', rest: '', bare: true },
  { name: 'CR . CR', input: 'a\r.\rb\r\n.\r\n', content: 'a\r.\rb\r\n', rest: '', bare: true },
  { name: 'CRLF . CR', input: 'a\r\n.\rb\r\n.\r\n', content: 'a\r\n\rb\r\n', rest: '', bare: true },
  { name: 'CR CR LF . CR LF', input: 'a\r\r\n.\r\n', content: 'a\r\r\n', rest: '', bare: true },
  { name: 'CRLF NUL . CRLF', input: 'a\r\n\0.\r\n.\r\n', content: 'a\r\n\0.\r\n', rest: '', bare: false },
  { name: 'no end', input: 'a\r\n.', content: 'a\r\n', rest: undefined, bare: false },
  {
    name: 'bare newline after the end is not ours',
    input: 'a\r\n.\r\nX\n',
    content: 'a\r\n',
    rest: 'X\n',
    bare: false,
  },
];
for (const { name, input, ...want } of cases) {
  test(`DATA: ${name} (RFC 5321 §4.5.2)`, () => {
    assert.deepEqual(decode(input), want);
    const everyOctet = Array.from(input, (_, index) => index);
    assert.deepEqual(decode(input, everyOctet), want, 'octet by octet');
  });
}

const tricky = fc.string({
  unit: fc.constantFrom('\r', '\n', '.', 'a', '\r\n', '\r\n.', '\0'),
  maxLength: 40,
});

test('DATA: any cut of the octets gives the same content and the same end', () => {
  fc.assert(
    fc.property(tricky, fc.array(fc.nat(60)), (text, cuts) => {
      const input = `${text}\r\n.\r\nREST`;
      assert.deepEqual(decode(input, cuts), decode(input));
    }),
    { numRuns: 2000 },
  );
});

function encode(pieces: readonly string[]): string {
  const encoder = new DataEncoder();
  const out = pieces.map((piece) => Buffer.from(encoder.push(Buffer.from(piece, 'latin1'))));
  return Buffer.concat([...out, encoder.finish()]).toString('latin1');
}

const encoded = [
  { name: 'nothing', input: '', want: '.\r\n' },
  { name: 'a line', input: 'a\r\n', want: 'a\r\n.\r\n' },
  { name: 'no line end at the end', input: 'a', want: 'a\r\n.\r\n' },
  { name: 'leading dots', input: '.\r\n..a\r\n', want: '..\r\n...a\r\n.\r\n' },
  { name: 'bare LF', input: 'a\n.\nb', want: 'a\r\n..\r\nb\r\n.\r\n' },
  { name: 'bare CR', input: 'a\r.\rb\r', want: 'a\r\n..\r\nb\r\n.\r\n' },
  { name: 'CR CR LF', input: 'a\r\r\n.\r\n', want: 'a\r\n\r\n..\r\n.\r\n' },
  { name: 'LF CR', input: 'a\n\rb', want: 'a\r\n\r\nb\r\n.\r\n' },
];
for (const { name, input, want } of encoded) {
  test(`DATA out: ${name} (RFC 5321 §4.5.2)`, () => {
    assert.equal(encode([input]), want);
    assert.equal(encode(Array.from(input, (char) => char)), want, 'octet by octet');
  });
}

test('DATA out: whatever is sent, a receiver of any kind finds one end, at the end', () => {
  fc.assert(
    fc.property(fc.array(tricky), (pieces) => {
      const wire = encode(pieces);
      assert.equal(decode(wire).rest, '');
      assert.equal(decode(wire).bare, false);
      assert.equal(wire.search(/(?:^|\r\n|\r|\n)\.(?:\r\n|\r|\n)/), wire === '.\r\n' ? 0 : wire.length - 5);
    }),
    { numRuns: 2000 },
  );
});

test('BDAT out: line ends are mended, dots are left alone (RFC 3030 §2)', () => {
  for (const cut of [0, 1, 2, 3, 4, 5, 6]) {
    const encoder = new DataEncoder('BDAT');
    const input = Buffer.from('.a\n.\r.b');
    const out = [encoder.push(input.subarray(0, cut)), encoder.push(input.subarray(cut)), encoder.finish()];
    assert.equal(Buffer.concat(out).toString(), '.a\r\n.\r\n.b\r\n');
  }
});

test('DATA out: well-formed content reads back equal', () => {
  const line = fc
    .string({ unit: fc.constantFrom('.', 'a', '\0', 'é'), maxLength: 5 })
    .map((text) => `${text}\r\n`);
  fc.assert(
    fc.property(fc.array(line), (content) => assert.equal(decode(encode(content)).content, content.join(''))),
  );
});

test('NewlineCheck: any cut gives what the whole gives', () => {
  fc.assert(
    fc.property(fc.array(tricky), (pieces) => {
      const check = new NewlineCheck();
      for (const piece of pieces) check.push(Buffer.from(piece, 'latin1'));
      assert.equal(check.finish(), /\r(?!\n)|(?<!\r)\n/.test(pieces.join('')));
    }),
    { numRuns: 2000 },
  );
});
