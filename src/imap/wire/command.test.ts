import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { COMMAND_LIMITS } from './command-reader.ts';
import { decodeCommand } from './command.ts';
import { formatBodyLabel, type FetchItem } from './command/fetch.ts';
import type { ParseContext } from './cursor.ts';
import { epochDay } from './date-time.ts';

const context: ParseContext = {
  ...COMMAND_LIMITS,
  utf8: false,
  nestingMax: 5,
  searchKeysMax: 20,
  fetchItemsMax: 5,
};

function decode(text: string, overrides: Partial<ParseContext> = {}): ReturnType<typeof decodeCommand> {
  return decodeCommand(Buffer.from(text, 'utf8'), { ...context, ...overrides });
}

const set = (first: number, last = first): object => ({ kind: 'ranges', ranges: [{ first, last }] });
const noReturn = {
  subscribed: false,
  children: false,
  specialUse: false,
  myRights: false,
  status: [],
  metadata: [],
};
const plainList = { selection: new Set(), returns: noReturn, extended: false };
const plain = (item: string): object => ({ kind: 'plain', item });
const whole = { part: [], text: { kind: 'whole' } };
const flag = (name: string): object => ({ kind: 'flag', flag: name });
const not = (key: object): object => ({ kind: 'not', key });
const noSearchReturn = { min: false, max: false, all: false, count: false, save: false };

