import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SectionText } from './part.ts';
import { findPart, findSection, selectFields } from './part.ts';
import { scanMessage } from './scan.ts';

const nested = Buffer.from(
  [
    'From: user@domain.org',
    'Content-Type: message/rfc822',
    '',
    'From: sub@domain.org',
    'Content-Type: multipart/digest; boundary="foo"',
    '',
    'prologue',
    '',
    '--foo ',
    '',
    'From: m1@example.com',
    '',
    'm1 body',
    '',
    '--foo ',
    'X-Mime: m2 header',
    '',
    'From: m2@example.com',
    '',
    'm2 body',
    '',
    '--foo--',
    '',
    'epilogue',
    '',
  ].join('\r\n'),
);
const inner = nested.subarray(nested.indexOf('From: sub')).toString();

const cases: readonly { path: number[]; text: SectionText; want: string | undefined }[] = [
  { path: [], text: 'BODY', want: nested.toString() },
  { path: [], text: 'HEADER', want: nested.toString().slice(0, -inner.length) },
  { path: [], text: 'TEXT', want: inner },
  { path: [], text: 'MIME', want: undefined },
  { path: [1], text: 'BODY', want: inner },
  { path: [1], text: 'HEADER', want: inner.slice(0, inner.indexOf('prologue')) },
  { path: [1], text: 'TEXT', want: inner.slice(inner.indexOf('prologue')) },
  { path: [1, 1], text: 'BODY', want: 'From: m1@example.com\r\n\r\nm1 body\r\n' },
  { path: [1, 1], text: 'MIME', want: '\r\n' },
  { path: [1, 1], text: 'HEADER', want: 'From: m1@example.com\r\n\r\n' },
  { path: [1, 1], text: 'TEXT', want: 'm1 body\r\n' },
  { path: [1, 1, 1], text: 'BODY', want: 'm1 body\r\n' },
  { path: [1, 1, 1], text: 'HEADER', want: undefined },
  { path: [1, 2], text: 'MIME', want: 'X-Mime: m2 header\r\n\r\n' },
  { path: [1, 2], text: 'BODY', want: 'From: m2@example.com\r\n\r\nm2 body\r\n' },
  { path: [1, 3], text: 'BODY', want: undefined },
  { path: [2], text: 'BODY', want: undefined },
  { path: [1, 1, 1, 1], text: 'BODY', want: undefined },
  { path: [0], text: 'BODY', want: undefined },
];
for (const { path, text, want } of cases) {
  test(`BODY[${[...path, text].join('.')}] (RFC 9051 §6.4.5)`, () => {
    const range = findSection(scanMessage(nested).root, path, text);
    assert.equal(range === undefined ? undefined : nested.subarray(range.start, range.end).toString(), want);
  });
}

test('a message that is no multipart has part 1 and no other (RFC 9051 §6.4.5)', () => {
  const { root } = scanMessage(Buffer.from('A: b\r\n\r\ntext'));
  assert.equal(findPart(root, [1]), root);
  assert.equal(findPart(root, [1, 1]), undefined);
  assert.equal(findPart(root, [2]), undefined);
  assert.deepEqual(findSection(root, [1], 'MIME'), { start: 0, end: 8 });
});

const header = 'A: 1\r\nB: 2\r\n folded\r\na: 3\r\nno field\r\n\r\n';
const selections = [
  { names: ['a'], keeps: 'named', section: header, want: 'A: 1\r\na: 3\r\n\r\n' },
  { names: ['A', 'B'], keeps: 'others', section: header, want: 'no field\r\n\r\n' },
  { names: ['X'], keeps: 'named', section: header, want: '\r\n' },
  { names: ['B'], keeps: 'named', section: 'A: 1\nB: 2\n\n', want: 'B: 2\n\n' },
  { names: ['A'], keeps: 'named', section: 'A: 1\r\n', want: 'A: 1\r\n' },
  { names: ['A'], keeps: 'named', section: '\r\n', want: '\r\n' },
] as const;
for (const { names, keeps, section, want } of selections) {
  test(`fields ${keeps} ${names.join(' ')} of ${JSON.stringify(section)} (RFC 9051 §6.4.5)`, () => {
    assert.equal(selectFields(Buffer.from(section), names, keeps).toString(), want);
  });
}
