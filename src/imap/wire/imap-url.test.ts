/** IMAP URLs of messages and parts: RFC 5092, RFC 4467. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatSection } from './command/fetch.ts';
import { parseMessageUrl, type MessageUrl } from './imap-url.ts';

const WHOLE = { part: [], text: { kind: 'whole' } } as const;
const HEX = '91354a473744909de610943775f92038';
const JOE = { user: 'joe', host: 'example.com', port: undefined };

const good: readonly (readonly [string, string, MessageUrl])[] = [
  ['5092 §7.1', '/INBOX/;UID=20', { mailbox: 'INBOX', uid: 20, section: WHOLE }],
  [
    '5092 §5',
    '/inbox;UIDVALIDITY=385759045/;uid=1',
    { mailbox: 'INBOX', uidValidity: 385_759_045, uid: 1, section: WHOLE },
  ],
  [
    '4469 Appendix A',
    '/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME',
    { mailbox: 'Drafts', uidValidity: 385_759_045, uid: 20, section: { part: [1], text: { kind: 'mime' } } },
  ],
  [
    '5092 §6, section encoded',
    '/a/;UID=4294967295/;SECTION=HEADER.FIELDS%20(From%20%22To%22)/;PARTIAL=3.5',
    {
      mailbox: 'a',
      uid: 4_294_967_295,
      section: { part: [], text: { kind: 'header-fields', not: false, names: ['From', 'To'] } },
      partial: { offset: 3, octets: 5 },
    },
  ],
  [
    '5092 §11, no count',
    '/a/;UID=1/;PARTIAL=1024',
    { mailbox: 'a', uid: 1, section: WHOLE, partial: { offset: 1024, octets: 4_294_967_295 } },
  ],
  [
    '5092 §8, UTF-8',
    '/%E6%97%A5%E6%9C%AC/a%20b%2Fc/;UID=1',
    { mailbox: '日本/a b/c', uid: 1, section: WHOLE },
  ],
  ['5092 §7, dot segments', '/a/./b/../c/;UID=1', { mailbox: 'a/c', uid: 1, section: WHOLE }],
  ['5092 §7, encoded dots are a name', '/a/%2E%2E/;UID=1', { mailbox: 'a/..', uid: 1, section: WHOLE }],
  [
    '5092 §9',
    'imap://minbari.example.org/gray-council;UIDVALIDITY=385759045/;UID=20/;PARTIAL=0.1024',
    {
      server: { user: undefined, host: 'minbari.example.org', port: undefined },
      mailbox: 'gray-council',
      uidValidity: 385_759_045,
      uid: 20,
      section: WHOLE,
      partial: { offset: 0, octets: 1024 },
    },
  ],
  [
    '5092 §3.2',
    'IMAP://J%C3%B6e%40x;AUTH=*@Example.COM:1143/INBOX/;UID=1',
    { server: { user: 'Jöe@x', host: 'example.com', port: 1143 }, mailbox: 'INBOX', uid: 1, section: WHOLE },
  ],
  [
    '3986 §3.2.2',
    'imap://[::1]:143/a/;UID=1',
    { server: { user: undefined, host: '[::1]', port: 143 }, mailbox: 'a', uid: 1, section: WHOLE },
  ],
  [
    '4467 §8',
    `imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:${HEX}`,
    {
      server: JOE,
      mailbox: 'INBOX',
      uid: 20,
      section: { part: [1, 2], text: { kind: 'whole' } },
      auth: {
        access: { kind: 'submit', user: 'fred' },
        rump: 'imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred',
        token: { mechanism: 'INTERNAL', hex: HEX },
      },
    },
  ],
  [
    '4467 §7, a rump, expiring',
    'imap://joe@example.com/a/;uid=2;expire=2006-05-04T03:02:01.5+02:00;urlauth=USER+J%C3%B6e',
    {
      server: JOE,
      mailbox: 'a',
      uid: 2,
      section: WHOLE,
      expireMs: Date.UTC(2006, 4, 4, 1, 2, 1),
      auth: {
        access: { kind: 'user', user: 'Jöe' },
        rump: 'imap://joe@example.com/a/;uid=2;expire=2006-05-04T03:02:01.5+02:00;urlauth=USER+J%C3%B6e',
      },
    },
  ],
  [
    '4467 §9, authuser',
    'imap://joe@example.com/a/;uid=2;EXPIRE=2006-05-04T03:02:01Z;URLAUTH=AuthUser',
    {
      server: JOE,
      mailbox: 'a',
      uid: 2,
      section: WHOLE,
      expireMs: Date.UTC(2006, 4, 4, 3, 2, 1),
      auth: {
        access: { kind: 'authuser' },
        rump: 'imap://joe@example.com/a/;uid=2;EXPIRE=2006-05-04T03:02:01Z;URLAUTH=AuthUser',
      },
    },
  ],
];

const AUTH = 'imap://joe@example.com/a/;uid=2';
const bad: readonly (readonly [string, string])[] = [
  ['nothing (same-document)', ''],
  ['RFC 5092 §7.2, a relative path', ';UID=20'],
  ['RFC 5092 §7.2, a relative path', 'INBOX/;UID=20'],
  ['RFC 5092 §7, a network path', '//example.com/a/;UID=1'],
  ['another scheme', 'http://example.com/a/;UID=1'],
  ['a server', 'imap://example.com/'],
  ['a mailbox', '/INBOX'],
  ['a mailbox by its dots (RFC 5092 §9.1)', '/foo/;UID=20/..'],
  ['a search', '/INBOX?SUBJECT%20x'],
  ['no mailbox', '/;UID=1'],
  ['no host', 'imap://joe@/a/;UID=1'],
  ['no UID', '/a/;UID='],
  ['UID 0', '/a/;UID=0'],
  ['a UID too large', '/a/;UID=4294967296'],
  ['a UID beyond all numbers', `/a/;UID=${'9'.repeat(400)}`],
  ['several UIDs', '/a/;UID=1:2'],
  ['UIDVALIDITY 0', '/a;UIDVALIDITY=0/;UID=1'],
  ['an empty section', '/a/;UID=1/;SECTION='],
  ['a section that is none', '/a/;UID=1/;SECTION=1.FOO'],
  ['a section that closes itself', '/a/;UID=1/;SECTION=1%5D%20'],
  ['a partial of nothing', '/a/;UID=1/;PARTIAL=0.0'],
  ['a partial without an offset', '/a/;UID=1/;PARTIAL=.5'],
  ['a partial beyond all numbers', '/a/;UID=1/;PARTIAL=4294967296'],
  ['parts in the wrong order', '/a/;UID=1/;PARTIAL=0.5/;SECTION=1'],
  ['a fragment', '/a/;UID=1#x'],
  ['a percent sign alone', '/a%/;UID=1'],
  ['a percent sign with half a number', '/a%4/;UID=1'],
  ['a mailbox that is no UTF-8', '/%FF/;UID=1'],
  ['a mailbox with a control character', '/a%0Ab/;UID=1'],
  ['octets that no URL has', '/a b/;UID=1'],
  ['octets that no URL has', '/a\xe9/;UID=1'],
  ['EXPIRE alone', `${AUTH};EXPIRE=2006-05-04T03:02:01Z`],
  ['a day that does not exist', `${AUTH};EXPIRE=2006-02-30T03:02:01Z;URLAUTH=anonymous`],
  ['a zone that does not exist', `${AUTH};EXPIRE=2006-02-03T03:02:01+24:00;URLAUTH=anonymous`],
  ['a time without a zone', `${AUTH};EXPIRE=2006-02-03T03:02:01;URLAUTH=anonymous`],
  ['nobody', `${AUTH};URLAUTH=submit+`],
  ['unknown access', `${AUTH};URLAUTH=everyone`],
  ['a mechanism without a token', `${AUTH};URLAUTH=anonymous:INTERNAL`],
  ['a short token', `${AUTH};URLAUTH=anonymous:INTERNAL:${HEX.slice(1)}`],
  ['a token that is not hexadecimal', `${AUTH};URLAUTH=anonymous:INTERNAL:${HEX}g`],
  ['something behind the token', `${AUTH};URLAUTH=anonymous:INTERNAL:${HEX}:x`],
];

describe('URLs that are read', () => {
  for (const [rfc, text, want] of good)
    test(`${text.slice(0, 80)} (RFC ${rfc})`, () => assert.deepEqual(parseMessageUrl(text), want));
});

describe('what is no URL of a message', () => {
  for (const [what, text] of bad)
    test(`${what}: ${text.slice(0, 80)}`, () => assert.equal(parseMessageUrl(text), undefined));
});

test('the rump and the token make the URL again, whatever its octets', () => {
  const [, , want] = good[11] ?? assert.fail();
  assert.ok(want.auth?.token);
  const url = `${want.auth.rump}:InTeRnAl:${HEX.toUpperCase()}`;
  const read = parseMessageUrl(url);
  assert.deepEqual(read?.auth?.token, { mechanism: 'INTERNAL', hex: HEX.toUpperCase() });
  assert.equal(read.auth.rump, want.auth.rump);
});

test('any mailbox, user, section and range that is encoded is read back', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter(
      (text) => text.isWellFormed() && !/[\p{Cc}\u2028\u2029]/u.test(text) && text.toUpperCase() !== 'INBOX',
    );
  const number = fc.integer({ min: 1, max: 4_294_967_295 });
  fc.assert(
    fc.property(
      name,
      name,
      number,
      number,
      fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }),
      fc.constantFrom('', 'HEADER', 'TEXT', 'HEADER.FIELDS (A "B" C)'),
      (user, mailbox, uid, uidValidity, part, text) => {
        const section = [...part, ...(text === '' ? [] : [text])].join('.');
        const encoded = (value: string): string => encodeURIComponent(value).replaceAll('.', '%2E');
        const url =
          `imap://${encoded(user)}@h/${encoded(mailbox)};UIDVALIDITY=${uidValidity}/;UID=${uid}` +
          `${section === '' ? '' : `/;SECTION=${encoded(section)}`}/;PARTIAL=${uid}.${uidValidity}`;
        const read = parseMessageUrl(url);
        assert.ok(read);
        assert.equal(read.server?.user, user);
        assert.equal(read.mailbox, mailbox);
        assert.deepEqual([read.uid, read.uidValidity], [uid, uidValidity]);
        assert.deepEqual(read.partial, { offset: uid, octets: uidValidity });
        assert.equal(formatSection(read.section), section.replace('"B"', 'B'));
      },
    ),
  );
});

test('a long text is answered in time', () => {
  for (const text of [
    '/'.repeat(100_000),
    `/${'/..'.repeat(50_000)}/;UID=1`,
    `/a${';UID=1'.repeat(20_000)}`,
    `imap://${'a;'.repeat(50_000)}`,
  ])
    assert.equal(parseMessageUrl(text), undefined);
});