/** Well formed: the arguments as they are read. */
const good: readonly (readonly [rfc: string, text: string, want: object])[] = [
  ['9051 §6.1.1', 'CAPABILITY', { verb: 'CAPABILITY' }],
  ['9051 §6.1.2', 'noop', { verb: 'NOOP' }],
  ['9051 §9, spaces at the end let pass', 'NOOP  ', { verb: 'NOOP' }],
  ['9051 §6.1.3', 'LOGOUT', { verb: 'LOGOUT' }],
  ['9051 §6.2.1', 'STARTTLS', { verb: 'STARTTLS' }],
  ['8437 §2', 'UNAUTHENTICATE', { verb: 'UNAUTHENTICATE' }],
  ['9051 §6.3.13', 'IDLE', { verb: 'IDLE' }],
  ['9051 §6.3.10', 'NAMESPACE', { verb: 'NAMESPACE' }],
  ['3501 §6.4.1', 'CHECK', { verb: 'CHECK' }],
  ['9051 §6.4.1', 'CLOSE', { verb: 'CLOSE' }],
  ['9051 §6.4.2', 'UNSELECT', { verb: 'UNSELECT' }],
  ['9051 §6.2.2', 'AUTHENTICATE plain', { verb: 'AUTHENTICATE', mechanism: 'PLAIN' }],
  [
    '4959 §3',
    'AUTHENTICATE PLAIN AGEAYg==',
    { verb: 'AUTHENTICATE', mechanism: 'PLAIN', initialResponse: Buffer.from('\0a\0b') },
  ],
  [
    '4959 §3',
    'AUTHENTICATE EXTERNAL =',
    { verb: 'AUTHENTICATE', mechanism: 'EXTERNAL', initialResponse: Buffer.alloc(0) },
  ],
  ['9051 §6.2.3', 'LOGIN fred "a\\"b\\\\c"', { verb: 'LOGIN', user: 'fred', password: 'a"b\\c' }],
  ['9051 §4.3', 'LOGIN {4}\r\nfred {3+}\r\na b', { verb: 'LOGIN', user: 'fred', password: 'a b' }],
  ['9051 §9, lenient', 'LOGIN fré ]ü', { verb: 'LOGIN', user: 'fré', password: ']ü' }],
  ['9051 §6.3.1', 'ENABLE imap4rev2 CONDSTORE', { verb: 'ENABLE', capabilities: ['IMAP4REV2', 'CONDSTORE'] }],
  ['2971 §3.1', 'ID NIL', { verb: 'ID', parameters: null }],
  [
    '2971 §3.1',
    'ID ("Name" "x" "os" NIL)',
    {
      verb: 'ID',
      parameters: new Map([
        ['name', 'x'],
        ['os', null],
      ]),
    },
  ],
  ['9051 §6.3.2', 'SELECT inBOX', { verb: 'SELECT', mailbox: 'INBOX', condstore: false }],
  ['9051 §6.3.3', 'EXAMINE "a b"', { verb: 'EXAMINE', mailbox: 'a b', condstore: false }],
  ['7162 §3.1.8', 'SELECT a (CONDSTORE)', { verb: 'SELECT', mailbox: 'a', condstore: true }],
  [
    '7162 §3.2.5',
    'SELECT a (QRESYNC (67890007 90060115194045000 41:211,214:541 (1,3 41,43)))',
    {
      verb: 'SELECT',
      mailbox: 'a',
      condstore: false,
      qresync: {
        uidValidity: 67890007,
        modSeq: Number.MAX_SAFE_INTEGER,
        knownUids: [
          { first: 41, last: 211 },
          { first: 214, last: 541 },
        ],
        sequenceMatch: {
          sequences: [
            { first: 1, last: 1 },
            { first: 3, last: 3 },
          ],
          uids: [
            { first: 41, last: 41 },
            { first: 43, last: 43 },
          ],
        },
      },
    },
  ],
  [
    '7162 §3.2.5',
    'SELECT a (QRESYNC (1 20 (1 2)))',
    {
      verb: 'SELECT',
      mailbox: 'a',
      condstore: false,
      qresync: {
        uidValidity: 1,
        modSeq: 20,
        sequenceMatch: { sequences: [{ first: 1, last: 1 }], uids: [{ first: 2, last: 2 }] },
      },
    },
  ],
  [
    '4314 §3.1',
    'SETACL inbox "bob@a.test" +lr',
    { verb: 'SETACL', mailbox: 'INBOX', identifier: 'bob@a.test', rights: '+lr' },
  ],
  ['4314 §3.1', 'SETACL a b ""', { verb: 'SETACL', mailbox: 'a', identifier: 'b', rights: '' }],
  ['4314 §3.2', 'DELETEACL a -b', { verb: 'DELETEACL', mailbox: 'a', identifier: '-b' }],
  ['4314 §3.3', 'GETACL a', { verb: 'GETACL', mailbox: 'a' }],
  ['4314 §3.4', 'LISTRIGHTS a b', { verb: 'LISTRIGHTS', mailbox: 'a', identifier: 'b' }],
  ['4314 §3.5', 'MYRIGHTS a', { verb: 'MYRIGHTS', mailbox: 'a' }],
  ['9208 §4.1.1', 'GETQUOTA ""', { verb: 'GETQUOTA', root: '' }],
  [
    '4467 §9',
    'GENURLAUTH "a" internal {1+}\r\nb INTERNAL',
    {
      verb: 'GENURLAUTH',
      requests: [
        { url: 'a', mechanism: 'INTERNAL' },
        { url: 'b', mechanism: 'INTERNAL' },
      ],
    },
  ],
  ['4467 §9', 'RESETKEY', { verb: 'RESETKEY', mechanisms: [] }],
  ['4467 §9', 'RESETKEY inbox a B', { verb: 'RESETKEY', mailbox: 'INBOX', mechanisms: ['A', 'B'] }],
  [
    '5524 §5',
    'URLFETCH a ("b" BINARY BODYPARTSTRUCTURE) (c)',
    {
      verb: 'URLFETCH',
      requests: [{ url: 'a' }, { url: 'b', items: ['BINARY', 'BODYPARTSTRUCTURE'] }, { url: 'c' }],
    },
  ],
  ['9208 §4.1.2', 'GETQUOTAROOT inbox', { verb: 'GETQUOTAROOT', mailbox: 'INBOX' }],
  ['9208 §4.1.3', 'SETQUOTA "#a" ()', { verb: 'SETQUOTA', root: '#a', limits: [] }],
  [
    '9208 §4.1.3',
    'SETQUOTA a (storage 512 X-FOO 0)',
    {
      verb: 'SETQUOTA',
      root: 'a',
      limits: [
        { name: 'STORAGE', limit: 512 },
        { name: 'X-FOO', limit: 0 },
      ],
    },
  ],
  [
    '5464 §4.2.1, options behind the mailbox',
    'GETMETADATA a (MAXSIZE 5 DEPTH infinity) (/Shared/x "/private/Y z")',
    {
      verb: 'GETMETADATA',
      mailbox: 'a',
      entries: ['/shared/x', '/private/y z'],
      maxSize: 5,
      depth: 'infinity',
    },
  ],
  [
    '5464 §5, options before the mailbox',
    'GETMETADATA (DEPTH 1) "" /shared /private',
    { verb: 'GETMETADATA', mailbox: '', entries: ['/shared', '/private'], maxSize: undefined, depth: 1 },
  ],
  [
    '5464 §5',
    'SETMETADATA a (/shared/x NIL /shared/y {1+}\r\nb /shared/z ~{1+}\r\n\0)',
    {
      verb: 'SETMETADATA',
      mailbox: 'a',
      changes: [
        { name: '/shared/x', value: null },
        { name: '/shared/y', value: Buffer.from('b') },
        { name: '/shared/z', value: Buffer.from([0]) },
      ],
    },
  ],
  ['9051 §6.3.4', 'CREATE a/b', { verb: 'CREATE', mailbox: 'a/b', uses: [] }],
  [
    '6154 §3',
    'CREATE a (USE (\\Sent \\Drafts))',
    { verb: 'CREATE', mailbox: 'a', uses: ['\\Sent', '\\Drafts'] },
  ],
  ['9051 §6.3.5', 'DELETE &AOk-', { verb: 'DELETE', mailbox: 'é' }],
  ['9051 §6.3.6', 'RENAME a "b"', { verb: 'RENAME', from: 'a', to: 'b' }],
  ['9051 §6.3.7', 'SUBSCRIBE a', { verb: 'SUBSCRIBE', mailbox: 'a' }],
  ['9051 §6.3.8', 'UNSUBSCRIBE a', { verb: 'UNSUBSCRIBE', mailbox: 'a' }],
  ['9051 §6.3.9', 'LIST "" *', { verb: 'LIST', reference: '', patterns: ['*'], ...plainList }],
  ['9051 §6.3.9', 'LIST "" ""', { verb: 'LIST', reference: '', patterns: [''], ...plainList }],
  [
    '5258 §3',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" (a% "b*") RETURN (CHILDREN SPECIAL-USE STATUS (MESSAGES SIZE))',
    {
      verb: 'LIST',
      reference: '',
      patterns: ['a%', 'b*'],
      selection: new Set(['SUBSCRIBED', 'RECURSIVEMATCH']),
      returns: {
        subscribed: false,
        children: true,
        specialUse: true,
        myRights: false,
        status: ['MESSAGES', 'SIZE'],
        metadata: [],
      },
      extended: true,
    },
  ],
  [
    '5258 §3',
    'LIST () "" % RETURN ()',
    { verb: 'LIST', reference: '', patterns: ['%'], ...plainList, extended: true },
  ],
  [
    '8440 §5',
    'LIST "" * RETURN (myrights)',
    {
      verb: 'LIST',
      reference: '',
      patterns: ['*'],
      ...plainList,
      returns: { ...noReturn, myRights: true },
      extended: true,
    },
  ],
  ['3501 §6.3.9', 'LSUB "#news." comp.*', { verb: 'LSUB', reference: '#news.', pattern: 'comp.*' }],
  [
    '9051 §6.3.11',
    'STATUS a (messages UIDNEXT SIZE HIGHESTMODSEQ MESSAGES)',
    { verb: 'STATUS', mailbox: 'a', items: ['MESSAGES', 'UIDNEXT', 'SIZE', 'HIGHESTMODSEQ'] },
  ],
  ['9051 §6.4.3', 'EXPUNGE', { verb: 'EXPUNGE', uid: false }],
  ['4315 §2.1', 'UID EXPUNGE 1:3', { verb: 'EXPUNGE', uid: true, set: set(1, 3) }],
  ['9051 §6.4.7', 'COPY 2 b', { verb: 'COPY', uid: false, set: set(2), mailbox: 'b' }],
  ['9051 §6.4.8', 'UID MOVE $ b', { verb: 'MOVE', uid: true, set: { kind: 'saved' }, mailbox: 'b' }],
  [
    '9051 §6.4.6',
    'STORE 1 FLAGS ()',
    { verb: 'STORE', uid: false, set: set(1), action: 'replace', silent: false, flags: [] },
  ],
  [
    '9051 §6.4.6',
    'UID STORE 1:* +flags.silent \\seen $Junk',
    {
      verb: 'STORE',
      uid: true,
      set: set(1, Infinity),
      action: 'add',
      silent: true,
      flags: ['\\Seen', '$Junk'],
    },
  ],
  [
    '7162 §3.1.3',
    'STORE 1 (UNCHANGEDSINCE 0) -FLAGS (\\Deleted)',
    {
      verb: 'STORE',
      uid: false,
      set: set(1),
      action: 'remove',
      silent: false,
      flags: ['\\Deleted'],
      unchangedSince: 0,
    },
  ],
  [
    '9051 §6.4.5',
    'FETCH 1 UID',
    { verb: 'FETCH', uid: false, set: set(1), items: [plain('UID')], vanished: false },
  ],
  [
    '9051 §6.4.5',
    'FETCH 1 fast',
    {
      verb: 'FETCH',
      uid: false,
      set: set(1),
      items: ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'].map(plain),
      vanished: false,
    },
  ],
  [
    '7162 §3.2.6',
    'UID FETCH 1:* (MODSEQ PREVIEW (LAZY)) (CHANGEDSINCE 12345 VANISHED)',
    {
      verb: 'FETCH',
      uid: true,
      set: set(1, Infinity),
      items: [plain('MODSEQ'), { kind: 'preview', lazy: true }],
      vanished: true,
      changedSince: 12_345,
    },
  ],
  [
    '9394 §3.3',
    'UID FETCH 1:* FLAGS (PARTIAL -1:-30)',
    {
      verb: 'FETCH',
      uid: true,
      set: set(1, Infinity),
      items: [plain('FLAGS')],
      vanished: false,
      partial: { first: -1, last: -30 },
    },
  ],
  [
    '5256 §3',
    'SORT (REVERSE DATE SUBJECT) utf-8 ALL',
    {
      verb: 'SORT',
      uid: false,
      criteria: [
        { key: 'DATE', reverse: true },
        { key: 'SUBJECT', reverse: false },
      ],
      key: { kind: 'all' },
    },
  ],
  [
    '5256 §3',
    'UID THREAD references US-ASCII UNSEEN',
    { verb: 'THREAD', uid: true, algorithm: 'REFERENCES', key: not(flag('\\Seen')) },
  ],
];

