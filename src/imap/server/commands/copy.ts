/**
 * COPY, MOVE and EXPUNGE. Source: RFC 9051 §6.4.3, §6.4.7, §6.4.8, §7.1 (COPYUID); RFC 7162 §3.2.9; RFC 4314 §4 and
 * RFC 6851 §4.2 (rights).
 */
import { hasAll } from '../../../auth/rights.ts';
import { LIMITS } from '../../../base/limits.ts';
import { err, ok, type Result } from '../../../base/result.ts';
import { unreachable } from '../../../base/unreachable.ts';
import { Fault } from '../../../base/fault.ts';
import type { AccountId, MailboxId, Uid } from '../../../store/ids.ts';
import { FLAG, type Copied, type MailStore, type NewMessage } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { permitted } from '../flags.ts';
import { currentRights, NO_RIGHT, target, type Access } from '../mailbox-access.ts';
import { highestOf, sayingLimit, tooMany } from '../message-limit.ts';
import { pagesOf, resolveSet } from '../message-set.ts';
import { refusal } from './mailbox.ts';
import type { Selected, SelectedMailbox } from '../state.ts';

type Copy = Extract<Command, { verb: 'COPY' | 'MOVE' }>;
type Expunge = Extract<Command, { verb: 'EXPUNGE' }>;
/** Which messages became which. */
type Pairs = Omit<Copied, 'modSeq'>;

/** Messages of one read or removal. */
const PAGE = 1000;
/** The same, where digests are read with them. */
const FULL_PAGE = 250;

export async function* copy(state: Selected, command: Copy, context: Context): Replies {
  const { principal, selected } = state;
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
  const rights = await currentRights(state, deps);
  if (isMove && !hasAll(rights, 'te')) return NO_RIGHT;
  const access = await target(principal, command.mailbox, deps);
  if (!access.ok) return access.error;
  if (uids.length === 0) return done('There was nothing to do');
  const copied = await transfer(selected, uids, access.value, isMove, deps.store);
  if (!copied.ok) return copied.error;
  if (copied.value.from.length === 0)
    return { status: 'NO', code: 'EXPUNGEISSUED', text: 'The messages are gone' };
  const { uidValidity, from, to } = copied.value;
  const code = { kind: 'COPYUID', uidValidity, from: rangesOf(from), to: rangesOf(to) } as const;
  // RFC 9051 §6.4.7: who may not read the target learns nothing of it.
  const told = access.value.rights.includes('r') ? { code } : {};
  if (!isMove) return { status: 'OK', ...told, text: 'Copied' };
  // RFC 9051 §6.4.8: COPYUID comes before the EXPUNGEs, which the driver sends.
  yield { kind: 'status', status: 'OK', ...told, text: 'Moved' };
  // RFC 7162 §3.2.9 as RFC 6851 §4.4 asks for it.
  const outcome = await withModSeq(done('Moved'), selected.account, selected.id, context);
  return yield* sayingLimit(outcome, messagesMax, lowest);
}

async function transfer(
  selected: SelectedMailbox,
  uids: readonly Uid[],
  to: Access,
  isMove: boolean,
  store: MailStore,
): Promise<Result<Pairs, Outcome>> {
  const { account, id } = selected;
  // The message itself gets another place, and so its flags: that is for who may set all of them there, and here too, where
  // what is set there shows (RFC 4314 §4). \Deleted is each place's own.
  if (account === to.owner && hasAll(to.rights, 'stw') && hasAll(selected.rights, 'sw')) {
    const into = to.node.mailbox.id;
    const moved = isMove
      ? await store.move(account, id, uids, into)
      : await store.copy(account, id, uids, into);
    if (moved.ok) return moved;
    return err(moved.error.kind === 'over-quota' ? overQuota(moved.error.octetsLeft) : refusal(moved.error));
  }
  const copied = await copyAnew(selected, uids, to, store);
  return copied.ok && isMove ? ok(await removeMoved(selected, copied.value, to, store)) : copied;
}

