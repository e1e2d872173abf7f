import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { latin1 } from '../base/bytes.ts';
import type { Part } from './entity.ts';
import { fuzz, scanInPieces, seeds } from './scan.fuzz.ts';
import { createScanner, scanMessage } from './scan.ts';

const octets = (text: string): Buffer => Buffer.from(text, 'latin1');

/** 'leaf text/plain "body"', children in brackets. */
function sketch(message: Buffer, part: Part): string {
  const children = part.children.map((child) => sketch(message, child)).join(', ');
  const body = JSON.stringify(latin1(message.subarray(part.headerEnd, part.bodyEnd)));
  const name = `${part.type}/${part.subtype}`;
  return part.kind === 'leaf' ? `${name} ${body}` : `${part.kind} ${name} [${children}]`;
}

const MIXED = 'Content-Type: multipart/mixed; boundary=';

const trees = [
  { name: 'nothing at all', input: '', want: 'text/plain ""' },
  { name: 'a body only', input: '\r\nhello', want: 'text/plain "hello"' },
  { name: 'a header only, no blank line (RFC 5322 §2.1)', input: 'Subject: x\r\n', want: 'text/plain ""' },
  { name: 'a header that does not end in a line end', input: 'Subject: x', want: 'text/plain ""' },
  { name: 'LF ends lines too', input: 'Subject: x\n\nhello\n', want: 'text/plain "hello\\n"' },
  { name: 'a bare CR does not end a header', input: 'Subject: x\r\rhello\r\n\r\nb', want: 'text/plain "b"' },
  {
    name: 'a line that is no field stays in the header',
    input: 'From x y\r\nA: b\r\n\r\nc',
    want: 'text/plain "c"',
  },
  { name: 'NUL is an octet like others', input: 'A: \0\r\n\r\n\0', want: 'text/plain "\\u0000"' },
  {
    name: 'the line end before a boundary belongs to it (RFC 2046 §5.1.1)',
    input: `${MIXED}b\r\n\r\npreamble\r\n--b\r\n\r\none\r\n\r\n--b\r\n\r\ntwo\n--b--\r\nepilogue`,
    want: 'multipart multipart/mixed [text/plain "one\\r\\n", text/plain "two"]',
  },
  {
    name: 'white space after a boundary (RFC 2046 §5.1.1)',
    input: `${MIXED}b\r\n\r\n--b \t\r\n\r\none\r\n--b-- \r\n`,
    want: 'multipart multipart/mixed [text/plain "one"]',
  },
  {
    name: 'no closing boundary',
    input: `${MIXED}b\r\n\r\n--b\r\n\r\none\r\n`,
    want: 'multipart multipart/mixed [text/plain "one\\r\\n"]',
  },
  {
    name: 'the boundary never comes: one empty part stands in',
    input: `${MIXED}b\r\n\r\nall of it\r\n`,
    want: 'multipart multipart/mixed [text/plain ""]',
  },
  {
    name: 'a multipart without a boundary is a leaf',
    input: 'Content-Type: multipart/mixed\r\n\r\nx',
    want: 'multipart/mixed "x"',
  },
  {
    name: 'an empty boundary is none',
    input: `${MIXED}""\r\n\r\n--\r\nx`,
    want: 'multipart/mixed "--\\r\\nx"',
  },
  {
    name: 'a line needs only to begin with the boundary (RFC 2046 §5.1.1)',
    input: `${MIXED}b\r\n\r\n--b and more\r\n\r\none\r\n--bb--\r\n\r\ntwo`,
    want: 'multipart multipart/mixed [text/plain "one", text/plain "two"]',
  },
  {
    name: 'of an outer and an inner boundary that both match, the longer counts',
    input: `${MIXED}a\r\n\r\n--a\r\n${MIXED}ab\r\n\r\n--ab\r\n\r\none\r\n--ab--\r\n--a\r\n\r\ntwo\r\n--a--\r\n`,
    want: 'multipart multipart/mixed [multipart multipart/mixed [text/plain "one"], text/plain "two"]',
  },
  {
    name: "'foo--' as a boundary inside of 'foo'",
    input: `${MIXED}foo\r\n\r\n--foo\r\n${MIXED}foo--\r\n\r\n--foo--\r\n\r\none\r\n--foo----\r\n--foo--\r\n`,
    want: 'multipart multipart/mixed [multipart multipart/mixed [text/plain "one"]]',
  },
  {
    name: 'the same boundary inside and outside: the inner one ends first',
    input: `${MIXED}a\r\n\r\n--a\r\n${MIXED}a\r\n\r\n--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo\r\n--a--\r\n`,
    want: 'multipart multipart/mixed [multipart multipart/mixed [text/plain "one"], text/plain "two"]',
  },
  {
    name: 'an outer boundary ends an unclosed inner multipart',
    input: `${MIXED}a\r\n\r\n--a\r\n${MIXED}b\r\n\r\n--b\r\n\r\none\r\n--a\r\n\r\ntwo\r\n--a--`,
    want: 'multipart multipart/mixed [multipart multipart/mixed [text/plain "one"], text/plain "two"]',
  },
  {
    name: 'a boundary in a header ends it',
    input: `${MIXED}a\r\n\r\n--a\r\nContent-Type: text/html\r\n--a\r\n--a--\r\n`,
    want: 'multipart multipart/mixed [text/html "", text/plain ""]',
  },
  {
    name: 'nothing is a boundary after the closing one',
    input: `${MIXED}a\r\n\r\n--a\r\n\r\none\r\n--a--\r\n--a\r\n\r\ntwo`,
    want: 'multipart multipart/mixed [text/plain "one"]',
  },
  {
    name: 'a boundary at the very end begins an empty part',
    input: `${MIXED}a\r\n\r\n--a\r\n\r\none\r\n--a`,
    want: 'multipart multipart/mixed [text/plain "one", text/plain ""]',
  },
  {
    name: 'parts of a digest are messages (RFC 2046 §5.1.5)',
    input:
      'Content-Type: multipart/digest; boundary=a\r\n\r\n--a\r\n\r\nSubject: x\r\n\r\none\r\n--a\r\nContent-Type: text/plain\r\n\r\ntwo\r\n--a--',
    want: 'multipart multipart/digest [message message/rfc822 [text/plain "one"], text/plain "two"]',
  },
  {
    name: 'a message in base64 is not looked into (RFC 2046 §5.2.1)',
    input: 'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQTogYg==',
    want: 'message/rfc822 "QTogYg=="',
  },
  {
    name: 'message/global is looked into as well (RFC 6532 §3.7)',
    input: 'Content-Type: message/global\r\n\r\nA: b\r\n\r\nc',
    want: 'message message/global [text/plain "c"]',
  },
  {
    name: 'an encapsulated message that consists of its blank line',
    input: `${MIXED}a\r\n\r\n--a\r\nContent-Type: message/rfc822\r\n\r\nA: b\r\n\r\n--a--`,
    want: 'multipart multipart/mixed [message message/rfc822 [text/plain ""]]',
  },
  {
    name: 'a type that cannot be understood is text/plain (RFC 2045 §5.2)',
    input: 'Content-Type: ???\r\n\r\nx',
    want: 'text/plain "x"',
  },
  {
    name: 'a folded boundary parameter',
    input: 'Content-Type: multipart/mixed; boundary="foo\n bar"\n\n--foo bar\n\nhello\n\n--foo bar--\n',
    want: 'multipart multipart/mixed [text/plain "hello\\n"]',
  },
] as const;

