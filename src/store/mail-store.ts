/**
 * The port to accounts' mail: mailboxes, messages, keywords, the change feed. Its meaning is `mail-store.contract.ts`.
 *
 * The model is JMAP's (RFC 8621): a message (`EmailId`) lives in one or more mailboxes; system flags and keywords belong
 * to the message, `\Deleted` to its place in a mailbox; each place has a UID. Every change takes the account's next
 * `ModSeq`; the ids of mailboxes and messages are the `ModSeq`s at which they were made, so `id > since` means created
 * since then. A write resolves only when it is on stable storage, and is atomic. No write spans accounts.
 * Faults of the world throw `Fault`; everything a caller can cause is a `Result`.
 */
import type { Result } from '../base/result.ts';
import type { MessageDigest, SortKeys } from '../message/digest.ts';
import type { BlobRef } from './blob-store.ts';
import type { AccountId, EmailId, MailboxId, ModSeq, ThreadId, Uid, UidValidity } from './ids.ts';

/** Special uses of RFC 6154 and RFC 8621 §2, lower case. */
export type MailboxRole =
  | 'inbox'
  | 'drafts'
  | 'sent'
  | 'junk'
  | 'trash'
  | 'archive'
  | 'flagged'
  | 'important'
  | 'all';

export type Mailbox = {
  readonly id: MailboxId;
  /** `undefined` at the top. */
  readonly parent: MailboxId | undefined;
  /** One level of the path, NFC, without '/' and controls. The inbox is named `INBOX`. */
  readonly name: string;
  readonly role: MailboxRole | undefined;
  readonly uidValidity: UidValidity;
  /** The UID the next message will get; never goes back. */
  readonly uidNext: number;
  /** Of the last change to a place or message in this mailbox, or to the mailbox (RFC 7162 HIGHESTMODSEQ). */
  readonly highestModSeq: ModSeq;
  /** Counters, kept and not counted: places; places whose message lacks \Seen; places with \Deleted; their octets. */
  readonly total: number;
  readonly unseen: number;
  readonly deleted: number;
  readonly octets: number;
  readonly createdAtMs: number;
};

/** System flags of a message as bits; `\Deleted` is of the place but travels in the same number. */
export const FLAG = { seen: 1, answered: 2, flagged: 4, draft: 8, deleted: 16 } as const;

/**
 * What a session keeps of each message of a selected mailbox. Keywords: sorted by code units, no flag bits' names among
 * them; they are compared without regard to ASCII case, and the first spelling that the account saw stays, of registered
 * ones the registered spelling. `$Junk` and `$NotJunk` exclude each other: the later one stays, of both at once none. What is no
 * IMAP atom (RFC 9051 §9 flag-keyword) is for the session to refuse; given here it is a bug and throws.
 */
export type Entry = {
  readonly uid: Uid;
  readonly emailId: EmailId;
  /** Bits of `FLAG`. */
  readonly flags: number;
  readonly keywords: readonly string[];
  readonly modSeq: ModSeq;
};

/** All that is kept of a message but its octets. */
export type StoredMessage = Entry & {
  readonly threadId: ThreadId;
  /** INTERNALDATE. */
  readonly receivedAtMs: number;
  /** When this place came to be (RFC 8514). */
  readonly savedAtMs: number;
  /** RFC822.SIZE: octets of prefix and blob. */
  readonly octets: number;
  readonly blob: BlobRef;
  /** The part of a message that belongs to one delivery; stands before the blob's octets. */
  readonly prefix: Uint8Array;
  readonly digest: MessageDigest;
};

/** What SORT compares and THREAD ties together (RFC 5256), kept apart from the digest so that a whole mailbox is read at once. */
export type Sortable = {
  readonly uid: Uid;
  readonly receivedAtMs: number;
  readonly octets: number;
  readonly sentAtMs: number | undefined;
  /** The collation key of the base subject. */
  readonly subject: string;
  /** Where `addresses` was asked for. */
  readonly addresses?: Omit<SortKeys, 'subject'>;
  /** Where `thread` was asked for. */
  readonly thread?: Pick<MessageDigest, 'messageId' | 'references'> & { readonly isReply: boolean };
};
export type SortPart = 'addresses' | 'thread';

/** All but the digest: dates, sizes, blob and prefix; the digest is not read from the disk. */
export type PlacedMessage = Omit<StoredMessage, 'digest'>;

/** What lists of messages show: dates, sizes, and of the digest what IMAP sends as it is. */
export type ListedMessage = Omit<PlacedMessage, 'blob' | 'prefix'> &
  Pick<MessageDigest, 'envelope' | 'bodyStructure' | 'body'>;

