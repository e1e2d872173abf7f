/**
 * Which reverse-path a copy leaves with where it is not the message's own, and whom such an address of ours stands for when
 * something is sent to it. See docs/adr/0011-return-paths.md.
 */
import { toAddressKey, toDomainKey } from '../auth/address-key.ts';
import type { Directory } from '../auth/directory.ts';
import type { Clock } from '../base/clock.ts';
import type { VerpRequest } from '../smtp/wire/parameter.ts';
import type { SrsOriginal, SrsSettings } from './return-path/srs.ts';
import { decodeSrs, encodeSrs, isSrs } from './return-path/srs.ts';
import { decodeVerp, encodeVerp } from './return-path/verp.ts';

export type ReturnPathPorts = {
  readonly directory: Pick<Directory, 'isLocalDomain' | 'secrets'>;
  readonly clock: Clock;
};

export type ReturnPathOptions = {
  /** Forwarded mail leaves with an address of ours. What left before is undone all the same. */
  readonly srs: boolean;
  /** Of rewritten addresses; undefined: that of the address which forwards. */
  readonly srsDomain: string | undefined;
  readonly srsHashCharacters: number;
  readonly srsAgeDaysMax: number;
  /** Between local part and detail here; '': there are no details, and no tags. */
  readonly detailSeparator: string;
};

export class ReturnPaths {
  readonly #ports: ReturnPathPorts;
  readonly #options: ReturnPathOptions;
  readonly #srsDomain: string | undefined;

  constructor(ports: ReturnPathPorts, options: ReturnPathOptions) {
    this.#ports = ports;
    this.#options = options;
    this.#srsDomain = options.srsDomain === undefined ? undefined : toDomainKey(options.srsDomain);
  }

  /**
   * The reverse-path for a host that is not ours, where another must stand for it. The null one stays; so does one of ours,
   * which leaves from here by right, and one that is too long to be rewritten.
   *
   * @param from the address of ours that led there
   */
  async forwarded(reversePath: string | null, from: string): Promise<string | undefined> {
    if (!this.#options.srs || reversePath === null || (await this.#isOurs(domainOf(reversePath))))
      return undefined;
    const domain = this.#srsDomain ?? toDomainKey(domainOf(from));
    if (domain === undefined) return undefined;
    return encodeSrs(reversePath, domain, await this.#settings(), this.#ports.clock.nowMs());
  }

  /** The reverse-path of a list's copy for one recipient: its owner, tagged where the list wants that and it can be. */
  tagged(owner: string, recipient: string): string | undefined {
    return encodeVerp(owner, recipient, this.#options.detailSeparator);
  }

  /** The reverse-path of a copy for one recipient where the sender has asked for one that names it (XVERP). */
  asked(sender: string, recipient: string, { tag, at }: VerpRequest): string | undefined {
    return encodeVerp(sender, recipient, tag ?? (this.#options.detailSeparator || '+'), at);
  }

  /** The recipient that an address is tagged with, if it is. */
  taggedWith(address: string): string | undefined {
    const { detailSeparator } = this.#options;
    const detail = detailSeparator === '' ? undefined : toAddressKey(address, detailSeparator)?.detail;
    return detail === undefined ? undefined : decodeVerp(detail);
  }

  /** Whom a rewritten address of ours stands for; undefined for every other address. */
  async original(address: string): Promise<SrsOriginal | undefined> {
    if (!isSrs(address) || !(await this.#isOurs(domainOf(address)))) return undefined;
    return decodeSrs(address, await this.#settings(), this.#ports.clock.nowMs());
  }

  async #isOurs(domain: string): Promise<boolean> {
    if (this.#srsDomain !== undefined && toDomainKey(domain) === this.#srsDomain) return true;
    return this.#ports.directory.isLocalDomain(domain);
  }

  async #settings(): Promise<SrsSettings> {
    const secrets = await this.#ports.directory.secrets('srs');
    return {
      secrets: secrets.map(({ text }) => text),
      hashCharacters: this.#options.srsHashCharacters,
      ageDaysMax: this.#options.srsAgeDaysMax,
    };
  }
}

function domainOf(address: string): string {
  return address.slice(address.lastIndexOf('@') + 1);
}
