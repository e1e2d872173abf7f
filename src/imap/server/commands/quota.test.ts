/** QUOTA: RFC 9208. */
import { describe, test } from 'node:test';
import { ACCOUNT, Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';

describe('QUOTA (RFC 9208)', () => {
  test('only what has a limit is named (§4.2.1)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('GETQUOTA ""', '* QUOTA "" (MAILBOX 6 10000)', '. OK …');
  });

  test('storage in units of 1024 octets (§5.1): what is begun counts', async () => {
    const office = new ImapOffice();
    await office.store.setQuota(ACCOUNT, 10 * 1024 + 1023);
    const conversation = await Conversation.signedIn({ office });
    await conversation.expect('GETQUOTA ""', '* QUOTA "" (STORAGE 0 10 MAILBOX 6 10000)', '. OK …');
    await office.deliver(letter('a', '', 'x'.repeat(1024)));
    await conversation.expect('GETQUOTA ""', '* QUOTA "" (STORAGE 2 10 MAILBOX 6 10000)', '. OK …');
  });

  test('the root of any name, also of a mailbox to come (§4.1.2)', async () => {
    const conversation = await Conversation.signedIn();
    for (const [asked, named] of [
      ['inbox', 'INBOX'],
      ['"to come"', '"to come"'],
      ['"&AOQ-"', '&AOQ-'],
    ])
      await conversation.expect(
        `GETQUOTAROOT ${asked}`,
        `* QUOTAROOT ${named} ""`,
        '* QUOTA "" (MAILBOX 6 10000)',
        '. OK …',
      );
  });

  test('no other root, and limits are the operator’s (§4.1.3)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('GETQUOTA "!partition"', '. NO [NONEXISTENT] …');
    await conversation.expect('SETQUOTA "" (STORAGE 512 MAILBOX 3)', '. NO [NOPERM] …');
    await conversation.expect('SETQUOTA "" ()', '. NO [NOPERM] …');
  });

  for (const text of ['GETQUOTA', 'GETQUOTA "" x', 'SETQUOTA ""', 'SETQUOTA "" (STORAGE)', 'GETQUOTAROOT'])
    test(`malformed: ${text}`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(text, '. BAD …');
    });

  test('a copy that does not fit is refused with OVERQUOTA (§4.3.1)', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('a'));
    await office.store.setQuota(ACCOUNT, 100);
    const conversation = await Conversation.selected({ office });
    await conversation.expect('COPY 1 INBOX', '. NO [OVERQUOTA] …');
  });
});
