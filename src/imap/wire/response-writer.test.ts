import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import type { ResponseCode } from './response-code.ts';
import type { Untagged } from './response.ts';
import { ResponseReader, decodeResponse, fetchItems, tokenText } from './response-reader.ts';
import { encodeCompletion, encodeResponse, ResponseWriter } from './response-writer.ts';
import { encodeAstring, encodeMailbox, encodeString } from './string.ts';

const range = (first: number, last = first): { first: number; last: number } => ({ first, last });
const root = { attributes: ['\\HasChildren'], delimiter: '/' };

const responses: readonly (readonly [rfc: string, response: Untagged, want: string])[] = [
  ['9051 §7.1.1', { kind: 'status', status: 'OK', text: 'hello' }, '* OK hello'],
  [
    '9051 §7.1.5',
    { kind: 'status', status: 'BYE', code: 'UNAVAILABLE', text: 'a\r\nb' },
    '* BYE [UNAVAILABLE] a??b',
  ],
  ['9051 §7.2.2', { kind: 'capability', capabilities: ['IMAP4rev2', 'IDLE'] }, '* CAPABILITY IMAP4rev2 IDLE'],
  ['9051 §7.2.1', { kind: 'enabled', capabilities: [] }, '* ENABLED'],
  ['9051 §7.3.5', { kind: 'flags', flags: ['\\Seen', '$Junk'] }, '* FLAGS (\\Seen $Junk)'],
  ['9051 §7.4.1', { kind: 'exists', value: 3 }, '* 3 EXISTS'],
  ['9051 §7.5.1', { kind: 'expunge', value: 2 }, '* 2 EXPUNGE'],
  [
    '7162 §3.2.10',
    { kind: 'vanished', earlier: true, uids: [range(1, 3), range(9)] },
    '* VANISHED (EARLIER) 1:3,9',
  ],
  ['9051 §7.3.1', { kind: 'list', ...root, mailbox: 'INBOX' }, '* LIST (\\HasChildren) "/" INBOX'],
  ['9051 §7.3.1', { kind: 'list', attributes: [], delimiter: null, mailbox: 'nil' }, '* LIST () NIL "nil"'],
  ['9051 §7.3.1', { kind: 'list', ...root, mailbox: 'R&D é' }, '* LIST (\\HasChildren) "/" "R&-D &AOk-"'],
  [
    '9051 §7.3.1',
    { kind: 'list', ...root, mailbox: 'a', childInfo: ['SUBSCRIBED'], oldName: 'b c' },
    '* LIST (\\HasChildren) "/" a ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("b c"))',
  ],
  ['3501 §7.2.3', { kind: 'lsub', attributes: [], delimiter: '\\', mailbox: '' }, '* LSUB () "\\\\" ""'],
  [
    '9051 §7.3.4',
    {
      kind: 'mailbox-status',
      mailbox: 'a',
      data: [
        { item: 'MESSAGES', value: 1 },
        { item: 'MAILBOXID', id: 'F1' },
        { item: 'APPENDLIMIT', value: null },
      ],
    },
    '* STATUS a (MESSAGES 1 MAILBOXID (F1) APPENDLIMIT NIL)',
  ],
  [
    '9051 §7.3.2',
    {
      kind: 'namespace',
      personal: [{ prefix: '', delimiter: '/' }],
      otherUsers: [],
      shared: [{ prefix: 'Public/', delimiter: '/' }],
    },
    '* NAMESPACE (("" "/")) NIL (("Public/" "/"))',
  ],
  ['3501 §7.2.5', { kind: 'search', numbers: [] }, '* SEARCH'],
  ['7162 §3.1.5', { kind: 'search', numbers: [2, 5], modSeq: 9 }, '* SEARCH 2 5 (MODSEQ 9)'],
  ['5256 §4', { kind: 'sort', numbers: [5, 2] }, '* SORT 5 2'],
  [
    '9051 §7.3.3',
    { kind: 'esearch', tag: 'a"1', uid: true, count: 0 },
    '* ESEARCH (TAG "a\\"1") UID COUNT 0',
  ],
  [
    '9051 §7.3.3',
    { kind: 'esearch', tag: 'a', uid: false, min: 1, max: 9, all: [range(1, 9)], modSeq: 5 },
    '* ESEARCH (TAG "a") MIN 1 MAX 9 ALL 1:9 MODSEQ 5',
  ],
  [
    '9394 §3.1',
    { kind: 'esearch', tag: 'a', uid: true, partial: { first: -1, last: -9, set: null } },
    '* ESEARCH (TAG "a") UID PARTIAL (-1:-9 NIL)',
  ],
  [
    '5256 §4',
    {
      kind: 'thread',
      threads: [
        { members: [2], branches: [] },
        {
          members: [3, 6],
          branches: [
            { members: [4, 23], branches: [] },
            { members: [44, 7, 96], branches: [] },
          ],
        },
        { members: [1], branches: [{ members: [8], branches: [] }] },
        {
          members: [],
          branches: [
            { members: [3], branches: [] },
            { members: [5], branches: [] },
          ],
        },
      ],
    },
    '* THREAD (2)(3 6 (4 23)(44 7 96))(1 8)((3)(5))',
  ],
  [
    '2971 §3.2',
    {
      kind: 'id',
      parameters: new Map([
        ['name', 'a"b'],
        ['os', null],
      ]),
    },
    '* ID ("name" "a\\"b" "os" NIL)',
  ],
  ['2971 §3.2', { kind: 'id', parameters: null }, '* ID NIL'],
  [
    '9586 §3.3',
    { kind: 'uidfetch', uid: 25_996, data: [{ item: 'FLAGS', flags: [] }] },
    '* 25996 UIDFETCH (FLAGS ())',
  ],
  [
    '9051 §7.5.2',
    {
      kind: 'fetch',
      sequence: 12,
      data: [
        { item: 'FLAGS', flags: ['\\Seen'] },
        { item: 'UID', value: 7 },
        { item: 'MODSEQ', modSeq: 8 },
        { item: 'INTERNALDATE', epochMs: 0 },
        { item: 'ENVELOPE', octets: Buffer.from('(NIL)') },
        { item: 'BINARY.SIZE', label: 'BINARY.SIZE[1]', octets: 3 },
        { item: 'EMAILID', id: 'M1' },
        { item: 'THREADID', id: null },
        { item: 'SAVEDATE', epochMs: null },
        { item: 'PREVIEW', text: 'é' },
        { item: 'section', label: 'BODY[1]', value: null },
        { item: 'section', label: 'BINARY[1]', value: Buffer.from('\0'), binary: true },
        { item: 'section', label: 'BODY[]<0>', value: Buffer.from('a\r\n') },
      ],
    },
    '* 12 FETCH (FLAGS (\\Seen) UID 7 MODSEQ (8) INTERNALDATE " 1-Jan-1970 00:00:00 +0000" ENVELOPE (NIL) ' +
      'BINARY.SIZE[1] 3 EMAILID (M1) THREADID NIL SAVEDATE NIL PREVIEW {2}\r\né BODY[1] NIL BINARY[1] ~{1}\r\n\0 ' +
      'BODY[]<0> {3}\r\na\r\n)',
  ],
  [
    '9051 §2.2.2',
    { kind: 'extension', octets: Buffer.from('QUOTA "" (STORAGE 1 2)') },
    '* QUOTA "" (STORAGE 1 2)',
  ],
];

