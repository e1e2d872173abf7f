/** STORE. Source: RFC 9051 §6.4.6, RFC 7162 §3.1.3 (UNCHANGEDSINCE). */
import { known, toModSeq, type Uid } from '../../../store/ids.ts';
import { isOfJunk } from '../../../store/keyword.ts';
import type { FlagChange } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import { rangesOf } from '../../wire/sequence-set.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { flagsOf, reachOf, takesKeywords, TOO_LONG, within, type FlagNames, type Reach } from '../flags.ts';
import { currentRights, NO_RIGHT } from '../mailbox-access.ts';
import { highestOf, sayingLimit } from '../message-limit.ts';
import { pagesFromEnd, pagesOf, resolveSet } from '../message-set.ts';
import { refusal } from './mailbox.ts';
import type { Selected, SelectedMailbox } from '../state.ts';
import { flagsFetch, flagsOfMailbox, newKeywords, newsOf } from '../updates.ts';

type Store = Extract<Command, { verb: 'STORE' }>;

/** Messages of one commit: bounds the time that a writer is held. */
const PAGE = 1000;

export async function* store(state: Selected, command: Store, context: Context): Replies {
  const { selected } = state;
  const { deps, enabled, progress } = context;
  const { messagesMax } = deps.limits;
  if (selected.readOnly) return { status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' };
  const names = flagsOf(command.flags);
  if (names === undefined) return TOO_LONG;
  const resolved = resolveSet(command.set, command.uid, selected);
  if (!resolved.ok) return resolved.error;
  const { uids, lowest } = highestOf(resolved.value, messagesMax);
  const reach = reachOf(await currentRights(state, deps));
  if (isOutOf(reach, command.action, names)) return NO_RIGHT;
  // RFC 7162 §3.1.2: UNCHANGEDSINCE is a CONDSTORE enabling command.
  if (command.unchangedSince !== undefined) enabled.condstore = true;
  const change: FlagChange = {
    mode: command.action,
    ...within(reach, names),
    within: reach,
    ...(command.unchangedSince === undefined
      ? {}
      : { unchangedSince: known(toModSeq(command.unchangedSince)) }),
  };
  // RFC 9051 §2.3.2: of $Junk and $NotJunk one takes the other away, which the client has not asked for.
  const isSilent = command.silent && (command.action === 'remove' || !names.keywords.some(isOfJunk));
  const hasNewKeywords =
    command.action !== 'remove' && names.keywords.some((keyword) => !selected.keywords.has(keyword));
  const refused: Uid[] = [];
  let missing = false;
  for (const page of lowest === undefined ? pagesOf(uids, PAGE) : pagesFromEnd(uids, PAGE)) {
    const changed = await deps.store.setFlags(selected.account, selected.id, page, change);
    if (hasNewKeywords) {
      // RFC 9051 §7.1: whether PERMANENTFLAGS may go on saying \*.
      const before = selected.takesKeywords;
      selected.takesKeywords = await takesKeywords(selected.account, deps);
      if (before !== selected.takesKeywords) yield flagsOfMailbox(selected);
    }
    if (!changed.ok)
      return changed.error.kind === 'too-many-keywords'
        ? { status: 'NO', code: 'LIMIT', text: 'There are too many keywords' }
        : refusal(changed.error);
    progress.of(page.length, uids.length);
    const { entries } = changed.value;
    refused.push(...changed.value.refused);
    missing ||= entries.length + changed.value.refused.length < page.length;
    selected.view.toldOf(entries);
    yield newKeywords(entries, selected);
    for (const entry of lowest === undefined ? entries : entries.toReversed()) {
      const seq = selected.view.seqOf(entry.uid);
      if (seq === undefined) continue;
      if (!isSilent) yield flagsFetch(seq, entry, enabled);
      // RFC 7162 §3.1.3: the new mod-sequence is told even where the flags are not.
      else if (enabled.condstore)
        yield newsOf(seq, entry.uid, [{ item: 'MODSEQ', modSeq: entry.modSeq }], enabled);
    }
  }
  return yield* sayingLimit(outcomeOf(command, refused, missing, selected), messagesMax, lowest);
}

function outcomeOf(
  command: Store,
  refused: readonly Uid[],
  missing: boolean,
  selected: SelectedMailbox,
): Outcome {
  if (refused.length > 0) {
    const numbers = command.uid ? refused : refused.map((uid) => selected.view.seqOf(uid) ?? 0);
    const set = rangesOf(numbers.toSorted((a, b) => a - b));
    return { status: 'OK', code: { kind: 'MODIFIED', set }, text: 'Some were changed by others' };
  }
  // RFC 2180 §4.2.1: some were expunged by another session and their numbers still stand.
  if (missing && !command.uid)
    return { status: 'NO', code: 'EXPUNGEISSUED', text: 'Some of the messages are gone' };
  return done('Stored');
}

/** RFC 4314 §4: refused only where nothing of what was asked for may be done; clients do not take NO well. */
function isOutOf(reach: Reach, action: Store['action'], names: FlagNames): boolean {
  if (action === 'replace') return reach.flags === 0;
  const asked = names.flags !== 0 || names.keywords.length > 0;
  const some = within(reach, names);
  return asked && some.flags === 0 && some.keywords.length === 0;
}
