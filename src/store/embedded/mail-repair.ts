/**
 * Mends what a check found in one account, inside one transaction of its shard's writer. Nothing that can be kept is
 * lost: what has no place, or one in a mailbox that is gone, comes to the inbox. Digests need the octets, so they are
 * the caller's: see `checkMail`.
 */
import { numberAt, octetsAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { unreachable } from '../../base/unreachable.ts';
import { known, toMailboxId } from '../ids.ts';
import type { AccountId, EmailId, MailboxId } from '../ids.ts';
import { FLAG } from '../mail-store.ts';
import { INBOX } from '../mailbox-name.ts';
import { countedOf, countMailboxes, findInAccount } from './mail-findings.ts';
import type { AccountFinding } from './mail-findings.ts';
import { toMailbox } from './mail-rows.ts';
import { CHECK_SQL, SQL } from './mail-schema.ts';

/** As `FIRST_MAILBOXES` has it. */
const INBOX_ID: MailboxId = known(toMailboxId(1));

/** Gives what was found and mended; what it names of digests is not mended yet. */
export function repairAccount(database: Database, account: AccountId, nowMs: number): AccountFinding[] {
  let findings = findInAccount(database, account);
  if (findings.some(({ kind }) => kind === 'no-account')) {
    addAccount(database, account);
    findings = [...findings, ...findInAccount(database, account)];
  }
  if (findings.some(({ kind }) => kind !== 'digest-damaged' && kind !== 'message-without-digest'))
    new Repair(database, account, nowMs).mend(findings);
  return findings;
}

/** Its counters are counted in the end; its modseq rises to what its rows need. A quota is known to nobody any more. */
function addAccount(database: Database, account: AccountId): void {
  const row = database.prepare(CHECK_SQL.uidValidityMax).row(account);
  database.prepare(SQL.addAccount).run(account);
  database.prepare(SQL.saveAccount).run(0, row === undefined ? 0 : numberAt(row, 0), 0, 0, account);
}

class Repair {
  readonly #database: Database;
  readonly #account: AccountId;
  readonly #nowMs: number;
  #modSeq = 0;
  #uidValidity = 0;
  #inboxUid: number | undefined;

  constructor(database: Database, account: AccountId, nowMs: number) {
    this.#database = database;
    this.#account = account;
    this.#nowMs = nowMs;
  }

  #run(sql: string, ...values: readonly (number | string | null)[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #rows(sql: string, ...values: readonly number[]): readonly Row[] {
    return this.#database.prepare(sql).rows(...values);
  }

  mend(findings: readonly AccountFinding[]): void {
    const row = this.#database.prepare(SQL.account).row(this.#account);
    if (row === undefined) return;
    this.#modSeq = numberAt(row, 0);
    this.#uidValidity = numberAt(row, 1);
    for (const finding of findings) if (finding.kind === 'low-modseq') this.#modSeq = finding.needed;
    // Everything that is mended is a change, so that clients look at it again.
    this.#modSeq += 1;
    if (findings.some(({ kind }) => kind === 'no-inbox')) this.#addInbox();
    for (const finding of findings) this.#mendRows(finding);
    this.#recount();
    const sums = this.#database.prepare(CHECK_SQL.messagesCounted).row(this.#account) ?? [0, 0, 0];
    this.#run(
      SQL.saveAccount,
      this.#modSeq,
      this.#uidValidity,
      numberAt(sums, 1),
      numberAt(sums, 0),
      this.#account,
    );
  }

  #mendRows(finding: AccountFinding): void {
    const account = this.#account;
    switch (finding.kind) {
      case 'mailbox-without-parent':
        // Its old name may be taken at the top; its id cannot be.
        this.#run(
          SQL.renameMailbox,
          0,
          `Recovered ${finding.mailbox}`,
          this.#modSeq,
          account,
          finding.mailbox,
        );
        break;
      case 'place-without-message':
        this.#run(SQL.removePlace, account, finding.mailbox, finding.uid);
        this.#run(SQL.addVanished, account, this.#modSeq, finding.mailbox, finding.uid, finding.email);
        break;
      case 'place-without-mailbox':
        // The inbox has just been made again, with its old id: its places are where they belong.
        if (finding.mailbox !== INBOX_ID) this.#rescuePlaces(finding.mailbox);
        break;
      case 'message-without-place':
        this.#putIntoInbox(finding.email, 0, '');
        break;
      case 'digest-without-message':
        this.#run(SQL.removeDigest, account, finding.email);
        break;
      case 'wrong-size':
        this.#run(CHECK_SQL.setSize, finding.octets, account, finding.mailbox, finding.uid);
        break;
      case 'flags-differ':
        this.#joinFlags(finding.email);
        break;
      case 'no-account':
      case 'no-inbox':
      case 'wrong-counters':
      case 'low-uid-next':
      case 'low-mailbox-modseq':
      case 'low-modseq':
      case 'wrong-usage':
      // Counted again in the end.
      case 'message-without-digest':
      case 'digest-damaged':
        break;
      default:
        unreachable(finding);
    }
  }

  #addInbox(): void {
    const taken = this.#rows(SQL.mailboxes, this.#account).map(toMailbox);
    for (const { id, parent, name } of taken)
      if (parent === undefined && name === INBOX)
        this.#run(SQL.renameMailbox, 0, `Recovered ${id}`, this.#modSeq, this.#account, id);
    this.#uidValidity = Math.max(this.#uidValidity + 1, Math.floor(this.#nowMs / 1000));
    const values = [INBOX_ID, 0, INBOX, 'inbox', this.#uidValidity, this.#modSeq, this.#nowMs] as const;
    this.#run(SQL.addMailbox, this.#account, ...values);
  }

  #rescuePlaces(mailbox: MailboxId): void {
    const places = this.#rows(SQL.places, this.#account, mailbox, 1, 4_294_967_295);
    for (const place of places) {
      this.#run(SQL.removePlace, this.#account, mailbox, numberAt(place, 0));
      const isPlaced =
        this.#database.prepare(SQL.isEmailPlaced).row(this.#account, numberAt(place, 1)) !== undefined;
      const exists =
        this.#database.prepare(SQL.hasMessage).row(this.#account, numberAt(place, 1)) !== undefined;
      if (exists && !isPlaced)
        this.#putIntoInbox(numberAt(place, 1), numberAt(place, 2) & ~FLAG.deleted, textAt(place, 3));
    }
  }

  #putIntoInbox(email: number, flags: number, keywords: string): void {
    this.#inboxUid ??= this.#nextInboxUid();
    const row = this.#database.prepare(CHECK_SQL.blob).row(this.#account, email);
    const octets = row === undefined ? 0 : numberAt(row, 1) + octetsAt(row, 3).length;
    const values = [
      INBOX_ID,
      this.#inboxUid,
      email,
      flags,
      keywords,
      this.#modSeq,
      octets,
      this.#nowMs,
    ] as const;
    this.#run(SQL.addPlace, this.#account, ...values);
    this.#inboxUid += 1;
  }

  /** Above all that the inbox says or has; counting again in the end raises what it says. */
  #nextInboxUid(): number {
    const { uidMax } = countedOf(countMailboxes(this.#database, this.#account), INBOX_ID);
    const row = this.#database.prepare(SQL.mailboxUids).row(this.#account, INBOX_ID);
    return Math.max(uidMax + 1, row === undefined ? 1 : numberAt(row, 1));
  }

  /** A flag that any place has, the message has; keywords are those of the first place. */
  #joinFlags(email: EmailId): void {
    const places = this.#rows(CHECK_SQL.placesOfEmail, this.#account, email);
    const first = places[0];
    if (first === undefined) return;
    const shared = places.reduce((flags, place) => flags | (numberAt(place, 2) & ~FLAG.deleted), 0);
    for (const place of places) {
      const flags = shared | (numberAt(place, 2) & FLAG.deleted);
      const [mailbox, uid] = [numberAt(place, 0), numberAt(place, 1)];
      this.#run(SQL.setFlags, flags, textAt(first, 3), this.#modSeq, this.#account, mailbox, uid);
    }
  }

  #recount(): void {
    const counted = countMailboxes(this.#database, this.#account);
    for (const { id, uidNext, highestModSeq } of this.#rows(SQL.mailboxes, this.#account).map(toMailbox)) {
      const { total, unseen, deleted, octets, uidMax, modSeqMax } = countedOf(counted, id);
      const uids = Math.max(uidNext, uidMax + 1);
      const modSeq = Math.max(highestModSeq, modSeqMax);
      this.#run(CHECK_SQL.setCounters, total, unseen, deleted, octets, uids, modSeq, this.#account, id);
    }
  }
}
