/**
 * What every mail store promises, as tests. A backend's test file calls {@link mailStoreContract} with a way to open
 * itself; `reopen` closes the store in good order and opens it again on the same data.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import fc from 'fast-check';
import { fromUtf8 } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import type { Result } from '../base/result.ts';
import { digestMessage } from '../message/digest.ts';
import type { MessageDigest } from '../message/digest.ts';
import { scanMessage } from '../message/scan.ts';
import { toBlobPlace } from './blob-store.ts';
import { known, toAccountId, toBlobId, toMailboxId, toModSeq, toUid } from './ids.ts';
import type { AccountId, EmailId, MailboxId, ModSeq, Uid } from './ids.ts';
import { FLAG } from './mail-store.ts';
import { toSortable } from './sortable.ts';
import type {
  DeliveryKey,
  Entry,
  FlagChange,
  Mailbox,
  MailboxRole,
  MailStore,
  NewMessage,
  Sortable,
} from './mail-store.ts';

export type OpenedMailStore = {
  readonly store: MailStore;
  /** Not of a store that outlives nothing. */
  readonly reopen?: () => Promise<MailStore>;
  readonly close: () => Promise<void>;
};

const NOTHING_YET: ModSeq = known(toModSeq(0));
const NO_MAILBOX: MailboxId = known(toMailboxId(987_654_321));

let accountsMade = 0;
/** An account that no other test uses. */
export function newAccount(): AccountId {
  accountsMade += 1;
  return known(toAccountId(accountsMade));
}

export function must<Value>(result: Result<Value, { readonly kind: string }>): Value {
  if (!result.ok) assert.fail(`refused: ${result.error.kind}`);
  return result.value;
}

function kindOf(result: Result<unknown, { readonly kind: string }>): string {
  return result.ok ? 'ok' : result.error.kind;
}

function uid(value: number): Uid {
  return known(toUid(value));
}

function modSeq(value: number): ModSeq {
  return known(toModSeq(value));
}

type Draft = {
  readonly messageId?: string;
  readonly references?: string;
  readonly inReplyTo?: string;
  readonly subject?: string;
  readonly flags?: number;
  readonly keywords?: readonly string[];
  readonly receivedAtMs?: number;
  readonly prefix?: string;
  readonly body?: string;
};

/** Only what is promised: an object may know more. */
function comparable({ addresses, thread, ...rest }: Sortable): unknown {
  if (addresses === undefined) return { ...rest, thread };
  const { from, to, cc, displayFrom, displayTo } = addresses;
  return { ...rest, addresses: { from, to, cc, displayFrom, displayTo } };
}

let messagesMade = 0;

/** A message with a real digest and a blob that is only named. */
export function newMessage(draft: Draft = {}): NewMessage {
  messagesMade += 1;
  const fields = [
    `Subject: ${draft.subject ?? `Number ${messagesMade}`}`,
    `From: Alice <alice@example.test>`,
    ...(draft.messageId === undefined ? [] : [`Message-ID: <${draft.messageId}>`]),
    ...(draft.inReplyTo === undefined ? [] : [`In-Reply-To: ${draft.inReplyTo}`]),
    ...(draft.references === undefined ? [] : [`References: ${draft.references}`]),
  ];
  const octets = fromUtf8(`${fields.join('\r\n')}\r\n\r\n${draft.body ?? 'Hello\r\n'}`);
  return {
    blob: {
      id: known(toBlobId(createHash('sha256').update(octets).digest('hex'))),
      octets: octets.length,
      place: known(toBlobPlace(messagesMade * 1_000_000_000)),
    },
    prefix: fromUtf8(draft.prefix ?? ''),
    digest: digestMessage(scanMessage(octets)),
    flags: draft.flags ?? 0,
    keywords: draft.keywords ?? [],
    receivedAtMs: draft.receivedAtMs ?? 1_700_000_000_000 + messagesMade,
  };
}

/** One account and short words for what tests do with it. */
class Owner {
  readonly id: AccountId = newAccount();
  readonly #store: () => MailStore;

  constructor(store: () => MailStore) {
    this.#store = store;
  }

  get store(): MailStore {
    return this.#store();
  }

  async role(role: MailboxRole): Promise<Mailbox> {
    const found = (await this.store.mailboxes(this.id)).find((mailbox) => mailbox.role === role);
    return found ?? assert.fail(`no mailbox with the role ${role}`);
  }

  async inbox(): Promise<MailboxId> {
    return (await this.role('inbox')).id;
  }

  async get(mailbox: MailboxId): Promise<Mailbox> {
    return (await this.store.mailbox(this.id, mailbox)) ?? assert.fail('no such mailbox');
  }

  async create(name: string, parent?: MailboxId): Promise<Mailbox> {
    return must(await this.store.createMailbox(this.id, { parent, name }));
  }

  async append(mailbox: MailboxId, ...drafts: readonly Draft[]): Promise<readonly Uid[]> {
    return must(await this.store.append(this.id, mailbox, drafts.map(newMessage))).uids;
  }

  async entries(mailbox: MailboxId): Promise<readonly Entry[]> {
    return this.store.entries(this.id, mailbox, 0, 10_000);
  }

  async uids(mailbox: MailboxId): Promise<readonly number[]> {
    return (await this.entries(mailbox)).map((entry) => entry.uid);
  }

  async flag(
    mailbox: MailboxId,
    uids: readonly Uid[],
    change: Partial<FlagChange>,
  ): Promise<readonly Entry[]> {
    const whole: FlagChange = { mode: 'add', flags: 0, keywords: [], ...change };
    return must(await this.store.setFlags(this.id, mailbox, uids, whole)).entries;
  }

