/** Lines in, commands, messages out: RFC 1939 §3, §5, §7; RFC 2449 §4. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseCommand } from './command.ts';
import { fuzz, readAll, seeds, sendAll } from './wire.fuzz.ts';

const octets = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('commands (RFC 1939 §5 to §7)', () => {
  const good = [
    ['capa', { verb: 'CAPA' }],
    ['STAT ', { verb: 'STAT' }],
    ['USER a b', { verb: 'USER', name: 'a b' }],
    ['PASS  x ', { verb: 'PASS', password: ' x ' }],
    ['PASS \u00c3\u00a9', { verb: 'PASS', password: 'é' }],
    ['AUTH', { verb: 'AUTH', mechanism: undefined, initial: undefined }],
    ['AUTH plain =', { verb: 'AUTH', mechanism: 'plain', initial: '=' }],
    ['LIST', { verb: 'LIST', number: undefined }],
    ['uidl 7', { verb: 'UIDL', number: 7 }],
    ['RETR 0', { verb: 'RETR', number: 0 }],
    ['TOP 1 0', { verb: 'TOP', number: 1, lines: 0 }],
    ['LANG *', { verb: 'LANG', tag: '*' }],
  ] as const;
  for (const [line, want] of good)
    test(`takes ${line}`, () => assert.deepEqual(parseCommand(octets(line)), { ok: true, value: want }));

  const bad = [
    ['', undefined],
    ['XYZ', undefined],
    [' STAT', undefined],
    ['STAT 1', 'STAT'],
    ['USER', 'USER'],
    ['USER ', 'USER'],
    ['USER \u00ff', 'USER'],
    ['PASS a\0b', 'PASS'],
    ['AUTH a b c', 'AUTH'],
    ['LIST x', 'LIST'],
    ['LIST -1', 'LIST'],
    ['LIST 1 2', 'LIST'],
    ['RETR', 'RETR'],
    ['RETR 12345678901', 'RETR'],
    ['DELE 1.0', 'DELE'],
    ['TOP 1', 'TOP'],
    ['TOP 1 x', 'TOP'],
    ['TOP 1 2 3', 'TOP'],
    ['LANG en de', 'LANG'],
    [`USER ${'a'.repeat(249)}`, 'USER'],
  ] as const;
  for (const [line, verb] of bad)
    test(`refuses ${JSON.stringify(line.slice(0, 20))}`, () => {
      const parsed = parseCommand(octets(line));
      assert.equal(parsed.ok, false);
      assert.equal(parsed.error.verb, verb);
    });

  test('255 octets with CRLF are a command (RFC 2449 §4); AUTH may be longer', () => {
    assert(parseCommand(octets(`USER ${'a'.repeat(248)}`)).ok);
    assert(parseCommand(octets(`AUTH PLAIN ${'a'.repeat(1000)}`)).ok);
  });
});

describe('lines', () => {
  const cases = [
    { name: 'CRLF and LF', input: 'a\r\nb\n\r\nc', want: ['=a', '=b', '='] },
    { name: 'exactly the limit', input: `${'x'.repeat(62)}\r\n`, want: [`=${'x'.repeat(62)}`] },
    {
      name: 'one over the limit, then another',
      input: `${'x'.repeat(63)}\r\nb\r\n`,
      want: ['too-long', '=b'],
    },
    { name: 'no end', input: 'x'.repeat(400), want: ['too-long', 'endless'] },
  ] as const;
  for (const { name, input, want } of cases)
    test(name, () => assert.deepEqual(readAll([octets(input)]), want));
});

describe('messages as multi-line responses (RFC 1939 §3)', () => {
  const cases = [
    { name: 'nothing', input: '', want: '.\r\n' },
    { name: 'a dot alone', input: '.\r\n', want: '..\r\n.\r\n' },
    {
      name: 'dots at the beginning of lines',
      input: 'a\r\n.b\r\n..c\r\n',
      want: 'a\r\n..b\r\n...c\r\n.\r\n',
    },
    { name: 'no line end at the end', input: 'a', want: 'a\r\n.\r\n' },
    { name: 'LF alone becomes CRLF', input: 'a\n.\nb', want: 'a\r\n..\r\nb\r\n.\r\n' },
    { name: 'CR alone stays', input: 'a\r.b\r\n', want: 'a\r.b\r\n.\r\n' },
  ] as const;
  for (const { name, input, want } of cases) test(name, () => assert.equal(sendAll([octets(input)]), want));

  const message = 'A: b\r\nC: d\r\n\r\n1\r\n2\r\n3';
  const tops = [
    [0, 'A: b\r\nC: d\r\n\r\n.\r\n'],
    [2, 'A: b\r\nC: d\r\n\r\n1\r\n2\r\n.\r\n'],
    [3, 'A: b\r\nC: d\r\n\r\n1\r\n2\r\n3\r\n.\r\n'],
    [9_999_999_999, 'A: b\r\nC: d\r\n\r\n1\r\n2\r\n3\r\n.\r\n'],
  ] as const;
  for (const [lines, want] of tops)
    test(`TOP with ${lines} lines (RFC 1939 §7)`, () =>
      assert.equal(sendAll([octets(message)], lines), want));
  test('a line of two CRs, cut between them, does not end the header', () => {
    const cut = [octets('A: b\r\n\r'), octets('\r\nC: d\r\n\r\n1\r\n')];
    assert.equal(sendAll(cut, 0), 'A: b\r\n\r\r\nC: d\r\n\r\n.\r\n');
  });
  test('TOP of a message without a body', () =>
    assert.equal(sendAll([octets('A: b\r\n')], 5), 'A: b\r\n.\r\n'));
});

test('the promises of the fuzz target hold for any octets, of those that matter above all', () => {
  for (const seed of seeds) fuzz(seed);
  const some = fc
    .array(fc.constantFrom('\r', '\n', '.', 'a', ':', ' '), { maxLength: 200 })
    .map((all) => octets(all.join('')));
  fc.assert(fc.property(fc.oneof(some, fc.uint8Array({ maxLength: 200 })), fuzz));
});
