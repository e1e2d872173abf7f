/** The tables of what is known of other domains' TLS; as in `tls.sqlite`. */
import type { TableKind } from '../../postgres/migrate.ts';

const FIRST = `
CREATE TABLE tls_sts_policy (
  domain TEXT COLLATE "C" PRIMARY KEY,
  id TEXT COLLATE "C" NOT NULL,
  policy TEXT COLLATE "C" NOT NULL,
  fetched_at_ms BIGINT NOT NULL,
  expires_at_ms BIGINT NOT NULL
);
CREATE INDEX tls_sts_policy_fetch ON tls_sts_policy (fetched_at_ms);

-- result: what encodeResult of tls-records.ts writes. result_key: its SHA-256, the first half.
CREATE TABLE tls_result (
  day TEXT COLLATE "C" NOT NULL,
  domain TEXT COLLATE "C" NOT NULL,
  result_key TEXT COLLATE "C" NOT NULL,
  result TEXT COLLATE "C" NOT NULL,
  sessions BIGINT NOT NULL,
  PRIMARY KEY (day, domain, result_key)
);
`;

export const TLS: TableKind = { name: 'tls', migrations: [FIRST] };