const codes: readonly (readonly [ResponseCode, string])[] = [
  ['READ-WRITE', 'READ-WRITE'],
  [{ kind: 'UIDVALIDITY', value: 5 }, 'UIDVALIDITY 5'],
  [{ kind: 'PERMANENTFLAGS', flags: ['\\Seen', '\\*'] }, 'PERMANENTFLAGS (\\Seen \\*)'],
  [{ kind: 'BADCHARSET', charsets: ['UTF-8'] }, 'BADCHARSET (UTF-8)'],
  [{ kind: 'CAPABILITY', capabilities: ['IMAP4rev2'] }, 'CAPABILITY IMAP4rev2'],
  [{ kind: 'APPENDUID', uidValidity: 1, uids: [range(2, 3)] }, 'APPENDUID 1 2:3'],
  [{ kind: 'COPYUID', uidValidity: 1, from: [range(2), range(9)], to: [range(4, 5)] }, 'COPYUID 1 2,9 4:5'],
  [{ kind: 'MODIFIED', set: [range(7)] }, 'MODIFIED 7'],
  [{ kind: 'BADURL', url: '/INBOX/;UID=1' }, 'BADURL /INBOX/;UID=1'],
  [{ kind: 'BADURL', url: 'a]\r\nb \xe9"' }, 'BADURL a%5D%0D%0Ab%20%E9"'],
  [{ kind: 'MESSAGELIMIT', messages: 1000 }, 'MESSAGELIMIT 1000'],
  [{ kind: 'MESSAGELIMIT', messages: 1000, uid: 23_221 }, 'MESSAGELIMIT 1000 23221'],
  [{ kind: 'INPROGRESS', tag: 'A1' }, 'INPROGRESS ("A1" NIL NIL)'],
  [{ kind: 'INPROGRESS', tag: 'A1', progress: { done: 175, goal: 1000 } }, 'INPROGRESS ("A1" 175 1000)'],
  [{ kind: 'INPROGRESS', tag: 'a]', progress: { done: 0, goal: 1 } }, 'INPROGRESS (NIL 0 1)'],
  [{ kind: 'MAILBOXID', id: 'F1' }, 'MAILBOXID (F1)'],
  [{ kind: 'EXTENSION', text: 'X 1' }, 'X 1'],
];

