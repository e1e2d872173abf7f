/** Whom this post office trusts: what the configuration says, and the addresses of this machine as they are at the start. */
import { networkInterfaces } from 'node:os';
import type { Config } from '../config/config.ts';
import { Trust } from '../policy/trust.ts';

export function createTrust({ trust }: Pick<Config, 'trust'>): Trust {
  const own = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  return new Trust({ ...trust, own });
}
