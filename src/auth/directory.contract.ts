/** What every directory promises, as tests. A backend runs it with a way to make an empty one. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import type { Random } from '../base/random.ts';
import type { Result } from '../base/result.ts';
import { known, toAccountId, toMailboxId } from '../store/ids.ts';
import type { AccountId } from '../store/ids.ts';
import { Argon2Hasher } from './credential/password-hash.ts';
import type { HashParameters, LoginTurn, Overloaded, PasswordHasher } from './credential/password-hash.ts';
import { ScramKeyMaker } from './credential/scram-key-maker.ts';
import type { Directory, DirectoryProblem, Resolution } from './directory.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import { NetworkLoginThrottle, UNTHROTTLED } from './login-throttle.ts';
import type { LoginThrottle } from './login-throttle.ts';
import { signInContract } from './sign-in.contract.ts';

export type ContractOptions = {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: PasswordHasher;
  readonly scramKeyMaker: ScramKeyMaker;
  readonly makesScramKeys?: boolean;
  readonly throttle: LoginThrottle;
  readonly postmasterAddress: string | undefined;
};

/** A backend with one empty directory; `other` opens the same one again (another thread's), where there is such a thing. */
export type DirectoryUnderTest = {
  readonly directory: Directory;
  other?(change?: Partial<Pick<ContractOptions, 'hasher' | 'makesScramKeys'>>): Directory;
  close(): Promise<void>;
};

const WEAK: HashParameters = { memory: 8, passes: 1, parallelism: 1 };

/** Counts what costs: one count, one argon2id. */
export class CountingHasher implements PasswordHasher {
  readonly #hasher: PasswordHasher;
  verified = 0;

  constructor(parameters: HashParameters = WEAK) {
    this.#hasher = new Argon2Hasher(parameters);
  }

  async hash(password: string): Promise<string> {
    return this.#hasher.hash(password);
  }

  async verify(
    password: string,
    kept: string | undefined,
    turn?: LoginTurn,
  ): Promise<Result<boolean, Overloaded>> {
    this.verified += 1;
    return this.#hasher.verify(password, kept, turn);
  }

  isOutdated(kept: string): boolean {
    return this.#hasher.isOutdated(kept);
  }
}

class TestClock implements Clock {
  ms = 1_700_000_000_000;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  after(): { cancel(): void } {
    throw new TypeError('A directory sets no timers');
  }
}

type Given = {
  readonly directory: Directory;
  readonly hasher: CountingHasher;
  readonly clock: TestClock;
  readonly under: DirectoryUnderTest;
};

