import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newMessage, queued, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { parseHeader } from '../message/header.ts';
import { scanMessage } from '../message/scan.ts';
import { decodeTransfer, encodeQuotedPrintable } from '../message/transfer.ts';
import type { NotifyOn } from '../queue/queue.ts';
import type { DsnAction, DsnRequest } from './dsn/request.ts';
import { buildDsn, returnedPart, wantsDsn } from './bounce.ts';

const MESSAGE = queued(newMessage([remoteRecipient('bob@far.example')]));
const UNTITLED: DsnRequest['original'] = { subject: '', messageId: undefined, references: [] };

const wants: readonly {
  reversePath: string | null;
  notify: NotifyOn | undefined;
  want: readonly DsnAction[];
}[] = [
  { reversePath: 'a@b.example', notify: undefined, want: ['failed', 'delayed'] },
  { reversePath: 'a@b.example', notify: [], want: [] },
  { reversePath: 'a@b.example', notify: ['success'], want: ['delivered', 'relayed'] },
  { reversePath: 'a@b.example', notify: ['failure'], want: ['failed'] },
  { reversePath: 'a@b.example', notify: ['delay', 'failure'], want: ['failed', 'delayed'] },
  { reversePath: null, notify: ['success', 'failure', 'delay'], want: [] },
];
for (const { reversePath, notify, want } of wants)
  test(`NOTIFY=${notify?.join(',') ?? 'unset'} from <${reversePath ?? ''}> reports ${want.join(', ') || 'nothing'} (RFC 3461 §4.1)`, () => {
    const actions = (['failed', 'delayed', 'delivered', 'relayed'] as const).filter((action) =>
      wantsDsn({ reversePath }, { notify }, action),
    );
    assert.deepEqual(actions, want);
  });

const returns = [
  { ret: undefined, octets: 1000, action: 'failed', want: 'message' },
  { ret: undefined, octets: 10_000_000, action: 'failed', want: 'header' },
  { ret: 'full', octets: 10_000_000, action: 'failed', want: 'message' },
  { ret: 'full', octets: 100_000_000, action: 'failed', want: 'header' },
  { ret: 'hdrs', octets: 1000, action: 'failed', want: 'header' },
  { ret: 'full', octets: 1000, action: 'delayed', want: 'header' },
] as const;
for (const { ret, octets, action, want } of returns)
  test(`RET=${ret ?? 'unset'} of ${octets} octets, ${action}: the ${want} goes back (RFC 3461 §4.3)`, () =>
    assert.equal(
      returnedPart({ body: '8bitmime', dsn: { ret, envid: undefined }, requireTls: false }, octets, [action]),
      want,
    ));

test('of what may travel under TLS alone, a report gives back the header only (RFC 8689 §5)', () => {
  const message = { body: '7bit', dsn: { ret: 'full', envid: undefined }, requireTls: true } as const;
  assert.equal(returnedPart(message, 1000, ['failed']), 'header');
});

/** The DSN as a program reads it. */
function parsed(request: Partial<DsnRequest>, returned = 'Subject: original\r\n\r\nText\r\n') {
  const frame = buildDsn({
    message: MESSAGE,
    original: UNTITLED,
    recipients: [],
    hostname: 'mx.here.example',
    id: 'dsn00001',
    nowMs: Date.UTC(2026, 0, 3),
    boundary: '=_boundary',
    eightBit: false,
    returned: 'message',
    ...request,
  });
  const octets = Buffer.concat([frame.head, Buffer.from(returned), frame.tail]);
  const { root } = scanMessage(octets);
  const body = (index: number): string => {
    const part = root.children[index];
    assert.ok(part);
    return octets.toString('utf8', part.headerEnd, part.bodyEnd);
  };
  const groups = body(1)
    .split('\r\n\r\n')
    .filter((text) => text !== '')
    .map((text) =>
      parseHeader(`${text}\r\n`).map(({ name, raw }) => `${name}:${raw.replaceAll('\r\n', '')}`),
    );
  return { frame, root, octets, body, groups };
}

