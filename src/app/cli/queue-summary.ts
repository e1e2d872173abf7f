/** The queue in groups, as a table. */
import type { ControlResult } from '../control/methods.ts';
import type { QueueGroupView } from '../control/queue-view.ts';
import { formatTable, formatTime, plainText } from './terminal.ts';

export function formatSummary(
  { groups, suspensions, count }: ControlResult<'queue.summary'>,
  nowMs: number,
): string {
  const lines = [
    `${count.messages} messages, ${count.recipients} recipients, ${count.held} of them held.`,
    ...suspensions.map(
      ({ scope, sinceMs }) => `Suspended since ${formatTime(sinceMs)}: ${plainText(describeScope(scope))}.`,
    ),
  ];
  const head = `${lines.join('\n')}\n`;
  return groups.length === 0 ? head : `${head}\n${formatGroups(groups, nowMs)}`;
}

export function formatGroups(groups: readonly QueueGroupView[], nowMs: number): string {
  return formatTable(
    ['RECIPIENTS', 'DOMAIN', 'STATE', 'OLDEST', 'NEXT TRY', 'LAST ANSWER'],
    groups.map(({ recipients, domain, state, hold, oldestAtMs, dueAtMs, lastAnswer }) => [
      String(recipients),
      domain,
      state === 'held' ? `held (${hold ?? ''})` : state,
      formatSpan(nowMs - oldestAtMs),
      dueAtMs === null ? '' : dueAtMs <= nowMs ? 'now' : `in ${formatSpan(dueAtMs - nowMs)}`,
      lastAnswer === null ? '' : `${lastAnswer.reason}: ${lastAnswer.status} ${lastAnswer.text}`,
    ]),
  );
}

export function describeScope(scope: string): string {
  return scope === '*' ? 'all mail for other hosts' : scope.replace(':', ' ');
}

/** `45s`, `12m`, `5h`, `3d` */
function formatSpan(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`;
}
