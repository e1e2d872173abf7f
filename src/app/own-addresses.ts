/**
 * The addresses under which this host takes mail from the world: mail routed to one of them would come back to us
 * (RFC 5321 §5.1). Where the host stands behind a translation of addresses it does not know them all; its name, which the
 * routing knows too, then has to do.
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { Config } from '../config/config.ts';

type Interfaces = Readonly<
  Record<string, readonly Pick<NetworkInterfaceInfo, 'address' | 'family'>[] | undefined>
>;

/** @param interfaces as `networkInterfaces()` of `node:os` gives them; they count where a listener is open on all of them */
export function ownAddresses(
  { listeners, outgoing }: Pick<Config, 'listeners' | 'outgoing'>,
  interfaces: Interfaces,
): readonly string[] {
  const { enabled, port, addresses } = listeners.smtp;
  // On another port than the one that mail is sent to stands somebody else.
  if (!enabled || port !== outgoing.port) return [];
  const all = Object.values(interfaces).flatMap((list) => list ?? []);
  const of = (family: string): readonly string[] =>
    all.filter((one) => one.family === family).map(({ address }) => address);
  return addresses.flatMap((address) => {
    if (address === '0.0.0.0') return of('IPv4');
    return /^[0:]+$/.test(address) ? of('IPv6') : [address];
  });
}
