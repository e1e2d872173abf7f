/** What a session is told of a selected mailbox that others change. Source: RFC 9051 §7.4, §7.5; RFC 7162 §3.2.10. */
import type { Uid } from '../../store/ids.ts';
import type { Entry } from '../../store/mail-store.ts';
import type { FetchDatum, Untagged } from '../wire/response.ts';
import { rangesOf } from '../wire/sequence-set.ts';
import type { ImapDeps } from './ports.ts';
import { flagNames, rightToSet, SYSTEM_NAMES } from './flags.ts';
import { newsOfUpdating, NO_NEWS } from './search/updating.ts';
import type { Enabled, Selected, SelectedMailbox } from './state.ts';
import type { Notice } from './view.ts';

/** Reads the feed since the last time and gives what to say. */
export async function updates(
  { selected }: Selected,
  deps: ImapDeps,
  enabled: Enabled,
  mayExpunge: boolean,
  tellFlags: boolean = true,
): Promise<readonly Untagged[]> {
  const { view } = selected;
  const rights = changedRights(selected);
  const changes = await deps.store.mailboxChanges(selected.account, selected.id, view.modSeq);
  // A mailbox that was deleted reads as one whose messages are all gone (RFC 2180 §3.3).
  const all = changes.ok ? view.take(changes.value, mayExpunge) : view.takeAllGone(mayExpunge);
  const notices = tellFlags ? all : all.filter(({ kind }) => kind !== 'flags');
  const { before, after } =
    selected.updating.size === 0
      ? NO_NEWS
      : await newsOfUpdating(selected, changes.ok ? changes.value : undefined, notices, deps, enabled);
  if (notices.length === 0) return [...rights, ...before, ...after];
  const entries = notices.flatMap((notice) => (notice.kind === 'flags' ? [notice.entry] : []));
  return [
    ...rights,
    ...before,
    ...newKeywords(entries, selected),
    ...formatNotices(notices, enabled),
    ...after,
  ];
}

/** RFC 4314 §5.1.1: FLAGS again where rights are not what the client was told. */
function changedRights(selected: SelectedMailbox): readonly Untagged[] {
  if (selected.rights === selected.rightsTold) return [];
  selected.rightsTold = selected.rights;
  return flagsOfMailbox(selected);
}

/** RFC 9051 §7.3.5: FLAGS again where keywords came that the client was not told of. */
export function newKeywords(entries: readonly Entry[], selected: SelectedMailbox): readonly Untagged[] {
  const { keywords } = selected;
  const before = keywords.size;
  for (const entry of entries) for (const keyword of entry.keywords) keywords.add(keyword);
  return keywords.size === before ? [] : flagsOfMailbox(selected);
}

export function flagsOfMailbox(selected: SelectedMailbox): readonly Untagged[] {
  const { keywords, readOnly, rights, takesKeywords } = selected;
  const flags = [...SYSTEM_NAMES, ...[...keywords].toSorted()];
  // RFC 4314 §5.1.1.
  const kept = takesKeywords ? [...flags, '\\*'] : flags;
  const permanent = readOnly ? [] : kept.filter((flag) => rights.includes(rightToSet(flag)));
  return [
    { kind: 'flags', flags },
    {
      kind: 'status',
      status: 'OK',
      code: { kind: 'PERMANENTFLAGS', flags: permanent },
      text: 'These are kept',
    },
  ];
}

function* formatNotices(notices: readonly Notice[], enabled: Enabled): Generator<Untagged, void, void> {
  const expunged = notices.filter((notice) => notice.kind === 'expunge');
  // RFC 9586 §3.4: without numbers there is no EXPUNGE.
  const byUid = enabled.qresync || enabled.uidonly;
  if (byUid && expunged.length > 0) {
    const uids = expunged.map(({ uid }) => uid).toSorted((a, b) => a - b);
    yield { kind: 'vanished', earlier: false, uids: rangesOf(uids) };
  }
  for (const notice of notices) {
    if (notice.kind === 'exists') yield { kind: 'exists', value: notice.count };
    else if (notice.kind === 'flags') yield flagsFetch(notice.seq, notice.entry, enabled);
    else if (!byUid) yield { kind: 'expunge', value: notice.seq };
  }
}

/** FETCH with the flags of one message. */
export function flagsFetch(sequence: number, entry: Entry, enabled: Enabled): Untagged {
  const data: FetchDatum[] = [{ item: 'FLAGS', flags: flagNames(entry.flags, entry.keywords) }];
  if (enabled.condstore) data.push({ item: 'MODSEQ', modSeq: entry.modSeq });
  return newsOf(sequence, entry.uid, data, enabled);
}

/** News of one message; its UID is always named, so that no client must guess. */
export function newsOf(
  sequence: number,
  uid: Uid,
  data: readonly FetchDatum[],
  { uidonly }: Enabled,
): Untagged {
  return uidonly
    ? { kind: 'uidfetch', uid, data }
    : { kind: 'fetch', sequence, data: [{ item: 'UID', value: uid }, ...data] };
}