/** New messages of the same octets, all or none, with the flags for which there is a right. */
async function copyAnew(
  { account, id }: SelectedMailbox,
  uids: readonly Uid[],
  to: Access,
  store: MailStore,
): Promise<Result<Pairs, Outcome>> {
  if (uids.length > LIMITS.imapCopyBetweenMessagesMax)
    return err({
      status: 'NO',
      code: 'LIMIT',
      text: `At most ${LIMITS.imapCopyBetweenMessagesMax} messages at once to there`,
    });
  const from: Uid[] = [];
  const messages: NewMessage[] = [];
  for (const page of pagesOf(uids, FULL_PAGE))
    for (const message of await store.messages(account, id, page)) {
      const { uid, blob, prefix, digest, receivedAtMs } = message;
      from.push(uid);
      // The place of the octets was read just now, and holds (`PLACE_FRESH_MS`).
      messages.push({ blob, prefix, digest, receivedAtMs, ...permitted(message, to.rights) });
    }
  const { uidValidity } = to.node.mailbox;
  if (messages.length === 0) return ok({ uidValidity, from, to: [] });
  const appended = await store.append(to.owner, to.node.mailbox.id, messages);
  if (appended.ok) return ok({ uidValidity: appended.value.uidValidity, from, to: appended.value.uids });
  switch (appended.error.kind) {
    case 'no-such-mailbox':
      return err({ status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' });
    case 'over-quota':
      return err(overQuota(appended.error.octetsLeft));
    case 'too-many-keywords':
      return err({ status: 'NO', code: 'LIMIT', text: 'There are too many keywords' });
    default:
      return unreachable(appended.error);
  }
}

function overQuota(octetsLeft: number): Outcome {
  return { status: 'NO', code: 'OVERQUOTA', text: `Only ${octetsLeft} octets are left` };
}

/**
 * Gives what has moved: where another session was quicker, with a MOVE of its own or an EXPUNGE, the copy goes again. A crash
 * before it leaves the messages in both mailboxes.
 */
async function removeMoved(
  { account, id }: SelectedMailbox,
  { uidValidity, from, to }: Pairs,
  into: Access,
  store: MailStore,
): Promise<Pairs> {
  const removed = new Set<Uid>();
  for (const page of pagesOf(from, PAGE)) {
    const gone = await store.remove(account, id, page);
    if (gone.ok) for (const uid of gone.value) removed.add(uid);
  }
  if (removed.size === from.length) return { uidValidity, from, to };
  const isMoved = (_uid: Uid, index: number): boolean => {
    const source = from[index];
    return source !== undefined && removed.has(source);
  };
  const late = to.filter((uid, index) => !isMoved(uid, index));
  for (const page of pagesOf(late, PAGE)) await store.remove(into.owner, into.node.mailbox.id, page);
  return { uidValidity, from: from.filter(isMoved), to: to.filter(isMoved) };
}

/** So that the client need not ask for it. What was done stays done, whether it can be read or not. */
export async function withModSeq(
  outcome: Outcome,
  account: AccountId,
  id: MailboxId,
  { deps, enabled, fault }: Pick<Context, 'deps' | 'enabled' | 'fault'>,
): Promise<Outcome> {
  if (!enabled.condstore) return outcome;
  try {
    const mailbox = await deps.store.mailbox(account, id);
    if (mailbox === undefined) return outcome;
    return { ...outcome, code: { kind: 'HIGHESTMODSEQ', value: mailbox.highestModSeq } };
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    fault('HIGHESTMODSEQ', cause);
    return outcome;
  }
}

export async function* expunge(state: Selected, command: Expunge, context: Context): Replies {
  const { selected } = state;
  const { deps } = context;
  const { messagesMax } = deps.limits;
  if (selected.readOnly) return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  if (!(await currentRights(state, deps)).includes('e')) return NO_RIGHT;
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
