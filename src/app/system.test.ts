import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemRandom } from './system.ts';

test('chance from the stock is given once, and is all there', () => {
  const seen = new Set<string>();
  for (let time = 0; time < 2000; time += 1) seen.add(Buffer.from(systemRandom.octets(9)).toString('hex'));
  assert.equal(seen.size, 2000);
  assert.ok(!seen.has('00'.repeat(9)));
});

for (const count of [0, 1, 255, 256, 257, 4096, 10_000])
  test(`${count} octets of chance`, () => {
    const octets = systemRandom.octets(count);
    assert.equal(octets.length, count);
    assert.ok(count < 8 || octets.some((octet) => octet !== 0));
  });
