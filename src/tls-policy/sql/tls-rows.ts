/** What is remembered of other domains' TLS as rows, alike in SQLite and in PostgreSQL. */
import { createHash } from 'node:crypto';
import type { Row } from '../../sqlite/database.ts';
import { numberAt, textAt } from '../../sqlite/database.ts';
import type { KeptStsPolicy } from '../tls-records.ts';
import { decodeResult } from '../tls-records.ts';
import type { ReportKey, TlsTally } from '../wire/tls-report.ts';

/** Rows of a day, and of a day and a domain, as they are counted once in a transaction. */
export type Counted = Map<string, number>;

/** As {@link toStsPolicy} reads them. */
export const STS_POLICY_COLUMNS = 'domain, id, policy, fetched_at_ms, expires_at_ms';

export function toStsPolicy(row: Row): KeptStsPolicy {
  return {
    domain: textAt(row, 0),
    id: textAt(row, 1),
    text: textAt(row, 2),
    fetchedAtMs: numberAt(row, 3),
    expiresAtMs: numberAt(row, 4),
  };
}

/** @param row result, sessions */
export function toTally({ day, domain }: ReportKey, row: Row): TlsTally {
  return { day, domain, ...decodeResult(textAt(row, 0)), sessions: numberAt(row, 1) };
}

/** @param row day, domain */
export function toReportKey(row: Row): ReportKey {
  return { day: textAt(row, 0), domain: textAt(row, 1) };
}

/** A short key for a text that is too long to be one. */
export function resultKey(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