/** Each FETCH item and the label its response carries. */
const items: readonly (readonly [text: string, want: FetchItem | object, label?: string])[] = [
  ['BODY', { kind: 'body-structure-basic' }],
  ['BODYSTRUCTURE', plain('BODYSTRUCTURE')],
  ['RFC822.TEXT', { kind: 'rfc822', item: 'RFC822.TEXT' }],
  ['EMAILID', plain('EMAILID')],
  ['SAVEDATE', plain('SAVEDATE')],
  ['PREVIEW', { kind: 'preview', lazy: false }],
  ['BODY[]', { kind: 'body', section: whole, peek: false }, 'BODY[]'],
  [
    'body.peek[]<0.100>',
    { kind: 'body', section: whole, peek: true, partial: { offset: 0, octets: 100 } },
    'BODY[]<0>',
  ],
  ['BODY[1.2]', { kind: 'body', section: { ...whole, part: [1, 2] }, peek: false }, 'BODY[1.2]'],
  [
    'BODY[HEADER]',
    { kind: 'body', section: { part: [], text: { kind: 'header' } }, peek: false },
    'BODY[HEADER]',
  ],
  [
    'BODY[4.mime]',
    { kind: 'body', section: { part: [4], text: { kind: 'mime' } }, peek: false },
    'BODY[4.MIME]',
  ],
  [
    'BODY[4.1.TEXT]',
    { kind: 'body', section: { part: [4, 1], text: { kind: 'text' } }, peek: false },
    'BODY[4.1.TEXT]',
  ],
  [
    'BODY[3.HEADER.FIELDS.NOT (Date "X-(Y)" {4}\r\nFrom)]',
    {
      kind: 'body',
      section: { part: [3], text: { kind: 'header-fields', not: true, names: ['Date', 'X-(Y)', 'From'] } },
      peek: false,
    },
    'BODY[3.HEADER.FIELDS.NOT (Date "X-(Y)" From)]',
  ],
  ['BINARY[1]', { kind: 'binary', part: [1], peek: false }, 'BINARY[1]'],
  [
    'BINARY.PEEK[]<5.6>',
    { kind: 'binary', part: [], peek: true, partial: { offset: 5, octets: 6 } },
    'BINARY[]<5>',
  ],
  ['BINARY.SIZE[1.2]', { kind: 'binary-size', part: [1, 2] }, 'BINARY.SIZE[1.2]'],
];