test('a failure, field by field (RFC 3464 §2.2, §2.3)', () => {
  const answer = {
    atMs: Date.UTC(2026, 0, 2, 12),
    host: 'mx.far.example',
    status: '5.1.1',
    text: '550 5.1.1 No such user',
    reason: 'smtp.address',
  };
  const { root, body, groups, octets } = parsed({
    message: { ...MESSAGE, dsn: { ret: undefined, envid: 'QQ314159' } },
    recipients: [
      {
        recipient: {
          notify: undefined,
          forwardPath: 'bob@far.example',
          originalRecipient: 'rfc822;Bob+2Bx@Far.Example',
        },
        action: 'failed',
        answer,
      },
    ],
  });
  assert.deepEqual(
    root.fields.map(({ name, raw }) => `${name}:${raw.replaceAll('\r\n', '')}`),
    [
      'Date: Sat, 3 Jan 2026 00:00:00 +0000',
      'From: Mail Delivery System <MAILER-DAEMON@mx.here.example>',
      'To: <author@sender.example>',
      'Subject: Your message could not be delivered',
      'Message-ID: <dsn00001@mx.here.example>',
      'Auto-Submitted: auto-replied',
      'MIME-Version: 1.0',
      'Content-Type: multipart/report; report-type=delivery-status; boundary="=_boundary"',
    ],
  );
  assert.deepEqual(
    root.children.map(({ type, subtype }) => `${type}/${subtype}`),
    ['text/plain', 'message/delivery-status', 'message/rfc822'],
  );
  assert.deepEqual(groups, [
    [
      'Original-Envelope-Id: QQ314159',
      'Reporting-MTA: dns; mx.here.example',
      'Arrival-Date: Fri, 2 Jan 2026 03:04:05 +0000',
      'X-Postrider-Queue-ID: 000000q1',
    ],
    [
      'Original-Recipient: rfc822; Bob+x@Far.Example',
      'Final-Recipient: rfc822; bob@far.example',
      'Action: failed',
      'Status: 5.1.1',
      'Remote-MTA: dns; mx.far.example',
      'Diagnostic-Code: smtp; 550 5.1.1 No such user',
      'Last-Attempt-Date: Fri, 2 Jan 2026 12:00:00 +0000',
    ],
  ]);
  assert.match(
    body(0),
    /could not be delivered to:\r\n\r\n {2}bob@far\.example \(you wrote to Bob\+x@Far\.Example\)\r\n {4}There is no such address\. Look whether the address is written as it\r\n {4}should be\.\r\n {4}mx\.far\.example said:\r\n {6}550 5\.1\.1 No such user\r\n\r\nIt will not be tried again\./,
  );
  assert.match(body(0), new RegExp(MESSAGE.id));
  assert.equal(body(2), 'Subject: original\r\n\r\nText\r\n');
  assert.ok(octets.every((octet) => octet < 0x80));
});

test('a delay says until when (RFC 3464 §2.3.9), and its status is of class 4', () => {
  const answer = {
    atMs: 0,
    host: undefined,
    status: '4.4.1',
    text: 'No connection',
    reason: 'connect.timeout',
  };
  const { groups, body, root } = parsed({
    recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'delayed', answer }],
    returned: 'header',
  });
  assert.ok(groups[1]?.includes('Action: delayed'));
  assert.ok(groups[1]?.includes('Status: 4.4.1'));
  assert.ok(groups[1]?.includes('Will-Retry-Until: Wed, 7 Jan 2026 03:04:05 +0000'));
  assert.ok(groups[1]?.includes('Diagnostic-Code: X-Postrider; No connection'));
  assert.ok(!groups[1]?.some((line) => line.startsWith('Remote-MTA')));
  assert.match(body(0), /We go on trying for 4 days more\. You need not send it again/);
  assert.equal(root.children[2]?.subtype, 'rfc822-headers');
});

test('what failed because time ran out keeps its temporary status (RFC 3464 §2.3.3)', () => {
  const atMs = MESSAGE.arrivedAtMs + 5 * 86_400_000;
  const answer = { atMs, host: 'h.example', status: '4.2.2', text: '452 4.2.2 full', reason: 'x' };
  const { groups, body } = parsed({
    recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer }],
  });
  assert.ok(groups[1]?.includes('Status: 4.2.2'));
  assert.match(body(0), /The mailbox is full\. It was tried for 5 days\. Send it again later/);
});

