/** Tells a session that enabled METADATA, or asked for it by NOTIFY, of annotations that others changed. Source: RFC 5464 §4.1, §4.4.2. */
import type { Principal } from '../../auth/principal.ts';
import { known, toModSeq, type ModSeq } from '../../store/ids.ts';
import type { MailStore } from '../../store/mail-store.ts';
import { metadataNews } from '../wire/command/metadata.ts';
import type { Untagged } from '../wire/response.ts';
import { mailboxTree } from './mailbox-tree.ts';

/** Beyond any that was given: from now on. */
const FROM_NOW: ModSeq = known(toModSeq(Number.MAX_SAFE_INTEGER));

export class MetadataWatch {
  #since: ModSeq | undefined;
  readonly #own = new Set<ModSeq>();

  get isOn(): boolean {
    return this.#since !== undefined;
  }

  async turnOn({ account }: Principal, store: MailStore): Promise<void> {
    this.#since ??= (await store.metadataNews(account, account, FROM_NOW)).modSeq;
  }

  turnOff(): void {
    this.#since = undefined;
    this.#own.clear();
  }

  /** What the session itself changed is no news to it. */
  changedHere(modSeq: ModSeq): void {
    if (this.#since !== undefined) this.#own.add(modSeq);
  }

  /** @param wants of which mailbox; '' for the account as a whole */
  async news(
    { account }: Principal,
    store: MailStore,
    utf8: boolean,
    wants: (path: string) => boolean,
  ): Promise<readonly Untagged[]> {
    if (this.#since === undefined) return [];
    const { modSeq, changed } = await store.metadataNews(account, account, this.#since);
    const others = changed.filter((one) => !this.#own.has(one.modSeq));
    const { nodes } = mailboxTree(others.length === 0 ? [] : await store.mailboxes(account));
    // Only now: where a read fails, the news comes the next time.
    this.#since = modSeq;
    this.#own.clear();
    const paths = new Map(nodes.map(({ mailbox, path }) => [mailbox.id, path] as const));
    return [...Map.groupBy(others, ({ mailbox }) => mailbox)].flatMap(([mailbox, entries]) => {
      const path = mailbox === undefined ? '' : paths.get(mailbox);
      const names = entries.map(({ name }) => name);
      return path === undefined || !wants(path) ? [] : [metadataNews(path, names, utf8)];
    });
  }
}