export function directoryContract(
  name: string,
  open: (options: ContractOptions) => Promise<DirectoryUnderTest>,
): void {
  function it(
    promise: string,
    run: (given: Given) => Promise<void>,
    options: { readonly postmasterAddress?: string; readonly throttled?: boolean } = {},
  ): void {
    test(`${name} directory: ${promise}`, async () => {
      const clock = new TestClock();
      const hasher = new CountingHasher();
      let chance = 0;
      const under = await open({
        clock,
        hasher,
        scramKeyMaker: new ScramKeyMaker(4096),
        random: { octets: (count) => new Uint8Array(count), below: (below) => (chance += 7) % below },
        throttle:
          options.throttled === true
            ? new NetworkLoginThrottle(new RateTable(createRateMemory(8, 8, 1024), clock))
            : UNTHROTTLED,
        postmasterAddress: options.postmasterAddress,
      });
      try {
        await run({ directory: under.directory, hasher, clock, under });
      } finally {
        await under.close();
      }
    });
  }

  it('keeps domains under one name, however it is written', async ({ directory }) => {
    const added = value(await directory.addDomain('Bücher.Example'));
    assert.deepEqual([added.name, added.displayName], ['xn--bcher-kva.example', 'bücher.example']);
    value(await directory.addDomain('a.test'));
    assert.equal(problem(await directory.addDomain('XN--BCHER-KVA.example')), 'exists');
    assert.equal(problem(await directory.addDomain('a/b')), 'bad-address');
    assert.equal(problem(await directory.addDomain('[127.0.0.1]')), 'bad-address');
    assert.deepEqual(
      (await directory.domains()).map((domain) => domain.name),
      ['a.test', 'xn--bcher-kva.example'],
    );
    for (const domain of ['bücher.example', 'BÜCHER.example', 'xn--bcher-kva.example', 'A.Test'])
      assert.equal(await directory.isLocalDomain(domain), true, domain);
    for (const domain of ['b.test', 'a.test.', 'x.a.test', '', '[127.0.0.1]', '%61.test'])
      assert.equal(await directory.isLocalDomain(domain), false, domain);
  });

  it('does not let go of a domain in use', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: undefined }));
    assert.equal(problem(await directory.removeDomain('a.test')), 'in-use');
    value(await directory.removeAccount(id));
    value(await directory.setAlias('@a.test', ['x@b.test']));
    assert.equal(problem(await directory.removeDomain('a.test')), 'in-use');
    value(await directory.removeAlias('@A.test'));
    value(await directory.removeDomain('A.test'));
    assert.equal(problem(await directory.removeDomain('a.test')), 'not-found');
    assert.deepEqual(await directory.resolve('alice@a.test'), { kind: 'remote', domain: 'a.test' });
  });

  it('adds, changes, lists and removes accounts', async ({ directory, clock }) => {
    value(await directory.addDomain('a.test'));
    const added = value(
      await directory.addAccount({
        address: 'Alice@A.test',
        password: 'one',
        displayName: 'Alice',
        quotaOctets: 1000,
      }),
    );
    assert.deepEqual(added, {
      id: added.id,
      address: 'alice@a.test',
      displayName: 'Alice',
      disabled: false,
      quotaOctets: 1000,
      createdAtMs: clock.ms,
    });
    assert.deepEqual(await directory.account(added.id), added);
    assert.deepEqual(await directory.accountByAddress('ALICE@a.test'), added);
    assert.equal(problem(await directory.addAccount({ address: 'alice@a.test', password: 'x' })), 'exists');
    assert.equal(
      problem(await directory.addAccount({ address: 'alice@b.test', password: 'x' })),
      'no-such-domain',
    );
    assert.equal(problem(await directory.addAccount({ address: 'alice', password: 'x' })), 'bad-address');
    const long = `${'a'.repeat(65)}@a.test`;
    assert.equal(problem(await directory.addAccount({ address: long, password: 'x' })), 'bad-address');
    assert.equal(problem(await directory.setAlias(long, ['alice@a.test'])), 'bad-address');
    assert.equal(problem(await directory.addAccount({ address: 'b@a.test', password: '' })), 'bad-password');
    assert.equal(
      problem(await directory.addAccount({ address: 'b@a.test', password: 'x', displayName: 'B\r\nX: y' })),
      'bad-name',
    );
    const changed = value(
      await directory.setAccount(added.id, { displayName: 'A', disabled: true, quotaOctets: null }),
    );
    assert.deepEqual(changed, { ...added, displayName: 'A', disabled: true, quotaOctets: undefined });
    assert.deepEqual(value(await directory.setAccount(added.id, {})), changed);
    value(await directory.addAccount({ address: 'bob@a.test', password: undefined }));
    value(await directory.addAccount({ address: 'carol@a.test', password: undefined }));
    const names = async (after: string | undefined, limit: number): Promise<string[]> =>
      (await directory.accounts({ after, limit })).map((one) => one.address);
    assert.deepEqual(await names(undefined, 2), ['alice@a.test', 'bob@a.test']);
    assert.deepEqual(await names('bob@a.test', 2), ['carol@a.test']);
    assert.equal((await directory.accounts()).length, 3);
    value(await directory.removeAccount(added.id));
    assert.equal(problem(await directory.removeAccount(added.id)), 'not-found');
    assert.equal(problem(await directory.setAccount(added.id, { disabled: false })), 'not-found');
    assert.equal(await directory.account(added.id), undefined);
    const again = value(await directory.addAccount({ address: 'alice@a.test', password: undefined }));
    assert.notEqual(again.id, added.id, 'an account number is never given again');
  });

  it('never gives the last account number again', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const first = value(await directory.addAccount({ address: 'a@a.test', password: undefined }));
    value(await directory.removeAccount(first.id));
    const second = value(await directory.addAccount({ address: 'a@a.test', password: undefined }));
    assert.ok(second.id > first.id);
  });

  it('resolves an address by its normal form, its detail apart (RFC 5321 §2.4, RFC 5233)', async ({
    directory,
  }) => {
    value(await directory.addDomain('bücher.example'));
    const id = await account(directory, 'Jürgen@bücher.example');
    const local = (detail: string | undefined): Resolution => ({
      kind: 'local',
      accounts: [{ account: id, address: 'jürgen@xn--bcher-kva.example', detail }],
      forwards: [],
    });
    assert.deepEqual(await directory.resolve('JÜRGEN@XN--bcher-kva.example'), local(undefined));
    assert.deepEqual(await directory.resolve('"jürgen"@bücher.example'), local(undefined));
    assert.deepEqual(await directory.resolve('jürgen+News@bücher.example'), local('News'));
    assert.deepEqual(await directory.resolve('jurgen@bücher.example'), { kind: 'unknown' });
    assert.deepEqual(await directory.resolve('no address'), { kind: 'unknown' });
    assert.deepEqual(await directory.resolve(''), { kind: 'unknown' });
    assert.deepEqual(await directory.resolve('a@B.test'), { kind: 'remote', domain: 'b.test' });
    assert.deepEqual(await directory.resolve('a@[127.0.0.1]'), { kind: 'remote', domain: '[127.0.0.1]' });
    // Return paths of senders that count their bounces (VERP) pass RFC 5321 §4.5.3.1.1's 64 octets.
    const verp = `bounces+12345-6789-${'x'.repeat(80)}=example.com@b.test`;
    assert.deepEqual(await directory.resolve(verp), { kind: 'remote', domain: 'b.test' });
  });

  it('asks account, alias, account and alias without detail, and the catch-all, in this order', async ({
    directory,
  }) => {
    value(await directory.addDomain('a.test'));
    const rest = await account(directory, 'rest@a.test');
    const alice = await account(directory, 'alice@a.test');
    const work = await account(directory, 'alice+work@a.test');
    const bob = await account(directory, 'bob@a.test');
    value(await directory.setAlias('@a.test', ['rest@a.test']));
    value(await directory.setAlias('alice+club@a.test', ['bob@a.test']));
    value(await directory.setAlias('sales@a.test', ['alice@a.test']));
    const cases: [string, AccountId, string | undefined][] = [
      ['alice@a.test', alice, undefined],
      ['alice+work@a.test', work, undefined],
      ['alice+club@a.test', bob, undefined],
      ['alice+else@a.test', alice, 'else'],
      ['sales@a.test', alice, undefined],
      ['sales+x@a.test', alice, 'x'],
      ['nobody@a.test', rest, undefined],
      ['nobody+x@a.test', rest, 'x'],
    ];
    for (const [address, want, detail] of cases) {
      const found = await directory.resolve(address);
      assert.ok(found.kind === 'local', address);
      assert.deepEqual(
        found.accounts.map((one) => [one.account, one.detail]),
        [[want, detail]],
        address,
      );
    }
  });

  it('leads each account to a message once, however many ways lead there', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    const bob = await account(directory, 'bob@a.test');
    value(await directory.setAlias('left@a.test', ['alice@a.test', 'Far.Away@B.test']));
    value(await directory.setAlias('right@a.test', ['bob@a.test', 'alice+x@a.test']));
    value(
      await directory.setAlias('all@a.test', [
        'left@a.test',
        'right@a.test',
        'Far.Away@b.test',
        'none@a.test',
      ]),
    );
    const found = await directory.resolve('all@a.test');
    assert.ok(found.kind === 'local');
    assert.deepEqual(
      found.accounts.map((one) => one.account),
      [alice, bob],
    );
    assert.deepEqual(found.forwards, ['Far.Away@b.test']);
  });

  it('keeps aliases, and takes each target once', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    await account(directory, 'alice@a.test');
    const alias = value(
      await directory.setAlias('Sales@A.test', ['alice@a.test', 'ALICE@A.test', 'alice@A.test']),
    );
    assert.deepEqual([alias.address, alias.targets], ['sales@a.test', ['alice@a.test', 'ALICE@a.test']]);
    assert.deepEqual(await directory.alias('SALES@a.test'), alias);
    value(await directory.setAlias('sales@a.test', ['x@b.test']));
    assert.deepEqual((await directory.alias('sales@a.test'))?.targets, ['x@b.test']);
    value(await directory.setAlias('@a.test', ['alice@a.test']));
    assert.deepEqual(
      (await directory.aliases()).map((one) => one.address),
      ['@a.test', 'sales@a.test'],
    );
    assert.deepEqual(
      (await directory.aliases({ after: '@a.test', limit: 1 })).map((one) => one.address),
      ['sales@a.test'],
    );
    assert.equal(problem(await directory.setAlias('alice@a.test', ['x@b.test'])), 'exists');
    assert.equal(
      problem(await directory.addAccount({ address: 'sales@a.test', password: undefined })),
      'exists',
    );
    assert.equal(problem(await directory.setAlias('sales@b.test', ['x@b.test'])), 'no-such-domain');
    assert.equal(problem(await directory.setAlias('other@a.test', [])), 'bad-address');
    assert.equal(problem(await directory.setAlias('other@a.test', ['alice'])), 'bad-address');
    assert.equal(problem(await directory.setAlias('other', ['x@b.test'])), 'bad-address');
    const many = Array.from({ length: LIMITS.aliasTargetsMax + 1 }, (_, index) => `x${index}@b.test`);
    assert.equal(problem(await directory.setAlias('other@a.test', many)), 'too-many');
    value(await directory.setAlias('other@a.test', many.slice(1)));
    value(await directory.removeAlias('SALES@a.test'));
    assert.equal(problem(await directory.removeAlias('sales@a.test')), 'not-found');
  });

  it('tells those whom a list alone reaches, with its owner (RFC 5321 §3.9.2)', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const alice = value(await directory.addAccount({ address: 'alice@a.test', password: undefined })).id;
    const bob = value(await directory.addAccount({ address: 'bob@a.test', password: undefined })).id;
    const members = ['alice+news@a.test', 'bob@a.test', 'far@b.test', 'farther@b.test'];
    const list = value(
      await directory.setAlias('News@a.test', members, { owner: 'Boss@A.test', verp: true }),
    );
    assert.deepEqual([list.owner, list.verp], ['Boss@a.test', true]);
    assert.deepEqual(await directory.alias('news@a.test'), list);
    assert.deepEqual(await directory.aliases(), [list]);
    const one = (id: AccountId, address: string, detail?: string) => ({ account: id, address, detail });
    const news = { address: 'news@a.test', owner: 'Boss@a.test', verp: true };
    assert.deepEqual(await directory.resolve('news@a.test'), {
      kind: 'local',
      accounts: [],
      forwards: [],
      lists: [
        {
          ...news,
          accounts: [one(alice, 'alice@a.test', 'news'), one(bob, 'bob@a.test')],
          forwards: ['far@b.test', 'farther@b.test'],
        },
      ],
    });
    assert.equal(await directory.sendingRight(bob, 'news@a.test'), 'own');
    value(await directory.setAlias('all@a.test', ['news@a.test', 'bob@a.test', 'far@b.test']));
    assert.deepEqual(await directory.resolve('all@a.test'), {
      kind: 'local',
      accounts: [one(bob, 'bob@a.test')],
      forwards: ['far@b.test'],
      lists: [{ ...news, accounts: [one(alice, 'alice@a.test', 'news')], forwards: ['farther@b.test'] }],
    });
    value(await directory.setAlias('news@a.test', ['far@b.test'], { verp: false }));
    value(await directory.setAlias('more@a.test', ['all@a.test', 'far@b.test'], { owner: 'x@far.test' }));
    assert.deepEqual(await directory.resolve('more@a.test'), {
      kind: 'local',
      accounts: [],
      forwards: [],
      lists: [
        {
          address: 'more@a.test',
          owner: 'x@far.test',
          verp: false,
          accounts: [one(bob, 'bob@a.test')],
          forwards: [],
        },
        { ...news, verp: false, accounts: [], forwards: ['far@b.test'] },
      ],
    });
    const plain = value(await directory.setAlias('news@a.test', ['far@b.test'], { owner: null }));
    assert.deepEqual([plain.owner, plain.verp], [undefined, undefined]);
    const direct = { kind: 'local', accounts: [], forwards: ['far@b.test'] };
    assert.deepEqual(await directory.resolve('news@a.test'), direct);
  });

  it('takes an alias for a list where its owner- is beside it, as Sendmail and Postfix do', async ({
    directory,
  }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.setAlias('news@a.test', ['far@b.test']));
    value(await directory.setAlias('@a.test', ['rest@b.test']));
    const list = { address: 'news@a.test', owner: 'owner-news@a.test', verp: false };
    const before = await directory.resolve('news@a.test');
    assert.ok(before.kind === 'local' && before.lists === undefined);
    value(await directory.setAlias('owner-news@a.test', ['boss@b.test']));
    value(await directory.setAlias('owner-owner-news@a.test', ['boss@b.test']));
    assert.deepEqual(await directory.resolve('NEWS@a.test'), {
      kind: 'local',
      accounts: [],
      forwards: [],
      lists: [{ ...list, accounts: [], forwards: ['far@b.test'] }],
    });
    const owner = await directory.resolve('owner-news@a.test');
    assert.deepEqual(owner, { kind: 'local', accounts: [], forwards: ['boss@b.test'] });
    value(await directory.setAlias('news@a.test', ['far@b.test'], { owner: 'other@a.test' }));
    const after = await directory.resolve('news@a.test');
    assert.equal(after.kind === 'local' && after.lists?.[0]?.owner, 'other@a.test');
  });

  it('refuses owners that can be none', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const targets = ['far@b.test'];
    assert.equal(
      problem(await directory.setAlias('x@a.test', targets, { owner: 'no address' })),
      'bad-owner',
    );
    assert.equal(problem(await directory.setAlias('x@a.test', targets, { verp: true })), 'bad-owner');
    assert.equal(problem(await directory.setAlias('@a.test', targets, { owner: 'y@a.test' })), 'bad-owner');
    assert.equal(await directory.alias('x@a.test'), undefined);
    value(await directory.setAlias('x@a.test', targets, { owner: 'y@a.test', verp: true }));
    assert.equal(
      problem(await directory.setAlias('x@a.test', targets, { owner: null, verp: true })),
      'bad-owner',
    );
    const kept = value(await directory.setAlias('x@a.test', ['z@b.test']));
    assert.deepEqual([kept.owner, kept.verp], ['y@a.test', true]);
  });

  it('tells the limit of an account that an address leads to', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const id = await account(directory, 'alice@a.test');
    value(await directory.setAccount(id, { quotaOctets: 1000 }));
    value(await directory.setAlias('sales@a.test', ['alice@a.test', 'far@b.test']));
    const alice = { account: id, address: 'alice@a.test', detail: undefined, quotaOctets: 1000 };
    const forwards = ['far@b.test'];
    const limited = { kind: 'local', accounts: [alice], forwards };
    assert.deepEqual(await directory.resolve('sales@a.test'), limited);
    value(await directory.setAccount(id, { quotaOctets: null }));
    const { quotaOctets: _none, ...unlimited } = alice;
    assert.deepEqual(await directory.resolve('sales@a.test'), {
      kind: 'local',
      accounts: [unlimited],
      forwards,
    });
  });

  it('makes a secret when one is first asked for, and keeps the newest first', async ({
    directory,
    under,
    clock,
  }) => {
    const [first, ...none] = await directory.secrets('srs');
    assert.ok(first !== undefined && first.text.length >= 32);
    assert.equal(none.length, 0);
    assert.deepEqual(await (under.other?.() ?? directory).secrets('srs'), [first]);
    clock.ms += 1000;
    const next = value(await directory.addSecret('srs', 'a-secret-of-old-0'));
    assert.deepEqual(next, { text: 'a-secret-of-old-0', createdAtMs: clock.ms });
    assert.deepEqual(await directory.secrets('srs'), [next, first]);
    for (const bad of ['short', 'with a blank in it', 'x'.repeat(257), 'ümlautümlautümlaut'])
      assert.equal(problem(await directory.addSecret('srs', bad)), 'bad-secret', bad);
    for (let count = 0; count < LIMITS.secretsMax; count += 1)
      value(await directory.addSecret('srs', `secret-number-${count}-of-many`));
    const all = await directory.secrets('srs');
    assert.equal(all.length, LIMITS.secretsMax);
    assert.ok(!all.some(({ text }) => text === first.text || text === next.text));
    const last = value(await directory.addSecret('srs', 'the-only-one-from-now-on', true));
    assert.deepEqual(await directory.secrets('srs'), [last]);
  });

  it('refuses aliases that lead back to themselves', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    assert.equal(problem(await directory.setAlias('a@a.test', ['a@a.test'])), 'loop');
    assert.equal(problem(await directory.setAlias('a@a.test', ['a+x@a.test'])), 'loop');
    value(await directory.setAlias('a@a.test', ['b@a.test']));
    value(await directory.setAlias('b@a.test', ['c@a.test', 'far@b.test']));
    assert.equal(problem(await directory.setAlias('c@a.test', ['far@b.test', 'a@a.test'])), 'loop');
    assert.equal(problem(await directory.setAlias('@a.test', ['nobody@a.test'])), 'loop');
    assert.equal(
      problem(await directory.setAlias('@a.test', ['a@a.test'])),
      'loop',
      'c is for the catch-all',
    );
  });

  it('passes over a loop that came about later', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const id = await account(directory, 'all@a.test');
    value(await directory.setAlias('@a.test', ['all@a.test', 'far@b.test']));
    value(await directory.removeAccount(id));
    assert.deepEqual(await directory.resolve('any@a.test'), {
      kind: 'local',
      accounts: [],
      forwards: ['far@b.test'],
    });
  });

  it('follows aliases of aliases to a depth, and no further', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const id = await account(directory, 'x0@a.test');
    for (let depth = 1; depth <= LIMITS.aliasDepthMax; depth += 1)
      value(await directory.setAlias(`x${depth}@a.test`, [`x${depth - 1}@a.test`]));
    const deepest = await directory.resolve(`x${LIMITS.aliasDepthMax}@a.test`);
    assert.ok(deepest.kind === 'local' && deepest.accounts[0]?.account === id);
    assert.equal(
      problem(await directory.setAlias('y@a.test', [`x${LIMITS.aliasDepthMax}@a.test`])),
      'too-many',
    );
  });

  it('knows postmaster without a domain, and at every domain (RFC 5321 §4.5.1)', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    assert.deepEqual(await directory.resolve('postmaster'), { kind: 'unknown' });
    value(await directory.addDomain('b.test'));
    const id = await account(directory, 'postmaster@b.test');
    const found = await directory.resolve('Postmaster');
    assert.ok(found.kind === 'local' && found.accounts[0]?.account === id);
  });

  it(
    'gives postmaster and abuse to the operator unless somebody has the name (RFC 2142 §4)',
    async ({ directory }) => {
      value(await directory.addDomain('a.test'));
      const op = await account(directory, 'op@a.test');
      const rest = await account(directory, 'rest@a.test');
      value(await directory.setAlias('@a.test', ['rest@a.test']));
      for (const address of ['postmaster', 'PostMaster@a.test', 'abuse@a.test', 'abuse+x@A.test']) {
        const found = await directory.resolve(address);
        assert.ok(found.kind === 'local' && found.accounts[0]?.account === op, address);
      }
      value(await directory.setAlias('abuse@a.test', ['rest@a.test']));
      const found = await directory.resolve('abuse@a.test');
      assert.ok(found.kind === 'local' && found.accounts[0]?.account === rest);
      assert.deepEqual(await directory.resolve('postmaster@b.test'), { kind: 'remote', domain: 'b.test' });
    },
    { postmasterAddress: 'Op@a.test' },
  );

  it('tells disabled from unknown', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    const bob = await account(directory, 'bob@a.test');
    value(await directory.setAccount(alice, { disabled: true }));
    value(await directory.setAlias('both@a.test', ['alice@a.test', 'bob@a.test']));
    assert.deepEqual(await directory.resolve('alice@a.test'), { kind: 'disabled', account: alice });
    const both = await directory.resolve('both@a.test');
    assert.deepEqual(both.kind === 'local' && both.accounts.map((one) => one.account), [bob]);
  });

  it('lets an account send as what leads to it', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    await account(directory, 'bob@a.test');
    value(await directory.setAlias('team@a.test', ['bob@a.test', 'alice@a.test']));
    value(await directory.setAlias('bobs@a.test', ['bob@a.test']));
    for (const address of ['Alice@A.test', 'alice+x@a.test', 'team@a.test'])
      assert.equal(await directory.sendingRight(alice, address), 'own', address);
    for (const address of ['bob@a.test', 'bobs@a.test', 'none@a.test', 'alice@b.test', 'postmaster', ''])
      assert.equal(await directory.sendingRight(alice, address), undefined, address);
  });

  it('lets an account send as what it was granted, and takes that back', async ({ directory, under }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    await account(directory, 'bob@a.test');
    value(await directory.setAlias('bobs@a.test', ['bob@a.test']));
    value(await directory.setAlias('both@a.test', ['bob@a.test', 'carl@b.test']));
    value(await directory.setAlias('all@a.test', ['bob@a.test', 'zoe@a.test']));
    await account(directory, 'zoe@a.test');
    assert.deepEqual(value(await directory.addSendGrant(alice, 'BOB@a.test')), ['bob@a.test']);
    assert.equal(problem(await directory.addSendGrant(alice, 'bob@A.test')), 'exists');
    assert.equal(problem(await directory.addSendGrant(alice, 'no address')), 'bad-address');
    const both = ['boss@b.test', 'bob@a.test'].toSorted();
    assert.deepEqual(value(await directory.addSendGrant(alice, 'boss@b.test')), both);
    const again = under.other?.() ?? directory;
    assert.deepEqual(await again.sendGrants(alice), both);
    for (const address of ['bob@a.test', 'bob+x@a.test', 'bobs@a.test', 'both@a.test', 'Boss@B.test'])
      assert.equal(await again.sendingRight(alice, address), 'granted', address);
    for (const address of ['all@a.test', 'zoe@a.test', 'other@b.test'])
      assert.equal(await again.sendingRight(alice, address), undefined, address);
    assert.deepEqual(value(await again.removeSendGrant(alice, 'Bob@a.test')), ['boss@b.test']);
    assert.equal(problem(await again.removeSendGrant(alice, 'bob@a.test')), 'not-found');
    assert.equal(await directory.sendingRight(alice, 'bobs@a.test'), undefined);
    for (const address of ['zoe@a.test', 'all@a.test']) value(await directory.addSendGrant(alice, address));
    const zoe = (await directory.accountByAddress('zoe@a.test'))?.id ?? assert.fail('no account');
    value(await directory.removeAccount(zoe));
    value(await directory.removeAlias('all@a.test'));
    // Whoever is given these addresses next granted nothing.
    assert.deepEqual(await directory.sendGrants(alice), ['boss@b.test']);
    value(await directory.removeAccount(alice));
    assert.deepEqual(await directory.sendGrants(alice), []);
    assert.equal(problem(await directory.addSendGrant(alice, 'bob@a.test')), 'not-found');
  });

  it('shares mailboxes with accounts, groups and everybody, and takes that back', async ({
    directory,
    under,
  }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    const bob = await account(directory, 'bob@a.test');
    const carol = await account(directory, 'carol@a.test');
    value(await directory.setAlias('staff@a.test', ['carol@a.test', 'far@b.test']));
    value(await directory.setAlias('team@a.test', ['staff@a.test']));
    const inbox = known(toMailboxId(1));
    const all = { owner: alice, mailbox: undefined };
    const one = { owner: alice, mailbox: inbox };
    value(await directory.setShare({ ...one, identifier: 'BOB@a.test', rights: 'lrs' }));
    value(await directory.setShare({ ...one, identifier: '-bob@a.test', rights: 's' }));
    value(await directory.setShare({ ...all, identifier: 'team@a.test', rights: 'l' }));
    value(await directory.setShare({ ...one, identifier: 'bob@a.test', rights: 'lr' }));
    const again = under.other?.() ?? directory;
    assert.deepEqual(
      (await again.shares(alice)).map(({ mailbox, identifier, rights }) => [mailbox, identifier, rights]),
      [
        [undefined, 'team@a.test', 'l'],
        [inbox, '-bob@a.test', 's'],
        [inbox, 'bob@a.test', 'lr'],
      ],
    );
    const names = async (id: AccountId): Promise<readonly string[]> =>
      (await again.sharedWith(id)).map(({ identifier }) => identifier).toSorted();
    assert.deepEqual(await names(bob), ['-bob@a.test', 'bob@a.test']);
    assert.deepEqual(await again.sharedWith(carol), [
      { ...all, ownerAddress: 'alice@a.test', identifier: 'team@a.test', rights: 'l' },
    ]);
    assert.deepEqual(await names(alice), []);

    value(await directory.setShare({ owner: bob, mailbox: undefined, identifier: 'anyone', rights: 'r' }));
    assert.deepEqual(await names(alice), ['anyone']);
    assert.deepEqual(await names(carol), ['anyone', 'team@a.test']);
    value(await directory.setShare({ owner: bob, mailbox: undefined, identifier: 'anyone', rights: '' }));
    value(
      await directory.setShare({ owner: bob, mailbox: undefined, identifier: 'never@a.test', rights: '' }),
    );
    assert.deepEqual(await names(alice), []);

    const refused = async (identifier: string, owner = alice): Promise<string> =>
      problem(await directory.setShare({ owner, mailbox: inbox, identifier, rights: 'l' }));
    assert.equal(await refused('nobody@a.test'), 'not-found');
    assert.equal(await refused('far@b.test'), 'not-found');
    assert.equal(await refused('alice@a.test'), 'in-use');
    assert.equal(await refused('no address'), 'bad-address');
    assert.equal(await refused('bob@a.test', known(toAccountId(999))), 'not-found');

    await directory.removeShares(alice, inbox);
    assert.deepEqual(await names(bob), []);
    value(await directory.removeAlias('team@a.test'));
    value(await directory.setAlias('team@a.test', ['carol@a.test']));
    assert.deepEqual(await names(carol), []);
  });

  it('forgets what was shared with an account, and by it, when it goes', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    const bob = await account(directory, 'bob@a.test');
    const all = { mailbox: undefined, rights: 'lr' };
    value(await directory.setShare({ ...all, owner: alice, identifier: 'bob@a.test' }));
    value(await directory.setShare({ ...all, owner: bob, identifier: 'alice@a.test' }));
    value(await directory.removeAccount(bob));
    assert.deepEqual(await directory.shares(alice), []);
    assert.deepEqual(await directory.sharedWith(alice), []);
    // Another of the same address inherits nothing.
    assert.deepEqual(await directory.sharedWith(await account(directory, 'bob@a.test')), []);
  });

  it('suspends what an account sends, and resumes it', async ({ directory, under }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    assert.deepEqual(await directory.sending(alice), { suspended: undefined, limits: {} });
    const stopped = value(await directory.setSending(alice, { suspended: 'hijack.networks' }));
    assert.equal(stopped.suspended?.reason, 'hijack.networks');
    assert.deepEqual(value(await directory.setSending(alice, { suspended: 'later' })), stopped);
    assert.deepEqual(await (under.other?.() ?? directory).sending(alice), stopped);
    for (const suspended of ['', 'x'.repeat(300), 'a\nb'])
      assert.equal(problem(await directory.setSending(alice, { suspended })), 'bad-name');
    assert.equal((await directory.account(alice))?.disabled, false);
    const resumed = { suspended: undefined, limits: {} };
    assert.deepEqual(value(await directory.setSending(alice, { suspended: null })), resumed);
    assert.deepEqual(await (under.other?.() ?? directory).sending(alice), resumed);
  });

  it('keeps what one account may send beyond or below the others', async ({ directory, under }) => {
    value(await directory.addDomain('a.test'));
    const alice = await account(directory, 'alice@a.test');
    value(await directory.setSending(alice, { limits: { messagesPerHour: 7, recipientsPerDay: 0 } }));
    value(await directory.setSending(alice, { suspended: 'x', limits: { messagesPerDay: 9 } }));
    const { limits } = value(await directory.setSending(alice, { limits: { messagesPerHour: null } }));
    assert.deepEqual(limits, { recipientsPerDay: 0, messagesPerDay: 9 });
    const kept = await (under.other?.() ?? directory).sending(alice);
    assert.deepEqual([kept.limits, kept.suspended?.reason], [limits, 'x']);
    value(await directory.removeAccount(alice));
    assert.equal(problem(await directory.setSending(alice, {})), 'not-found');
    assert.deepEqual(await directory.sending(alice), { suspended: undefined, limits: {} });
  });

  it('lets in whoever knows the password', async ({ directory }) => {
    value(await directory.addDomain('a.test'));
    const added = value(await directory.addAccount({ address: 'alice@a.test', password: 'päss wörd' }));
    assert.deepEqual(await directory.authenticate('ALICE@a.test', 'päss wörd', 'imap'), {
      ok: true,
      value: {
        address: 'alice@a.test',
        account: added.id,
        authenticationId: 'ALICE@a.test',
        appPassword: undefined,
      },
    });
    // RFC 8265 §4.2.2: the same password from a keyboard that decomposes, or has another space.
    assert.equal(await login(directory, 'pa\u0308ss\u00a0wo\u0308rd'), 'ok');
    for (const wrong of ['päss wörd ', 'Päss wörd', '', 'x'.repeat(2000)])
      assert.equal(await login(directory, wrong), 'refused', wrong.slice(0, 10));
    value(await directory.setAccount(added.id, { password: 'new' }));
    assert.equal(await login(directory, 'päss wörd'), 'refused');
    assert.equal(await login(directory, 'new'), 'ok');
    value(await directory.setAccount(added.id, { disabled: true }));
    assert.equal(await login(directory, 'new'), 'disabled');
    assert.equal(await login(directory, 'wrong'), 'refused');
  });

  it('refuses everybody at the same cost: one hash', async ({ directory, hasher }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    value(await directory.addAccount({ address: 'nopass@a.test', password: undefined }));
    const gone = value(await directory.addAccount({ address: 'gone@a.test', password: 'right' }));
    const { secret } = value(await directory.addAppPassword(gone.id, 'phone', ['imap']));
    const alice = await directory.accountByAddress('alice@a.test');
    assert.ok(alice !== undefined);
    const narrow = value(await directory.addAppPassword(alice.id, 'phone', ['imap']));
    assert.equal((await directory.authenticate('gone@a.test', 'right', 'imap')).ok, true, 'to be remembered');
    value(await directory.setAccount(gone.id, { disabled: true }));
    const attempts: [string, string][] = [
      ['alice@a.test', 'wrong'],
      ['alice@a.test', ''],
      ['alice@a.test', 'x'.repeat(5000)],
      ['alice@a.test', 'abcde-fghij-kmnpq-rstuv'],
      ['alice@a.test', narrow.secret],
      ['nobody@a.test', 'right'],
      ['nobody@b.test', 'right'],
      ['nopass@a.test', 'right'],
      ['gone@a.test', 'right'],
      ['gone@a.test', 'wrong'],
      ['gone@a.test', secret],
      ['no address', 'right'],
      ['', ''],
    ];
    for (const [who, password] of attempts) {
      const before = hasher.verified;
      assert.equal((await directory.authenticate(who, password, 'smtp')).ok, false, who);
      assert.equal(hasher.verified - before, 1, `${who} ${password.slice(0, 30)}`);
    }
  });

  it('hashes once for many connections, and forgets after a minute or a change', async ({
    directory,
    hasher,
    clock,
  }) => {
    value(await directory.addDomain('a.test'));
    const { id } = value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    const logins = Array.from({ length: 20 }, async () => login(directory, 'right'));
    assert.deepEqual(new Set(await Promise.all(logins)), new Set(['ok']));
    assert.equal(await login(directory, 'right'), 'ok');
    assert.equal(hasher.verified, 1);
    clock.ms += LIMITS.verifiedPasswordMs;
    assert.equal(await login(directory, 'right'), 'ok');
    assert.equal(hasher.verified, 2);
    value(await directory.setAccount(id, { password: 'other' }));
    assert.equal(await login(directory, 'right'), 'refused');
    value(await directory.setAccount(id, { password: 'right' }));
    assert.equal(await login(directory, 'right'), 'ok');
    assert.equal(hasher.verified, 4);
    value(await directory.setAccount(id, { disabled: true }));
    assert.equal(await login(directory, 'right'), 'disabled');
    value(await directory.removeAccount(id));
    assert.equal(await login(directory, 'right'), 'refused');
  });

  it('knows app passwords by their scopes, without a slow hash', async ({ directory, hasher }) => {
    value(await directory.addDomain('a.test'));
    const id = await account(directory, 'alice@a.test');
    const { secret } = value(await directory.addAppPassword(id, 'Phone', ['imap', 'smtp', 'imap']));
    assert.match(secret, /^[a-km-np-z]{5}(?:-[a-km-np-z]{5}){3}$/);
    const kept = await directory.appPasswords(id);
    assert.deepEqual(
      kept.map((one) => [one.name, one.scopes, Object.keys(one).length]),
      [['Phone', ['imap', 'smtp'], 3]],
    );
    assert.equal(problem(await directory.addAppPassword(id, 'Phone', ['pop3'])), 'exists');
    assert.equal(problem(await directory.addAppPassword(id, '', ['pop3'])), 'bad-name');
    const typed = ` ${secret.replaceAll('-', ' ').toUpperCase()}`;
    for (const form of [secret, secret.replaceAll('-', ''), typed]) {
      const found = await directory.authenticate('alice@a.test', form, 'imap');
      assert.ok(found.ok && found.value.appPassword === 'Phone', form);
    }
    assert.equal(hasher.verified, 0);
    const outside = await directory.authenticate('alice@a.test', secret, 'pop3');
    assert.equal(!outside.ok && outside.error.kind, 'not-in-scope');
    value(await directory.removeAppPassword(id, 'Phone'));
    assert.equal(problem(await directory.removeAppPassword(id, 'Phone')), 'not-found');
    assert.equal(await login(directory, secret), 'refused');
    const none = toAccountId(99_999);
    assert.ok(none !== undefined);
    assert.equal(problem(await directory.addAppPassword(none, 'x', ['imap'])), 'not-found');
    assert.deepEqual(await directory.appPasswords(none), []);
  });

  it(
    'slows down a source that fails, and nobody else',
    async ({ directory, clock, hasher }) => {
      value(await directory.addDomain('a.test'));
      value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
      const from = async (source: string | undefined, password: string): Promise<string> =>
        login(directory, password, source);
      for (let attempt = 0; attempt < LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await from('192.0.2.1', 'wrong'), 'refused');
      const before = hasher.verified;
      assert.equal(await from('192.0.2.1', 'right'), 'throttled');
      assert.equal(await from('::ffff:192.0.2.1', 'right'), 'throttled');
      assert.equal(hasher.verified, before, 'what is throttled costs nothing');
      assert.equal(await from('192.0.2.2', 'right'), 'ok');
      assert.equal(await from(undefined, 'right'), 'ok');
      clock.ms += LIMITS.loginFailureForgivenMs;
      assert.equal(await from('192.0.2.1', 'wrong'), 'refused');
      assert.equal(await from('192.0.2.1', 'right'), 'throttled');
      clock.ms += LIMITS.loginFailureForgivenMs;
      assert.equal(await from('192.0.2.1', 'right'), 'ok');
      for (let attempt = 0; attempt < 2 * LIMITS.loginFailuresMax; attempt += 1)
        assert.equal(await from('127.0.0.1', 'wrong'), 'refused');
    },
    { throttled: true },
  );

  it(
    'judges no more guesses of a source that come at once than of one that waits for its answers',
    async ({ directory }) => {
      value(await directory.addDomain('a.test'));
      value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
      const guesses = Array.from({ length: 60 }, (_, guess) => login(directory, `${guess}`, '192.0.2.1'));
      const refused = (await Promise.all(guesses)).filter((one) => one === 'refused');
      // One is begun before the last one's failure is known.
      assert.ok(
        refused.length <= LIMITS.loginFailuresMax + LIMITS.passwordHashesAtOnceMax,
        `${refused.length}`,
      );
    },
    { throttled: true },
  );

  it(
    'lets in at home whoever signed in there lately, while strangers are more than can be hashed',
    async ({ directory, clock }) => {
      value(await directory.addDomain('a.test'));
      value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
      assert.equal(await login(directory, 'right', '198.51.100.1'), 'ok');
      clock.ms += LIMITS.verifiedPasswordMs;
      const guesses = Array.from({ length: 2 * LIMITS.passwordHashesWaitingMax }, async (_, network) =>
        directory.authenticate(`x${network}@a.test`, 'guess', 'imap', `10.0.${network}.1`),
      );
      assert.equal(await login(directory, 'right', '198.51.100.1'), 'ok');
      const answers = await Promise.all(guesses);
      assert.ok(answers.some((answer) => !answer.ok && answer.error.kind === 'throttled'));
    },
    { throttled: true },
  );

  it('shows from the next turn of the event loop what another thread has written', async ({
    directory,
    under,
  }) => {
    const other = under.other?.();
    if (other === undefined) return;
    assert.equal(await other.isLocalDomain('a.test'), false);
    value(await directory.addDomain('a.test'));
    await nextTurn();
    assert.equal(await other.isLocalDomain('a.test'), true);
    assert.deepEqual(await other.resolve('alice@a.test'), { kind: 'unknown' });
    const id = await account(directory, 'alice@a.test');
    await nextTurn();
    const found = await other.resolve('alice@a.test');
    assert.ok(found.kind === 'local' && found.accounts[0]?.account === id);
    value(await other.setAccount(id, { disabled: true, password: 'right' }));
    await nextTurn();
    assert.equal((await directory.resolve('alice@a.test')).kind, 'disabled');
    value(await other.setAccount(id, { disabled: false }));
    await nextTurn();
    assert.equal(await login(directory, 'right'), 'ok');
    value(await other.setAccount(id, { password: 'new' }));
    await nextTurn();
    assert.equal(await login(directory, 'right'), 'refused');
  });

  it('renews an outdated hash when its password is shown', async ({ directory, under }) => {
    value(await directory.addDomain('a.test'));
    value(await directory.addAccount({ address: 'alice@a.test', password: 'right' }));
    const today = new CountingHasher({ ...WEAK, passes: 2 });
    const other = under.other?.({ hasher: today });
    if (other === undefined) return;
    assert.equal(await login(other, 'right'), 'ok');
    assert.equal(await login(other, 'right'), 'ok');
    assert.equal(today.verified, 2, 'the renewed hash is verified once, then remembered');
    assert.equal(await login(directory, 'right'), 'ok');
  });

  signInContract(it);
}

function value<Value>(result: Result<Value, DirectoryProblem>): Value {
  assert.ok(result.ok, result.ok ? '' : `refused: ${result.error.kind}`);
  return result.value;
}

function problem(result: Result<unknown, DirectoryProblem>): string {
  return result.ok ? 'none' : result.error.kind;
}

async function account(directory: Directory, address: string): Promise<AccountId> {
  return value(await directory.addAccount({ address, password: undefined })).id;
}

/** Alice at imap: 'ok', or why not. */
async function login(directory: Directory, password: string, source?: string): Promise<string> {
  const answer = await directory.authenticate('alice@a.test', password, 'imap', source);
  return answer.ok ? 'ok' : answer.error.kind;
}