test('addresses beyond ASCII make the report global (RFC 6533 §4)', () => {
  const { groups, root, frame } = parsed({
    message: { ...MESSAGE, reversePath: 'jörg@sender.example', smtpUtf8: true },
    recipients: [
      {
        recipient: { notify: undefined, forwardPath: 'bø@far.example', originalRecipient: undefined },
        action: 'delivered',
        answer: undefined,
      },
    ],
    eightBit: true,
    returned: 'header',
  });
  assert.deepEqual(
    root.children.map(({ subtype }) => subtype),
    ['plain', 'global-delivery-status', 'global-headers'],
  );
  assert.equal(frame.smtpUtf8, true);
  assert.equal(frame.eightBit, true);
  assert.ok(
    groups[1]?.some(
      (line) =>
        Buffer.from(line, 'latin1').toString() === 'Final-Recipient: utf-8; bø@far.example' ||
        line === 'Final-Recipient: utf-8; bø@far.example',
    ),
  );
  assert.ok(groups[1]?.includes('Status: 2.0.0'));
});

test('a peer that answers beyond ASCII does not make the report 8-bit', () => {
  const answer = { atMs: 0, host: 'h.example', status: '5.0.0', text: '550 größer', reason: 'x' };
  const { frame, groups } = parsed({
    recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer }],
  });
  assert.equal(frame.eightBit, false);
  assert.ok(groups[1]?.includes('Diagnostic-Code: smtp; 550 gr\\x{F6}\\x{DF}er'));
});

test('nothing that a peer or sender says makes a field, a part or a long line of its own', () => {
  const hostile = fc.stringMatching(/^[ -~\r\n\u0000\u2028=_-]{0,300}$/);
  fc.assert(
    fc.property(hostile, hostile, hostile, (text, envid, original) => {
      const answer = { atMs: 0, host: 'h.example', status: '5.0.0', text: `550 ${text}`, reason: 'x' };
      const { root, groups, frame } = parsed({
        message: { ...MESSAGE, dsn: { ret: undefined, envid } },
        recipients: [
          {
            recipient: {
              notify: undefined,
              forwardPath: 'bob@far.example',
              originalRecipient: `rfc822;${original}`,
            },
            action: 'failed',
            answer,
          },
        ],
      });
      assert.equal(root.children.length, 3);
      assert.equal(groups.length, 2);
      assert.deepEqual(
        groups[1]?.map((line) => line.split(':')[0]),
        [
          'Original-Recipient',
          'Final-Recipient',
          'Action',
          'Status',
          'Remote-MTA',
          'Diagnostic-Code',
          'Last-Attempt-Date',
        ],
      );
      for (const line of frame.head.toString('latin1').split('\r\n')) {
        assert.ok(line.length <= 998);
        assert.ok(!/[\r\n]/.test(line));
      }
    }),
    { numRuns: 300 },
  );
});

for (const [name, text, smtpUtf8] of [
  ['ASCII', `550 ${'x'.repeat(996)}`, false],
  ['escaped', `550 ${'字'.repeat(996)}`, false],
  ['in a global report', `550 ${'字'.repeat(996)}`, true],
  ['beyond the first plane', '😀'.repeat(500), false],
] as const)
  test(`a peer's word without end is cut, ${name} (RFC 5322 §2.1.1)`, () => {
    const { head } = buildDsn({
      message: { ...MESSAGE, smtpUtf8 },
      original: UNTITLED,
      recipients: [
        {
          recipient: { notify: undefined, forwardPath: 'bob@far.example', originalRecipient: undefined },
          action: 'failed',
          answer: { atMs: 0, host: 'mx.far.example', status: '5.0.0', text, reason: 'smtp.refused' },
        },
      ],
      hostname: 'mx.here.example',
      id: 'dsn00001',
      nowMs: 0,
      boundary: '=_b',
      eightBit: false,
      returned: 'header',
    });
    for (const line of head.toString('latin1').split('\r\n'))
      assert.ok(line.length <= 998, line.slice(0, 80));
  });

test('ids are those of the queue', () => assert.equal(queueId('q1'), MESSAGE.id));

test('the fields of the message: where it came from, when it was wanted (RFC 3464 §2.2.4, RFC 2852 §5, RFC 4865 §5.1.2)', () => {
  const source = { kind: 'mx', remote: '2001:db8::1', helo: 'Client.Example', account: undefined } as const;
  const deliverBy = { byMs: Date.UTC(2026, 0, 2, 4), mode: 'notify', trace: false } as const;
  const { groups } = parsed({ message: { ...MESSAGE, source, deliverBy, releaseRequest: 'for;3600' } });
  assert.deepEqual(groups[0], [
    'Reporting-MTA: dns; mx.here.example',
    'Received-From-MTA: dns; Client.Example ([IPv6:2001:db8::1])',
    'Arrival-Date: Fri, 2 Jan 2026 03:04:05 +0000',
    'Deliver-By-Date: Fri, 2 Jan 2026 04:00:00 +0000',
    'Future-Release-Request: for;3600',
    'X-Postrider-Queue-ID: 000000q1',
  ]);
});

