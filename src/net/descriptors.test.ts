import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionsWithin, descriptorsMax } from './descriptors.ts';

const cases = [
  { connections: 20_000, descriptors: undefined, want: 20_000 },
  { connections: 20_000, descriptors: 1_048_576, want: 20_000 },
  { connections: 20_000, descriptors: 1024, want: 752 },
  { connections: 100, descriptors: 1024, want: 100 },
  { connections: 20_000, descriptors: 256, want: 80 },
  { connections: 20_000, descriptors: 64, want: 16 },
];

for (const { connections, descriptors, want } of cases)
  test(`${connections} connections within ${descriptors} descriptors are ${want}`, () => {
    assert.equal(connectionsWithin(connections, descriptors), want);
  });

test('the system says how many descriptors there may be', () => {
  const max = descriptorsMax();
  assert.ok(max === undefined || max > 0);
});
