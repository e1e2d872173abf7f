import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, settled } from '../../test/support/fake-clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { Mail, Turn } from './destination.ts';
import { Destinations } from './destination.ts';

const BOUNDS = { visitsMax: 20, waitingMax: 10 };
const ANSWER = { atMs: 0, host: undefined, status: '4.4.1', text: 'down', reason: 'connect.timeout' };
const CLOSED = { kind: 'closed', to: 'all', answer: ANSWER } as const;
const UNTRUSTED = { ...ANSWER, status: '4.7.5', reason: 'tls.not-trusted' };
const BARRED = { kind: 'closed', to: 'wish', answer: UNTRUSTED } as const;
const downForMs = (turn: Turn | undefined): number | undefined =>
  turn?.kind === 'down' ? turn.forMs : undefined;
const by = (sender: string, askedAtMs?: number): Mail => ({ sender, wish: undefined, askedAtMs });
const wishing = (wish: Mail['wish'], askedAtMs?: number): Mail => ({ sender: 's', wish, askedAtMs });

test('visits begin few, grow by success, and never pass the limit', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), BOUNDS);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal((await destinations.enter('a', by('s')))?.kind, 'go');
  let gone = 0;
  assert.equal(destinations.enter('a', by('s')), undefined, 'nothing waits for what has shown nothing');
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1)
    void destinations.enterPatiently('a', by('s')).then(() => {
      gone += 1;
    });
  assert.equal((await destinations.enter('b', by('s')))?.kind, 'go', 'others are not concerned');
  destinations.leave('a', { kind: 'open' }, undefined);
  await settled();
  assert.equal(gone, 2, 'one for the place that came free, one for the success');
});

test('a domain that is down is left alone, then probed by one, and comes back', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  for (let n = 0; n < LIMITS.destinationVisitsAtFirst; n += 1) await destinations.enter('a', by('s'));
  const waiting = destinations.enterPatiently('a', by('s'));
  assert.equal(downForMs(destinations.leave('a', CLOSED, undefined)), 60_000);
  assert.deepEqual(await waiting, { kind: 'down', answer: ANSWER });
  for (let n = 1; n < LIMITS.destinationVisitsAtFirst; n += 1)
    assert.equal(destinations.leave('a', CLOSED, undefined), undefined, 'found down already');
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'down');
  await clock.advance(60_000);
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'go');
  const second = destinations.enterPatiently('a', by('s'));
  assert.equal(downForMs(destinations.leave('a', CLOSED, undefined)), 120_000, 'twice as long');
  assert.equal((await second).kind, 'down');
  // Setting the time of day makes it neither longer nor shorter.
  clock.jump(-86_400_000);
  await clock.advance(120_000);
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'go');
  destinations.leave('a', { kind: 'open' }, undefined);
  assert.equal(destinations.comeBackMs('a'), 1000);
});

test('what the operator asks for is tried once although the destination is down, and not by many', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  await destinations.enter('a', by('s'));
  destinations.leave('a', CLOSED, undefined);
  await clock.advance(1000);
  const askedAtMs = clock.nowMs();
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'down');
  assert.equal((await destinations.enter('a', by('s', askedAtMs)))?.kind, 'go');
  assert.equal(destinations.enter('a', by('s', askedAtMs)), undefined, 'one at a time');
  const second = destinations.enterPatiently('a', by('s', askedAtMs));
  await clock.advance(1000);
  assert.equal(destinations.leave('a', CLOSED, undefined), undefined, 'no longer down for it');
  assert.equal((await second).kind, 'down');
  assert.equal(
    (await destinations.enter('a', by('s', askedAtMs)))?.kind,
    'down',
    'asked before the last visit',
  );
  await clock.advance(58_000);
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'go');
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
    await destinations.enter(`d${n}`, by('s'));
    destinations.leave(`d${n}`, { kind: 'open' }, undefined);
  }
  assert.ok(destinations.size <= LIMITS.destinationsMax);
});

test('a failure among successes halves the visits; two without a success between them are down', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), { visitsMax: 8, waitingMax: 100 });
  const inside = async (): Promise<number> => {
    let count = 0;
    while (count < 100) {
      const entered = destinations.enter('a', by('s'));
      if (entered === undefined) break;
      const admitted = await Promise.race([entered, Promise.resolve('waits')]);
      if (admitted === 'waits') break;
      count += 1;
    }
    return count;
  };
  for (let n = 0; n < 10; n += 1) {
    await destinations.enter('a', by('s'));
    destinations.leave('a', { kind: 'open' }, undefined);
  }
  assert.equal(await inside(), 8, 'as many as the bound allows');
  assert.equal(destinations.leave('a', CLOSED, undefined), undefined);
  assert.equal(destinations.isDown('a', undefined), false);
  for (let n = 1; n < 8; n += 1) destinations.leave('a', { kind: 'open' }, undefined);
  assert.equal(destinations.leave('a', CLOSED, undefined), undefined, 'it was proven again');
  assert.equal(downForMs(destinations.leave('a', CLOSED, undefined)), 60_000);
  assert.equal(destinations.isDown('a', undefined), true);
});

