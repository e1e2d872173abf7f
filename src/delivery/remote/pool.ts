/** From which of our addresses, and under which name, a next hop is gone to. Pure. */
import { toIpv4Octets } from '../../dns/wire/question.ts';

export type Source = {
  /** An IP literal of this host; undefined leaves it to the system. */
  readonly address: string | undefined;
  /** Our name in EHLO: one that leads back to the address (RFC 5321 §4.1.4). */
  readonly helloName: string;
};

export type Pool = {
  /** Undefined: what this host uses where no pool is chosen. */
  readonly name: string | undefined;
  readonly sources: readonly Source[];
};

/**
 * The sources that can reach an address, in the order in which they are to be used. One message keeps its source from try to
 * try (a host that greylists knows us by it), and messages are spread over all.
 *
 * @param messageId chooses the first
 */
export function sourcesFor({ sources }: Pool, toAddress: string, messageId: string): readonly Source[] {
  const four = isIpv4(toAddress);
  const usable = sources.filter(({ address }) => address === undefined || isIpv4(address) === four);
  const first = usable.length === 0 ? 0 : hash(messageId) % usable.length;
  return [...usable.slice(first), ...usable.slice(0, first)];
}

function isIpv4(address: string): boolean {
  return toIpv4Octets(address) !== undefined;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c_9dc5;
  for (const character of text) value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x0100_0193) >>> 0;
  return value;
}
