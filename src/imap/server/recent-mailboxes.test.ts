/** What is remembered of mailboxes: reading one again tells what reading all of it tells. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ACCOUNT, ImapOffice, letter, overriding } from '../../../test/support/imap-conversation.ts';
import { FLAG, type MailStore } from '../../store/mail-store.ts';
import type { Uid } from '../../store/ids.ts';
import { RecentMailboxes, type ReadMailbox } from './recent-mailboxes.ts';

type Act =
  | { readonly kind: 'deliver'; readonly seen: boolean; readonly keyword: boolean; readonly count: number }
  | { readonly kind: 'see' | 'forget' | 'remove'; readonly at: number }
  | { readonly kind: 'read' };

const ACTS: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant('deliver' as const),
    seen: fc.boolean(),
    keyword: fc.boolean(),
    count: fc.integer({ min: 1, max: 3 }),
  }),
  fc.record({ kind: fc.constantFrom('see', 'forget', 'remove'), at: fc.nat(20) }),
  fc.record({ kind: fc.constant('read' as const) }),
);

async function read(recent: RecentMailboxes, store: MailStore, name = 'INBOX'): Promise<ReadMailbox> {
  const mailbox = (await store.mailboxes(ACCOUNT)).find((one) => one.name === name);
  assert(mailbox);
  return recent.read(ACCOUNT, mailbox, store);
}

async function act(office: ImapOffice, what: Act): Promise<void> {
  const { store } = office;
  if (what.kind === 'read') return;
  if (what.kind === 'deliver') {
    for (let one = 0; one < what.count; one += 1)
      await office.deliver(letter('m'), {
        flags: what.seen ? FLAG.seen : 0,
        keywords: what.keyword ? [`k${one}`] : [],
      });
    return;
  }
  const inbox = (await store.mailboxes(ACCOUNT)).find(({ name }) => name === 'INBOX');
  assert(inbox);
  const entries = await store.entries(ACCOUNT, inbox.id, 0, 1000);
  const uid: Uid | undefined = entries[what.at % Math.max(1, entries.length)]?.uid;
  if (uid === undefined) return;
  if (what.kind === 'remove') await store.remove(ACCOUNT, inbox.id, [uid]);
  else {
    const mode = what.kind === 'see' ? 'add' : 'remove';
    await store.setFlags(ACCOUNT, inbox.id, [uid], { mode, flags: FLAG.seen, keywords: [] });
  }
}

describe('mailboxes that were selected before', () => {
  test('read again, they are what reading all of them gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(ACTS, { maxLength: 40 }), async (acts) => {
        const office = new ImapOffice();
        const recent = new RecentMailboxes(4096, 0);
        for (const what of [...acts, { kind: 'read' } as const]) {
          await act(office, what);
          if (what.kind !== 'read') continue;
          const again = await read(recent, office.store);
          const anew = await read(new RecentMailboxes(0, 0), office.store);
          assert.deepEqual(again.uids, anew.uids);
          assert.equal(again.firstUnseen, anew.firstUnseen);
          assert.equal(again.modSeq, anew.modSeq);
          assert.deepEqual([...anew.keywords.difference(again.keywords)], []);
        }
      }),
    );
  });

  const firsts: readonly (readonly [string, readonly Act[], number | undefined])[] = [
    ['one below it is not seen any more', [{ kind: 'forget', at: 0 }], 1],
    ['one above it is not seen any more', [{ kind: 'forget', at: 3 }], 3],
    ['it is seen', [{ kind: 'see', at: 2 }], 5],
    ['it is gone', [{ kind: 'remove', at: 2 }], 5],
    [
      'all are seen',
      [
        { kind: 'see', at: 2 },
        { kind: 'see', at: 4 },
      ],
      undefined,
    ],
    ['one comes', [{ kind: 'deliver', seen: false, keyword: false, count: 1 }], 3],
  ];
  for (const [what, acts, first] of firsts)
    test(`the first of five that is not seen, the third, when ${what}`, async () => {
      const office = new ImapOffice();
      const recent = new RecentMailboxes(4096, 0);
      for (const seen of [true, true, false, true, false])
        await act(office, { kind: 'deliver', seen, keyword: false, count: 1 });
      assert.equal((await read(recent, office.store)).firstUnseen, 3);
      for (const one of acts) await act(office, one);
      assert.equal((await read(recent, office.store)).firstUnseen, first);
    });

  /** Counts how often the rows of a whole mailbox are read. */
  function counting(): { readonly office: ImapOffice; readonly reads: () => number } {
    let reads = 0;
    const office = new ImapOffice({
      store: (store) =>
        overriding(store, {
          entries: (...args) => {
            reads += 1;
            return store.entries(...args);
          },
        }),
    });
    return { office, reads: () => reads };
  }

  test('what has not changed, or little, is not read again', async () => {
    const { office, reads } = counting();
    const recent = new RecentMailboxes(4096, 0);
    for (let one = 0; one < 5; one += 1) await office.deliver(letter('m'));
    await read(recent, office.store);
    assert.equal(reads(), 1);
    await read(recent, office.store);
    await office.deliver(letter('new'));
    assert.deepEqual([...(await read(recent, office.store)).uids], [1, 2, 3, 4, 5, 6]);
    assert.equal(reads(), 1);
  });

  test('a mailbox of the same id after another UIDVALIDITY is read anew', async () => {
    const { office, reads } = counting();
    const recent = new RecentMailboxes(4096, 0);
    await office.deliver(letter('m'));
    const [mailbox, other] = await office.store.mailboxes(ACCOUNT);
    assert(mailbox && other);
    await recent.read(ACCOUNT, mailbox, office.store);
    await recent.read(ACCOUNT, { ...mailbox, uidValidity: other.uidValidity }, office.store);
    assert.equal(reads(), 2);
  });

  test('of more than there is room for, the one selected longest ago is read again', async () => {
    const { office, reads } = counting();
    const recent = new RecentMailboxes(4 * 2, 0);
    for (const mailbox of ['INBOX', 'Sent', 'Drafts']) await office.deliver(letter('m'), { mailbox });
    for (const name of ['INBOX', 'Sent', 'INBOX', 'Drafts']) await read(recent, office.store, name);
    assert.equal(reads(), 3);
    await read(recent, office.store, 'INBOX');
    assert.equal(reads(), 3);
    await read(recent, office.store, 'Sent');
    assert.equal(reads(), 4);
  });
});
