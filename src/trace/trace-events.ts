/**
 * From events to traces: one row for each event that belongs into the story of a message. A new event is one new row here;
 * what has none is in the log only. The names and fields are those of the catalogue (`observe/events`), and a test holds
 * the two together.
 *
 * Addresses are allowed here, and what peers said; content is not, but for the subject where the operator wants it.
 */
import type { TraceFields } from './trace-store.ts';
import type { TraceKeyKind } from './trace-key.ts';
import { toFate, type RecipientFate, type Story } from './story.ts';

/** What an event says of its trace. Values are as the event has them; what is absent reads as ''. */
export type TraceRow = {
  /** The trace is that of the first of these fields which the event has. */
  readonly of: readonly ('traceId' | 'queueId' | 'sessionId')[];
  /** Another trace that is told the same: of a report, or a copy. */
  readonly also?: string;
  /** The fields that are kept. */
  readonly keeps: readonly string[];
  /** The fields that it is found by. */
  readonly keys?: Readonly<Record<string, TraceKeyKind>>;
  /**
   * What it is to its session. `opens`, `states`: a fact, kept until the session ends and told at the head of each of its
   * messages; `begins`: a message, which is told the facts; `closes`: its end. Else it is an entry.
   */
  readonly session?: 'opens' | 'states' | 'begins' | 'closes';
  /** Whether it waits for a message of its session: by itself it is not worth a trace. */
  readonly isQuiet?: (said: Said) => boolean;
  /** What it makes of the message or of one of its recipients; rare ones are found by it. */
  readonly outcome?: (said: Said) => string;
  /** One line for a person. */
  readonly tells: (said: Said) => string;
  /** What follows from it for the message as a whole. */
  readonly sums?: (story: Story, said: Said) => void;
};

/** The fields of an entry, as text. */
export type Said = (field: string) => string;

export function saidOf(fields: TraceFields): Said {
  return (field) => String(fields[field] ?? '');
}

/** The entry at the head of a trace: what was known of its session. */
export const SESSION_ENTRY = 'session';

const refused = (): string => 'refused';
const OF_MESSAGE = ['traceId'] as const;
const OF_SESSION = ['sessionId'] as const;
const OF_EITHER = ['traceId', 'sessionId'] as const;
const OF_QUEUED = ['queueId'] as const;

