/** CRC-32C (Castagnoli): of iSCSI, and of the PROXY protocol. */
const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = (value >>> 1) ^ (value & 1 ? 0x82f6_3b78 : 0);
  return value;
});

export function crc32c(octets: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const octet of octets) crc = (crc >>> 8) ^ (TABLE[(crc ^ octet) & 0xff] ?? 0);
  return (crc ^ 0xffff_ffff) >>> 0;
}