const day = epochDay(1994, 2, 1);
const keys: readonly (readonly [text: string, want: object])[] = [
  ['ALL', { kind: 'all' }],
  [
    '1:3,5',
    {
      kind: 'sequence',
      set: {
        kind: 'ranges',
        ranges: [
          { first: 1, last: 3 },
          { first: 5, last: 5 },
        ],
      },
    },
  ],
  ['$', { kind: 'sequence', set: { kind: 'saved' } }],
  ['UID *', { kind: 'uid', set: set(Infinity) }],
  ['SEEN DELETED', { kind: 'and', keys: [flag('\\Seen'), flag('\\Deleted')] }],
  ['(SEEN (DELETED DRAFT))', { kind: 'and', keys: [flag('\\Seen'), flag('\\Deleted'), flag('\\Draft')] }],
  ['NEW', { kind: 'and', keys: [{ kind: 'recent' }, not(flag('\\Seen'))] }],
  ['OLD', not({ kind: 'recent' })],
  ['NOT NOT SEEN', flag('\\Seen')],
  ['NOT UNSEEN', flag('\\Seen')],
  ['KEYWORD $Junk UNKEYWORD x', { kind: 'and', keys: [flag('$Junk'), not(flag('x'))] }],
  ['OR SEEN OR DRAFT FLAGGED', { kind: 'or', keys: ['\\Seen', '\\Draft', '\\Flagged'].map(flag) }],
  ['CHARSET utf-8 SUBJECT {3+}\r\n\u00e9a', { kind: 'field', field: 'subject', value: 'éa' }],
  ['FROM "a b"', { kind: 'field', field: 'from', value: 'a b' }],
  ['HEADER Message-ID ""', { kind: 'header', name: 'Message-ID', value: '' }],
  ['BODY x', { kind: 'body', value: 'x' }],
  ['SINCE 1-Feb-1994', { kind: 'date', of: 'internal', relation: 'since', day }],
  ['SENTBEFORE "1-Feb-1994"', { kind: 'date', of: 'sent', relation: 'before', day }],
  ['SAVEDON 1-Feb-1994', { kind: 'date', of: 'saved', relation: 'on', day }],
  ['SAVEDATESUPPORTED', { kind: 'savedate-supported' }],
  ['LARGER 0', { kind: 'larger', octets: 0 }],
  ['SMALLER 9223372036854775807', { kind: 'smaller', octets: Number.MAX_SAFE_INTEGER }],
  ['UIDAFTER 7', { kind: 'uid', set: { kind: 'ranges', ranges: [{ first: 8, last: 4_294_967_295 }] } }],
  ['UIDAFTER 4294967295', { kind: 'not', key: { kind: 'all' } }],
  ['UIDBEFORE 7', { kind: 'uid', set: { kind: 'ranges', ranges: [{ first: 1, last: 6 }] } }],
  ['UIDBEFORE 1', { kind: 'not', key: { kind: 'all' } }],
  ['YOUNGER 60', { kind: 'younger', seconds: 60 }],
  ['MODSEQ 7', { kind: 'modseq', modSeq: 7 }],
  [
    'MODSEQ "/flags/\\\\draft" all 620162338',
    { kind: 'modseq', modSeq: 620_162_338, entry: { name: '/flags/\\draft', type: 'all' } },
  ],
  ['EMAILID M1', { kind: 'email-id', id: 'M1' }],
  ['FUZZY BODY x', { kind: 'fuzzy', key: { kind: 'body', value: 'x' } }],
  ['FILTER on-the-road', { kind: 'filter', name: 'on-the-road' }],
];