export const TRACE_EVENTS: Readonly<Record<string, TraceRow>> = {
  [SESSION_ENTRY]: {
    of: OF_SESSION,
    keeps: [],
    tells: tellSession,
    sums: (story, said) => {
      story.sessionId = said('sessionId');
      story.client = said('client') || said('remoteAddress');
      story.direction = said('role') === 'submission' ? 'out' : 'in';
    },
  },
  'smtp.session-opened': {
    of: OF_SESSION,
    session: 'opens',
    keeps: [
      'sessionId',
      'role',
      'remoteAddress',
      'remotePort',
      'localAddress',
      'localPort',
      'protocol',
      'cipher',
    ],
    keys: { remoteAddress: 'client' },
    tells: () => 'A client connected',
  },
  'smtp.hello': {
    of: OF_SESSION,
    session: 'states',
    keeps: ['verb', 'domain'],
    tells: (said) => `${said('verb')} ${said('domain')}`,
  },
  'smtp.tls-started': {
    of: OF_SESSION,
    session: 'states',
    keeps: ['protocol', 'cipher'],
    tells: (said) => `TLS began: ${said('protocol')} ${said('cipher')}`,
  },
  'smtp.authenticated': {
    of: OF_SESSION,
    session: 'states',
    keeps: ['mechanism', 'accountId'],
    tells: (said) => `Signed in as account ${said('accountId')} by ${said('mechanism')}`,
  },
  'smtp.client-named': {
    of: OF_SESSION,
    session: 'states',
    keeps: ['client', 'hostname'],
    keys: { client: 'client' },
    tells: (said) => `A trusted host speaks for ${said('client')}`,
  },
  'smtp.early-talker': {
    of: OF_SESSION,
    keeps: [],
    isQuiet: () => true,
    tells: () => 'The client spoke before it was greeted',
  },
  'smtp.tls-failed': {
    of: OF_SESSION,
    keeps: ['problem'],
    outcome: refused,
    tells: (said) => `TLS did not come about: ${said('problem')}`,
    sums: (story, said) => story.refuse(said('problem')),
  },
  'smtp.plaintext-behind-starttls': {
    of: OF_SESSION,
    keeps: [],
    outcome: refused,
    tells: () => 'Commands came in plain text behind STARTTLS: the session was ended',
    sums: (story) => story.refuse('Commands in plain text behind STARTTLS'),
  },
  'smtp.auth-failed': {
    of: OF_SESSION,
    keeps: ['mechanism', 'reason'],
    outcome: refused,
    tells: (said) => `Not let in by ${said('mechanism')} (${said('reason')})`,
    sums: (story, said) => story.refuse(said('reason')),
  },
  'smtp.mail': {
    of: OF_MESSAGE,
    session: 'begins',
    keeps: ['reversePath', 'declaredOctets', 'body', 'smtpUtf8', 'priority', 'envelopeId'],
    keys: { reversePath: 'address' },
    tells: (said) =>
      `MAIL FROM:<${said('reversePath')}>${labelled(said, { declaredOctets: ' SIZE=', body: ' BODY=', priority: ' MT-PRIORITY=', envelopeId: ' ENVID=' })}`,
    sums: (story, said) => {
      story.sender = said('reversePath');
    },
  },
  'smtp.recipient': {
    of: OF_MESSAGE,
    keeps: ['recipient', 'notify'],
    keys: { recipient: 'address' },
    tells: (said) => `RCPT TO:<${said('recipient')}>${labelled(said, { notify: ' NOTIFY=' })}: accepted`,
    sums: (story, said) => void story.recipients.set(said('recipient'), 'offered'),
  },
  'smtp.forwarded': {
    of: OF_MESSAGE,
    keeps: ['client', 'hostname', 'helo', 'ident'],
    keys: { client: 'client' },
    tells: (said) =>
      `It came there from ${said('client') || 'there'}${labelled(said, { helo: ', EHLO ', ident: ', as ' })}`,
  },
  'smtp.command-refused': {
    of: OF_EITHER,
    keeps: ['verb', 'code', 'status', 'text', 'reason', 'recipient'],
    keys: { recipient: 'address' },
    outcome: refused,
    tells: (said) => {
      const what = said('recipient') === '' ? said('verb') || 'Refused' : `RCPT TO:<${said('recipient')}>`;
      return `${what}: ${replied(said)}`;
    },
    sums: (story, said) => {
      story.refuse(replied(said));
      if (said('recipient') !== '') story.recipients.set(said('recipient'), 'refused');
    },
  },
  'smtp.message-refused': {
    of: OF_MESSAGE,
    keeps: ['octets', 'code', 'status', 'text', 'reason', 'messageId'],
    keys: { messageId: 'message-id' },
    outcome: refused,
    tells: (said) => `The message: ${replied(said)}`,
    sums: (story, said) => {
      story.refuse(replied(said));
      story.octets = Number(said('octets'));
      story.messageId = said('messageId') || story.messageId;
    },
  },
  'smtp.fault': {
    of: OF_EITHER,
    keeps: ['doing'],
    tells: (said) => `Temporary failure here: ${said('doing')}`,
    sums: (story, said) => story.refuse(said('doing')),
  },
  'smtp.bug': {
    of: OF_SESSION,
    keeps: [],
    tells: () => 'The session ended for a mistake in Postrider; the log says more',
    sums: (story) => story.refuse('A mistake in Postrider'),
  },
  'smtp.session-closed': {
    of: OF_SESSION,
    session: 'closes',
    keeps: ['how', 'commands'],
    tells: (said) => `The session ended (${said('how')}) after ${said('commands')} commands`,
  },

  'smtp.message-discarded': {
    of: OF_MESSAGE,
    keeps: ['octets', 'reason'],
    outcome: () => 'dropped',
    tells: (said) => `Accepted and thrown away: ${said('octets')} octets (${said('reason')})`,
    sums: (story, said) => {
      story.octets = Number(said('octets'));
      for (const [address, fate] of story.recipients)
        if (fate === 'offered') story.recipients.set(address, 'dropped');
      story.accept();
    },
  },

  'policy.verdict': {
    of: OF_EITHER,
    keeps: ['check', 'stage', 'verdict', 'reason', 'code', 'status', 'tags'],
    isQuiet: (said) => said('verdict') === 'accept',
    tells: (said) =>
      `${said('stage')}: ${said('check')} says ${said('verdict')}${labelled(said, { code: ' ', status: ' ' })}` +
      ` (${said('reason')})${labelled(said, { tags: ', tagged ' })}`,
  },
  'policy.check-failed': {
    of: OF_EITHER,
    keeps: ['check', 'stage', 'outcome'],
    isQuiet: (said) => said('outcome') === 'passed',
    tells: (said) =>
      `${said('stage')}: ${said('check')} could not do its work and counted as ${said('outcome')}`,
  },

  'sendmail.picked-up': {
    of: OF_QUEUED,
    keeps: ['uid', 'user', 'reversePath', 'wanted', 'octets'],
    keys: { reversePath: 'address', wanted: 'address' },
    tells: (said) =>
      `The user ${said('user')} (${said('uid')}) left it by sendmail, from <${said('reversePath')}>` +
      labelled(said, { wanted: ', which wanted to be from ' }),
    sums: (story, said) => {
      story.direction = 'out';
      story.sender = said('reversePath');
    },
  },
  'sendmail.recipient': {
    of: OF_QUEUED,
    keeps: ['recipient', 'written'],
    keys: { recipient: 'address', written: 'address' },
    tells: (said) => `For ${said('recipient')}${labelled(said, { written: ' instead of ' })}`,
    sums: (story, said) => void story.recipients.set(said('recipient'), 'offered'),
  },
  'sendmail.deferred': {
    of: OF_QUEUED,
    keeps: ['code', 'status', 'text', 'reason', 'dueAtMs'],
    outcome: () => 'delayed',
    tells: (said) =>
      `Put off in the maildrop: ${said('code')}${labelled(said, { status: ' ' })} ${said('text')} (${said('reason')})` +
      `, again at ${new Date(Number(said('dueAtMs'))).toISOString()}`,
    sums: (story, said) => {
      story.lastText = said('text');
    },
  },
  'sendmail.discarded': {
    of: OF_QUEUED,
    keeps: ['recipient', 'reason'],
    keys: { recipient: 'address' },
    outcome: () => 'dropped',
    tells: (said) => `Thrown away for ${said('recipient')} (${said('reason')})`,
    sums: (story, said) => void story.recipients.set(said('recipient'), 'dropped'),
  },

  'delivery.accepted': {
    of: OF_QUEUED,
    keeps: ['messageId', 'subject', 'octets', 'recipients'],
    keys: { messageId: 'message-id' },
    tells: (said) =>
      `Accepted: ${said('octets')} octets for ${said('recipients')} ${said('recipients') === '1' ? 'recipient' : 'recipients'}` +
      labelled(said, { messageId: ', Message-ID ', subject: ', subject ' }),
    sums: (story, said) => {
      story.accept();
      story.octets = Number(said('octets'));
      story.messageId = said('messageId') || undefined;
      story.subject = said('subject') || undefined;
    },
  },
  'delivery.expanded': {
    of: OF_QUEUED,
    keeps: ['address', 'target'],
    keys: { target: 'address' },
    tells: (said) => `${said('address')} stands for ${said('target')}`,
    sums: (story, said) => {
      story.recipients.set(said('address'), 'expanded');
      if (!story.recipients.has(said('target'))) story.recipients.set(said('target'), 'queued');
    },
  },
  'delivery.settled': {
    of: OF_QUEUED,
    keeps: ['address', 'outcome', 'host', 'text', 'status', 'reason', 'mailbox', 'attempts', 'dueAtMs'],
    keys: { address: 'address' },
    outcome: (said) => said('outcome'),
    tells: tellSettled,
    sums: (story, said) => {
      const fate = toFate(said('outcome'));
      if (fate !== undefined) story.recipients.set(said('address'), fate);
      if (said('text') !== '') story.lastText = said('text');
    },
  },
  'delivery.dsn-queued': {
    of: OF_QUEUED,
    also: 'dsnId',
    keeps: ['queueId', 'dsnId', 'address'],
    keys: { address: 'address' },
    tells: (said) => `Report ${said('dsnId')} about ${said('queueId')} goes to ${said('address')}`,
    sums: (story, said) => {
      if (story.id !== said('dsnId')) return;
      story.sender = '';
      story.recipients.set(said('address'), 'queued');
      story.accept();
    },
  },
  'delivery.unreported': {
    of: OF_QUEUED,
    keeps: ['address', 'reason'],
    tells: (said) => `Nobody can be told of its failure: ${said('address')} (${said('reason')})`,
  },
  'delivery.redistributed': {
    of: OF_QUEUED,
    also: 'copyId',
    keeps: ['queueId', 'copyId', 'address', 'owner', 'recipients'],
    keys: { address: 'address', owner: 'address' },
    tells: (said) =>
      `The list ${said('address')} sends it to ${said('recipients')} as ${said('copyId')}, from ${said('owner')}`,
    sums: (story, said) => {
      if (story.id === said('queueId')) {
        story.recipients.set(said('address'), 'expanded');
        story.accept();
        return;
      }
      story.sender = said('owner');
      story.accept();
    },
  },
  'delivery.list-bounced': {
    of: OF_QUEUED,
    keeps: ['address', 'member'],
    keys: { member: 'address' },
    tells: (said) => `It is about ${said('member')}, whom ${said('address')} names`,
  },
  'delivery.attempted': {
    of: OF_QUEUED,
    keeps: ['host', 'address', 'port', 'recipient', 'status', 'reason', 'text', 'tls'],
    tells: (said) =>
      `${said('host')} [${said('address')}]:${said('port')}${labelled(said, { recipient: ' about ' })}: ` +
      `${said('text')} (${said('reason')}${labelled(said, { tls: ', ' })})`,
  },
  'delivery.tls': {
    of: OF_QUEUED,
    keeps: ['host', 'address', 'required', 'reached', 'level'],
    tells: (said) =>
      `Connected to ${said('host')} [${said('address')}]: TLS ${said('reached')} (${said('required')} asked for)`,
  },
  'delivery.converted': {
    of: OF_QUEUED,
    keeps: ['host', 'to'],
    tells: (said) => `Converted to ${said('to')} for ${said('host')}`,
  },
  'delivery.blocked': {
    of: OF_QUEUED,
    keeps: ['destination', 'host', 'status'],
    tells: (said) => `${said('host') || said('destination')} has us on a list (${said('status')})`,
  },
  'queue.acted': {
    of: OF_QUEUED,
    keeps: ['act', 'recipients', 'address', 'domain'],
    tells: (said) =>
      `The operator: ${said('act')} (${said('recipients')} of its recipients${labelled(said, { address: ': ', domain: ', at ' })})`,
    sums: (story, said) => {
      const fate = ACTS[said('act')];
      if (fate === undefined) return;
      for (const [address, before] of story.recipients)
        if (OPEN_FATES.has(before) && isMeant(address, said)) story.recipients.set(address, fate);
    },
  },
  'delivery.fault': {
    of: OF_QUEUED,
    keeps: ['doing'],
    tells: (said) => `A fault here, tried again later: ${said('doing')}`,
  },
  'delivery.lease-lost': {
    of: OF_QUEUED,
    keeps: [],
    tells: () => 'Another took the delivery over',
  },
};

