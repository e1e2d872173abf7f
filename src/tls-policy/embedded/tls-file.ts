/** `tls.sqlite`: other domains' MTA-STS policies, and how sessions with their hosts went. Small, and seldom written. */
import { applicationId } from '../../sqlite/migrate.ts';
import type { FileKind } from '../../sqlite/migrate.ts';

export const TLS_FILE: FileKind = {
  name: 'tls',
  applicationId: applicationId('PRtl'),
  migrations: [
    `
    CREATE TABLE sts_policy (
      domain TEXT NOT NULL PRIMARY KEY,
      id TEXT NOT NULL,
      policy TEXT NOT NULL,
      fetched_at_ms INTEGER NOT NULL,
      expires_at_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX sts_policy_by_fetch ON sts_policy (fetched_at_ms);

    -- result: what encodeResult of tls-records.ts writes. result_key: its SHA-256, the first half.
    CREATE TABLE tls_result (
      day TEXT NOT NULL,
      domain TEXT NOT NULL,
      result_key TEXT NOT NULL,
      result TEXT NOT NULL,
      sessions INTEGER NOT NULL,
      PRIMARY KEY (day, domain, result_key)
    ) STRICT, WITHOUT ROWID;
    `,
  ],
};