  async expunge(mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly Uid[]> {
    await this.flag(mailbox, uids, { flags: FLAG.deleted });
    return must(await this.store.expunge(this.id, mailbox, uids));
  }

  async state(): Promise<ModSeq> {
    return (await this.store.changes(this.id, modSeq(Number.MAX_SAFE_INTEGER - 1), 1)).modSeq;
  }

  async changes(mailbox: MailboxId, since: ModSeq): Promise<{ changed: number[]; vanished: number[] }> {
    const { changed, vanished } = must(await this.store.mailboxChanges(this.id, mailbox, since));
    return { changed: changed.map((entry) => entry.uid), vanished: [...vanished] };
  }

  async threadOf(mailbox: MailboxId, of: Uid | undefined): Promise<number> {
    const [message] = await this.store.placed(this.id, mailbox, of === undefined ? [] : [of]);
    return message?.threadId ?? assert.fail('no such message');
  }

  /** The counters of every mailbox and of the account are what counting gives. */
  async checkCounters(): Promise<void> {
    const emails = new Map<EmailId, number>();
    for (const mailbox of await this.store.mailboxes(this.id)) {
      const entries = await this.entries(mailbox.id);
      const placed = await this.store.placed(
        this.id,
        mailbox.id,
        entries.map((entry) => entry.uid),
      );
      for (const message of placed) emails.set(message.emailId, message.octets);
      const count = (bit: number, isSet: boolean): number =>
        entries.filter(({ flags }) => ((flags & bit) !== 0) === isSet).length;
      assert.deepEqual(
        [mailbox.total, mailbox.unseen, mailbox.deleted, mailbox.octets],
        [
          entries.length,
          count(FLAG.seen, false),
          count(FLAG.deleted, true),
          placed.reduce((sum, { octets }) => sum + octets, 0),
        ],
        `counters of ${mailbox.name}`,
      );
      for (const entry of entries)
        assert.ok(entry.modSeq <= mailbox.highestModSeq && entry.uid < mailbox.uidNext);
    }
    const { octetsUsed, messagesUsed } = await this.store.quota(this.id);
    assert.deepEqual(
      [octetsUsed, messagesUsed],
      [[...emails.values()].reduce((sum, octets) => sum + octets, 0), emails.size],
    );
  }
}

/** @param open a store that is empty; opened once for all tests, each of which has an account of its own */
export function mailStoreContract(name: string, open: () => Promise<OpenedMailStore>): void {
  suite(`mail store contract: ${name}`, () => {
    let opened: OpenedMailStore;
    let store: MailStore;
    before(async () => {
      opened = await open();
      store = opened.store;
    });
    after(() => opened.close());
    const owner = (): Owner => new Owner(() => store);
    /** Good order: closed and opened again, where the backend can. */
    const reopen = async (): Promise<void> => {
      if (opened.reopen !== undefined) store = await opened.reopen();
    };

    suite('accounts', () => {
      test('an account begins with its mailboxes, their roles, all subscribed', async () => {
        const { id } = owner();
        await store.openAccount(id);
        const mailboxes = await store.mailboxes(id);
        assert.deepEqual(
          mailboxes.map(({ name: called, role, parent }) => [called, role, parent]),
          [
            ['Archive', 'archive', undefined],
            ['Drafts', 'drafts', undefined],
            ['INBOX', 'inbox', undefined],
            ['Junk', 'junk', undefined],
            ['Sent', 'sent', undefined],
            ['Trash', 'trash', undefined],
          ],
        );
        assert.deepEqual(await store.subscriptions(id), [
          'Archive',
          'Drafts',
          'INBOX',
          'Junk',
          'Sent',
          'Trash',
        ]);
        for (const mailbox of mailboxes) {
          assert.deepEqual(
            [mailbox.uidNext, mailbox.total, mailbox.unseen, mailbox.deleted, mailbox.octets],
            [1, 0, 0, 0, 0],
          );
          assert.ok(mailbox.uidValidity >= 1 && mailbox.highestModSeq >= 1 && mailbox.createdAtMs > 0);
        }
        assert.equal(new Set(mailboxes.map((one) => one.uidValidity)).size, 6);
      });

      test('opening twice changes nothing', async () => {
        const { id } = owner();
        await store.openAccount(id);
        const first = await store.mailboxes(id);
        await store.openAccount(id);
        assert.deepEqual(await store.mailboxes(id), first);
      });

      const unknown: readonly (readonly [string, (id: AccountId) => Promise<unknown>])[] = [
        ['mailboxes', (id) => store.mailboxes(id)],
        ['mailbox', (id) => store.mailbox(id, NO_MAILBOX)],
        ['quota', (id) => store.quota(id)],
        ['subscriptions', (id) => store.subscriptions(id)],
        ['changes', (id) => store.changes(id, NOTHING_YET, 10)],
        ['create', (id) => store.createMailbox(id, { parent: undefined, name: 'A' })],
        ['deliver', (id) => store.deliver(id, undefined, { queueId: 'q', recipient: 0 }, newMessage())],
        ['subscribe', (id) => store.subscribe(id, 'A', true)],
        ['set quota', (id) => store.setQuota(id, 5_000_000)],
        ['entries', (id) => store.entries(id, NO_MAILBOX, 0, 10)],
      ];
      for (const [call, run] of unknown) {
        test(`${call} on an unknown account acts as if it had been opened`, async () => {
          const { id } = owner();
          await run(id);
          assert.ok((await store.mailboxes(id)).length >= 6);
        });
      }

      test('removing an account takes all that it has, twice too, and no other', async () => {
        const [gone, stays] = [owner(), owner()];
        for (const one of [gone, stays]) {
          await one.append(await one.inbox(), { keywords: ['k'] }, {});
          await one.create('Mine');
          await store.subscribe(one.id, 'Elsewhere', true);
        }
        await store.removeAccount(gone.id);
        await store.removeAccount(gone.id);
        assert.deepEqual((await store.mailboxes(gone.id)).length, 6);
        assert.deepEqual(await gone.uids(await gone.inbox()), []);
        assert.deepEqual((await store.quota(gone.id)).messagesUsed, 0);
        assert.ok(!(await store.subscriptions(gone.id)).includes('Elsewhere'));
        assert.deepEqual(await stays.uids(await stays.inbox()), [1, 2]);
        await stays.checkCounters();
      });

      test('accounts know nothing of each other’s mailboxes and messages', async () => {
        const [a, b] = [owner(), owner()];
        const mailbox = await a.create('Only of a');
        await a.append(mailbox.id, {}, {});
        await store.openAccount(b.id);
        assert.equal(await store.mailbox(b.id, mailbox.id), undefined);
        assert.deepEqual(await store.entries(b.id, mailbox.id, 0, 10), []);
        assert.deepEqual(await store.messages(b.id, mailbox.id, [uid(1)]), []);
        assert.equal(kindOf(await store.append(b.id, mailbox.id, [newMessage()])), 'no-such-mailbox');
        assert.equal(kindOf(await store.removeMailbox(b.id, mailbox.id)), 'no-such-mailbox');
      });
    });

    suite('names of mailboxes', () => {
      const bad: readonly (readonly [string, string])[] = [
        ['empty', ''],
        ['with the delimiter', 'a/b'],
        ['with NUL', 'a\0'],
        ['with a line end', 'a\r\nb'],
        ['with TAB', 'a\tb'],
        ['with DEL', 'a\u007f'],
        ['with C1', 'a\u0085'],
        ['with a line separator', 'a\u2028b'],
        ['with half a surrogate pair', 'a\ud800b'],
        ['one octet too long', 'a'.repeat(LIMITS.mailboxNameOctetsMax + 1)],
        ['too long in UTF-8 only', 'é'.repeat(LIMITS.mailboxNameOctetsMax / 2 + 1)],
      ];
      for (const [what, called] of bad) {
        test(`a name ${what} is refused (RFC 9051 §5.1)`, async () => {
          const one = owner();
          const request = { parent: undefined, name: called };
          assert.equal(kindOf(await store.createMailbox(one.id, request)), 'bad-name');
          const mailbox = await one.create('Good');
          assert.equal(kindOf(await store.renameMailbox(one.id, mailbox.id, request)), 'bad-name');
        });
      }
      const good = ['a', ' ', '.', '..', '~', 'Ünï 😀', 'a&b', '日本語', 'a\\b"c', '%*', 'x'.repeat(1024)];
      for (const called of good) {
        test(`${JSON.stringify(called.slice(0, 12))} is a name`, async () => {
          const one = owner();
          const made = await one.create(called);
          assert.equal(made.name, called);
          assert.deepEqual(await one.get(made.id), made);
        });
      }

      test('a name is kept in NFC, and compared so (RFC 5198 §2)', async () => {
        const one = owner();
        assert.equal((await one.create('Cafe\u0301')).name, 'Caf\u00e9');
        const again = await store.createMailbox(one.id, { parent: undefined, name: 'Caf\u00e9' });
        assert.equal(kindOf(again), 'exists');
      });

      test('names differ by case, except the inbox, at the top only (RFC 9051 §5.1)', async () => {
        const one = owner();
        await one.create('Work');
        await one.create('WORK');
        for (const called of ['inbox', 'InBox', 'INBOX'])
          assert.equal(
            kindOf(await store.createMailbox(one.id, { parent: undefined, name: called })),
            'exists',
          );
        const parent = await one.create('Parent');
        assert.equal((await one.create('inbox', parent.id)).name, 'inbox');
        assert.equal((await one.create('INBOX', parent.id)).name, 'INBOX');
        assert.equal((await one.create('child', await one.inbox())).parent, await one.inbox());
      });

      test('a path has so many levels and no more', async () => {
        const one = owner();
        let parent: MailboxId | undefined;
        for (let level = 0; level < LIMITS.mailboxDepthMax; level += 1)
          parent = (await one.create('x', parent)).id;
        assert.equal(kindOf(await store.createMailbox(one.id, { parent, name: 'x' })), 'bad-name');
        const top = await one.create('top');
        await one.create('below', top.id);
        const deep = (await store.mailboxes(one.id)).find(({ id }) => id === parent);
        const to = { parent: deep?.parent, name: 'moved' };
        assert.equal(kindOf(await store.renameMailbox(one.id, top.id, to)), 'bad-name');
      });

      test('a path has so many octets and no more, also after renaming what is above', async () => {
        const one = owner();
        const half = 'p'.repeat(LIMITS.mailboxNameOctetsMax / 2);
        const top = await one.create(half);
        assert.equal(kindOf(await store.createMailbox(one.id, { parent: top.id, name: half })), 'bad-name');
        await one.create(half.slice(1), top.id);
        const to = { parent: undefined, name: `${half}q` };
        assert.equal(kindOf(await store.renameMailbox(one.id, top.id, to)), 'bad-name');
        assert.equal((await one.get(top.id)).name, half);
      });
    });

    suite('the tree of mailboxes', () => {
      test('a new mailbox is empty, complete, and the same when read back', async () => {
        const one = owner();
        const made = must(
          await store.createMailbox(one.id, { parent: undefined, name: 'Flagged', role: 'flagged' }),
        );
        assert.deepEqual(
          [
            made.name,
            made.role,
            made.parent,
            made.uidNext,
            made.total,
            made.unseen,
            made.deleted,
            made.octets,
          ],
          ['Flagged', 'flagged', undefined, 1, 0, 0, 0, 0],
        );
        assert.equal(made.highestModSeq, await one.state());
        await reopen();
        assert.deepEqual(await one.get(made.id), made);
      });

      test('the id is the modseq of creation', async () => {
        const one = owner();
        const since = await one.state();
        const made = await one.create('A');
        assert.ok(made.id > since);
        assert.equal(Number(made.id), Number(made.highestModSeq));
      });

      test('a name that is taken is refused; the same name elsewhere is not', async () => {
        const one = owner();
        const parent = await one.create('A');
        assert.equal(kindOf(await store.createMailbox(one.id, { parent: undefined, name: 'A' })), 'exists');
        await one.create('A', parent.id);
        assert.equal(kindOf(await store.createMailbox(one.id, { parent: parent.id, name: 'A' })), 'exists');
      });

      test('a role that is taken is refused (RFC 8621 §2)', async () => {
        const one = owner();
        const request = { parent: undefined, name: 'My bin', role: 'trash' } as const;
        assert.equal(kindOf(await store.createMailbox(one.id, request)), 'exists');
      });

      test('a parent that is not there is refused', async () => {
        const one = owner();
        const request = { parent: NO_MAILBOX, name: 'A' };
        assert.equal(kindOf(await store.createMailbox(one.id, request)), 'no-such-mailbox');
        const mailbox = await one.create('A');
        assert.equal(kindOf(await store.renameMailbox(one.id, mailbox.id, request)), 'no-such-mailbox');
      });

      test('mailboxes come parents first, siblings by code units', async () => {
        const one = owner();
        const b = await one.create('b');
        await one.create('a', b.id);
        await one.create('B');
        await one.create('Z', (await one.create('z', b.id)).id);
        await one.create('a');
        const names = (await store.mailboxes(one.id)).map((mailbox) => mailbox.name);
        assert.equal(names.join(' '), 'Archive B Drafts INBOX Junk Sent Trash a b a z Z');
      });

      test('renaming keeps id, UIDVALIDITY, UIDs and children, and is a change (RFC 9051 §6.3.6)', async () => {
        const one = owner();
        const mailbox = await one.create('Old');
        const child = await one.create('Child', mailbox.id);
        await one.append(mailbox.id, {}, {});
        const [old, since] = [await one.get(mailbox.id), await one.state()];
        const to = { parent: await one.inbox(), name: 'New' };
        const renamed = must(await store.renameMailbox(one.id, mailbox.id, to));
        assert.deepEqual(renamed, { ...old, ...to, highestModSeq: await one.state() });
        assert.ok(renamed.highestModSeq > since);
        assert.deepEqual(await one.get(mailbox.id), renamed);
        assert.deepEqual(await one.uids(mailbox.id), [1, 2]);
        assert.equal((await one.get(child.id)).parent, mailbox.id);
        assert.deepEqual((await store.changes(one.id, since, 100)).mailboxes.changed, [mailbox.id]);
      });

      test('renaming is refused: the inbox, onto another, onto itself, what is not there', async () => {
        const one = owner();
        const [a, b] = [await one.create('A'), await one.create('B')];
        const rename = async (
          id: MailboxId,
          parent: MailboxId | undefined,
          called: string,
        ): Promise<string> => kindOf(await store.renameMailbox(one.id, id, { parent, name: called }));
        assert.equal(await rename(await one.inbox(), undefined, 'Mine'), 'inbox');
        assert.equal(await rename(a.id, undefined, 'B'), 'exists');
        assert.equal(await rename(a.id, undefined, 'inbox'), 'exists');
        assert.equal(await rename(b.id, undefined, 'B'), 'exists');
        assert.equal(await rename(NO_MAILBOX, undefined, 'C'), 'no-such-mailbox');
      });

      test('a mailbox cannot come to lie in itself or below itself', async () => {
        const one = owner();
        const a = await one.create('A');
        const b = await one.create('B', a.id);
        const c = await one.create('C', b.id);
        for (const parent of [a.id, b.id, c.id])
          assert.equal(kindOf(await store.renameMailbox(one.id, a.id, { parent, name: 'X' })), 'loop');
        must(await store.renameMailbox(one.id, c.id, { parent: a.id, name: 'C' }));
      });

      test('a mailbox with a role may be renamed and keeps it', async () => {
        const one = owner();
        const trash = await one.role('trash');
        must(await store.renameMailbox(one.id, trash.id, { parent: undefined, name: 'Papierkorb' }));
        assert.equal((await one.role('trash')).name, 'Papierkorb');
      });

      test('removing is refused: the inbox, one with children, what is not there', async () => {
        const one = owner();
        const parent = await one.create('A');
        const child = await one.create('B', parent.id);
        assert.equal(kindOf(await store.removeMailbox(one.id, await one.inbox())), 'inbox');
        assert.equal(kindOf(await store.removeMailbox(one.id, parent.id)), 'has-children');
        assert.equal(kindOf(await store.removeMailbox(one.id, NO_MAILBOX)), 'no-such-mailbox');
        must(await store.removeMailbox(one.id, child.id));
        must(await store.removeMailbox(one.id, parent.id));
        assert.equal(await store.mailbox(one.id, parent.id), undefined);
        assert.equal(kindOf(await store.removeMailbox(one.id, parent.id)), 'no-such-mailbox');
      });

      test('removing takes the messages that live nowhere else, and leaves the others', async () => {
        const one = owner();
        const [inbox, mailbox] = [await one.inbox(), await one.create('A')];
        const [shared] = await one.append(mailbox.id, { subject: 'shared' }, { subject: 'only here' });
        must(await store.copy(one.id, mailbox.id, [shared ?? uid(1)], inbox));
        const since = await one.state();
        const emails = (await one.entries(mailbox.id)).map(({ emailId }) => emailId);
        must(await store.removeMailbox(one.id, mailbox.id));
        assert.deepEqual(await one.uids(inbox), [1]);
        assert.equal((await store.quota(one.id)).messagesUsed, 1);
        await one.checkCounters();
        const feed = await store.changes(one.id, since, 100);
        assert.deepEqual(feed.mailboxes, { changed: [], destroyed: [mailbox.id] });
        assert.deepEqual(feed.emails, { created: [], updated: [emails[0]], destroyed: [emails[1]] });
      });

      test('everything that reads or writes a removed mailbox says that it is not there', async () => {
        const one = owner();
        const [inbox, { id: gone }] = [await one.inbox(), await one.create('A')];
        await one.append(gone, {});
        await one.append(inbox, {});
        must(await store.removeMailbox(one.id, gone));
        const all = [uid(1)];
        const change: FlagChange = { mode: 'add', flags: 1, keywords: [] };
        assert.deepEqual(await one.entries(gone), []);
        assert.deepEqual(await store.placed(one.id, gone, all), []);
        assert.deepEqual(await store.messages(one.id, gone, all), []);
        for (const result of [
          await store.append(one.id, gone, [newMessage()]),
          await store.replace(one.id, { mailbox: gone, uid: uid(1) }, inbox, newMessage()),
          await store.replace(one.id, { mailbox: inbox, uid: uid(1) }, gone, newMessage()),
          await store.deliver(one.id, gone, { queueId: 'gone', recipient: 1 }, newMessage()),
          await store.mailboxChanges(one.id, gone, NOTHING_YET),
          await store.setFlags(one.id, gone, all, change),
          await store.copy(one.id, gone, all, inbox),
          await store.copy(one.id, inbox, all, gone),
          await store.move(one.id, gone, all, inbox),
          await store.move(one.id, inbox, all, gone),
          await store.expunge(one.id, gone, undefined),
          await store.remove(one.id, gone, all),
        ])
          assert.equal(kindOf(result), 'no-such-mailbox');
        assert.deepEqual(await one.uids(inbox), [1]);
      });

      test('a mailbox made again has another id and a larger UIDVALIDITY (RFC 9051 §2.3.1.1)', async () => {
        const one = owner();
        let last = await one.create('Again');
        for (let time = 0; time < 3; time += 1) {
          await one.append(last.id, {});
          must(await store.removeMailbox(one.id, last.id));
          await reopen();
          const made = await one.create('Again');
          assert.ok(made.id > last.id && made.uidValidity > last.uidValidity);
          assert.equal(made.uidNext, 1);
          last = made;
        }
      });
    });

    suite('subscriptions', () => {
      test('they are names, of mailboxes or not, sorted, each once (RFC 9051 §6.3.7)', async () => {
        const one = owner();
        for (const path of ['b/c', 'a', 'b/c', 'Not/there']) must(await store.subscribe(one.id, path, true));
        const extra = (await store.subscriptions(one.id)).filter((path) => !/^(A|D|I|J|S|T)/.test(path));
        assert.deepEqual(extra, ['Not/there', 'a', 'b/c']);
        must(await store.subscribe(one.id, 'a', false));
        must(await store.subscribe(one.id, 'never', false));
        assert.ok(!(await store.subscriptions(one.id)).includes('a'));
      });

      test('they outlive the mailbox, and stay when it is renamed', async () => {
        const one = owner();
        const [a, b] = [await one.create('A'), await one.create('B')];
        must(await store.subscribe(one.id, 'A', true));
        must(await store.subscribe(one.id, 'B', true));
        must(await store.removeMailbox(one.id, a.id));
        must(await store.renameMailbox(one.id, b.id, { parent: undefined, name: 'C' }));
        await reopen();
        const paths = await store.subscriptions(one.id);
        assert.deepEqual(
          [paths.includes('A'), paths.includes('B'), paths.includes('C')],
          [true, true, false],
        );
      });

      test('they are normalised as names are', async () => {
        const one = owner();
        must(await store.subscribe(one.id, 'inbox/Cafe\u0301', true));
        assert.ok((await store.subscriptions(one.id)).includes('INBOX/Caf\u00e9'));
        must(await store.subscribe(one.id, 'InBox', false));
        assert.ok(!(await store.subscriptions(one.id)).includes('INBOX'));
      });

      for (const path of [
        '',
        '/',
        'a//b',
        '/a',
        'a/',
        'a\r\nb',
        'x'.repeat(2000),
        Array(40).fill('x').join('/'),
      ]) {
        test(`${JSON.stringify(path.slice(0, 20))} is no path`, async () => {
          assert.equal(kindOf(await store.subscribe(owner().id, path, true)), 'bad-name');
        });
      }
    });

    suite('annotations (RFC 5464)', () => {
      const holder = newAccount();
      const reader = newAccount();
      const text = (value: string): Uint8Array => Buffer.from(value);
      const inbox = known(toMailboxId(1));
      const shown = async (who: AccountId, mailbox: MailboxId = inbox): Promise<readonly string[]> =>
        (await store.metadata(holder, who, mailbox)).map(
          (one) => `${one.name} ${Buffer.from(one.value).toString('latin1')}`,
        );
      const set = async (
        who: AccountId,
        changes: Readonly<Record<string, string | null>>,
        mailbox: MailboxId = inbox,
      ): ReturnType<MailStore['setMetadata']> =>
        store.setMetadata(
          holder,
          who,
          mailbox,
          Object.entries(changes).map(([entry, value]) => ({
            name: entry,
            value: value === null ? null : text(value),
          })),
        );

      test('shared ones are everybody’s, private ones one reader’s, by name', async () => {
        must(await set(holder, { '/shared/b': 'B', '/private/x': 'owner', '/shared/a': '' }));
        must(await set(reader, { '/private/x': 'reader\0\r\n' }));
        assert.deepEqual(await shown(holder), ['/private/x owner', '/shared/a ', '/shared/b B']);
        assert.deepEqual(await shown(reader), ['/private/x reader\0\r\n', '/shared/a ', '/shared/b B']);
      });

      test('a mailbox’s are not the account’s', async () => {
        must(
          await store.setMetadata(holder, holder, undefined, [
            { name: '/private/x', value: text('account') },
          ]),
        );
        assert.deepEqual(
          (await store.metadata(holder, holder, undefined)).map((one) => [one.mailbox, one.name]),
          [[undefined, '/private/x']],
        );
        assert.equal((await shown(holder)).length, 3);
        const [, second] = await store.mailboxes(holder);
        assert.ok(second);
        must(await set(holder, { '/shared/second': '2' }, second.id));
        assert.deepEqual(
          (await store.mailboxMetadata(holder, reader)).map((one) => [one.mailbox, one.name]),
          [
            [inbox, '/private/x'],
            [inbox, '/shared/a'],
            [inbox, '/shared/b'],
            [second.id, '/shared/second'],
          ],
        );
      });

      test('is told to those who may see it, each at the modseq of its change', async () => {
        const { modSeq: earlier } = await store.metadataNews(holder, holder, NOTHING_YET);
        const removed = must(await set(holder, { '/shared/b': null, '/private/x': 'new' }));
        const news = await store.metadataNews(holder, reader, earlier);
        assert.ok(removed > earlier && news.modSeq >= removed);
        assert.deepEqual(news.changed, [{ mailbox: inbox, name: '/shared/b', modSeq: removed }]);
        assert.equal((await store.metadataNews(holder, holder, earlier)).changed.length, 2);
        assert.deepEqual((await store.metadataNews(holder, holder, news.modSeq)).changed, []);
        // Nothing was there: nothing changes.
        assert.equal(must(await set(holder, { '/shared/b': null })), news.modSeq);
        assert.equal((await store.changes(holder, earlier, 10)).complete, true);
      });

      test('too many are refused, all of a command, and none is changed', async () => {
        const many = Object.fromEntries(
          Array.from({ length: LIMITS.metadataEntriesMax }, (_, index) => [`/shared/many/${index}`, '']),
        );
        must(await set(holder, { '/shared/a': null }));
        must(await set(holder, many));
        assert.equal(
          kindOf(await set(holder, { '/private/x': 'y', '/shared/one-more': '' })),
          'too-many-entries',
        );
        assert.ok((await shown(holder)).includes('/private/x new'));
        must(await set(holder, { '/shared/many/0': null, '/shared/one-more': '' }));
        must(await set(holder, { '/private/y': 'y' }));
      });

      test('too many octets in all are refused, and can be taken away', async () => {
        const id = newAccount();
        const value = Buffer.alloc(LIMITS.metadataValueOctetsMax);
        const wanted = LIMITS.metadataOctetsTotalMax / value.length;
        const boxes = await store.mailboxes(id);
        for (let made = 0; made < wanted; made += 64) {
          const changes = Array.from({ length: 64 }, (_, index) => ({ name: `/shared/${index}`, value }));
          must(await store.setMetadata(id, id, boxes[made / 64]?.id, changes));
        }
        const more = [{ name: '/shared/more', value: text('x') }];
        assert.equal(kindOf(await store.setMetadata(id, id, undefined, more)), 'too-many-entries');
        must(await store.setMetadata(id, id, boxes[0]?.id, [{ name: '/shared/0', value: null }]));
        must(await store.setMetadata(id, id, undefined, more));
      });

      test('what one reader keeps for itself leaves the owner no less room', async () => {
        const id = newAccount();
        const value = Buffer.alloc(LIMITS.metadataValueOctetsMax);
        const boxes = await store.mailboxes(id);
        for (let made = 0; made < LIMITS.metadataOctetsTotalMax / value.length; made += 64) {
          const changes = Array.from({ length: 64 }, (_, index) => ({ name: `/private/${index}`, value }));
          must(await store.setMetadata(id, reader, boxes[made / 64]?.id, changes));
        }
        const more = [{ name: '/private/more', value: text('x') }];
        assert.equal(kindOf(await store.setMetadata(id, reader, boxes[0]?.id, more)), 'too-many-entries');
        must(await store.setMetadata(id, id, boxes[0]?.id, more));
        must(await store.setMetadata(id, id, boxes[0]?.id, [{ name: '/shared/more', value: text('x') }]));
      });

      test('go with the mailbox and follow its name; there are none of a mailbox that is not there', async () => {
        const made = must(await store.createMailbox(holder, { parent: undefined, name: 'Annotated' }));
        must(await set(holder, { '/shared/c': 'c' }, made.id));
        must(await store.renameMailbox(holder, made.id, { parent: undefined, name: 'Renamed' }));
        assert.deepEqual(await shown(holder, made.id), ['/shared/c c']);
        must(await store.removeMailbox(holder, made.id));
        assert.deepEqual(await shown(holder, made.id), []);
        assert.equal(kindOf(await set(holder, { '/shared/c': 'c' }, NO_MAILBOX)), 'no-such-mailbox');
        assert.equal(kindOf(await set(holder, { '/shared/c': 'c' }, made.id)), 'no-such-mailbox');
      });

      test('go with the account', async () => {
        await store.removeAccount(holder);
        assert.deepEqual(await shown(holder), []);
        assert.deepEqual(await store.metadata(holder, holder, undefined), []);
      });
    });

    suite('keys for URLs (RFC 4467 §2.2)', () => {
      const key = (text: string): Uint8Array => fromUtf8(text.padEnd(32, '.'));
      const kept = (of: Owner, owner_: AccountId, mailbox: MailboxId): Promise<unknown> =>
        of.store.urlKey(of.id, { owner: owner_, mailbox }).then(plain);

      test('one for each account and mailbox, kept until it is replaced, after a restart too', async () => {
        const [one, two] = [owner(), owner()];
        const inbox = await one.inbox();
        assert.equal(await kept(one, one.id, inbox), undefined);
        const of = { owner: one.id, mailbox: inbox };
        assert.deepEqual(plain(must(await store.setUrlKey(one.id, of, key('a'), 'keep'))), plain(key('a')));
        assert.deepEqual(plain(must(await store.setUrlKey(one.id, of, key('b'), 'keep'))), plain(key('a')));
        must(await store.setUrlKey(two.id, of, key('c'), 'keep'));
        await reopen();
        assert.equal(await kept(one, one.id, inbox), plain(key('a')));
        assert.equal(await kept(two, one.id, inbox), plain(key('c')));
        assert.deepEqual(
          plain(must(await store.setUrlKey(one.id, of, key('d'), 'replace'))),
          plain(key('d')),
        );
        assert.equal(await kept(one, one.id, inbox), plain(key('d')));
        assert.equal(await kept(one, two.id, inbox), undefined);
      });

      test('of two that give one at the same time both hear the same', async () => {
        const one = owner();
        const of = { owner: one.id, mailbox: await one.inbox() };
        const heard = await Promise.all(
          ['a', 'b', 'c'].map((text) => store.setUrlKey(one.id, of, key(text), 'keep')),
        );
        assert.equal(new Set(heard.map((result) => plain(must(result)))).size, 1);
      });

      test('they go with the mailbox, with the account, and all at once', async () => {
        const [one, two] = [owner(), owner()];
        const [a, b] = [(await one.create('A')).id, (await one.create('B')).id];
        for (const mailbox of [a, b])
          must(await store.setUrlKey(one.id, { owner: one.id, mailbox }, key('x'), 'keep'));
        must(await store.setUrlKey(two.id, { owner: two.id, mailbox: await two.inbox() }, key('y'), 'keep'));
        must(await store.removeMailbox(one.id, a));
        assert.equal(await kept(one, one.id, a), undefined);
        assert.equal(await kept(one, one.id, b), plain(key('x')));
        await store.removeUrlKeys(one.id);
        assert.equal(await kept(one, one.id, b), undefined);
        await store.removeAccount(two.id);
        assert.equal(await kept(two, two.id, await two.inbox()), undefined);
      });

      test('an account has so many and no more; those it has can be replaced', async () => {
        const one = owner();
        const place = (number: number): { owner: AccountId; mailbox: MailboxId } => ({
          owner: one.id,
          mailbox: known(toMailboxId(number)),
        });
        for (let from = 1; from <= LIMITS.urlKeysMax; from += 100)
          // oxlint-disable-next-line no-await-in-loop -- a hundred at a time
          await Promise.all(
            Array.from({ length: 100 }, (_, at) =>
              store.setUrlKey(one.id, place(from + at), key('k'), 'keep'),
            ),
          );
        assert.equal(kindOf(await store.setUrlKey(one.id, place(99_999), key('k'), 'keep')), 'too-many');
        assert.equal(kindOf(await store.setUrlKey(one.id, place(1), key('n'), 'replace')), 'ok');
      });
    });

    suite('appending', () => {
      test('what was given comes back, whole, after a restart too', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const message = newMessage({
          subject: '=?utf-8?q?Gr=C3=BC=C3=9Fe?= 😀',
          messageId: 'round@example.test',
          flags: FLAG.seen | FLAG.flagged | FLAG.deleted,
          keywords: ['$Forwarded', 'work'],
          prefix: 'Return-Path: <é@example.test>\r\n',
          receivedAtMs: 1_234_567_890_123,
        });
        const { uids, uidValidity, modSeq: at } = must(await store.append(one.id, inbox, [message]));
        assert.deepEqual(uids, [1]);
        assert.equal(uidValidity, (await one.get(inbox)).uidValidity);
        for (const restarted of [false, true]) {
          if (restarted) await reopen();
          const [read] = await store.messages(one.id, inbox, uids);
          assert.ok(read !== undefined);
          const { emailId, threadId, savedAtMs, ...rest } = read;
          assert.equal(Number(emailId), at);
          assert.ok(threadId >= 1 && savedAtMs > 0);
          assert.deepEqual(
            plain(rest),
            plain({
              uid: 1,
              flags: message.flags,
              keywords: ['$Forwarded', 'work'],
              modSeq: at,
              receivedAtMs: message.receivedAtMs,
              octets: message.blob.octets + message.prefix.length,
              blob: message.blob,
              prefix: message.prefix,
              digest: message.digest,
            }),
          );
          const [placed] = await store.placed(one.id, inbox, uids);
          const { digest, ...withoutDigest } = read;
          assert.deepEqual(plain(placed), plain(withoutDigest));
          const [listed] = await store.listed(one.id, inbox, uids);
          const { blob: _blob, prefix: _prefix, ...facts } = withoutDigest;
          const { envelope, bodyStructure, body } = digest;
          assert.deepEqual(plain(listed), plain({ ...facts, envelope, bodyStructure, body }));
          assert.deepEqual(digest.threadIds, ['round@example.test']);
          const [entry] = await one.entries(inbox);
          assert.deepEqual(entry, {
            uid: 1,
            emailId,
            flags: 21,
            keywords: ['$Forwarded', 'work'],
            modSeq: at,
          });
        }
      });

      test('a digest of every kind of field comes back equal', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const bare = newMessage();
        const digest: MessageDigest = {
          octets: 0,
          headerOctets: 0,
          envelope: Buffer.from([0, 255, 10, 13]),
          bodyStructure: Buffer.alloc(70_000, 7),
          body: Buffer.alloc(0),
          preview: 'ünï\0 😀',
          sentAtMs: undefined,
          messageId: undefined,
          references: [],
          threadIds: [],
          subject: '',
          baseSubject: '',
          sortKeys: { subject: '', from: 'Ü', to: '', cc: '', displayFrom: '"', displayTo: '\\' },
          hasAttachment: true,
        };
        const dated = {
          ...digest,
          sentAtMs: -5,
          messageId: 'm',
          references: ['a', 'b'],
          threadIds: ['m', 'a'],
        };
        const { uids } = must(
          await store.append(one.id, inbox, [
            { ...bare, digest },
            { ...bare, digest: dated },
          ]),
        );
        const read = await store.messages(one.id, inbox, uids);
        assert.deepEqual(
          read.map((message) => plain(message.digest)),
          [plain(digest), plain(dated)],
        );
      });

      test('several messages are appended in order with rising UIDs (RFC 3502)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {});
        const messages = ['a', 'b', 'c'].map((subject) => newMessage({ subject }));
        const { uids, modSeq: at } = must(await store.append(one.id, inbox, messages));
        assert.deepEqual(uids, [2, 3, 4]);
        assert.equal(at, await one.state());
        const read = await store.messages(one.id, inbox, uids);
        assert.deepEqual(
          read.map(({ digest }) => digest.subject),
          ['a', 'b', 'c'],
        );
        await one.checkCounters();
      });

      test('all or none: over quota (RFC 3502 §6.3.11)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const messages = [newMessage(), newMessage()];
        await store.setQuota(one.id, (messages[0]?.blob.octets ?? 0) + 10);
        const since = await one.state();
        assert.equal(kindOf(await store.append(one.id, inbox, messages)), 'over-quota');
        assert.deepEqual(await one.uids(inbox), []);
        assert.equal((await one.get(inbox)).uidNext, 1);
        assert.equal(await one.state(), since);
      });

      test('all or none: too many keywords', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const keywords = Array.from({ length: LIMITS.keywordsMax + 1 }, (_, index) => `k${index}`);
        const messages = [newMessage({ keywords: ['fine'] }), newMessage({ keywords })];
        assert.equal(kindOf(await store.append(one.id, inbox, messages)), 'too-many-keywords');
        assert.deepEqual(await one.uids(inbox), []);
      });

