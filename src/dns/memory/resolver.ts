/**
 * A resolver over a table of names: for tests, and for a server that lives on loopback alone. It follows CNAMEs as a
 * recursive server does, and can be told to fail for a name.
 */
import type { DnsAnswer, MxRecord, Resolver, TlsaRecord } from '../resolver.ts';
import { toName } from '../idna/to-name.ts';
import { toReverseName } from '../wire/question.ts';

export type ZoneEntry = {
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  /** `exchange: ''` is the null MX of RFC 7505. */
  readonly mx?: readonly MxRecord[];
  readonly txt?: readonly string[];
  readonly ptr?: readonly string[];
  readonly tlsa?: readonly TlsaRecord[];
  readonly cname?: string;
  /** Of this name alone; otherwise as the resolver was made. */
  readonly authentic?: boolean;
  readonly ttlS?: number;
  /** What happens to every question about the name instead of an answer. */
  readonly fails?: 'timeout' | 'servfail' | 'refused' | 'bogus';
};

/** Names in lower case, without the final dot. PTR records stand under their `in-addr.arpa` and `ip6.arpa` names. */
export type Zone = Readonly<Record<string, ZoneEntry>>;

const CNAMES_MAX = 16;
const TTL_S = 300;

export class MemoryResolver implements Resolver {
  #zone: Zone;
  readonly #authentic: boolean;
  /** Every question asked, in order: `MX example.org`. */
  readonly asked: string[] = [];

  constructor(zone: Zone, options: { readonly authentic?: boolean } = {}) {
    this.#zone = zone;
    this.#authentic = options.authentic === true;
  }

  /** Puts another table in place of the one there is. */
  replace(zone: Zone): void {
    this.#zone = zone;
  }

  mx(name: string): Promise<DnsAnswer<MxRecord>> {
    return this.#answer('MX', name, (entry) => entry.mx);
  }

  a(name: string): Promise<DnsAnswer<string>> {
    return this.#answer('A', name, (entry) => entry.a);
  }

  aaaa(name: string): Promise<DnsAnswer<string>> {
    return this.#answer('AAAA', name, (entry) => entry.aaaa);
  }

  txt(name: string): Promise<DnsAnswer<string>> {
    return this.#answer('TXT', name, (entry) => entry.txt);
  }

  cname(name: string): Promise<DnsAnswer<string>> {
    return this.#answer('CNAME', name, ({ cname }) => (cname === undefined ? [] : [cname.toLowerCase()]));
  }

  ptr(address: string): Promise<DnsAnswer<string>> {
    return this.#answer('PTR', toReverseName(address) ?? '', (entry) => entry.ptr);
  }

  tlsa(name: string): Promise<DnsAnswer<TlsaRecord>> {
    return this.#answer('TLSA', name, (entry) => entry.tlsa);
  }

  async #answer<Data>(
    type: string,
    asked: string,
    pick: (entry: ZoneEntry) => readonly Data[] | undefined,
  ): Promise<DnsAnswer<Data>> {
    this.asked.push(`${type} ${asked}`);
    let authentic = true;
    let ttlS = Number.MAX_SAFE_INTEGER;
    let name = toName(asked) ?? '';
    for (let hops = 0; hops <= CNAMES_MAX; hops += 1) {
      const entry = Object.hasOwn(this.#zone, name) ? this.#zone[name] : undefined;
      authentic &&= entry?.authentic ?? this.#authentic;
      ttlS = Math.min(ttlS, entry?.ttlS ?? TTL_S);
      if (entry === undefined) return { kind: 'none', nameExists: false, ttlS, authentic };
      if (entry.fails !== undefined) return { kind: 'unavailable', reason: entry.fails };
      if (entry.cname !== undefined && type !== 'CNAME') {
        name = entry.cname.toLowerCase();
        continue;
      }
      const records = pick(entry) ?? [];
      return records.length === 0
        ? { kind: 'none', nameExists: true, ttlS, authentic }
        : { kind: 'found', records, ttlS, authentic, canonicalName: name };
    }
    return { kind: 'unavailable', reason: 'malformed' };
  }
}
