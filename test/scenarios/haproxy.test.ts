/** HAProxy in front: the client that it names is the one that sessions, fields and logs know, by both versions and under TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { readMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import type { RunningPostrider } from '../support/postrider.ts';
import { ALICE, BOB, freeBasePort, startPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const haproxy = peer('haproxy');
/** An address of this machine's that HAProxy has not, so that it is to be told from the proxy. */
const CLIENT = '127.0.0.9';
const FRONTENDS = { smtp1: 1, smtp2: 2, smtpChecked: 3, imap1: 4, imaps2: 5, submissions2: 6 } as const;

type Front = AsyncDisposable & { readonly port: (name: keyof typeof FRONTENDS) => number };

async function startHaproxy(server: RunningPostrider): Promise<Front> {
  const root = await mkdtemp(join(tmpdir(), 'haproxy-test-'));
  const base = await freeBasePort();
  const proxy = (name: keyof typeof FRONTENDS, to: number, options: string): string =>
    [
      `listen ${name}`,
      `  bind 127.0.0.1:${base + FRONTENDS[name]}`,
      `  server postrider 127.0.0.1:${to} ${options}`,
    ].join('\n');
  const config = join(root, 'haproxy.cfg');
  await writeFile(
    config,
    [
      'defaults',
      '  mode tcp',
      '  timeout connect 5s',
      '  timeout client 60s',
      '  timeout server 60s',
      proxy('smtp1', server.port('smtp'), 'send-proxy'),
      proxy('smtp2', server.port('smtp'), 'send-proxy-v2'),
      proxy(
        'smtpChecked',
        server.port('smtp'),
        'send-proxy-v2 proxy-v2-options crc32c,unique-id check inter 200',
      ),
      proxy('imap1', server.port('imap'), 'send-proxy'),
      proxy('imaps2', server.port('imaps'), 'send-proxy-v2'),
      proxy('submissions2', server.port('submissions'), 'send-proxy-v2 proxy-v2-options crc32c'),
      '',
    ].join('\n'),
  );
  const child = spawn(haproxy.path ?? '', ['-db', '-f', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const port = (name: keyof typeof FRONTENDS): number => base + FRONTENDS[name];
  for (let tries = 0; !(await isOpen(port('submissions2'))); tries += 1)
    if (child.exitCode !== null || tries > 200) throw new Error(`HAProxy does not serve:\n${output}`);
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      await rm(root, { recursive: true });
    },
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    await new Promise((resolve) => setTimeout(resolve, 25));
    return false;
  } finally {
    socket.destroy();
  }
}

const server =
  haproxy.skip === undefined
    ? await startPostrider({
        listenerLines: 'proxyProtocol = true',
        config: '[trust]\nproxies = ["127.0.0.1"]\n[limits]\nconnectionsPerAddressMax = 3\n',
      })
    : undefined;
const front = server === undefined ? undefined : await startHaproxy(server);
after(async () => {
  await front?.[Symbol.asyncDispose]();
  assert.equal(await server?.stop(), server === undefined ? undefined : 0);
  assert.doesNotMatch(server?.output() ?? '', /bug|thread\.died/);
  await server?.[Symbol.asyncDispose]();
});

function portOf(name: keyof typeof FRONTENDS): number {
  return front?.port(name) ?? assert.fail('HAProxy was not started');
}

async function openFrom(name: keyof typeof FRONTENDS): Promise<RawClient> {
  const socket = connect({ port: portOf(name), host: '127.0.0.1', localAddress: CLIENT, noDelay: true });
  await once(socket, 'connect');
  return new RawClient(socket);
}

/** As a program sees it that reads mail through HAProxy. */
async function inbox(): Promise<string[]> {
  assert.ok(server !== undefined);
  return readMessages({ ...server, port: () => portOf('imaps2') }, ALICE);
}

for (const name of ['smtp1', 'smtp2', 'smtpChecked'] as const)
  test(
    `SMTP by ${name}: Received names the client, and STARTTLS goes through`,
    { skip: haproxy.skip },
    async () => {
      using client = await openFrom(name);
      assert.match(await client.reply(), /^220 /);
      await client.smtp('EHLO client.test');
      assert.match(await client.smtp('STARTTLS'), /^220/);
      await client.startTls();
      await client.smtp('EHLO client.test');
      const subject = `Subject: ${name}\r\n\r\n`;
      client.send(
        `MAIL FROM:<bob@away.test>\r\nRCPT TO:<${ALICE.address}>\r\nBDAT ${subject.length} LAST\r\n${subject}`,
      );
      await client.hear(/Accepted as/);
      const message = (await inbox()).find((text) => text.includes(subject));
      assert.match(message ?? '', /^Received: from client\.test \(\[127\.0\.0\.9\]\)/m);
    },
  );

test(
  'submissions by version 2 with a checksum, under TLS from the first octet',
  { skip: haproxy.skip },
  async () => {
    using client = await RawClient.openTls(portOf('submissions2'));
    assert.match(await client.reply(), /^220 /);
    await client.smtp('EHLO client.test');
    const login = Buffer.from(`\0${BOB.address}\0${BOB.password}`).toString('base64');
    assert.match(await client.smtp(`AUTH PLAIN ${login}`), /^235/);
  },
);

test('IMAP by version 1: signing in is told as the client’s', { skip: haproxy.skip }, async () => {
  using client = await openFrom('imap1');
  await client.hear(/^\* OK [^\n]*\n/);
  client.send('a STARTTLS\r\n');
  await client.hear(/a OK [^\n]*\n/);
  await client.startTls();
  client.send(`b LOGIN ${ALICE.address} ${ALICE.password}\r\n`);
  await client.hear(/b OK [^\n]*\n/);
  await server?.heard(/"remoteAddress":"127\.0\.0\.9"/);
});

test('connections are counted as their client’s, not as the proxy’s', { skip: haproxy.skip }, async () => {
  const clients: RawClient[] = [];
  try {
    for (const [index, address] of [...Array(4).fill('192.0.2.7'), '192.0.2.8'].entries()) {
      const client = await RawClient.open(server?.port('smtp') ?? 0);
      clients.push(client);
      client.send(`PROXY TCP4 ${address} 198.51.100.1 1234 25\r\n`);
      assert.match(await client.reply(), index === 3 ? /^421 4\.7\.0 / : /^220 /);
    }
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

test('a trusted proxy that sends no header is cut without a word', { skip: haproxy.skip }, async () => {
  using client = await RawClient.open(server?.port('smtp') ?? 0);
  client.send('EHLO client.test\r\n');
  assert.equal(await client.rest(), '');
  await server?.heard(/server\.proxy\.failed/);
});

test('of anybody else a header is garbage', { skip: haproxy.skip }, async () => {
  const socket = connect({ port: server?.port('smtp') ?? 0, host: '127.0.0.1', localAddress: CLIENT });
  await once(socket, 'connect');
  using client = new RawClient(socket);
  assert.match(await client.reply(), /^220 /);
  assert.match(await client.smtp('PROXY TCP4 192.0.2.7 198.51.100.1 1234 25'), /^500/);
});
