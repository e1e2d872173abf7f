import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestMessage, hasAttachment } from './digest.ts';
import { scanMessage } from './scan.ts';

function digest(text: string): ReturnType<typeof digestMessage> {
  return digestMessage(scanMessage(Buffer.from(text, 'latin1')));
}

test('all that the store keeps, from one scan', () => {
  const made = digest(
    'From: =?utf-8?q?J=C3=B6rg?= <Joerg@example.org>\r\nTo: "Team": a@b;, c@d\r\nCc: x@y\r\n' +
      'Subject: Re: [l] =?utf-8?q?=C3=84rger?=\r\nDate: Sat, 1 Feb 2003 04:05:06 +0700\r\nMessage-ID: <m@x>\r\n' +
      'In-Reply-To: <r@x>\r\nReferences: <p@x> <q@x>\r\n\r\nhello\r\n',
  );
  assert.equal(made.octets, 233);
  assert.equal(made.headerOctets, 226);
  assert.equal(made.preview, 'hello');
  assert.equal(made.sentAtMs, Date.parse('2003-01-31T21:05:06Z'));
  assert.equal(made.messageId, 'm@x');
  assert.deepEqual(made.references, ['p@x', 'q@x']);
  assert.deepEqual(new Set(made.threadIds), new Set(['m@x', 'r@x', 'p@x', 'q@x']));
  assert.equal(made.subject, 'Re: [l] Ärger');
  assert.equal(made.baseSubject, 'Ärger');
  assert.deepEqual(made.sortKeys, {
    subject: 'ÄRGER'.normalize('NFKD'),
    from: 'JOERG',
    to: 'TEAM',
    cc: 'X',
    displayFrom: 'JÖRG'.normalize('NFKD'),
    displayTo: 'TEAM',
  });
  assert.equal(made.hasAttachment, false);
});

test('without References the first id of In-Reply-To is the parent (RFC 5256 §3, REFERENCES step 1)', () => {
  assert.deepEqual(digest('In-Reply-To: <a@b> <c@d>\r\n\r\n').references, ['a@b']);
  assert.deepEqual(digest('References: none\r\nIn-Reply-To: <a@b>\r\n\r\n').references, ['a@b']);
});

test('the address stands in for a display name that is missing (RFC 5957 §3)', () => {
  assert.equal(digest('From: a@b\r\nTo: postmaster\r\n\r\n').sortKeys.displayFrom, 'A@B');
  assert.equal(digest('To: postmaster\r\n\r\n').sortKeys.displayTo, 'POSTMASTER');
  assert.equal(digest('').sortKeys.displayFrom, '');
});

const multipart = (subtype: string, ...parts: string[]): string =>
  `Content-Type: multipart/${subtype}; boundary=a\r\n\r\n${parts.map((part) => `--a\r\n${part}\r\n\r\nx\r\n`).join('')}--a--\r\n`;
const attachments = [
  { name: 'text', input: 'A: b\r\n\r\nx', want: false },
  {
    name: 'an attached text',
    input: multipart('mixed', 'A: b', 'Content-Disposition: attachment'),
    want: true,
  },
  { name: 'a picture', input: multipart('mixed', 'A: b', 'Content-Type: image/png'), want: true },
  {
    name: 'a picture that the text shows',
    input: multipart('related', 'Content-Type: text/html', 'Content-Type: image/png\r\nContent-ID: <a@b>'),
    want: false,
  },
  {
    name: 'a signature',
    input: multipart('signed', 'A: b', 'Content-Type: application/pgp-signature; name=s.asc'),
    want: false,
  },
  {
    name: 'two forms of one text',
    input: multipart('alternative', 'A: b', 'Content-Type: text/html'),
    want: false,
  },
  { name: 'a message', input: multipart('mixed', 'A: b', 'Content-Type: message/rfc822'), want: true },
  { name: 'a PDF alone', input: 'Content-Type: application/pdf\r\n\r\nx', want: true },
  {
    name: 'a text with a name',
    input: multipart('mixed', 'A: b', 'Content-Type: text/csv; name=a.csv'),
    want: true,
  },
] as const;
for (const { name, input, want } of attachments) {
  test(`${name}: ${want ? 'an' : 'no'} attachment`, () => {
    assert.equal(hasAttachment(scanMessage(Buffer.from(input)).root), want);
  });
}
