/** What REPLACE takes the place of. Source: RFC 8508 §3.2, §3.3. */
import { err, ok, type Result } from '../../base/result.ts';
import { known, toUid, type AccountId } from '../../store/ids.ts';
import type { ReplacedPlace } from '../../store/mail-store.ts';
import type { ReplacedMessage } from '../wire/command/append.ts';
import type { Outcome } from './command-context.ts';
import type { SelectedMailbox } from './state.ts';

export type Replaced = ReplacedPlace & { readonly account: AccountId };

export function placeToReplace(
  { account, id, readOnly, view }: SelectedMailbox,
  { number, byUid }: ReplacedMessage,
): Result<Replaced, Outcome> {
  if (readOnly) return err({ status: 'NO', code: 'READ-ONLY', text: 'The mailbox is only examined' });
  if (byUid) {
    const uid = toUid(number);
    // RFC 8508 §3.2: NO where the message cannot be removed.
    return uid === undefined || view.seqOf(uid) === undefined
      ? err({ status: 'NO', text: 'There is no such message' })
      : ok({ account, mailbox: id, uid });
  }
  const at = number === Infinity ? view.exists : number;
  const [uid] = view.uidsAt(at, at);
  return uid === undefined || at === 0
    ? err({ status: 'BAD', text: `There are only ${view.exists} messages` })
    : ok({ account, mailbox: id, uid: known(toUid(uid)) });
}
