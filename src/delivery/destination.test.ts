import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { LIMITS } from '../base/limits.ts';
import { Destinations } from './destination.ts';

const ANSWER = { atMs: 0, host: undefined, status: '4.4.1', text: 'down', reason: 'connect.timeout' };

test('visits begin few, grow by success, and never pass the limit', async () => {
  const destinations = new Destinations(new FakeClock(), 10);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal((await destinations.enter('a'))?.kind, 'go');
  let gone = 0;
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    void destinations.enter('a')?.then(() => {
      gone += 1;
    });
  assert.equal(destinations.enter('a'), undefined, 'an unproven domain has a short queue');
  assert.equal((await destinations.enter('b'))?.kind, 'go', 'others are not concerned');
  destinations.leave('a', undefined);
  await Promise.resolve();
  assert.equal(gone, 2, 'one for the place that came free, one for the success');
});

test('a domain that is down is left alone, then probed by one, and comes back', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations(clock, 10);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1) await destinations.enter('a');
  const waiting = destinations.enter('a');
  assert.equal(destinations.leave('a', ANSWER), 60_000);
  assert.deepEqual(await waiting, { kind: 'down', answer: ANSWER });
  for (let n = 1; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal(destinations.leave('a', ANSWER), undefined, 'found down already');
  assert.equal((await destinations.enter('a'))?.kind, 'down');
  await clock.advance(60_000);
  assert.equal((await destinations.enter('a'))?.kind, 'go');
  const second = destinations.enter('a');
  assert.equal(destinations.leave('a', ANSWER), 120_000, 'twice as long');
  assert.equal((await second)?.kind, 'down');
  // Setting the time of day makes it neither longer nor shorter.
  clock.jump(-86_400_000);
  await clock.advance(120_000);
  assert.equal((await destinations.enter('a'))?.kind, 'go');
  destinations.leave('a', undefined);
  assert.equal(destinations.comeBackMs('a'), 1000);
});

test('many that find a domain full come back one behind the other, not all at once', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations(clock, 10);
  const backs = Array.from({ length: 10_000 }, () => destinations.comeBackMs('a'));
  assert.equal(backs[0], 3000);
  assert.ok(backs.every((back, index) => index === 0 || back >= (backs[index - 1] ?? 0)));
  const counts = Map.groupBy(backs, (back) => Math.floor(back / 1000));
  for (const [second, those] of counts) assert.ok(those.length <= 1101, `${second}: ${those.length}`);
  for (let more = 0; more < 1_000_000; more += 1) destinations.comeBackMs('a');
  assert.equal(destinations.comeBackMs('a'), 600_000);
  await clock.advance(3_600_000);
  assert.equal(destinations.comeBackMs('a'), 3000);
});

test('what is idle is forgotten once there is too much of it', async () => {
  const destinations = new Destinations(new FakeClock(), 10);
  for (let n = 0; n <= LIMITS.destinationsMax; n += 1) {
    await destinations.enter(`d${n}`);
    destinations.leave(`d${n}`, undefined);
  }
  assert.ok(destinations.size <= LIMITS.destinationsMax);
});
