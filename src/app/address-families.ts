/**
 * Over which IP versions this host goes to others, the preferred one first. By default as RFC 6724 §5 has it, as far as that is for
 * this host to say: an address that cannot be reached from here comes last (rule 1), else IPv6 goes first (rule 6).
 */
import type { NetworkInterfaceInfo } from 'node:os';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../config/config.ts';
import type { AddressFamily } from '../delivery/remote/routing.ts';

type Interfaces = Readonly<
  Record<string, readonly Pick<NetworkInterfaceInfo, 'address' | 'family'>[] | undefined>
>;

export function addressFamilies(
  wanted: Config['outgoing']['addressFamily'],
  interfaces: Interfaces,
): readonly AddressFamily[] {
  switch (wanted) {
    case 'ipv4-only':
      return ['ipv4'];
    case 'ipv6-only':
      return ['ipv6'];
    case 'ipv4-first':
      return ['ipv4', 'ipv6'];
    case 'ipv6-first':
      return ['ipv6', 'ipv4'];
    case 'auto':
      return hasGlobalIpv6(interfaces) ? ['ipv6', 'ipv4'] : ['ipv4', 'ipv6'];
  }
}

/** RFC 4291 §2.4: what is assigned in the world begins with 001; link-local and private addresses lead to nobody there. */
function hasGlobalIpv6(interfaces: Interfaces): boolean {
  return Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .some(({ family, address }) => family === 'IPv6' && /^[23][0-9a-f]{3}:/i.test(address));
}

/** Interfaces come and go while this runs: they are looked at anew after a minute. */
export function lookingAnew<Value>(clock: Clock, look: () => Value): () => Value {
  let last: { readonly value: Value; readonly untilMs: number } | undefined;
  return () => {
    const nowMs = clock.monotonicMs();
    if (last === undefined || nowMs >= last.untilMs) last = { value: look(), untilMs: nowMs + 60_000 };
    return last.value;
  };
}
