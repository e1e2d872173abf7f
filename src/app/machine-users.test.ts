import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { withMachineUsers } from './machine-users.ts';

/** [address, who gets a report that is for it] */
const cases: readonly (readonly [string, string])[] = [
  ['www-data@mx.here.test', 'amy@here.test'],
  ['WWW-DATA@MX.here.test', 'amy@here.test'],
  ['nobody-at-all@mx.here.test', 'remote'],
  ['www-data@away.test', 'remote'],
  ['bob@here.test', 'bob@here.test'],
  ['carol@here.test', 'unknown'],
];
for (const [address, want] of cases)
  test(`a report for ${address} goes to ${want}`, async () => {
    const directory = new MemoryDirectory({ clock: new FakeClock(), random: seededRandom() });
    await directory.addDomain('here.test');
    await directory.addAccount({ address: 'amy@here.test', password: undefined });
    await directory.addAccount({ address: 'bob@here.test', password: undefined });
    await directory.setAlias('postmaster@here.test', ['amy@here.test']);
    const users = { isUser: (name: string) => ['www-data', 'bob'].includes(name.toLowerCase()) };
    const resolution = await withMachineUsers(directory, 'mx.here.test', users).resolve(address);
    assert.equal(resolution.kind === 'local' ? resolution.accounts[0]?.address : resolution.kind, want);
  });