      test('appending nothing is no change', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const since = await one.state();
        assert.deepEqual(must(await store.append(one.id, inbox, [])).uids, []);
        assert.equal(await one.state(), since);
      });

      test('appends made together each get their own UIDs', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const all = await Promise.all(Array.from({ length: 60 }, () => one.append(inbox, {}, {})));
        const uids = all.flat();
        assert.equal(new Set(uids).size, 120);
        for (const [first, second] of all) assert.equal((first ?? 0) + 1, second);
        assert.deepEqual(
          await one.uids(inbox),
          Array.from({ length: 120 }, (_, index) => index + 1),
        );
        await one.checkCounters();
      });
    });

    suite('replacing (RFC 8508)', () => {
      test('the message comes and the place goes, in one step of the feed (RFC 8508 §3.4)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, { flags: FLAG.flagged, keywords: ['old'] }, {});
        for (const [to, from] of [
          [inbox, uid(1)],
          [other, uid(2)],
        ] as const) {
          const [{ uidNext }, since] = [await one.get(to), await one.state()];
          const message = { ...newMessage(), flags: FLAG.draft, keywords: ['new'] };
          const heard = must(await store.replace(one.id, { mailbox: inbox, uid: from }, to, message));
          assert.deepEqual(heard.uids, [uidNext]);
          assert.equal(heard.uidValidity, (await one.get(to)).uidValidity);
          assert.equal(heard.modSeq, await one.state());
          const gone = must(await store.mailboxChanges(one.id, inbox, since));
          assert.deepEqual(gone.vanished, [from]);
          const come = must(await store.mailboxChanges(one.id, to, since));
          assert.deepEqual(
            come.changed.map((entry) => [entry.uid, entry.flags, entry.keywords]),
            [[uidNext, FLAG.draft, ['new']]],
          );
          await one.checkCounters();
        }
        await reopen();
        assert.deepEqual([await one.uids(inbox), await one.uids(other)], [[3], [1]]);
        assert.equal((await store.quota(one.id)).messagesUsed, 2);
      });

      test('what is in another mailbox too stays there', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, {});
        must(await store.copy(one.id, inbox, [uid(1)], other));
        must(await store.replace(one.id, { mailbox: inbox, uid: uid(1) }, inbox, newMessage()));
        assert.deepEqual([await one.uids(inbox), await one.uids(other)], [[2], [1]]);
        assert.equal((await store.quota(one.id)).messagesUsed, 2);
        await one.checkCounters();
      });

      test('one that is gone is not replaced, and nothing comes', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {});
        await one.expunge(inbox, [uid(1)]);
        const since = await one.state();
        const result = await store.replace(one.id, { mailbox: inbox, uid: uid(1) }, inbox, newMessage());
        assert.equal(kindOf(result), 'no-such-message');
        assert.equal(await one.state(), since);
        assert.deepEqual(await one.uids(inbox), []);
      });

      test('of two that replace the same message together one wins', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {});
        const place = { mailbox: inbox, uid: uid(1) };
        const results = await Promise.all(
          Array.from({ length: 3 }, async () => store.replace(one.id, place, inbox, newMessage())),
        );
        assert.deepEqual(results.map(kindOf).toSorted(), ['no-such-message', 'no-such-message', 'ok']);
        assert.deepEqual(await one.uids(inbox), [2]);
        await one.checkCounters();
      });

      test('only the net counts for the quota: what stays elsewhere frees nothing (RFC 8508 §3.4)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        const message = newMessage();
        const { octets } = message.blob;
        must(await store.append(one.id, inbox, [message]));
        await store.setQuota(one.id, octets);
        const place = { mailbox: inbox, uid: uid(1) };
        const since = await one.state();
        const larger = { ...message, prefix: fromUtf8('x') };
        assert.deepEqual(await store.replace(one.id, place, inbox, larger), {
          ok: false,
          error: { kind: 'over-quota', octetsLeft: octets },
        });
        assert.equal(await one.state(), since);
        must(await store.replace(one.id, place, inbox, message));
        must(await store.copy(one.id, inbox, [uid(2)], other));
        assert.deepEqual(await store.replace(one.id, { mailbox: inbox, uid: uid(2) }, inbox, message), {
          ok: false,
          error: { kind: 'over-quota', octetsLeft: 0 },
        });
        assert.deepEqual([await one.uids(inbox), await one.uids(other)], [[2], [1]]);
        await one.checkCounters();
      });

      test('too many keywords refuse it, and the message stays', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const names = Array.from({ length: LIMITS.keywordsMax }, (_, index) => `k${index}`);
        await one.append(inbox, { keywords: names });
        const place = { mailbox: inbox, uid: uid(1) };
        const result = await store.replace(one.id, place, inbox, newMessage({ keywords: ['more'] }));
        assert.equal(kindOf(result), 'too-many-keywords');
        assert.deepEqual(await one.uids(inbox), [1]);
      });
    });

    suite('UIDs', () => {
      test('they rise and are never used again, after expunging the last and a restart too', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {});
        await one.expunge(inbox, [uid(2), uid(3)]);
        assert.equal((await one.get(inbox)).uidNext, 4);
        await reopen();
        assert.equal((await one.get(inbox)).uidNext, 4);
        assert.deepEqual(await one.append(inbox, {}), [4]);
        await one.expunge(inbox, [uid(1), uid(4)]);
        await reopen();
        assert.deepEqual(await one.append(inbox, {}), [5]);
        assert.deepEqual(await one.uids(inbox), [5]);
      });

      test('each mailbox counts its own', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), await one.create('Other')];
        assert.deepEqual(await one.append(inbox, {}, {}), [1, 2]);
        assert.deepEqual(await one.append(other.id, {}), [1]);
      });

      test('a message that comes back gets a new UID', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), await one.create('Other')];
        await one.append(inbox, {});
        must(await store.move(one.id, inbox, [uid(1)], other.id));
        assert.deepEqual(must(await store.move(one.id, other.id, [uid(1)], inbox)).to, [2]);
      });
    });

    suite('delivery', () => {
      const key = (queueId: string, recipient = 0): DeliveryKey => ({ queueId, recipient });

      test('into the inbox when no mailbox is said', async () => {
        const one = owner();
        const { uids, duplicate } = must(await store.deliver(one.id, undefined, key('q1'), newMessage()));
        assert.deepEqual([uids, duplicate], [[1], false]);
        assert.deepEqual(await one.uids(await one.inbox()), [1]);
      });

      test('into the mailbox that is said', async () => {
        const one = owner();
        const junk = await one.role('junk');
        must(await store.deliver(one.id, junk.id, key('q2'), newMessage()));
        assert.deepEqual(await one.uids(junk.id), [1]);
        assert.deepEqual(await one.uids(await one.inbox()), []);
      });

      test('the second time gives what the first gave, also elsewhere, later, after a restart', async () => {
        const one = owner();
        const message = newMessage();
        const first = must(await store.deliver(one.id, undefined, key('q3'), message));
        await one.append(await one.inbox(), {}, {});
        for (const mailbox of [undefined, (await one.role('junk')).id]) {
          const again = must(await store.deliver(one.id, mailbox, key('q3'), message));
          assert.deepEqual(again, { ...first, duplicate: true });
          await reopen();
        }
        assert.deepEqual(await one.uids(await one.inbox()), [1, 2, 3]);
      });

      test('two at the same time make one message', async () => {
        const one = owner();
        const message = newMessage();
        const both = await Promise.all(
          [1, 2, 3].map(() => store.deliver(one.id, undefined, key('q4'), message)),
        );
        assert.equal(both.filter((result) => must(result).duplicate).length, 2);
        assert.deepEqual(await one.uids(await one.inbox()), [1]);
      });

      test('it stays delivered when its message was expunged meanwhile', async () => {
        const one = owner();
        const inbox = await one.inbox();
        must(await store.deliver(one.id, undefined, key('q5'), newMessage()));
        await one.expunge(inbox, [uid(1)]);
        assert.equal(must(await store.deliver(one.id, undefined, key('q5'), newMessage())).duplicate, true);
        assert.deepEqual(await one.uids(inbox), []);
      });

      test('another recipient, another queue id and another account are other deliveries', async () => {
        const [one, two] = [owner(), owner()];
        const message = newMessage();
        for (const [account, pair] of [
          [one, key('q6', 0)],
          [one, key('q6', 1)],
          [one, key('q7', 0)],
          [two, key('q6', 0)],
        ] as const)
          assert.equal(must(await store.deliver(account.id, undefined, pair, message)).duplicate, false);
        assert.deepEqual(await one.uids(await one.inbox()), [1, 2, 3]);
        assert.deepEqual(await two.uids(await two.inbox()), [1]);
      });

      test('over quota is refused and may be tried again', async () => {
        const one = owner();
        const message = newMessage();
        await store.setQuota(one.id, 1);
        const refused = await store.deliver(one.id, undefined, key('q8'), message);
        assert.deepEqual(refused, { ok: false, error: { kind: 'over-quota', octetsLeft: 1 } });
        await store.setQuota(one.id, undefined);
        assert.equal(must(await store.deliver(one.id, undefined, key('q8'), message)).duplicate, false);
      });
    });

    suite('entries', () => {
      test('come ascending, from after a UID, so many at most', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, ...Array.from({ length: 25 }, () => ({})));
        await one.expunge(inbox, [uid(3), uid(12)]);
        const seen: number[] = [];
        for (let afterUid = 0; ;) {
          const page = await store.entries(one.id, inbox, afterUid, 10);
          seen.push(...page.map((entry) => entry.uid));
          afterUid = seen.at(-1) ?? 0;
          if (page.length < 10) break;
        }
        const want = Array.from({ length: 25 }, (_, index) => index + 1).filter(
          (at) => at !== 3 && at !== 12,
        );
        assert.deepEqual(seen, want);
        assert.deepEqual(await store.entries(one.id, inbox, 25, 10), []);
        assert.deepEqual(await store.entries(one.id, inbox, 4_294_967_295, 10), []);
      });

      test('messages asked for by UID come ascending, those that exist, each once', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {}, {});
        await one.expunge(inbox, [uid(2)]);
        const asked = [4, 2, 1, 99, 4, 4_294_967_295].map(uid);
        const uidsOf = (list: readonly Entry[]): number[] => list.map((entry) => entry.uid);
        assert.deepEqual(uidsOf(await store.placed(one.id, inbox, asked)), [1, 4]);
        assert.deepEqual(uidsOf(await store.listed(one.id, inbox, asked)), [1, 4]);
        assert.deepEqual(uidsOf(await store.messages(one.id, inbox, asked)), [1, 4]);
        assert.deepEqual(await store.messages(one.id, inbox, []), []);
      });

      test('what messages are sorted by comes alone, as their digests have it, of copies too', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const drafts: Draft[] = [
          { subject: 'Re: Gr\u00fc\u00dfe', messageId: 'a\u0001@b', references: '<x@y> <"q u"@z>' },
          { subject: '=?utf-8?q?nul=00=0Aand_line?=', inReplyTo: '<p@q>' },
          { subject: '' },
        ];
        await one.append(inbox, ...drafts);
        const { id: archive } = await one.role('archive');
        const all = [1, 2, 3].map(uid);
        must(await store.copy(one.id, inbox, all, archive));
        must(await store.copy(one.id, inbox, all, archive));
        for (const [mailbox, uids] of [
          [inbox, [3, 1, 99, 2, 2].map(uid)],
          [archive, [1, 2, 3, 4, 5, 6].map(uid)],
        ] as const)
          for (const part of [undefined, 'addresses', 'thread'] as const) {
            const want = (await store.messages(one.id, mailbox, uids)).map((message) =>
              toSortable(message, part),
            );
            assert.deepEqual(
              (await store.sortables(one.id, mailbox, uids, part)).map(comparable),
              want.map(comparable),
            );
          }
        assert.deepEqual(await store.sortables(one.id, inbox, []), []);
      });

      test('a thousand messages come in one call', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const message = newMessage();
        must(await store.append(one.id, inbox, Array(1000).fill(message)));
        const uids = (await one.entries(inbox)).map((entry) => entry.uid);
        assert.equal((await store.messages(one.id, inbox, uids)).length, 1000);
        await one.checkCounters();
      });
    });

    suite('flags and keywords', () => {
      const modes: readonly (readonly [
        FlagChange['mode'],
        number,
        readonly string[],
        number,
        readonly string[],
      ])[] = [
        ['add', FLAG.answered, ['b', 'c'], FLAG.seen | FLAG.answered, ['a', 'b', 'c']],
        ['add', FLAG.deleted, [], FLAG.seen | FLAG.deleted, ['a', 'b']],
        ['remove', FLAG.seen | FLAG.draft, ['b', 'z'], 0, ['a']],
        ['replace', FLAG.draft, ['z', 'y'], FLAG.draft, ['y', 'z']],
        ['replace', 0, [], 0, []],
        // RFC 9051 §2.3.2: as they are registered; $Junk and $NotJunk exclude each other.
        ['add', 0, ['$FORWARDED', '$mdnsent'], FLAG.seen, ['$Forwarded', '$MDNSent', 'a', 'b']],
        ['add', 0, ['$junk'], FLAG.seen, ['$Junk', 'a', 'b']],
        ['replace', 0, ['$NOTJUNK', '$phishing'], 0, ['$NotJunk', '$Phishing']],
        ['replace', 0, ['$NotJunk', '$Junk', 'c'], 0, ['c']],
      ];
      for (const [within, wantFlags, wantKeywords] of [
        [{ flags: FLAG.seen, keywords: false }, FLAG.flagged | FLAG.deleted, ['a', 'b']],
        [{ flags: FLAG.flagged | FLAG.draft, keywords: true }, FLAG.seen | FLAG.draft | FLAG.deleted, ['c']],
      ] as const)
        test(`replace within ${within.flags} and keywords ${within.keywords} leaves the others`, async () => {
          const one = owner();
          const inbox = await one.inbox();
          await one.append(inbox, { flags: FLAG.seen | FLAG.flagged | FLAG.deleted, keywords: ['b', 'a'] });
          const change = { mode: 'replace', flags: FLAG.draft, keywords: ['c'], within } as const;
          const [entry] = await one.flag(inbox, [uid(1)], change);
          assert.deepEqual([entry?.flags, entry?.keywords], [wantFlags, wantKeywords]);
          await reopen();
          assert.deepEqual((await one.entries(inbox))[0], entry);
          await one.checkCounters();
        });
      const verdicts = [
        [['$Junk'], { mode: 'add', keywords: ['$notjunk', 'x'] }, ['$NotJunk', 'x']],
        [['$NotJunk'], { mode: 'add', keywords: ['$JUNK'] }, ['$Junk']],
        [['$Junk'], { mode: 'add', keywords: ['$Junk'] }, ['$Junk']],
        [['$Junk', 'x'], { mode: 'add', keywords: ['$Junk', '$NotJunk'] }, ['x']],
        [['$Junk'], { mode: 'add', keywords: ['x'] }, ['$Junk', 'x']],
        [['$Junk', 'x'], { mode: 'remove', keywords: ['$Junk', '$NotJunk'] }, ['x']],
        [['$junk', '$NOTJUNK', 'x'], { mode: 'add', keywords: [] }, ['x']],
      ] as const;
      for (const [had, change, want] of verdicts)
        test(`${had.join(' ')}, ${change.mode} ${change.keywords.join(' ')}: ${want.join(' ')} (RFC 9051 §2.3.2)`, async () => {
          const one = owner();
          const inbox = await one.inbox();
          await one.append(inbox, { keywords: had });
          await one.flag(inbox, [uid(1)], change);
          await reopen();
          assert.deepEqual((await one.entries(inbox))[0]?.keywords, want);
        });

      test('all keywords of the account, once seen', async () => {
        const one = owner();
        const inbox = await one.inbox();
        assert.deepEqual(await store.keywords(one.id), []);
        await one.append(inbox, { keywords: ['b', '$junk'] });
        await one.flag(inbox, [uid(1)], { mode: 'replace', keywords: ['a', 'B'] });
        await one.expunge(inbox, [uid(1)]);
        await reopen();
        assert.deepEqual((await store.keywords(one.id)).toSorted(), ['$Junk', 'a', 'b']);
        assert.deepEqual(await store.keywords(owner().id), []);
      });

      for (const [mode, flags, keywords, wantFlags, wantKeywords] of modes) {
        test(`${mode} ${flags} ${keywords.join(' ')} (RFC 9051 §6.4.6)`, async () => {
          const one = owner();
          const inbox = await one.inbox();
          await one.append(inbox, { flags: FLAG.seen, keywords: ['b', 'a'] }, {});
          const since = await one.state();
          const [entry, ...others] = await one.flag(inbox, [uid(1)], { mode, flags, keywords });
          assert.deepEqual(others, []);
          assert.deepEqual([entry?.flags, entry?.keywords], [wantFlags, wantKeywords]);
          assert.ok((entry?.modSeq ?? 0) > since);
          await reopen();
          assert.deepEqual((await one.entries(inbox))[0], entry);
          assert.deepEqual((await one.changes(inbox, since)).changed, [1]);
          await one.checkCounters();
        });
      }

      test('what changes nothing takes no modseq', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, { flags: FLAG.seen, keywords: ['a'] });
        const since = await one.state();
        const untouched = await one.entries(inbox);
        for (const change of [
          { mode: 'add', flags: FLAG.seen, keywords: ['A'] },
          { mode: 'remove', flags: FLAG.draft, keywords: ['b'] },
          { mode: 'replace', flags: FLAG.seen, keywords: ['a'] },
        ] as const)
          assert.deepEqual(await one.flag(inbox, [uid(1)], change), untouched);
        assert.equal(await one.state(), since);
      });

      test('UIDs that do not exist are passed over; each answers once, ascending', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {});
        const entries = await one.flag(inbox, [3, 1, 77, 3].map(uid), { flags: FLAG.seen });
        assert.deepEqual(
          entries.map((entry) => entry.uid),
          [1, 3],
        );
        assert.deepEqual(await one.flag(inbox, [], { flags: FLAG.seen }), []);
      });

      test('flags and keywords belong to the message, \\Deleted to its place (RFC 8621 §4.1.1)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, {});
        must(await store.copy(one.id, inbox, [uid(1)], other));
        const since = await one.state();
        await one.flag(inbox, [uid(1)], { flags: FLAG.flagged | FLAG.deleted, keywords: ['k'] });
        const [here] = await one.entries(inbox);
        const [there] = await one.entries(other);
        assert.deepEqual([here?.flags, here?.keywords], [FLAG.flagged | FLAG.deleted, ['k']]);
        assert.deepEqual([there?.flags, there?.keywords], [FLAG.flagged, ['k']]);
        assert.ok((there?.modSeq ?? 0) > since);
        assert.ok((await one.get(other)).highestModSeq > since);
        const middle = await one.state();
        await one.flag(other, [uid(1)], { flags: FLAG.deleted });
        assert.deepEqual(await one.changes(inbox, middle), { changed: [], vanished: [] });
        assert.deepEqual((await one.changes(other, middle)).changed, [1]);
        await one.flag(other, [uid(1)], { mode: 'replace', flags: FLAG.seen });
        assert.equal((await one.entries(inbox))[0]?.flags, FLAG.seen | FLAG.deleted);
        await one.checkCounters();
      });

      test('keywords are compared without case; the first spelling stays (RFC 9051 §2.3.2)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, { keywords: ['Work', 'WORK', 'work'] });
        assert.deepEqual((await one.entries(inbox))[0]?.keywords, ['Work']);
        await one.append(other, { keywords: ['wORK'] });
        assert.deepEqual((await one.entries(other))[0]?.keywords, ['Work']);
        await one.flag(inbox, [uid(1)], { mode: 'remove', keywords: ['work'] });
        assert.deepEqual((await one.entries(inbox))[0]?.keywords, []);
        await one.flag(inbox, [uid(1)], { keywords: ['WORK'] });
        assert.deepEqual((await one.entries(inbox))[0]?.keywords, ['Work']);
      });

      test('keywords that look like flags are keywords', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, { keywords: ['$seen', 'Seen', '$Deleted'] });
        const [entry] = await one.entries(inbox);
        assert.deepEqual([entry?.flags, entry?.keywords], [0, ['$Deleted', '$seen', 'Seen']]);
      });

      test('an account has so many keywords and no more; what it has it may go on using', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {});
        const all = Array.from({ length: LIMITS.keywordsMax }, (_, index) => `k${index}`);
        for (let at = 0; at < all.length; at += 100)
          await one.flag(inbox, [uid(1)], { keywords: all.slice(at, at + 100) });
        const change = (keywords: string[]): FlagChange => ({ mode: 'add', flags: 0, keywords });
        assert.equal(
          kindOf(await store.setFlags(one.id, inbox, [uid(1)], change(['one-more']))),
          'too-many-keywords',
        );
        assert.equal(
          kindOf(await store.append(one.id, inbox, [newMessage({ keywords: ['x'] })])),
          'too-many-keywords',
        );
        await one.flag(inbox, [uid(1)], { mode: 'replace', keywords: ['K7'] });
        assert.deepEqual((await one.entries(inbox))[0]?.keywords, ['k7']);
        assert.deepEqual(await one.append(inbox, { keywords: ['k9'] }), [2]);
      });

      test('a keyword has so many octets and no more', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const longest = 'x'.repeat(LIMITS.keywordOctetsMax);
        await one.append(inbox, { keywords: [longest] });
        const over = newMessage({ keywords: [`${longest}y`] });
        assert.equal(kindOf(await store.append(one.id, inbox, [over])), 'too-many-keywords');
      });

      for (const keyword of ['', 'a b', 'a\r\n', '\\Seen', 'a]', 'a*', 'ä', '(']) {
        test(`${JSON.stringify(keyword)} is no keyword, and a bug of the caller (RFC 9051 §9)`, async () => {
          const one = owner();
          const inbox = await one.inbox();
          await assert.rejects(async () =>
            store.append(one.id, inbox, [newMessage({ keywords: [keyword] })]),
          );
          assert.deepEqual(await one.uids(inbox), []);
        });
      }

      test('unchangedSince refuses what was changed later and takes the others (RFC 7162 §3.1.3)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {});
        const since = await one.state();
        await one.flag(inbox, [uid(2)], { flags: FLAG.flagged });
        const change: FlagChange = { mode: 'add', flags: FLAG.seen, keywords: [], unchangedSince: since };
        const { entries, refused } = must(await store.setFlags(one.id, inbox, [1, 2, 3].map(uid), change));
        assert.deepEqual(
          entries.map((entry) => [entry.uid, entry.flags]),
          [
            [1, FLAG.seen],
            [3, FLAG.seen],
          ],
        );
        assert.deepEqual(refused, [2]);
        assert.equal((await one.entries(inbox))[1]?.flags, FLAG.flagged);
        const never = must(
          await store.setFlags(one.id, inbox, [uid(1)], { ...change, unchangedSince: NOTHING_YET }),
        );
        assert.deepEqual(never, { entries: [], refused: [1] });
      });
    });

    suite('copying and moving', () => {
      test('a copy shares the message, in UID order, with UIDs pairwise (RFC 9051 §6.4.7, §7.1)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), await one.create('Other')];
        await one.append(inbox, { flags: FLAG.seen }, { keywords: ['k'] }, { flags: FLAG.deleted });
        await one.append(other.id, {});
        const copied = must(await store.copy(one.id, inbox, [3, 1, 2, 9].map(uid), other.id));
        assert.deepEqual(copied, {
          uidValidity: other.uidValidity,
          from: [1, 2, 3],
          to: [2, 3, 4],
          modSeq: await one.state(),
        });
        const [source, target] = [await one.entries(inbox), await one.entries(other.id)];
        assert.deepEqual(
          target.slice(1).map(({ emailId, flags, keywords }) => [emailId, flags, keywords]),
          source.map(({ emailId, flags, keywords }) => [emailId, flags, keywords]),
        );
        assert.equal((await store.quota(one.id)).messagesUsed, 4);
        await one.checkCounters();
      });

      test('a copy keeps the date, and has its own time of saving (RFC 8514)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, { receivedAtMs: 5000 });
        must(await store.copy(one.id, inbox, [uid(1)], other));
        const [message] = await store.placed(one.id, other, [uid(1)]);
        const [original] = await store.placed(one.id, inbox, [uid(1)]);
        assert.equal(message?.receivedAtMs, 5000);
        assert.ok((message?.savedAtMs ?? 0) >= (original?.savedAtMs ?? Infinity));
      });

      const twice: readonly (readonly [string, 'copy' | 'move', boolean])[] = [
        ['copying to where it already is', 'copy', false],
        ['copying within the mailbox', 'copy', true],
      ];
      for (const [what, call, isSame] of twice) {
        test(`${what} makes a new message of the same blob and thread`, async () => {
          const one = owner();
          const inbox = await one.inbox();
          const to = isSame ? inbox : (await one.create('Other')).id;
          await one.append(inbox, {
            flags: FLAG.answered,
            keywords: ['k'],
            prefix: 'P: q\r\n',
            messageId: 'x@y',
          });
          if (!isSame) must(await store.copy(one.id, inbox, [uid(1)], to));
          const copied = must(await store[call](one.id, inbox, [uid(1)], to));
          assert.deepEqual([copied.from, copied.to], [[1], [2]]);
          const [first, second] = await store.messages(one.id, to, [1, 2].map(uid));
          assert.ok(first !== undefined && second !== undefined && second.emailId > first.emailId);
          for (const field of ['flags', 'threadId', 'octets', 'receivedAtMs'] as const)
            assert.equal(first[field], second[field]);
          assert.deepEqual(
            plain([first.blob, first.prefix, first.digest]),
            plain([second.blob, second.prefix, second.digest]),
          );
          await one.flag(to, [uid(2)], { flags: FLAG.flagged });
          assert.equal((await one.entries(to))[0]?.flags, FLAG.answered);
          assert.equal((await store.quota(one.id)).messagesUsed, 2);
          await one.checkCounters();
        });
      }

      test('moving takes the places out of the source in the same change (RFC 6851)', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), await one.create('Other')];
        await one.append(inbox, {}, { flags: FLAG.flagged | FLAG.deleted }, {});
        const [, moved] = await one.entries(inbox);
        const since = await one.state();
        const copied = must(await store.move(one.id, inbox, [uid(2), uid(8)], other.id));
        assert.deepEqual([copied.from, copied.to, copied.uidValidity], [[2], [1], other.uidValidity]);
        assert.deepEqual(await one.uids(inbox), [1, 3]);
        assert.deepEqual(await one.changes(inbox, since), { changed: [], vanished: [2] });
        const [entry] = await one.entries(other.id);
        assert.deepEqual([entry?.emailId, entry?.flags], [moved?.emailId, moved?.flags]);
        const feed = await store.changes(one.id, since, 100);
        assert.deepEqual(feed.emails, { created: [], updated: [moved?.emailId], destroyed: [] });
        await one.checkCounters();
      });

      test('moving to where it already is leaves one place for each UID that moved', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, {});
        must(await store.copy(one.id, inbox, [uid(1)], other));
        assert.deepEqual(must(await store.move(one.id, inbox, [uid(1)], other)).to, [2]);
        assert.deepEqual([await one.uids(inbox), await one.uids(other)], [[], [1, 2]]);
        const [first, second] = await one.entries(other);
        assert.notEqual(first?.emailId, second?.emailId);
        await one.checkCounters();
      });

      test('moving within the mailbox gives new UIDs', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {});
        const [first] = await one.entries(inbox);
        assert.deepEqual(must(await store.move(one.id, inbox, [uid(1)], inbox)).to, [3]);
        const entries = await one.entries(inbox);
        assert.deepEqual(
          entries.map((entry) => entry.uid),
          [2, 3],
        );
        assert.equal(entries[1]?.emailId, first?.emailId);
        await one.checkCounters();
      });

      test('copying and moving nothing is no change', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        const since = await one.state();
        assert.deepEqual(must(await store.copy(one.id, inbox, [uid(5)], other)).from, []);
        assert.deepEqual(must(await store.move(one.id, inbox, [], other)).to, []);
        assert.equal(await one.state(), since);
      });

      test('a hundred messages copied twice keep the counters', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, ...Array.from({ length: 100 }, (_, index) => ({ flags: index % 4 })));
        const all = (await one.entries(inbox)).map((entry) => entry.uid);
        must(await store.copy(one.id, inbox, all, other));
        must(await store.copy(one.id, inbox, all, other));
        assert.equal((await one.get(other)).total, 200);
        await one.checkCounters();
      });
    });

    suite('quota', () => {
      test('counts each message once, with its prefix, and what is expunged no more', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        const message = newMessage({ prefix: 'Return-Path: <>\r\n' });
        must(await store.append(one.id, inbox, [message]));
        must(await store.copy(one.id, inbox, [uid(1)], other));
        const octets = message.blob.octets + message.prefix.length;
        assert.deepEqual(await store.quota(one.id), {
          octetsUsed: octets,
          messagesUsed: 1,
          octetsMax: undefined,
        });
        await one.expunge(inbox, [uid(1)]);
        assert.equal((await store.quota(one.id)).octetsUsed, octets);
        await one.expunge(other, [uid(1)]);
        assert.deepEqual(await store.quota(one.id), { octetsUsed: 0, messagesUsed: 0, octetsMax: undefined });
      });

      test('takes what fits exactly and refuses one octet more, saying how much is left', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const message = newMessage();
        await store.setQuota(one.id, message.blob.octets * 2 - 1);
        must(await store.append(one.id, inbox, [message]));
        assert.deepEqual(await store.append(one.id, inbox, [message]), {
          ok: false,
          error: { kind: 'over-quota', octetsLeft: message.blob.octets - 1 },
        });
        await store.setQuota(one.id, message.blob.octets * 2);
        must(await store.append(one.id, inbox, [message]));
        await store.setQuota(one.id, 3);
        assert.deepEqual(await store.append(one.id, inbox, [message]), {
          ok: false,
          error: { kind: 'over-quota', octetsLeft: 0 },
        });
        await reopen();
        assert.equal((await store.quota(one.id)).octetsMax, 3);
      });

      test('a copy that makes new messages needs room; one that shares them, and a move, do not', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, {}, {});
        await store.setQuota(one.id, 1);
        must(await store.copy(one.id, inbox, [uid(1)], other));
        const since = await one.state();
        assert.deepEqual(await store.copy(one.id, inbox, [uid(1), uid(2)], other), {
          ok: false,
          error: { kind: 'over-quota', octetsLeft: 0 },
        });
        assert.equal(await one.state(), since);
        must(await store.move(one.id, inbox, [uid(1), uid(2)], other));
        assert.deepEqual(await one.uids(other), [1, 2, 3]);
      });
    });

    suite('expunging and the change feed', () => {
      test('only places with \\Deleted go, among the UIDs said or all (RFC 9051 §6.4.9)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, ...Array.from({ length: 6 }, () => ({})));
        await one.flag(inbox, [1, 3, 5].map(uid), { flags: FLAG.deleted });
        assert.deepEqual(must(await store.expunge(one.id, inbox, [5, 2, 1].map(uid))), [1, 5]);
        assert.deepEqual(must(await store.expunge(one.id, inbox, undefined)), [3]);
        assert.deepEqual(must(await store.expunge(one.id, inbox, undefined)), []);
        assert.deepEqual(await one.uids(inbox), [2, 4, 6]);
        await one.checkCounters();
      });

      test('places are removed without a mark too, and others with one stay (RFC 1939 §6)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, ...Array.from({ length: 6 }, () => ({})));
        await one.flag(inbox, [2, 3].map(uid), { flags: FLAG.deleted });
        const since = await one.state();
        assert.deepEqual(must(await store.remove(one.id, inbox, [5, 99, 2, 5, 1].map(uid))), [1, 2, 5]);
        assert.deepEqual(must(await store.remove(one.id, inbox, [5].map(uid))), []);
        assert.deepEqual(must(await store.remove(one.id, inbox, [])), []);
        assert.deepEqual(await one.uids(inbox), [3, 4, 6]);
        assert.deepEqual(await one.changes(inbox, since), { changed: [], vanished: [1, 2, 5] });
        await one.checkCounters();
      });

      test('what vanished is told by modseq, after a restart too (RFC 7162 §3.2)', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {}, {});
        const first = await one.state();
        await one.expunge(inbox, [uid(4), uid(2)]);
        const second = await one.state();
        await one.expunge(inbox, [uid(1)]);
        await reopen();
        assert.deepEqual(await one.changes(inbox, first), { changed: [], vanished: [1, 2, 4] });
        assert.deepEqual(await one.changes(inbox, second), { changed: [], vanished: [1] });
        assert.deepEqual(await one.changes(inbox, await one.state()), { changed: [], vanished: [] });
        assert.deepEqual(await one.changes(inbox, NOTHING_YET), { changed: [3], vanished: [] });
      });

      test('a mailbox’s changes do not speak of other mailboxes', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        await one.append(inbox, {}, {});
        const since = await one.state();
        const { highestModSeq } = await one.get(inbox);
        await one.append(other, {}, {});
        await one.expunge(other, [uid(1)]);
        assert.deepEqual(await one.changes(inbox, since), { changed: [], vanished: [] });
        assert.equal((await one.get(inbox)).highestModSeq, highestModSeq);
      });

      test('changes are told with what they reach to', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const since = await one.state();
        await one.append(inbox, {}, {}, {});
        await one.flag(inbox, [uid(1)], { flags: FLAG.seen });
        const { changed, highestModSeq, uidNext } = must(await store.mailboxChanges(one.id, inbox, since));
        assert.deepEqual(changed, await one.entries(inbox));
        const mailbox = await one.get(inbox);
        assert.deepEqual([highestModSeq, uidNext], [mailbox.highestModSeq, mailbox.uidNext]);
      });

      test('every kind of change raises the account’s modseq, and the mailbox’s', async () => {
        const one = owner();
        const [inbox, other] = [await one.inbox(), (await one.create('Other')).id];
        let last = await one.state();
        const steps: readonly (readonly [MailboxId, () => Promise<unknown>])[] = [
          [inbox, () => one.append(inbox, {}, {})],
          [inbox, () => one.flag(inbox, [uid(1)], { flags: FLAG.seen })],
          [other, () => store.copy(one.id, inbox, [uid(1)], other)],
          [other, () => store.move(one.id, inbox, [uid(2)], other)],
          [other, () => one.expunge(other, [uid(1)])],
          [other, () => store.replace(one.id, { mailbox: other, uid: uid(2) }, other, newMessage())],
          [other, () => store.renameMailbox(one.id, other, { parent: undefined, name: 'New' })],
          [inbox, () => store.deliver(one.id, undefined, { queueId: 'modseq', recipient: 0 }, newMessage())],
        ];
        for (const [mailbox, step] of steps) {
          await step();
          const now = await one.state();
          assert.ok(now > last);
          assert.equal((await one.get(mailbox)).highestModSeq, now);
          last = now;
        }
      });

      test('the feed names what was created, updated and destroyed since', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, {}, {}, {});
        const [a, b] = await one.entries(inbox);
        const since = await one.state();
        await one.flag(inbox, [uid(1)], { flags: FLAG.seen });
        await one.expunge(inbox, [uid(2)]);
        const [made] = await one.append(inbox, {});
        const mailbox = await one.create('New');
        await one.append(inbox, {});
        await one.expunge(inbox, [uid(5)]);
        const gone = await one.create('Gone');
        must(await store.removeMailbox(one.id, gone.id));
        const feed = await store.changes(one.id, since, 1000);
        const created = (await one.entries(inbox)).find((entry) => entry.uid === made);
        assert.deepEqual(feed.emails, {
          created: [created?.emailId],
          updated: [a?.emailId],
          destroyed: [b?.emailId],
        });
        assert.deepEqual(new Set(feed.mailboxes.changed), new Set([inbox, mailbox.id]));
        assert.deepEqual(feed.mailboxes.destroyed, []);
        assert.deepEqual([feed.complete, feed.modSeq], [true, await one.state()]);
        const later = await store.changes(one.id, feed.modSeq, 1000);
        assert.deepEqual(later, {
          modSeq: feed.modSeq,
          complete: true,
          mailboxes: { changed: [], destroyed: [] },
          emails: { created: [], updated: [], destroyed: [] },
        });
      });

      test('the feed comes in pages that together name everything', async () => {
        const one = owner();
        const inbox = await one.inbox();
        await one.append(inbox, ...Array.from({ length: 40 }, () => ({})));
        await one.flag(inbox, [3, 9, 27].map(uid), { flags: FLAG.seen });
        for (const at of [5, 11, 30]) await one.expunge(inbox, [uid(at)]);
        await one.create('A');
        const want = (await one.entries(inbox)).map(({ emailId }) => emailId);
        const created = new Set<EmailId>();
        const mailboxes = new Set<MailboxId>();
        let since = NOTHING_YET;
        let pages = 0;
        for (let isComplete = false; !isComplete; pages += 1) {
          const page = await store.changes(one.id, since, 7);
          assert.ok(page.modSeq > since);
          const named = [page.emails.created, page.emails.updated, page.emails.destroyed].flat();
          assert.ok(named.length <= 20, `${named.length} in one page`);
          for (const id of page.emails.created) created.add(id);
          for (const id of page.mailboxes.changed) mailboxes.add(id);
          since = page.modSeq;
          isComplete = page.complete;
        }
        assert.ok(pages > 4);
        assert.deepEqual(
          [...created].toSorted((a, b) => a - b),
          want,
        );
        assert.equal(mailboxes.size, 7);
        assert.equal(since, await one.state());
      });
    });

    suite('threads', () => {
      const threads: readonly (readonly [string, Draft, Draft, boolean])[] = [
        [
          'a reply',
          { messageId: 'a@x', subject: 'Hi' },
          { messageId: 'b@x', inReplyTo: '<a@x>', subject: 'Re: Hi' },
          true,
        ],
        [
          'by References',
          { messageId: 'a@x', subject: 'Hi' },
          { messageId: 'b@x', references: '<a@x>', subject: 'RE: [list] hi' },
          true,
        ],
        [
          'a sibling of the same parent',
          { messageId: 'a@x', references: '<p@x>', subject: 'Hi' },
          { messageId: 'b@x', references: '<p@x>', subject: 'Hi' },
          true,
        ],
        [
          'the parent after its reply',
          { messageId: 'b@x', references: '<a@x>', subject: 'Re: Hi' },
          { messageId: 'a@x', subject: 'Hi' },
          true,
        ],
        [
          'the same message again',
          { messageId: 'a@x', subject: 'Hi' },
          { messageId: 'a@x', subject: 'Hi' },
          true,
        ],
        [
          'another subject',
          { messageId: 'a@x', subject: 'Hi' },
          { messageId: 'b@x', inReplyTo: '<a@x>', subject: 'Other' },
          false,
        ],
        ['no shared id', { messageId: 'a@x', subject: 'Hi' }, { messageId: 'b@x', subject: 'Hi' }, false],
        ['no ids at all', { subject: 'Hi' }, { subject: 'Hi' }, false],
        [
          'ids differ by case',
          { messageId: 'a@x', subject: 'Hi' },
          { messageId: 'b@x', inReplyTo: '<A@x>', subject: 'Hi' },
          false,
        ],
      ];
      for (const [what, first, second, same] of threads) {
        test(`${what}: ${same ? 'one thread' : 'two threads'} (RFC 8621 §3)`, async () => {
          const one = owner();
          const [inbox, sent] = [await one.inbox(), (await one.role('sent')).id];
          const [a] = await one.append(inbox, first);
          await reopen();
          const [b] = await one.append(sent, second);
          assert.equal((await one.threadOf(inbox, a)) === (await one.threadOf(sent, b)), same);
        });
      }

      test('a long conversation is one thread, in one append too', async () => {
        const one = owner();
        const inbox = await one.inbox();
        const drafts = Array.from({ length: 150 }, (_, at) => ({
          messageId: `${at}@x`,
          subject: at === 0 ? 'Long' : 'Re: Long',
          references: Array.from({ length: at }, (_ignored, earlier) => `<${earlier}@x>`).join(' '),
        }));
        await one.append(inbox, ...drafts);
        const uids = await one.uids(inbox);
        const placed = await store.placed(one.id, inbox, uids.map(uid));
        assert.equal(new Set(placed.map(({ threadId }) => threadId)).size, 1);
      });

      test('threads are of one account', async () => {
        const [one, two] = [owner(), owner()];
        await one.append(await one.inbox(), {});
        await one.append(await one.inbox(), { messageId: 'same@x', subject: 'Hi' });
        await two.append(await two.inbox(), { messageId: 'same@x', subject: 'Hi' });
        assert.notEqual(
          await one.threadOf(await one.inbox(), uid(2)),
          await two.threadOf(await two.inbox(), uid(1)),
        );
      });
    });

    suite('watching', () => {
      test('a change is hinted to the account’s watchers, with the modseq reached, until closed', async () => {
        const [one, other] = [owner(), owner()];
        const inbox = await one.inbox();
        const heard = new Set<number>();
        const first = store.watch(one.id, (at) => heard.add(at));
        const second = store.watch(one.id, () => heard.add(-1));
        const foreign = store.watch(other.id, () => heard.add(-2));
        await one.append(inbox, {});
        const state = await one.state();
        for (let tries = 0; tries < 500 && !heard.has(state); tries += 1)
          await new Promise((resolve) => setTimeout(resolve, 10));
        assert.ok(heard.has(state) && Math.max(...heard) === state);
        assert.ok(heard.has(-1) && !heard.has(-2));
        heard.clear();
        must(await store.subscribe(one.id, 'Somewhere', true));
        const subscribed = await one.state();
        assert.ok(subscribed > state);
        for (let tries = 0; tries < 500 && !heard.has(subscribed); tries += 1)
          await new Promise((resolve) => setTimeout(resolve, 10));
        assert.ok(heard.has(subscribed));
        must(await store.subscribe(one.id, 'Somewhere', true));
        must(await store.subscribe(one.id, 'Nowhere', false));
        assert.equal(await one.state(), subscribed);
        first.close();
        first.close();
        second.close();
        foreign.close();
        heard.clear();
        await one.append(inbox, {});
        await new Promise((resolve) => setTimeout(resolve, 30));
        assert.equal(heard.size, 0);
      });
    });

    test('any sequence of operations keeps entries, counters and changes as a simple model does', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 25 }), async (operations) => {
          await runModel(owner(), operations);
        }),
        { numRuns: 40 },
      );
    });
  });
}

