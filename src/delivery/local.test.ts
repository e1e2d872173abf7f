import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { accountId, localRecipient, newMessage, queued, queueId } from '../../test/support/queued.ts';
import { fromLatin1, latin1 } from '../base/bytes.ts';
import type { AccountId } from '../store/ids.ts';
import { openMemoryBlobStore } from '../store/memory/blob-store.ts';
import { openMemoryMailStore } from '../store/memory/mail-store.ts';
import type { LocalRecipient } from './local.ts';
import { LocalDelivery } from './local.ts';
import { gatherFromBlob } from './message-facts.ts';

const TEXT = 'Subject: Hello\r\nMessage-ID: <m1@x.example>\r\n\r\nText\r\n';

async function world(text: string = TEXT) {
  const clock = new FakeClock();
  const store = openMemoryMailStore(clock);
  const blobs = openMemoryBlobStore();
  const accounts = new Map<AccountId, { disabled: boolean }>([[accountId(1), { disabled: false }]]);
  const local = new LocalDelivery({
    store,
    blobs,
    clock,
    directory: {
      account: async (id) => {
        const found = accounts.get(id);
        if (found === undefined) return undefined;
        return {
          id,
          address: 'bob@here.example',
          displayName: '',
          quotaOctets: undefined,
          createdAtMs: 0,
          ...found,
        };
      },
    },
  });
  const writer = blobs.create();
  await writer.write(fromLatin1(text));
  const blob = await writer.finish();
  const message = (detail?: string) => {
    const recipient = localRecipient('Bob@here.example', 1, detail === undefined ? {} : { detail });
    const one = queued(
      newMessage([recipient], { blob, prefix: fromLatin1('Received: from a\r\n\tby b; x\r\n') }),
    );
    return { message: one, recipient: one.recipients[0] as unknown as LocalRecipient };
  };
  const inside = async (mailbox: string) => {
    const found = (await store.mailboxes(accountId(1))).find(({ name }) => name === mailbox);
    assert.ok(found);
    const entries = await store.entries(accountId(1), found.id, 0, 100);
    return store.messages(
      accountId(1),
      found.id,
      entries.map(({ uid }) => uid),
    );
  };
  return { clock, store, blobs, blob, accounts, local, message, inside };
}

test('Return-Path stands first, then Delivered-To, then the trace fields (RFC 5321 §4.4, RFC 9228 §4)', async () => {
  const { local, message, inside } = await world();
  const { message: one, recipient } = message();
  assert.equal((await local.deliver(one, recipient)).kind, 'delivered');
  const [kept] = await inside('INBOX');
  assert.equal(
    latin1(kept?.prefix ?? Buffer.alloc(0)),
    'Return-Path: <author@sender.example>\r\nDelivered-To: Bob@here.example\r\nReceived: from a\r\n\tby b; x\r\n',
  );
  assert.equal(kept?.octets, (kept?.prefix.length ?? 0) + TEXT.length);
  // The digest is of the blob: the store and IMAP add the prefix.
  assert.equal(kept?.digest.octets, TEXT.length);
  assert.equal(kept?.digest.headerOctets, TEXT.indexOf('Text'));
  assert.equal(kept?.digest.messageId, 'm1@x.example');
});

test("a recipient's own reverse-path is its Return-Path (RFC 5321 §4.4)", async () => {
  const { local, message, inside } = await world();
  const { message: one, recipient } = message();
  await local.deliver(one, { ...recipient, reversePath: 'owner+bob=here.example@here.example' });
  assert.match(
    latin1((await inside('INBOX'))[0]?.prefix ?? Buffer.alloc(0)),
    /^Return-Path: <owner\+bob=here\.example@here\.example>\r\n/,
  );
});

test('the null reverse-path is <>', async () => {
  const { local, message, inside } = await world();
  const { message: one, recipient } = message();
  await local.deliver({ ...one, reversePath: null }, recipient);
  assert.match(latin1((await inside('INBOX'))[0]?.prefix ?? Buffer.alloc(0)), /^Return-Path: <>\r\n/);
});

