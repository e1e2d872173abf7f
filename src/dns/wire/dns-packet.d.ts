/** The part of the codec's interface that is used here; the package brings no types of its own. */
declare module 'dns-packet' {
  type Decoder<Value> = {
    (octets: Buffer, offset: number): Value;
    /** How many octets the last call took: read it at once. */
    readonly bytes: number;
  };
  type Question = { readonly type: string; readonly name: string; readonly class?: string };
  type Answer = {
    readonly name: string;
    readonly type: string;
    readonly class?: string;
    readonly ttl?: number;
    readonly data?: unknown;
    readonly udpPayloadSize?: number;
    readonly flags?: number;
  };
  type Packet = {
    readonly id: number;
    readonly type: 'query' | 'response';
    readonly flags: number;
    readonly questions?: readonly Question[];
    readonly answers?: readonly Answer[];
    readonly authorities?: readonly Answer[];
    readonly additionals?: readonly Answer[];
  };
  const packet: {
    readonly RECURSION_DESIRED: number;
    readonly AUTHENTIC_DATA: number;
    readonly CHECKING_DISABLED: number;
    readonly DNSSEC_OK: number;
    encode(packet: Packet): Buffer;
    decode(octets: Buffer): Packet & { readonly questions: readonly Question[] };
    readonly name: { readonly decode: Decoder<string> };
    readonly txt: { readonly decode: Decoder<readonly Buffer[]> };
    readonly mx: { readonly decode: Decoder<{ readonly preference: number; readonly exchange: string }> };
    readonly soa: { readonly decode: Decoder<{ readonly minimum: number }> };
    readonly a: { readonly decode: Decoder<string> };
    readonly aaaa: { readonly decode: Decoder<string> };
    readonly tlsa: {
      readonly decode: Decoder<{
        readonly usage: number;
        readonly selector: number;
        readonly matchingType: number;
        readonly certificate: Buffer;
      }>;
    };
  };
  export default packet;
}
