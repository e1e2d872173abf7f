import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Argon2Hasher } from '../auth/credential/password-hash.ts';
import { Fault } from '../base/fault.ts';
import { saltedPassword } from '../sasl/scram-client.ts';
import { hashThrough, startHashThreads } from './hashing.ts';

const WEAK = { memory: 64, passes: 1, parallelism: 1 };
const threads = startHashThreads();
after(() => threads.close());

test('what is hashed in a thread is what is hashed here', async () => {
  const port = threads.connect();
  const there = new Argon2Hasher(WEAK, undefined, hashThrough(port).argon2id);
  const here = new Argon2Hasher(WEAK);
  const [kept, other] = await Promise.all([there.hash('secret'), there.hash('secret')]);
  assert.notEqual(kept, other);
  assert.deepEqual(await here.verify('secret', kept), { ok: true, value: true });
  assert.deepEqual(await there.verify('secret', await here.hash('secret')), { ok: true, value: true });
  assert.deepEqual(await there.verify('wrong', kept), { ok: true, value: false });
  assert.deepEqual(await there.verify('secret', undefined), { ok: true, value: false });
  const salt = { salt: Buffer.from('salt'), iterations: 4096 };
  for (const hash of ['SHA-1', 'SHA-256'] as const)
    assert.deepEqual(
      await hashThrough(port).saltedPassword(hash, 'secret', salt),
      Buffer.from(await saltedPassword(hash, 'secret', salt)),
    );
  port.close();
});

test('what cannot be hashed is a fault, and so is all that waits when the way is cut', async () => {
  const port = threads.connect();
  const { argon2id: compute, saltedPassword: salted } = hashThrough(port);
  await assert.rejects(compute('x', { ...WEAK, memory: 0 }, Buffer.alloc(16), 32), Fault);
  await assert.rejects(salted('SHA-1', 'x', { salt: Buffer.alloc(4), iterations: 0 }), Fault);
  const waiting = compute('x', WEAK, Buffer.alloc(16), 32);
  port.close();
  await assert.rejects(waiting, Fault);
  await assert.rejects(compute('x', WEAK, Buffer.alloc(16), 32), Fault);
});
