/** A small DNS server on loopback, UDP and TCP on one port, that serves a table of names and misbehaves when told to. */
import { createSocket } from 'node:dgram';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import packet from 'dns-packet';
import type { Zone, ZoneEntry } from '../../src/dns/memory/resolver.ts';

export type DnsServerOptions = {
  readonly address?: string;
  readonly port?: number;
  /** Sets AD in every answer that its entries do not speak of. */
  readonly authentic?: boolean;
  /** Gives only the first of several CNAMEs, as a server does that leaves the rest to the client. */
  readonly oneCname?: boolean;
  /** UDP answers above this many octets are sent truncated (TC). */
  readonly udpOctetsMax?: number;
  /** Minimum of the SOA that goes with every negative answer; 0 leaves the SOA out. */
  readonly negativeTtlS?: number;
  /** Replaces the octets of an answer; an empty list keeps silent. */
  readonly spoil?: (answer: Buffer, transport: 'udp' | 'tcp') => readonly Buffer[];
};

type Question = { readonly type: string; readonly name: string };
type Answer = { readonly name: string; readonly type: string; readonly ttl: number; readonly data: unknown };

export type TestDnsServer = AsyncDisposable & {
  readonly address: string;
  readonly port: number;
  /** Every question that came: `udp MX example.org`. */
  readonly asked: readonly string[];
  replace(zone: Zone): void;
  close(): Promise<void>;
};

const RCODE = { servfail: 2, nxdomain: 3, refused: 5 } as const;

function dataOf(entry: ZoneEntry, type: string): readonly unknown[] {
  switch (type) {
    case 'A':
      return entry.a ?? [];
    case 'AAAA':
      return entry.aaaa ?? [];
    case 'MX':
      return (entry.mx ?? []).map(({ preference, exchange }) => ({ preference, exchange: exchange || '.' }));
    case 'TXT':
      return (entry.txt ?? []).map((text) => text.match(/[^]{1,255}/g) ?? ['']);
    case 'PTR':
      return entry.ptr ?? [];
    case 'CNAME':
      return entry.cname === undefined ? [] : [entry.cname];
    case 'TLSA':
      return (entry.tlsa ?? []).map(({ data, ...rest }) => ({ ...rest, certificate: Buffer.from(data) }));
    default:
      return [];
  }
}

type Found = { readonly rcode: number; readonly answers: Answer[]; readonly authentic: boolean };

/** What goes into the answer, or undefined to keep silent. */
function answerTo(
  zone: Zone,
  question: Question,
  options: DnsServerOptions,
  unchecked: boolean,
): Found | undefined {
  const answers: Answer[] = [];
  let authentic = true;
  let name = question.name.toLowerCase();
  for (let hops = 0; hops < 32; hops += 1) {
    const entry = Object.hasOwn(zone, name) ? zone[name] : undefined;
    authentic &&= entry?.authentic ?? options.authentic === true;
    if (entry === undefined) return { rcode: RCODE.nxdomain, answers, authentic };
    if (entry.fails === 'timeout') return undefined;
    if (entry.fails === 'bogus' && !unchecked) return { rcode: RCODE.servfail, answers: [], authentic };
    if (entry.fails !== undefined && entry.fails !== 'bogus')
      return { rcode: RCODE[entry.fails], answers: [], authentic };
    const ttl = entry.ttlS ?? 300;
    const owner = hops === 0 ? question.name : name;
    if (entry.cname !== undefined && question.type !== 'CNAME') {
      answers.push({ name: owner, type: 'CNAME', ttl, data: entry.cname });
      name = entry.cname.toLowerCase();
      if (options.oneCname === true) return { rcode: 0, answers, authentic };
      continue;
    }
    for (const data of dataOf(entry, question.type))
      answers.push({ name: owner, type: question.type, ttl, data });
    return { rcode: 0, answers, authentic };
  }
  return { rcode: 0, answers, authentic };
}

export async function startDnsServer(zone: Zone, options: DnsServerOptions = {}): Promise<TestDnsServer> {
  const address = options.address ?? '127.0.0.1';
  let table = zone;
  const asked: string[] = [];
  const sockets = new Set<Socket>();

  const respond = (query: Buffer, transport: 'udp' | 'tcp'): readonly Buffer[] => {
    let request;
    try {
      request = packet.decode(query);
    } catch {
      return [];
    }
    const [question] = request.questions;
    if (question === undefined) return [];
    asked.push(`${transport} ${question.type} ${question.name}`);
    const unchecked = (request.flags & packet.CHECKING_DISABLED) !== 0;
    const found = answerTo(table, question, options, unchecked);
    if (found === undefined) return [];
    const minimum = options.negativeTtlS ?? 60;
    const soa = { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum };
    const aliasOnly = options.oneCname === true && found.answers.length > 0;
    const negative =
      !aliasOnly && !found.answers.some((answer) => answer.type === question.type) && minimum > 0;
    const whole = {
      id: request.id,
      type: 'response' as const,
      flags: 0x0180 | found.rcode | (found.authentic ? 0x0020 : 0),
      questions: [question],
      answers: found.answers,
      authorities: negative ? [{ name: '.', type: 'SOA', ttl: 3600, data: soa }] : [],
    };
    const octets = packet.encode(whole);
    const short =
      transport === 'udp' && octets.length > (options.udpOctetsMax ?? 1232)
        ? packet.encode({ ...whole, flags: whole.flags | 0x0200, answers: [], authorities: [] })
        : octets;
    return options.spoil?.(short, transport) ?? [short];
  };

  const tcp = createServer((socket) => {
    sockets.add(socket);
    let held = Buffer.alloc(0);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) {
        const query = held.subarray(2, 2 + held.readUInt16BE(0));
        held = held.subarray(2 + query.length);
        for (const octets of respond(query, 'tcp')) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(octets.length);
          socket.write(Buffer.concat([length, octets]));
        }
      }
    });
  });
  await new Promise<void>((resolve, reject) => {
    tcp.once('error', reject);
    tcp.listen(options.port ?? 0, address, resolve);
  });
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  udp.on('message', (query, peer) => {
    for (const octets of respond(query, 'udp')) udp.send(octets, peer.port, peer.address);
  });
  await new Promise<void>((resolve, reject) => {
    udp.once('error', reject);
    udp.bind(port, address, resolve);
  });

  let closed: Promise<unknown> | undefined;
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    closed ??= Promise.all([
      new Promise<void>((resolve) => tcp.close(() => resolve())),
      new Promise<void>((resolve) => udp.close(() => resolve())),
    ]);
    await closed;
  };
  return {
    address,
    port,
    asked,
    replace: (next) => {
      table = next;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}
