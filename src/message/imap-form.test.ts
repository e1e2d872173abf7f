import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toEnvelope } from './envelope.ts';
import { parseHeader } from './header.ts';
import { formatBody, formatEnvelope, imapNstring, imapString } from './imap-form.ts';
import { scanMessage } from './scan.ts';

const strings = [
  { name: 'plain', input: 'a b', want: '"a b"' },
  { name: 'quotes', input: 'a"\\', want: '"a\\"\\\\"' },
  { name: 'empty', input: '', want: '""' },
  { name: 'a line end', input: 'a\r\nb', want: '{4}\r\na\r\nb' },
  { name: '8-bit', input: '\xc3\xa4', want: '{2}\r\n\xc3\xa4' },
  { name: 'NUL', input: 'a\0', want: '{2}\r\na?' },
] as const;
for (const { name, input, want } of strings) {
  test(`${name} as a string (RFC 9051 §4.3)`, () => assert.equal(imapString(input), want));
}
test('NIL is not the empty string (RFC 9051 §7.5.2)', () => assert.equal(imapNstring(undefined), 'NIL'));

const FROM = '((NIL NIL "user" "domain"))';
const REAL = '(("Real Name" NIL "user" "domain"))';
const envelopes = [
  {
    name: 'all fields',
    input:
      'Message-ID: <msg@id>\nIn-Reply-To: <reply@to.id>\nDate: Sat, 01 Feb 2007 01:02:03 +0200\nSubject: subject header\n' +
      'From: From Real <f@f.org>\nTo: To Real <t@t.org>\nCc: c@c.org\nBcc: b@b.org\nSender: s@s.org\nReply-To: r@r.org\n',
    want:
      '("Sat, 01 Feb 2007 01:02:03 +0200" "subject header" (("From Real" NIL "f" "f.org")) ((NIL NIL "s" "s.org"))' +
      ' ((NIL NIL "r" "r.org")) (("To Real" NIL "t" "t.org")) ((NIL NIL "c" "c.org")) ((NIL NIL "b" "b.org"))' +
      ' "<reply@to.id>" "<msg@id>")',
  },
  { name: 'nothing', input: '', want: '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)' },
  { name: 'empty fields', input: 'Subject:\nTo:\nDate: \n', want: '("" "" NIL NIL NIL NIL NIL NIL NIL NIL)' },
  {
    name: 'sender and reply-to from from, absent or empty',
    input: 'From: user@domain (Real Name)\nSender: \n',
    want: `(NIL NIL ${REAL} ${REAL} ${REAL} NIL NIL NIL NIL NIL)`,
  },
  {
    name: 'groups',
    input: 'To: group: g1@d1.org, g2@d2.org;, group2: g3@d3.org;\n',
    want:
      '(NIL NIL NIL NIL NIL ((NIL NIL "group" NIL)(NIL NIL "g1" "d1.org")(NIL NIL "g2" "d2.org")(NIL NIL NIL NIL)' +
      '(NIL NIL "group2" NIL)(NIL NIL "g3" "d3.org")(NIL NIL NIL NIL)) NIL NIL NIL NIL)',
  },
  {
    name: 'a route',
    input: 'From: <@route:user@domain>\n',
    want: '(NIL NIL ((NIL "@route" "user" "domain")) ((NIL "@route" "user" "domain")) ((NIL "@route" "user" "domain")) NIL NIL NIL NIL NIL)',
  },
  {
    name: 'a missing domain is no group',
    input: 'To: postmaster\n',
    want: '(NIL NIL NIL NIL NIL ((NIL NIL "postmaster" "")) NIL NIL NIL NIL)',
  },
  {
    name: 'two fields of one name',
    input: 'From: user@domain\nSubject: a\nSubject: b\nTo: a@b\nTo: c@d\n',
    want: `(NIL "a" ${FROM} ${FROM} ${FROM} ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)`,
  },
  {
    name: 'encoded words stay',
    input: 'Subject: =?utf-8?q?a?=\n =?utf-8?q?b?=\n',
    want: '(NIL "=?utf-8?q?a?= =?utf-8?q?b?=" NIL NIL NIL NIL NIL NIL NIL NIL)',
  },
  {
    name: '8-bit goes in a literal',
    input: 'Subject: \xe4\n',
    want: '(NIL {1}\r\n\xe4 NIL NIL NIL NIL NIL NIL NIL NIL)',
  },
] as const;
for (const { name, input, want } of envelopes) {
  test(`envelope: ${name} (RFC 9051 §7.5.2)`, () =>
    assert.equal(formatEnvelope(toEnvelope(parseHeader(input))), want));
}

