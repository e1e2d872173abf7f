import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../../test/support/fake-clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { ZoneEntry } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import { MemoryTlsRecords } from '../../tls-policy/memory/tls-records.ts';
import type { PolicyFetchProblem } from '../../tls-policy/policy-fetch.ts';
import type { DeliveryEvent } from '../event.ts';
import { StsPolicies } from './sts-policies.ts';
import { TlsTallies } from './tls-tallies.ts';

const DAY_MS = 86_400_000;
const NAME = '_mta-sts.far.example';
const document = (mode: string, maxAgeS = 604_800): string =>
  `version: STSv1\nmode: ${mode}\nmx: mx.far.example\nmax_age: ${maxAgeS}\n`;
const txt = (id: string): ZoneEntry => ({ txt: [`v=STSv1; id=${id};`] });

/** A domain whose record and document a test changes as it likes. */
class FarDomain {
  readonly clock = new FakeClock();
  readonly resolver = new MemoryResolver({});
  readonly records: MemoryTlsRecords;
  readonly events: DeliveryEvent[] = [];
  readonly fetched: string[] = [];
  answer: () => Promise<Result<string, PolicyFetchProblem>> = async () => ok(document('enforce'));
  policies: StsPolicies;
  tallies: TlsTallies;

  constructor(records = new MemoryTlsRecords()) {
    this.records = records;
    this.tallies = this.#makeTallies();
    this.policies = this.#make();
  }

  say(entry: ZoneEntry): void {
    this.resolver.replace({ [NAME]: entry });
  }

  /** As another thread, or after a restart. */
  restart(): void {
    this.policies = this.#make();
  }

  async mode(): Promise<string | undefined> {
    return (await this.policies.of('far.example'))?.mode;
  }

  async counted(): Promise<readonly string[]> {
    await this.tallies.stop();
    const keys = await this.records.reportKeys({}, undefined, 10);
    const tallies = (await Promise.all(keys.map((key) => this.records.results(key)))).flat();
    return tallies.map(({ failure, policy, sessions }) =>
      [failure?.type, failure?.reason, policy.strings.length, sessions].join(' '),
    );
  }

  #makeTallies(): TlsTallies {
    const { records, clock } = this;
    return new TlsTallies({ records, clock, events: (event) => this.events.push(event) });
  }

  #make(): StsPolicies {
    const { resolver, records, clock, tallies } = this;
    return new StsPolicies({
      resolver,
      records,
      clock,
      tallies,
      events: (event) => this.events.push(event),
      fetch: (host) => {
        this.fetched.push(host);
        return this.answer();
      },
    });
  }
}

test('a record leads to a document, which is fetched once (RFC 8461 §3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  const modes = await Promise.all(Array.from({ length: 20 }, () => far.mode()));
  assert.deepEqual([...new Set(modes)], ['enforce']);
  await far.mode();
  assert.deepEqual(far.fetched, ['mta-sts.far.example']);
});

for (const [name, entry] of [
  ['no record', {}],
  ['a record that is none', { txt: ['v=STSv1; id='] }],
  ['no answer', { fails: 'servfail' }],
] as const)
  test(`${name}: no policy, and nothing is fetched (RFC 8461 §3.1)`, async () => {
    const far = new FarDomain();
    far.say(entry);
    assert.equal(await far.mode(), undefined);
    assert.deepEqual(far.fetched, []);
  });

test('a policy outlives its record and a restart, until it expires (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  far.answer = async () => ok(document('enforce', 2 * 86_400));
  await far.mode();
  far.say({});
  far.restart();
  assert.equal(await far.mode(), 'enforce');
  await far.clock.advance(2 * DAY_MS - 1);
  assert.equal(await far.mode(), 'enforce');
  await far.clock.advance(1);
  assert.equal(await far.mode(), undefined);
});

test('another id has the document fetched again, and other threads learn of it (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  await far.mode();
  const first = far.policies;
  far.say(txt('2'));
  far.answer = async () => ok(document('testing'));
  far.restart();
  assert.equal(await far.mode(), 'testing');
  await far.clock.advance(60_001);
  assert.equal((await first.of('far.example'))?.mode, 'testing');
  assert.equal(far.fetched.length, 2);
});

test('mode none ends a policy, and is no policy (RFC 8461 §8.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  await far.mode();
  far.say(txt('2'));
  far.answer = async () => ok(document('none'));
  assert.equal(await far.mode(), undefined);
});

