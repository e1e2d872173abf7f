/**
 * Records a second into segments, grouped, beside the disk's own rate of syncs.
 * `node bench/store/segments.ts [directory]`
 */
import { mkdtempSync, openSync, fdatasyncSync, writeSync, closeSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import type { BlobRef } from '../../src/store/blob-store.ts';
import { openSegmentStore } from '../../src/store/embedded/segment-store.ts';

const SECONDS = 2;
const clock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};

function row(name: string, count: number, elapsedMs: number, octets: number, spentMs: number): void {
  const rate = Math.round((count * 1000) / elapsedMs);
  const mib = ((count * octets * 1000) / elapsedMs / 1_048_576).toFixed(0);
  const cpu = (spentMs / count).toFixed(3);
  console.log(
    `${name.padEnd(44)} ${String(rate).padStart(8)}/s ${mib.padStart(6)} MiB/s ${cpu.padStart(8)} CPU-ms each`,
  );
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'postrider-bench-'));
try {
  for (const octets of [4096, 65_536]) {
    const fd = openSync(join(directory, `raw-${octets}`), 'w');
    const block = Buffer.alloc(octets, 1);
    const begin = performance.now();
    const cpu = cpuMs();
    let count = 0;
    while (performance.now() - begin < SECONDS * 1000) {
      writeSync(fd, block);
      fdatasyncSync(fd);
      count += 1;
    }
    row(
      `the disk: write and fdatasync, ${octets} octets`,
      count,
      performance.now() - begin,
      octets,
      cpuMs() - cpu,
    );
    closeSync(fd);
  }
  for (const octets of [4096, 65_536, 4_194_304])
    for (const writers of [1, 10, 50, 200]) {
      if (octets > 1_000_000 && writers > 10) continue;
      const folder = join(directory, `${octets}-${writers}`);
      const store = await openSegmentStore({ directory: folder, clock, owner: 'bench' });
      const body = Buffer.alloc(octets, 7);
      const begin = performance.now();
      const cpu = cpuMs();
      let count = 0;
      const refs: BlobRef[] = [];
      await Promise.all(
        Array.from({ length: writers }, async () => {
          while (performance.now() - begin < SECONDS * 1000) {
            const writer = store.create(octets);
            for (let at = 0; at < octets; at += 65_536) await writer.write(body.subarray(at, at + 65_536));
            const ref = await writer.finish();
            count += 1;
            if (refs.length < 20_000) refs.push(ref);
          }
        }),
      );
      row(`${writers} writers, ${octets} octets`, count, performance.now() - begin, octets, cpuMs() - cpu);
      if (octets === 4096 && writers === 50) {
        const readBegin = performance.now();
        const readCpu = cpuMs();
        for (let at = 0; at < refs.length; at += 16)
          await Promise.all(refs.slice(at, at + 16).map((ref) => store.read(ref)));
        row('  read back, 16 at once', refs.length, performance.now() - readBegin, octets, cpuMs() - readCpu);
      }
      await store.close();
      rmSync(folder, { recursive: true });
    }
} finally {
  rmSync(directory, { recursive: true });
}
