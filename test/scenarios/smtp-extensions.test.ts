/** Python speaks each extension to the whole server, by its own smtplib: up to the mailbox, or to what the queue then holds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { readMessages, waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import type { RunningPostrider } from '../support/postrider.ts';
import { ALICE, BOB, postrider, startPostrider } from '../support/postrider.ts';
import { startSink } from '../support/smtp-sink.ts';

const python = peer('python3');
const sink = peer('smtp-sink');

/** `submit` is signed in, under TLS; `relay` is a stranger on port 25, `plain` without TLS. */
const PRELUDE = `
import smtplib, ssl, sys
context = ssl._create_unverified_context()
def relay(plain=False):
    smtp = smtplib.SMTP('127.0.0.1', int(sys.argv[1]))
    smtp.ehlo('client.test')
    if not plain:
        smtp.starttls(context=context)
        smtp.ehlo('client.test')
    return smtp
def submit():
    smtp = smtplib.SMTP('127.0.0.1', int(sys.argv[2]))
    smtp.starttls(context=context)
    smtp.login('bob@example.test', 'bob-secret')
    return smtp
def envelope(smtp, options, to='alice@example.test', rcpt=()):
    code, text = smtp.mail('bob@example.test', options)
    assert code == 250, (code, text)
    answer = text.decode()
    code, text = smtp.rcpt(to, rcpt)
    assert code == 250, (code, text)
    return answer
def chunk(smtp, octets, last=''):
    smtp.send(b'BDAT %d%s\\r\\n' % (len(octets), last.encode()) + octets)
    code, text = smtp.getreply()
    assert code == 250, (code, text)
def refused(smtp, options, code):
    answer = smtp.mail('bob@example.test', options)
    assert answer[0] == code, answer
    smtp.rset()
`;

async function say(server: RunningPostrider, program: string): Promise<void> {
  const ports = [String(server.port('smtp')), String(server.port('submission'))];
  const ran = await run('python3', ['-c', PRELUDE + program, ...ports]);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
}

type Queued = {
  readonly id: string;
  readonly sender: string | null;
  readonly arrivedAtMs: number;
  readonly priority: number;
  readonly requireTls: boolean;
  readonly releaseAtMs: number | null;
  readonly deliverBy: { readonly byMs: number; readonly mode: string; readonly trace: boolean } | null;
  readonly recipients: readonly { readonly dueAtMs: number; readonly attempts: number }[];
};

async function queued(server: RunningPostrider): Promise<readonly Queued[]> {
  const file = `${server.directory}/postrider.toml`;
  return JSON.parse(await postrider(['queue', 'list', '--json', '--config', file])).messages;
}

/** All that goes to other hosts stays here: nobody listens where it is sent. */
const NOWHERE = '[smtp]\ndeliverByMinSeconds = 1\n[[routes]]\nname = "nowhere"\nhosts = ["127.0.0.1:1"]\n';

test(
  'BDAT and BINARYMIME: octets of every kind arrive as they were sent',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider();
    await say(
      server,
      `
smtp = relay()
assert smtp.has_extn('chunking') and smtp.has_extn('binarymime'), smtp.esmtp_features
content = b'Subject: binary\\r\\nContent-Type: application/octet-stream\\r\\nContent-Transfer-Encoding: binary\\r\\n\\r\\n' + bytes(range(256)) * 300 + b'\\n.\\n\\r\\n.\\r\\n\\r'
envelope(smtp, ['BODY=BINARYMIME', 'SIZE=%d' % len(content)])
code, text = smtp.docmd('DATA')
assert code == 503, (code, text)
for at in range(0, len(content), 10000):
    chunk(smtp, content[at:at + 10000])
chunk(smtp, b'', ' LAST')
envelope(smtp, ['BODY=8BITMIME'])
chunk(smtp, 'Subject: text\\r\\n\\r\\nGrüße\\r\\n'.encode(), ' LAST')
smtp.quit()
`,
    );
    const messages = await waitForMessages(server, ALICE, 2);
    const every = Buffer.from(Array.from({ length: 256 }, (_, octet) => octet)).toString('latin1');
    assert.ok(messages[0]?.endsWith(`\r\n\r\n${every.repeat(300)}\n.\n\r\n.\r\n\r`));
    assert.ok(messages[1]?.endsWith(Buffer.from('\r\n\r\nGrüße\r\n').toString('latin1')));
  },
);