/** Buffers and other octets alike, for comparing. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([field, one]) => [field, plain(one)]));
}

type Operation =
  | { readonly kind: 'append'; readonly box: number; readonly count: number; readonly flags: number }
  | {
      readonly kind: 'flag';
      readonly box: number;
      readonly pick: number;
      readonly mode: FlagChange['mode'];
      readonly flags: number;
    }
  | { readonly kind: 'copy' | 'move'; readonly box: number; readonly pick: number; readonly to: number }
  | { readonly kind: 'replace'; readonly box: number; readonly pick: number; readonly to: number }
  | { readonly kind: 'expunge'; readonly box: number }
  | { readonly kind: 'remove'; readonly box: number; readonly pick: number };

const box = fc.nat(2);
/** Which of the first 30 UIDs, as bits. */
const pick = fc.nat(2 ** 30 - 1);
const flags = fc.nat(31);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record(
    { kind: fc.constant('append' as const), box, count: fc.integer({ min: 1, max: 4 }), flags },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant('flag' as const),
      box,
      pick,
      mode: fc.constantFrom('add' as const, 'remove' as const, 'replace' as const),
      flags,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    { kind: fc.constantFrom('copy' as const, 'move' as const), box, pick, to: box },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('replace' as const), box, pick, to: box }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant('expunge' as const), box }, { noNullPrototype: true }),
  fc.record({ kind: fc.constant('remove' as const), box, pick }, { noNullPrototype: true }),
);