export type NewMessage = {
  readonly blob: BlobRef;
  readonly prefix: Uint8Array;
  readonly digest: MessageDigest;
  /** Bits of `FLAG`. */
  readonly flags: number;
  readonly keywords: readonly string[];
  /** INTERNALDATE; the store's clock is not asked. */
  readonly receivedAtMs: number;
};

/** Where a message is. */
export type ReplacedPlace = { readonly mailbox: MailboxId; readonly uid: Uid };

export type Appended = {
  readonly uidValidity: UidValidity;
  readonly uids: readonly Uid[];
  readonly modSeq: ModSeq;
};

/** Source and destination UIDs, pairwise, ascending in the source. RFC 9051 §7.1 COPYUID. */
export type Copied = {
  readonly uidValidity: UidValidity;
  readonly from: readonly Uid[];
  readonly to: readonly Uid[];
  readonly modSeq: ModSeq;
};

export type FlagChange = {
  readonly mode: 'add' | 'remove' | 'replace';
  /** Bits of `FLAG`. */
  readonly flags: number;
  readonly keywords: readonly string[];
  /** What a `replace` may touch: everything else stays as it is. Left out: all. */
  readonly within?: { readonly flags: number; readonly keywords: boolean };
  /** Messages changed after this keep their flags and are reported (RFC 7162 §3.1.3). */
  readonly unchangedSince?: ModSeq;
};

export type FlagsChanged = {
  /** The entries as they are now, of all UIDs asked for that exist and were not refused; ascending. */
  readonly entries: readonly Entry[];
  /** Refused by `unchangedSince`. */
  readonly refused: readonly Uid[];
};

export type MailboxChanges = {
  /** The mailbox's highest modseq that this answer reaches to. */
  readonly highestModSeq: ModSeq;
  readonly uidNext: number;
  /** New or changed places, ascending by UID. */
  readonly changed: readonly Entry[];
  /** UIDs expunged since, ascending. May name UIDs that the asker never knew. */
  readonly vanished: readonly Uid[];
};

/** The account's change feed since a modseq: which mailboxes and messages to look at again. JMAP, DAV, search, push. */
export type AccountChanges = {
  readonly modSeq: ModSeq;
  /** False: there is more; ask again from `modSeq`. */
  readonly complete: boolean;
  readonly mailboxes: { readonly changed: readonly MailboxId[]; readonly destroyed: readonly MailboxId[] };
  readonly emails: {
    readonly created: readonly EmailId[];
    readonly updated: readonly EmailId[];
    readonly destroyed: readonly EmailId[];
  };
};

export type Quota = {
  /** Of all messages, each counted once, in however many mailboxes it is. */
  readonly octetsUsed: number;
  readonly messagesUsed: number;
  /** `undefined`: no limit. */
  readonly octetsMax: number | undefined;
};

/**
 * An annotation of RFC 5464. Names are in lower case and begin with `/shared/` or `/private/`: a private one belongs to
 * one reader of the mailbox, who need not be its owner.
 */
export type MetadataEntry = {
  /** `undefined`: of the account as a whole. */
  readonly mailbox: MailboxId | undefined;
  readonly name: string;
  readonly value: Uint8Array;
};
/** `null` removes. */
export type MetadataChange = { readonly name: string; readonly value: Uint8Array | null };
/** The modseq is that of its last change. */
export type MetadataChanged = Omit<MetadataEntry, 'value'> & { readonly modSeq: ModSeq };
/** Which annotations were set or removed; where the mailbox is gone as well, nothing is said of them. */
export type MetadataNews = {
  readonly modSeq: ModSeq;
  readonly changed: readonly MetadataChanged[];
};
/** More than `LIMITS.metadataEntriesMax`, or `LIMITS.metadataOctetsTotalMax` in the account. */
export type MetadataProblem = { readonly kind: 'too-many-entries' };

/** A mailbox as the key for its URLs is kept by: also of another owner (RFC 4467 §2.2). */
export type UrlKeyMailbox = { readonly owner: AccountId; readonly mailbox: MailboxId };

export type NoSuchMailbox = { readonly kind: 'no-such-mailbox' };
export type TooManyUrlKeys = { readonly kind: 'too-many' };
export type NoSuchMessage = { readonly kind: 'no-such-message' };
export type OverQuota = { readonly kind: 'over-quota'; readonly octetsLeft: number };
export type MailboxProblem =
  | NoSuchMailbox
  | { readonly kind: 'exists' }
  | { readonly kind: 'has-children' }
  | { readonly kind: 'inbox' }
  | { readonly kind: 'bad-name' }
  | { readonly kind: 'too-many' }
  | { readonly kind: 'loop' };
