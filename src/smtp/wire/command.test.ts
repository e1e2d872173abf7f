import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanCommandLine } from './command-line.ts';
import { parseCommand } from './command.ts';
import { formatDeliverBy, NO_MAIL_PARAMETERS, parseMailParameters } from './parameter.ts';
import { decodeXtext, encodeXtext } from './xtext.ts';

/** The outcome in one word or two, so that a table can hold it. */
function outcome(line: string | Uint8Array): string {
  const parsed = parseCommand(Buffer.from(line as string));
  if (!parsed.ok) {
    const { error } = parsed;
    switch (error.kind) {
      case 'path':
        return `path ${error.problem}`;
      case 'parameter':
        return `parameter ${error.problem.kind} ${error.problem.keyword}`.trimEnd();
      case 'bad-octets':
      case 'syntax':
      case 'unknown-command':
        return error.kind;
    }
  }
  return `ok ${parsed.value.verb}`;
}

const lines: readonly (readonly [string, string])[] = [
  ['', 'unknown-command'],
  [' EHLO x', 'unknown-command'],
  ['XYZZY', 'unknown-command'],
  ['EHLO', 'syntax'],
  ['EHLO ', 'syntax'],
  ['EHLO mail.example.test', 'ok EHLO'],
  ['ehlo mail.example.test  ', 'ok EHLO'],
  ['EHLO under_score', 'ok EHLO'],
  ['EHLO [192.0.2.1]', 'ok EHLO'],
  ['EHLO a b', 'syntax'],
  ['EHLO a(b)', 'syntax'],
  [`EHLO ${'a'.repeat(255)}`, 'ok EHLO'],
  [`EHLO ${'a'.repeat(256)}`, 'syntax'],
  ['HELO x', 'ok HELO'],
  ['LHLO x', 'ok LHLO'],
  ['MAIL', 'syntax'],
  ['MAIL FROM', 'syntax'],
  ['MAIL FROM :<a@b>', 'syntax'],
  ['MAIL FROM:', 'path no-brackets'],
  ['MAIL FROM:a@b', 'path no-brackets'],
  ['MAIL FROM:<>', 'ok MAIL'],
  ['MAIL FROM:<a@b>', 'ok MAIL'],
  ['mail from: <a@b>', 'ok MAIL'],
  ['MAIL FROM:<a@b>SIZE=1', 'syntax'],
  ['MAIL FROM:<Postmaster>', 'path domain'],
  ['MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B AUTH=<>', 'ok MAIL'],
  ['MAIL FROM:<a@b>  SIZE=1  ', 'ok MAIL'],
  ['MAIL FROM:<a@b> size=1', 'ok MAIL'],
  ['MAIL FROM:<a@b> SIZE', 'parameter bad-value SIZE'],
  ['MAIL FROM:<a@b> SIZE=', 'parameter syntax SIZE'],
  ['MAIL FROM:<a@b> SIZE=x', 'parameter bad-value SIZE'],
  ['MAIL FROM:<a@b> SIZE=-1', 'parameter bad-value SIZE'],
  [`MAIL FROM:<a@b> SIZE=${'9'.repeat(20)}`, 'ok MAIL'],
  [`MAIL FROM:<a@b> SIZE=${'9'.repeat(21)}`, 'parameter bad-value SIZE'],
  ['MAIL FROM:<a@b> SIZE=1 SIZE=2', 'parameter repeated SIZE'],
  ['MAIL FROM:<a@b> BODY=9BIT', 'parameter bad-value BODY'],
  ['MAIL FROM:<a@b> SMTPUTF8=yes', 'parameter bad-value SMTPUTF8'],
  ['MAIL FROM:<a@b> RET=ALL', 'parameter bad-value RET'],
  [`MAIL FROM:<a@b> ENVID=${'e'.repeat(100)}`, 'ok MAIL'],
  [`MAIL FROM:<a@b> ENVID=${'e'.repeat(101)}`, 'parameter bad-value ENVID'],
  ['MAIL FROM:<a@b> ENVID=a+0D+0Ab', 'parameter bad-value ENVID'],
  ['MAIL FROM:<a@b> NOTIFY=NEVER', 'parameter unknown NOTIFY'],
  ['MAIL FROM:<a@b> X-NEW', 'parameter unknown X-NEW'],
  ['MAIL FROM:<a@b> -X', 'parameter syntax'],
  ['RCPT TO:<a@b>', 'ok RCPT'],
  ['RCPT TO:<postmaster>', 'ok RCPT'],
  ['RCPT TO:<>', 'path null'],
  ['RCPT FROM:<a@b>', 'syntax'],
  ['RCPT TO:<a@b> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;a+2Bb@c', 'ok RCPT'],
  ['RCPT TO:<a@b> NOTIFY=never', 'ok RCPT'],
  ['RCPT TO:<a@b> NOTIFY=NEVER,DELAY', 'parameter bad-value NOTIFY'],
  ['RCPT TO:<a@b> NOTIFY=', 'parameter syntax NOTIFY'],
  ['RCPT TO:<a@b> ORCPT=a@b', 'parameter bad-value ORCPT'],
  ['RCPT TO:<a@b> ORCPT=rfc822;', 'parameter bad-value ORCPT'],
  ['RCPT TO:<a@b> ORCPT=rfc822;a+zz', 'parameter bad-value ORCPT'],
  [`RCPT TO:<a@b> ORCPT=rfc822;${'a'.repeat(493)}`, 'ok RCPT'],
  [`RCPT TO:<a@b> ORCPT=rfc822;${'a'.repeat(494)}`, 'parameter bad-value ORCPT'],
  ['RCPT TO:<a@b> SIZE=1', 'parameter unknown SIZE'],
  ['DATA', 'ok DATA'],
  ['DATA now', 'syntax'],
  ['BDAT 0 LAST', 'ok BDAT'],
  ['BDAT 86000 last', 'ok BDAT'],
  ['BDAT', 'syntax'],
  ['BDAT -1', 'syntax'],
  ['BDAT 1 FIRST', 'syntax'],
  ['BDAT 0x10', 'syntax'],
  ['BDAT 99999999999999999999', 'syntax'],
  ['BURL imap://alice@example.test/INBOX/;UID=1;URLAUTH=submit+alice:internal:00 LAST', 'ok BURL'],
  ['BURL imap://example.test/INBOX/;UID=1', 'ok BURL'],
  ['burl imap:x last', 'ok BURL'],
  ['BURL', 'syntax'],
  ['BURL LAST', 'syntax'],
  ['BURL /INBOX/;UID=1 LAST', 'syntax'],
  ['BURL imap://example.test/a b', 'syntax'],
  ['BURL imap://example.test/a FIRST', 'syntax'],
  ['BURL imap://example.test/\xc3\xa9', 'syntax'],
  ['RSET', 'ok RSET'],
  ['RSET x', 'syntax'],
  ['QUIT', 'ok QUIT'],
  ['NOOP', 'ok NOOP'],
  ['NOOP anything goes', 'ok NOOP'],
  ['HELP', 'ok HELP'],
  ['VRFY', 'syntax'],
  ['VRFY alice', 'ok VRFY'],
  ['EXPN list', 'ok EXPN'],
  ['STARTTLS', 'ok STARTTLS'],
  ['STARTTLS x', 'syntax'],
  ['AUTH PLAIN', 'ok AUTH'],
  ['AUTH plain =', 'ok AUTH'],
  ['AUTH PLAIN a b', 'syntax'],
  ['AUTH', 'syntax'],
  ['NOOP \0', 'bad-octets'],
  ['NOOP \r', 'bad-octets'],
  ['NO\x7fOP', 'bad-octets'],
  ['VRFY ユーザー', 'ok VRFY'],
];
for (const [line, want] of lines) {
  test(`${JSON.stringify(line.slice(0, 70))} is ${want} (RFC 5321 §4.1.1)`, () =>
    assert.equal(outcome(line), want));
}

