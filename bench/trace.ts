/**
 * Traces: how long it takes to write many and to find one among them. `node bench/trace.ts [count]`, a million unless said.
 * Each result is a line of JSON.
 */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../src/app/system.ts';
import { createQueueIds } from '../src/queue/queue-id.ts';
import { TraceCollector } from '../src/trace/collector.ts';
import { EmbeddedTraceReader } from '../src/trace/embedded/trace-store.ts';
import { flatten, TraceWriter } from '../src/trace/embedded/trace-writer.ts';
import { findTrace, searchTraces, type TraceSearch } from '../src/trace/search.ts';

const count = Number(process.argv[2] ?? 1_000_000);
const parent = await mkdtemp(join(process.env['BENCH_DIR'] ?? tmpdir(), 'postrider-bench-trace-'));
const folder = join(parent, 'traces');
const PEOPLE = 50_000;

function note(fields: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ section: 'trace', ...fields }));
}

/** Mail of many senders to many recipients, one in a hundred delayed and one in a thousand failed. */
async function fill(writer: TraceWriter): Promise<readonly string[]> {
  const newId = createQueueIds(systemClock, systemRandom);
  const collector = new TraceCollector({
    sink: { append: async (batch) => writer.append(flatten(batch)) },
    clock: systemClock,
    without: new Set(['subject']),
    onDropped: (entries) => note({ dropped: entries }),
  });
  const ids: string[] = [];
  for (let number = 0; number < count; number += 1) {
    const session = {
      sessionId: newId(),
      role: 'relay',
      remoteAddress: `192.0.${number % 200}.${number % 251}`,
    };
    const id = newId();
    ids.push(id);
    const address = `person${(number * 7919) % PEOPLE}@example.org`;
    const outcome = number % 1000 === 0 ? 'failed' : number % 100 === 0 ? 'delayed' : 'relayed';
    const local = { localAddress: '192.0.2.25', localPort: 25, remotePort: 40_000 };
    collector.note({ ...session, name: 'smtp.session-opened', ...local });
    collector.note({ ...session, name: 'smtp.hello', verb: 'EHLO', domain: 'mx.example.net' });
    const reversePath = `sender${number % PEOPLE}@example.net`;
    collector.note({ ...session, name: 'smtp.mail', traceId: id, reversePath, smtpUtf8: false });
    collector.note({ ...session, name: 'smtp.recipient', traceId: id, recipient: address });
    const messageId = `${id}.${number}@example.net`;
    collector.note({
      name: 'delivery.accepted',
      queueId: id,
      messageId,
      subject: '',
      octets: 4096,
      recipients: 1,
    });
    const text = '250 2.0.0 Ok: queued as 4F5A61234';
    collector.note({ name: 'delivery.settled', queueId: id, address, outcome, host: 'mx.example.org', text });
    collector.note({ ...session, name: 'smtp.session-closed', how: 'quit', commands: 5 });
    // oxlint-disable-next-line no-await-in-loop -- lets batches be written
    if (number % 1000 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await collector.flush();
  return ids;
}

async function timed(what: string, run: () => Promise<number>): Promise<void> {
  const times: number[] = [];
  let found = 0;
  for (let round = 0; round < 5; round += 1) {
    const from = performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one after the other is measured
    found = await run();
    times.push(performance.now() - from);
  }
  note({ what, found, firstMs: Math.round(times[0] ?? 0), bestMs: Number(Math.min(...times).toFixed(1)) });
}

try {
  const cpu = process.cpuUsage();
  using writer = new TraceWriter({ folder, keptMs: 1e12, octetsMax: 1e12, nowMs: () => Date.now() });
  const ids = await fill(writer);
  const { user, system } = process.cpuUsage(cpu);
  let octets = 0;
  for (const name of await readdir(folder)) octets += (await stat(join(folder, name))).size;
  note({
    traces: count,
    cpuUsEach: Number(((user + system) / count).toFixed(1)),
    octetsEach: Math.round(octets / count),
  });

  using reader = new EmbeddedTraceReader(folder);
  const page = { before: undefined, limit: 50 };
  const search = (what: TraceSearch) => async () => (await searchTraces(reader, what, page)).traces.length;
  const some = ids[Math.trunc(count / 3)] ?? '';
  await timed('by id', async () => (typeof (await findTrace(reader, some)) === 'object' ? 1 : 0));
  await timed('by address', search({ address: 'person4711@example.org' }));
  await timed('by client', search({ client: '192.0.7.7' }));
  await timed('by Message-ID', search({ messageId: `${some}.${Math.trunc(count / 3)}@example.net` }));
  await timed('the last failed', search({ outcome: 'failed' }));
  await timed('the last of all', search({}));
  await timed('an address that never wrote', search({ address: 'nobody@example.org' }));
} finally {
  await rm(parent, { recursive: true, force: true });
}
