/** A page of an account's change feed out of a shard's rows. What is in it: docs/store.md, "The change feed". */
import { numberAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { known, toEmailId, toMailboxId, toModSeq } from '../ids.ts';
import type { AccountId, EmailId, ModSeq } from '../ids.ts';
import type { AccountChanges } from '../mail-store.ts';
import { SQL } from './mail-schema.ts';

/** Something of this id happened at this modseq. */
type Happening = { readonly id: number; readonly modSeq: number };

function toHappening(row: Row): Happening {
  return { id: numberAt(row, 0), modSeq: numberAt(row, 1) };
}

/** Reads one page; inside a snapshot, so that all its parts are of one instant. */
export function readAccountChanges(
  database: Database,
  account: AccountId,
  since: ModSeq,
  limit: number,
): AccountChanges {
  const read = (sql: string, ...values: readonly number[]): Happening[] =>
    database
      .prepare(sql)
      .rows(account, ...values)
      .map(toHappening);
  const row = database.prepare(SQL.account).row(account);
  const modSeq = row === undefined ? 0 : numberAt(row, 0);
  const count = Math.max(1, limit);

  const created = read(SQL.createdEmails, since, count);
  const changed = read(SQL.changedEmails, since, count);
  const vanished = read(SQL.vanishedEmails, since, count);
  const mailboxes = read(SQL.changedMailboxes, since);
  const removed = read(SQL.removedMailboxes, since, count);

  // A list that is full goes on beyond what was read of it, but not below its last modseq; and the page's end, the
  // modseq at its limit, is never beyond that. What happened at the end itself may have been cut: it is read again.
  const lists = [created, changed, vanished, mailboxes, removed];
  const modSeqs = lists
    .flat()
    .map((one) => one.modSeq)
    .toSorted((a, b) => a - b);
  const isCut = modSeqs.length > count || lists.some((list) => list !== mailboxes && list.length >= count);
  const reached = isCut ? (modSeqs[count - 1] ?? modSeq) : modSeq;
  if (isCut) {
    changed.push(...read(SQL.changedEmailsAt, reached));
    vanished.push(...read(SQL.vanishedEmailsAt, reached));
  }

  const isIn = (one: Happening): boolean => one.modSeq <= reached;
  const exists = database.prepare(SQL.hasMessage);
  const createdIds = new Set<EmailId>(created.filter(isIn).map(({ id }) => known(toEmailId(id))));
  const updatedIds = new Set<EmailId>();
  const destroyedIds = new Set<EmailId>();
  for (const { id } of [...changed, ...vanished].filter(isIn)) {
    const email = known(toEmailId(id));
    if (createdIds.has(email) || updatedIds.has(email)) continue;
    if (exists.row(account, email) !== undefined) updatedIds.add(email);
    else if (email <= since) destroyedIds.add(email);
  }
  const gone = removed.filter((one) => isIn(one) && one.id <= since);
  return {
    modSeq: known(toModSeq(reached)),
    complete: reached >= modSeq,
    mailboxes: {
      changed: mailboxes.filter(isIn).map(({ id }) => known(toMailboxId(id))),
      destroyed: gone.map(({ id }) => known(toMailboxId(id))),
    },
    emails: { created: [...createdIds], updated: [...updatedIds], destroyed: [...destroyedIds] },
  };
}