test(
  'FUTURERELEASE: held in the queue, then delivered by itself; other times and ports are refused',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider({
      config: '[submission]\nholdSecondsMax = 86400\nscheduledMessagesMax = 2\n',
    });
    const beganAtMs = Date.now();
    await say(
      server,
      `
smtp = submit()
smtp.ehlo('client.test')
words = smtp.esmtp_features['futurerelease'].split()
assert words[0] == '86400' and words[1].endswith('Z'), words
refused(smtp, ['HOLDFOR=86402'], 501)
refused(smtp, ['HOLDUNTIL=2999-01-01T00:00:00Z'], 501)
refused(smtp, ['HOLDFOR=1', 'HOLDUNTIL=2026-01-01T00:00:00Z'], 501)
refused(smtp, ['HOLDFOR=60', 'BY=30;N'], 501)
envelope(smtp, ['HOLDFOR=4'])
smtp.data('From: bob@example.test\\r\\nSubject: soon\\r\\n\\r\\nx\\r\\n')
envelope(smtp, ['HOLDFOR=86400'])
smtp.data('From: bob@example.test\\r\\nSubject: later\\r\\n\\r\\nx\\r\\n')
refused(smtp, ['HOLDFOR=60'], 552)
smtp.quit()
stranger = relay()
assert not stranger.has_extn('futurerelease')
refused(stranger, ['HOLDFOR=1'], 555)
`,
    );
    const [later, ...others] = (await queued(server)).toReversed();
    assert.ok(later?.releaseAtMs !== null && later !== undefined);
    assert.ok(Math.abs(later.releaseAtMs - beganAtMs - 86_400_000) < 60_000);
    assert.equal(later.recipients[0]?.dueAtMs, later.releaseAtMs);
    assert.ok(others.length <= 1);
    const [soon, ...more] = await waitForMessages(server, ALICE, 1);
    assert.match(soon ?? '', /^Subject: soon\r$/m);
    assert.deepEqual(more, []);
    assert.ok(Date.now() - beganAtMs >= 4000, 'not before its time');
    assert.equal((await queued(server)).length, 1);
    await say(server, "smtp = submit()\nenvelope(smtp, ['HOLDFOR=60'])\nsmtp.rset()\nsmtp.quit()\n");
  },
);

test(
  'XVERP: each recipient that fails is told of at an address that names it',
  { skip: python.skip ?? sink.skip },
  async () => {
    await using refusing = await startSink(await freePort(), ['-f', 'RCPT']);
    const config = `[[routes]]\nname = "all"\nhosts = ["127.0.0.1:${refusing.port}"]\n`;
    await using server = await startPostrider({ config });
    await say(
      server,
      `
smtp = submit()
smtp.ehlo('client.test')
assert smtp.has_extn('xverp')
refused(smtp, ['XVERP=@='], 501)
assert smtp.mail('', ['XVERP=+='])[0] == 503
envelope(smtp, ['XVERP=+=', 'RET=HDRS', 'ENVID=QQ1'], to='one@far.test')
assert smtp.rcpt('two@far.test', ['NOTIFY=FAILURE'])[0] == 250
assert smtp.rcpt('three@far.test', ['NOTIFY=NEVER'])[0] == 250
assert smtp.rcpt('alice@example.test')[0] == 250
smtp.data('From: bob@example.test\\r\\nSubject: news\\r\\n\\r\\nx\\r\\n')
smtp.quit()
stranger = relay()
assert not stranger.has_extn('xverp')
refused(stranger, ['XVERP'], 555)
`,
    );
    const [news = ''] = await waitForMessages(server, ALICE, 1);
    assert.match(news, /^Return-Path: <bob\+alice=example\.test@example\.test>\r$/m);
    const reports = await waitForMessages(server, BOB, 2);
    assert.deepEqual(
      reports
        .map((report) => [
          /^To: <(.*)>\r$/m.exec(report)?.[1],
          [...report.matchAll(/^Final-Recipient: rfc822; (.*)\r$/gm)].map(([, address]) => address),
          /^Original-Envelope-Id: QQ1\r$/m.test(report),
        ])
        .toSorted(([one = ''], [other = '']) => (String(one) < String(other) ? -1 : 1)),
      [
        ['bob+one=far.test@example.test', ['one@far.test'], true],
        ['bob+two=far.test@example.test', ['two@far.test'], true],
      ],
    );
  },
);

