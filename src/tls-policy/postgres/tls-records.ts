/** What is remembered of other domains' TLS, in PostgreSQL. The tables are there and migrated before this is used. */
import { LIMITS } from '../../base/limits.ts';
import type { Postgres, Transaction } from '../../postgres/postgres.ts';
import { numberAt } from '../../sqlite/database.ts';
import {
  encodeResult,
  FIRST_STS_POLICY,
  withoutDetails,
  type KeptStsPolicy,
  type StsPolicyPlace,
  type TlsRecords,
  type TlsResultFilter,
} from '../tls-records.ts';
import {
  resultKey,
  STS_POLICY_COLUMNS,
  toReportKey,
  toStsPolicy,
  toTally,
  type Counted,
} from '../sql/tls-rows.ts';
import type { ReportKey, TlsTally } from '../wire/tls-report.ts';

const READING = 'Reading what is known of TLS';
const WRITING = 'Writing what is known of TLS';

export class PostgresTlsRecords implements TlsRecords {
  readonly #postgres: Postgres;

  constructor(postgres: Postgres) {
    this.#postgres = postgres;
  }

  async stsPolicy(domain: string): Promise<KeptStsPolicy | undefined> {
    const sql = `SELECT ${STS_POLICY_COLUMNS} FROM tls_sts_policy WHERE domain = $1`;
    const row = await this.#postgres.row(READING, sql, domain);
    return row === undefined ? undefined : toStsPolicy(row);
  }

  async keepStsPolicy({ domain, id, text, fetchedAtMs, expiresAtMs }: KeptStsPolicy): Promise<void> {
    const sql = `INSERT INTO tls_sts_policy (${STS_POLICY_COLUMNS}) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (domain) DO UPDATE SET id = excluded.id, policy = excluded.policy,
        fetched_at_ms = excluded.fetched_at_ms, expires_at_ms = excluded.expires_at_ms`;
    await this.#postgres.run(
      WRITING,
      sql,
      domain,
      id,
      text,
      Math.trunc(fetchedAtMs),
      Math.trunc(expiresAtMs),
    );
  }

  async stsPoliciesToRefresh(
    fetchedBeforeMs: number,
    nowMs: number,
    count: number,
    { fetchedAtMs, domain }: StsPolicyPlace = FIRST_STS_POLICY,
  ): Promise<readonly KeptStsPolicy[]> {
    const sql = `SELECT ${STS_POLICY_COLUMNS} FROM tls_sts_policy
      WHERE fetched_at_ms < $1 AND expires_at_ms > $2 AND (fetched_at_ms, domain) > ($3, $4)
      ORDER BY fetched_at_ms, domain LIMIT $5`;
    const values = [Math.trunc(fetchedBeforeMs), Math.trunc(nowMs), fetchedAtMs, domain, count];
    return (await this.#postgres.rows(READING, sql, ...values)).map(toStsPolicy);
  }

  async addResults(tallies: readonly TlsTally[]): Promise<number> {
    return this.#postgres.transaction(WRITING, async (transaction) => {
      let lost = 0;
      const counted: Counted = new Map();
      // In one order everywhere, so that two threads never wait for each other in a circle.
      for (const tally of tallies.toSorted(byKey))
        // oxlint-disable-next-line no-await-in-loop -- what is counted depends on what was added
        lost += await this.#add(transaction, tally, counted);
      return lost;
    });
  }

  async reportKeys(
    { day, domain }: TlsResultFilter,
    after: ReportKey | undefined,
    count: number,
  ): Promise<readonly ReportKey[]> {
    const sql = `SELECT DISTINCT day, domain FROM tls_result
      WHERE (day, domain) > ($1, $2) AND ($3::text IS NULL OR day = $3) AND ($4::text IS NULL OR domain = $4)
      ORDER BY day, domain LIMIT $5`;
    const from = after ?? { day: '', domain: '' };
    const values = [from.day, from.domain, day ?? null, domain ?? null, count];
    const rows = await this.#postgres.rows(READING, sql, ...values);
    return rows.map(toReportKey);
  }

  async results(key: ReportKey): Promise<readonly TlsTally[]> {
    const sql = 'SELECT result, sessions FROM tls_result WHERE day = $1 AND domain = $2 ORDER BY result';
    const rows = await this.#postgres.rows(READING, sql, key.day, key.domain);
    return rows.map((row) => toTally(key, row));
  }

  async forget(expiredBeforeMs: number, firstDay: string): Promise<void> {
    await this.#postgres.run(
      WRITING,
      'DELETE FROM tls_sts_policy WHERE expires_at_ms < $1',
      Math.trunc(expiredBeforeMs),
    );
    await this.#postgres.run(WRITING, 'DELETE FROM tls_result WHERE day < $1', firstDay);
  }

  async #add(transaction: Transaction, tally: TlsTally, counted: Counted): Promise<number> {
    const { day, domain, sessions } = tally;
    if (await raise(transaction, tally)) return 0;
    const ofDomain = await countOf(transaction, counted, 'day = $1 AND domain = $2', day, domain);
    const kept = ofDomain < LIMITS.tlsResultsPerDomainMax ? tally : withoutDetails(tally);
    if (kept !== tally && (await raise(transaction, kept))) return 0;
    const ofDay = await countOf(transaction, counted, 'day = $1', day);
    if (ofDay >= LIMITS.tlsResultsPerDayMax) return sessions;
    const result = encodeResult(kept);
    // Another thread may have put it there meanwhile.
    const sql = `INSERT INTO tls_result (day, domain, result_key, result, sessions) VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (day, domain, result_key) DO UPDATE SET sessions = tls_result.sessions + excluded.sessions`;
    await transaction.run(sql, day, domain, resultKey(result), result, sessions);
    counted.set(`${day} ${domain}`, ofDomain + 1);
    counted.set(day, ofDay + 1);
    return 0;
  }
}

async function raise(transaction: Transaction, tally: TlsTally): Promise<boolean> {
  const sql =
    'UPDATE tls_result SET sessions = sessions + $1 WHERE day = $2 AND domain = $3 AND result_key = $4';
  const key = resultKey(encodeResult(tally));
  return (await transaction.run(sql, tally.sessions, tally.day, tally.domain, key)) > 0;
}

async function countOf(
  transaction: Transaction,
  counted: Counted,
  where: 'day = $1' | 'day = $1 AND domain = $2',
  ...values: readonly string[]
): Promise<number> {
  const known = counted.get(values.join(' '));
  if (known !== undefined) return known;
  const row = await transaction.row(`SELECT count(*) FROM tls_result WHERE ${where}`, ...values);
  return row === undefined ? 0 : numberAt(row, 0);
}

function byKey(one: TlsTally, other: TlsTally): number {
  const [left, right] = [one, other].map((tally) => `${tally.day} ${tally.domain} ${encodeResult(tally)}`);
  return (left ?? '') < (right ?? '') ? -1 : 1;
}
