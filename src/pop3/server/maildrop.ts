/**
 * The inbox as one session sees it: what was there at sign-in, under numbers that stay. Deletions are marks until
 * {@link Maildrop.update}. Source: RFC 1939 §5 and §6.
 */
import type { AccountId, EmailId, MailboxId, Uid, UidValidity } from '../../store/ids.ts';
import type { MailStore, PlacedMessage } from '../../store/mail-store.ts';

export type Listed = {
  readonly number: number;
  readonly uid: Uid;
  readonly emailId: EmailId;
  readonly octets: number;
};

/** What the store is asked for, or told, at once. */
const PAGE = 1000;

export class Maildrop {
  readonly account: AccountId;
  readonly #store: MailStore;
  readonly #mailbox: MailboxId;
  readonly #uidValidity: UidValidity;
  readonly #listed: readonly Listed[];
  readonly #deleted = new Set<number>();

  /** {@link Maildrop.open} gives it. @param listed by number */
  constructor(
    store: MailStore,
    account: AccountId,
    inbox: { readonly id: MailboxId; readonly uidValidity: UidValidity },
    listed: readonly Listed[],
  ) {
    this.#store = store;
    this.account = account;
    this.#mailbox = inbox.id;
    this.#uidValidity = inbox.uidValidity;
    this.#listed = listed;
  }

  static async open(store: MailStore, account: AccountId): Promise<Maildrop> {
    const inbox = (await store.mailboxes(account)).find(({ role }) => role === 'inbox');
    if (inbox === undefined) throw new TypeError('An account without an inbox');
    const listed: Listed[] = [];
    let lastUid = 0;
    for (;;) {
      const entries = await store.entries(account, inbox.id, lastUid, PAGE);
      const uids = entries.map(({ uid }) => uid);
      for (const { uid, emailId, octets } of await store.placed(account, inbox.id, uids))
        listed.push({ number: listed.length + 1, uid, emailId, octets });
      lastUid = uids.at(-1) ?? lastUid;
      if (entries.length < PAGE) return new Maildrop(store, account, inbox, listed);
    }
  }

  /** Undefined where there is none, or it is marked as deleted. */
  at(number: number): Listed | undefined {
    return this.#deleted.has(number) ? undefined : this.#listed[number - 1];
  }

  /** What is not marked as deleted. */
  *listed(): Generator<Listed, void, void> {
    for (const one of this.#listed) if (!this.#deleted.has(one.number)) yield one;
  }

  /** Of what is not marked as deleted. */
  stat(): { readonly count: number; readonly octets: number } {
    let octets = 0;
    for (const one of this.listed()) octets += one.octets;
    return { count: this.#listed.length - this.#deleted.size, octets };
  }

  /**
   * RFC 1939 §7: never another for the same message, and never the same for another. The id is of the message, so that it
   * stays when the message comes back from another mailbox; UIDVALIDITY is of the inbox, so that a client that remembers
   * an older post office of this name does not take new mail for known.
   */
  uniqueId({ emailId }: Listed): string {
    return `${this.#uidValidity}.E${emailId}`;
  }

  mark({ number }: Listed): void {
    this.#deleted.add(number);
  }

  unmark(): void {
    this.#deleted.clear();
  }

  /** As it is kept now; undefined where somebody else has removed it since sign-in. */
  async read({ uid }: Listed): Promise<PlacedMessage | undefined> {
    const [message] = await this.#store.placed(this.account, this.#mailbox, [uid]);
    return message;
  }

  /** Removes what is marked, and gives how many. A crash half way leaves the rest in place, as it was. */
  async update(): Promise<number> {
    const uids = [...this.#deleted]
      .toSorted((a, b) => a - b)
      .flatMap((number) => this.#listed[number - 1]?.uid ?? []);
    for (let from = 0; from < uids.length; from += PAGE) {
      await this.#store.remove(this.account, this.#mailbox, uids.slice(from, from + PAGE));
    }
    return uids.length;
  }
}
