/** ACL: RFC 4314. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLAG } from '../../../store/mail-store.ts';
import { ACCOUNT, Conversation, ImapOffice } from '../../../../test/support/imap-conversation.ts';
import { ALICE, twoUsers } from '../../../../test/support/imap-sharing.ts';

const EVERY = 'lrswipkxteacd';

describe('ACL (RFC 4314)', () => {
  test('rights are set, added to, taken from, shown and removed (§3.1 to §3.3)', async () => {
    const { alice } = await twoUsers();
    const owner = `* ACL INBOX alice@example.test ${EVERY}`;
    await alice.expect('GETACL inbox', owner, '. OK …');
    await alice.expect('SETACL INBOX BOB@example.test lr', '. OK …');
    await alice.expect('SETACL INBOX bob@example.test +sd', '. OK …');
    await alice.expect('SETACL INBOX bob@example.test -e', '. OK …');
    await alice.expect('SETACL INBOX anyone l', '. OK …');
    await alice.expect('SETACL INBOX -bob@example.test r', '. OK …');
    await alice.expect(
      'GETACL INBOX',
      `${owner} -bob@example.test r anyone l bob@example.test lrstd`,
      '. OK …',
    );
    await alice.expect('DELETEACL INBOX -bob@example.test', '. OK …');
    await alice.expect('DELETEACL INBOX bob@example.test', '. OK …');
    await alice.expect('DELETEACL INBOX bob@example.test', '. OK …');
    await alice.expect('GETACL INBOX', `${owner} anyone l`, '. OK …');
  });

  test('a right that is none is BAD, and changes nothing (§3.1)', async () => {
    const { alice } = await twoUsers();
    for (const rights of ['lrQ', '+0']) {
      await alice.expect(`SETACL INBOX bob@example.test ${rights}`, '. BAD …');
      await alice.expect(`SETACL nowhere bob@example.test ${rights}`, '. BAD …');
    }
    await alice.expect('GETACL INBOX', `* ACL INBOX alice@example.test ${EVERY}`, '. OK …');
  });

  test('only for who is here, and never for the owner', async () => {
    const { alice } = await twoUsers();
    await alice.expect('SETACL INBOX nobody@example.test lr', '. NO [NONEXISTENT] …');
    await alice.expect('SETACL INBOX alice@example.test lr', '. NO [CANNOT] …');
    await alice.expect('SETACL INBOX "no address" lr', '. BAD …');
    await alice.expect('SETACL nowhere bob@example.test lr', '. NO [NONEXISTENT] …');
  });

  test('MYRIGHTS, in the own mail and in that of others (§3.5)', async () => {
    const { alice, bob } = await twoUsers();
    await alice.expect('MYRIGHTS INBOX', `* MYRIGHTS INBOX ${EVERY}`, '. OK …');
    await alice.expect('SETACL INBOX bob@example.test lrs', '. OK …');
    await bob.expect(`MYRIGHTS "${ALICE}/inbox"`, `* MYRIGHTS "${ALICE}/INBOX" lrs`, '. OK …');
    await bob.expect(`MYRIGHTS "${ALICE}/Sent"`, '. NO [NONEXISTENT] …');
    await bob.expect(`MYRIGHTS "${ALICE}"`, '. NO [NONEXISTENT] …');
  });

  test('without l it is not told from one that is not there (§6); with l, a is asked for (§4)', async () => {
    const { alice, bob } = await twoUsers();
    const name = `"${ALICE}/INBOX"`;
    const asked = [
      `GETACL ${name}`,
      `LISTRIGHTS ${name} anyone`,
      `SETACL ${name} anyone lr`,
      `DELETEACL ${name} anyone`,
    ];
    await alice.expect('SETACL INBOX bob@example.test s', '. OK …');
    const missing = await bob.run(`GETACL "${ALICE}/nowhere"`);
    for (const command of [...asked, `MYRIGHTS ${name}`])
      assert.deepEqual(await bob.run(command), missing, command);
    await alice.expect('SETACL INBOX bob@example.test l', '. OK …');
    for (const command of asked) await bob.expect(command, '. NO [NOPERM] …');
    await alice.expect('SETACL INBOX bob@example.test la', '. OK …');
    for (const command of asked) assert.match((await bob.run(command)).at(-1) ?? '', /^\. OK /, command);
  });

  test('what holds for all mail is shown, and stays (docs/sharing.md)', async () => {
    const { office, alice } = await twoUsers();
    const share = { owner: ACCOUNT, mailbox: undefined, identifier: 'bob@example.test', rights: 'lr' };
    assert.ok((await office.directory.setShare(share)).ok);
    await alice.expect('SETACL INBOX bob@example.test +s', '. OK …');
    await alice.expect(
      'GETACL INBOX',
      `* ACL INBOX alice@example.test ${EVERY} bob@example.test lrs`,
      '. OK …',
    );
    await alice.expect('DELETEACL INBOX bob@example.test', '. NO [CANNOT] …');
    await alice.expect('SETACL INBOX bob@example.test lr', '. OK …');
    await alice.expect('GETACL Sent', `* ACL Sent alice@example.test ${EVERY} bob@example.test lr`, '. OK …');
  });

  test('STATUS needs r, DELETE needs x and takes the rights with it (§4)', async () => {
    const { office, alice, bob } = await twoUsers();
    const name = `"${ALICE}/Work"`;
    await alice.expect('CREATE Work', '. OK …');
    await alice.expect('SETACL Work bob@example.test l', '. OK …');
    await bob.expect(`STATUS ${name} (MESSAGES)`, '. NO [NOPERM] …');
    await bob.expect(`DELETE ${name}`, '. NO [NOPERM] …');
    await alice.expect('SETACL Work bob@example.test r', '. OK …');
    await bob.expect(`STATUS ${name} (MESSAGES)`, `* STATUS ${name} (MESSAGES 0)`, '. OK …');
    await bob.expect(`DELETE ${name}`, '. NO [NONEXISTENT] …');
    await alice.expect('SETACL Work bob@example.test x', '. OK …');
    await bob.expect(`DELETE ${name}`, '. OK …');
    await alice.expect('STATUS Work (MESSAGES)', '. NO [NONEXISTENT] …');
    assert.deepEqual(await office.directory.shares(ACCOUNT), []);
  });

  test('APPEND needs i, and sets the flags for which there is a right (§4); UIDs are for who may read (RFC 9051 §6.3.12)', async () => {
    const { office, alice, bob } = await twoUsers();
    const append = `APPEND "${ALICE}/INBOX" (\\Seen \\Deleted \\Flagged $Forwarded) {3+}\r\na\r\n`;
    await alice.expect('SETACL INBOX bob@example.test s', '. OK …');
    await bob.expect(append, '. NO [TRYCREATE] …');
    await alice.expect('SETACL INBOX bob@example.test lr', '. OK …');
    await bob.expect(append, '. NO [NOPERM] …');
    for (const rights of ['i', 'is', 'it', 'iw', 'istw']) {
      await alice.expect(`SETACL INBOX bob@example.test ${rights}`, '. OK …');
      await bob.expect(append, '. OK Appended');
    }
    await alice.expect('SETACL INBOX bob@example.test +r', '. OK …');
    await bob.expect(`APPEND "${ALICE}/INBOX" {3+}\r\na\r\n`, '. OK [APPENDUID …');
    const inbox = (await office.store.mailboxes(ACCOUNT)).find(({ role }) => role === 'inbox');
    assert.ok(inbox);
    const kept = await office.store.entries(ACCOUNT, inbox.id, 0, 10);
    assert.deepEqual(
      kept.map(({ flags, keywords }) => [flags, ...keywords]),
      [
        [0],
        [FLAG.seen],
        [FLAG.deleted],
        [FLAG.flagged, '$Forwarded'],
        [FLAG.seen | FLAG.deleted | FLAG.flagged, '$Forwarded'],
        [0],
      ],
    );
  });

  test('everybody is given rights only where the operator lets it; what is there can be taken back', async () => {
    const { office, alice } = await twoUsers(new ImapOffice({ sharesWithAnyone: false }));
    await alice.expect('SETACL INBOX anyone lr', '. NO [NOPERM] …');
    await alice.expect('SETACL INBOX -anyone p', '. OK …');
    await alice.expect('LISTRIGHTS INBOX anyone', '* LISTRIGHTS INBOX anyone ""', '. OK …');
    const mailbox = (await office.store.mailboxes(ACCOUNT)).find(({ role }) => role === 'inbox')?.id;
    const row = { owner: ACCOUNT, mailbox, identifier: 'anyone', rights: 'lrs' };
    assert.ok((await office.directory.setShare(row)).ok);
    await alice.expect('SETACL INBOX anyone +w', '. NO [NOPERM] …');
    await alice.expect('SETACL INBOX anyone -s', '. OK …');
    await alice.expect('DELETEACL INBOX anyone', '. OK …');
    await alice.expect('GETACL INBOX', `* ACL INBOX alice@example.test ${EVERY} -anyone p`, '. OK …');
  });

  test('LISTRIGHTS: each right alone, the identifier as it was sent (§3.4)', async () => {
    const { alice } = await twoUsers();
    const each = Array.from(EVERY).join(' ');
    await alice.expect(
      'LISTRIGHTS INBOX Bob@example.test',
      `* LISTRIGHTS INBOX Bob@example.test "" ${each}`,
      '. OK …',
    );
    await alice.expect(
      'LISTRIGHTS INBOX alice@example.test',
      `* LISTRIGHTS INBOX alice@example.test ${EVERY}`,
      '. OK …',
    );
  });

  for (const text of [
    'GETACL',
    'MYRIGHTS',
    'SETACL a b',
    'SETACL a',
    'DELETEACL a',
    'LISTRIGHTS a',
    'GETACL a b',
  ])
    test(`malformed: ${text}`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(text, '. BAD …');
    });
});
