/** COPY, MOVE and EXPUNGE. Source: RFC 9051 §6.4.3, §6.4.7, §6.4.8, §7.1 (COPYUID); RFC 7162 §3.2.9. */
import type { AccountId, MailboxId, Uid } from '../../../store/ids.ts';
import type { Copied } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import type { ResponseCode } from '../../wire/response-code.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { mailboxTree } from '../mailbox-tree.ts';
import { resolveSet } from '../message-set.ts';
import { refusal } from './mailbox.ts';
import type { Selected } from '../state.ts';

type Copy = Extract<Command, { verb: 'COPY' | 'MOVE' }>;
type Expunge = Extract<Command, { verb: 'EXPUNGE' }>;

export async function* copy({ principal, selected }: Selected, command: Copy, context: Context): Replies {
  const { deps } = context;
  const isMove = command.verb === 'MOVE';
  if (isMove && selected.readOnly)
    return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  const uids = resolveSet(command.set, command.uid, selected);
  if (!uids.ok) return uids.error;
  const target = mailboxTree(await deps.store.mailboxes(principal.account)).find(command.mailbox);
  // RFC 9051 §6.4.7: TRYCREATE tells the client that CREATE would help.
  if (target === undefined) return { status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' };
  if (uids.value.length === 0) return done('There was nothing to do');
  const copied = isMove
    ? await deps.store.move(selected.account, selected.id, uids.value, target.mailbox.id)
    : await deps.store.copy(selected.account, selected.id, uids.value, target.mailbox.id);
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
  return withModSeq(done('Moved'), selected.account, selected.id, context);
}

/** So that the client need not ask for it. */
export async function withModSeq(
  outcome: Outcome,
  account: AccountId,
  id: MailboxId,
  context: Context,
): Promise<Outcome> {
  if (!context.enabled.condstore) return outcome;
  const mailbox = await context.deps.store.mailbox(account, id);
  if (mailbox === undefined) return outcome;
  return { ...outcome, code: { kind: 'HIGHESTMODSEQ', value: mailbox.highestModSeq } };
}

function copyUid({ uidValidity, from, to }: Copied): ResponseCode {
  return { kind: 'COPYUID', uidValidity, from: rangesOf(from), to: rangesOf(to) };
}

export async function expunge({ selected }: Selected, command: Expunge, context: Context): Promise<Outcome> {
  const { deps } = context;
  if (selected.readOnly) return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  let uids: readonly Uid[] | undefined;
  if (command.uid) {
    const found = resolveSet(command.set, true, selected);
    if (!found.ok) return found.error;
    uids = found.value;
  }
  const expunged = await deps.store.expunge(selected.account, selected.id, uids);
  if (!expunged.ok) return refusal(expunged.error);
  // RFC 7162 §3.2.7, §3.2.8.
  return withModSeq(done('Expunged'), selected.account, selected.id, context);
}