const fieldSets = [
  { action: 'failed', host: 'h.example', want: 'Remote-MTA Diagnostic-Code Last-Attempt-Date' },
  { action: 'failed', host: undefined, want: 'Diagnostic-Code Last-Attempt-Date' },
  {
    action: 'delayed',
    host: 'h.example',
    want: 'Remote-MTA Diagnostic-Code Last-Attempt-Date Will-Retry-Until',
  },
  { action: 'relayed', host: 'h.example', want: 'Remote-MTA Diagnostic-Code Last-Attempt-Date' },
  { action: 'delivered', want: 'Last-Attempt-Date' },
  { action: 'expanded', want: '' },
] as const;
for (const { action, want, ...more } of fieldSets)
  test(`${action}${'host' in more && more.host !== undefined ? ' by a host' : ''} says ${want || 'no more'} (RFC 3464 §2.3, RFC 3461 §6.3)`, () => {
    const answer =
      'host' in more ? { atMs: 0, host: more.host, status: '5.1.1', text: 'x', reason: 'x' } : undefined;
    const recipient = { notify: undefined, forwardPath: 'bob@far.example', originalRecipient: undefined };
    const { groups } = parsed({ recipients: [{ recipient, action, answer }] });
    assert.deepEqual(
      groups[1]?.map((line) => line.split(':')[0]).join(' '),
      `Final-Recipient Action Status ${want}`.trim(),
    );
  });

const typed = [
  { orcpt: 'rfc822;Bob+2Bx@Far.Example', plain: 'rfc822; Bob+x@Far.Example' },
  { orcpt: 'RFC822;bob@far.example', plain: 'rfc822; bob@far.example' },
  { orcpt: 'x400;/C=us/O=x', plain: 'x400; /C=us/O=x' },
  {
    orcpt: 'utf-8;b\\x{F8}\\x{2B}x@far.example',
    plain: 'utf-8; b\\x{F8}\\x{2B}x@far.example',
    global: 'utf-8; bø+x@far.example',
  },
  { orcpt: 'utf-8;bø@far.example', plain: 'utf-8; b\\x{F8}@far.example', global: 'utf-8; bø@far.example' },
  {
    orcpt: 'utf-8;b\\x{FFFFFF}@far.example',
    plain: 'utf-8; b\\x{5C}x{FFFFFF}@far.example',
    global: 'utf-8; b\\x{FFFFFF}@far.example',
  },
] as const;
for (const { orcpt, plain, ...more } of typed)
  for (const global of [false, true])
    test(`ORCPT=${orcpt} is told ${global ? 'in a global report' : 'in ASCII'} (RFC 6533 §3, RFC 3464 §2.3.1)`, () => {
      const recipient = { notify: undefined, forwardPath: 'bob@far.example', originalRecipient: orcpt };
      const { groups } = parsed({
        message: { ...MESSAGE, reversePath: global ? 'jörg@sender.example' : 'a@sender.example' },
        recipients: [{ recipient, action: 'failed', answer: undefined }],
      });
      const [line = ''] = groups[1] ?? [];
      const want = global && 'global' in more ? more.global : plain;
      assert.equal(line, `Original-Recipient: ${want}`);
    });

test('a report is an answer to what it is about (RFC 3834 §3.1.6)', () => {
  const references = ['first@x', ...Array.from({ length: 20 }, (_, n) => `${n}@x`), 'bad id@x'];
  const { root } = parsed({ original: { ...UNTITLED, messageId: 'm@x', references } });
  const value = (name: string): string | undefined =>
    root.fields
      .find((field) => field.name === name)
      ?.raw.replaceAll('\r\n', '')
      .trim();
  assert.equal(value('In-Reply-To'), '<m@x>');
  assert.equal(
    value('References'),
    ['first@x', ...Array.from({ length: 9 }, (_, n) => `${n + 11}@x`), 'm@x']
      .map((id) => `<${id}>`)
      .join(' '),
  );
  const { root: none } = parsed({ original: { ...UNTITLED, messageId: 'm>\r\nBcc: v@x', references: [] } });
  assert.ok(!none.fields.some(({ name }) => ['In-Reply-To', 'References', 'Bcc'].includes(name)));
});

