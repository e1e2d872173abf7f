import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HashGate } from './hash-gate.ts';
import { Argon2Hasher, DEFAULT_PARAMETERS, parsePasswordHash, preparePassword } from './password-hash.ts';

const WEAK = { memory: 8, passes: 1, parallelism: 1 };

test('what is hashed by default is what OWASP asks for at least: argon2id, 19 MiB, 2 passes', async () => {
  const hasher = new Argon2Hasher();
  const kept = await hasher.hash('password');
  assert.match(kept, /^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.deepEqual(parsePasswordHash(kept)?.parameters, DEFAULT_PARAMETERS);
  assert.deepEqual(await hasher.verify('password', kept), { ok: true, value: true });
  assert.deepEqual(await hasher.verify('Password', kept), { ok: true, value: false });
  assert.notEqual(await hasher.hash('password'), kept);
});

test('a hash of the reference implementation is verified (PHC string format)', async () => {
  const kept = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
  const hasher = new Argon2Hasher(WEAK);
  assert.deepEqual(await hasher.verify('password', kept), { ok: true, value: true });
  assert.equal(hasher.isOutdated(kept), true);
});

const noHashes = [
  '',
  'password',
  '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=16$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=7,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=15,t=2,p=2$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=65536,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=99999999,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=65536,t=2,p=1$short$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
  '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$short',
];
for (const kept of noHashes) {
  test(`nobody gets in by the stored text ${JSON.stringify(kept.slice(0, 34))}`, async () => {
    assert.deepEqual(await new Argon2Hasher(WEAK).verify('password', kept), { ok: true, value: false });
  });
}

test('nobody gets in where there is no account', async () => {
  assert.deepEqual(await new Argon2Hasher(WEAK).verify('', undefined), { ok: true, value: false });
});

test('a password is compared by its characters, not their octets (RFC 8265 §4.2.2)', () => {
  assert.equal(preparePassword('e\u0301\u3000x'), 'é x');
  assert.equal(preparePassword(''), undefined);
  assert.equal(preparePassword('x'.repeat(1024))?.length, 1024);
  assert.equal(preparePassword('x'.repeat(1025)), undefined);
});

test('a hash reads back', async () => {
  const hasher = new Argon2Hasher(WEAK);
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (password) => {
      const verdict = await hasher.verify(password, await hasher.hash(password));
      assert.deepEqual(verdict, { ok: true, value: true });
    }),
    { numRuns: 30 },
  );
});

test('a gate lets some in, some wait in order, and turns the rest away', async () => {
  const gate = new HashGate(2, 1);
  const doors: (() => void)[] = [];
  const order: number[] = [];
  const work = (name: number) => async (): Promise<void> => {
    order.push(name);
    await new Promise<void>((resolve) => void doors.push(resolve));
  };
  const inside = [gate.enter(work(1)), gate.enter(work(2)), gate.enter(work(3))];
  assert.equal(gate.enter(work(4)), undefined);
  const patient = gate.patiently(work(5));
  assert.deepEqual(order, [1, 2]);
  while (order.length < 4 || doors.length > 0) {
    doors.shift()?.();
    await new Promise((resolve) => void setImmediate(resolve));
  }
  await Promise.all([...inside, patient]);
  assert.deepEqual(order, [1, 2, 3, 5]);
  const again = gate.enter(async () => {
    throw new Error('broken');
  });
  await assert.rejects(async () => again, /broken/);
  assert.equal(await gate.enter(async () => 'still open'), 'still open');
});