suite('responses', () => {
  for (const [rfc, response, want] of responses)
    test(`${want.slice(0, 70).replaceAll(/[\r\n\0]/g, '?')} (RFC ${rfc})`, () =>
      assert.equal(encodeResponse(response).toString(), `${want}\r\n`));
  for (const [code, want] of codes)
    test(`[${want}] (RFC 9051 §7.1)`, () =>
      assert.equal(
        encodeCompletion('a', { status: 'OK', code, text: 'done' }).toString(),
        `a OK [${want}] done\r\n`,
      ));

  test('no tag, no text: still a response (RFC 9051 §7.1.3)', () =>
    assert.equal(encodeCompletion(null, { status: 'BAD', text: '' }).toString(), '* BAD .\r\n'));

  test('continuations (RFC 9051 §7.6)', () => {
    const writer = new ResponseWriter();
    writer.continuation();
    writer.challenge(Buffer.from('hi'));
    assert.equal(
      Buffer.concat(writer.take().filter((chunk) => Buffer.isBuffer(chunk))).toString(),
      '+ OK\r\n+ aGk=\r\n',
    );
  });

  test('with UTF-8 enabled names and strings go unencoded (RFC 9051 §5.1)', () => {
    assert.equal(
      encodeResponse({ kind: 'list', ...root, mailbox: 'R&D é' }, true).toString(),
      '* LIST (\\HasChildren) "/" "R&D é"\r\n',
    );
    assert.equal(encodeString('é', true).toString(), '"é"');
  });

  test('a stream is announced and given in its place', () => {
    const writer = new ResponseWriter();
    const source = { octets: 1000, open: (): AsyncIterable<Uint8Array> => (async function* () {})() };
    const data = [
      { item: 'section', label: 'BODY[]', value: source },
      { item: 'UID', value: 5 },
    ] as const;
    writer.untagged({ kind: 'fetch', sequence: 1, data });
    writer.untagged({ kind: 'exists', value: 1 });
    assert.equal(writer.octets, '* 1 FETCH (BODY[] {1000}\r\n UID 5)\r\n* 1 EXISTS\r\n'.length + 1000);
    const chunks = writer.take();
    assert.deepEqual(
      chunks.map((chunk) => (Buffer.isBuffer(chunk) ? chunk.toString() : chunk)),
      ['* 1 FETCH (BODY[] {1000}\r\n', source, ' UID 5)\r\n* 1 EXISTS\r\n'],
    );
    assert.equal(writer.octets, 0);
    assert.deepEqual(writer.take(), []);
  });

  test('what was taken is not written over', () => {
    const writer = new ResponseWriter();
    writer.untagged({ kind: 'exists', value: 1 });
    const [first] = writer.take();
    writer.untagged({ kind: 'exists', value: 2 });
    assert.equal(Buffer.isBuffer(first) && first.toString(), '* 1 EXISTS\r\n');
  });

  test('large octets are passed on, not copied', () => {
    const writer = new ResponseWriter();
    const octets = Buffer.alloc(100_000, 'x');
    writer.untagged({
      kind: 'fetch',
      sequence: 1,
      data: [{ item: 'section', label: 'BODY[]', value: octets }],
    });
    assert.ok(writer.take().includes(octets));
  });

  test('a thread 100,000 deep is written', () => {
    type Deep = { members: number[]; branches: Deep[] };
    let thread: Deep = { members: [1], branches: [] };
    for (let depth = 0; depth < 100_000; depth += 1)
      thread = { members: [2], branches: [thread, { members: [3], branches: [] }] };
    assert.ok(encodeResponse({ kind: 'thread', threads: [thread] }).length > 100_000);
  });

  test('any string reads back from a response', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.boolean(), (text, utf8) => {
        fc.pre(text.isWellFormed());
        for (const encode of [encodeString, encodeAstring]) {
          const reader = new ResponseReader();
          reader.push(Buffer.concat([Buffer.from('* X '), encode(text, utf8), Buffer.from('\r\n')]));
          const response = reader.next();
          assert.ok(response?.kind === 'data');
          assert.equal(tokenText(response.values[0]), text);
        }
      }),
      { numRuns: 1000 },
    );
  });
  test('any mailbox name is an astring of its mode', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (name) => {
        fc.pre(name.isWellFormed());
        assert.match(encodeMailbox(name, false).toString('latin1'), /^(?:[!#$&'+-[^-z|}~]+|"[\x20-\x7e]*")$/);
      }),
    );
  });
});

