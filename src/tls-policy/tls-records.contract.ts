/** What every keeper of TLS records promises, as tests. A backend runs it with a way to make an empty one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import type { TlsRecords } from './tls-records.ts';
import type { TlsTally } from './wire/tls-report.ts';

/** `other` opens the same records again (another thread's), where there is such a thing. */
export type TlsRecordsUnderTest = {
  readonly records: TlsRecords;
  readonly other?: () => TlsRecords;
  close(): Promise<void>;
};

const policy = (domain: string, fetchedAtMs = 1000, expiresAtMs = 5000) => ({
  domain,
  id: 'a1',
  text: `version: STSv1\nmode: none\nmax_age: 4\nx: ${domain}`,
  fetchedAtMs,
  expiresAtMs,
});

const NO_POLICY = { type: 'no-policy-found', strings: [], mxPatterns: [] } as const;
const STS = {
  type: 'sts',
  strings: ['version: STSv1', 'mode: enforce'],
  mxPatterns: ['*.far.example'],
} as const;

function tally(more: Partial<TlsTally> = {}): TlsTally {
  return { day: '2026-01-02', domain: 'far.example', policy: STS, failure: undefined, sessions: 1, ...more };
}

function failed(reason: string): TlsTally {
  const failure = {
    type: 'certificate-expired',
    sendingIp: '192.0.2.1',
    mxHost: 'mx.far.example',
    mxIp: '192.0.2.2',
    reason,
  } as const;
  return tally({ failure });
}

export function tlsRecordsContract(name: string, open: () => Promise<TlsRecordsUnderTest>): void {
  const check = (title: string, body: (under: TlsRecordsUnderTest) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      const under = await open();
      try {
        await body(under);
      } finally {
        await under.close();
      }
    });
  };

  check('a policy is kept, and a new one takes its place (RFC 8461 §3.3)', async ({ records, other }) => {
    assert.equal(await records.stsPolicy('far.example'), undefined);
    await records.keepStsPolicy(policy('far.example'));
    await records.keepStsPolicy({ ...policy('far.example', 2000, 9000), id: 'b2' });
    const kept = { ...policy('far.example', 2000, 9000), id: 'b2' };
    assert.deepEqual(await records.stsPolicy('far.example'), kept);
    if (other !== undefined) assert.deepEqual(await other().stsPolicy('far.example'), kept);
  });

  check('policies to refresh: old, not expired, the oldest first, so many', async ({ records }) => {
    for (const [domain, fetched, expires] of [
      ['c.example', 30, 900],
      ['a.example', 10, 900],
      ['b.example', 20, 900],
      ['gone.example', 5, 100],
      ['new.example', 50, 900],
    ] as const)
      await records.keepStsPolicy(policy(domain, fetched, expires));
    const found = await records.stsPoliciesToRefresh(50, 100, 2);
    assert.deepEqual(
      found.map(({ domain }) => domain),
      ['a.example', 'b.example'],
    );
    await records.keepStsPolicy(policy('d.example', 20, 900));
    const more = await records.stsPoliciesToRefresh(50, 100, 5, found[1]);
    assert.deepEqual(
      more.map(({ domain }) => domain),
      ['d.example', 'c.example'],
    );
    assert.deepEqual(await records.stsPoliciesToRefresh(50, 100, 5, more[1]), []);
  });

  check(
    'equal results are counted together, in order of day and domain (RFC 8460 §4)',
    async ({ records, other }) => {
      await records.addResults([tally(), tally({ sessions: 2 }), failed('x'), tally({ policy: NO_POLICY })]);
      await (other?.() ?? records).addResults([
        tally({ day: '2026-01-01' }),
        tally({ domain: 'away.example' }),
        tally(),
      ]);
      assert.deepEqual(await records.reportKeys({}, undefined, 10), [
        { day: '2026-01-01', domain: 'far.example' },
        { day: '2026-01-02', domain: 'away.example' },
        { day: '2026-01-02', domain: 'far.example' },
      ]);
      const results = await records.results({ day: '2026-01-02', domain: 'far.example' });
      const plain = results.map(({ policy: { type }, failure, sessions }) => [
        type,
        failure?.reason,
        sessions,
      ]);
      assert.deepEqual(
        plain.toSorted((one, other_) => String(one).localeCompare(String(other_))),
        [
          ['no-policy-found', undefined, 1],
          ['sts', undefined, 4],
          ['sts', 'x', 1],
        ],
      );
      assert.deepEqual(
        results.find(({ failure }) => failure !== undefined),
        failed('x'),
      );
    },
  );

  check('days and domains are listed by filter and by page', async ({ records }) => {
    for (const day of ['2026-01-01', '2026-01-02'])
      await records.addResults([tally({ day }), tally({ day, domain: 'away.example' })]);
    assert.equal((await records.reportKeys({ day: '2026-01-02' }, undefined, 10)).length, 2);
    assert.deepEqual(await records.reportKeys({ domain: 'far.example' }, undefined, 1), [
      { day: '2026-01-01', domain: 'far.example' },
    ]);
    const after = { day: '2026-01-01', domain: 'far.example' };
    assert.deepEqual(await records.reportKeys({}, after, 1), [{ day: '2026-01-02', domain: 'away.example' }]);
    assert.deepEqual(await records.reportKeys({ day: '2025-01-01' }, undefined, 10), []);
    assert.deepEqual(await records.results({ day: '2025-01-01', domain: 'far.example' }), []);
  });

  check('more outcomes of a domain than are told apart are counted without details', async ({ records }) => {
    const many = Array.from({ length: LIMITS.tlsResultsPerDomainMax + 5 }, (_, index) => failed(`r${index}`));
    assert.equal(await records.addResults(many), 0);
    assert.equal(await records.addResults([failed('r0')]), 0);
    const results = await records.results({ day: '2026-01-02', domain: 'far.example' });
    assert.equal(results.length, LIMITS.tlsResultsPerDomainMax + 1);
    assert.equal(
      results.reduce((sum, { sessions }) => sum + sessions, 0),
      many.length + 1,
    );
    const rest = results.find(({ failure }) => failure?.reason === '');
    assert.deepEqual([rest?.sessions, rest?.policy.strings], [5, []]);
  });

  check('what is old is forgotten', async ({ records }) => {
    await records.keepStsPolicy(policy('old.example', 1, 100));
    await records.keepStsPolicy(policy('good.example', 1, 101));
    await records.addResults([tally({ day: '2026-01-01' }), tally()]);
    await records.forget(101, '2026-01-02');
    assert.equal(await records.stsPolicy('old.example'), undefined);
    assert.notEqual(await records.stsPolicy('good.example'), undefined);
    assert.deepEqual(await records.reportKeys({}, undefined, 10), [
      { day: '2026-01-02', domain: 'far.example' },
    ]);
  });
}