export type SubscriptionProblem = { readonly kind: 'bad-name' } | { readonly kind: 'too-many' };
/** More than `LIMITS.keywordsMax` different keywords in the account, or one longer than `LIMITS.keywordOctetsMax`. */
export type KeywordProblem = { readonly kind: 'too-many-keywords' };

/** Local delivery is idempotent by this pair (design, promise 2): the second time gives what the first time gave. */
export type DeliveryKey = { readonly queueId: string; readonly recipient: number };

export type MailStore = {
  /**
   * Makes sure that the account has its mailboxes: INBOX and, with their roles, Drafts, Sent, Junk, Trash and Archive,
   * all subscribed. Idempotent; every other call on an unknown account acts as if it had been called.
   */
  openAccount(account: AccountId): Promise<void>;
  /** Removes all that the account has; its blobs are reclaimed later. Idempotent. */
  removeAccount(account: AccountId): Promise<void>;

  quota(account: AccountId): Promise<Quota>;
  setQuota(account: AccountId, octetsMax: number | undefined): Promise<void>;

  /** All mailboxes, parents before children, siblings by name in code unit order. */
  mailboxes(account: AccountId): Promise<readonly Mailbox[]>;
  mailbox(account: AccountId, mailbox: MailboxId): Promise<Mailbox | undefined>;
  /**
   * The name is normalised (NFC; INBOX in any case at the top). `no-such-mailbox`: there is no such parent; `exists`:
   * that name, or that role, is taken; `bad-name`: characters, or a path too long or too deep.
   */
  createMailbox(
    account: AccountId,
    request: { readonly parent: MailboxId | undefined; readonly name: string; readonly role?: MailboxRole },
  ): Promise<Result<Mailbox, MailboxProblem>>;
  /**
   * Moves a mailbox, its children with it. UIDVALIDITY and UIDs stay. Renaming the inbox is refused with `inbox`: the
   * session moves its messages instead (RFC 9051 §6.3.6).
   */
  renameMailbox(
    account: AccountId,
    mailbox: MailboxId,
    to: { readonly parent: MailboxId | undefined; readonly name: string },
  ): Promise<Result<Mailbox, MailboxProblem>>;
  /** Refuses the inbox and mailboxes with children. Messages that live nowhere else go with it. Its id and UIDVALIDITY
   * never come back: a new mailbox of the same name has a larger UIDVALIDITY (RFC 9051 §2.3.1.1). */
  removeMailbox(account: AccountId, mailbox: MailboxId): Promise<Result<void, MailboxProblem>>;

  /**
   * Subscriptions are names (paths joined with '/'), and outlive the mailbox: RFC 9051 §6.3.7. Sorted by code units;
   * normalised as names of mailboxes are. Taking away what is not there is no problem, and no change.
   */
  subscriptions(account: AccountId): Promise<readonly string[]>;
  subscribe(
    account: AccountId,
    path: string,
    subscribed: boolean,
  ): Promise<Result<void, SubscriptionProblem>>;

  /** The secret that authorizes an account's URLs of a mailbox; undefined where it was never given one. */
  urlKey(account: AccountId, of: UrlKeyMailbox): Promise<Uint8Array | undefined>;
  /**
   * Gives one: `keep` only where there is none yet, `replace` in any case. Answers with the one that there is then.
   * `too-many`: more than `LIMITS.urlKeysMax`. They go with the account's own mailboxes; no modseq tells of them.
   */
  setUrlKey(
    account: AccountId,
    of: UrlKeyMailbox,
    key: Uint8Array,
    mode: 'keep' | 'replace',
  ): Promise<Result<Uint8Array, TooManyUrlKeys>>;
  /** Takes all of them away. */
  removeUrlKeys(account: AccountId): Promise<void>;

  /** Shared annotations and the reader's own, of one mailbox (`undefined`: of the account), by name in code unit order. */
  metadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
  ): Promise<readonly MetadataEntry[]>;
  /** Those of all mailboxes; mailbox after mailbox. */
  mailboxMetadata(account: AccountId, reader: AccountId): Promise<readonly MetadataEntry[]>;
  /**
   * Sets and removes annotations of a mailbox or of the account, all or none; gives the modseq of the change. Removing what
   * is not there is no change. A value above `LIMITS.metadataValueOctetsMax`, and a name that is none, are the session's to refuse.
   */
  setMetadata(
    account: AccountId,
    reader: AccountId,
    mailbox: MailboxId | undefined,
    changes: readonly MetadataChange[],
  ): Promise<Result<ModSeq, NoSuchMailbox | MetadataProblem>>;
  /** What was changed after `since`, by whomever, that the reader may see; removals of long ago may be left out. */
  metadataNews(account: AccountId, reader: AccountId, since: ModSeq): Promise<MetadataNews>;

  /** Adds messages, all or none, in order, with rising UIDs. */
  append(
    account: AccountId,
    mailbox: MailboxId,
    messages: readonly NewMessage[],
  ): Promise<Result<Appended, NoSuchMailbox | OverQuota | KeywordProblem>>;
  /**
   * Adds one message and takes a place out, in one commit (RFC 8508); what the place frees counts as free for the message. Flags are
   * not inherited. The message's modseq is below that of the place's end. `no-such-mailbox` for either end.
   */
  replace(
    account: AccountId,
    replaced: ReplacedPlace,
    mailbox: MailboxId,
    message: NewMessage,
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>>;
  /** Local delivery; `mailbox` undefined means the inbox. Over quota is the caller's to check before, and refused here too. */
  deliver(
    account: AccountId,
    mailbox: MailboxId | undefined,
    key: DeliveryKey,
    message: NewMessage,
  ): Promise<Result<Appended & { readonly duplicate: boolean }, NoSuchMailbox | OverQuota | KeywordProblem>>;

  /**
   * The entries of a mailbox with UIDs above `afterUid`, ascending, at most `limit` (≤ 10,000). Fewer than `limit`
   * means the end.
   */
  entries(account: AccountId, mailbox: MailboxId, afterUid: number, limit: number): Promise<readonly Entry[]>;
  /** What became different in a mailbox after `since`. `since` 0 lists all entries and no vanished. */
  mailboxChanges(
    account: AccountId,
    mailbox: MailboxId,
    since: ModSeq,
  ): Promise<Result<MailboxChanges, NoSuchMailbox>>;
  /** The account's feed after `since`, at most about `limit` names. */
  changes(account: AccountId, since: ModSeq, limit: number): Promise<AccountChanges>;

  /**
   * Messages by UID, ascending, those that exist. Callers page: at most 1,000 UIDs a call, so that no thread stalls.
   */
  placed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly PlacedMessage[]>;
  listed(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly ListedMessage[]>;
  messages(account: AccountId, mailbox: MailboxId, uids: readonly Uid[]): Promise<readonly StoredMessage[]>;

  /** As `messages`, of any number of UIDs. */
  sortables(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    part?: SortPart,
  ): Promise<readonly Sortable[]>;

  setFlags(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
    change: FlagChange,
  ): Promise<Result<FlagsChanged, NoSuchMailbox | KeywordProblem>>;
  /** All that the account has seen, on messages or not: of `LIMITS.keywordsMax`, how many are taken. */
  keywords(account: AccountId): Promise<readonly string[]>;
  /**
   * A message that is not yet in the destination gets a place there (flags are shared from then on: they belong to the
   * message; `\Deleted` is taken along once); one that is gets a new message of the same blob, so that every source UID
   * has its own destination UID. UIDs that do not exist are passed over. All or none; `no-such-mailbox` for either end.
   */
  copy(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox | OverQuota>>;
  /** As copy, and the places in the source vanish in the same commit (RFC 6851); within one mailbox they get new UIDs. */
  move(
    account: AccountId,
    from: MailboxId,
    uids: readonly Uid[],
    to: MailboxId,
  ): Promise<Result<Copied, NoSuchMailbox>>;
  /** Removes the places among `uids` (or all, when undefined) that carry `\Deleted`. Gives the UIDs removed, ascending. */
  expunge(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[] | undefined,
  ): Promise<Result<readonly Uid[], NoSuchMailbox>>;
  /** As expunge, of all places among `uids`, whether they carry `\Deleted` or not. Callers page, as for reading. */
  remove(
    account: AccountId,
    mailbox: MailboxId,
    uids: readonly Uid[],
  ): Promise<Result<readonly Uid[], NoSuchMailbox>>;

  /**
   * Calls back soon after a change of the account, made in any thread or process, with the modseq reached. A hint: it may
   * come late, twice or for nothing, and one that is lost costs a delay, never correctness.
   */
  watch(account: AccountId, listener: (modSeq: ModSeq) => void): { close(): void };
};
