import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSameMac, macOf } from './mac.ts';

test('HMAC-SHA-256 (RFC 4231 §4.3)', () => {
  assert.equal(
    macOf(Buffer.from('Jefe'), 'what do ya want for nothing?').toString('hex'),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
});

test('the same, another, a shorter and an empty one', () => {
  const made = macOf(Buffer.from('k'), 'x');
  assert.ok(isSameMac(made, macOf(Buffer.from('k'), 'x')));
  for (const shown of [
    macOf(Buffer.from('l'), 'x'),
    macOf(Buffer.from('k'), 'y'),
    made.subarray(1),
    Buffer.alloc(0),
  ])
    assert.ok(!isSameMac(made, shown));
});
