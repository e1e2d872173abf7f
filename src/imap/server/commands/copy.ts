/** COPY, MOVE and EXPUNGE. Source: RFC 9051 §6.4.3, §6.4.7, §6.4.8, §7.1 (COPYUID); RFC 7162 §3.2.9. */
import type { AccountId, MailboxId, Uid } from '../../../store/ids.ts';
import { FLAG, type Copied } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import type { ResponseCode } from '../../wire/response-code.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { mailboxTree } from '../mailbox-tree.ts';
import { highestOf, sayingLimit, tooMany } from '../message-limit.ts';
import { pagesOf, resolveSet } from '../message-set.ts';
import { refusal } from './mailbox.ts';
import type { Selected, SelectedMailbox } from '../state.ts';

type Copy = Extract<Command, { verb: 'COPY' | 'MOVE' }>;
type Expunge = Extract<Command, { verb: 'EXPUNGE' }>;

/** Messages of one read. */
const PAGE = 1000;

export async function* copy({ principal, selected }: Selected, command: Copy, context: Context): Replies {
  const { deps } = context;
  const { messagesMax, savedMessagesMax } = deps.limits;
  const isMove = command.verb === 'MOVE';
  if (isMove && selected.readOnly)
    return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  const resolved = resolveSet(command.set, command.uid, selected);
  if (!resolved.ok) return resolved.error;
  // RFC 9738 §3.1: of MOVE a part is done; COPY copies all or nothing (RFC 9051 §6.4.7).
  const { uids, lowest } = highestOf(resolved.value, isMove ? messagesMax : savedMessagesMax);
  if (lowest !== undefined && !isMove) return tooMany(savedMessagesMax, lowest);
  const target = mailboxTree(await deps.store.mailboxes(principal.account)).find(command.mailbox);
  // RFC 9051 §6.4.7: TRYCREATE tells the client that CREATE would help.
  if (target === undefined) return { status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' };
  if (uids.length === 0) return done('There was nothing to do');
  const copied = isMove
    ? await deps.store.move(selected.account, selected.id, uids, target.mailbox.id)
    : await deps.store.copy(selected.account, selected.id, uids, target.mailbox.id);
  if (!copied.ok) {
    if (copied.error.kind !== 'over-quota') return refusal(copied.error);
    return { status: 'NO', code: 'OVERQUOTA', text: `Only ${copied.error.octetsLeft} octets are left` };
  }
  if (copied.value.from.length === 0)
    return { status: 'NO', code: 'EXPUNGEISSUED', text: 'The messages are gone' };
  const code = copyUid(copied.value);
  if (!isMove) return { status: 'OK', code, text: 'Copied' };
  // RFC 9051 §6.4.8: COPYUID comes before the EXPUNGEs, which the driver sends.
  yield { kind: 'status', status: 'OK', code, text: 'Moved' };
  // RFC 7162 §3.2.9 as RFC 6851 §4.4 asks for it.
  const outcome = await withModSeq(done('Moved'), selected.account, selected.id, context);
  return yield* sayingLimit(outcome, messagesMax, lowest);
}

/** So that the client need not ask for it. */
export async function withModSeq(
  outcome: Outcome,
  account: AccountId,
  id: MailboxId,
  context: Pick<Context, 'deps' | 'enabled'>,
): Promise<Outcome> {
  if (!context.enabled.condstore) return outcome;
  const mailbox = await context.deps.store.mailbox(account, id);
  if (mailbox === undefined) return outcome;
  return { ...outcome, code: { kind: 'HIGHESTMODSEQ', value: mailbox.highestModSeq } };
}

function copyUid({ uidValidity, from, to }: Copied): ResponseCode {
  return { kind: 'COPYUID', uidValidity, from: rangesOf(from), to: rangesOf(to) };
}

export async function* expunge({ selected }: Selected, command: Expunge, context: Context): Replies {
  const { deps } = context;
  const { messagesMax } = deps.limits;
  if (selected.readOnly) return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  let uids: readonly Uid[] | undefined;
  let lowest: Uid | undefined;
  if (command.uid) {
    const found = resolveSet(command.set, true, selected);
    if (!found.ok) return found.error;
    uids = found.value;
    // RFC 9738 §3.1: those that go are counted; EXPUNGE and CLOSE are never cut short.
    if (uids.length > messagesMax)
      ({ uids, lowest } = highestOf(await deletedOf(uids, selected, context), messagesMax));
  }
  const expunged = await deps.store.expunge(selected.account, selected.id, uids);
  if (!expunged.ok) return refusal(expunged.error);
  // RFC 7162 §3.2.7, §3.2.8.
  const outcome = await withModSeq(done('Expunged'), selected.account, selected.id, context);
  return yield* sayingLimit(outcome, messagesMax, lowest);
}

async function deletedOf(
  uids: readonly Uid[],
  { account, id }: SelectedMailbox,
  { deps }: Context,
): Promise<readonly Uid[]> {
  const deleted: Uid[] = [];
  for (const page of pagesOf(uids, PAGE))
    for (const { uid, flags } of await deps.store.placed(account, id, page))
      if ((flags & FLAG.deleted) !== 0) deleted.push(uid);
  return deleted;
}
