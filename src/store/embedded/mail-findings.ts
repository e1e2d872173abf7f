/** What a check of one account's rows can find. Reads only; inside a snapshot or the writer's transaction. */
import { numberAt, octetsAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { known, toEmailId, toMailboxId, toUid } from '../ids.ts';
import type { AccountId, EmailId, MailboxId, Uid } from '../ids.ts';
import type { Mailbox } from '../mail-store.ts';
import { decodeDigest } from './mail-digest.ts';
import { toMailbox } from './mail-rows.ts';
import { CHECK_SQL, SQL } from './mail-schema.ts';

export type Counters = {
  readonly total: number;
  readonly unseen: number;
  readonly deleted: number;
  readonly octets: number;
};

export type AccountFinding =
  /** Rows of an account whose own row is gone. What else is wrong with it shows once it has one again. */
  | { readonly kind: 'no-account' }
  | { readonly kind: 'no-inbox' }
  | { readonly kind: 'mailbox-without-parent'; readonly mailbox: MailboxId }
  | { readonly kind: 'place-without-mailbox'; readonly mailbox: MailboxId; readonly places: number }
  | {
      readonly kind: 'place-without-message';
      readonly mailbox: MailboxId;
      readonly uid: Uid;
      readonly email: EmailId;
    }
  | { readonly kind: 'message-without-place'; readonly email: EmailId }
  | { readonly kind: 'message-without-digest'; readonly email: EmailId }
  | { readonly kind: 'digest-damaged'; readonly email: EmailId }
  | { readonly kind: 'digest-without-message'; readonly email: EmailId }
  | { readonly kind: 'wrong-size'; readonly mailbox: MailboxId; readonly uid: Uid; readonly octets: number }
  | { readonly kind: 'flags-differ'; readonly email: EmailId }
  | {
      readonly kind: 'wrong-counters';
      readonly mailbox: MailboxId;
      readonly stored: Counters;
      readonly counted: Counters;
    }
  | {
      readonly kind: 'low-uid-next';
      readonly mailbox: MailboxId;
      readonly stored: number;
      readonly needed: number;
    }
  | {
      readonly kind: 'low-mailbox-modseq';
      readonly mailbox: MailboxId;
      readonly stored: number;
      readonly needed: number;
    }
  | { readonly kind: 'low-modseq'; readonly stored: number; readonly needed: number }
  | {
      readonly kind: 'wrong-usage';
      readonly stored: { readonly octets: number; readonly messages: number };
      readonly counted: { readonly octets: number; readonly messages: number };
    };

/** Digests decoded before the next are read. */
const DIGESTS_PAGE = 200;

/** What counting gives for one mailbox. */
export type Counted = Counters & { readonly uidMax: number; readonly modSeqMax: number };

const NOTHING: Counted = { total: 0, unseen: 0, deleted: 0, octets: 0, uidMax: 0, modSeqMax: 0 };

/** Counts of every mailbox that has places or once had. */
export function countMailboxes(database: Database, account: AccountId): Map<MailboxId, Counted> {
  const counted = new Map<MailboxId, Counted>();
  for (const row of database.prepare(CHECK_SQL.placesCounted).rows(account)) {
    const [mailbox, total, unseen, deleted, octets, uidMax, modSeqMax] = row.map(Number);
    if (mailbox === undefined) continue;
    counted.set(known(toMailboxId(mailbox)), {
      total: total ?? 0,
      unseen: unseen ?? 0,
      deleted: deleted ?? 0,
      octets: octets ?? 0,
      uidMax: uidMax ?? 0,
      modSeqMax: modSeqMax ?? 0,
    });
  }
  for (const row of database.prepare(CHECK_SQL.vanishedCounted).rows(account)) {
    const id = known(toMailboxId(numberAt(row, 0)));
    const { uidMax, modSeqMax, ...counters } = counted.get(id) ?? NOTHING;
    counted.set(id, {
      ...counters,
      uidMax: Math.max(uidMax, numberAt(row, 1)),
      modSeqMax: Math.max(modSeqMax, numberAt(row, 2)),
    });
  }
  return counted;
}

export function countedOf(counted: ReadonlyMap<MailboxId, Counted>, mailbox: MailboxId): Counted {
  return counted.get(mailbox) ?? NOTHING;
}

export function findInAccount(database: Database, account: AccountId): AccountFinding[] {
  const row = database.prepare(SQL.account).row(account);
  if (row === undefined)
    return database.prepare(CHECK_SQL.hasRows).row(account) === undefined ? [] : [{ kind: 'no-account' }];
  const mailboxes = database.prepare(SQL.mailboxes).rows(account).map(toMailbox);
  return [
    ...findInTree(mailboxes),
    ...findInRows(database, account),
    ...findInNumbers(database, account, row, mailboxes),
    ...findInDigests(database, account),
  ];
}

function findInTree(mailboxes: readonly Mailbox[]): AccountFinding[] {
  const ids = new Set(mailboxes.map(({ id }) => id));
  const findings: AccountFinding[] = [];
  if (!mailboxes.some(({ role }) => role === 'inbox')) findings.push({ kind: 'no-inbox' });
  for (const { id, parent } of mailboxes)
    if (parent !== undefined && !ids.has(parent))
      findings.push({ kind: 'mailbox-without-parent', mailbox: id });
  return findings;
}

function findInRows(database: Database, account: AccountId): AccountFinding[] {
  const rows = (sql: string): readonly Row[] => database.prepare(sql).rows(account);
  const mailboxAt = (row: Row): MailboxId => known(toMailboxId(numberAt(row, 0)));
  const emailAt = (row: Row, column = 0): EmailId => known(toEmailId(numberAt(row, column)));
  const uidAt = (row: Row): Uid => known(toUid(numberAt(row, 1)));
  const ofEmails = (kind: EmailKind, sql: string): AccountFinding[] =>
    rows(sql).map((row) => ({ kind, email: emailAt(row) }));
  return [
    ...rows(CHECK_SQL.placesWithoutMessage).map((row): AccountFinding => ({
      kind: 'place-without-message',
      mailbox: mailboxAt(row),
      uid: uidAt(row),
      email: emailAt(row, 2),
    })),
    ...ofEmails('message-without-place', CHECK_SQL.messagesWithoutPlace),
    ...ofEmails('message-without-digest', CHECK_SQL.messagesWithoutDigest),
    ...ofEmails('digest-without-message', CHECK_SQL.digestsWithoutMessage),
    ...rows(CHECK_SQL.wrongSizes).map((row): AccountFinding => ({
      kind: 'wrong-size',
      mailbox: mailboxAt(row),
      uid: uidAt(row),
      octets: numberAt(row, 2),
    })),
    ...ofEmails('flags-differ', CHECK_SQL.flagsDiffer),
  ];
}

type EmailKind =
  | 'message-without-place'
  | 'message-without-digest'
  | 'digest-without-message'
  | 'flags-differ';

function findInNumbers(
  database: Database,
  account: AccountId,
  row: Row,
  mailboxes: readonly Mailbox[],
): AccountFinding[] {
  const findings: AccountFinding[] = [];
  const counted = countMailboxes(database, account);
  let needed = 0;
  for (const mailbox of mailboxes) {
    const { uidMax, modSeqMax, ...counters } = countedOf(counted, mailbox.id);
    const { id, total, unseen, deleted, octets, uidNext, highestModSeq } = mailbox;
    const isRight =
      total === counters.total &&
      unseen === counters.unseen &&
      deleted === counters.deleted &&
      octets === counters.octets;
    if (!isRight)
      findings.push({
        kind: 'wrong-counters',
        mailbox: id,
        stored: { total, unseen, deleted, octets },
        counted: counters,
      });
    if (uidNext <= uidMax)
      findings.push({ kind: 'low-uid-next', mailbox: id, stored: uidNext, needed: uidMax + 1 });
    if (highestModSeq < modSeqMax)
      findings.push({ kind: 'low-mailbox-modseq', mailbox: id, stored: highestModSeq, needed: modSeqMax });
    needed = Math.max(needed, highestModSeq);
  }
  const ids = new Set(mailboxes.map(({ id }) => id));
  for (const [mailbox, { total, modSeqMax }] of counted) {
    needed = Math.max(needed, modSeqMax);
    if (total > 0 && !ids.has(mailbox))
      findings.push({ kind: 'place-without-mailbox', mailbox, places: total });
  }
  const sums = database.prepare(CHECK_SQL.messagesCounted).row(account) ?? [0, 0, 0];
  const stored = { octets: numberAt(row, 2), messages: numberAt(row, 3) };
  const usage = { octets: numberAt(sums, 1), messages: numberAt(sums, 0) };
  if (stored.octets !== usage.octets || stored.messages !== usage.messages)
    findings.push({ kind: 'wrong-usage', stored, counted: usage });
  needed = Math.max(needed, numberAt(sums, 2));
  if (numberAt(row, 0) < needed) findings.push({ kind: 'low-modseq', stored: numberAt(row, 0), needed });
  return findings;
}

function findInDigests(database: Database, account: AccountId): AccountFinding[] {
  const findings: AccountFinding[] = [];
  for (let after = 0; ;) {
    const rows = database.prepare(CHECK_SQL.digests).rows(account, after, DIGESTS_PAGE);
    for (const row of rows) {
      after = numberAt(row, 0);
      if (decodeDigest(octetsAt(row, 1)) === undefined)
        findings.push({ kind: 'digest-damaged', email: known(toEmailId(after)) });
    }
    if (rows.length < DIGESTS_PAGE) return findings;
  }
}
