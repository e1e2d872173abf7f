import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toTlsReport } from './tls-report.ts';

const KEY = { day: '2026-01-02', domain: 'company-y.example' };
const STS = {
  type: 'sts',
  strings: ['version: STSv1', 'mode: testing', 'mx: *.mail.company-y.example', 'max_age: 86400'],
  mxPatterns: ['*.mail.company-y.example'],
} as const;
const NONE = { type: 'no-policy-found', strings: [], mxPatterns: [] } as const;

test('a report as the standard has it (RFC 8460 §4.4)', () => {
  const failure = {
    type: 'certificate-expired',
    sendingIp: '2001:db8::1',
    mxHost: 'mx1.mail.company-y.example',
    mxIp: '192.0.2.1',
    reason: 'CERT_HAS_EXPIRED',
  } as const;
  const bare = { type: 'starttls-not-supported', sendingIp: '', mxHost: '', mxIp: '', reason: '' } as const;
  const report = toTlsReport(
    KEY,
    [
      { ...KEY, policy: STS, failure: undefined, sessions: 5326 },
      { ...KEY, policy: STS, failure, sessions: 100 },
      { ...KEY, policy: STS, failure: bare, sessions: 3 },
      { ...KEY, policy: NONE, failure: undefined, sessions: 7 },
    ],
    { organization: 'mail.here.example', contact: 'postmaster@here.example' },
  );
  assert.deepEqual(report, {
    'organization-name': 'mail.here.example',
    'date-range': { 'start-datetime': '2026-01-02T00:00:00Z', 'end-datetime': '2026-01-02T23:59:59Z' },
    'contact-info': 'postmaster@here.example',
    'report-id': '2026-01-02_company-y.example@mail.here.example',
    policies: [
      {
        policy: {
          'policy-type': 'sts',
          'policy-string': STS.strings,
          'policy-domain': 'company-y.example',
          'mx-host': STS.mxPatterns,
        },
        summary: { 'total-successful-session-count': 5326, 'total-failure-session-count': 103 },
        'failure-details': [
          {
            'result-type': 'certificate-expired',
            'sending-mta-ip': '2001:db8::1',
            'receiving-mx-hostname': 'mx1.mail.company-y.example',
            'receiving-ip': '192.0.2.1',
            'failed-session-count': 100,
            'failure-reason-code': 'CERT_HAS_EXPIRED',
          },
          { 'result-type': 'starttls-not-supported', 'failed-session-count': 3 },
        ],
      },
      {
        policy: { 'policy-type': 'no-policy-found', 'policy-domain': 'company-y.example' },
        summary: { 'total-successful-session-count': 7, 'total-failure-session-count': 0 },
      },
    ],
  });
});
