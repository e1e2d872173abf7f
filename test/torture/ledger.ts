/**
 * What must be true of the mailboxes of a post office, from what it has acknowledged. Whoever does something says so
 * before (`begin`) and after the answer (`done`, `refused`); what was never answered may have happened or not, but wholly.
 * `check` compares with what a client sees, and takes over what it saw.
 *
 * Messages are known by a token that nobody else has. One thing at a time is done to a message; a delivery that is under
 * way when somebody sees the message already is resolved by `saw`.
 */

/** Where a message is: `uid` is undefined until somebody has told it. */
export type Place = {
  readonly mailbox: MailboxRecord;
  readonly uid: number | undefined;
  readonly deleted: boolean;
};

/** Flags belong to the message, except `\Deleted`, which belongs to the place. */
export type MessageState = { readonly places: readonly Place[]; readonly flags: readonly string[] };
export type MailboxState = { readonly exists: boolean; readonly name: string };

export type MailboxRecord = {
  readonly account: string;
  state: MailboxState;
  pending: Pending<MailboxState> | undefined;
  uidValidity: number | undefined;
  /** Every UID that was ever seen here, and whose. */
  readonly tokens: Map<number, string>;
  /** What UIDNEXT and HIGHESTMODSEQ may not be below. */
  uidNextMin: number;
  modSeqMin: number;
};

export type MessageRecord = {
  readonly account: string;
  readonly token: string;
  state: MessageState;
  pending: Pending<MessageState> | undefined;
};

type Pending<State> = { readonly act: Act; readonly after: State };

export type Change<State> = (state: State) => State;

/** Something that a server was asked for, wholly done or not at all. */
export type Act = {
  readonly what: string;
  readonly messages: readonly MessageRecord[];
  readonly mailbox: MailboxRecord | undefined;
};

export type SeenMessage = {
  readonly uid: number;
  readonly token: string;
  /** In any order; `\Recent` left out. */
  readonly flags: readonly string[];
};
export type SeenMailbox = {
  readonly name: string;
  readonly uidValidity: number;
  readonly uidNext: number;
  readonly highestModSeq: number;
  readonly messages: readonly SeenMessage[];
};
/** By account. */
export type Seen = ReadonlyMap<string, readonly SeenMailbox[]>;

const DELETED = '\\Deleted';
export const INBOX = 'INBOX';
export const NEW_MESSAGE: MessageState = { places: [], flags: [] };

export class Ledger {
  readonly #messages = new Map<string, MessageRecord>();
  readonly #mailboxes: MailboxRecord[] = [];
  /** Acts whose answer said that they were done. */
  acknowledged = 0;
  /** Acts that were cut off, by what became of them. */
  unanswered = 0;
  #checkedMessages = 0;

  get checkedMessages(): number {
    return this.#checkedMessages;
  }

  /** As it is now, whatever becomes of this one. */
  copy(): Ledger {
    const copy = new Ledger();
    const { messages, mailboxes } = structuredClone({ messages: this.#messages, mailboxes: this.#mailboxes });
    for (const [key, record] of messages) copy.#messages.set(key, record);
    copy.#mailboxes.push(...mailboxes);
    copy.acknowledged = this.acknowledged;
    return copy;
  }

  /** Takes over the mailboxes that are there before anything was done. */
  adopt(seen: Seen): void {
    for (const [account, mailboxes] of seen)
      for (const mailbox of mailboxes) {
        const record = this.newMailbox(account, mailbox.name);
        record.state = { exists: true, name: mailbox.name };
        noteMailbox(record, mailbox);
      }
  }

  /** A mailbox that is about to be made. */
  newMailbox(account: string, name: string): MailboxRecord {
    const record: MailboxRecord = {
      account,
      state: { exists: false, name },
      pending: undefined,
      uidValidity: undefined,
      tokens: new Map(),
      uidNextMin: 1,
      modSeqMin: 1,
    };
    this.#mailboxes.push(record);
    return record;
  }

  /** A message that is about to be handed over for the first time. */
  newMessage(account: string, token: string): MessageRecord {
    const record: MessageRecord = { account, token, state: NEW_MESSAGE, pending: undefined };
    this.#messages.set(keyOf(account, token), record);
    return record;
  }

  message(account: string, token: string): MessageRecord | undefined {
    return this.#messages.get(keyOf(account, token));
  }

  /** Mailboxes that are there and to which nothing is being done. */
  mailboxes(account: string): readonly MailboxRecord[] {
    return this.#mailboxes.filter(
      (record) => record.account === account && record.state.exists && record.pending === undefined,
    );
  }

  mailbox(account: string, name: string): MailboxRecord {
    const found = this.#mailboxes.find(
      (record) => record.account === account && record.state.exists && record.state.name === name,
    );
    if (found === undefined) throw new TypeError(`${account} has no mailbox ${name}`);
    return found;
  }

