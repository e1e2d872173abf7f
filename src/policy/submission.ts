/**
 * Rules for mail from signed-in people: whose name they may write in, and which fields are added where they are missing.
 * Source: RFC 6409 §6.1 (enforcement), §8.1 to §8.4 (additions); RFC 5322 §3.6.
 */
import type { Directory } from '../auth/directory.ts';
import { fromLatin1 } from '../base/bytes.ts';
import type { Clock } from '../base/clock.ts';
import { flattenAddresses, formatAddrSpec, parseAddresses } from '../message/address.ts';
import { formatDate } from '../message/date.ts';
import { findField, parseHeaderOctets } from '../message/header.ts';
import type { AccountId } from '../store/ids.ts';

export type SubmissionRules = {
  /** The reverse-path and From must be the account's own addresses. */
  readonly ownAddressesOnly: boolean;
  readonly addMissingFields: boolean;
};

export type SubmissionPorts = {
  readonly directory: Pick<Directory, 'maySendAs'>;
  readonly clock: Clock;
  /** For Message-IDs: a new unique name. */
  readonly newId: () => string;
  readonly hostname: string;
};

/** A stable reason code, or undefined where all is well. */
export type SendAsProblem =
  | 'submission.not-own-reverse-path'
  | 'submission.not-own-from'
  | 'submission.bad-from';

export class SubmissionPolicy {
  readonly #ports: SubmissionPorts;
  readonly #rules: SubmissionRules;

  constructor(ports: SubmissionPorts, rules: SubmissionRules) {
    this.#ports = ports;
    this.#rules = rules;
  }

  /** @param reversePath the address, or null: reports about mail may come from anybody who has signed in */
  async checkReversePath(account: AccountId, reversePath: string | null): Promise<SendAsProblem | undefined> {
    if (!this.#rules.ownAddressesOnly || reversePath === null) return undefined;
    return (await this.#ports.directory.maySendAs(account, reversePath))
      ? undefined
      : 'submission.not-own-reverse-path';
  }

  /** @param header the content up to its first empty line */
  async checkHeader(account: AccountId, header: Uint8Array): Promise<SendAsProblem | undefined> {
    if (!this.#rules.ownAddressesOnly) return undefined;
    const fields = parseHeaderOctets(header).filter(({ key }) => key === 'from');
    // RFC 5322 §3.6: one From; a second could be what the reader is shown.
    if (fields.length > 1) return 'submission.bad-from';
    const [from] = fields;
    if (from === undefined) return undefined;
    const authors = flattenAddresses(parseAddresses(from.raw));
    if (authors.length === 0) return 'submission.bad-from';
    for (const { localPart, domain } of authors) {
      const address = utf8Of(formatAddrSpec(localPart, domain));
      if (!(await this.#ports.directory.maySendAs(account, address))) return 'submission.not-own-from';
    }
    return undefined;
  }

  /** Whole fields to put before the content; '' where none is missing. */
  additions(header: Uint8Array, reversePath: string | null): string {
    if (!this.#rules.addMissingFields) return '';
    const fields = parseHeaderOctets(header);
    const isMissing = (key: string): boolean => findField(fields, key) === undefined;
    let added = '';
    if (isMissing('date')) added += `Date: ${formatDate(this.#ports.clock.nowMs(), 0)}\r\n`;
    if (isMissing('from') && reversePath !== null) added += `From: <${reversePath}>\r\n`;
    if (isMissing('message-id')) added += `Message-ID: <${this.#ports.newId()}@${this.#ports.hostname}>\r\n`;
    return added;
  }
}

/** Fields are raw (one octet, one code unit); the directory compares Unicode. */
function utf8Of(raw: string): string {
  return fromLatin1(raw).toString('utf8');
}
