/**
 * Where reports go that are for a user of this machine: programs send in its name though it has no address here, and nobody
 * else would take the report. As with other mail for it, the postmaster gets it.
 */
import type { Directory } from '../auth/directory.ts';
import { UnixUsers } from './unix-users.ts';

export function withMachineUsers(
  directory: Pick<Directory, 'resolve'>,
  domain: string,
  users: Pick<UnixUsers, 'isUser'> = new UnixUsers(),
): Pick<Directory, 'resolve'> {
  const suffix = `@${domain.toLowerCase()}`;
  return {
    resolve: async (address) => {
      const resolution = await directory.resolve(address);
      const isNobody = resolution.kind === 'unknown' || resolution.kind === 'remote';
      if (!isNobody || !address.toLowerCase().endsWith(suffix)) return resolution;
      return users.isUser(address.slice(0, -suffix.length)) ? directory.resolve('postmaster') : resolution;
    },
  };
}
