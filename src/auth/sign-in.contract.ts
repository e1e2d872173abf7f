/** What every directory promises of signing in by SCRAM and by certificate. Run by `directory.contract.ts`. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../base/limits.ts';
import type { Result } from '../base/result.ts';
import type { ScramClaim, ScramHash } from '../sasl/mechanism.ts';
import { saltedPassword } from '../sasl/scram-client.ts';
import { digestOf, hmac, xor } from '../sasl/scram-key.ts';
import type { Authentication } from './authentication.ts';
import type { Directory } from './directory.ts';
import type { Scope } from './principal.ts';

/** What `directory.contract.ts` gives to each of its tests, as far as it is used here. */
type Given = {
  readonly directory: Directory;
  readonly hasher: { readonly verified: number };
  readonly clock: { ms: number };
  readonly under: {
    other?(change: { readonly makesScramKeys: boolean }): Directory;
  };
};

type It = (
  promise: string,
  run: (given: Given) => Promise<void>,
  options?: { readonly throttled?: boolean },
) => void;

const FINGERPRINT = 'ab'.repeat(32);
const OTHER_FINGERPRINT = 'cd'.repeat(32);

export function signInContract(it: It): void {
  it('lets in whoever proves the password by SCRAM, and proves itself (RFC 5802 §3)', async ({
    directory,
  }) => {
    value(await directory.addDomain('a.test'));
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: 'päss wörd' }));
    for (const hash of ['SHA-1', 'SHA-256'] as const) {
      const answer = await prove(directory, 'ALICE@a.test', 'päss wörd', hash);
      assert.ok(answer.ok, hash);
      const { principal, serverSignature } = answer.value;
      assert.deepEqual([principal.account, principal.appPassword], [id, undefined]);
      const salt = await directory.authentication.scramSalt('alice@a.test', hash);
      const salted = await saltedPassword(hash, 'päss wörd', salt);
      assert.deepEqual(Buffer.from(serverSignature), hmac(hash, hmac(hash, salted, 'Server Key'), MESSAGE));
      assert.equal(await outcome(directory, 'alice@a.test', 'wrong', hash), 'refused');
    }
    value(await directory.setAccount(id, { password: 'new' }));
    assert.equal(await outcome(directory, 'alice@a.test', 'päss wörd'), 'refused');
    assert.equal(await outcome(directory, 'alice@a.test', 'new'), 'ok');
    value(await directory.setAccount(id, { displayName: 'Alice' }));
    assert.equal(
      await outcome(directory, 'alice@a.test', 'new'),
      'ok',
      'keys stay when something else changes',
    );
    value(await directory.setAccount(id, { disabled: true }));
    assert.equal(await outcome(directory, 'alice@a.test', 'new'), 'disabled');
    assert.equal(await outcome(directory, 'alice@a.test', 'wrong'), 'refused');
  });

  it('takes a password from clients that normalise it and from those that do not (RFC 4013 §2)', async ({
    directory,
  }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.addAccount({ address: 'alice@a.test', password: 'Ⅸ½' }));
    assert.equal(await outcome(directory, 'alice@a.test', 'Ⅸ½'), 'ok');
    assert.equal(await outcome(directory, 'alice@a.test', 'IX1⁄2'), 'ok');
  });

  it('tells strangers a salt for every name, and nothing by it', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const shapes = new Set<string>();
    const before = await saltOf(directory, 'alice@a.test');
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    assert.equal(await saltOf(directory, 'ALICE@a.test'), before, 'the same when there is an account');
    value(await directory.setAccount(id, { password: 'other' }));
    assert.equal(await saltOf(directory, 'alice@a.test'), before, 'and when its password changes');
    value(await directory.removeAccount(id));
    assert.equal(await saltOf(directory, 'alice@a.test'), before, 'and when it is gone');
    for (const name of ['alice@a.test', 'bob@a.test', 'bob@b.test', 'no address', '']) {
      const { salt, iterations } = await directory.authentication.scramSalt(name, 'SHA-256');
      shapes.add(`${salt.length} ${iterations}`);
      assert.notEqual(await saltOf(directory, name), await saltOf(directory, `x${name}`), name);
      assert.notEqual(await saltOf(directory, name), await saltOf(directory, name, 'SHA-1'), name);
      assert.equal(await saltOf(directory, name), await saltOf(directory, name), name);
    }
    assert.deepEqual([...shapes], ['16 4096']);
  });

  it('refuses proofs of everybody without a slow hash', async ({ directory, hasher }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.addAccount({ address: 'nopass@a.test', password: undefined }));
    for (const name of ['nopass@a.test', 'nobody@a.test', 'nobody@b.test', 'no address', ''])
      assert.equal(await outcome(directory, name, 'right'), 'refused', name);
    assert.equal(hasher.verified, 0);
  });

  it('refuses a proof for another salt, other iterations, another hash, or a changed message', async ({
    directory,
  }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    const claim = await claimOf(directory, 'alice@a.test', 'right', 'SHA-256');
    const { salt } = claim;
    const changes: readonly Partial<ScramClaim>[] = [
      { salt: { ...salt, salt: Buffer.from('other') } },
      { salt: { ...salt, iterations: 8192 } },
      { hash: 'SHA-1' },
      { authMessage: `${MESSAGE}x` },
      { proof: claim.proof.subarray(1) },
      { proof: new Uint8Array(32) },
      { authenticationId: 'bob@a.test' },
    ];
    assert.equal((await directory.authentication.byProof(claim, 'imap')).ok, true);
    for (const change of changes)
      assert.equal((await directory.authentication.byProof({ ...claim, ...change }, 'imap')).ok, false);
  });

  it('knows app passwords by SCRAM, with their scopes', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    const phone = value(await directory.addAppPassword(id, 'Phone', ['imap'])).secret;
    const desk = value(await directory.addAppPassword(id, 'Desk', ['smtp'])).secret;
    const answer = await prove(directory, 'alice@a.test', phone, 'SHA-256');
    assert.ok(answer.ok && answer.value.principal.appPassword === 'Phone');
    assert.equal(await outcome(directory, 'alice@a.test', desk), 'not-in-scope');
    assert.equal(await outcome(directory, 'alice@a.test', desk, 'SHA-1', 'smtp'), 'ok');
    assert.equal(await outcome(directory, 'alice@a.test', 'right'), 'ok');
    value(await directory.setAccount(id, { password: 'other' }));
    assert.equal(await outcome(directory, 'alice@a.test', phone), 'ok', 'whatever becomes of the password');
    value(await directory.removeAppPassword(id, 'Phone'));
    assert.equal(await outcome(directory, 'alice@a.test', phone), 'refused');
    const alone = value(await directory.addAccount({ address: 'bob@a.test', password: undefined }));
    const { secret } = value(await directory.addAppPassword(alone.id, 'Phone', ['imap']));
    assert.equal(await outcome(directory, 'bob@a.test', secret), 'ok', 'where there is no password');
  });

  it('makes keys for a password from before when it is shown, and says when nobody is without', async ({
    directory,
    under,
  }) => {
    const before = under.other?.({ makesScramKeys: false });
    if (before === undefined) return;
    assert.deepEqual(await withoutScram(directory), []);
    value(await before.addDomain('a.test'));
    const { id } = value(await before.addAccount({ address: 'alice@a.test', password: 'right' }));
    const { secret } = value(await before.addAppPassword(id, 'Phone', ['imap']));
    await nextTurn();
    assert.deepEqual(await withoutScram(directory), ['alice@a.test']);
    assert.deepEqual(await directory.signInMeans(id), {
      hasPassword: true,
      hasScramKeys: false,
      certificates: [],
    });
    assert.equal(await outcome(directory, 'alice@a.test', 'right'), 'refused');
    assert.equal((await directory.authenticate('alice@a.test', 'wrong', 'imap')).ok, false);
    assert.equal(await outcome(directory, 'alice@a.test', 'wrong'), 'refused', 'what is wrong makes no keys');
    assert.equal((await directory.authenticate('alice@a.test', 'right', 'imap')).ok, true);
    assert.equal(await outcome(directory, 'alice@a.test', 'right'), 'ok');
    assert.deepEqual(await withoutScram(directory), ['alice@a.test'], 'the app password is still without');
    assert.equal(await outcome(directory, 'alice@a.test', secret), 'refused');
    const typed = secret.replaceAll('-', '').toUpperCase();
    assert.equal((await directory.authenticate('alice@a.test', typed, 'imap')).ok, true);
    assert.equal(await outcome(directory, 'alice@a.test', secret), 'ok');
    assert.deepEqual(await withoutScram(directory), []);
    assert.equal((await directory.signInMeans(id))?.hasScramKeys, true);
    value(await before.setAccount(id, { password: 'other' }));
    await nextTurn();
    assert.equal(
      await outcome(directory, 'alice@a.test', 'right'),
      'refused',
      'old keys go with their password',
    );
    value(await before.setAccount(id, { disabled: true }));
    await nextTurn();
    assert.deepEqual(await withoutScram(directory), [], 'who cannot sign in is not waited for');
  });

  it('knows the holder of a certificate (RFC 4422 §A.1)', async ({ directory, clock }) => {
    value(await directory.addDomain('a.test'));
    const alice = value(await directory.addAccount({ address: 'alice@a.test', password: undefined }));
    const bob = value(await directory.addAccount({ address: 'bob@a.test', password: undefined }));
    const colons = FINGERPRINT.toUpperCase().replaceAll(/..(?=.)/g, '$&:');
    const added = value(await directory.addCertificate(alice.id, colons));
    assert.deepEqual(added, { fingerprint: FINGERPRINT, createdAtMs: clock.ms });
    assert.deepEqual((await directory.signInMeans(alice.id))?.certificates, [added]);
    const from = async (
      fingerprint: string,
      addresses: readonly string[],
      authorizationId = '',
    ): Promise<unknown> => {
      const answer = await directory.authentication.byCertificate(
        { fingerprint, addresses },
        authorizationId,
      );
      return answer.ok ? answer.value.address : answer.error.kind;
    };
    const cases: [string, readonly string[], string, string][] = [
      [FINGERPRINT, [], '', 'alice@a.test'],
      [FINGERPRINT, [], 'Alice@A.test', 'alice@a.test'],
      [FINGERPRINT, [], 'bob@a.test', 'refused'],
      [FINGERPRINT, [], 'no address', 'refused'],
      [FINGERPRINT, ['bob@a.test'], '', 'alice@a.test'],
      [OTHER_FINGERPRINT, [], '', 'refused'],
      [OTHER_FINGERPRINT, ['BOB@a.test'], '', 'bob@a.test'],
      [OTHER_FINGERPRINT, ['nobody@a.test', 'x'], '', 'refused'],
      [OTHER_FINGERPRINT, ['bob@a.test', 'bob@A.test', 'far@b.test'], '', 'bob@a.test'],
      [OTHER_FINGERPRINT, ['bob@a.test', 'alice@a.test'], '', 'refused'],
      [OTHER_FINGERPRINT, ['bob@a.test', 'alice@a.test'], 'alice@a.test', 'alice@a.test'],
    ];
    for (const [fingerprint, addresses, wanted, want] of cases)
      assert.equal(await from(fingerprint, addresses, wanted), want, `${addresses.join()} ${wanted}`);
    assert.equal(problem(await directory.addCertificate(bob.id, FINGERPRINT)), 'exists');
    assert.equal(problem(await directory.addCertificate(bob.id, 'abcd')), 'bad-fingerprint');
    assert.equal(problem(await directory.removeCertificate(bob.id, FINGERPRINT)), 'not-found');
    value(await directory.setAccount(alice.id, { disabled: true }));
    assert.equal(await from(FINGERPRINT, []), 'disabled');
    value(await directory.removeCertificate(alice.id, colons));
    assert.equal(await from(FINGERPRINT, []), 'refused');
    value(await directory.addCertificate(bob.id, FINGERPRINT));
    value(await directory.removeAccount(bob.id));
    assert.equal(problem(await directory.addCertificate(bob.id, OTHER_FINGERPRINT)), 'not-found');
    value(await directory.addCertificate(alice.id, FINGERPRINT));
    for (let more = 1; more < LIMITS.accountCertificatesMax; more += 1)
      value(await directory.addCertificate(alice.id, more.toString(16).padStart(64, '0')));
    assert.equal(problem(await directory.addCertificate(alice.id, OTHER_FINGERPRINT)), 'too-many');
  });

  it('takes the word of another authority for an address', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: undefined }));
    value(await directory.addAccount({ address: 'bob@a.test', password: undefined }));
    const from = async (address: string | undefined, authorizationId = ''): Promise<string> => {
      const answer = await directory.authentication.byToken(authorizationId, async () => address);
      return answer.ok ? answer.value.address : answer.error.kind;
    };
    assert.equal(await from('Alice@A.test'), 'alice@a.test');
    assert.equal(await from('alice@a.test', 'ALICE@a.test'), 'alice@a.test');
    assert.equal(await from('alice@a.test', 'bob@a.test'), 'refused');
    assert.equal(await from('alice@a.test', 'nobody@a.test'), 'refused');
    assert.equal(await from('nobody@a.test'), 'refused');
    assert.equal(await from('no address'), 'refused');
    assert.equal(await from(undefined), 'refused');
    assert.equal(await from(undefined, 'alice@a.test'), 'refused');
    value(await directory.setAccount(id, { disabled: true }));
    assert.equal(await from('alice@a.test'), 'disabled');
    const away = new Error('away');
    const asking = directory.authentication.byToken('bob@a.test', async () => {
      throw away;
    });
    await assert.rejects(asking, away);
  });

  it(
    'asks no other authority for whoever is throttled',
    async ({ directory }) => {
      let asked = 0;
      const fail = async (name: string): Promise<string> => {
        const vouch = async (): Promise<undefined> => void (asked += 1);
        const answer = await directory.authentication.byToken(name, vouch, '192.0.2.1');
        return answer.ok ? 'ok' : answer.error.kind;
      };
      for (let attempt = 0; attempt < LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await fail(attempt % 2 === 0 ? '' : 'x@a.test'), 'refused');
      assert.equal(await fail(''), 'throttled');
      assert.equal(asked, LIMITS.loginFailuresMax);
    },
    { throttled: true },
  );

  it(
    'slows failures down whichever way they are made, and never an account at home',
    async ({ directory, clock }) => {
      value(await directory.addDomain('a.test'));
      value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
      const scram = async (name: string, password: string, source: string): Promise<string> =>
        outcome(directory, name, password, 'SHA-256', 'imap', source);
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'ok', 'from now on a home');
      // One network fails, by names that are nobody's; nobody else there gets in but those at home.
      for (let attempt = 0; attempt < LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await scram(`x${attempt}@a.test`, 'wrong', '192.0.2.1'), 'refused');
      assert.equal(await scram('nobody@a.test', 'wrong', '192.0.2.1'), 'throttled');
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'ok');
      // All the world tries one name, known or not.
      for (const name of ['alice@a.test', 'nobody@a.test']) {
        for (let attempt = 0; attempt < LIMITS.loginNameFailuresMax; attempt += 1)
          assert.equal(await scram(name, 'wrong', `10.0.${attempt}.${name.length}`), 'refused');
        assert.equal(await scram(name, 'right', '10.9.9.9'), 'throttled');
      }
      const plain = await directory.authenticate('alice@a.test', 'right', 'imap', '10.9.9.9');
      assert.equal(!plain.ok && plain.error.kind, 'throttled', 'one count for all mechanisms');
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'ok', 'at home nothing of it is felt');
      // At home only what fails there counts, and is forgiven.
      for (let attempt = 0; attempt < LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await scram('alice@a.test', 'wrong', '192.0.2.1'), 'refused');
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'throttled');
      clock.ms += LIMITS.loginFailureForgivenMs;
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'ok');
      clock.ms += LIMITS.homeNetworkMs;
      for (let attempt = 0; attempt < LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await scram('x@a.test', 'wrong', '192.0.2.1'), 'refused');
      assert.equal(await scram('alice@a.test', 'right', '192.0.2.1'), 'throttled', 'a home is not for ever');
      const from = { fingerprint: FINGERPRINT, addresses: [] };
      const shown = await directory.authentication.byCertificate(from, '', '192.0.2.1');
      assert.equal(!shown.ok && shown.error.kind, 'throttled');
    },
    { throttled: true },
  );

  it(
    'keeps the homes that were seen last',
    async ({ directory, clock }) => {
      value(await directory.addDomain('a.test'));
      value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
      const homes = Array.from({ length: LIMITS.homeNetworksMax + 1 }, (_, index) => `10.0.0.${index + 1}`);
      for (const home of homes) {
        clock.ms += 1;
        assert.equal((await directory.authenticate('alice@a.test', 'right', 'imap', home)).ok, true);
      }
      for (let attempt = 0; attempt < LIMITS.loginNameFailuresMax; attempt += 1)
        await outcome(directory, 'alice@a.test', 'wrong', 'SHA-256', 'imap', `10.1.${attempt}.1`);
      const from = async (home: string | undefined): Promise<string> =>
        outcome(directory, 'alice@a.test', 'right', 'SHA-256', 'imap', home);
      assert.equal(await from(homes[0]), 'throttled');
      assert.equal(await from(homes[1]), 'ok');
      assert.equal(await from(homes.at(-1)), 'ok');
    },
    { throttled: true },
  );
}