  /** Messages in a mailbox whose UID there is known and to which nothing is being done. */
  within(mailbox: MailboxRecord): readonly { readonly record: MessageRecord; readonly uid: number }[] {
    const found: { record: MessageRecord; uid: number }[] = [];
    for (const record of this.#messages.values()) {
      if (record.pending !== undefined || record.account !== mailbox.account) continue;
      for (const place of record.state.places)
        if (place.mailbox === mailbox && place.uid !== undefined) found.push({ record, uid: place.uid });
    }
    return found.toSorted((a, b) => a.uid - b.uid);
  }

  begin(
    what: string,
    messages: readonly (readonly [MessageRecord, Change<MessageState>])[],
    mailbox?: readonly [MailboxRecord, Change<MailboxState>],
  ): Act {
    const act: Act = { what, messages: messages.map(([record]) => record), mailbox: mailbox?.[0] };
    for (const [record, change] of messages) {
      if (record.pending !== undefined) throw new TypeError(`${record.token} is being changed already`);
      record.pending = { act, after: change(record.state) };
    }
    if (mailbox !== undefined) {
      const [record, change] = mailbox;
      if (record.pending !== undefined) throw new TypeError(`${record.state.name} is being changed already`);
      record.pending = { act, after: change(record.state) };
    }
    return act;
  }

  /** The server said that it is done. */
  done(act: Act): void {
    this.acknowledged += 1;
    this.#end(act, true);
  }

  /** The server said that it is not done. */
  refused(act: Act): void {
    this.#end(act, false);
  }

