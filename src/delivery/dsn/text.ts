/**
 * The part of a report that people read: what happened, to whom, whether anything is to be done, what the other host said, and
 * by which name its trace is found. Plain words for whoever has never heard of SMTP. RFC 3464 §2.1.
 */
import type { LastAnswer } from '../../queue/queue.ts';
import { decodeXtext } from '../../smtp/wire/xtext.ts';
import type { DsnAction, DsnRecipient, DsnRequest } from './request.ts';
import { plain, unescapedAddress, withoutLongWords, wrapped } from './words.ts';

export function textPart({ message, original, recipients, hostname, nowMs }: DsnRequest): string {
  const lines = [`This is the mail system at ${hostname}.`, ''];
  const subject = shortened(plain(original.subject).replaceAll(/ +/g, ' ').trim());
  const what = subject === '' ? 'Your message' : `Your message "${subject}"`;
  for (const action of ['failed', 'delayed', 'delivered', 'relayed', 'expanded'] as const) {
    const these = recipients.filter((one) => one.action === action);
    if (these.length === 0) continue;
    lines.push(...wrapped(`${what} ${SAID[action]}:`), '');
    for (const one of these) lines.push(...aboutRecipient(one, message.arrivedAtMs), '');
    lines.push(...wrapped(nextStep(action, message.expiresAtMs - nowMs)), '');
  }
  lines.push(
    ...wrapped(
      `Should you ask the postmaster of ${hostname} about it: the message's id here is ${message.id}.`,
    ),
    '',
  );
  return lines.join('\r\n');
}

const SAID: Record<DsnAction, string> = {
  failed: 'could not be delivered to',
  delayed: 'could not be delivered yet to',
  delivered: 'was delivered to',
  relayed: 'was handed on, to a host that will not report what becomes of it, for',
  expanded: 'was handed on to everybody behind',
};

function nextStep(action: DsnAction, leftMs: number): string {
  switch (action) {
    case 'failed':
      return 'It will not be tried again. What is known of it is attached below.';
    case 'delayed':
      return `We go on trying for ${inWords(leftMs)} more. You need not send it again, and will hear of it should it fail.`;
    case 'delivered':
    case 'relayed':
    case 'expanded':
      return 'You asked to be told. There is nothing that you need do.';
  }
}

function aboutRecipient({ recipient, action, answer }: DsnRecipient, arrivedAtMs: number): readonly string[] {
  const address = plain(recipient.forwardPath);
  const wrote = originalAddress(recipient.originalRecipient);
  const lines = [
    wrote === undefined || wrote.toLowerCase() === address.toLowerCase()
      ? `  ${withoutLongWords(address)}`
      : `  ${withoutLongWords(address)} (you wrote to ${withoutLongWords(wrote)})`,
  ];
  if (answer === undefined || answer.text === '') return lines;
  if (action === 'failed' || action === 'delayed')
    for (const line of wrapped(reasonInWords(action, answer, arrivedAtMs))) lines.push(`    ${line}`);
  if (answer.host !== undefined) lines.push(`    ${plain(answer.host)} said:`);
  for (const line of wrapped(withoutLongWords(plain(answer.text)))) lines.push(`      ${line}`);
  return lines;
}

/** RFC 3463 §3, by the status without its class: what is wrong, and what its sender can do. */
const REASONS: readonly (readonly [status: RegExp, what: string, remedy: string])[] = [
  [/^1\.10$/, 'This domain takes no mail.', 'Look whether the address is written as it should be.'],
  [/^1\.2$/, 'There is no such domain.', 'Look whether the address is written as it should be.'],
  [/^1\.[136]$/, 'There is no such address.', 'Look whether the address is written as it should be.'],
  [/^2\.1$/, 'The mailbox is closed.', 'The recipient must be reached another way.'],
  [/^2\.2$/, 'The mailbox is full.', 'Send it again later, or tell the recipient another way.'],
  [/^(2\.3|3\.4)$/, 'The message is too large there.', 'Send it in parts, or without what is attached.'],
  [/^4\.6$/, 'The message goes round in a circle.', "The recipient's forwarding must be mended first."],
  [/^4\.7$/, 'The time that it could take has run out.', 'Send it again if it is still of use.'],
  [/^4\.[1245]?/, 'The mail system there could not be reached.', 'Send it again later.'],
  [
    /^6\.7$/,
    'The mail system there cannot take addresses of this kind.',
    'Ask for an address of plain letters.',
  ],
  [/^6\./, 'The mail system there cannot take a message of this form.', ''],
  [/^7\./, 'The mail system there refuses it by its own rules.', 'Its words below may say why.'],
  [/^3\./, 'The mail system there cannot take it.', ''],
];

function reasonInWords(action: 'failed' | 'delayed', answer: LastAnswer, arrivedAtMs: number): string {
  const [kind = '', ...rest] = answer.status.split('.');
  const found = REASONS.find(([status]) => status.test(rest.join('.')));
  const what = found?.[1] ?? (kind === '5' ? 'The message was refused.' : 'The message was put off.');
  if (action === 'delayed') return what;
  // A temporary status that failed all the same: time has run out.
  const tried = kind === '4' ? `It was tried for ${inWords(answer.atMs - arrivedAtMs)}. ` : '';
  return `${what} ${tried}${found?.[2] ?? ''}`.trim();
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** `3 days`, `1 hour`. */
function inWords(lengthMs: number): string {
  const [count, unit] =
    lengthMs >= 2 * DAY_MS
      ? [Math.round(lengthMs / DAY_MS), 'day']
      : [Math.max(1, Math.round(lengthMs / HOUR_MS)), 'hour'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

function originalAddress(value: string | undefined): string | undefined {
  if (value === undefined) return undefined;
  const semicolon = value.indexOf(';');
  const written = value.slice(semicolon + 1);
  switch (value.slice(0, semicolon).toLowerCase()) {
    case 'rfc822':
      return plain(decodeXtext(written) ?? written);
    case 'utf-8':
      return plain(unescapedAddress(written));
    default:
      return undefined;
  }
}

const SUBJECT_CHARACTERS_MAX = 60;

function shortened(text: string): string {
  const characters = Array.from(text);
  return characters.length <= SUBJECT_CHARACTERS_MAX
    ? text
    : `${characters.slice(0, SUBJECT_CHARACTERS_MAX).join('')} ...`;
}