suite('response reader', () => {
  const input = Buffer.from(
    '* OK [CAPABILITY IMAP4rev2] ready {5}\r\n* 2 FETCH (UID 9 BODY[HEADER.FIELDS (A "B")]<0> {6}\r\na: b\r\n FLAGS ())\r\n' +
      '+ go\r\na1 NO [TRYCREATE] none\r\n* LIST (\\X) "/" "a\\"b"\r\n* SEARCH\r\n',
  );
  const read = (pieces: readonly Buffer[]): unknown[] => {
    const reader = new ResponseReader();
    const out: unknown[] = [];
    for (const piece of pieces) {
      reader.push(piece);
      for (let response = reader.next(); response !== undefined; response = reader.next()) out.push(response);
    }
    return out;
  };
  test('reads each kind', () => {
    const atom = (text: string): object => ({ kind: 'atom', text });
    const string = (text: string): object => ({ kind: 'string', octets: Buffer.from(text) });
    assert.deepEqual(read([input]), [
      { kind: 'status', status: 'OK', code: 'CAPABILITY IMAP4rev2', text: 'ready {5}' },
      {
        kind: 'data',
        name: 'FETCH',
        number: 2,
        values: [
          {
            kind: 'list',
            items: [
              atom('UID'),
              atom('9'),
              atom('BODY[HEADER.FIELDS (A "B")]<0>'),
              string('a: b\r\n'),
              atom('FLAGS'),
              { kind: 'list', items: [] },
            ],
          },
        ],
      },
      { kind: 'continuation', text: 'go' },
      { kind: 'tagged', tag: 'a1', status: 'NO', code: 'TRYCREATE', text: 'none' },
      {
        kind: 'data',
        name: 'LIST',
        values: [{ kind: 'list', items: [atom('\\X')] }, string('/'), string('a"b')],
      },
      { kind: 'data', name: 'SEARCH', values: [] },
    ]);
  });
  test('octet by octet too', () =>
    assert.deepEqual(read(Array.from(input, (_, at) => input.subarray(at, at + 1))), read([input])));
  test('finds the items of a FETCH', () => {
    const items = fetchItems(decodeResponse(Buffer.from('* 1 FETCH (UID 4 body[] NIL)')));
    assert.equal(tokenText(items.get('UID')), '4');
    assert.deepEqual(items.get('BODY[]'), { kind: 'nil' });
  });
  test('has a limit', () => {
    const reader = new ResponseReader(10);
    reader.push(Buffer.from('* OK a long text'));
    assert.throws(() => reader.next(), RangeError);
  });
  test('octets without sense are read as something', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('*', ' ', '(', ')', '"', '\\', '{2}', '\n', '[', ']', 'a', '1') }),
        (text) => {
          read([Buffer.from(`${text}\r\n`)]);
        },
      ),
    );
  });
});