test('octets that are not UTF-8 are refused (RFC 6531 §3.3)', () => {
  assert.equal(outcome(Buffer.from('MAIL FROM:<a\xff@b>', 'latin1')), 'bad-octets');
});

test('parameters come decoded', () => {
  const mail = parseCommand(
    Buffer.from('MAIL FROM:<a@b> SIZE=5 BODY=8bitmime RET=full ENVID=a+20b AUTH=e+3Df@c'),
  );
  assert.ok(mail.ok && mail.value.verb === 'MAIL');
  assert.deepEqual(mail.value.parameters, {
    declaredOctets: 5,
    body: '8BITMIME',
    smtpUtf8: false,
    ret: 'FULL',
    envelopeId: 'a b',
    submitter: 'e=f@c',
    requireTls: false,
    hold: undefined,
    deliverBy: undefined,
    priority: undefined,
    verp: undefined,
  });
  const rcpt = parseCommand(Buffer.from('RCPT TO:<a@b> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;Bob+2Bx@c'));
  assert.ok(rcpt.ok && rcpt.value.verb === 'RCPT');
  assert.deepEqual(rcpt.value.parameters, {
    notify: ['DELAY', 'SUCCESS'],
    originalRecipient: { type: 'rfc822', written: 'Bob+2Bx@c' },
  });
});

