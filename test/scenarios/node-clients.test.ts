/** nodemailer sends and imapflow lives in the mailbox: IDLE, MOVE, SEARCH, mailboxes in every script. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { imapClient, readMessages, waitForMessages } from '../support/mailbox.ts';
import { ALICE, BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

function transport(server: RunningPostrider): ReturnType<typeof createTransport> {
  return createTransport({
    host: '127.0.0.1',
    port: server.port('submission'),
    requireTLS: true,
    tls: { rejectUnauthorized: false },
    auth: { user: BOB.address, pass: BOB.password },
  });
}

test('nodemailer sends a message with parts, 8-bit text and a Cc, and each account has it once', async () => {
  await using server = await startPostrider();
  const sent = await transport(server).sendMail({
    from: BOB.address,
    to: [ALICE.address, 'Alice+news@EXAMPLE.test'],
    cc: BOB.address,
    subject: 'Привет, мир — 世界',
    text: 'Plain text: żółć',
    html: '<p>HTML: <b>żółć</b></p>',
    attachments: [{ filename: 'note.txt', content: 'attached' }],
  });
  assert.deepEqual(sent.rejected, []);
  assert.match(sent.response, /^250 2\.\d\.\d .*[0-9A-Za-z]{8,}/);
  assert.equal((await waitForMessages(server, BOB, 1)).length, 1);
  assert.equal((await waitForMessages(server, ALICE, 1)).length, 1);
  const client = await imapClient(server, ALICE);
  await client.mailboxOpen('INBOX');
  const message = await client.fetchOne('1', { envelope: true, bodyStructure: true });
  assert.ok(message);
  assert.equal(message.envelope?.subject, 'Привет, мир — 世界');
  assert.equal(message.envelope?.cc?.[0]?.address, BOB.address);
  assert.equal(message.bodyStructure?.type, 'multipart/mixed');
  const { content } = await client.download('1', '2');
  assert.ok(content);
  assert.equal(Buffer.concat(await content.toArray()).toString(), 'attached');
  await client.logout();
});

test('nodemailer asks for reports: they have the id of the envelope, the recipient as it was written, and the header alone (RFC 3461)', async () => {
  await using server = await startPostrider();
  const sent = await transport(server).sendMail({
    from: BOB.address,
    to: ALICE.address,
    subject: 'tell me',
    text: 'x',
    dsn: {
      id: 'QQ+314=15',
      return: 'headers',
      notify: ['success', 'failure', 'delay'],
      recipient: `rfc822;${ALICE.address}`,
    },
  });
  assert.deepEqual(sent.rejected, []);
  assert.equal((await waitForMessages(server, ALICE, 1)).length, 1);
  const [report = ''] = await waitForMessages(server, BOB, 1);
  assert.match(report, /^Original-Envelope-Id: QQ\+314=15\r$/m);
  assert.match(report, /^Original-Recipient: rfc822; ?alice@example\.test\r$/m);
  assert.match(report, /^Action: delivered\r$/m);
  assert.match(report, /^Content-Type: text\/rfc822-headers/m);
});

test('nodemailer asks for no report at all, and gets none (RFC 3461 §4.1)', async () => {
  await using server = await startPostrider();
  await transport(server).sendMail({
    from: BOB.address,
    to: ALICE.address,
    subject: 'tell me nothing',
    text: 'x',
    dsn: { id: 'x', return: 'full', notify: 'never', recipient: BOB.address },
  });
  assert.equal((await waitForMessages(server, ALICE, 1)).length, 1);
  assert.deepEqual(await readMessages(server, BOB), []);
});

test('imapflow: a session in IDLE hears of new mail, flags and expunges made by another', async () => {
  await using server = await startPostrider();
  const watcher = await imapClient(server, ALICE);
  await watcher.mailboxOpen('INBOX');
  const heard: string[] = [];
  watcher.on('exists', ({ count }) => heard.push(`exists ${count}`));
  watcher.on('flags', ({ seq, flags }) => heard.push(`flags ${seq} ${[...(flags ?? [])].join(' ')}`));
  watcher.on('expunge', ({ seq }) => heard.push(`expunge ${seq}`));
  const idle = watcher.idle();
  const hears = async (what: string): Promise<void> => {
    for (let tries = 0; tries < 100 && !heard.includes(what); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(heard.includes(what), `${what} was not heard, but ${heard.join(', ')}`);
  };
  await transport(server).sendMail({ from: BOB.address, to: ALICE.address, subject: 'one', text: '1' });
  await hears('exists 1');
  const other = await imapClient(server, ALICE);
  await other.mailboxOpen('INBOX');
  await other.messageFlagsAdd('1', ['\\Flagged']);
  await hears('flags 1 \\Flagged');
  await other.messageDelete('1');
  await hears('expunge 1');
  await other.logout();
  await watcher.noop();
  await idle;
  await watcher.logout();
});

test('imapflow: mailboxes of every script are made, renamed, filled by MOVE and removed', async () => {
  await using server = await startPostrider();
  const client = await imapClient(server, ALICE);
  const names = ['Größe & Maß', '日本語/議事録', 'emoji 🦊', 'with "quotes" and \\'];
  for (const name of names) await client.mailboxCreate(name);
  const paths = (await client.list()).map(({ path }) => path);
  for (const name of names) assert.ok(paths.includes(name), `${name} is not among ${paths.join(', ')}`);
  const uses = (await client.list()).map(({ specialUse }) => specialUse).filter((use) => use !== undefined);
  assert.deepEqual(
    new Set(uses),
    new Set(['\\Archive', '\\Drafts', '\\Inbox', '\\Junk', '\\Sent', '\\Trash']),
  );
  for (let n = 1; n <= 5; n += 1) await client.append('INBOX', `Subject: ${n}\r\n\r\n${n}\r\n`);
  await client.mailboxOpen('INBOX');
  const moved = await client.messageMove('2:4', '日本語/議事録');
  assert.ok(moved !== false);
  assert.deepEqual(
    [...(moved.uidMap?.entries() ?? [])],
    [
      [2, 1],
      [3, 2],
      [4, 3],
    ],
  );
  assert.deepEqual(await client.search({ subject: '5' }), [2]);
  await client.mailboxRename('日本語/議事録', 'Größe & Maß/Protokolle');
  const status = await client.status('Größe & Maß/Protokolle', { messages: true });
  assert.equal(status !== false && status.messages, 3);
  await client.mailboxDelete('Größe & Maß/Protokolle');
  await client.logout();
});
