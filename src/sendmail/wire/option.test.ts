import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseOptions, type SendmailOptions } from './option.ts';

/** [what is proved, the command line, what of it differs from the defaults] */
const read: readonly (readonly [string, string, Partial<SendmailOptions>])[] = [
  ['recipients alone', 'a@x.test b@x.test', { recipients: ['a@x.test', 'b@x.test'] }],
  ['PHP: -t -i', '-t -i', { fromHeader: true, dotEnds: false }],
  ['switches in one word', '-ti', { fromHeader: true, dotEnds: false }],
  [
    'mutt: -oem -oi -f x -- a',
    '-oem -oi -f x@x.test -- a',
    { dotEnds: false, sender: 'x@x.test', recipients: ['a'] },
  ],
  ['-o and its value apart', '-o i -odb -o8', { dotEnds: false }],
  ['a value glued', '-fx@x.test a', { sender: 'x@x.test', recipients: ['a'] }],
  ['-r is -f', '-r x@x.test', { sender: 'x@x.test' }],
  ['-f with brackets, and the null reverse-path', '-f <>', { sender: '' }],
  ['a switch before a valued one in one word', '-tf x@x.test', { fromHeader: true, sender: 'x@x.test' }],
  ['options behind recipients', 'a -t b', { fromHeader: true, recipients: ['a', 'b'] }],
  ['behind -- nothing is an option', '-- -t a', { recipients: ['-t', 'a'] }],
  ['-F', '-F Bob -i', { fullName: 'Bob', dotEnds: false }],
  ['-N', '-N failure,delay', { notify: ['failure', 'delay'] }],
  ['-N never', '-Nnever', { notify: [] }],
  ['-R and -V (RFC 3461)', '-R hdrs -V QQ314', { ret: 'hdrs', envid: 'QQ314' }],
  ['-XV', '-XV -f list', { verp: {}, sender: 'list' }],
  [
    '-XV with its characters',
    '-XV-= -f list a',
    { verp: { tag: '-', at: '=' }, sender: 'list', recipients: ['a'] },
  ],
  ['-B is found out', '-B 8BITMIME', {}],
  ['what submitters of another kind know: -au, -ap', '-au bob -apsecret -am LOGIN a', { recipients: ['a'] }],
  ['ignored', '-Am -G -U -v -n -m -h 5 -L label -O Opt=1 -p smtp -X log -x a', { recipients: ['a'] }],
  ['-bm', '-bm', {}],
  ['-bp', '-bp', { mode: 'list' }],
  ['-bs', '-bs', { mode: 'smtp' }],
  ['-bi and -I', '-bi', { mode: 'aliases' }],
  ['-bd', '-bd -q30m', { mode: 'nothing' }],
  ['-q', '-q', { mode: 'flush' }],
  ['-qI', '-qI1M8', { mode: 'flush', flush: { kind: 'id', id: '1M8' } }],
  ['-qR', '-qRx.test', { mode: 'flush', flush: { kind: 'site', site: 'x.test' } }],
];
const DEFAULTS: SendmailOptions = {
  mode: 'deliver',
  flush: { kind: 'all' },
  fromHeader: false,
  dotEnds: true,
  sender: undefined,
  fullName: undefined,
  notify: undefined,
  ret: undefined,
  envid: undefined,
  verp: undefined,
  recipients: [],
};
for (const [what, line, want] of read)
  test(`sendmail ${line}: ${what}`, () => {
    assert.deepEqual(parseOptions(line.split(' ')), { ok: true, value: { ...DEFAULTS, ...want } });
  });

for (const line of [
  '-Z',
  '-f',
  '-bx',
  '-bmx',
  '-N sometimes',
  '-N never,delay',
  '-R half',
  '-B 9bit',
  '-XV+',
  '-XV@=',
  '-XV+=x',
  '-XV -f <> a@x.test',
  '-V ü',
  '-f a@x.test\nX-Injected:1 b@x.test',
  '-f a@x.test\x7f b@x.test',
  'a@x.test\r\nb@x.test',
  '-- a@x.test\0',
])
  test(`sendmail ${JSON.stringify(line)} is refused`, () =>
    assert.equal(parseOptions(line.split(' ')).ok, false));
