import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../base/limits.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import { NetworkLoginThrottle, toNetwork } from './login-throttle.ts';
import type { LoginAttempt } from './login-throttle.ts';

function ratesAt(nowMs: () => number, buckets = 1024): RateTable {
  return new RateTable(createRateMemory(8, 8, buckets), { nowMs });
}

const networks = [
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
  ['2001:0DB8::', '2001:db8:0:0::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::2', '0:0:0:0::/64'],
] as const;
for (const [source, want] of networks) {
  test(`${source} is of the network ${want}`, () => assert.equal(toNetwork(source), want));
}

const attempt = (
  throttle: NetworkLoginThrottle,
  source: string,
  name: string,
  isAtHome = false,
): LoginAttempt => ({
  network: throttle.networkOf(source),
  name,
  isAtHome,
});

test('failures are forgiven one by one, and loopback and trusted sources always', () => {
  let nowMs = 0;
  const throttle = new NetworkLoginThrottle(
    ratesAt(() => nowMs),
    (source) => source === '192.0.2.9',
  );
  let names = 0;
  const fail = (source: string, times: number): void => {
    for (let time = 0; time < times; time += 1)
      throttle.failed(attempt(throttle, source, `name ${(names += 1)}`));
  };
  const admits = (source: string): boolean => throttle.admits(attempt(throttle, source, 'new'));
  fail('2001:db8::1', LIMITS.loginFailuresMax - 1);
  assert.equal(admits('2001:db8::1'), true);
  fail('2001:db8::2', 100);
  assert.equal(admits('2001:db8::3'), false);
  assert.equal(admits('2001:db8:0:1::3'), true);
  nowMs += LIMITS.loginFailureForgivenMs;
  assert.equal(admits('2001:db8::3'), true);
  fail('2001:db8::1', 1);
  assert.equal(admits('2001:db8::3'), false);
  for (const source of ['127.0.0.1', '127.1.2.3', '::1', '::ffff:127.0.0.1', '192.0.2.9']) {
    fail(source, 1000);
    assert.equal(admits(source), true, source);
  }
});

for (const [around, near, elsewhere] of [
  [(host: number) => `192.0.2.${host}`, '192.0.2.250', '192.0.3.1'],
  [(host: number) => `2001:db8:1:${host}::1`, '2001:db8:1:ffff::1', '2001:db8:2::1'],
] as const)
  test(`who has many addresses has not as many guesses: ${around(1)} and others`, () => {
    let nowMs = 0;
    const throttle = new NetworkLoginThrottle(ratesAt(() => nowMs));
    const admits = (source: string, isAtHome = false): boolean =>
      throttle.admits(attempt(throttle, source, 'new', isAtHome));
    for (let guess = 0; guess < LIMITS.loginAroundFailuresMax; guess += 1) {
      assert.equal(admits(near), true);
      throttle.failed(attempt(throttle, around(guess % 100), `name ${guess}`));
    }
    assert.deepEqual([admits(near), admits(elsewhere), admits(near, true)], [false, true, true]);
    nowMs += LIMITS.loginAroundFailureForgivenMs;
    assert.equal(admits(near), true);
  });

test('a name has its failures from all networks, and at home those alone that were made there', () => {
  const throttle = new NetworkLoginThrottle(ratesAt(() => 0));
  for (let network = 0; network < LIMITS.loginNameFailuresMax; network += 1) {
    assert.equal(throttle.admits(attempt(throttle, '10.9.9.9', 'alice')), true);
    throttle.failed(attempt(throttle, `10.0.0.${network}`, 'alice'));
  }
  assert.equal(throttle.admits(attempt(throttle, '10.9.9.9', 'alice')), false);
  assert.equal(throttle.admits(attempt(throttle, '10.9.9.9', 'bob')), true);
  for (let time = 0; time < LIMITS.loginFailuresMax; time += 1) {
    assert.equal(throttle.admits(attempt(throttle, '10.0.0.1', 'alice', true)), true);
    throttle.failed(attempt(throttle, '10.0.0.1', 'alice', true));
  }
  assert.equal(throttle.admits(attempt(throttle, '10.0.0.1', 'alice', true)), false);
  assert.equal(throttle.admits(attempt(throttle, '10.0.0.2', 'alice', true)), true);
  assert.equal(throttle.admits(attempt(throttle, '10.0.0.1', 'bob')), true, 'the network is not to blame');
});

test('what is remembered is bounded, and who failed most is forgotten last', () => {
  const throttle = new NetworkLoginThrottle(ratesAt(() => 0, 8));
  const known = attempt(throttle, '10.0.0.1', 'alice', true);
  for (let time = 0; time < LIMITS.loginFailuresMax; time += 1) throttle.failed(known);
  for (let other = 0; other < 1000; other += 1)
    throttle.failed(attempt(throttle, '10.0.0.2', `name ${other}`, true));
  assert.equal(throttle.admits(known), false);
});

test('threads count the same failures', () => {
  const memory = createRateMemory(8, 8, 64);
  const [one, other] = [0, 1].map(() => new NetworkLoginThrottle(new RateTable(memory, { nowMs: () => 0 })));
  assert.ok(one !== undefined && other !== undefined);
  const failing = attempt(one, '10.0.0.1', 'alice', true);
  for (let time = 0; time < LIMITS.loginFailuresMax; time += 1)
    (time % 2 === 0 ? one : other).failed(failing);
  assert.deepEqual([one.admits(failing), other.admits(failing)], [false, false]);
});
