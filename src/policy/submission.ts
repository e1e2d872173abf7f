/**
 * The check of mail from signed-in people: whose name they may write in, and which fields are added where they are missing.
 * Source: RFC 6409 §6.1 (enforcement), §8.1 to §8.4 (additions); RFC 5322 §3.6.
 */
import type { Directory } from '../auth/directory.ts';
import { fromLatin1 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { flattenAddresses, formatAddrSpec, parseAddresses } from '../message/address.ts';
import { formatDate } from '../message/date.ts';
import type { Field } from '../message/header.ts';
import { findField } from '../message/header.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import type { AccountId } from '../store/ids.ts';
import type { Check } from './check.ts';
import type { TransactionFacts } from './facts.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, refuse } from './verdict.ts';

export type SubmissionRules = {
  /** The reverse-path and From must be the account's own addresses. */
  readonly ownAddressesOnly: boolean;
  readonly addMissingFields: boolean;
};

export type SubmissionPorts = {
  readonly directory: Pick<Directory, 'sendingRight'>;
  readonly clock: Clock;
  /** For Message-IDs: a new unique name. */
  readonly newId: () => string;
  readonly hostname: string;
};

export function submissionCheck(ports: SubmissionPorts, rules: SubmissionRules): Check {
  const isOwn = async (account: AccountId, address: string): Promise<boolean> =>
    (await ports.directory.sendingRight(account, address)) !== undefined;
  return {
    name: 'submission',
    mail: async (transaction, { principal }) => {
      const reversePath = reversePathOf(transaction);
      // Reports about mail may come from anybody who has signed in.
      if (principal === undefined || !rules.ownAddressesOnly || reversePath === null) return ACCEPT;
      return (await isOwn(principal.account, reversePath)) ? ACCEPT : NOT_OWN_REVERSE_PATH;
    },
    message: async ({ fields }, transaction, { principal }) => {
      if (principal === undefined) return ACCEPT;
      if (rules.ownAddressesOnly) {
        const problem = await problemOfFrom(fields, (address) => isOwn(principal.account, address));
        if (problem !== undefined) return problem;
      }
      const added = rules.addMissingFields ? missingFields(fields, reversePathOf(transaction), ports) : '';
      return added === '' ? ACCEPT : { kind: 'accept', fields: added, reason: 'submission.completed' };
    },
  };
}

async function problemOfFrom(
  fields: readonly Field[],
  isOwn: (address: string) => Promise<boolean>,
): Promise<Verdict | undefined> {
  const [from, ...others] = fields.filter(({ key }) => key === 'from');
  // RFC 5322 §3.6: one From; a second could be what the reader is shown.
  if (others.length > 0) return BAD_FROM;
  if (from === undefined) return undefined;
  const authors = flattenAddresses(parseAddresses(from.raw));
  if (authors.length === 0) return BAD_FROM;
  for (const { localPart, domain } of authors)
    // oxlint-disable-next-line no-await-in-loop -- the first that is not, ends it
    if (!(await isOwn(utf8Of(formatAddrSpec(localPart, domain))))) return NOT_OWN_FROM;
  return undefined;
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

/** Fields are raw (one octet, one code unit); the directory compares Unicode. */
function utf8Of(raw: string): string {
  return fromLatin1(raw).toString('utf8');
}

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
