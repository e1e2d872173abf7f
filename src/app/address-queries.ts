/** What VRFY and EXPN may tell of the directory. */
import type { Directory } from '../auth/directory.ts';
import type { AddressQueries } from '../smtp/server/ports.ts';

export function addressQueries(directory: Pick<Directory, 'resolve'>): AddressQueries {
  return {
    find: async (address) => {
      const resolution = await directory.resolve(address);
      switch (resolution.kind) {
        case 'unknown':
        case 'disabled':
          return { kind: 'unknown' };
        case 'remote':
          return { kind: 'unverifiable' };
        case 'local':
          return {
            kind: 'found',
            addresses: [resolution, ...(resolution.lists ?? [])].flatMap(({ accounts, forwards }) => [
              ...accounts.map((account) => account.address),
              ...forwards,
            ]),
          };
      }
    },
  };
}
