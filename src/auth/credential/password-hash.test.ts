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

/** A gate of one place and four to wait in, already taken by `first`, and who was let in or turned away since. */
function busyGate() {
  const gate = new HashGate(1, 4);
  const doors: (() => void)[] = [];
  const seen: string[] = [];
  const work = (name: string) => async (): Promise<string> => {
    seen.push(name);
    await new Promise<void>((resolve) => void doors.push(resolve));
    return name;
  };
  const entered: Promise<unknown>[] = [gate.enter(work('first'))];
  return {
    gate,
    work,
    seen,
    enter: (name: string, network = name, isFirst = false): void => {
      const entering = gate.enter(work(name), { network, isFirst });
      entered.push(entering.then((value) => value ?? seen.push(`-${name}`)));
    },
    wait: (name: string): void => void entered.push(gate.patiently(work(name))),
    /** Lets out one after the other. */
    empty: async (): Promise<void> => {
      do {
        doors.shift()?.();
        await new Promise((resolve) => void setImmediate(resolve));
      } while (doors.length > 0);
      await Promise.all(entered);
    },
  };
}

const gates: readonly (readonly [string, (gate: ReturnType<typeof busyGate>) => void, readonly string[]])[] =
  [
    [
      'some wait in order, and the rest is turned away',
      ({ enter }) => ['a', 'b', 'c', 'd', 'e'].forEach((name) => enter(name)),
      ['first', '-e', 'a', 'b', 'c', 'd'],
    ],
    [
      'networks take turns',
      ({ enter }) => [1, 2, 3].forEach((at) => (at === 3 ? enter('b') : enter(`a${at}`, 'a'))),
      ['first', 'a1', 'b', 'a2'],
    ],
    [
      'where all places are taken, the network with most of them gives way',
      ({ enter }) => {
        for (const at of [1, 2, 3, 4]) enter(`a${at}`, 'a');
        for (const at of [1, 2, 3]) enter(`b${at}`, 'b');
      },
      ['first', '-a4', '-a3', '-b3', 'a1', 'b1', 'a2', 'b2'],
    ],
    [
      'those who go first go first, and have places of their own',
      ({ enter }) => {
        for (const name of ['a', 'b', 'c', 'd']) enter(name);
        enter('home', 'e', true);
      },
      ['first', 'home', 'a', 'b', 'c', 'd'],
    ],
    [
      'the patient ones are never turned away, and take turns with the others',
      ({ enter, wait }) => {
        for (const name of ['a', 'b', 'c', 'd']) enter(name);
        for (const name of ['p', 'q', 'r', 's', 't', 'u']) wait(name);
      },
      ['first', 'p', 'a', 'q', 'b', 'r', 'c', 's', 'd', 't', 'u'],
    ],
  ];
for (const [what, come, want] of gates)
  test(`a gate: ${what}`, async () => {
    const gate = busyGate();
    come(gate);
    await gate.empty();
    assert.deepEqual(gate.seen, want);
  });

test('a gate stays open although work throws', async () => {
  const gate = new HashGate(1, 1);
  const broken = gate.enter(async () => {
    throw new Error('broken');
  });
  await assert.rejects(broken, /broken/);
  assert.equal(await gate.enter(async () => 'still open'), 'still open');
});
