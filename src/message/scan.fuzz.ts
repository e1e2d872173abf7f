/** Any octets make a tree whose ranges nest, the same for every cut, and lists that an IMAP client can read. */
import assert from 'node:assert/strict';
import { latin1 } from '../base/bytes.ts';
import { digestMessage } from './digest.ts';
import type { Part } from './entity.ts';
import { findSection, selectFields } from './part.ts';
import type { ScannedMessage } from './scan.ts';
import { createScanner, scanMessage } from './scan.ts';
import { toPlainText } from './text.ts';

export const covers: RegExp = /src\/message\/(?!.*\.(?:fuzz|test)\.ts)/;

const lines = (...all: string[]): Uint8Array => Buffer.from(all.join('\r\n'), 'latin1');

export const seeds: readonly Uint8Array[] = [
  lines('From: a@b', 'Subject: x', '', 'text', ''),
  lines('Content-Type: multipart/mixed; boundary=a', '', 'pre', '--a', '', 'one', '--a--', 'post', ''),
  lines(
    'Content-Type: multipart/digest; boundary="a b"',
    '',
    '--a b',
    '',
    'Subject: in',
    'Content-Type: multipart/alternative; boundary=a',
    '',
    '--a',
    'Content-Type: text/html',
    '',
    '<p>&amp;</p>',
    '--a',
    '--a b--',
  ),
  lines(
    'Content-Type: message/rfc822',
    '',
    'Content-Type: message/rfc822',
    '',
    'Content-Type: multipart/x; boundary=foo--',
    '',
    '--foo--',
    '',
    '\n--foo----',
  ),
  lines(
    "Content-Type: multipart/mixed; boundary*0*=utf-8''a; boundary*1=b; x=(c)",
    'From: (c) "q\\"" <@r:a@b>, g: <x@y>;',
    'Date: Fri, 31 Feb 99 10:11 EST',
    'Subject: =?utf-8?q?=E2=82?= =?utf-8?b?rA==?= [x] re: (fwd)',
    'References: <a@b> <"c"@d>',
    '',
    '--ab',
    'Content-Transfer-Encoding: quoted-printable',
    'Content-Disposition: attachment; filename="=?iso-8859-1?q?=e4?="',
    '',
    'a=20 \t',
    '=',
    '> b =E9',
    '--ab--',
  ),
];

export function fuzz(octets: Uint8Array): void {
  const message = Buffer.from(octets);
  const whole = scanMessage(message);
  assert.equal(whole.octets, message.length);
  assert.equal(whole.root.headerStart, 0);
  assert.equal(whole.root.bodyEnd, message.length);
  checkRanges(whole.root);
  checkLines(message, whole.root, false);
  // Four cuts: every octet by itself, and three sizes that meet line ends, boundaries and their middles.
  for (const size of message.length > 4096 ? [7, 1021] : [1, 2, 5, 64]) {
    assert.deepEqual(plainForm(scanInPieces(message, size)), plainForm(whole));
  }
  const digest = digestMessage(whole);
  checkImapList(latin1(digest.envelope));
  checkImapList(latin1(digest.body));
  checkImapList(latin1(digest.bodyStructure));
  assert.ok(Array.from(digest.preview).length <= 256);
  assert.ok(digest.preview.isWellFormed());
  for (const path of [[], [1], [1, 1], [2]]) {
    for (const text of ['BODY', 'MIME', 'HEADER', 'TEXT'] as const) {
      const range = findSection(whole.root, path, text);
      if (range !== undefined)
        assert.ok(range.start >= 0 && range.start <= range.end && range.end <= message.length);
    }
  }
  const header = message.subarray(0, whole.root.headerEnd);
  const kept =
    selectFields(header, ['Subject'], 'named').length + selectFields(header, ['Subject'], 'others').length;
  assert.ok(kept <= header.length + 4);
  for (const part of parts(whole.root)) toPlainText(part, message.subarray(part.headerEnd, part.bodyEnd));
}

export function scanInPieces(message: Uint8Array, size: number): ScannedMessage {
  const scanner = createScanner();
  for (let at = 0; at < message.length; at += size) {
    // The caller may reuse its memory: so does this one.
    const chunk = Buffer.from(message.subarray(at, at + size));
    scanner.push(chunk);
    chunk.fill(0x2d);
  }
  return scanner.end();
}

function plainForm({ root, octets, plain, html }: ScannedMessage): unknown {
  const excerpts = [plain, html].map((one) =>
    one === undefined ? undefined : [one.part.headerStart, latin1(one.octets), one.complete],
  );
  return { root, octets, excerpts };
}

function* parts(root: Part): Generator<Part> {
  yield root;
  for (const child of root.children) yield* parts(child);
}

/** Headers before bodies, children inside of their parents, one after the other. */
function checkRanges(part: Part): void {
  assert.ok(part.headerStart <= part.headerEnd && part.headerEnd <= part.bodyEnd);
  let at = part.headerEnd;
  for (const child of part.children) {
    assert.ok(child.headerStart >= at);
    checkRanges(child);
    at = child.bodyEnd;
  }
  assert.ok(at <= part.bodyEnd);
  if (part.kind === 'message') {
    assert.equal(part.children.length, 1);
    assert.equal(part.children[0]?.headerStart, part.headerEnd);
    assert.equal(part.children[0]?.bodyEnd, part.bodyEnd);
  }
  if (part.kind === 'leaf') assert.equal(part.children.length, 0);
  if (part.kind === 'multipart') assert.ok(part.children.length > 0);
}

function checkLines(message: Buffer, part: Part, inMessage: boolean): void {
  if (inMessage || part.kind === 'message' || part.type === 'text') {
    assert.equal(
      part.bodyLines,
      latin1(message.subarray(part.headerEnd, part.bodyEnd)).split('\n').length - 1,
    );
  }
  for (const child of part.children) checkLines(message, child, inMessage || part.kind === 'message');
}

/** One parenthesized list of RFC 9051 §9, and nothing after it. */
export function checkImapList(text: string): void {
  assert.equal(listEnd(text, 0), text.length, text);
}

function listEnd(text: string, start: number): number {
  assert.equal(text[start], '(');
  let at = start + 1;
  while (text[at] !== ')') {
    if (text[at] === ' ') at += 1;
    if (text[at] === '(') {
      at = listEnd(text, at);
      continue;
    }
    const rest = text.slice(at, at + 40);
    const literal = /^\{(\d+)\}\r\n/.exec(rest);
    const word = /^(?:NIL|\d+)(?=[ )])/.exec(rest);
    if (literal !== null) {
      const end = at + literal[0].length + Number(literal[1]);
      assert.ok(end < text.length && !text.slice(at, end).includes('\0'));
      at = end;
    } else if (word !== null) {
      at += word[0].length;
    } else {
      const quoted = /"(?:[^"\\\r\n\0\x80-\xff]|\\["\\])*"/y;
      quoted.lastIndex = at;
      const found = quoted.exec(text);
      assert.ok(found !== null, `no string at ${at} of ${text}`);
      at += found[0].length;
    }
  }
  return at + 1;
}
