/**
 * Checks `tls.sqlite` on a stopped server: the file itself, that every policy is one, that every count can be read. Repair takes out
 * what cannot be read: a policy is fetched again with the next mail, and a count is one of a report.
 */
import { Fault } from '../../base/fault.ts';
import { isWorldError, numberAt, textAt } from '../../sqlite/database.ts';
import type { Database, Row } from '../../sqlite/database.ts';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Finding } from '../../store/finding.ts';
import { STS_POLICY_COLUMNS, resultKey, toStsPolicy } from '../sql/tls-rows.ts';
import { decodeResult, encodeResult } from '../tls-records.ts';
import { parseStsPolicy } from '../wire/sts-policy.ts';
import { TLS_FILE } from './tls-file.ts';

export type TlsCheckOptions = { readonly file: string; readonly repair: boolean };

const PAGE_ROWS = 500;
const SELECT_POLICIES = `SELECT ${STS_POLICY_COLUMNS} FROM sts_policy WHERE domain > ? ORDER BY domain LIMIT ${PAGE_ROWS}`;
const SELECT_RESULTS = `SELECT day, domain, result_key, result, sessions FROM tls_result
  WHERE (day, domain, result_key) > (?, ?, ?) ORDER BY day, domain, result_key LIMIT ${PAGE_ROWS}`;

/** Throws `DatabaseRefused` for a file that is not ours or is newer, and `Fault` when the disk refuses. */
export function* checkTls({ file, repair }: TlsCheckOptions): Generator<Finding, void, void> {
  const database = openDatabase(file, TLS_FILE, { readOnly: !repair });
  try {
    const lines = database.prepare('PRAGMA integrity_check(20)').rows();
    if (lines.length !== 1 || textAt(lines[0] ?? [], 0) !== 'ok') {
      for (const line of lines) yield damage('tls.damaged-file', `tls.sqlite: ${textAt(line, 0)}`, false);
      return;
    }
    yield* checkPolicies(database, repair);
    yield* checkResults(database, repair);
  } catch (cause) {
    throw isWorldError(cause) ? new Fault('Checking what is known of TLS', cause) : cause;
  } finally {
    database.close();
  }
}

function damage(kind: string, text: string, mended: boolean): Finding {
  return { kind, severity: 'damage', text, mended };
}

function* checkPolicies(database: Database, repair: boolean): Generator<Finding, void, void> {
  for (let after = ''; ;) {
    const rows = database.prepare(SELECT_POLICIES).rows(after);
    for (const row of rows) {
      const { domain, text, fetchedAtMs, expiresAtMs } = toStsPolicy(row);
      after = domain;
      const parsed = parseStsPolicy(text);
      const wrong = parsed.ok ? expiresAtMs < fetchedAtMs && 'it ended before it was fetched' : parsed.error;
      if (wrong === false) continue;
      if (repair) database.prepare('DELETE FROM sts_policy WHERE domain = ?').run(domain);
      yield damage(
        'tls.bad-policy',
        `What is kept as the MTA-STS policy of ${domain} is none: ${wrong}`,
        repair,
      );
    }
    if (rows.length < PAGE_ROWS) return;
  }
}

function* checkResults(database: Database, repair: boolean): Generator<Finding, void, void> {
  for (let after = ['', '', '']; ;) {
    const [day = '', domain = '', key = ''] = after;
    const rows = database.prepare(SELECT_RESULTS).rows(day, domain, key);
    for (const row of rows) {
      after = [0, 1, 2].map((at) => textAt(row, at));
      if (isSound(row)) continue;
      if (repair)
        database
          .prepare('DELETE FROM tls_result WHERE day = ? AND domain = ? AND result_key = ?')
          .run(textAt(row, 0), textAt(row, 1), textAt(row, 2));
      const of = `${textAt(row, 1)} of ${textAt(row, 0)}`;
      yield damage('tls.bad-result', `A count of sessions with ${of} cannot be read`, repair);
    }
    if (rows.length < PAGE_ROWS) return;
  }
}

/** @param row day, domain, result_key, result, sessions */
function isSound(row: Row): boolean {
  const text = textAt(row, 3);
  if (!/^\d{4}-\d\d-\d\d$/.test(textAt(row, 0)) || numberAt(row, 4) < 1 || resultKey(text) !== textAt(row, 2))
    return false;
  try {
    return encodeResult(decodeResult(text)) === text;
  } catch (cause) {
    if (cause instanceof TypeError || cause instanceof SyntaxError) return false;
    throw cause;
  }
}
