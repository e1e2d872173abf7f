import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Peer } from './admission.ts';
import { Admission, createAdmissionTable } from './admission.ts';

const LIMITS = { connectionsMax: 5, connectionsPerAddressMax: 2, connectionsPerNetworkMax: 3 };
const peer = (address: string): Peer => ({ address, network: `${address.slice(0, 7)}/24` });

test('the limit of all connections holds over services and threads', () => {
  const table = createAdmissionTable(2);
  const [first, second] = [new Admission(table, 0, LIMITS), new Admission(table, 1, LIMITS)];
  const leave = first.connect('smtp', undefined);
  for (let count = 1; count < 5; count += 1)
    assert.equal(typeof second.connect('imap', undefined), 'function');
  assert.equal(first.connect('imaps', undefined), 'too-many');
  assert(typeof leave === 'function');
  leave();
  assert.equal(typeof second.connect('smtp', undefined), 'function');
  assert.equal(second.connect('smtp', undefined), 'too-many');
});

test('the limit of one address holds over threads, for each service by itself', () => {
  const table = createAdmissionTable(2);
  const [first, second] = [new Admission(table, 0, LIMITS), new Admission(table, 1, LIMITS)];
  const leave = first.connect('smtp', peer('192.0.2.1'));
  assert.equal(typeof second.connect('smtp', peer('192.0.2.1')), 'function');
  assert.equal(first.connect('smtp', peer('192.0.2.1')), 'too-many-from-address');
  assert.equal(typeof first.connect('imap', peer('192.0.2.1')), 'function');
  assert.equal(typeof second.connect('smtp', peer('192.0.2.2')), 'function');
  assert(typeof leave === 'function');
  leave();
  assert.equal(typeof second.connect('smtp', peer('192.0.2.1')), 'function');
});

test('a thread that takes the place of a dead one frees what that one held', () => {
  const table = createAdmissionTable(2);
  const dead = new Admission(table, 0, LIMITS);
  for (let count = 0; count < 5; count += 1) dead.connect('smtp', undefined);
  const other = new Admission(table, 1, LIMITS);
  assert.equal(other.connect('smtp', undefined), 'too-many');
  const next = new Admission(table, 0, LIMITS);
  assert.equal(typeof next.connect('smtp', peer('192.0.2.1')), 'function');
});

test('the limit of a network holds over its addresses, and what it refuses is not counted', () => {
  const table = createAdmissionTable(1);
  const door = new Admission(table, 0, LIMITS);
  const leaves = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((address) =>
    door.connect('smtp', peer(address)),
  );
  assert.equal(door.connect('smtp', peer('192.0.2.4')), 'too-many-from-network');
  assert.equal(typeof door.connect('smtp', peer('198.51.100.1')), 'function');
  const [leave] = leaves;
  assert(typeof leave === 'function');
  leave();
  const again = door.connect('smtp', peer('192.0.2.4'));
  assert(typeof again === 'function');
  again();
  assert.equal(typeof door.connect('smtp', peer('192.0.2.4')), 'function');
});

test('sessions of an account are counted by name', () => {
  const table = createAdmissionTable(2);
  const [first, second] = [new Admission(table, 0, LIMITS), new Admission(table, 1, LIMITS)];
  const leave = first.enter('account 7', 1);
  assert.equal(second.enter('account 7', 1), undefined);
  assert.equal(typeof second.enter('account 8', 1), 'function');
  leave?.();
  assert.equal(typeof second.enter('account 7', 1), 'function');
});

test('one that takes most of all connections leaves the rest to the others', () => {
  const limits = { connectionsMax: 8, connectionsPerAddressMax: 10, connectionsPerNetworkMax: 20 };
  const door = new Admission(createAdmissionTable(1), 0, limits);
  const from = (address: string): string => {
    const entered = door.connect('smtp', peer(address));
    return typeof entered === 'function' ? 'in' : entered;
  };
  for (let count = 0; count < 6; count += 1) assert.equal(from('192.0.2.1'), 'in');
  assert.equal(from('192.0.2.1'), 'too-many-from-address');
  assert.equal(from('192.0.2.2'), 'too-many-from-network');
  assert.equal(from('198.51.100.1'), 'in');
  assert.equal(from('198.51.100.1'), 'too-many-from-address');
  assert.equal(from('203.0.113.1'), 'in');
  assert.equal(from('203.0.113.2'), 'too-many');
});
