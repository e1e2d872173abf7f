import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildMessage, buildReport } from './build.ts';
import type { MessageHead } from './build.ts';
import { digestMessage } from './digest.ts';
import { scanMessage } from './scan.ts';
import { toPlainText } from './text.ts';

const head: MessageHead = {
  from: [{ kind: 'mailbox', name: 'Mail Delivery System', localPart: 'postmaster', domain: 'example.test' }],
  to: [{ kind: 'mailbox', name: 'Jörg', localPart: 'joerg', domain: 'example.org' }],
  subject: 'Unzustellbar: Äpfel',
  dateMs: 1_044_047_106_000,
  zoneMinutes: 0,
  messageId: '1@example.test',
  references: ['0@example.org'],
  fields: [['Auto-Submitted', 'auto-replied']],
};

test('a text message reads back as written (RFC 5322 §3.6)', () => {
  const text = `Grüße\n${'lang '.repeat(40)}\n`;
  const message = buildMessage(head, text);
  assert.ok(!/[^\x00-\x7f]/.test(message.toString('latin1')));
  for (const line of message.toString('latin1').split('\r\n')) assert.ok(line.length <= 78);
  const scanned = scanMessage(message);
  const digest = digestMessage(scanned);
  assert.equal(digest.subject, head.subject);
  assert.equal(digest.sentAtMs, head.dateMs);
  assert.equal(digest.messageId, head.messageId);
  assert.deepEqual(digest.references, head.references);
  assert.equal(digest.sortKeys.displayTo, 'JÖRG'.normalize('NFKD'));
  const body = message.subarray(scanned.root.headerEnd, scanned.root.bodyEnd);
  assert.equal(toPlainText(scanned.root, body).replaceAll('\r\n', '\n'), text);
});

test('a delivery report has its three parts (RFC 6522 §3, RFC 3464 §2)', () => {
  const message = buildReport({
    head,
    reportType: 'delivery-status',
    text: 'It could not be delivered.\n',
    groups: [
      [['Reporting-MTA', 'dns; mx.example.test']],
      [
        ['Final-Recipient', 'rfc822; bob@example.org'],
        ['Action', 'failed'],
        ['Status', '5.1.1'],
      ],
    ],
    returned: { kind: 'header', octets: Buffer.from('Subject: x\r\n\r\n') },
    boundary: 'b1',
  });
  const { root } = scanMessage(message);
  assert.deepEqual(
    root.children.map((part) => `${part.type}/${part.subtype}`),
    ['text/plain', 'message/delivery-status', 'text/rfc822-headers'],
  );
  const [text, status, returned] = root.children.map((part) =>
    message.toString('utf8', part.headerEnd, part.bodyEnd),
  );
  assert.equal(text, 'It could not be delivered.\r\n');
  assert.equal(
    status,
    'Reporting-MTA: dns; mx.example.test\r\n\r\nFinal-Recipient: rfc822; bob@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n',
  );
  assert.equal(returned, 'Subject: x\r\n\r\n');
  assert.equal(digestMessage(scanMessage(message)).hasAttachment, false);
});

test('an address in UTF-8 makes the status global, a returned 8-bit message makes the report 8bit (RFC 6533 §4)', () => {
  const message = buildReport({
    head,
    reportType: 'delivery-status',
    text: '',
    groups: [[['Final-Recipient', 'utf-8; jörg@example.org']]],
    returned: { kind: 'message', octets: Buffer.from('Subject: ä\r\n\r\nx') },
    boundary: 'b1',
  });
  const { root } = scanMessage(message);
  assert.deepEqual(
    root.children.map((part) => `${part.type}/${part.subtype} ${part.encoding}`),
    ['text/plain 7bit', 'message/global-delivery-status 8bit', 'message/global 8bit'],
  );
  assert.equal(root.encoding, '8bit');
});