/** What an operator's act makes of the recipients that are not settled. Which ones it was of is not told: of all. */
const ACTS: Readonly<Record<string, RecipientFate>> = {
  hold: 'held',
  release: 'queued',
  retry: 'queued',
  requeue: 'queued',
  reroute: 'queued',
  drop: 'dropped',
};
const OPEN_FATES: ReadonlySet<RecipientFate> = new Set<RecipientFate>(['queued', 'delayed', 'held']);

/** Whether an operator's act can have been on this recipient. */
function isMeant(recipient: string, said: Said): boolean {
  const address = recipient.toLowerCase();
  if (said('address') !== '') return address === said('address').toLowerCase();
  return said('domain') === '' || address.endsWith(`@${said('domain').toLowerCase()}`);
}

function tellSession(said: Said): string {
  const tls = said('protocol') === '' ? 'no TLS' : `${said('protocol')} ${said('cipher')}`;
  const hello = said('verb') === '' ? '' : `, ${said('verb')} ${said('domain')}`;
  const account = said('accountId') === '' ? '' : `, account ${said('accountId')} by ${said('mechanism')}`;
  return (
    `Session ${said('sessionId')} from ${hostPort(said('remoteAddress'), said('remotePort'))}` +
    `${labelled(said, { client: ' for ' })} to ` +
    `${hostPort(said('localAddress'), said('localPort'))} (${said('role')})${hello}, ${tls}${account}`
  );
}

function tellSettled(said: Said): string {
  // What took it said so in the entry before.
  const words = said('text') === '' || said('outcome') === 'relayed' ? '' : `: ${said('text')}`;
  const reason = said('reason') === '' ? '' : ` (${said('reason')})`;
  const where =
    said('mailbox') !== '' ? ` into ${said('mailbox')}` : said('host') === '' ? '' : ` by ${said('host')}`;
  const due =
    said('dueAtMs') === ''
      ? ''
      : `, attempt ${said('attempts')}, again at ${new Date(Number(said('dueAtMs'))).toISOString()}`;
  return `${said('address')} ${said('outcome')}${where}${words}${reason}${due}`;
}

function replied(said: Said): string {
  const status = said('status') === '' ? '' : `${said('status')} `;
  return `${said('code')} ${status}${said('text')} (${said('reason')})`;
}

function labelled(said: Said, labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([field, label]) => (said(field) === '' ? '' : `${label}${said(field)}`))
    .join('');
}

function hostPort(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
