/**
 * A page of an account's change feed out of rows, wherever they are: it asks by yielding, and is answered by whoever
 * holds them. What is in it: docs/store.md, "The change feed". Pure.
 */
import { numberAt } from '../../sqlite/database.ts';
import type { Row } from '../../sqlite/database.ts';
import { known, toEmailId, toMailboxId, toModSeq } from '../ids.ts';
import type { EmailId, ModSeq } from '../ids.ts';
import type { AccountChanges } from '../mail-store.ts';
import { SQL } from './mail-schema.ts';

/** Something of this id happened at this modseq. */
type Happening = { readonly id: number; readonly modSeq: number };

function toHappening(row: Row): Happening {
  return { id: numberAt(row, 0), modSeq: numberAt(row, 1) };
}

/** Statements of the account, which is their first parameter; or which of these messages are there. */
export type ChangesQuestion =
  | { readonly kind: 'rows'; readonly asked: readonly (readonly [sql: string, ...values: number[]])[] }
  | { readonly kind: 'existing'; readonly emails: readonly EmailId[] };

/** Rows of each statement; for `existing` one list, with an id in the first column of each row. */
export type ChangesAnswer = readonly (readonly Row[])[];

/** Asks for one page; all answers are of one instant. */
export function* readAccountChanges(
  since: ModSeq,
  limit: number,
): Generator<ChangesQuestion, AccountChanges, ChangesAnswer> {
  const count = Math.max(1, limit);
  const [accounts, ...answers] = yield {
    kind: 'rows',
    asked: [
      [SQL.account],
      [SQL.createdEmails, since, count],
      [SQL.changedEmails, since, count],
      [SQL.vanishedEmails, since, count],
      [SQL.changedMailboxes, since],
      [SQL.removedMailboxes, since, count],
    ],
  };
  const row = accounts?.[0];
  const modSeq = row === undefined ? 0 : numberAt(row, 0);
  const lists = answers.map((rows) => rows.map(toHappening));
  const [created = [], changed = [], vanished = [], mailboxes = [], removed = []] = lists;

  // A list that is full goes on beyond what was read of it, but not below its last modseq; and the page's end, the
  // modseq at its limit, is never beyond that. What happened at the end itself may have been cut: it is read again.
  const modSeqs = lists
    .flat()
    .map((one) => one.modSeq)
    .toSorted((a, b) => a - b);
  const isCut = modSeqs.length > count || lists.some((list) => list !== mailboxes && list.length >= count);
  const reached = isCut ? (modSeqs[count - 1] ?? modSeq) : modSeq;
  if (isCut) {
    const [changedAt = [], vanishedAt = []] = yield {
      kind: 'rows',
      asked: [
        [SQL.changedEmailsAt, reached],
        [SQL.vanishedEmailsAt, reached],
      ],
    };
    changed.push(...changedAt.map(toHappening));
    vanished.push(...vanishedAt.map(toHappening));
  }

  const isIn = (one: Happening): boolean => one.modSeq <= reached;
  const createdIds = new Set<EmailId>(created.filter(isIn).map(({ id }) => known(toEmailId(id))));
  const touched = new Set(
    [...changed, ...vanished]
      .filter(isIn)
      .map(({ id }) => known(toEmailId(id)))
      .filter((email) => !createdIds.has(email)),
  );
  const [existing = []] = yield { kind: 'existing', emails: [...touched] };
  const updatedIds = new Set(existing.map((one) => known(toEmailId(numberAt(one, 0)))));
  const gone = removed.filter((one) => isIn(one) && one.id <= since);
  return {
    modSeq: known(toModSeq(reached)),
    complete: reached >= modSeq,
    mailboxes: {
      changed: mailboxes.filter(isIn).map(({ id }) => known(toMailboxId(id))),
      destroyed: gone.map(({ id }) => known(toMailboxId(id))),
    },
    emails: {
      created: [...createdIds],
      updated: [...touched].filter((email) => updatedIds.has(email)),
      destroyed: [...touched].filter((email) => !updatedIds.has(email) && email <= since),
    },
  };
}
