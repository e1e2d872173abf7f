import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recipientsOf, repairHeader, splitHeader } from './submitted-header.ts';

const crlf = (text: string): string => text.replaceAll('\n', '\r\n');

/** [what is proved, message, header, body] */
const splits: readonly (readonly [string, string, string, string])[] = [
  ['an empty line ends the header', 'A: 1\nB: 2\n\nhi\n', 'A: 1\nB: 2\n', '\nhi\n'],
  ['folded fields', 'A: 1\n 2\n\t3\n\nhi\n', 'A: 1\n 2\n\t3\n', '\nhi\n'],
  ['no header at all', 'Dear Bob,\nhi\n', '', '\nDear Bob,\nhi\n'],
  ['an empty line first', '\nhi\n', '', '\nhi\n'],
  [
    'a line that is no field ends it, and is content',
    'A: 1\nhi there\nmore\n',
    'A: 1\n',
    '\nhi there\nmore\n',
  ],
  ['the marks of a mailbox file', 'From bob Mon Jan 1\n>From x\nA: 1\n\nhi\n', 'A: 1\n', '\nhi\n'],
  ['a header alone', 'A: 1\n', 'A: 1\n', '\n'],
  ['nothing', '', '', '\n'],
];
for (const [what, text, header, body] of splits)
  test(`split: ${what}`, () =>
    assert.deepEqual(splitHeader(crlf(text), true), {
      kind: 'split',
      header: crlf(header),
      body: crlf(body),
    }));

test('split: what has not come is waited for', () => {
  assert.deepEqual(splitHeader('A: 1\r\n', false), { kind: 'need-more' });
  assert.deepEqual(splitHeader('A: 1\r\n\r', false), { kind: 'need-more' });
});

/** [what is proved, header, recipients] */
const recipients: readonly (readonly [string, string, readonly string[]])[] = [
  [
    'To, Cc and Bcc, each once',
    'To: a@x.test\nCc: b@x.test, a@x.test\nBcc: c@x.test\n',
    ['a@x.test', 'b@x.test', 'c@x.test'],
  ],
  ['several fields, any case', 'TO: a@x.test\nto: b@x.test\n', ['a@x.test', 'b@x.test']],
  [
    'groups and comments (RFC 5322 §3.4)',
    'To: Us: a@x.test (Al), "B, Q" <b@x.test>;, (all) c@x.test\n',
    ['a@x.test', 'b@x.test', 'c@x.test'],
  ],
  ['folded', 'To: a@x.test,\n b@x.test\n', ['a@x.test', 'b@x.test']],
  ['an empty group', 'To: undisclosed-recipients:;\nBcc: a@x.test\n', ['a@x.test']],
  ['bare names', 'To: root\n', ['root@here.test']],
  ['quoted local parts', 'To: "a b"@x.test\n', ['"a b"@x.test']],
  [
    'Resent- fields take precedence (RFC 5322 §3.6.6)',
    'To: a@x.test\nResent-To: b@x.test\nResent-Bcc: c@x.test\n',
    ['b@x.test', 'c@x.test'],
  ],
  ['fields of other names', 'Reply-To: a@x.test\nX-To: b@x.test\n', []],
];
for (const [what, header, want] of recipients)
  test(`recipients: ${what}`, () => assert.deepEqual(recipientsOf(crlf(header), 'here.test'), want));

const FACTS = {
  domain: 'here.test',
  sender: 'bob@here.test',
  address: 'bob@here.test',
  fullName: 'Bob B. Ünal',
  nowMs: Date.UTC(2026, 0, 2, 3, 4, 5),
  zoneMinutes: 60,
  id: 'ID',
};
const ID = 'Message-ID: <ID@here.test>\n';
const DATE = 'Date: Fri, 2 Jan 2026 04:04:05 +0100\n';
const FROM = 'From: =?utf-8?q?Bob_B=2E_=C3=9Cnal?= <bob@here.test>\n';
const WHOLE = 'Message-ID: <1@x.test>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\nFrom: a@x.test\n';

/** [what is proved, header, repaired] */
const repairs: readonly (readonly [string, string, string])[] = [
  ['what is whole stays as it was, octet for octet', `${WHOLE}X-y :  \tz \n`, `${WHOLE}X-y :  \tz \n`],
  ['what is missing is added (RFC 5322 §3.6)', 'Subject: hi\n', `${ID}${DATE}${FROM}Subject: hi\n`],
  ['only what is missing', 'from: a@x.test\nDATE: x\n', `${ID}from: a@x.test\nDATE: x\n`],
  [
    'Bcc goes (RFC 5322 §3.6.3), and what is ours to write',
    `${WHOLE}Bcc: a@x.test,\n b@x.test\nReturn-Path: <x>\n`,
    WHOLE,
  ],
  [
    'bare names are at home here',
    `${ID}${DATE}From: root (Cron Daemon)\nTo: bob\n`,
    `${ID}${DATE}From: root@here.test (Cron Daemon)\nTo: bob@here.test\n`,
  ],
  ['more than a bare name is left alone', `${WHOLE}To: bob, al\n`, `${WHOLE}To: bob, al\n`],
  [
    'what is sent again has its own fields (RFC 5322 §3.6.6)',
    `${WHOLE}Resent-To: b@x.test\n`,
    `Resent-${ID}Resent-${DATE}Resent-${FROM}${WHOLE}Resent-To: b@x.test\n`,
  ],
  ['a last line without its end', 'Subject: hi', `${ID}${DATE}${FROM}Subject: hi\n`],
];
for (const [what, header, want] of repairs)
  test(`repair: ${what}`, () => assert.equal(repairHeader(crlf(header), FACTS), crlf(want)));

test('repair: From is who it is sent by, and of a null reverse-path who submits it', () => {
  const from = (change: Partial<typeof FACTS | { sender: null }>): string =>
    /From: (.*)\r\n/.exec(repairHeader('', { ...FACTS, fullName: '', ...change }))?.[1] ?? '';
  assert.equal(from({ sender: 'list@x.test' }), 'list@x.test');
  assert.equal(from({ sender: '"a \\"b\\" c"@x.test' }), '"a \\"b\\" c"@x.test');
  assert.equal(from({ sender: null }), 'bob@here.test');
  assert.equal(from({ fullName: 'A "Q" B' }), '"A \\"Q\\" B" <bob@here.test>');
});
