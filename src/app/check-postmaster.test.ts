import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import type { AccountId } from '../store/ids.ts';
import { checkPostmaster } from './check-postmaster.ts';

type Prepared = {
  readonly directory: MemoryDirectory;
  readonly account: (address: string, password?: string) => Promise<AccountId>;
};

const cases: readonly {
  readonly name: string;
  readonly prepare: (made: Prepared) => Promise<unknown>;
  readonly operator?: string;
  readonly hasOauth?: boolean;
  /** Undefined: somebody reads it. */
  readonly want: RegExp | undefined;
}[] = [
  { name: 'nobody', prepare: async () => undefined, want: /^Nobody has the address postmaster@a\.test/ },
  {
    name: 'an account with a password',
    prepare: ({ account }) => account('postmaster@a.test', 'a long enough secret'),
    want: undefined,
  },
  {
    name: 'an account that nobody can sign in to',
    prepare: ({ account }) => account('postmaster@a.test'),
    want: /it goes to postmaster@a\.test, and nobody can sign in there$/,
  },
  {
    name: 'an account that people sign in to by a service elsewhere',
    prepare: ({ account }) => account('postmaster@a.test'),
    hasOauth: true,
    want: undefined,
  },
  {
    name: 'an account with an app password',
    prepare: async ({ directory, account }) =>
      directory.addAppPassword(await account('postmaster@a.test'), 'x', ['imap']),
    want: undefined,
  },
  {
    name: 'an account with a certificate',
    prepare: async ({ directory, account }) =>
      directory.addCertificate(await account('postmaster@a.test'), 'ab'.repeat(32)),
    want: undefined,
  },
  {
    name: 'an account that is disabled',
    prepare: async ({ directory, account }) =>
      directory.setAccount(await account('postmaster@a.test', 'a long enough secret'), { disabled: true }),
    want: /is disabled/,
  },
  {
    name: 'an alias to whom nobody can sign in, and to one that somebody can',
    prepare: async ({ directory, account }) => {
      await account('one@a.test');
      await account('two@a.test', 'a long enough secret');
      await directory.setAlias('postmaster@a.test', ['one@a.test', 'two@a.test']);
    },
    want: undefined,
  },
  {
    name: 'an alias to another host',
    prepare: ({ directory }) => directory.setAlias('postmaster@a.test', ['op@far.test']),
    want: undefined,
  },
  {
    name: "the operator's address",
    operator: 'op@a.test',
    prepare: ({ account }) => account('op@a.test', 'a long enough secret'),
    want: undefined,
  },
  {
    name: "the operator's address, which nobody has",
    operator: 'op@a.test',
    prepare: async () => undefined,
    want: /^Nobody/,
  },
];
for (const { name, prepare, operator, hasOauth = false, want } of cases)
  test(`the postmaster of a domain is ${name} (RFC 5321 §4.5.1)`, async () => {
    const directory = new MemoryDirectory({
      clock: new FakeClock(),
      random: seededRandom(),
      postmasterAddress: operator,
    });
    await directory.addDomain('a.test');
    const account = async (address: string, password?: string): Promise<AccountId> => {
      const added = await directory.addAccount({ address, password });
      assert.ok(added.ok);
      return added.value.id;
    };
    await prepare({ directory, account });
    const said = await checkPostmaster(directory, 'a.test', hasOauth);
    if (want === undefined) assert.equal(said, undefined);
    else assert.match(said ?? '', want);
  });
