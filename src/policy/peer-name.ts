/** The names under which a client is counted: by its address, and by the network that this is in. */
import { formatIp, parseIp } from '../base/ip-network.ts';

/** What one customer of a provider has of IPv6; an IPv4 address is one by itself. */
const IPV6_ADDRESS_BITS = 64;

export type NetworkBits = { readonly ipv4: number; readonly ipv6: number };

/** An IPv4 address, or the /64 of an IPv6 address. */
export function addressName(address: string): string {
  return cut(address, { ipv4: 32, ipv6: IPV6_ADDRESS_BITS });
}

export function networkName(address: string, bits: NetworkBits): string {
  return cut(address, bits);
}

/** What is no IP address, which no socket has, is a network of its own. */
function cut(address: string, { ipv4, ipv6 }: NetworkBits): string {
  const octets = parseIp(address);
  if (octets === undefined) return address;
  const bits = octets.length === 4 ? ipv4 : ipv6;
  const network = octets.map((octet, at) => octet & (0xff << (8 - Math.min(Math.max(bits - at * 8, 0), 8))));
  return bits === octets.length * 8 ? formatIp(network) : `${formatIp(network)}/${bits}`;
}
