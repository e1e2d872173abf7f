/**
 * A thousand destinations of which a hundred take the connection and say nothing: when the other nine hundred have their
 * mail, with and without those. The nine hundred are one address, so that one sink does for all. `node bench/queue/stall.ts [messages for each]`. Needs `smtp-sink`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { startDnsServer } from '../../test/support/dns-server.ts';
import { freePort } from '../../test/support/free-port.ts';
import { startSink } from '../../test/support/smtp-sink.ts';
import { pathOf } from '../support/child.ts';
import { fillQueue } from '../support/fill-queue.ts';
import { benchDirectory, onlySmtp } from '../support/server.ts';

const DESTINATIONS = 1000;
const STALLED = 100;
const each = Number(process.argv[2] ?? 5);

const stalledAddress = (number: number): string => `127.1.0.${number + 1}`;

/** Hosts of their own addresses that never greet. */
async function startSilent(port: number): Promise<() => void> {
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  for (let number = 0; number < STALLED; number += 1) {
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
    });
    server.listen(port, stalledAddress(number));
    await once(server, 'listening');
    servers.push(server);
  }
  return () => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
  };
}

async function measure(withStalled: boolean): Promise<void> {
  const directory = await mkdtemp(join(benchDirectory(), 'postrider-bench-'));
  const dataDirectory = join(directory, 'data');
  const [smtpPort, port] = [await freePort(), await freePort()];
  // Each destination has sessions of its own, and they wait a little for more.
  await using sink = await startSink(port, ['-m', '5000']);
  const endSilent = await startSilent(port);
  await using dns = await startDnsServer(
    Object.fromEntries(
      Array.from({ length: DESTINATIONS }, (_, number) => [
        `d${number}.bench.test`,
        { a: [number < STALLED ? stalledAddress(number) : '127.0.0.1'] },
      ]),
    ),
  );
  const config = join(directory, 'postrider.toml');
  await writeFile(
    config,
    `hostname = "mx.example.test"
dataDirectory = ${JSON.stringify(dataDirectory)}
tls.selfSigned = true
outgoing.port = ${port}
outgoing.tls = "none"
resolver.servers = ["${dns.address}:${dns.port}"]
log.level = "error"
queue.deliveriesPerHostMax = 200
${onlySmtp(smtpPort)}
`,
  );
  const from = withStalled ? 0 : STALLED * each;
  await fillQueue(dataDirectory, DESTINATIONS * each - from, (number) => ({
    address: `x${number}@d${Math.floor((number + from) / each)}.bench.test`,
    releaseAtMs: undefined,
  }));
  const child = spawn(process.execPath, [pathOf('src/app/main.ts'), 'serve', '--config', config], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const exited = once(child, 'exit');
  // The start is not what is asked for.
  await sink.reach(1);
  const fromMs = performance.now();
  const messages = (DESTINATIONS - STALLED) * each;
  await sink.reach(messages);
  const tookMs = Math.round(performance.now() - fromMs);
  console.log(JSON.stringify({ stalled: withStalled ? STALLED : 0, messages, tookMs }));
  child.kill('SIGKILL');
  await exited;
  endSilent();
  await rm(directory, { recursive: true });
}

await measure(false);
await measure(true);
