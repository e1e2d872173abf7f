/** SELECT and EXAMINE. Source: RFC 9051 §6.3.2, §6.3.3; RFC 3501 §6.3.1 (UNSEEN, RECENT); RFC 7162 §3.1.2, §3.2.5. */
import { hasOneOf } from '../../../auth/rights.ts';
import { known, toModSeq } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { QresyncParameter } from '../../wire/command/mailbox.ts';
import type { Untagged } from '../../wire/response.ts';
import { rangesHave, rangesOf, resolveRanges } from '../../wire/sequence-set.ts';
import type { Context, Replies } from '../command-context.ts';
import { takesKeywords } from '../flags.ts';
import { allowed, otherOwner, type Access } from '../mailbox-access.ts';
import { formatMailboxId } from '../object-id.ts';
import { listOf } from './list.ts';
import type { SelectedMailbox, SignedIn } from '../state.ts';
import { flagsFetch, flagsOfMailbox } from '../updates.ts';
import { URL_MECHANISMS } from './url-auth.ts';
import { MailboxView } from '../view.ts';

type Select = Extract<Command, { verb: 'SELECT' | 'EXAMINE' }>;

export async function* select(state: SignedIn, command: Select, context: Context): Replies {
  const { deps, enabled } = context;
  const { principal } = state;
  if (command.qresync !== undefined && !enabled.qresync)
    return { status: 'BAD', text: 'ENABLE QRESYNC comes first' };
  // RFC 9051 §6.3.2: whatever was selected is left, even if this fails.
  if (state.phase === 'selected' && (enabled.imap4rev2 || enabled.qresync))
    yield { kind: 'status', status: 'OK', code: 'CLOSED', text: 'The former mailbox is left' };
  const next = { phase: 'authenticated', principal } as const;
  if (command.condstore || command.qresync !== undefined) enabled.condstore = true;
  const access = await allowed(principal, command.mailbox, 'r', deps);
  if (!access.ok) return { ...access.error, next };

  const examines = command.verb === 'EXAMINE';
  const { selected, firstUnseen } = await open(access.value, examines, context);
  yield* describe(access.value, command.mailbox, selected, firstUnseen, context);
  if (command.qresync !== undefined) yield* resynchronize(selected, command.qresync, context);
  // RFC 4314 §5.2: all flags are shared here.
  const writes = !examines && hasOneOf(selected.rights, 'swite');
  return {
    status: 'OK',
    code: writes ? 'READ-WRITE' : 'READ-ONLY',
    text: examines ? 'Examined' : 'Selected',
    next: { phase: 'selected', principal, selected },
  };
}

type Opened = {
  readonly selected: SelectedMailbox;
  /** Its sequence number. */
  readonly firstUnseen: number | undefined;
};

async function open(access: Access, readOnly: boolean, { deps }: Context): Promise<Opened> {
  const { owner: account, node, name: path, rights } = access;
  const { mailbox } = node;
  const { uids, modSeq, keywords, firstUnseen } = await deps.recent.read(account, mailbox, deps.store);
  const view = new MailboxView(uids, modSeq);
  const { id, uidValidity } = mailbox;
  const selected: SelectedMailbox = {
    account,
    otherOwner: otherOwner(access),
    id,
    path,
    readOnly,
    rights,
    rightsTold: rights,
    uidValidity,
    view,
    saved: [],
    keywords: new Set(keywords),
    takesKeywords: await takesKeywords(account, deps),
    scans: {},
    updating: new Map(),
  };
  return { selected, firstUnseen: firstUnseen === undefined ? undefined : view.seqOf(firstUnseen) };
}

function* describe(
  access: Access,
  asked: string,
  selected: SelectedMailbox,
  firstUnseen: number | undefined,
  { enabled }: Context,
): Generator<Untagged, void, void> {
  const { mailbox } = access.node;
  const { view, uidValidity, otherOwner: other } = selected;
  yield* flagsOfMailbox(selected);
  yield { kind: 'exists', value: view.exists };
  if (!enabled.imap4rev2) {
    // RFC 9051 Appendix E: \Recent is gone; a server that never sets it is a legal RFC 3501 server.
    yield { kind: 'recent', value: 0 };
    // RFC 9586 §3: it is a message number.
    if (firstUnseen !== undefined && !enabled.uidonly)
      yield status({ kind: 'UNSEEN', value: firstUnseen }, 'The first unseen message');
  }
  yield status({ kind: 'UIDVALIDITY', value: uidValidity }, 'UIDs are valid');
  yield status({ kind: 'UIDNEXT', value: Math.max(mailbox.uidNext, view.lastUid + 1) }, 'The next UID');
  yield status({ kind: 'HIGHESTMODSEQ', value: Math.max(1, view.modSeq) }, 'The highest mod-sequence');
  yield status(URL_MECHANISMS, 'URLs can be authorized');
  yield status({ kind: 'MAILBOXID', id: formatMailboxId(mailbox.id, other) }, 'The mailbox');
  // RFC 9051 §6.3.2: always with IMAP4rev2, and with the old name where another form of it was asked for.
  if (enabled.imap4rev2) yield listOf(access, asked);
}

function status(code: Extract<Untagged, { kind: 'status' }>['code'] & {}, text: string): Untagged {
  return { kind: 'status', status: 'OK', code, text };
}

/** RFC 7162 §3.2.5: what is gone and what has changed since the client was here, if UIDs are still the same. */
async function* resynchronize(
  { account, id, uidValidity, view }: SelectedMailbox,
  known_: QresyncParameter,
  { deps, enabled }: Context,
): AsyncGenerator<Untagged, void, void> {
  if (known_.uidValidity !== uidValidity) return;
  const changes = await deps.store.mailboxChanges(account, id, known(toModSeq(known_.modSeq)));
  if (!changes.ok) return;
  const { knownUids } = known_;
  const asked = knownUids === undefined ? undefined : resolveRanges(knownUids, Infinity);
  const { vanished, changed } = changes.value;
  const gone = vanished.filter(
    (uid) => view.seqOf(uid) === undefined && (asked === undefined || rangesHave(asked, uid)),
  );
  if (gone.length > 0) yield { kind: 'vanished', earlier: true, uids: rangesOf(gone) };
  for (const entry of changed) {
    const seq = view.seqOf(entry.uid);
    if (seq !== undefined) yield flagsFetch(seq, entry, enabled);
  }
}