test('delivering twice leaves one message, whether read from the blob or fresh', async () => {
  const { local, message, inside, blobs, blob } = await world();
  const { message: one, recipient } = message();
  const facts = await gatherFromBlob(blobs, blob);
  assert.equal((await local.deliver(one, recipient, facts)).kind, 'delivered');
  assert.equal((await local.deliver(one, recipient)).kind, 'delivered');
  assert.equal((await inside('INBOX')).length, 1);
  await local.deliver({ ...one, id: queueId('q2') }, recipient, facts);
  const both = await inside('INBOX');
  assert.equal(both.length, 2);
  assert.deepEqual(both[0]?.digest, both[1]?.digest);
});

const details = [
  { detail: 'lists', want: 'Lists' },
  { detail: 'LISTS', want: 'Lists' },
  { detail: 'Lists/Node', want: 'Node' },
  { detail: 'node', want: 'INBOX' },
  { detail: 'nothing', want: 'INBOX' },
  { detail: 'Junk', want: 'Junk' },
  { detail: 'trash', want: 'INBOX' },
  { detail: 'sent', want: 'INBOX' },
];
for (const { detail, want } of details)
  test(`user+${detail} goes to ${want}`, async () => {
    const { local, message, inside, store } = await world();
    const lists = await store.createMailbox(accountId(1), { parent: undefined, name: 'Lists' });
    assert.ok(lists.ok);
    await store.createMailbox(accountId(1), { parent: lists.value.id, name: 'Node' });
    const { message: one, recipient } = message(detail);
    await local.deliver(one, recipient);
    assert.equal((await inside(want)).length, 1);
  });

test('a mailbox that vanishes meanwhile leaves the inbox', async () => {
  const { local, message, inside, store } = await world();
  const gone = await store.createMailbox(accountId(1), { parent: undefined, name: 'Gone' });
  assert.ok(gone.ok);
  const list = store.mailboxes.bind(store);
  store.mailboxes = async (account) => {
    const mailboxes = await list(account);
    await store.removeMailbox(account, gone.value.id);
    return mailboxes;
  };
  const { message: one, recipient } = message('gone');
  assert.equal((await local.deliver(one, recipient)).kind, 'delivered');
  store.mailboxes = list;
  assert.equal((await inside('INBOX')).length, 1);
});

test('a full mailbox delays (RFC 3463 §3.3: 4.2.2)', async () => {
  const { local, message, store } = await world();
  await store.setQuota(accountId(1), 10);
  const { message: one, recipient } = message();
  const outcome = await local.deliver(one, recipient);
  assert.deepEqual(
    [outcome.kind, outcome.answer?.status, outcome.answer?.reason],
    ['delayed', '4.2.2', 'mailbox.over-quota'],
  );
});

test('an account that is gone fails, one that is closed delays', async () => {
  const { local, message, accounts } = await world();
  const { message: one, recipient } = message();
  accounts.set(accountId(1), { disabled: true });
  assert.equal((await local.deliver(one, recipient)).answer?.status, '4.2.1');
  accounts.clear();
  const gone = await local.deliver(one, recipient);
  assert.deepEqual([gone.kind, gone.answer?.status], ['failed', '5.1.1']);
});

test('what was delivered to this address before loops (RFC 9228 §4)', async () => {
  const { local, message } = await world(`Delivered-To: bob@HERE.example\r\n${TEXT}`);
  const { message: one, recipient } = message();
  const outcome = await local.deliver(one, recipient);
  assert.deepEqual([outcome.kind, outcome.answer?.status], ['failed', '5.4.6']);
});

test('too many Received fields are a loop (RFC 5321 §6.3)', async () => {
  const { local, message } = await world('Received: x\r\n'.repeat(51) + TEXT);
  const { message: one, recipient } = message();
  assert.equal((await local.deliver(one, recipient)).answer?.reason, 'delivery.loop');
});
