/** Base64 as SASL profiles use it: RFC 4648 §4, padded, nothing else in the line. */
import { Buffer } from 'node:buffer';
import { toBuffer } from '../base/bytes.ts';

/** Undefined where the text is not base64: RFC 4954 §4 and RFC 9051 §6.2.2 want such a response refused. */
export function decodeBase64(text: string): Buffer | undefined {
  if (text.length % 4 !== 0) return undefined;
  const octets = Buffer.from(text, 'base64');
  // Node skips what it does not know; only what reads back equal was base64.
  return octets.toString('base64') === text ? octets : undefined;
}

export function encodeBase64(octets: Uint8Array): string {
  return toBuffer(octets).toString('base64');
}