/** What MAIL with this parameter comes to, `undefined` where it is refused. */
const extensions = [
  ['ENVID=+C3+BC', undefined, 'RFC 3461 §4.4'],
  [`ENVID=${'x'.repeat(100)}`, { envelopeId: 'x'.repeat(100) }, 'RFC 3461 §5.4'],
  [`ENVID=${'x'.repeat(101)}`, undefined, 'RFC 3461 §5.4'],
  ['RET=FULL RET=HDRS', undefined, 'RFC 3461 §4.5'],
  ['BODY=BINARYMIME', { body: 'BINARYMIME' }, 'RFC 3030 §3'],
  ['REQUIRETLS', { requireTls: true }, 'RFC 8689 §2'],
  ['requiretls', { requireTls: true }, 'RFC 5321 §2.4'],
  ['REQUIRETLS=1', undefined, 'RFC 8689 §2'],
  ['HOLDFOR=1', { hold: { kind: 'for', seconds: 1 } }, 'RFC 4865 §3'],
  ['HOLDFOR=999999999', { hold: { kind: 'for', seconds: 999_999_999 } }, 'RFC 4865 §3'],
  ['HOLDFOR=0', undefined, 'RFC 4865 §3'],
  ['HOLDFOR=01', undefined, 'RFC 4865 §3'],
  ['HOLDFOR=1000000000', undefined, 'RFC 4865 §3'],
  ['HOLDFOR=-1', undefined, 'RFC 4865 §3'],
  ['HOLDFOR', undefined, 'RFC 4865 §3'],
  [
    'HOLDUNTIL=2026-01-02T03:04:05Z',
    { hold: { kind: 'until', atMs: Date.UTC(2026, 0, 2, 3, 4, 5) } },
    'RFC 4865 §3',
  ],
  ['HOLDUNTIL=2026-01-02T03:04:05+01:00', undefined, 'RFC 4865 §3'],
  ['HOLDUNTIL=2026-02-30T03:04:05Z', undefined, 'RFC 3339 §5.7'],
  ['HOLDUNTIL=tomorrow', undefined, 'RFC 4865 §3'],
  ['HOLDFOR=1 HOLDUNTIL=2026-01-02T03:04:05Z', undefined, 'RFC 4865 §4.2'],
  ['HOLDFOR=1 HOLDFOR=1', undefined, 'RFC 4865 §4.2'],
  ['BY=120;R', { deliverBy: { seconds: 120, mode: 'return', trace: false } }, 'RFC 2852 §4'],
  ['BY=+120;rt', { deliverBy: { seconds: 120, mode: 'return', trace: true } }, 'RFC 2852 §4'],
  ['BY=-5;N', { deliverBy: { seconds: -5, mode: 'notify', trace: false } }, 'RFC 2852 §4'],
  ['BY=0;NT', { deliverBy: { seconds: 0, mode: 'notify', trace: true } }, 'RFC 2852 §4'],
  ['BY=0;R', undefined, 'RFC 2852 §4'],
  ['BY=-1;R', undefined, 'RFC 2852 §4'],
  ['BY=1000000000;R', undefined, 'RFC 2852 §4'],
  ['BY=1;X', undefined, 'RFC 2852 §4'],
  ['BY=1', undefined, 'RFC 2852 §4'],
  ['BY=;R', undefined, 'RFC 2852 §4'],
  ['BY', undefined, 'RFC 2852 §4'],
  ['MT-PRIORITY=0', { priority: 0 }, 'RFC 6710 §7'],
  ['MT-PRIORITY=-9', { priority: -9 }, 'RFC 6710 §7'],
  ['MT-PRIORITY=9', { priority: 9 }, 'RFC 6710 §7'],
  ['MT-PRIORITY=10', undefined, 'RFC 6710 §7'],
  ['MT-PRIORITY=-0', undefined, 'RFC 6710 §7'],
  ['MT-PRIORITY=+1', undefined, 'RFC 6710 §7'],
  ['MT-PRIORITY=', undefined, 'RFC 6710 §7'],
  ['MT-PRIORITY=1 MT-PRIORITY=1', undefined, 'RFC 6710 §4.1'],
  ['XVERP', { verp: {} }, 'VERP_README'],
  ['xverp=+=', { verp: { tag: '+', at: '=' } }, 'VERP_README'],
  ['XVERP=-=', { verp: { tag: '-', at: '=' } }, 'VERP_README'],
  ['XVERP===', { verp: { tag: '=', at: '=' } }, 'VERP_README'],
  ['XVERP=', undefined, 'VERP_README'],
  ['XVERP=+', undefined, 'VERP_README'],
  ['XVERP=+=+', undefined, 'VERP_README'],
  ['XVERP=ab', undefined, 'VERP_README'],
  ['XVERP=@=', undefined, 'VERP_README'],
  ['XVERP=%=', undefined, 'VERP_README'],
  ['XVERP XVERP=+=', undefined, 'VERP_README'],
] as const;
for (const [text, want, rfc] of extensions)
  test(`${text.slice(0, 60)} is ${want === undefined ? 'refused' : 'read'} (${rfc})`, () => {
    const parsed = parseMailParameters(text);
    assert.deepEqual(parsed.ok ? parsed.value : undefined, want && { ...NO_MAIL_PARAMETERS, ...want });
  });

