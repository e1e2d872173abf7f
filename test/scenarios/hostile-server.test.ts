/** What happens around a server: second servers, taken ports, bad certificates, want of descriptors, odd questions. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { selfSigned } from '../../src/net/self-signed.ts';
import { run, type Ran } from '../support/command.ts';
import { peer } from '../support/peer.ts';
import { freeBasePort, startPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

const ENTRY = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const postrider = (...args: readonly string[]): Promise<Ran> => run(process.execPath, [ENTRY, ...args]);

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-test-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function listenOn(port: number, isShared: boolean): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) =>
    server.listen({ host: '127.0.0.1', port, reusePort: isShared }, resolve),
  );
  return server;
}

for (const isShared of [false, true])
  test(`a port that somebody ${isShared ? 'would share' : 'has'} is a clear problem, and nothing is left running`, () =>
    inFolder(async (folder) => {
      const basePort = await freeBasePort();
      const other = await listenOn(basePort + 143, isShared);
      const tried = await postrider('localserve', '--dir', folder, '--base-port', String(basePort));
      other.close();
      assert.equal(tried.code, 1, tried.stderr);
      assert.match(
        tried.stderr,
        new RegExp(`^postrider: Listening on 127\\.0\\.0\\.1 port ${basePort + 143}: .*EADDRINUSE`),
      );
      await using again = await startPostrider({ directory: folder, basePort });
      assert.equal(await again.stop(), 0);
    }));

test('a data directory has one server, and a second one is refused by name', async () => {
  await using server = await startPostrider();
  const basePort = await freeBasePort();
  const second = await postrider('localserve', '--dir', server.directory, '--base-port', String(basePort));
  assert.equal(second.code, 6, second.stderr);
  assert.match(second.stderr, new RegExp(`in use by postrider localserve \\(process ${server.pid},`));
  using client = await RawClient.open(server.port('smtp'));
  assert.match(await client.reply(), /^220/);
});

test('an idle server ends within two seconds, clients or none', async () => {
  await using server = await startPostrider();
  using silent = await RawClient.open(server.port('smtp'));
  using idle = await RawClient.open(server.port('imap'));
  using shaking = await RawClient.open(server.port('imaps'));
  for (const client of [silent, idle, shaking]) client.socket.on('end', () => client.endInput());
  // The kernel connects before the server accepts: only who was greeted has a session to be told of the end.
  await silent.hear(/^220 [^\n]*\n/);
  await idle.hear(/^\* OK [^\n]*\n/);
  const startedMs = performance.now();
  assert.equal(await server.stop(), 0);
  assert.ok(performance.now() - startedMs < 2000, `${performance.now() - startedMs} ms`);
  assert.match(await silent.rest(), /421 4\.3\.2/);
  assert.match(await idle.rest(), /\* BYE /);
  await shaking.rest();
});

/** Everybody may leave a message, read where to, and list or take nothing (docs/sendmail.md). */
const FOR_EVERYBODY: Readonly<Record<string, number>> = {
  maildrop: 0o1733,
  'maildrop/postrider.json': 0o444,
};

test("what a server makes is its owner's alone, whatever the umask", async () => {
  await using server = await startPostrider();
  for (const name of await readdir(server.directory, { recursive: true })) {
    // What was listed under another name may be in its place by now: files are replaced whole.
    const mode = (await stat(join(server.directory, name)).catch(() => undefined))?.mode;
    if (mode === undefined) continue;
    const expected = FOR_EVERYBODY[name];
    const told = `${name} ${mode.toString(8)}`;
    if (expected === undefined) assert.equal(mode & 0o077, 0, told);
    else assert.equal(mode & 0o7777, expected, told);
  }
});

const CONFIGURATIONS = [
  { name: 'no file', text: undefined, want: /cannot be read/ },
  { name: 'no TOML', text: 'hostname = ', want: /postrider\.toml/ },
  { name: 'an unknown key', text: 'hostnme = "x.test"\n', want: /did you mean "hostname"/ },
  { name: 'a number where text belongs', text: 'hostname = 5\n', want: /hostname/ },
  { name: '__proto__', text: '[__proto__]\nx = 1\n', want: /__proto__/ },
  { name: 'NULs', text: 'host\0name = "x"\n', want: /postrider\.toml/ },
  { name: 'nesting', text: `hostname = ${'['.repeat(50_000)}\n`, want: /postrider\.toml/ },
];

for (const { name, text, want } of CONFIGURATIONS)
  test(`serve refuses a configuration: ${name}`, () =>
    inFolder(async (folder) => {
      const file = join(folder, 'postrider.toml');
      if (text !== undefined) await writeFile(file, text);
      const tried = await postrider('serve', '--config', file);
      assert.equal(tried.code, 3, tried.stderr);
      assert.match(tried.stderr, want);
      assert.doesNotMatch(tried.stderr, /^\s+at /m);
    }));