type ModelEmail = { flags: number };
type ModelPlace = { readonly uid: number; readonly email: ModelEmail; isDeleted: boolean };
type ModelBox = { readonly id: MailboxId; uidNext: number; places: ModelPlace[]; readonly gone: Set<number> };

function put(into: ModelBox, email: ModelEmail, isDeleted: boolean): void {
  into.places.push({ uid: into.uidNext, email, isDeleted });
  into.uidNext += 1;
}

function take(from: ModelBox, place: ModelPlace): void {
  from.places = from.places.filter((other) => other !== place);
  from.gone.add(place.uid);
}

async function runModel(one: Owner, operations: readonly Operation[]): Promise<void> {
  const ids = [await one.inbox(), (await one.create('A')).id, (await one.create('B')).id];
  const boxes: ModelBox[] = ids.map((id) => ({ id, uidNext: 1, places: [], gone: new Set() }));
  const at = (index: number): ModelBox => boxes[index] ?? assert.fail('no such box');
  const chosen = (of: ModelBox, bits: number): ModelPlace[] =>
    of.places.filter((place) => place.uid <= 30 && (bits & (1 << (place.uid - 1))) !== 0);
  const uidsOf = (places: readonly ModelPlace[]): Uid[] => places.map((place) => uid(place.uid));
  /** What a client knows of each mailbox that only ever asks for changes. */
  const followers = boxes.map(({ id }) => ({ id, since: NOTHING_YET, entries: new Map<number, Entry>() }));
  const follow = async (): Promise<void> => {
    for (const follower of followers) {
      const changes = must(await one.store.mailboxChanges(one.id, follower.id, follower.since));
      for (const gone of changes.vanished) follower.entries.delete(gone);
      for (const entry of changes.changed) follower.entries.set(entry.uid, entry);
      follower.since = changes.highestModSeq;
    }
  };

  for (const step of operations) {
    await follow();
    const from = at(step.box);
    if (step.kind === 'append') {
      await one.append(from.id, ...Array.from({ length: step.count }, () => ({ flags: step.flags })));
      for (let count = 0; count < step.count; count += 1)
        put(from, { flags: step.flags & ~FLAG.deleted }, (step.flags & FLAG.deleted) !== 0);
    } else if (step.kind === 'flag') {
      const places = chosen(from, step.pick);
      await one.flag(from.id, uidsOf(places), { mode: step.mode, flags: step.flags });
      for (const place of places) {
        const old = place.email.flags | (place.isDeleted ? FLAG.deleted : 0);
        const now = { add: old | step.flags, remove: old & ~step.flags, replace: step.flags }[step.mode];
        place.email.flags = now & ~FLAG.deleted;
        place.isDeleted = (now & FLAG.deleted) !== 0;
      }
    } else if (step.kind === 'expunge') {
      const places = from.places.filter((place) => place.isDeleted);
      const expunged = must(await one.store.expunge(one.id, from.id, undefined));
      assert.deepEqual(expunged, uidsOf(places));
      for (const place of places) take(from, place);
    } else if (step.kind === 'replace') {
      const [[place], to] = [chosen(from, step.pick), at(step.to)];
      if (place === undefined) continue;
      const replaced = { mailbox: from.id, uid: uid(place.uid) };
      must(await one.store.replace(one.id, replaced, to.id, newMessage({ flags: FLAG.draft })));
      take(from, place);
      put(to, { flags: FLAG.draft }, false);
    } else if (step.kind === 'remove') {
      const places = chosen(from, step.pick);
      assert.deepEqual(must(await one.store.remove(one.id, from.id, uidsOf(places))), uidsOf(places));
      for (const place of places) take(from, place);
    } else {
      const [places, to] = [chosen(from, step.pick), at(step.to)];
      const { to: uids } = must(await one.store[step.kind](one.id, from.id, uidsOf(places), to.id));
      assert.equal(uids[0] ?? to.uidNext, to.uidNext);
      for (const place of places) {
        if (step.kind === 'move') take(from, place);
        const isThere = to.places.some((other) => other.email === place.email);
        put(to, isThere ? { flags: place.email.flags } : place.email, place.isDeleted);
      }
    }
  }

  await follow();
  for (const [index, model] of boxes.entries()) {
    const want = model.places.map((place) => [
      place.uid,
      place.email.flags | (place.isDeleted ? FLAG.deleted : 0),
    ]);
    const entries = await one.entries(model.id);
    assert.deepEqual(
      entries.map((entry) => [entry.uid, entry.flags]),
      want,
    );
    assert.equal((await one.get(model.id)).uidNext, model.uidNext);
    assert.deepEqual(
      [...(followers[index]?.entries.values() ?? [])].toSorted((a, b) => a.uid - b.uid),
      entries,
    );
    const { vanished } = must(await one.store.mailboxChanges(one.id, model.id, modSeq(1)));
    assert.deepEqual(new Set(vanished), model.gone);
  }
  await one.checkCounters();
}
