import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newMessage, queued, queueId, remoteRecipient } from '../../test/support/queued.ts';
import { parseHeader } from '../message/header.ts';
import { scanMessage } from '../message/scan.ts';
import type { NotifyOn } from '../queue/queue.ts';
import type { DsnAction, DsnRequest } from './bounce.ts';
import { buildDsn, returnedPart, wantsDsn } from './bounce.ts';

const MESSAGE = queued(newMessage([remoteRecipient('bob@far.example')]));

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
    /could not be delivered to:\r\n\r\n {2}bob@far.example\r\n {4}mx.far.example said:\r\n {4}550 5.1.1 No such user/,
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
  assert.match(body(0), /99 more hours/);
  assert.equal(root.children[2]?.subtype, 'rfc822-headers');
});

test('a failure by expiry carries class 5 though the last answer was temporary (RFC 3464 §2.3.4)', () => {
  const answer = { atMs: 0, host: 'h.example', status: '4.2.2', text: '452 4.2.2 full', reason: 'x' };
  const { groups } = parsed({
    recipients: [{ recipient: MESSAGE.recipients[0] ?? assert.fail(), action: 'failed', answer }],
  });
  assert.ok(groups[1]?.includes('Status: 5.2.2'));
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
