/** What a finding about the rows of an account says to an operator. */
import { unreachable } from '../base/unreachable.ts';
import type { MailFinding } from '../store/embedded/mail-check.ts';
import type { Finding } from '../store/finding.ts';

export function fromMailFinding(finding: MailFinding): Finding {
  return {
    kind: `mail.${finding.kind}`,
    severity: 'damage',
    text: textOf(finding),
    mended: finding.isRepaired,
  };
}

function textOf(finding: MailFinding): string {
  if (finding.kind === 'damaged-file') return `Shard ${finding.shard}: ${finding.detail}`;
  return `Account ${finding.account}${detailOf(finding)}`;
}

function detailOf(finding: Exclude<MailFinding, { kind: 'damaged-file' }>): string {
  switch (finding.kind) {
    case 'no-account':
      return ' has rows, but none of its own';
    case 'no-inbox':
      return ' has no inbox';
    case 'mailbox-without-parent':
      return `, mailbox ${finding.mailbox}: the mailbox above it is gone`;
    case 'place-without-mailbox':
      return `, mailbox ${finding.mailbox}: it is gone, and ${finding.places} messages are in it`;
    case 'place-without-message':
      return `, mailbox ${finding.mailbox}, UID ${finding.uid}: message ${finding.email} is gone`;
    case 'message-without-place':
      return `, message ${finding.email}: it is in no mailbox`;
    case 'message-without-digest':
      return `, message ${finding.email}: what was computed of it is gone`;
    case 'digest-damaged':
      return `, message ${finding.email}: what was computed of it cannot be read`;
    case 'digest-without-message':
      return `, message ${finding.email}: only what was computed of it is left`;
    case 'wrong-size':
      return `, mailbox ${finding.mailbox}, UID ${finding.uid}: its size is not ${finding.octets} octets`;
    case 'flags-differ':
      return `, message ${finding.email}: it has other flags in one mailbox than in another`;
    case 'wrong-counters':
      return `, mailbox ${finding.mailbox}: it counts ${counts(finding.stored)} and holds ${counts(finding.counted)}`;
    case 'low-uid-next':
      return `, mailbox ${finding.mailbox}: its next UID is ${finding.stored}, not ${finding.needed}`;
    case 'low-mailbox-modseq':
      return `, mailbox ${finding.mailbox}: its modseq is ${finding.stored}, not ${finding.needed}`;
    case 'low-modseq':
      return `: its modseq is ${finding.stored}, not ${finding.needed}`;
    case 'wrong-usage':
      return `: it counts ${counts(finding.stored)} and holds ${counts(finding.counted)}`;
    default:
      return unreachable(finding);
  }
}

function counts(counters: Readonly<Record<string, number>>): string {
  return Object.entries(counters)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ');
}