test('an internationalized message goes back in seven bits where the way back is not internationalized (RFC 6533 §4.5)', () => {
  const message = { ...MESSAGE, smtpUtf8: true };
  for (const [returned, type] of [
    ['message', 'message/global'],
    ['header', 'message/global-headers'],
  ] as const) {
    const { frame, root, octets } = parsed(
      {
        message,
        original: { ...UNTITLED, subject: 'Grüße' },
        recipients: [
          { recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer: undefined },
        ],
        eightBit: true,
        returned,
      },
      encodeQuotedPrintable(Buffer.from('Subject: Grüße\r\n\r\n')),
    );
    assert.deepEqual([frame.encoding, frame.eightBit, frame.smtpUtf8], ['quoted-printable', false, false]);
    assert.ok(octets.every((octet) => octet < 0x80));
    const [text, status, third] = root.children;
    assert.equal(`${third?.type}/${third?.subtype}`, type);
    assert.equal(third?.encoding, 'quoted-printable');
    assert.equal(status?.subtype, 'delivery-status');
    assert.equal(text?.encoding, 'quoted-printable');
    const words = decodeTransfer(octets.subarray(text?.headerEnd, text?.bodyEnd), 'quoted-printable');
    assert.match(Buffer.from(words).toString(), /^Your message "Grüße" could not be delivered to:\r$/m);
  }
});

test('eight bits that no header has go back as they are, and so does plain ASCII', () => {
  const recipients = [
    { recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer: undefined },
  ] as const;
  const eight = parsed({ recipients, eightBit: true });
  assert.deepEqual([eight.frame.encoding, eight.frame.eightBit], ['8bit', true]);
  assert.equal(eight.root.children[2]?.subtype, 'rfc822');
  const ascii = parsed({ recipients, message: { ...MESSAGE, smtpUtf8: true } });
  assert.deepEqual([ascii.frame.encoding, ascii.root.children[2]?.subtype], ['7bit', 'rfc822']);
});

test('a header of eight bits that nobody agreed to goes back in seven (RFC 6522 §3)', () => {
  const recipients = [
    { recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer: undefined },
  ] as const;
  const { frame, root } = parsed({ recipients, eightBit: true, returned: 'header' });
  assert.deepEqual([frame.encoding, frame.eightBit], ['quoted-printable', false]);
  const [, , header] = root.children;
  assert.deepEqual([header?.subtype, header?.encoding], ['rfc822-headers', 'quoted-printable']);
});

for (const [status, text] of [
  ['5.1.1', 'There is no such address.'],
  ['5.1.2', 'There is no such domain.'],
  ['5.1.10', 'This domain takes no mail.'],
  ['5.2.2', 'The mailbox is full.'],
  ['5.3.4', 'The message is too large there.'],
  ['4.4.1', 'The mail system there could not be reached.'],
  ['5.4.6', 'The message goes round in a circle.'],
  ['5.4.7', 'The time that it could take has run out.'],
  ['5.6.7', 'The mail system there cannot take addresses of this kind.'],
  ['5.7.1', 'The mail system there refuses it by its own rules.'],
  ['5.0.0', 'The message was refused.'],
] as const)
  test(`${status} in plain words: ${text} (RFC 3463 §3)`, () => {
    const answer = { atMs: MESSAGE.arrivedAtMs, host: undefined, status, text: 'No', reason: 'x' };
    const { body } = parsed({
      recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer }],
    });
    assert.ok(
      body(0)
        .replaceAll(/\r\n +/g, ' ')
        .includes(text),
      body(0),
    );
  });

test('a subject of the sender makes no line of its own, and is not shown for ever', () => {
  const subject = `x\r\n\r\n--=_boundary\r\n\u202e${'y'.repeat(500)}`;
  const { body, root } = parsed({
    original: { ...UNTITLED, subject },
    recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer: undefined }],
  });
  assert.equal(root.children.length, 3);
  assert.match(body(0).replaceAll('\r\n', ' '), /Your message "x --=_boundary y+ \.\.\." could not be/);
});

for (const [host, want] of [
  ['mx.far.example', 'mx.far.example'],
  ['192.0.2.1', '[192.0.2.1]'],
  ['2001:db8::1', '[IPv6:2001:db8::1]'],
] as const)
  test(`the host ${host} is named ${want} (RFC 3461 §9.3)`, () => {
    const answer = { atMs: 0, host, status: '5.0.0', text: 'No', reason: 'x' };
    const { groups } = parsed({
      recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer }],
    });
    assert.ok(groups[1]?.includes(`Remote-MTA: dns; ${want}`));
  });