test('senders take turns at a destination, and one of them never has all the room to wait in', async () => {
  const destinations = new Destinations<typeof ANSWER>(new FakeClock(), { visitsMax: 1, waitingMax: 8 });
  await destinations.enter('a', by('x'));
  destinations.leave('a', { kind: 'open' }, undefined);
  await destinations.enter('a', by('x'));
  const came: string[] = [];
  const wait = (sender: string): boolean => {
    const entered = destinations.enter('a', by(sender));
    void entered?.then(() => came.push(sender));
    return entered !== undefined;
  };
  assert.deepEqual(
    Array.from({ length: 8 }, () => wait('bulk')),
    [true, true, true, true, true, true, false, false],
  );
  assert.deepEqual([wait('ann'), wait('bob'), wait('cid')], [true, true, false]);
  for (let n = 0; n < 8; n += 1) {
    destinations.leave('a', { kind: 'open' }, undefined);
    await Promise.resolve();
  }
  assert.deepEqual(came, ['bulk', 'ann', 'bob', 'bulk', 'bulk', 'bulk', 'bulk', 'bulk']);
});

test('where only TLS failed, what wants the same of it waits, is probed by one, and comes back; the rest goes on', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  const kindOf = async (mail: Mail): Promise<string> => (await destinations.enter('a', mail))?.kind ?? 'full';
  assert.equal(await kindOf(wishing(undefined)), 'go');
  assert.equal(downForMs(destinations.leave('a', BARRED, undefined)), 60_000);
  assert.deepEqual(await destinations.enter('a', by('s')), { kind: 'down', answer: UNTRUSTED });
  assert.equal(destinations.isDown('a', undefined), true);
  assert.equal(destinations.isDown('a', 'optional'), false);
  for (const wish of ['optional', 'require'] as const) {
    assert.equal(await kindOf(wishing(wish)), 'go');
    assert.equal(destinations.leave('a', { kind: 'open' }, wish), undefined);
  }
  assert.equal(await kindOf(wishing(undefined)), 'down', 'what got through was under another wish');
  await clock.advance(60_000);
  assert.equal(await kindOf(wishing(undefined)), 'go');
  assert.equal(await kindOf(wishing(undefined)), 'down', 'one probes, although there are places');
  assert.equal(await kindOf(wishing('optional')), 'go');
  assert.equal(downForMs(destinations.leave('a', BARRED, undefined)), 120_000);
  await clock.advance(120_000);
  assert.equal(await kindOf(wishing(undefined)), 'go');
  destinations.leave('a', { kind: 'unknown' }, undefined);
  assert.equal(
    await kindOf(wishing(undefined)),
    'go',
    'a probe that found out nothing is followed by another',
  );
  destinations.leave('a', { kind: 'open' }, undefined);
  assert.equal(destinations.isDown('a', undefined), false);
  assert.equal(await kindOf(wishing(undefined)), 'go');
});

test('what the operator asks for is tried once although TLS failed', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  await destinations.enter('a', by('s'));
  destinations.leave('a', BARRED, undefined);
  await clock.advance(1000);
  const askedAtMs = clock.nowMs();
  assert.equal((await destinations.enter('a', by('s', askedAtMs)))?.kind, 'go');
  assert.equal((await destinations.enter('a', by('s', askedAtMs)))?.kind, 'down');
});

test('a host that speaks with us is not down, whatever becomes of its TLS', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  await destinations.enter('a', by('s'));
  destinations.leave('a', CLOSED, undefined);
  await clock.advance(60_000);
  await destinations.enter('a', by('s'));
  destinations.leave('a', BARRED, undefined);
  assert.equal((await destinations.enter('a', wishing('optional')))?.kind, 'go');
});

test('an attempt that went to nobody says nothing of a destination that is down', async () => {
  const clock = new FakeClock();
  const destinations = new Destinations<typeof ANSWER>(clock, BOUNDS);
  await destinations.enter('a', by('s'));
  await destinations.enter('a', by('s'));
  destinations.leave('a', CLOSED, undefined);
  destinations.leave('a', { kind: 'unknown' }, undefined);
  assert.equal((await destinations.enter('a', by('s')))?.kind, 'down');
});
