/**
 * A post office that starts with a long queue: the time to its first 220, its memory, and how long `postrider queue summary`
 * and the first page of `queue list` take, process start included. `node bench/queue/start.ts [messages] [domains]`
 *
 * Once all of them wait; then half are due, and their hosts refuse the connection: a fifth as many of those say what is the work's
 * memory, and what the queue's.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startDnsServer } from '../../test/support/dns-server.ts';
import { pathOf } from '../support/child.ts';
import { fillQueue } from '../support/fill-queue.ts';
import { freePort } from '../../test/support/free-port.ts';
import { memoryOf } from '../support/process.ts';
import { benchDirectory, onlySmtp } from '../support/server.ts';

const [messages = 100_000, domains = 1000] = process.argv.slice(2).map(Number);
const MAIN = pathOf('src/app/main.ts');

async function firstGreeting(port: number, fromMs: number): Promise<number> {
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    // Rejects where nobody listens yet.
    const said = await once(socket, 'data').catch(() => undefined);
    socket.destroy();
    if (said !== undefined && String(said[0]).startsWith('220')) return performance.now() - fromMs;
    await sleep(5);
  }
}

async function timed(...words: readonly string[]): Promise<number> {
  const fromMs = performance.now();
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code]: unknown[] = await once(child, 'exit');
  if (code !== 0) throw new Error(`postrider ${words.join(' ')} ended with ${String(code)}`);
  return performance.now() - fromMs;
}

async function measure(count: number, halfDue: boolean): Promise<void> {
  const directory = await mkdtemp(join(benchDirectory(), 'postrider-bench-'));
  const dataDirectory = join(directory, 'data');
  await using dns = await startDnsServer(
    Object.fromEntries(
      Array.from({ length: domains }, (_, number) => [`d${number}.bench.test`, { a: ['127.0.0.1'] }]),
    ),
  );
  const [port, refusing] = [await freePort(), await freePort()];
  const config = join(directory, 'postrider.toml');
  await writeFile(
    config,
    `hostname = "mx.example.test"
dataDirectory = ${JSON.stringify(dataDirectory)}
tls.selfSigned = true
outgoing.port = ${refusing}
resolver.servers = ["${dns.address}:${dns.port}"]
log.level = "error"
${onlySmtp(port)}
`,
  );
  const nowMs = Date.now();
  await fillQueue(dataDirectory, count, (number) => ({
    address: `user${number}@d${number % domains}.bench.test`,
    releaseAtMs: halfDue && number % 2 === 0 ? undefined : nowMs + 86_400_000,
  }));
  const fromMs = performance.now();
  const child = spawn(process.execPath, [MAIN, 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  const greetingMs = await Promise.race([
    firstGreeting(port, fromMs),
    exited.then(() => Promise.reject(new Error('Postrider did not start'))),
  ]);
  const pids = [child.pid ?? 0];
  const soon = memoryOf(pids);
  await sleep(10_000);
  const later = memoryOf(pids);
  const listMs = await timed('queue', 'list', '--limit', '100', '--config', config);
  const summaryMs = await timed('queue', 'summary', '--config', config);
  const nothingMs = await timed('queue', 'list', '--text', 'no such words', '--config', config);
  const versionMs = await timed('--version');
  child.kill('SIGTERM');
  await exited;
  await rm(directory, { recursive: true });
  const row = {
    messages: count,
    due: halfDue ? count / 2 : 0,
    greetingMs,
    listMs,
    summaryMs,
    nothingMs,
    versionMs,
  };
  console.log(
    JSON.stringify({
      ...Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Math.round(value)])),
      rssMibAtGreeting: soon.rssMib,
      rssMibAfter10s: later.rssMib,
    }),
  );
}

await measure(0, false);
await measure(messages, false);
await measure(messages / 5, true);
await measure(messages, true);
