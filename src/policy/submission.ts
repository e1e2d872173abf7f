/**
 * The check of mail from signed-in people: whose name they may write in, and which fields are added where they are missing.
 * Source: RFC 6409 §6.1 (enforcement), §8.1 to §8.4 (additions); RFC 5322 §3.6.
 */
import type { Directory, SendingRight } from '../auth/directory.ts';
import type { Principal } from '../auth/principal.ts';
import { fromLatin1 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { flattenAddresses, formatAddrSpec, parseAddresses } from '../message/address.ts';
import { formatDate } from '../message/date.ts';
import type { Field } from '../message/header.ts';
import { findField } from '../message/header.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import type { Check } from './check.ts';
import type { TransactionFacts } from './facts.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, refuse } from './verdict.ts';

export type SubmissionRules = {
  /** The reverse-path, From and Sender must be the account's own addresses, or ones that it was granted. */
  readonly ownAddressesOnly: boolean;
  readonly addMissingFields: boolean;
  /** Where From holds only addresses that were granted, Sender says who it was. */
  readonly addSender: boolean;
};

export type SubmissionPorts = {
  readonly directory: Pick<Directory, 'sendingRight' | 'sending'>;
  readonly clock: Clock;
  /** For Message-IDs: a new unique name. */
  readonly newId: () => string;
  readonly hostname: string;
};

type RightTo = (address: string) => Promise<SendingRight>;

/** Who writes: an account's own address is among the authors, or all of them were granted, or it may not. */
type Authorship = 'own' | 'granted' | Verdict;

/** Strangers are let pass at once; only what is asked about an account is waited for. */
export function submissionCheck(ports: SubmissionPorts, rules: SubmissionRules): Check {
  return {
    name: 'submission',
    mail: (transaction, { principal }) =>
      principal === undefined ? ACCEPT : checkMail(ports, rules, transaction, principal),
    message: ({ fields }, transaction, { principal }) =>
      principal === undefined ? ACCEPT : checkMessage(ports, rules, fields, transaction, principal),
  };
}

async function checkMail(
  { directory }: SubmissionPorts,
  rules: SubmissionRules,
  transaction: TransactionFacts,
  { account }: Principal,
): Promise<Verdict> {
  if ((await directory.sending(account)).suspended !== undefined) return SUSPENDED;
  const reversePath = reversePathOf(transaction);
  // Reports about mail may come from anybody who has signed in.
  if (!rules.ownAddressesOnly || reversePath === null) return ACCEPT;
  const right = await directory.sendingRight(account, reversePath);
  return right === undefined ? NOT_OWN_REVERSE_PATH : ACCEPT;
}

async function checkMessage(
  ports: SubmissionPorts,
  rules: SubmissionRules,
  fields: readonly Field[],
  transaction: TransactionFacts,
  { account, address }: Principal,
): Promise<Verdict> {
  const { directory } = ports;
  // It may have been suspended since MAIL.
  if ((await directory.sending(account)).suspended !== undefined) return SUSPENDED;
  const rightTo: RightTo = (one) => directory.sendingRight(account, one);
  let authorship: Authorship = 'own';
  if (rules.ownAddressesOnly || rules.addSender) authorship = await authorshipOf(fields, rightTo);
  if (rules.ownAddressesOnly) {
    if (typeof authorship === 'object') return authorship;
    const problem = await problemOfSender(fields, rightTo);
    if (problem !== undefined) return problem;
  }
  let added = rules.addMissingFields ? missingFields(fields, reversePathOf(transaction), ports) : '';
  // RFC 6409 §8.1: where who submits is not among the authors.
  if (rules.addSender && authorship !== 'own' && findField(fields, 'sender') === undefined)
    added += `Sender: <${address}>\r\n`;
  return added === '' ? ACCEPT : { kind: 'accept', fields: added, reason: 'submission.completed' };
}

async function authorshipOf(fields: readonly Field[], rightTo: RightTo): Promise<Authorship> {
  const [from, ...others] = fields.filter(isFrom);
  // RFC 5322 §3.6: one From; a second could be what the reader is shown.
  if (others.length > 0) return BAD_FROM;
  if (from === undefined) return 'own';
  const authors = addressesOf(from);
  if (authors.length === 0) return BAD_FROM;
  let authorship: 'own' | 'granted' = 'granted';
  for (const author of authors) {
    // oxlint-disable-next-line no-await-in-loop -- the first that is not, ends it
    const right = await rightTo(author);
    if (right === undefined) return NOT_OWN_FROM;
    if (right === 'own') authorship = 'own';
  }
  return authorship;
}

/** Or what a lenient reader may take for it: the name with octets in it that no name has (RFC 5322 §3.6.8). */
function isFrom({ key }: Field): boolean {
  return key === 'from' || (!FIELD_NAME.test(key) && key.replaceAll(/[^!-9;-~]/g, '') === 'from');
}

const FIELD_NAME = /^[!-9;-~]*$/;

/** RFC 5322 §3.6.2: one Sender at most, with one address. It gives nobody the right to what stands in From. */
async function problemOfSender(fields: readonly Field[], rightTo: RightTo): Promise<Verdict | undefined> {
  const [sender, ...others] = fields.filter(({ key }) => key === 'sender');
  if (sender === undefined) return undefined;
  const [address, ...more] = addressesOf(sender);
  if (others.length > 0 || address === undefined || more.length > 0) return BAD_SENDER;
  return (await rightTo(address)) === undefined ? NOT_OWN_SENDER : undefined;
}

/** In so many octets no more addresses find room than are read: none stands behind those that are looked at. */
const AUTHORS_OCTETS_MAX = 2 * LIMITS.addressesMax;

/** None of a field that is too long. Fields are raw (one octet, one code unit); the directory compares Unicode. */
function addressesOf({ raw }: Field): readonly string[] {
  if (raw.length > AUTHORS_OCTETS_MAX) return [];
  return flattenAddresses(parseAddresses(raw)).map(({ localPart, domain }) =>
    fromLatin1(formatAddrSpec(localPart, domain)).toString('utf8'),
  );
}

/** Whole fields to put before the content; '' where none is missing. */
function missingFields(
  fields: readonly Field[],
  reversePath: string | null,
  { clock, newId, hostname }: SubmissionPorts,
): string {
  const isMissing = (key: string): boolean => findField(fields, key) === undefined;
  let added = '';
  if (isMissing('date')) added += `Date: ${formatDate(clock.nowMs(), 0)}\r\n`;
  if (isMissing('from') && reversePath !== null) added += `From: <${reversePath}>\r\n`;
  if (isMissing('message-id')) added += `Message-ID: <${newId()}@${hostname}>\r\n`;
  return added;
}

function reversePathOf({ reversePath }: TransactionFacts): string | null {
  return reversePath === null ? null : formatEnvelopeAddress(reversePath);
}

const SUSPENDED = refuse(
  'submission.suspended',
  550,
  '5.7.1',
  'Sending is suspended for this account, ask your postmaster',
);
const NOT_OWN_REVERSE_PATH = refuse(
  'submission.not-own-reverse-path',
  550,
  '5.7.1',
  'You may not send in the name of that address',
);
const NOT_OWN_FROM = refuse(
  'submission.not-own-from',
  550,
  '5.7.1',
  'You may not write in the name of the address in From',
);
const BAD_FROM = refuse('submission.bad-from', 550, '5.6.0', 'There must be one From field with an address');
const NOT_OWN_SENDER = refuse(
  'submission.not-own-sender',
  550,
  '5.7.1',
  'You may not write in the name of the address in Sender',
);
const BAD_SENDER = refuse(
  'submission.bad-sender',
  550,
  '5.6.0',
  'There may be one Sender field with one address',
);