const returns: readonly (readonly [text: string, want: object])[] = [
  ['RETURN ()', { ...noSearchReturn, all: true }],
  ['RETURN (SAVE)', { ...noSearchReturn, save: true }],
  ['RETURN (min MAX COUNT)', { ...noSearchReturn, min: true, max: true, count: true }],
  ['RETURN (PARTIAL 1:10)', { ...noSearchReturn, partial: { first: 1, last: 10 } }],
];

/** Malformed, truncated or oversized: refused as BAD unless said, always with the tag. */
const refused: readonly (readonly [rfc: string, text: string, status?: 'NO', code?: string | object])[] = [
  ['9051 §7.1.3, unknown', 'XYZZY'],
  ['9051 §6.4.9, UID of another', 'UID NOOP'],
  ['9051 §6.4.9, UID alone', 'UID'],
  ['9051 §2.2.1, no verb', ''],
  ['9051 §9, arguments', 'NOOP x'],
  ['9051 §9, two spaces', 'LOGIN  a b'],
  ['9051 §9, truncated', 'LOGIN a'],
  ['9051 §9, truncated', 'LOGIN a '],
  ['9051 §9, quote open', 'LOGIN a "b'],
  ['9051 §9, escape', 'LOGIN a "\\b"'],
  ['9051 §9, escape at the end', 'LOGIN a "\\'],
  ['9051 §9, NUL', 'LOGIN a "b\0"'],
  ['9051 §9, NUL in a literal', 'LOGIN a {1}\r\n\0'],
  ['9051 §9, CR alone', 'LOGIN a "b\rc"'],
  ['9051 §9, literal inside', 'LOGIN a{1}\r\nb c'],
  ['9051 §4.3, literal cut short', 'LOGIN a {5}\r\nb'],
  ['9051 §9, too many', 'LOGIN a b c'],
  ['4648 §4, base64', 'AUTHENTICATE PLAIN AGEAYg='],
  ['9051 §9, atom', 'AUTHENTICATE "PLAIN"'],
  ['9051 §6.3.1, none', 'ENABLE'],
  ['2971 §3.1, atom', 'ID x'],
  ['2971 §3.1, odd', 'ID ("a")'],
  ['2971 §3.3, 31 pairs', `ID (${Array.from({ length: 31 }, (_, n) => `"${n}" "x"`).join(' ')})`],
  ['2971 §3.3, value', `ID ("a" "${'x'.repeat(1025)}")`],
  ['9051 §5.1, modified UTF-7', 'SELECT R&D', 'NO', 'CANNOT'],
  ['9051 §5.1, control', 'CREATE "a\tb"', 'NO', 'CANNOT'],
  ['4466 §2.1, parameter', 'SELECT a (FOO)'],
  ['7162 §3.2.5, star', 'SELECT a (QRESYNC (1 2 1:*))'],
  ['7162 §3.2.5, zero', 'SELECT a (QRESYNC (1 0))'],
  ['7162 §3.2.5, open', 'SELECT a (QRESYNC (1 2)'],
  ['6154 §3, use', 'CREATE a (USE (Sent))'],
  ['9051 §6.3.6, one name', 'RENAME a'],
  ['9051 §6.3.9, no pattern', 'LIST ""'],
  ['9051 §6.3.9.1, modifier alone', 'LIST (RECURSIVEMATCH) "" *'],
  ['5258 §3, option', 'LIST (FOO) "" *'],
  ['5258 §3, return', 'LIST "" * RETURN (FOO)'],
  ['5258 §6, no pattern', 'LIST "" ()'],
  ['9051 §6.3.11, none', 'STATUS a ()'],
  ['9051 §6.3.11, item', 'STATUS a (FOO)'],
  ['9051 §9, flag', 'STORE 1 FLAGS (\\Newest)'],
  ['9051 §6.4.6, unknown flag', 'STORE 1 FLAGS \\Foo'],
  ['9051 §6.4.6, keyword', 'STORE 1 FLAGS (a] )'],
  ['9051 §9, set', 'STORE 0 FLAGS ()'],
  ['7162 §3.1.3, modifier', 'STORE 1 (FOO 1) FLAGS ()'],
  ['9051 §6.4.5, none', 'FETCH 1 ()'],
  ['9051 §6.4.5, macro in a list', 'FETCH 1 (ALL)'],
  ['9051 §6.4.5, unknown', 'FETCH 1 FOO'],
  ['9051 §6.4.5, section open', 'FETCH 1 BODY['],
  ['9051 §6.4.5.1, MIME alone', 'FETCH 1 BODY[MIME]'],
  ['9051 §6.4.5.1, part 0', 'FETCH 1 BODY[0]'],
  ['9051 §6.4.5.1, dot', 'FETCH 1 BODY[1.]'],
  ['9051 §6.4.5.1, no dot', 'FETCH 1 BODY[1HEADER]'],
  ['9051 §6.4.5.1, fields', 'FETCH 1 BODY[HEADER.FIELDS ()]'],
  ['9051 §6.4.5.1, a name that breaks a line', 'FETCH 1 BODY[HEADER.FIELDS ({3}\r\na\r\n)]'],
  ['9051 §9, partial', 'FETCH 1 BODY[]<0.0>'],
  ['9051 §9, partial', 'FETCH 1 BODY[]<0>'],
  ['3516 §5, section', 'FETCH 1 BINARY[HEADER]'],
  ['levels of parts', `FETCH 1 BODY[${'1.'.repeat(101)}1]`],
  ['7162 §3.2.6, VANISHED of FETCH', 'FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)'],
  ['7162 §3.2.6, VANISHED alone', 'UID FETCH 1 FLAGS (VANISHED)'],
  ['7162 §7, 64 bits', 'FETCH 1 FLAGS (CHANGEDSINCE 9223372036854775808)'],
  ['9394 §3.1, sides', 'FETCH 1 FLAGS (PARTIAL 1:-2)'],
  ['limit of items', 'FETCH 1 (UID UID UID UID UID UID)', 'NO', 'LIMIT'],
  ['9051 §6.4.4, none', 'SEARCH'],
  ['9051 §6.4.4, unknown', 'SEARCH FOO'],
  ['9051 §6.4.4, truncated', 'SEARCH OR SEEN'],
  ['9051 §6.4.4, truncated', 'SEARCH NOT'],
  ['9051 §6.4.4, open', 'SEARCH (SEEN'],
  ['9051 §6.4.4, empty', 'SEARCH ()'],
  ['9051 §6.4.4, closed twice', 'SEARCH (SEEN))'],
  ['9051 §6.4.4, date', 'SEARCH SINCE 31-Feb-2000'],
  ['9738 §3.2, several UIDs', 'SEARCH UIDAFTER 1:2'],
  ['9738 §3.2, no UID', 'SEARCH UIDBEFORE 0'],
  ['9738 §3.2, no UID', 'SEARCH UIDAFTER *'],
  [
    '9051 §6.4.4, charset',
    'SEARCH CHARSET KOI8-R SUBJECT x',
    'NO',
    { kind: 'BADCHARSET', charsets: ['US-ASCII', 'UTF-8'] },
  ],
  ['9051 §6.4.4, return', 'SEARCH RETURN (FOO) ALL'],
  ['9394 §3.1, both', 'SEARCH RETURN (ALL PARTIAL 1:2) ALL'],
  ['limit of nesting', `SEARCH ${'('.repeat(6)}SEEN${')'.repeat(6)}`, 'NO', 'LIMIT'],
  ['limit of keys', `SEARCH ${'SEEN '.repeat(21)}`, 'NO', 'LIMIT'],
  ['limit of keys, nested', `SEARCH ${'NOT '.repeat(21)}SEEN`, 'NO', 'LIMIT'],
  ['5256 §3, no charset', 'SORT (DATE) ALL', 'NO', { kind: 'BADCHARSET', charsets: ['US-ASCII', 'UTF-8'] }],
  ['5256 §3, no keys', 'SORT (DATE) UTF-8'],
  ['5256 §3, criterion', 'SORT (FOO) UTF-8 ALL'],
  ['5256 §3, none', 'SORT () UTF-8 ALL'],
  ['5256 §3, algorithm', 'THREAD FOO UTF-8 ALL'],
  ['9051 §6.3.12, no message', 'APPEND a'],
];