for (const [name, answer, type] of [
  ['cannot be reached', err({ kind: 'unreachable', text: 'x' } as const), 'sts-policy-fetch-error'],
  ['answers 404', err({ kind: 'refused', text: 'x' } as const), 'sts-policy-fetch-error'],
  ['has no valid certificate', err({ kind: 'certificate', text: 'x' } as const), 'sts-webpki-invalid'],
  ['gives no policy', ok('<html>'), 'sts-policy-invalid'],
] as const) {
  test(`a host that ${name}: mail goes as without (RFC 8461 §3.3), and it is counted (RFC 8460 §4.3.2.2)`, async () => {
    const far = new FarDomain();
    far.say(txt('1'));
    far.answer = async () => answer;
    assert.equal(await far.mode(), undefined);
    const [failed] = far.events;
    assert.ok(failed?.name === 'delivery.sts-fetch-failed' && failed.reason === type);
    assert.match((await far.counted())[0] ?? '', new RegExp(`^${type} .* 0 1$`));
  });

  test(`a host that ${name}, and a policy from before: that one holds (RFC 8461 §3.3)`, async () => {
    const far = new FarDomain();
    far.say(txt('1'));
    await far.mode();
    far.say(txt('2'));
    far.answer = async () => answer;
    assert.equal(await far.mode(), 'enforce');
    assert.match((await far.counted())[0] ?? '', new RegExp(`^${type} .* 4 1$`));
  });
}

test('a host that failed is left alone for five minutes, by id (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  far.answer = async () => err({ kind: 'unreachable', text: 'x' });
  await far.mode();
  await far.clock.advance(LIMITS.stsFetchRetryMs - 1);
  await far.mode();
  assert.equal(far.fetched.length, 1);
  far.say(txt('2'));
  await far.mode();
  assert.equal(far.fetched.length, 2);
  await far.clock.advance(LIMITS.stsFetchRetryMs);
  await far.mode();
  assert.equal(far.fetched.length, 3);
});

test('a failure after a policy of mode none is nobody’s concern (RFC 8461 §6)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  far.answer = async () => ok(document('none'));
  await far.mode();
  far.say(txt('2'));
  far.answer = async () => err({ kind: 'unreachable', text: 'x' });
  assert.equal(await far.mode(), undefined);
  assert.deepEqual(await far.counted(), []);
});

test('what is older than a day is fetched again, without mail waiting for it (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  await far.mode();
  await far.clock.advance(DAY_MS + 1);
  const slow = Promise.withResolvers<Result<string, PolicyFetchProblem>>();
  far.answer = () => slow.promise;
  assert.equal(await far.mode(), 'enforce');
  assert.equal(far.fetched.length, 2);
  slow.resolve(ok(document('testing')));
  await settled();
  assert.equal(await far.mode(), 'testing');
});

test('policies of domains that get no mail are fetched again each day too (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  far.say(txt('1'));
  await far.mode();
  const { signal } = new AbortController();
  await far.policies.refresh(signal);
  assert.equal(far.fetched.length, 1);
  await far.clock.advance(DAY_MS + 1);
  await far.policies.refresh(signal);
  assert.equal(far.fetched.length, 2);
  const kept = await far.records.stsPolicy('far.example');
  assert.equal(kept?.expiresAtMs, far.clock.nowMs() + 604_800_000);
  far.say({});
  await far.clock.advance(DAY_MS + 1);
  await far.policies.refresh(signal);
  assert.equal(far.fetched.length, 2);
});

test('domains whose policies cannot be fetched any more do not keep the others from it (RFC 8461 §3.3)', async () => {
  const far = new FarDomain();
  const dead = Array.from({ length: LIMITS.stsRefreshesMax }, (_, index) => `dead${index}.example`);
  const domains = [...dead, 'far.example'];
  far.resolver.replace(Object.fromEntries(domains.map((domain) => [`_mta-sts.${domain}`, txt('1')])));
  const fetchedAtMs = far.clock.nowMs();
  for (const [order, domain] of domains.entries())
    await far.records.keepStsPolicy({
      domain,
      id: '1',
      text: document('enforce'),
      fetchedAtMs: fetchedAtMs + order,
      expiresAtMs: fetchedAtMs + 30 * DAY_MS,
    });
  await far.clock.advance(2 * DAY_MS);
  far.answer = async () => err({ kind: 'unreachable', text: 'ECONNREFUSED' });
  const { signal } = new AbortController();
  await far.policies.refresh(signal);
  assert.equal(far.fetched.length, dead.length);
  await far.policies.refresh(signal);
  assert.deepEqual(far.fetched.slice(dead.length), ['mta-sts.far.example']);
  await far.clock.advance(LIMITS.stsFetchRetryMs);
  await far.policies.refresh(signal);
  assert.equal(far.fetched.length, 2 * dead.length + 1);
});

test('a policy that cannot be kept holds all the same, and that is told', async () => {
  class Full extends MemoryTlsRecords {
    override async keepStsPolicy(): Promise<never> {
      throw new Fault('Writing what is known of TLS', new Error('disk full'));
    }
  }
  const far = new FarDomain(new Full());
  far.say(txt('1'));
  assert.equal(await far.mode(), 'enforce');
  assert.equal(far.events[0]?.name, 'delivery.fault');
});
