import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, createAdmissionTable } from './admission.ts';

const LIMITS = { connectionsMax: 5, connectionsPerNetworkMax: 2 };

test('the limit of all connections holds over services and threads', () => {
  const table = createAdmissionTable(2);
  const [first, second] = [new Admission(table, 0, LIMITS), new Admission(table, 1, LIMITS)];
  const leave = first.enter('smtp', undefined);
  for (let count = 1; count < 5; count += 1) assert.equal(typeof second.enter('imap', undefined), 'function');
  assert.equal(first.enter('imaps', undefined), 'too-many');
  assert(typeof leave === 'function');
  leave();
  assert.equal(typeof second.enter('smtp', undefined), 'function');
  assert.equal(second.enter('smtp', undefined), 'too-many');
});

test('the limit of one network holds over threads, for each service by itself', () => {
  const table = createAdmissionTable(2);
  const [first, second] = [new Admission(table, 0, LIMITS), new Admission(table, 1, LIMITS)];
  const leave = first.enter('smtp', '192.0.2.1');
  assert.equal(typeof second.enter('smtp', '192.0.2.1'), 'function');
  assert.equal(first.enter('smtp', '192.0.2.1'), 'too-many-from-address');
  assert.equal(typeof first.enter('imap', '192.0.2.1'), 'function');
  assert.equal(typeof second.enter('smtp', '192.0.2.2'), 'function');
  assert(typeof leave === 'function');
  leave();
  assert.equal(typeof second.enter('smtp', '192.0.2.1'), 'function');
});

test('a thread that takes the place of a dead one frees what that one held', () => {
  const table = createAdmissionTable(2);
  const dead = new Admission(table, 0, LIMITS);
  for (let count = 0; count < 5; count += 1) dead.enter('smtp', undefined);
  const other = new Admission(table, 1, LIMITS);
  assert.equal(other.enter('smtp', undefined), 'too-many');
  const next = new Admission(table, 0, LIMITS);
  assert.equal(typeof next.enter('smtp', '192.0.2.1'), 'function');
});
