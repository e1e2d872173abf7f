/** Every kind of report that we write, read by Python's email package and by postal-mime. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import PostalMime from 'postal-mime';
import { buildDsn } from '../../src/delivery/bounce.ts';
import type { DsnAction, DsnRequest } from '../../src/delivery/dsn/request.ts';
import { encodeQuotedPrintable } from '../../src/message/transfer.ts';
import type { LastAnswer } from '../../src/queue/queue.ts';
import { run } from '../support/command.ts';
import { peer } from '../support/peer.ts';
import { newMessage, queued, remoteRecipient } from '../support/queued.ts';

const python = peer('python3');

const MESSAGE = queued(newMessage([remoteRecipient('bob@far.example')]));
const NOW_MS = Date.UTC(2026, 0, 3);
const SAID: LastAnswer = {
  atMs: NOW_MS,
  host: 'mx.far.example',
  status: '5.1.1',
  text: '550 5.1.1 Nö such user; 0x00 "quoted" (comment) <x@y>',
  reason: 'smtp.address',
};

type Kind = {
  readonly name: string;
  readonly actions: readonly DsnAction[];
  readonly returned: 'message' | 'header';
  readonly original: string;
  readonly message?: Partial<DsnRequest['message']>;
  readonly recipient?: string;
};

const LETTER = 'Received: x\r\nSubject: original\r\nContent-Type: text/plain\r\n\r\nText --=_boundary\r\n';
const INTERNATIONAL = { smtpUtf8: true, reversePath: 'author@sender.example' };
const KINDS: readonly Kind[] = [
  ...(['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const).map((action): Kind => ({
    name: action,
    actions: [action],
    returned: 'header',
    original: 'Received: x\r\nSubject: original\r\n',
  })),
  { name: 'failed, with the message', actions: ['failed'], returned: 'message', original: LETTER },
  { name: 'of everything', actions: ['failed', 'delayed', 'relayed'], returned: 'message', original: LETTER },
  {
    name: 'with eight bits',
    actions: ['failed'],
    returned: 'message',
    original: LETTER.replace('Text', 'Größe'),
  },
  {
    name: 'of a multipart with a report of its own in it',
    actions: ['failed'],
    returned: 'message',
    original:
      'Content-Type: multipart/report; boundary="=_other"\r\n\r\n--=_other\r\n\r\nx\r\n--=_other--\r\n--=_b\r\n',
  },
  {
    name: 'of an internationalized message, on a plain way',
    actions: ['failed'],
    returned: 'message',
    original: 'Subject: Größe\r\n\r\nText\r\n',
    message: INTERNATIONAL,
    recipient: 'bø@far.example',
  },
  {
    name: 'of an internationalized message, on an internationalized way',
    actions: ['delivered'],
    returned: 'header',
    original: 'Subject: Größe\r\n',
    message: { smtpUtf8: true, reversePath: 'jörg@sender.example' },
    recipient: 'bø@far.example',
  },
];

function report({ actions, returned, original, message = {}, recipient }: Kind): Buffer {
  const frame = buildDsn({
    message: {
      ...MESSAGE,
      dsn: { ret: undefined, envid: 'QQ=314159 x' },
      source: { kind: 'mx', remote: '192.0.2.9', helo: 'client.example', account: undefined },
      ...message,
    },
    original: { subject: 'Grüße "an" alle', messageId: 'm@x.example', references: ['r@x.example'] },
    recipients: actions.map((action, number) => ({
      recipient: {
        notify: undefined,
        forwardPath: recipient ?? `bob${number}@far.example`,
        originalRecipient: 'rfc822;team+2Bx@here.example',
      },
      action,
      answer: action === 'delivered' || action === 'expanded' ? undefined : SAID,
    })),
    hostname: 'mx.here.example',
    id: 'dsn00001',
    nowMs: NOW_MS,
    boundary: '=_boundary0123456789',
    eightBit: /[^\x00-\x7f]/.test(original),
    returned,
  });
  const octets = Buffer.from(original);
  const body = frame.encoding === 'quoted-printable' ? Buffer.from(encodeQuotedPrintable(octets)) : octets;
  return Buffer.concat([frame.head, body, frame.tail]);
}

const READ = `
import email, email.policy, json, sys
shown = []
for path in sys.argv[1:]:
    with open(path, 'rb') as file:
        message = email.message_from_binary_file(file, policy=email.policy.default)
    assert message.get_content_type() == 'multipart/report', message.get_content_type()
    assert message.get_param('report-type') == 'delivery-status'
    assert not message.defects, message.defects
    text, status, original = message.get_payload()
    for part in (text, status, original):
        assert not part.defects, (path, part.get_content_type(), part.defects)
    words = text.get_content()
    if status.get_content_type() == 'message/delivery-status':
        groups = [{name: str(value) for name, value in group.items()} for group in status.get_payload()]
    else:
        # Python knows no message/global-delivery-status: it is read as one message, then as text.
        lines = status.as_bytes(policy=email.policy.SMTPUTF8).decode().split('\\r\\n\\r\\n')[1:]
        groups = [dict(line.split(': ', 1) for line in group.split('\\r\\n') if ': ' in line) for group in lines]
    shown.append({'words': words, 'types': [part.get_content_type() for part in (text, status, original)],
                  'groups': [group for group in groups if group], 'replies': message['In-Reply-To']})
print(json.dumps(shown))
`;

type Shown = {
  readonly words: string;
  readonly types: readonly string[];
  readonly groups: readonly Readonly<Record<string, string>>[];
  readonly replies: string;
};

test("Python's email package reads every report", { skip: python.skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-reports-'));
  try {
    const paths = KINDS.map((_, number) => join(folder, `${number}.eml`));
    for (const [number, kind] of KINDS.entries()) await writeFile(paths[number] ?? '', report(kind));
    const read = await run('python3', ['-c', READ, ...paths]);
    assert.equal(read.code, 0, read.stderr);
    const shown = JSON.parse(read.stdout) as readonly Shown[];
    for (const [number, { name, actions }] of KINDS.entries()) {
      const { words, groups, replies } = shown[number] ?? assert.fail(name);
      assert.equal(replies, '<m@x.example>');
      assert.match(words, /Your message "Grüße "an" alle" /, name);
      assert.match(words, /the message's\s+id\s+here\s+is\s+000000q1/, name);
      const [perMessage, ...perRecipient] = groups;
      assert.equal(perMessage?.['Original-Envelope-Id'], 'QQ=314159 x', name);
      assert.equal(perMessage?.['Received-From-MTA'], 'dns; client.example ([192.0.2.9])', name);
      assert.deepEqual(
        perRecipient.map((group) => group['Action']),
        actions,
        name,
      );
      for (const group of perRecipient) assert.match(group['Status'] ?? '', /^[245]\.\d+\.\d+$/, name);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

for (const kind of KINDS)
  test(`postal-mime reads a report ${kind.name}`, async () => {
    const read = await PostalMime.parse(report(kind), { forceRfc822Attachments: true });
    assert.equal(read.inReplyTo, '<m@x.example>');
    assert.match(read.text ?? '', /Your message "Grüße "an" alle" /);
    const types = read.attachments.map(({ mimeType }) => mimeType);
    assert.ok(types[0] === 'message/delivery-status' || types[0] === 'message/global-delivery-status');
    const original = read.attachments.at(-1);
    const octets = original?.content;
    const text =
      typeof octets === 'string'
        ? octets
        : Buffer.from(new Uint8Array(octets ?? new ArrayBuffer())).toString();
    const lines = (whole: string): string => whole.replaceAll('\r\n', '\n').trimEnd();
    assert.equal(lines(text), lines(kind.original));
  });