const MESSAGE = 'n=user,r=abc,r=abcdef,s=salt,i=4096,c=biws,r=abcdef';

/** As a client makes it, without normalising. */
async function claimOf(
  directory: Directory,
  authenticationId: string,
  password: string,
  hash: ScramHash,
): Promise<ScramClaim> {
  const salt = await directory.authentication.scramSalt(authenticationId, hash);
  const clientKey = hmac(hash, await saltedPassword(hash, password, salt), 'Client Key');
  const storedKey = createHash(digestOf(hash)).update(clientKey).digest();
  return {
    kind: 'scram',
    mechanism: `SCRAM-${hash}`,
    hash,
    authorizationId: '',
    authenticationId,
    salt,
    authMessage: MESSAGE,
    proof: xor(clientKey, hmac(hash, storedKey, MESSAGE)),
  };
}

async function prove(
  directory: Directory,
  name: string,
  password: string,
  hash: ScramHash = 'SHA-256',
  ...where: [scope?: Scope, source?: string]
): ReturnType<Authentication['byProof']> {
  const [scope = 'imap', source] = where;
  return directory.authentication.byProof(await claimOf(directory, name, password, hash), scope, source);
}

/** 'ok', or why not. */
async function outcome(...attempt: Parameters<typeof prove>): Promise<string> {
  const answer = await prove(...attempt);
  return answer.ok ? 'ok' : answer.error.kind;
}

async function saltOf(directory: Directory, name: string, hash: ScramHash = 'SHA-256'): Promise<string> {
  return Buffer.from((await directory.authentication.scramSalt(name, hash)).salt).toString('hex');
}

function value<Value>(result: Result<Value, { readonly kind: string }>): Value {
  assert.ok(result.ok, result.ok ? '' : `refused: ${result.error.kind}`);
  return result.value;
}

function problem(result: Result<unknown, { readonly kind: string }>): string {
  return result.ok ? 'none' : result.error.kind;
}

async function withoutScram(directory: Directory): Promise<readonly string[]> {
  return (await directory.accountsWithoutScram()).map(({ address }) => address);
}
