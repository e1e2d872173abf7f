/**
 * What is remembered of other domains' TLS in `tls.sqlite`. Each thread opens the file: writes are few, and wait for each
 * other.
 */
import { LIMITS } from '../../base/limits.ts';
import type { Database } from '../../sqlite/database.ts';
import { numberAt, reading } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
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
import { TLS_FILE } from './tls-file.ts';

/** @param file made if it is missing. Throws `DatabaseRefused` and `Fault`. */
export function openEmbeddedTlsRecords(file: string): EmbeddedTlsRecords {
  return new EmbeddedTlsRecords(openDatabase(file, TLS_FILE));
}

export class EmbeddedTlsRecords implements TlsRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  close(): void {
    this.#database.close();
  }

  async stsPolicy(domain: string): Promise<KeptStsPolicy | undefined> {
    const sql = `SELECT ${STS_POLICY_COLUMNS} FROM sts_policy WHERE domain = ?`;
    const row = this.#read(() => this.#database.prepare(sql).row(domain));
    return row === undefined ? undefined : toStsPolicy(row);
  }

  async keepStsPolicy({ domain, id, text, fetchedAtMs, expiresAtMs }: KeptStsPolicy): Promise<void> {
    const sql = `INSERT OR REPLACE INTO sts_policy (${STS_POLICY_COLUMNS}) VALUES (?, ?, ?, ?, ?)`;
    this.#write(() => this.#database.prepare(sql).run(domain, id, text, fetchedAtMs, expiresAtMs));
  }

  async stsPoliciesToRefresh(
    fetchedBeforeMs: number,
    nowMs: number,
    count: number,
    { fetchedAtMs, domain }: StsPolicyPlace = FIRST_STS_POLICY,
  ): Promise<readonly KeptStsPolicy[]> {
    const sql = `SELECT ${STS_POLICY_COLUMNS} FROM sts_policy
      WHERE fetched_at_ms < ? AND expires_at_ms > ? AND (fetched_at_ms, domain) > (?, ?)
      ORDER BY fetched_at_ms, domain LIMIT ?`;
    const values = [fetchedBeforeMs, nowMs, fetchedAtMs, domain, count];
    return this.#read(() => this.#database.prepare(sql).rows(...values)).map(toStsPolicy);
  }

  async addResults(tallies: readonly TlsTally[]): Promise<number> {
    const counted: Counted = new Map();
    return this.#write(() => tallies.reduce((lost, tally) => lost + this.#add(tally, counted), 0));
  }

  async reportKeys(
    { day, domain }: TlsResultFilter,
    after: ReportKey | undefined,
    count: number,
  ): Promise<readonly ReportKey[]> {
    const sql = `SELECT DISTINCT day, domain FROM tls_result
      WHERE (day, domain) > (?, ?) AND (? IS NULL OR day = ?) AND (? IS NULL OR domain = ?)
      ORDER BY day, domain LIMIT ?`;
    const [d, n] = [day ?? null, domain ?? null];
    const from = after ?? { day: '', domain: '' };
    const rows = this.#read(() => this.#database.prepare(sql).rows(from.day, from.domain, d, d, n, n, count));
    return rows.map(toReportKey);
  }

  async results(key: ReportKey): Promise<readonly TlsTally[]> {
    const sql = 'SELECT result, sessions FROM tls_result WHERE day = ? AND domain = ? ORDER BY result';
    const rows = this.#read(() => this.#database.prepare(sql).rows(key.day, key.domain));
    return rows.map((row) => toTally(key, row));
  }

  async forget(expiredBeforeMs: number, firstDay: string): Promise<void> {
    this.#write(() => {
      this.#database.prepare('DELETE FROM sts_policy WHERE expires_at_ms < ?').run(expiredBeforeMs);
      this.#database.prepare('DELETE FROM tls_result WHERE day < ?').run(firstDay);
    });
  }

  /** Gives the sessions that there was no room for. */
  #add(tally: TlsTally, counted: Counted): number {
    const { day, domain, sessions } = tally;
    if (this.#raise(tally) > 0) return 0;
    const ofDomain = this.#count(counted, 'day = ? AND domain = ?', day, domain);
    const kept = ofDomain < LIMITS.tlsResultsPerDomainMax ? tally : withoutDetails(tally);
    if (kept !== tally && this.#raise(kept) > 0) return 0;
    const ofDay = this.#count(counted, 'day = ?', day);
    if (ofDay >= LIMITS.tlsResultsPerDayMax) return sessions;
    const result = encodeResult(kept);
    const sql = 'INSERT INTO tls_result (day, domain, result_key, result, sessions) VALUES (?, ?, ?, ?, ?)';
    this.#database.prepare(sql).run(day, domain, resultKey(result), result, sessions);
    counted.set(`${day} ${domain}`, ofDomain + 1);
    counted.set(day, ofDay + 1);
    return 0;
  }

  #raise(tally: TlsTally): number {
    const sql =
      'UPDATE tls_result SET sessions = sessions + ? WHERE day = ? AND domain = ? AND result_key = ?';
    const key = resultKey(encodeResult(tally));
    return this.#database.prepare(sql).run(tally.sessions, tally.day, tally.domain, key);
  }

  /** Counting a whole day for every result would take too long. */
  #count(
    counted: Counted,
    where: 'day = ?' | 'day = ? AND domain = ?',
    ...values: readonly string[]
  ): number {
    const known = counted.get(values.join(' '));
    if (known !== undefined) return known;
    const row = this.#database.prepare(`SELECT count(*) FROM tls_result WHERE ${where}`).row(...values);
    return row === undefined ? 0 : numberAt(row, 0);
  }

  #read<Answer>(read: () => Answer): Answer {
    return reading('Reading what is known of TLS', read);
  }

  #write<Answer>(write: () => Answer): Answer {
    return reading('Writing what is known of TLS', () => {
      this.#database.begin();
      try {
        const answer = write();
        this.#database.commit();
        return answer;
      } catch (cause) {
        this.#database.rollback();
        throw cause;
      }
    });
  }
}