  #end(act: Act, isDone: boolean): void {
    for (const record of [...act.messages, ...(act.mailbox === undefined ? [] : [act.mailbox])]) {
      // Somebody may have seen the message before the one who handed it over was answered.
      if (record.pending?.act !== act) continue;
      if ('token' in record) record.state = isDone ? record.pending.after : record.state;
      else record.state = isDone ? record.pending.after : record.state;
      record.pending = undefined;
    }
  }

  /** A client saw a message that was on its way to this mailbox: it has arrived. */
  saw(record: MessageRecord, mailbox: MailboxRecord, uid: number): void {
    if (record.pending !== undefined && record.state.places.length === 0) {
      record.state = record.pending.after;
      record.pending = undefined;
    }
    if (record.pending === undefined) this.placed(record, mailbox, uid);
  }

  /** The server told the UID of a message there (APPENDUID, COPYUID). */
  placed(record: MessageRecord, mailbox: MailboxRecord, uid: number): void {
    const { places } = record.state;
    const at = places.findIndex((place) => place.mailbox === mailbox && place.uid === undefined);
    const place = places[at];
    if (place === undefined) return;
    record.state = { ...record.state, places: places.with(at, { ...place, uid }) };
    mailbox.tokens.set(uid, record.token);
    mailbox.uidNextMin = Math.max(mailbox.uidNextMin, uid + 1);
  }

  /** Says what is not as it must be; empty when all is well. */
  check(seen: Seen): string[] {
    const findings: string[] = [];
    const verdicts = new Map<Act, Set<boolean>>();
    const bySeen = this.#checkMailboxes(seen, findings, verdicts);
    const found = new Map<string, Place[]>();
    const flagsOf = new Map<string, string[]>();
    for (const [account, mailboxes] of seen)
      for (const mailbox of mailboxes) {
        const record = bySeen.get(mailbox);
        if (record === undefined) continue;
        for (const message of mailbox.messages) {
          const key = keyOf(account, message.token);
          const places = found.get(key) ?? [];
          places.push({ mailbox: record, uid: message.uid, deleted: message.flags.includes(DELETED) });
          found.set(key, places);
          const flags = plainFlags(message.flags);
          const before = flagsOf.get(key);
          if (before !== undefined && before.join(' ') !== flags.join(' '))
            findings.push(`${key} has other flags in one mailbox than in another: ${flags.join(' ')}`);
          flagsOf.set(key, flags);
        }
      }
    for (const [key, places] of found)
      if (!this.#messages.has(key))
        findings.push(`${key}: nobody sent it (${describe({ places, flags: [] })})`);
    for (const [key, record] of this.#messages) {
      this.#checkedMessages += 1;
      const state = { places: found.get(key) ?? [], flags: flagsOf.get(key) ?? [] };
      checkMessage(key, record, state, findings, verdicts);
      record.state = state;
      record.pending = undefined;
      if (state.places.length === 0) this.#messages.delete(key);
    }
    this.unanswered += verdicts.size;
    for (const [act, outcomes] of verdicts)
      if (outcomes.size > 1) findings.push(`${act.what} was done in part`);
    return findings;
  }

  /** Which record each mailbox is; a record that is not found is gone. */
  #checkMailboxes(
    seen: Seen,
    findings: string[],
    verdicts: Map<Act, Set<boolean>>,
  ): ReadonlyMap<SeenMailbox, MailboxRecord> {
    const bySeen = new Map<SeenMailbox, MailboxRecord>();
    for (const record of this.#mailboxes.slice()) {
      const { account, state, pending } = record;
      const there = seen.get(account) ?? [];
      const find = ({ exists, name }: MailboxState): SeenMailbox | undefined =>
        exists ? there.find((mailbox) => mailbox.name === name && isSame(record, mailbox)) : undefined;
      const before = find(state);
      const after = pending === undefined ? undefined : find(pending.after);
      const isBefore = before !== undefined || !state.exists;
      const isAfter = pending !== undefined && (after !== undefined || !pending.after.exists);
      const now = before ?? after;
      if (before !== undefined && after !== undefined && before !== after)
        findings.push(`${account} ${state.name} is there twice, also as ${after.name}`);
      // What must be gone is not there, so both may hold: then what is there decides.
      const isDone = pending !== undefined && isAfter && (after !== undefined || before === undefined);
      if (!isBefore && !isAfter) findings.push(`${account} ${state.name} is lost`);
      if (pending !== undefined) note(verdicts, pending.act, isDone);
      record.pending = undefined;
      if (now === undefined) {
        record.state = { ...state, exists: false };
        this.#mailboxes.splice(this.#mailboxes.indexOf(record), 1);
        continue;
      }
      record.state = { exists: true, name: now.name };
      bySeen.set(now, record);
      checkNumbers(record, now, findings);
      noteMailbox(record, now);
    }
    for (const [account, mailboxes] of seen)
      for (const mailbox of mailboxes)
        if (!bySeen.has(mailbox)) findings.push(`${account} ${mailbox.name}: nobody made it`);
    return bySeen;
  }
}

function isSame(record: MailboxRecord, { uidValidity }: SeenMailbox): boolean {
  return record.uidValidity === undefined || record.uidValidity === uidValidity;
}