const EMPTY = '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)';
const bodies = [
  {
    name: 'plain text with the defaults',
    input: '\r\nhello\r\n',
    body: '("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1)',
    structure: '("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 7 1 NIL NIL NIL NIL)',
  },
  {
    name: 'every field',
    input:
      "Content-Type: Image/PNG; name*=iso-8859-1''%e4.png\r\nContent-Transfer-Encoding: Base64\r\nContent-ID: <a@b>\r\n" +
      'Content-Description: a "picture"\r\nContent-MD5: abc=\r\nContent-Disposition: INLINE; filename=x.png\r\n' +
      'Content-Language: en, de\r\nContent-Location: http://a/b\r\n\r\nAAAA',
    body: '("IMAGE" "PNG" ("NAME*" "utf-8\'\'%C3%A4.png") "<a@b>" "a \\"picture\\"" "BASE64" 4)',
    structure:
      '("IMAGE" "PNG" ("NAME*" "utf-8\'\'%C3%A4.png") "<a@b>" "a \\"picture\\"" "BASE64" 4 "abc="' +
      ' ("INLINE" ("FILENAME" "x.png")) ("en" "de") "http://a/b")',
  },
  {
    name: 'a multipart',
    input:
      'Content-Type: multipart/mixed; boundary=a\r\nContent-Language: en\r\n\r\n--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\nx\r\n--a\r\n\r\ny\r\n--a--\r\n',
    body: '(("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 1 0)("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 1 0) "MIXED")',
    structure:
      '(("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "7BIT" 1 0 NIL NIL NIL NIL)' +
      '("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 1 0 NIL NIL NIL NIL) "MIXED" ("BOUNDARY" "a") NIL "en" NIL)',
  },
  {
    name: 'an encapsulated message',
    input: 'Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\none\r\n',
    body: '("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 19 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 1) 3)',
    structure:
      '("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 19 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL) ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 5 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)',
  },
  {
    name: 'a message that cannot be looked into',
    input: 'Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA',
    body: '("APPLICATION" "OCTET-STREAM" NIL NIL NIL "BASE64" 4)',
    structure: '("APPLICATION" "OCTET-STREAM" NIL NIL NIL "BASE64" 4 NIL NIL NIL NIL)',
  },
  {
    name: 'a multipart without a boundary',
    input: 'Content-Type: multipart/mixed\r\n\r\nx',
    body: '("APPLICATION" "OCTET-STREAM" NIL NIL NIL "7BIT" 1)',
    structure: '("APPLICATION" "OCTET-STREAM" NIL NIL NIL "7BIT" 1 NIL NIL NIL NIL)',
  },
  {
    name: 'an empty encapsulated message',
    input: 'Content-Type: message/rfc822\r\n\r\n',
    body: `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 ${EMPTY} ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0) 0)`,
    structure: `("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 0 ${EMPTY} ("TEXT" "PLAIN" ("CHARSET" "us-ascii") NIL NIL "7BIT" 0 0 NIL NIL NIL NIL) 0 NIL NIL NIL NIL)`,
  },
] as const;
for (const { name, input, body, structure } of bodies) {
  test(`body structure: ${name} (RFC 9051 §7.5.2)`, () => {
    const forms = formatBody(scanMessage(Buffer.from(input, 'latin1')).root);
    assert.equal(forms.body, body);
    assert.equal(forms.bodyStructure, structure);
  });
}

test('octets that change their size with their case keep it', () => {
  const input = 'Content-Type: a/b; \xb5=1\r\nContent-Disposition: \xb5\xff; \xdf=2\r\n\r\n';
  const { bodyStructure } = formatBody(scanMessage(Buffer.from(input, 'latin1')).root);
  assert.equal(
    bodyStructure,
    '("A" "B" ({1}\r\n\xb5 "1") NIL NIL "7BIT" 0 NIL ({2}\r\n\xb5\xff ({1}\r\n\xdf "2")) NIL NIL)',
  );
});
