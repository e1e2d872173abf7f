/** Octets to text and back where ASCII or Latin-1 is meant, and the octets every codec compares with. */
export const NUL = 0x00;
export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const CRLF: Buffer = Buffer.from('\r\n');

/** A view of the same memory as a Buffer; nothing is copied. */
export function toBuffer(octets: Uint8Array): Buffer {
  return Buffer.isBuffer(octets) ? octets : Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength);
}

/** One octet, one code unit. */
export function latin1(octets: Uint8Array): string {
  return toBuffer(octets).toString('latin1');
}

/** Code units above 255 lose their high octet: only for text known to be ASCII or Latin-1. */
export function fromLatin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

export function utf8(octets: Uint8Array): string {
  return toBuffer(octets).toString('utf8');
}

export function fromUtf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}