test('DELIVERBY: what is not delivered in time comes back as 5.4.7', { skip: python.skip }, async () => {
  await using server = await startPostrider({ config: NOWHERE });
  await say(
    server,
    `
smtp = submit()
smtp.ehlo('client.test')
assert smtp.esmtp_features['deliverby'] == '1', smtp.esmtp_features
refused(smtp, ['BY=0;R'], 501)
refused(smtp, ['BY=1;X'], 501)
envelope(smtp, ['BY=3;R'], 'someone@elsewhere.test', ['NOTIFY=FAILURE', 'ORCPT=rfc822;someone@elsewhere.test'])
smtp.data('From: bob@example.test\\r\\nSubject: urgent\\r\\n\\r\\nx\\r\\n')
envelope(smtp, ['BY=-5;NT'], 'someone@elsewhere.test', ['NOTIFY=FAILURE'])
smtp.data('From: bob@example.test\\r\\nSubject: late\\r\\n\\r\\nx\\r\\n')
smtp.quit()
`,
  );
  const [late] = (await queued(server)).filter(({ deliverBy }) => deliverBy?.mode === 'notify');
  assert.deepEqual(
    [late?.deliverBy?.trace, (late?.deliverBy?.byMs ?? 0) < (late?.arrivedAtMs ?? 0)],
    [true, true],
  );
  const [report = ''] = await waitForMessages(server, BOB, 1);
  assert.match(report, /^Action: failed\r$/m);
  assert.match(report, /^Status: 5\.4\.7\r$/m);
  assert.match(report, /^Original-Recipient: rfc822; ?someone@elsewhere\.test\r$/m);
  assert.match(report, /^Subject: urgent\r$/m);
  // The other one is tried on.
  assert.equal((await queued(server)).length, 1);
});

test(
  'MT-PRIORITY: signed-in people may raise it to the operator’s limit, strangers only lower it',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider({ config: `[submission]\npriorityMax = 4\n${NOWHERE}` });
    await say(
      server,
      `
smtp = submit()
smtp.ehlo('client.test')
assert smtp.esmtp_features['mt-priority'] == 'MIXER', smtp.esmtp_features
assert envelope(smtp, ['MT-PRIORITY=9'], 'someone@elsewhere.test').startswith('2.3.6 4 ')
smtp.data('From: bob@example.test\\r\\nSubject: high\\r\\n\\r\\nx\\r\\n')
smtp.quit()
stranger = relay()
assert envelope(stranger, ['MT-PRIORITY=3']).startswith('2.3.6 0 ')
stranger.rset()
assert envelope(stranger, ['MT-PRIORITY=-3']).startswith('2.1.0 ')
stranger.data('Subject: low\\r\\n\\r\\nx\\r\\n')
`,
    );
    const [high] = await queued(server);
    assert.equal(high?.priority, 4);
    const [low = ''] = await waitForMessages(server, ALICE, 1);
    assert.match(low, /^\tPRIORITY -3;\r$/m);
  },
);

test(
  'REQUIRETLS: offered and taken under TLS alone, and kept in the queue',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider({ config: NOWHERE });
    await say(
      server,
      `
stranger = relay(plain=True)
assert not stranger.has_extn('requiretls')
refused(stranger, ['REQUIRETLS'], 555)
smtp = submit()
smtp.ehlo('client.test')
assert smtp.has_extn('requiretls')
envelope(smtp, ['REQUIRETLS'], 'someone@elsewhere.test')
smtp.data('From: bob@example.test\\r\\nSubject: secret\\r\\n\\r\\nx\\r\\n')
envelope(smtp, ['REQUIRETLS'])
smtp.data('From: bob@example.test\\r\\nSubject: here\\r\\n\\r\\nx\\r\\n')
smtp.quit()
`,
    );
    const [message] = await waitForMessages(server, ALICE, 1);
    assert.match(message ?? '', /^Subject: here\r$/m);
    // It waits, or has failed already for what the next hop lacks; it never went out in the clear.
    const waiting = await queued(server);
    const reports = await readMessages(server, BOB);
    assert.equal(waiting.length + reports.length, 1);
    for (const { requireTls } of waiting) assert.equal(requireTls, true);
  },
);

test('VRFY, EXPN and HELP answer whom they may', { skip: python.skip }, async () => {
  await using server = await startPostrider({ config: '' });
  const file = `${server.directory}/postrider.toml`;
  await postrider(['alias', 'add', 'team@example.test', ALICE.address, BOB.address, '--config', file]);
  await say(
    server,
    `
smtp = submit()
assert smtp.verify('alice@example.test') == (250, b'2.1.5 <alice@example.test>'), smtp.verify('alice@example.test')
assert smtp.verify('nobody@example.test')[0] == 550
code, text = smtp.expn('<team@example.test>')
assert code == 250 and b'<alice@example.test>' in text and b'<bob@example.test>' in text, text
assert b'BDAT' in smtp.help()
stranger = relay()
assert stranger.verify('alice@example.test') == stranger.verify('nobody@example.test')
assert stranger.expn('<team@example.test>')[0] == 502
`,
  );
});
