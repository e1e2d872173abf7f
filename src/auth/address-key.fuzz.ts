/** Any octets as an address: nothing throws, and what is accepted is its own normal form. */
import { foldCase, toAddressKey, toDomainKey } from './address-key.ts';

export const covers: RegExp = /\/src\/auth\/address-key\.ts$/;

export const seeds: readonly Uint8Array[] = [
  'Alice+Tag@Example.ORG',
  '"A \\"B"@[IPv6:2001:db8::1]',
  'jürgen@bücher.example',
  'x@XN--BCHER-KVA.example',
  'a@[127.0.0.1]',
  'straße@faß.de',
].map((text) => Buffer.from(text));

export function fuzz(octets: Uint8Array): void {
  const text = Buffer.from(octets).toString('utf8');
  const domain = toDomainKey(text);
  if (domain !== undefined && toDomainKey(domain) !== domain) throw new Error('a domain key is not its own');
  if (foldCase(foldCase(text)) !== foldCase(text)) throw new Error('folding is not stable');
  const address = toAddressKey(text);
  if (address === undefined) return;
  if (!/^[\x21-\x7e]+$/.test(address.domain)) throw new Error('a domain that is not ASCII');
  if (toAddressKey(address.key)?.key !== address.key) throw new Error('a key is not its own');
  if (toAddressKey(address.mailable)?.key !== address.key) throw new Error('what is mailed has another key');
}