test('BY is written as it was read, but for a sign that says nothing', () => {
  for (const text of ['120;R', '-5;N', '0;NT', '1;RT']) {
    const parsed = parseMailParameters(`BY=${text}`);
    assert.ok(parsed.ok && parsed.value.deliverBy !== undefined);
    assert.equal(formatDeliverBy(parsed.value.deliverBy), text);
  }
});

const scans = [
  { name: 'CR is last', rfc: '5321 §2.3.8', input: 'NOOP\r', max: 512, want: 'need-more' },
  { name: 'LF alone', rfc: '5321 §2.3.8', input: 'NOOP\n', max: 512, want: 'bare-newline' },
  { name: 'LF first', rfc: '5321 §2.3.8', input: '\nNOOP', max: 512, want: 'bare-newline' },
  { name: 'exactly the limit', rfc: '5321 §4.5.3.1.4', input: 'NOOP\r\n', max: 6, want: 'line' },
  { name: 'one over the limit', rfc: '5321 §4.5.3.1.4', input: 'NOOPS\r\n', max: 6, want: 'too-long' },
  { name: 'no end within the limit', rfc: '5321 §4.5.3.1.4', input: 'NOOPNO', max: 6, want: 'too-long' },
  { name: 'no end yet', rfc: '5321 §4.5.3.1.4', input: 'NOOPN', max: 6, want: 'need-more' },
] as const;
for (const { name, rfc, input, max, want } of scans) {
  test(`command line: ${name} (RFC ${rfc})`, () =>
    assert.equal(scanCommandLine(Buffer.from(input), 0, max).kind, want));
}

test('xtext reads back (RFC 3461 §4)', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const back = decodeXtext(encodeXtext(text));
      // Control characters are written, but never read.
      if (/^\P{Cc}*$/u.test(text)) assert.equal(back, text.toWellFormed());
      else if (/[\0-\x1f\x7f]/.test(text)) assert.equal(back, undefined);
    }),
  );
});

test('no octets make a command line throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => void parseCommand(Buffer.from(octets))),
  );
});