for (const { name, input, want } of trees) {
  test(name, () => {
    const message = octets(input);
    assert.equal(sketch(message, scanMessage(message).root), want);
    fuzz(message);
  });
}

test('sizes and lines of a body are those before the line end of its boundary (RFC 9051 §7.5.2)', () => {
  const message = octets(`${MIXED}b\r\n\r\n--b\r\n\r\nhello\r\n\r\n--b\r\n\r\nhello\r\n--b--\r\n`);
  const [first, second] = scanMessage(message).root.children;
  assert.deepEqual([first?.bodyLines, (first?.bodyEnd ?? 0) - (first?.headerEnd ?? 0)], [1, 7]);
  assert.deepEqual([second?.bodyLines, (second?.bodyEnd ?? 0) - (second?.headerEnd ?? 0)], [0, 5]);
});

test('nesting beyond the limit is a leaf, nothing is lost', () => {
  const depth = 200;
  const message = octets(
    Array.from({ length: depth }, (_, level) => `${MIXED}x${level}y\r\n\r\n--x${level}y\r\n`).join('') +
      '\r\ndeep',
  );
  let part = scanMessage(message, { nestingMax: 64 }).root;
  let levels = 1;
  for (let child = part.children[0]; child !== undefined; child = part.children[0]) {
    part = child;
    levels += 1;
  }
  assert.equal(levels, 64);
  assert.equal(part.bodyEnd, message.length);
  assert.ok(message.subarray(part.headerEnd).includes('deep'));
});