test('odd questions on the control socket are answered, and it goes on', async () => {
  await using server = await startPostrider();
  const path = join(server.directory, 'control.sock');
  const ask = async (said: string): Promise<string> => {
    using client = await RawClient.openPath(path);
    client.send(said);
    return await client.hear(/\n/);
  };
  const odd = [
    '{\n',
    'null\n',
    '[]\n',
    '"x"\n',
    '\xff\xfe\n',
    '{"id":{},"method":"status"}\n',
    '{"id":1,"method":"__proto__"}\n',
  ];
  odd.push(
    '{"id":1,"method":"constructor","params":{}}\n',
    `${'['.repeat(500_000)}\n`,
    '{"id":1,"method":"domain.list","params":7}\n',
  );
  odd.push('{"id":1,"method":"domain.add","params":{"__proto__":{"name":"x"}}}\n');
  for (const said of odd) assert.match(await ask(said), /"error":\{"kind":|"result"/, said.slice(0, 60));
  // Beyond the limit of a line the connection is closed, perhaps before its client has read why.
  using endless = await RawClient.openPath(path);
  for (let sent = 0; sent < 40; sent += 1) if (!(await endless.push('x'.repeat(65_536)))) break;
  assert.match(await endless.rest(), /^(?:\{"id":null,"error":.*)?$/s);
  const many = await Promise.all(Array.from({ length: 40 }, () => RawClient.openPath(path)));
  for (const client of many) client[Symbol.dispose]();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  assert.match(await ask('{"id":1,"method":"status","params":{}}\n'), /"result":\{/);
});

test(
  'want of descriptors: those who are let in are served, the others are told',
  { skip: peer('prlimit').skip },
  async () => {
    await using server = await startPostrider({ limitBy: ['prlimit', '--nofile=256:256'] });
    const clients = await Promise.all(Array.from({ length: 400 }, () => RawClient.open(server.port('smtp'))));
    const greetings = await Promise.all(clients.map((client) => client.reply()));
    const served = clients.filter((_client, index) => greetings[index]?.startsWith('220') === true);
    assert.ok(served.length >= 50, `${served.length} served`);
    assert.ok(served.length < 256);
    assert.equal(
      greetings.filter((greeting) => greeting.startsWith('421 4.7.0')).length,
      400 - served.length,
    );
    const [client] = served;
    assert(client);
    client.send(
      'EHLO client.test\r\nMAIL FROM:<bob@away.test>\r\nRCPT TO:<alice@example.test>\r\nBDAT 14 LAST\r\nSubject: d\r\n\r\n',
    );
    await client.hear(/Accepted as/);
    for (const each of clients) each[Symbol.dispose]();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    using next = await RawClient.open(server.port('smtp'));
    assert.match(await next.reply(), /^220/);
    assert.ok(
      server
        .output()
        .split('\n')
        .filter((line) => line.includes('connection.refused')).length < 10,
    );
  },
);

test(
  'certificates change while clients come: none fails, and a bad one changes nothing',
  { timeout: 60_000 },
  async () => {
    await using server = await startPostrider();
    const [chainFile, keyFile] = [
      join(server.directory, 'tls/certificate.pem'),
      join(server.directory, 'tls/key.pem'),
    ];
    const stop = new AbortController();
    let handshakes = 0;
    const shake = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        using client = await RawClient.openTls(server.port('imaps'));
        await client.hear(/^\* OK/);
        handshakes += 1;
      }
    };
    const shaking = Promise.all(Array.from({ length: 4 }, shake));
    const shown = async (): Promise<string> => {
      using client = await RawClient.openTls(server.port('submissions'));
      return client.certificateSerial();
    };
    const reload = async (): Promise<void> => {
      process.kill(server.pid, 'SIGHUP');
      await new Promise((resolve) => setTimeout(resolve, 500));
    };
    const first = await shown();
    const other = await selfSigned(['localhost', '127.0.0.1', '::1'], Date.now());
    await writeFile(keyFile, other.key);
    await writeFile(chainFile, other.chain);
    await reload();
    const second = await shown();
    assert.notEqual(second, first);
    // A key that is another's: the files are seen between two writes.
    await writeFile(keyFile, (await selfSigned(['localhost'], Date.now())).key);
    await reload();
    assert.equal(await shown(), second);
    await writeFile(chainFile, (await readFile(chainFile, 'utf8')).slice(0, 100));
    await reload();
    await shown();
    stop.abort();
    await shaking;
    assert.ok(handshakes > 20);
    await server.heard(/the certificate stays as it was/);
    assert.doesNotMatch(server.output(), /thread\.died/);
  },
);

const openssl = peer('openssl');
const VERSIONS = [
  { args: ['-tls1'], works: false },
  { args: ['-tls1_1'], works: false },
  { args: ['-tls1_2'], works: true },
  { args: ['-tls1_3'], works: true },
  { args: ['-tls1_2', '-cipher', 'AES128-SHA:AES128-GCM-SHA256:@SECLEVEL=0'], works: false },
  {
    args: ['-tls1_2', '-cipher', 'ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0'],
    works: false,
  },
];

test(
  'TLS 1.2 and 1.3 with forward secrecy and AEAD, and no renegotiation (RFC 9325)',
  { skip: openssl.skip },
  async () => {
    await using server = await startPostrider();
    const connect = ['s_client', '-connect', `127.0.0.1:${server.port('imaps')}`];
    for (const { args, works } of VERSIONS) {
      const weak =
        args.includes('-cipher') || args.includes('-tls1_3') ? [] : ['-cipher', 'DEFAULT:@SECLEVEL=0'];
      const { stdout, stderr } = await run('openssl', [...connect, ...args, ...weak], { input: 'Q\n' });
      assert.equal(/^New, TLSv1/m.test(stdout), works, `${args.join(' ')}\n${stdout}${stderr}`);
    }
    const again = await run('openssl', [...connect, '-tls1_2', '-crlf'], { input: 'R\nQ\n' });
    assert.match(`${again.stdout}${again.stderr}`, /no renegotiation/);
  },
);
