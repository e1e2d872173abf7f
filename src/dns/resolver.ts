/**
 * The port to the DNS. Every answer says what it is: data, proof that there is none, or no answer now. Names are
 * A-labels without the final dot; U-labels are asked for as A-labels, and come back so (RFC 5890 §2.3.2.1). What is no name
 * of the DNS has no records. Answers are true for `ttlS` more seconds, and are never given again after that.
 *
 * `authentic` is DNSSEC's "secure" (RFC 4035 §4.3): all of the answer, each CNAME on the way to it too, is signed and was
 * verified by a resolver that is trusted. Sources: RFC 1035, RFC 2181, RFC 2308, RFC 7505, RFC 7672 §2.1.
 */
export type DnsAnswer<Data> =
  | {
      readonly kind: 'found';
      readonly records: readonly Data[];
      readonly ttlS: number;
      readonly authentic: boolean;
      /** the name after CNAMEs */ readonly canonicalName: string;
    }
  /** NXDOMAIN or no records of this type: both are proof. */
  | {
      readonly kind: 'none';
      readonly nameExists: boolean;
      readonly ttlS: number;
      readonly authentic: boolean;
    }
  /**
   * Try later. 'bogus': the data is there, but its signatures do not hold (RFC 4033 §5); nobody may be asked instead.
   */
  | {
      readonly kind: 'unavailable';
      readonly reason: 'timeout' | 'servfail' | 'refused' | 'malformed' | 'bogus';
    };

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
  /** The alias itself, not what it leads to: whose answer tells whether the alias alone is secure (RFC 7672 §2.1.3). */
  cname(name: string): Promise<DnsAnswer<string>>;
  ptr(address: string): Promise<DnsAnswer<string>>;
  tlsa(name: string): Promise<DnsAnswer<TlsaRecord>>;
};
