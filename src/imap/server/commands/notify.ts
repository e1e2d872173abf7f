/** NOTIFY. Source: RFC 5465 §3.1. The driver tells what has changed in the selected mailbox, as behind a NOOP. */
import { LIMITS } from '../../../base/limits.ts';
import type { Command } from '../../wire/command.ts';
import { NOTIFICATION_OVERFLOW } from '../../wire/command/notify.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { initialNews } from '../notify/account-news.ts';
import type { SignedIn } from '../state.ts';

type Notify = Extract<Command, { verb: 'NOTIFY' }>;

export async function* notify(state: SignedIn, { request }: Notify, context: Context): Replies {
  const { deps, enabled, metadata, notifications } = context;
  const { principal } = state;
  if (request === undefined) {
    notifications.silence();
    return done('Nothing is told from now on');
  }
  const selected = state.phase === 'selected' ? state.selected : undefined;
  const situation = { deps, principal, enabled, selected };
  const set = await notifications.set(request, situation);
  if (set === 'too-many')
    return {
      status: 'NO',
      code: NOTIFICATION_OVERFLOW,
      text: `At most ${LIMITS.imapNotifyMailboxesMax} mailboxes are watched`,
    };
  // RFC 5465 §5.6, §5.7: ENABLE METADATA is not asked for.
  if (notifications.mayWantMetadata) await metadata.turnOn(principal, deps.store);
  if (set !== undefined) yield* initialNews(set.now, set.coverage, request.wantsStatus, situation);
  return done('It is told from now on');
}
