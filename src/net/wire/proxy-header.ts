/**
 * The header by which a proxy says who the client is: the PROXY protocol of HAProxy, versions 1 and 2, cut off the front of
 * what a proxy has sent. Holds no state: the caller keeps the octets. Units: octets.
 *
 * What is not the protocol to the letter is malformed; what is, but names no TCP client, means the proxy's own connection.
 * Source: https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt, sections 2.1 and 2.2.
 */
import { Buffer } from 'node:buffer';
import { LF, latin1 } from '../../base/bytes.ts';
import type { Endpoint } from '../../base/connection.ts';
import { formatIp, parseIp } from '../../base/ip-network.ts';
import { LIMITS } from '../../base/limits.ts';
import { crc32c } from './crc32c.ts';

export type ProxyHeader =
  | { readonly kind: 'client'; readonly source: Endpoint; readonly destination: Endpoint }
  /** A check of the proxy's own, or of a family that we do not speak: the endpoints are those of the connection. */
  | { readonly kind: 'local' };

export type ProxyScan =
  | { readonly kind: 'header'; readonly header: ProxyHeader; readonly octets: number }
  | { readonly kind: 'need-more' }
  | { readonly kind: 'malformed'; readonly problem: ProxyProblem };

export type ProxyProblem =
  | 'no-header'
  | 'too-long'
  | 'syntax'
  | 'version'
  | 'command'
  | 'family'
  | 'checksum';

export function scanProxyHeader(input: Buffer): ProxyScan {
  if (startsAlike(input, SIGNATURE)) return input.length < HEAD_OCTETS ? NEED_MORE : scanBinary(input);
  return startsAlike(input, TEXT_START) ? scanText(input) : malformed('no-header');
}

/** Whether the octets, as far as they have come, are those that begin a header of this kind. */
function startsAlike(input: Buffer, start: Buffer): boolean {
  const octets = Math.min(input.length, start.length);
  return input.compare(start, 0, octets, 0, octets) === 0;
}

/** Version 1: one line of text. */
function scanText(input: Buffer): ProxyScan {
  const end = input.indexOf(LF);
  if (end >= TEXT_OCTETS_MAX || (end === -1 && input.length >= TEXT_OCTETS_MAX)) return malformed('too-long');
  if (end === -1) return NEED_MORE;
  const line = latin1(input.subarray(0, end + 1));
  if (UNKNOWN.test(line)) return { kind: 'header', header: LOCAL, octets: end + 1 };
  const [, family = '', from = '', to = '', fromPort = '', toPort = ''] = TCP.exec(line) ?? [];
  const source = toEndpoint(family, from, fromPort);
  const destination = toEndpoint(family, to, toPort);
  if (source === undefined || destination === undefined) return malformed('syntax');
  return { kind: 'header', header: { kind: 'client', source, destination }, octets: end + 1 };
}

/** No zeros ahead, so that nobody takes a number for an octal one. */
function toEndpoint(family: string, address: string, port: string): Endpoint | undefined {
  const octets = parseIp(address);
  if (octets === undefined || !PORT.test(port) || Number(port) > 65_535) return undefined;
  const isWritten = address.includes(':') ? family === '6' : family === '4' && formatIp(octets) === address;
  return isWritten ? { address: formatIp(octets), port: Number(port) } : undefined;
}

/** Version 2: a signature, version and command, family, the octets that follow; addresses; then values by type. */
function scanBinary(input: Buffer): ProxyScan {
  const versionAndCommand = input.readUInt8(12);
  if (versionAndCommand >> 4 !== 2) return malformed('version');
  const command = versionAndCommand & 0x0f;
  if (command > 1) return malformed('command');
  const octets = HEAD_OCTETS + input.readUInt16BE(14);
  if (octets > LIMITS.proxyHeaderOctetsMax) return malformed('too-long');
  if (input.length < octets) return NEED_MORE;
  const header = input.subarray(0, octets);
  // Whatever LOCAL brings with it is to be skipped.
  if (command === 0) return { kind: 'header', header: LOCAL, octets };
  const family = header.readUInt8(13);
  const addresses = ADDRESS_OCTETS[family >> 4];
  if (addresses === undefined || (family & 0x0f) > 2) return malformed('family');
  if (octets < HEAD_OCTETS + addresses) return malformed('syntax');
  const problem = valuesProblem(header, HEAD_OCTETS + addresses);
  if (problem !== undefined) return malformed(problem);
  return {
    kind: 'header',
    header: family === TCP4 || family === TCP6 ? clientOf(header, family) : LOCAL,
    octets,
  };
}

function clientOf(header: Buffer, family: number): ProxyHeader {
  const octets = family === TCP4 ? 4 : 16;
  const endpoint = (which: 0 | 1): Endpoint => {
    const at = HEAD_OCTETS + which * octets;
    // An IPv4 client mapped into IPv6 is an IPv4 client.
    const address = formatIp(header.subarray(at, at + octets));
    const plain = parseIp(address);
    return {
      address: plain === undefined ? address : formatIp(plain),
      port: header.readUInt16BE(HEAD_OCTETS + 2 * octets + which * 2),
    };
  };
  return { kind: 'client', source: endpoint(0), destination: endpoint(1) };
}

/** The values fill the header to its end; of a checksum there is one at the most, and it is right. */
function valuesProblem(header: Buffer, start: number): ProxyProblem | undefined {
  let checksumAt: number | undefined;
  let at = start;
  while (at < header.length) {
    if (at + 3 > header.length) return 'syntax';
    const next = at + 3 + header.readUInt16BE(at + 1);
    if (next > header.length) return 'syntax';
    if (header.readUInt8(at) === CHECKSUM) {
      if (checksumAt !== undefined || next !== at + 7) return 'syntax';
      checksumAt = at + 3;
    }
    at = next;
  }
  if (checksumAt === undefined) return undefined;
  const without = Uint8Array.from(header);
  without.fill(0, checksumAt, checksumAt + 4);
  return crc32c(without) === header.readUInt32BE(checksumAt) ? undefined : 'checksum';
}

function malformed(problem: ProxyProblem): ProxyScan {
  return { kind: 'malformed', problem };
}

const NEED_MORE = { kind: 'need-more' } as const;
const LOCAL = { kind: 'local' } as const;
const TEXT_START: Buffer = Buffer.from('PROXY ');
const SIGNATURE: Buffer = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Of version 1, with its CRLF. */
const TEXT_OCTETS_MAX = 107;
const UNKNOWN = /^PROXY UNKNOWN(?: [^\r\n]*)?\r\n$/;
const TCP = /^PROXY TCP([46]) ([0-9A-Fa-f:.]+) ([0-9A-Fa-f:.]+) (\d+) (\d+)\r\n$/;
const PORT = /^(?:0|[1-9]\d{0,4})$/;
/** Of version 2, up to the addresses. */
const HEAD_OCTETS = 16;
/** By family: unspecified, IPv4, IPv6, UNIX. */
const ADDRESS_OCTETS: readonly number[] = [0, 12, 36, 216];
const TCP4 = 0x11;
const TCP6 = 0x21;
/** PP2_TYPE_CRC32C. */
const CHECKSUM = 0x03;