test('messages inside of messages stop at the limit as well', () => {
  const message = octets('Content-Type: message/rfc822\r\n\r\n'.repeat(1000));
  let levels = 0;
  for (let part: Part | undefined = scanMessage(message).root; part !== undefined; part = part.children[0])
    levels += 1;
  assert.equal(levels, 64);
});

test('what follows the last part that is allowed belongs to it', () => {
  const message = octets(`${MIXED}b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(10)}--b--\r\n`);
  const { root } = scanMessage(message, { partsMax: 4 });
  assert.equal(root.children.length, 3);
  assert.equal(root.children[2]?.bodyEnd, message.length);
});

test('header octets beyond the limit are served, not looked into', () => {
  const message = octets(`A: ${'x'.repeat(1000)}\r\nContent-Type: text/html\r\n\r\nbody`);
  const { root } = scanMessage(message, { headerOctetsMax: 500 });
  assert.equal(root.subtype, 'plain');
  assert.equal(root.fields[0]?.raw.length, 498);
  assert.equal(root.headerEnd, message.length - 4);
});

test('the beginning of the first text parts is kept, not of attachments nor of messages inside', () => {
  const message = octets(
    `${MIXED}b\r\n\r\n--b\r\nContent-Disposition: attachment\r\n\r\nno\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\r\nno\r\n` +
      `--b\r\n\r\n${'yes '.repeat(10)}\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--`,
  );
  for (const scanned of [scanMessage(message, { previewOctetsMax: 16 }), pieces(message, 3)]) {
    assert.equal(latin1(scanned.plain?.octets ?? new Uint8Array()), 'yes yes yes yes ');
    assert.equal(scanned.plain?.complete, false);
    assert.equal(latin1(scanned.html?.octets ?? new Uint8Array()), '<p>');
    assert.equal(scanned.html?.complete, true);
  }
  function pieces(whole: Buffer, size: number): ReturnType<typeof scanMessage> {
    const scanner = createScanner({ previewOctetsMax: 16 });
    for (let at = 0; at < whole.length; at += size) scanner.push(whole.subarray(at, at + size));
    return scanner.end();
  }
});

test('a boundary line longer than the scanner keeps is judged alike for every cut', () => {
  const line = `--b${'x'.repeat(3000)}`;
  const message = octets(
    `${MIXED}b\r\n\r\n${line}\r\n\r\none\r\n--b${' '.repeat(3000)}--\r\n\r\ntwo\r\n--b--`,
  );
  const whole = scanMessage(message).root;
  assert.equal(whole.children.length, 2);
  for (const size of [1, 100, 1004, 1005, 4000]) assert.deepEqual(scanInPieces(message, size).root, whole);
});

const fragments = [
  '\r\n',
  '\n',
  '\r',
  '--a',
  '--a--',
  '--ab',
  '--',
  '-',
  'Content-Type: multipart/mixed; boundary=a\r\n\r\n',
  'Content-Type: multipart/digest; boundary=ab\r\n',
  'Content-Type: message/rfc822\r\n\r\n',
  'Content-Type: text/html\n\n',
  'Content-Transfer-Encoding: base64\r\n',
  'Content-Disposition: attachment\r\n',
  'x',
  ' ',
  'From: a@b\r\n',
  '\0',
  '\xe9',
];

test('gives one tree for any cut, with nested ranges, and never throws', () => {
  const message = fc
    .array(fc.constantFrom(...fragments), { maxLength: 60 })
    .map((all) => octets(all.join('')));
  fc.assert(fc.property(message, fuzz), { numRuns: 500 });
  for (const seed of seeds) fuzz(seed);
});
