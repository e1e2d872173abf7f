/** Mailboxes that one account shares with another: imaplib and imapflow, the command line, and a restart between. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/command.ts';
import { imapClient } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';

const python = peer('python3');
const ENTRY = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));

/** `postrider share …` on the data of a server, whether it runs or not. */
async function share(directory: string, ...words: readonly string[]): Promise<unknown> {
  const ran = await run(process.execPath, [ENTRY, 'share', ...words, '--dir', directory, '--json']);
  assert.equal(ran.code, 0, ran.stderr);
  return JSON.parse(ran.stdout);
}

const TWO_SESSIONS = `
import imaplib, ssl, sys
context = ssl._create_unverified_context()
def signed_in(user):
    imap = imaplib.IMAP4_SSL('127.0.0.1', int(sys.argv[1]), ssl_context=context)
    imap.login(user + '@example.test', user + '-secret')
    return imap
def ok(answer):
    assert answer[0] == 'OK', answer
    return answer[1]
def no(answer, code):
    assert answer[0] == 'NO' and answer[1][-1].startswith(b'[' + code), answer
THERE = '"Other Users/alice@example.test/Work"'
alice, bob = signed_in('alice'), signed_in('bob')
capability = ok(alice.capability())[0].split()
assert b'ACL' in capability and b'RIGHTS=texk' in capability, capability
assert ok(bob.namespace()) == [b'(("" "/")) (("Other Users/" "/")) NIL']
ok(alice.create('Work'))
ok(alice.append('Work', '(\\\\Flagged)', None, b'Subject: one\\r\\n\\r\\n1\\r\\n'))
no(bob.select(THERE), b'NONEXISTENT')
no(bob.getacl(THERE), b'NONEXISTENT')
ok(alice.setacl('Work', 'bob@example.test', 'lr'))
assert ok(alice.getacl('Work')) == [b'Work alice@example.test lrswipkxteacd bob@example.test lr']
assert ok(bob.myrights(THERE)) == [THERE.encode() + b' lr']
assert ok(bob.list('"Other Users/"', '*')) == [
    b'(\\\\Noselect \\\\HasChildren) "/" "Other Users/alice@example.test"',
    b'(\\\\HasNoChildren) "/" ' + THERE.encode()], bob.list('"Other Users/"', '*')
no(bob.getacl(THERE), b'NOPERM')
try:
    bob.select(THERE)
    raise SystemExit('SELECT was READ-WRITE')
except imaplib.IMAP4.readonly:
    assert bob.response('EXISTS')[1] == [b'1'] and bob.response('READ-ONLY')[1] == [b'']
ok(bob.fetch('1', '(BODY[])'))
assert b'\\\\Seen' not in ok(bob.fetch('1', '(FLAGS)'))[0]
no(bob.store('1', '+FLAGS', '(\\\\Seen)'), b'NOPERM')
ok(bob.copy('1', 'INBOX'))
assert ok(bob.status('INBOX', '(MESSAGES)'))[0] == b'INBOX (MESSAGES 1)'
no(bob.append(THERE, None, None, b'Subject: two\\r\\n\\r\\n2\\r\\n'), b'NOPERM')
ok(alice.setacl('Work', 'bob@example.test', '+swite'))
ok(bob.select(THERE))
ok(alice.select('Work'))
ok(bob.append(THERE, '(\\\\Seen)', None, b'Subject: two\\r\\n\\r\\n2\\r\\n'))
ok(alice.noop())
assert alice.response('EXISTS')[1][-1] == b'2'
ok(bob.store('1', '+FLAGS', '(\\\\Deleted)'))
assert ok(bob.expunge()) == [b'1']
ok(alice.noop())
assert alice.response('EXPUNGE')[1] == [b'1']
assert ok(alice.search(None, 'SUBJECT', 'two')) == [b'1']
ok(alice.deleteacl('Work', 'bob@example.test'))
try:
    bob.fetch('1', '(BODY[])')
    raise SystemExit('what is no longer shared was read')
except imaplib.IMAP4.abort as gone:
    assert 'You may not read the selected mailbox any more' in str(gone), gone
bob = signed_in('bob')
no(bob.select(THERE), b'NONEXISTENT')
bob.logout()
alice.logout()
`;

test(
  'imaplib: one gives rights, the other uses them, and both hear of it',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider();
    const ran = await run('python3', ['-c', TWO_SESSIONS, String(server.port('imaps'))]);
    assert.equal(ran.code, 0, ran.stderr);
  },
);

test('imapflow: all mail of an account, given on the command line, is used and idled in', async () => {
  const server = await startPostrider();
  const { directory, basePort } = server;
  try {
    const bob = await imapClient(server, BOB);
    const others = async (): Promise<readonly string[]> =>
      (await bob.list()).map(({ path }) => path).filter((path) => path.startsWith('Other Users/alice'));
    assert.deepEqual(await others(), []);
    assert.deepEqual(await share(directory, 'add', ALICE.address, BOB.address, 'lrswite'), {
      shares: [{ mailbox: null, identifier: BOB.address, rights: 'lrswited' }],
    });
    const shown = await others();
    const inbox = `Other Users/${ALICE.address}/INBOX`;
    assert.ok(shown.includes(inbox) && shown.includes(inbox.replace('INBOX', 'Sent')), shown.join(', '));

    await bob.mailboxOpen(inbox);
    const heard: string[] = [];
    bob.on('exists', ({ count }) => heard.push(`exists ${count}`));
    const idle = bob.idle();
    const alice = await imapClient(server, ALICE);
    await alice.append('INBOX', 'Subject: hello\r\n\r\nhello\r\n');
    for (let tries = 0; tries < 100 && heard.length === 0; tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(heard, ['exists 1']);
    await bob.messageFlagsAdd('1', ['\\Flagged', '$Work']);
    await idle;
    const moved = await bob.messageMove('1', 'Archive');
    assert.deepEqual(moved !== false && [...(moved.uidMap ?? [])], [[1, 1]]);
    await alice.mailboxOpen('INBOX');
    assert.equal(alice.mailbox !== false && alice.mailbox.exists, 0);
    await bob.mailboxOpen('Archive');
    const message = await bob.fetchOne('1', { flags: true, source: true });
    assert.ok(message);
    assert.deepEqual([...(message.flags ?? [])].toSorted(), ['$Work', '\\Flagged']);
    assert.equal(message.source?.toString(), 'Subject: hello\r\n\r\nhello\r\n');
    await alice.logout();
    await bob.logout();
  } finally {
    await server.stop();
  }
  await share(directory, 'remove', ALICE.address, BOB.address);
  await share(directory, 'add', ALICE.address, 'anyone', 'lr', '--mailbox', 'Sent');
  await using again = await startPostrider({ directory, basePort });
  const bob = await imapClient(again, BOB);
  assert.deepEqual(
    (await bob.list())
      .map(({ path }) => path)
      .filter((path) => path.startsWith(`Other Users/${ALICE.address}/`)),
    [`Other Users/${ALICE.address}/Sent`],
  );
  await bob.logout();
});
