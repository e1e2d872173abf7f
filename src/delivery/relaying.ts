/**
 * Whose mail for other hosts is taken: that of who has signed in, of clients that the operator names, and anybody's for
 * domains that he names. LMTP's clients deliver here and nowhere else (RFC 2033 §1).
 */
import type { IpNetwork } from '../base/ip-network.ts';
import { isInNetwork, parseIp, parseIpNetwork } from '../base/ip-network.ts';
import type { IntakeSession } from './intake-facts.ts';
import { isAddressed } from './remote/route-rule.ts';

export type RelayingRules = {
  /** As {@link parseIpNetwork} reads them. */
  readonly networks: readonly string[];
  /** `example.org`, `.example.org`, `someone@example.org`. */
  readonly domains: readonly string[];
};

export class Relaying {
  readonly #networks: readonly IpNetwork[];
  readonly #domains: readonly string[];

  /** Throws for what is no network: the configuration has been checked before. */
  constructor({ networks, domains }: RelayingRules) {
    this.#networks = networks.map((text) => {
      const network = parseIpNetwork(text);
      if (network === undefined) throw new TypeError(`${JSON.stringify(text)} is no network`);
      return network;
    });
    this.#domains = domains;
  }

  /** @param domain of the address: A-labels, lower case, or an address literal in brackets */
  allows(address: string, domain: string, { role, principal, remote }: IntakeSession): boolean {
    if (role.name === 'lmtp') return false;
    if (principal !== undefined) return true;
    if (role.name !== 'relay') return false;
    if (this.#domains.some((pattern) => isAddressed(pattern, address, domain))) return true;
    const octets = this.#networks.length === 0 ? undefined : parseIp(remote.address);
    return octets !== undefined && this.#networks.some((network) => isInNetwork(octets, network));
  }
}
