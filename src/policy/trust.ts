/**
 * Whom the operator trusts, by address: whose PROXY header is believed, who may speak for other clients, whose wishes for
 * priority count, and who is never banned, throttled or limited. One place, asked by everybody who judges by address.
 *
 * An address is always that of the client: where a trusted proxy stands between, the one that it named. So a proxy's own
 * address counts only until its header was read, and for what it says in its own name.
 */
import type { IpNetwork, IpOctets } from '../base/ip-network.ts';
import { isInNetwork, parseIp, parseIpNetwork } from '../base/ip-network.ts';

export type TrustedNetworks = {
  /** Whether this machine itself is exempt from limits; left out, it is. */
  readonly loopback?: boolean;
  /** Networks as {@link parseIpNetwork} reads them; so are the others. */
  readonly proxies: readonly string[];
  readonly forwarders: readonly string[];
  readonly peers: readonly string[];
  /** Addresses of this machine. Loopback is always among them. */
  readonly own: readonly string[];
};

export class Trust {
  readonly #proxies: readonly IpNetwork[];
  readonly #forwarders: readonly IpNetwork[];
  readonly #peers: readonly IpNetwork[];
  readonly #exempt: readonly IpNetwork[];

  /** Throws for what is no network: the configuration has been checked before. */
  constructor({ loopback = true, proxies, forwarders, peers, own }: TrustedNetworks) {
    this.#proxies = proxies.map(toNetwork);
    this.#forwarders = forwarders.map(toNetwork);
    this.#peers = peers.map(toNetwork);
    this.#exempt = [
      ...this.#proxies,
      ...this.#forwarders,
      ...(loopback ? [...LOOPBACK, ...own] : []).map(toNetwork),
    ];
  }

  /** Where a listener takes PROXY headers: this address must send one, and is believed. */
  isProxy(address: string): boolean {
    return isIn(address, this.#proxies);
  }

  /** May say XCLIENT and XFORWARD. */
  isForwarder(address: string): boolean {
    return isIn(address, this.#forwarders);
  }

  /** A host of ours or of a friend's: it may raise priorities, and ask for addresses. */
  isPeer(address: string): boolean {
    return isIn(address, this.#peers);
  }

  /**
   * Never banned, throttled, greylisted or limited by rate or number: this machine itself, trusted proxies and forwarders. Many
   * clients stand behind each of them, and shutting one out shuts out all.
   */
  isExempt(address: string): boolean {
    return isIn(address, this.#exempt);
  }
}

function toNetwork(text: string): IpNetwork {
  const network = parseIpNetwork(text);
  if (network === undefined) throw new TypeError(`${JSON.stringify(text)} is no network`);
  return network;
}

function isIn(address: string, networks: readonly IpNetwork[]): boolean {
  if (networks.length === 0) return false;
  const octets: IpOctets | undefined = parseIp(address);
  return octets !== undefined && networks.some((network) => isInNetwork(octets, network));
}

const LOOPBACK = ['127.0.0.0/8', '::1'];