/** RFC 9051 §2.3.1.1: UIDs rise and are never used again while UIDVALIDITY stays. */
function checkNumbers(record: MailboxRecord, seen: SeenMailbox, findings: string[]): void {
  const name = `${record.account} ${seen.name}`;
  if (seen.uidNext < record.uidNextMin)
    findings.push(`${name}: UIDNEXT went back from ${record.uidNextMin} to ${seen.uidNext}`);
  if (seen.highestModSeq < record.modSeqMin)
    findings.push(`${name}: HIGHESTMODSEQ went back from ${record.modSeqMin} to ${seen.highestModSeq}`);
  let last = 0;
  for (const { uid, token } of seen.messages) {
    if (uid <= last) findings.push(`${name}: UID ${uid} comes after ${last}`);
    last = uid;
    if (uid >= seen.uidNext) findings.push(`${name}: UID ${uid} is not below UIDNEXT ${seen.uidNext}`);
    const owner = record.tokens.get(uid);
    if (owner !== undefined && owner !== token)
      findings.push(`${name}: UID ${uid} was ${owner} and is now ${token}`);
    record.tokens.set(uid, token);
  }
}

function noteMailbox(record: MailboxRecord, seen: SeenMailbox): void {
  record.uidValidity = seen.uidValidity;
  record.uidNextMin = Math.max(record.uidNextMin, seen.uidNext);
  record.modSeqMin = Math.max(record.modSeqMin, seen.highestModSeq);
}

function checkMessage(
  key: string,
  { state, pending }: MessageRecord,
  seen: MessageState,
  findings: string[],
  verdicts: Map<Act, Set<boolean>>,
): void {
  const isBefore = matches(state, seen);
  const isAfter = pending !== undefined && matches(pending.after, seen);
  if (pending !== undefined && isBefore !== isAfter) note(verdicts, pending.act, isAfter);
  if (isBefore || isAfter) return;
  const allowed = [state, ...(pending === undefined ? [] : [pending.after])];
  const most = Math.max(...allowed.map(({ places }) => places.length));
  const least = Math.min(...allowed.map(({ places }) => places.length));
  const count = seen.places.length;
  const verdict = count < least ? 'is lost' : count > most ? 'is there too often' : 'is not as it was left';
  const doing = pending === undefined ? '' : ` (during ${pending.act.what})`;
  findings.push(`${key} ${verdict}${doing}: ${describe(seen)}, not ${allowed.map(describe).join(' or ')}`);
}

function matches(wanted: MessageState, seen: MessageState): boolean {
  if (wanted.places.length !== seen.places.length) return false;
  const left = [...seen.places];
  for (const place of wanted.places) {
    const at = left.findIndex(
      ({ mailbox, uid, deleted }) =>
        mailbox === place.mailbox &&
        deleted === place.deleted &&
        (place.uid === undefined || place.uid === uid),
    );
    if (at === -1) return false;
    left.splice(at, 1);
  }
  // A message that is nowhere has no flags.
  return seen.places.length === 0 || plainFlags(wanted.flags).join(' ') === seen.flags.join(' ');
}

function plainFlags(flags: readonly string[]): string[] {
  return [...new Set(flags)].filter((flag) => flag !== DELETED).toSorted();
}

function describe({ places, flags }: MessageState): string {
  if (places.length === 0) return 'nowhere';
  const shown = places.map(
    ({ mailbox, uid, deleted }) => `${mailbox.state.name} ${uid ?? '?'}${deleted ? ' deleted' : ''}`,
  );
  return `[${shown.join(', ')}] ${flags.join(' ')}`;
}

function note(verdicts: Map<Act, Set<boolean>>, act: Act, isDone: boolean): void {
  const outcomes = verdicts.get(act);
  if (outcomes === undefined) verdicts.set(act, new Set([isDone]));
  else outcomes.add(isDone);
}

function keyOf(account: string, token: string): string {
  return `${account} ${token}`;
}
