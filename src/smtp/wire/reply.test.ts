import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseEnhancedStatus } from './enhanced-status.ts';
import type { ReplyScan } from './reply.ts';
import { formatPeerReply, formatReply, reply, ReplyReader } from './reply.ts';

const LIMIT = { lineOctetsMax: 64, linesMax: 4 };

function read(input: string, cut = input.length): ReplyScan[] {
  const reader = new ReplyReader(LIMIT);
  const scans: ReplyScan[] = [];
  const octets = Buffer.from(input);
  for (let from = 0; from < octets.length; from += Math.max(cut, 1)) {
    reader.push(octets.subarray(from, from + Math.max(cut, 1)));
    for (let scan = reader.next(); scan.kind !== 'need-more'; scan = reader.next()) {
      scans.push(scan);
      if (scan.kind === 'garbage') return scans;
    }
  }
  return scans;
}

const cases = [
  { name: 'one line', input: '250 Ok\r\n', want: ['250 Ok'] },
  { name: 'no text', input: '250\r\n', want: ['250 '] },
  { name: 'several lines', input: '250-a\r\n250-b\r\n250 c\r\n', want: ['250 a b c'] },
  { name: 'several replies', input: '250 a\r\n354 b\r\n', want: ['250 a', '354 b'] },
  { name: 'bare LF', input: '250 a\n', want: ['250 a'] },
  { name: 'a line at the limit', input: `250 ${'a'.repeat(58)}\r\n`, want: [`250 ${'a'.repeat(58)}`] },
  { name: 'a line over the limit', input: `250 ${'a'.repeat(59)}\r\n`, want: ['line-too-long'] },
  { name: 'an endless line', input: '2'.repeat(100), want: ['line-too-long'] },
  { name: 'as many lines as allowed', input: '250-a\r\n250-b\r\n250-c\r\n250 d\r\n', want: ['250 a b c d'] },
  { name: 'too many lines', input: '250-a\r\n'.repeat(5), want: ['too-many-lines'] },
  { name: 'code changes', input: '250-a\r\n251 b\r\n', want: ['code-changed'] },
  { name: 'no code', input: 'HTTP/1.1 400 Bad Request\r\n', want: ['line'] },
  { name: 'code of one digit', input: '2\r\n', want: ['line'] },
  { name: 'code below 200', input: '199 a\r\n', want: ['line'] },
  { name: 'code above 599', input: '600 a\r\n', want: ['line'] },
  { name: 'no separator', input: '250a\r\n', want: ['line'] },
  { name: 'empty line', input: '\r\n', want: ['line'] },
  { name: 'half a reply', input: '250-a\r\n250', want: [] },
];
for (const { name, input, want } of cases) {
  test(`a peer's reply: ${name} (RFC 5321 §4.2)`, () => {
    const words = (scans: ReplyScan[]): string[] =>
      scans.map((scan) =>
        scan.kind === 'reply' ? formatPeerReply(scan.reply) : scan.kind === 'garbage' ? scan.problem : '',
      );
    assert.deepEqual(words(read(input)), want);
    assert.deepEqual(words(read(input, 1)), want, 'octet by octet');
  });
}

test('a reply carries its status on every line (RFC 2034 §4)', () => {
  assert.equal(formatReply(reply(214, '2.0.0', 'a', 'b')), '214-2.0.0 a\r\n214 2.0.0 b\r\n');
  assert.equal(formatReply(reply(354, undefined, 'Go')), '354 Go\r\n');
});

test('what is formatted is one reply of lines within 512 octets, whatever its text (RFC 5321 §4.5.3.1.5)', () => {
  const text = fc.string({
    unit: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\r\n250 ', ' ')),
    maxLength: 200,
  });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), (lines) => {
      const wire = formatReply(reply(550, '5.1.1', ...lines));
      assert.ok(wire.endsWith('\r\n'));
      for (const line of wire.slice(0, -2).split('\r\n')) {
        assert.match(line, /^550[ -]5\.1\.1 /);
        assert.ok(Buffer.byteLength(line) <= 510);
      }
      const reader = new ReplyReader({ lineOctetsMax: 512, linesMax: 1000 });
      reader.push(Buffer.from(wire));
      assert.equal(reader.next().kind, 'reply');
      assert.equal(reader.pending, false);
    }),
  );
});

const statuses = [
  { text: '2.1.5 Ok', want: '2.1.5' },
  { text: '5.1.1', want: '5.1.1' },
  { text: '4.999.999 x', want: '4.999.999' },
  { text: '3.1.1 x', want: undefined },
  { text: '5.01.1 x', want: undefined },
  { text: '5.1.1.1 x', want: undefined },
  { text: '5.1.1000 x', want: undefined },
  { text: 'Ok', want: undefined },
];
for (const { text, want } of statuses) {
  test(`status of "${text}" (RFC 3463 §2)`, () => assert.equal(parseEnhancedStatus(text), want));
}

test('no octets make the reply reader throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array()), (chunks) => {
      const reader = new ReplyReader(LIMIT);
      for (const chunk of chunks) {
        reader.push(chunk);
        if (reader.next().kind === 'garbage') return;
      }
    }),
  );
});
