import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { LIMITS } from '../base/limits.ts';
import { Destinations } from './destination.ts';

const BOUNDS = { visitsMax: 20, waitingMax: 10 };
const ANSWER = { atMs: 0, host: undefined, status: '4.4.1', text: 'down', reason: 'connect.timeout' };

test('visits begin few, grow by success, and never pass the limit', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), BOUNDS);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal((await destinations.enter('a', 's'))?.kind, 'go');
  let gone = 0;
  assert.equal(destinations.enter('a', 's'), undefined, 'nothing waits for what has shown nothing');
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    void destinations.enterPatiently('a', 's').then(() => {
      gone += 1;
    });
  assert.equal((await destinations.enter('b', 's'))?.kind, 'go', 'others are not concerned');
  destinations.leave('a', undefined);
  await settled();
  assert.equal(gone, 2, 'one for the place that came free, one for the success');
});

test('a domain that is down is left alone, then probed by one, and comes back', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1) await destinations.enter('a', 's');
  const waiting = destinations.enterPatiently('a', 's');
  assert.equal(destinations.leave('a', ANSWER), 60_000);
  assert.deepEqual(await waiting, { kind: 'down', answer: ANSWER });
  for (let n = 1; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal(destinations.leave('a', ANSWER), undefined, 'found down already');
  assert.equal((await destinations.enter('a', 's'))?.kind, 'down');
  await clock.advance(60_000);
  assert.equal((await destinations.enter('a', 's'))?.kind, 'go');
  const second = destinations.enterPatiently('a', 's');
  assert.equal(destinations.leave('a', ANSWER), 120_000, 'twice as long');
  assert.equal((await second).kind, 'down');
  // Setting the time of day makes it neither longer nor shorter.
  clock.jump(-86_400_000);
  await clock.advance(120_000);
  assert.equal((await destinations.enter('a', 's'))?.kind, 'go');
  destinations.leave('a', undefined);
  assert.equal(destinations.comeBackMs('a'), 1000);
});

test('what the operator asks for is tried once although the destination is down, and not by many', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  await destinations.enter('a', 's');
  destinations.leave('a', ANSWER);
  await clock.advance(1000);
  const askedAtMs = clock.nowMs();
  assert.equal((await destinations.enter('a', 's'))?.kind, 'down');
  assert.equal((await destinations.enter('a', 's', askedAtMs))?.kind, 'go');
  assert.equal(destinations.enter('a', 's', askedAtMs), undefined, 'one at a time');
  const second = destinations.enterPatiently('a', 's', askedAtMs);
  await clock.advance(1000);
  assert.equal(destinations.leave('a', ANSWER), undefined, 'no longer down for it');
  assert.equal((await second).kind, 'down');
  assert.equal((await destinations.enter('a', 's', askedAtMs))?.kind, 'down', 'asked before the last visit');
  await clock.advance(58_000);
  assert.equal((await destinations.enter('a', 's'))?.kind, 'go');
});

test('many that find a domain full come back one behind the other, not all at once', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
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
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), BOUNDS);
  for (let n = 0; n <= LIMITS.destinationsMax; n += 1) {
    await destinations.enter(`d${n}`, 's');
    destinations.leave(`d${n}`, undefined);
  }
  assert.ok(destinations.size <= LIMITS.destinationsMax);
});

test('a failure among successes halves the visits; two without a success between them are down', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), { visitsMax: 8, waitingMax: 100 });
  const inside = async (): Promise<number> => {
    let count = 0;
    while (count < 100) {
      const entered = destinations.enter('a', 's');
      if (entered === undefined) break;
      const admitted = await Promise.race([entered, Promise.resolve('waits')]);
      if (admitted === 'waits') break;
      count += 1;
    }
    return count;
  };
  for (let n = 0; n < 10; n += 1) {
    await destinations.enter('a', 's');
    destinations.leave('a', undefined);
  }
  assert.equal(await inside(), 8, 'as many as the bound allows');
  assert.equal(destinations.leave('a', ANSWER), undefined);
  assert.equal(destinations.isDown('a'), false);
  for (let n = 1; n < 8; n += 1) destinations.leave('a', undefined);
  assert.equal(destinations.leave('a', ANSWER), undefined, 'it was proven again');
  assert.equal(destinations.leave('a', ANSWER), 60_000);
  assert.equal(destinations.isDown('a'), true);
});

test('senders take turns at a destination, and one of them never has all the room to wait in', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), { visitsMax: 1, waitingMax: 8 });
  await destinations.enter('a', 'x');
  destinations.leave('a', undefined);
  await destinations.enter('a', 'x');
  const came: string[] = [];
  const wait = (sender: string): boolean => {
    const entered = destinations.enter('a', sender);
    void entered?.then(() => came.push(sender));
    return entered !== undefined;
  };
  assert.deepEqual(
    Array.from({ length: 8 }, () => wait('bulk')),
    [true, true, true, true, true, true, false, false],
  );
  assert.deepEqual([wait('ann'), wait('bob'), wait('cid')], [true, true, false]);
  for (let n = 0; n < 8; n += 1) {
    destinations.leave('a', undefined);
    await Promise.resolve();
  }
  assert.deepEqual(came, ['bulk', 'ann', 'bob', 'bulk', 'bulk', 'bulk', 'bulk', 'bulk']);
});
