/** Tells a session that enabled METADATA, or asked for it by NOTIFY, of annotations that others changed. Source: RFC 5464 §4.1, §4.4.2. */
import type { Principal } from '../../auth/principal.ts';
import { known, toModSeq, type AccountId, type ModSeq } from '../../store/ids.ts';
import type { MailStore, MetadataChanged } from '../../store/mail-store.ts';
import { metadataNews } from '../wire/command/metadata.ts';
import type { Untagged } from '../wire/response.ts';
import { accessOf, ownMail, sharedMails, type Mail } from './mailbox-access.ts';
import type { ImapDeps } from './ports.ts';

/** Beyond any that was given: from now on. */
const FROM_NOW: ModSeq = known(toModSeq(Number.MAX_SAFE_INTEGER));

type OfOwner = {
  readonly owner: AccountId;
  readonly modSeq: ModSeq;
  readonly changed: readonly MetadataChanged[];
};

export class MetadataWatch {
  /** How far the client was told, of the mail of each owner that is watched. */
  readonly #since = new Map<AccountId, ModSeq>();
  readonly #own = new Map<AccountId, Set<ModSeq>>();

  get isOn(): boolean {
    return this.#since.size > 0;
  }

  /** Of the own mail. */
  async turnOn({ account }: Principal, store: MailStore): Promise<void> {
    await this.#begin(account, account, store);
  }

  /** Of the mail of these owners besides the own, and of no others. */
  async follow({ account }: Principal, owners: ReadonlySet<AccountId>, store: MailStore): Promise<void> {
    for (const owner of this.#since.keys())
      if (owner !== account && !owners.has(owner)) this.#since.delete(owner);
    // oxlint-disable-next-line no-await-in-loop -- a few owners, once
    for (const owner of owners) await this.#begin(owner, account, store);
  }

  async #begin(owner: AccountId, reader: AccountId, store: MailStore): Promise<void> {
    if (this.#since.has(owner)) return;
    this.#since.set(owner, (await store.metadataNews(owner, reader, FROM_NOW)).modSeq);
  }

  turnOff(): void {
    this.#since.clear();
    this.#own.clear();
  }

  /** What the session itself changed is no news to it. */
  changedHere(owner: AccountId, modSeq: ModSeq): void {
    if (!this.#since.has(owner)) return;
    this.#own.set(owner, (this.#own.get(owner) ?? new Set()).add(modSeq));
  }

  /** @param wants of which mailbox, by its name; '' for the account as a whole */
  async news(
    principal: Principal,
    deps: Pick<ImapDeps, 'store' | 'sharing'>,
    utf8: boolean,
    wants: (name: string) => boolean,
  ): Promise<readonly Untagged[]> {
    const read: OfOwner[] = [];
    for (const [owner, since] of this.#since)
      // oxlint-disable-next-line no-await-in-loop -- a few owners
      read.push({ owner, ...(await deps.store.metadataNews(owner, principal.account, since)) });
    const others = read
      .map((one) => ({ ...one, changed: this.#ofOthers(one) }))
      .filter(({ changed }) => changed.length > 0);
    const mails = others.length === 0 ? [] : await mailsOf(principal, others, deps);
    // Only now: where a read fails, the news comes the next time.
    for (const { owner, modSeq } of read) this.#since.set(owner, modSeq);
    this.#own.clear();
    return others.flatMap(({ owner, changed }) => {
      const mail = mails.find((one) => one.owner === owner);
      return mail === undefined ? [] : newsIn(mail, changed, utf8, wants);
    });
  }

  #ofOthers({ owner, changed }: OfOwner): readonly MetadataChanged[] {
    const own = this.#own.get(owner);
    return own === undefined ? changed : changed.filter(({ modSeq }) => !own.has(modSeq));
  }
}

async function mailsOf(
  principal: Principal,
  changed: readonly OfOwner[],
  deps: Pick<ImapDeps, 'store' | 'sharing'>,
): Promise<readonly Mail[]> {
  const isShared = changed.some(({ owner }) => owner !== principal.account);
  return [await ownMail(principal, deps), ...(isShared ? await sharedMails(principal, deps) : [])];
}

function newsIn(
  mail: Mail,
  changed: readonly MetadataChanged[],
  utf8: boolean,
  wants: (name: string) => boolean,
): readonly Untagged[] {
  const names = new Map(
    mail.tree.nodes
      .map((node) => accessOf(mail, node))
      // RFC 5465 §5: both rights for every event.
      .filter(({ rights }) => rights.includes('l') && rights.includes('r'))
      .map(({ node, name }) => [node.mailbox.id, name] as const),
  );
  return [...Map.groupBy(changed, ({ mailbox }) => mailbox)].flatMap(([mailbox, entries]) => {
    const name = mailbox !== undefined ? names.get(mailbox) : mail.isOwn ? '' : undefined;
    const told = entries.map((entry) => entry.name);
    return name === undefined || !wants(name) ? [] : [metadataNews(name, told, utf8)];
  });
}
