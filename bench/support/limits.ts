/** What the machine itself can do, measured beside everything else: nothing can be faster than this. */
import { fdatasyncSync, mkdtempSync, openSync, closeSync, rmSync, writeSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BLOCK_OCTETS = 4096;
const CHUNK_OCTETS = 65_536;

export type SyncRate = { readonly perSecond: number; readonly p50Ms: number; readonly p99Ms: number };

/** Appends 4 KiB and syncs, again and again. */
export function measureSyncs(ms: number, directory: string = process.env['BENCH_DIR'] ?? tmpdir()): SyncRate {
  const folder = mkdtempSync(join(directory, 'postrider-sync-'));
  const file = openSync(join(folder, 'sync'), 'w');
  const block = Buffer.alloc(BLOCK_OCTETS, 1);
  const times: number[] = [];
  const from = performance.now();
  while (performance.now() - from < ms) {
    const at = performance.now();
    writeSync(file, block);
    fdatasyncSync(file);
    times.push(performance.now() - at);
  }
  const perSecond = Math.round((times.length * 1000) / (performance.now() - from));
  closeSync(file);
  rmSync(folder, { recursive: true });
  times.sort((a, b) => a - b);
  const percentile = (share: number): number =>
    Number((times[Math.floor(times.length * share)] ?? 0).toFixed(3));
  return { perSecond, p50Ms: percentile(0.5), p99Ms: percentile(0.99) };
}

/** Appends large chunks and syncs each megabyte: how fast octets can be made safe. MB a second. */
export function measureSyncedWrites(
  ms: number,
  directory: string = process.env['BENCH_DIR'] ?? tmpdir(),
): number {
  const folder = mkdtempSync(join(directory, 'postrider-write-'));
  const file = openSync(join(folder, 'write'), 'w');
  const block = Buffer.alloc(1_048_576, 1);
  let octets = 0;
  const from = performance.now();
  while (performance.now() - from < ms) {
    octets += writeSync(file, block);
    fdatasyncSync(file);
  }
  const rate = octets / 1000 / (performance.now() - from);
  closeSync(file);
  rmSync(folder, { recursive: true });
  return Math.round(rate);
}

export type Loopback = { readonly megabytesPerSecond: number; readonly roundTripsPerSecond: number };

/** Both ends in this process: what one event loop can move over 127.0.0.1. */
export async function measureLoopback(ms: number): Promise<Loopback> {
  return {
    megabytesPerSecond: Math.round((await between(ms, stream)) / 1_000_000),
    roundTripsPerSecond: Math.round(await between(ms, pingPong)),
  };
}

async function between(
  ms: number,
  use: (a: Socket, b: Socket, ms: number) => Promise<number>,
): Promise<number> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('No port');
  const accepted = once(server, 'connection');
  const client = connect({ host: '127.0.0.1', port: address.port, noDelay: true });
  await once(client, 'connect');
  const [peer]: unknown[] = await accepted;
  const from = performance.now();
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what `connection` gives
  const count = await use(client, peer as Socket, ms);
  const rate = (count * 1000) / (performance.now() - from);
  client.destroy();
  server.close();
  return rate;
}

async function stream(from: Socket, to: Socket, ms: number): Promise<number> {
  const chunk = Buffer.alloc(CHUNK_OCTETS, 1);
  let octets = 0;
  to.on('data', (data: Buffer) => (octets += data.length));
  const end = performance.now() + ms;
  while (performance.now() < end) {
    // oxlint-disable-next-line no-await-in-loop -- as the peer reads
    if (!from.write(chunk)) await once(from, 'drain');
  }
  return octets;
}

async function pingPong(a: Socket, b: Socket, ms: number): Promise<number> {
  let count = 0;
  b.on('data', (data: Buffer) => b.write(data));
  const end = performance.now() + ms;
  await new Promise<void>((resolve) => {
    a.on('data', (data: Buffer) => {
      count += 1;
      if (performance.now() < end) a.write(data);
      else resolve();
    });
    a.write('x');
  });
  return count;
}
