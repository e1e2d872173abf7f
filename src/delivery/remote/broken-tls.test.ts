import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { hopTarget } from '../../../test/support/routes.ts';
import { LIMITS } from '../../base/limits.ts';
import { BrokenTls } from './broken-tls.ts';

const FAILURE = { kind: 'handshake', text: 'bad' } as const;
const HERE = hopTarget();

test('what failed is known of this address alone, for a time that the clock of the wall does not change', async () => {
  const clock = new FakeClock();
  const broken = new BrokenTls(clock, 1000);
  broken.remember(HERE, FAILURE);
  assert.deepEqual(broken.of(HERE), FAILURE);
  for (const other of [{ host: 'b.example' }, { address: '192.0.2.2' }, { port: 26 }])
    assert.equal(broken.of({ ...HERE, ...other }), undefined);
  clock.jump(-86_400_000);
  await clock.advance(999);
  assert.deepEqual(broken.of(HERE), FAILURE);
  await clock.advance(1);
  assert.equal(broken.of(HERE), undefined);
  assert.equal(broken.size, 0);
});

test('a time of 0 remembers nothing, and TLS from the first octet cannot be left out', () => {
  const never = new BrokenTls(new FakeClock(), 0);
  never.remember(HERE, FAILURE);
  assert.equal(never.of(HERE), undefined);
  const broken = new BrokenTls(new FakeClock(), 1000);
  broken.remember({ ...HERE, implicitTls: true }, FAILURE);
  assert.equal(broken.size, 0);
});

test('beyond its bound the longest known goes', () => {
  const broken = new BrokenTls(new FakeClock(), 1000);
  for (let port = 0; port <= LIMITS.brokenTlsHostsMax; port += 1) broken.remember({ ...HERE, port }, FAILURE);
  assert.equal(broken.size, LIMITS.brokenTlsHostsMax);
  assert.equal(broken.of({ ...HERE, port: 0 }), undefined);
  assert.deepEqual(broken.of({ ...HERE, port: 1 }), FAILURE);
});
