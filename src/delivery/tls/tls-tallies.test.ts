import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { MemoryTlsRecords } from '../../tls-policy/memory/tls-records.ts';
import type { TlsTally } from '../../tls-policy/wire/tls-report.ts';
import type { DeliveryEvent } from '../event.ts';
import { TlsTallies } from './tls-tallies.ts';

const DAY_MS = 86_400_000;
const NONE = { type: 'no-policy-found', strings: [], mxPatterns: [] } as const;

function start(records = new MemoryTlsRecords()) {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 23, 59, 59));
  const events: DeliveryEvent[] = [];
  const tallies = new TlsTallies({ records, clock, events: (event) => events.push(event) });
  const sessions = async (day: string): Promise<readonly number[]> =>
    (await records.results({ day, domain: 'far.example' })).map((tally) => tally.sessions);
  return { clock, events, tallies, records, sessions };
}

test('sessions are counted by the day of UTC, and written down within seconds', async () => {
  const { clock, tallies, sessions } = start();
  tallies.add('far.example', NONE, undefined);
  tallies.add('far.example', NONE, undefined);
  await clock.advance(1000);
  tallies.add('far.example', NONE, undefined);
  await clock.advance(2000);
  assert.deepEqual(await sessions('2026-01-02'), [2]);
  assert.deepEqual(await sessions('2026-01-03'), [1]);
  assert.equal(clock.pending, 0);
});

test('stopping writes down what is there', async () => {
  const { tallies, sessions, clock } = start();
  tallies.add('far.example', NONE, undefined);
  await tallies.stop();
  assert.deepEqual(await sessions('2026-01-02'), [1]);
  assert.equal(clock.pending, 0);
});

test('what cannot be written down is written down with the next', async () => {
  class Shaky extends MemoryTlsRecords {
    isBroken = true;
    override async addResults(tallies: readonly TlsTally[]): Promise<number> {
      if (this.isBroken) throw new Fault('Writing what is known of TLS', new Error('disk'));
      return super.addResults(tallies);
    }
  }
  const records = new Shaky();
  const { clock, tallies, sessions, events } = start(records);
  tallies.add('far.example', NONE, undefined);
  await clock.advance(2000);
  assert.equal(events[0]?.name, 'delivery.fault');
  records.isBroken = false;
  tallies.add('other.example', NONE, undefined);
  await clock.advance(2000);
  assert.deepEqual(await sessions('2026-01-02'), [1]);
});

test('more than can be held is lost, and told', () => {
  const { tallies, events } = start();
  for (let index = 0; index <= LIMITS.tlsResultsHeldMax; index += 1)
    tallies.add(`d${index}.example`, NONE, undefined);
  tallies.add('d1.example', NONE, undefined);
  assert.deepEqual(events, [{ name: 'delivery.tls-results-lost', sessions: 1 }]);
});

test('long policies and reasons are cut', async () => {
  const { tallies, records } = start();
  const strings = Array.from({ length: 100 }, () => 'x'.repeat(1000));
  const failure = {
    type: 'validation-failure',
    sendingIp: '',
    mxHost: '',
    mxIp: '',
    reason: 'y'.repeat(9999),
  } as const;
  tallies.add('far.example', { type: 'tlsa', strings, mxPatterns: [] }, failure);
  await tallies.stop();
  const [kept] = await records.results({ day: '2026-01-02', domain: 'far.example' });
  assert.equal(kept?.policy.strings.length, 8);
  assert.equal(kept?.failure?.reason.length, LIMITS.tlsReportReasonCharactersMax);
});

test('days are forgotten after two weeks', async () => {
  const { clock, tallies, sessions } = start();
  tallies.add('far.example', NONE, undefined);
  await clock.advance(2000);
  await clock.advance(13 * DAY_MS);
  tallies.add('other.example', NONE, undefined);
  await clock.advance(2000);
  assert.deepEqual(await sessions('2026-01-02'), []);
});
