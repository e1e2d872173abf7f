/**
 * The port to the DNS. Every answer says what it is: data, proof that there is none, or no answer now. Names are
 * A-labels without the final dot. Sources: RFC 1035, RFC 2181, RFC 2308, RFC 7505.
 */
export type DnsAnswer<Data> =
  | {
      readonly kind: 'found';
      readonly records: readonly Data[];
      readonly ttlS: number;
      /** AD from a trusted resolver */ readonly authentic: boolean;
      /** the name after CNAMEs */ readonly canonicalName: string;
    }
  /** NXDOMAIN or no records of this type: both are proof. */
  | {
      readonly kind: 'none';
      readonly nameExists: boolean;
      readonly ttlS: number;
      readonly authentic: boolean;
    }
  /** Timeout, SERVFAIL, bogus: try later. */
  | { readonly kind: 'unavailable'; readonly reason: 'timeout' | 'servfail' | 'refused' | 'malformed' };

export type MxRecord = {
  readonly preference: number;
  /** '' is the null MX of RFC 7505 */ readonly exchange: string;
};
export type TlsaRecord = {
  readonly usage: number;
  readonly selector: number;
  readonly matchingType: number;
  readonly data: Uint8Array;
};

export type Resolver = {
  mx(name: string): Promise<DnsAnswer<MxRecord>>;
  a(name: string): Promise<DnsAnswer<string>>;
  aaaa(name: string): Promise<DnsAnswer<string>>;
  /** Each record's strings joined. */
  txt(name: string): Promise<DnsAnswer<string>>;
  ptr(address: string): Promise<DnsAnswer<string>>;
  tlsa(name: string): Promise<DnsAnswer<TlsaRecord>>;
};