suite('commands', () => {
  for (const [rfc, text, want] of good)
    test(`${text} (RFC ${rfc})`, () => {
      const result = decode(`A1 ${text}`);
      assert.deepEqual(result, { ok: true, value: { tag: 'A1', command: want } });
    });
  for (const [text, want, label] of items)
    test(`FETCH ${text} (RFC 9051 §6.4.5)`, () => {
      const result = decode(`A1 FETCH 1 (${text} UID)`);
      assert.ok(result.ok && result.value.command.verb === 'FETCH', JSON.stringify(result));
      const [item] = result.value.command.items;
      assert.deepEqual(item, want);
      if (item?.kind === 'body' || item?.kind === 'binary' || item?.kind === 'binary-size')
        assert.equal(formatBodyLabel(item), label);
    });
  for (const [text, want] of keys)
    test(`SEARCH ${text} (RFC 9051 §6.4.4)`, () =>
      assert.deepEqual(decode(`A1 SEARCH ${text}`), {
        ok: true,
        value: { tag: 'A1', command: { verb: 'SEARCH', uid: false, key: want } },
      }));
  for (const [text, want] of returns)
    test(`SEARCH ${text} ALL (RFC 9051 §6.4.4)`, () =>
      assert.deepEqual(decode(`A1 UID SEARCH ${text} ALL`), {
        ok: true,
        value: { tag: 'A1', command: { verb: 'SEARCH', uid: true, returns: want, key: { kind: 'all' } } },
      }));
  for (const [rfc, text, status, code] of refused)
    test(`refuses ${text.slice(0, 60)} (RFC ${rfc})`, () => {
      const result = decode(`A1 ${text}`);
      assert.ok(!result.ok);
      assert.equal(result.error.status, status ?? 'BAD');
      assert.equal(result.error.tag, 'A1');
      assert.deepEqual(result.error.code, code);
      assert.match(result.error.text, /^[\x20-\x7e]+[^.]$/);
    });

  for (const text of ['', ' ', '+ NOOP', '* NOOP', '(A) NOOP', 'A\x01 NOOP'])
    test(`no tag in ${JSON.stringify(text)} (RFC 9051 §2.2.1)`, () => {
      const result = decode(text);
      assert.ok(!result.ok);
      assert.equal(result.error.tag, undefined);
    });
  test('a tag alone is answered with it', () => {
    const result = decode('A1');
    assert.ok(!result.ok);
    assert.equal(result.error.tag, 'A1');
  });

  test('names are UTF-8 after ENABLE IMAP4rev2 (RFC 9051 §5.1)', () => {
    const result = decode('A1 SELECT "R&D é"', { utf8: true });
    assert.ok(result.ok && result.value.command.verb === 'SELECT');
    assert.equal(result.value.command.mailbox, 'R&D é');
  });

  test('a charset of the caller is used (RFC 9051 §6.4.4)', () => {
    const decodeCharset = (charset: string, octets: Buffer): string | undefined =>
      charset === 'ISO-8859-1' ? octets.toString('latin1') : undefined;
    const result = decodeCommand(Buffer.from('A1 SEARCH CHARSET iso-8859-1 BODY \xe9', 'latin1'), {
      ...context,
      decodeCharset,
    });
    assert.deepEqual(result.ok && result.value.command, {
      verb: 'SEARCH',
      uid: false,
      key: { kind: 'body', value: 'é' },
    });
  });

  test('a prefix of any good command is answered, never thrown upon', () => {
    for (const [, text] of good)
      for (let end = 0; end < text.length; end += 1) {
        const result = decode(`A1 ${text.slice(0, end)}`);
        assert.equal(typeof result.ok, 'boolean');
      }
  });
  test('any octet put for another is answered', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...good.map(([, text]) => text)),
        fc.nat(),
        fc.nat(255),
        (text, at, octet) => {
          const octets = Buffer.from(`A1 ${text}`);
          octets[at % octets.length] = octet;
          const result = decodeCommand(octets, context);
          if (!result.ok) assert.match(result.error.text, /^[\x20-\x7e]+$/);
        },
      ),
      { numRuns: 5000 },
    );
  });
  test('parentheses 10,000 deep are answered quickly', () => {
    const limits = { nestingMax: 50, searchKeysMax: 1000 };
    for (const text of [
      `SEARCH ${'('.repeat(10_000)}`,
      `SEARCH ${'OR '.repeat(10_000)}`,
      `ID ${'('.repeat(10_000)}`,
    ]) {
      const result = decode(`A1 ${text}`, limits);
      assert.equal(result.ok, false);
    }
  });
  test('1,000 keys in one chain of OR are a flat tree', () => {
    const result = decode(`A1 SEARCH ${'OR SEEN '.repeat(499)}SEEN`, { searchKeysMax: 1000 });
    assert.ok(result.ok && result.value.command.verb === 'SEARCH');
    assert.ok(result.value.command.key.kind === 'or');
    assert.equal(result.value.command.key.keys.length, 500);
  });
});
