/** Two users of one post office: alice, whose mailboxes are shared, and bob. */
import assert from 'node:assert/strict';
import { ACCOUNT, Conversation, ImapOffice } from './imap-conversation.ts';

/** What alice's mailboxes are below, for bob. */
export const ALICE = 'Other Users/alice@example.test';

export type TwoUsers = {
  readonly office: ImapOffice;
  readonly alice: Conversation;
  readonly bob: Conversation;
};

/** Makes the two known to the directory, as those who sign in. */
export async function addUsers(office: ImapOffice): Promise<void> {
  await office.directory.addDomain('example.test');
  for (const user of ['alice', 'bob'])
    assert.ok(
      (await office.directory.addAccount({ address: `${user}@example.test`, password: undefined })).ok,
    );
}

export async function twoUsers(office: ImapOffice = new ImapOffice()): Promise<TwoUsers> {
  await addUsers(office);
  return {
    office,
    alice: await Conversation.signedIn({ office }),
    bob: await Conversation.signedIn({ office, user: 'bob' }),
  };
}

/** Lets bob do this with a mailbox of alice; none: with all of them. */
export async function share({ office }: TwoUsers, rights: string, mailbox?: string): Promise<void> {
  const found = (await office.store.mailboxes(ACCOUNT)).find(({ name }) => name === mailbox);
  assert.ok(mailbox === undefined || found !== undefined, `no mailbox ${mailbox}`);
  const identifier = 'bob@example.test';
  const set = await office.directory.setShare({ owner: ACCOUNT, mailbox: found?.id, identifier, rights });
  assert.ok(set.ok);
}
