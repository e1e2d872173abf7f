/** Outcomes of TLS for tests of what shows them: two days of one domain. */
import type { TlsReports } from '../../src/app/control/tls-methods.ts';
import { MemoryTlsRecords } from '../../src/tls-policy/memory/tls-records.ts';

export async function tlsReports(): Promise<TlsReports> {
  const records = new MemoryTlsRecords();
  const policy = { type: 'no-policy-found', strings: [], mxPatterns: [] } as const;
  const failure = {
    type: 'certificate-expired',
    sendingIp: '192.0.2.1',
    mxHost: 'mx.far.example',
    mxIp: '192.0.2.2',
    reason: 'CERT_HAS_EXPIRED',
  } as const;
  for (const day of ['2026-01-01', '2026-01-02'])
    await records.addResults([
      { day, domain: 'far.example', policy, failure: undefined, sessions: 3 },
      { day, domain: 'far.example', policy, failure, sessions: 2 },
    ]);
  return { records, reporter: { organization: 'mail.here.example', contact: 'postmaster@here.example' } };
}
