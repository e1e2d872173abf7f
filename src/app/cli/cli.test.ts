import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RETURN_PATHS } from '../../../test/support/return-paths.ts';
import { tlsReports } from '../../../test/support/tls-reports.ts';
import { ReturnPaths } from '../../delivery/return-paths.ts';
import { encodeSrs } from '../../delivery/return-path/srs.ts';
import { MemoryDirectory } from '../../auth/memory/directory.ts';
import { toQueueId } from '../../queue/queue.ts';
import type { Queue } from '../../queue/queue.ts';
import { known } from '../../store/ids.ts';
import { openMemoryMailStore } from '../../store/memory/mail-store.ts';
import { batchOf } from '../../trace/trace-store.contract.ts';
import { MemoryTraceStore } from '../../trace/memory/trace-store.ts';
import { toTraceKeys } from '../../trace/trace-key.ts';
import { openControlServer } from '../control/server.ts';
import { takeDataLock } from '../data-lock.ts';
import { openSimulation } from '../open-stores.ts';
import { systemClock, systemRandom } from '../system.ts';
import { readAccount, readBasePort, readQuota, readScopes } from './argument.ts';
import type { ExitCode } from './exit-code.ts';
import { runCommandLine } from './program.ts';
import { formatOctets, formatTable, plainText } from './terminal.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));

type Ended = { readonly code: number; readonly out: string; readonly error: string };

/** The program itself, as a process. */
async function postrider(words: readonly string[], input = ''): Promise<Ended> {
  const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(input);
  const [out, error] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return {
    code: child.exitCode ?? (await new Promise<number>((done) => child.on('exit', done))),
    out,
    error,
  };
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  let all = '';
  for await (const chunk of stream) all += String(chunk);
  return all;
}

/** The command line within this process. */
async function run(words: readonly string[], input = ''): Promise<Ended> {
  const stream = new PassThrough();
  stream.end(input);
  let [out, error] = ['', ''];
  const terminal = {
    out: (more: string) => void (out += more),
    error: (more: string) => void (error += more),
    input: stream as unknown as NodeJS.ReadStream,
    exitCode: 0 as ExitCode,
  };
  await runCommandLine(words, terminal);
  return { code: terminal.exitCode, out, error };
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-cli-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('domains, accounts and aliases are tended with no server, from the shell', async () => {
  await inFolder(async (folder) => {
    const at = ['--dir', folder, '--json'];
    const added = await postrider(['domain', 'add', 'Bücher.example', ...at]);
    assert.deepEqual([added.code, added.error], [0, '']);
    const { domain } = JSON.parse(added.out) as { domain: { name: string; displayName: string } };
    assert.deepEqual([domain.name, domain.displayName], ['xn--bcher-kva.example', 'bücher.example']);
    const account = await postrider(
      ['account', 'add', 'alice@bücher.example', '--password-stdin', '--display-name', 'Alice', ...at],
      'secret\n',
    );
    assert.deepEqual([account.code, account.error], [0, '']);
    const alias = await postrider(['alias', 'add', '@bücher.example', 'alice@bücher.example', ...at]);
    assert.equal(alias.code, 0);
    const members = ['alice@bücher.example', 'far@b.test'];
    const owner = ['--owner', 'alice@bücher.example', '--verp'];
    const news = await postrider([
      'alias',
      'add',
      'news@bücher.example',
      ...members,
      ...owner,
      '--dir',
      folder,
    ]);
    assert.equal(
      news.out,
      'news@xn--bcher-kva.example leads to alice@xn--bcher-kva.example, far@b.test, as a list of ' +
        'alice@xn--bcher-kva.example, with VERP.\n',
    );
    const given = ['alice@bücher.example', 'news@bücher.example', 'lrs', '--mailbox', 'Sent'];
    const shared = await postrider(['share', 'add', ...given, '--dir', folder]);
    const row = 'Sent     news@xn--bcher-kva.example  lrs';
    assert.deepEqual([shared.code, shared.out.trimEnd().split('\n').at(-1)], [0, row], shared.error);
    const taken = await postrider(['share', 'remove', ...given.slice(0, 2), '--mailbox', 'Sent', ...at]);
    assert.deepEqual([taken.code, taken.out], [0, '{"shares":[]}\n']);
    const kept = await postrider(['alias', 'set', 'news@bücher.example', 'far@b.test', ...at]);
    const made = (JSON.parse(kept.out) as { alias: { owner?: string; verp?: boolean } }).alias;
    assert.deepEqual([made.owner, made.verp], ['alice@xn--bcher-kva.example', true]);
    const wrong = await postrider([
      'alias',
      'set',
      'news@bücher.example',
      'far@b.test',
      '--no-owner',
      '--verp',
      ...at,
    ]);
    assert.deepEqual([wrong.code, /bad-owner/.test(wrong.error)], [6, true]);
    const plain = await postrider([
      'alias',
      'set',
      'news@bücher.example',
      'far@b.test',
      '--no-owner',
      '--no-verp',
      ...at,
    ]);
    assert.deepEqual(Object.keys((JSON.parse(plain.out) as { alias: object }).alias), [
      'address',
      'targets',
      'createdAtMs',
    ]);
    const list = await postrider(['account', 'list', '--dir', folder]);
    assert.match(
      list.out,
      /^ADDRESS +STATE +QUOTA +NAME\nalice@xn--bcher-kva\.example +active +none +Alice\n$/,
    );
  });
});

test('a session is simulated with no server, from the shell', async () => {
  await inFolder(async (folder) => {
    const at = ['--dir', folder];
    await postrider(['domain', 'add', 'a.test', ...at]);
    await postrider(['account', 'add', 'alice@a.test', '--app-passwords-only', ...at]);
    const facts = ['simulate', '--client', '192.0.2.1', '--helo', 'mx.b.test', '--from', 'bob@b.test'];
    const taken = await postrider([...facts, '--to', 'alice@a.test', '--json', ...at]);
    assert.deepEqual([taken.code, taken.error], [0, '']);
    const { simulation } = JSON.parse(taken.out) as { simulation: { outcome: string; recipients: string[] } };
    assert.deepEqual([simulation.outcome, simulation.recipients], ['accepted', ['alice@a.test']]);
    const refused = await postrider([...facts, '--to', 'nobody@a.test', ...at]);
    assert.equal(refused.code, 6);
    assert.match(refused.out, /^recipient RCPT TO:<nobody@a\.test>\n +550 .*\(recipient\.unknown\)$/m);
    assert.match(refused.out, /^outcome +refused$/m);
    const own = await postrider([
      ...facts.slice(0, 3),
      '--from',
      '<>',
      '--to',
      'x@c.test',
      '--account',
      'alice@a.test',
      ...at,
    ]);
    assert.deepEqual([own.code, /AUTH PLAIN \(alice@a\.test\)/.test(own.out)], [0, true]);
    const nobody = await postrider([...facts, '--to', 'x@c.test', '--account', 'eve@a.test', ...at]);
    assert.equal(nobody.code, 1);
    const noAddress = await postrider([
      'simulate',
      '--client',
      'here',
      '--from',
      'a@b.test',
      '--to',
      'x@c.test',
      ...at,
    ]);
    assert.deepEqual([noAddress.code, /no IP address/.test(noAddress.error)], [1, true]);
  });
});

test("a secret of PostSRSd's is brought along, and an address made with it is known", async () => {
  await inFolder(async (folder) => {
    const at = ['--dir', folder];
    const secretFile = join(folder, 'postsrsd.secret');
    await writeFile(secretFile, 'our-very-own-secret\n');
    await postrider(['domain', 'add', 'ours.example', ...at]);
    const made = encodeSrs(
      'alice@example.org',
      'ours.example',
      { secrets: ['our-very-own-secret'], hashCharacters: 4, ageDaysMax: 21 },
      Date.now(),
    );
    const unknown = await postrider(['srs', 'show', made ?? '', ...at]);
    assert.equal(unknown.out, 'It was not made here, or was changed since: it is refused.\n');
    const rotated = await postrider(['srs', 'rotate', '--secret-file', secretFile, ...at]);
    assert.equal(rotated.out, 'Done. 2 secrets are good.\n');
    const shown = await postrider(['srs', 'show', made ?? '', ...at]);
    assert.equal(shown.out, 'It stands for alice@example.org\n');
    const only = await postrider(['srs', 'rotate', '--only', '--json', ...at]);
    assert.deepEqual(JSON.parse(only.out), { secrets: 1 });
    const gone = await postrider(['srs', 'show', made ?? '', '--json', ...at]);
    assert.deepEqual(JSON.parse(gone.out), { srs: { address: made, state: 'bad-hash', original: null } });
    const other = await postrider(['srs', 'show', 'alice@ours.example', ...at]);
    assert.equal(other.code, 1);
  });
});

test('what is asked wrongly ends with 2 and a suggestion', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-cli-'));
  const wrong: [string[], RegExp][] = [
    [['domian', 'list'], /Did you mean domain\?/],
    [['domain', 'lst'], /Did you mean list\?/],
    [['domain', 'list', '--jsn'], /Did you mean --json\?/],
    [['domain', 'add'], /missing required argument 'domain'/],
    [['serve'], /required option '--config <file>'/],
    [['localserve', '--base-port', '61346'], /at most 61345/],
    [['localserve', '--account', 'alice@x.test'], /ADDRESS:PASSWORD/],
    [['domain', 'list', '--dir', 'x', '--config', 'y'], /cannot be used with/],
    [['queue', 'drop', '--dir', folder], /Say which/],
    [['queue', 'drop', '--all', '--sender', 'x@y.test', '--dir', folder], /Say which/],
    [['queue', 'list', '--state', 'lost'], /Allowed choices/],
    [['queue', 'list', '--older', '5'], /90s, 10m, 2h or 3d/],
    [['queue', 'list', '--priority', '10'], /-9 to 9/],
    [['queue', 'list', '--larger', 'none'], /500K/],
    [['queue', 'reroute', '--all', '--dir', folder], /one of --to-address and --to-hop/],
    [['share', 'add', 'a@x.test', 'b@x.test', 'lz', '--dir', folder], /lrswipkxtea/],
    [['queue', 'suspend', '--dir', folder], /Say which/],
    [['queue', 'suspend', 'a.test', '--all', '--dir', folder], /Say which/],
    [['account', 'set', 'a@x.test', '--dir', folder], /nothing to change/],
    [['account', 'add', 'a@x.test', '--dir', folder], /There is no password/],
  ];
  for (const [words, want] of wrong) {
    const { code, error } = await run(words);
    assert.match(error, want, words.join(' '));
    assert.equal(code, 2, words.join(' '));
  }
  await rm(folder, { recursive: true });
});

test('help shows examples, and the version is that of the package', async () => {
  const help = await run(['--help']);
  assert.equal(help.code, 0);
  for (const word of [
    'localserve',
    'serve',
    'check',
    'fsck',
    'domain',
    'account',
    'alias',
    'queue',
    'Examples:',
  ])
    assert.ok(help.out.includes(word), word);
  const version = await run(['--version']);
  assert.match(version.out, /^\d+\.\d+\.\d+\n$/);
});

test('refusals say why, what to do next, and end with their own codes', async () => {
  await inFolder(async (folder) => {
    const at = ['--dir', folder];
    assert.equal((await run(['domain', 'add', 'a.test', ...at])).code, 0);
    const cases: [string[], number, RegExp][] = [
      [['domain', 'add', 'A.test', ...at], 6, /"A\.test" exists already/],
      [['domain', 'add', 'a/b', ...at], 6, /not well-formed[^]*An address looks like/],
      [['domain', 'remove', 'b.test', ...at], 1, /is not there[^]*postrider domain list/],
      [['account', 'add', 'x@b.test', '--password', 'x', ...at], 6, /postrider domain add/],
      [['account', 'remove', 'x@a.test', ...at], 6, /--yes/],
      [['status', ...at], 5, /No server is running[^]*postrider serve/],
      [['stop', ...at], 5, /No server is running/],
      [['domain', 'list', '--dir', join(folder, 'none')], 1, /no data directory/],
      [['domain', 'list', '--config', join(folder, 'none.toml')], 3, /cannot be read/],
    ];
    for (const [words, code, want] of cases) {
      const ended = await run(words);
      assert.match(ended.error, want, words.join(' '));
      assert.deepEqual([ended.code, ended.out], [code, ''], words.join(' '));
    }
    const json = await run(['domain', 'add', 'a.test', '--json', ...at]);
    assert.deepEqual(JSON.parse(json.error), {
      error: { kind: 'exists', message: '"a.test" exists already' },
    });
  });
});

test('a configuration says where the data is, and what is wrong with it', async () => {
  await inFolder(async (folder) => {
    const file = join(folder, 'postrider.toml');
    await writeFile(
      file,
      `hostname = "mx.a.test"\ndataDirectory = ${JSON.stringify(join(folder, 'data'))}\ntls.selfSigned = true\n`,
    );
    const added = await run(['domain', 'add', 'a.test', '--config', file]);
    assert.deepEqual([added.code, added.error], [0, '']);
    assert.match((await run(['domain', 'list', '--dir', join(folder, 'data')])).out, /a\.test/);
    await writeFile(file, 'hostnam = "mx.a.test"\n');
    const bad = await run(['domain', 'list', '--config', file]);
    assert.equal(bad.code, 3);
    assert.match(bad.error, /hostnam/);
  });
});

test('the same commands speak to a running server', async () => {
  await inFolder(async (folder) => {
    const lock = await takeDataLock(folder, { pid: process.pid, what: 'postrider serve', sinceMs: 0 });
    assert.ok(lock.ok);
    const mailStore = openMemoryMailStore(systemClock);
    const traces = await someTraces();
    const dropped: unknown[] = [];
    const queue: Partial<Queue> = {
      list: async () => [],
      count: async () => ({ messages: 0, recipients: 0, held: 0 }),
      find: async (_filter, after) => (after === undefined ? [known(toQueueId('0123456789ABC'))] : []),
      act: async (ids, filter, { kind }) => {
        dropped.push([kind, filter]);
        return ids.map((id) => ({ id, recipients: [0, 1] }));
      },
    };
    let isStopped = false;
    const directory = new MemoryDirectory({ clock: systemClock, random: systemRandom });
    const server = await openControlServer(
      folder,
      {
        clock: systemClock,
        directory,
        returnPaths: new ReturnPaths({ directory, clock: systemClock }, RETURN_PATHS),
        queue: async () => queue as Queue,
        blobs: async () => assert.fail('no content is asked for'),
        mailStore: async () => mailStore,
        simulation: async () => openSimulation('/nowhere', undefined),
        tlsReports,
        explainRoute: async ({ address, account }) =>
          account === undefined
            ? { address, resolution: 'unknown', mailboxes: [], remote: [] }
            : 'no-such-account',
        queueEvents: () => undefined,
        search: async () => undefined,
        traces: async () => traces,
        server: {
          status: () => ({ version: '1', pid: 1, hostname: 'mx.a.test', startedAtMs: 0, listeners: [] }),
          stop: () => (isStopped = true),
        },
      },
      (error) => assert.fail(String(error)),
    );
    const at = ['--dir', folder];
    const ending = async (): Promise<void> => {
      await server.close();
      await lock.value.release();
    };
    try {
      await speak(at);
      assert.deepEqual([dropped, isStopped], [[['drop', { sender: '' }]], true]);
      await server.close();
      const silent = await run(['domain', 'list', ...at]);
      assert.equal(silent.code, 5);
      assert.match(silent.error, /in use by postrider serve \(process \d+, since .*which does not answer/);
    } finally {
      await ending();
    }
  });
});

/** Every command once, with a server behind the socket. */
async function speak(at: readonly string[]): Promise<void> {
  const ok = async (...words: string[]): Promise<string> => {
    const ended = await run([...words, ...at]);
    assert.deepEqual([ended.error, ended.code], ['', 0], words.join(' '));
    return ended.out;
  };
  await ok('domain', 'add', 'a.test');
  await ok('account', 'add', 'alice@a.test', '--password', 'x', '--quota', '1G');
  assert.match(await ok('account', 'show', 'alice@a.test'), /holds +0 messages, 0 B \(of 1\.0 GiB\)/);
  assert.match(
    await ok('account', 'app-password', 'add', 'alice@a.test', 'Phone'),
    /^[a-z]{5}(?:-[a-z]{5}){3}\n$/,
  );
  assert.match(await ok('account', 'app-password', 'list', 'alice@a.test'), /Phone +imap,smtp/);
  await ok('account', 'app-password', 'remove', 'alice@a.test', 'Phone');
  const fingerprint = 'ab'.repeat(32);
  assert.equal(
    await ok('account', 'certificate', 'add', 'alice@a.test', fingerprint.toUpperCase()),
    `Added ${fingerprint}.\n`,
  );
  assert.match(await ok('account', 'certificate', 'list', 'alice@a.test'), new RegExp(fingerprint));
  assert.match(
    await ok('account', 'show', 'alice@a.test'),
    /signs in +by password \(PLAIN, LOGIN, SCRAM\), 1 certificates \(EXTERNAL\)/,
  );
  assert.match(await ok('account', 'list', '--without-scram'), /SCRAM waits for nobody/);
  await ok('account', 'certificate', 'remove', 'alice@a.test', fingerprint);
  await ok('account', 'set', 'alice@a.test', '--disable', '--quota', 'none');
  assert.match(await ok('account', 'list'), /alice@a\.test +disabled +none/);
  await ok('account', 'remove', 'alice@a.test', '--yes');
  assert.match(await ok('queue', 'list'), /empty/);
  assert.equal(await ok('queue', 'drop', '--sender', '<>'), '2 recipients of 1 message.\n');
  assert.match(
    await ok('tls-report', 'show', '--day', '2026-01-02'),
    /2026-01-02 +far\.example +no-policy-found +2 +certificate-expired +mx\.far\.example: CERT_HAS_EXPIRED/,
  );
  const reports: unknown = JSON.parse(await ok('tls-report', 'show', '--domain', 'far.example', '--json'));
  assert.equal((reports as { reports: readonly unknown[] }).reports.length, 2);
  assert.match(await ok('tls-report', 'show', '--domain', 'none.example'), /Nothing/);
  assert.equal(await ok('route', 'x@b.test', '--from', '<>'), 'x@b.test is nobody here: refused\n');
  const nobody = await run(['route', 'x@b.test', '--account', 'zoe@a.test', ...at]);
  assert.equal(nobody.code, 1);
  assert.match(nobody.error, /There is no account "zoe@a\.test"\n.*account list/);
  await speakOfTraces(ok);
  assert.match(await ok('status'), /^mx\.a\.test: Postrider 1/);
  await ok('stop');
}

async function someTraces(): Promise<MemoryTraceStore> {
  const store = new MemoryTraceStore();
  for (const [id, address, outcome] of [
    ['1M8JJZ6Z0EXP353HPNT5', 'bob@b.test', 'delayed'],
    ['1M8JJZ6Z1EXP353HPNT5', 'eve@b.test', 'failed'],
  ] as const) {
    const fields = { address, outcome, text: '450 4.2.0 \u001b[31mlater', reason: 'smtp.refused' };
    const keys = [...toTraceKeys('address', address), ...toTraceKeys('outcome', outcome)];
    await store.append(batchOf([{ id, keys, entries: [{ atMs: 0, event: 'delivery.settled', fields }] }]));
  }
  return store;
}

async function speakOfTraces(ok: (...words: string[]) => Promise<string>): Promise<void> {
  const both = await ok('trace');
  assert.match(
    both,
    /1M8JJZ6Z1EXP353HPNT5 .*eve@b\.test +failed .*\n1M8JJZ6Z0EXP353HPNT5 .*delayed +450 4\.2\.0 +later/,
  );
  assert.match(await ok('trace', 'EVE@b.test'), /^ID .*\n1M8JJZ6Z1.*\n$/);
  assert.match(await ok('trace', '--outcome', 'delayed', '--since', '2026-01-01'), /^ID .*\n1M8JJZ6Z0.*\n$/);
  assert.match(await ok('trace', '--client', '192.0.2.1'), /^Nothing matches/);
  // The beginning of an id is enough, in any case.
  assert.match(
    await ok('trace', '1m8jjz6z1'),
    /outcome +failed\nrecipient +eve@b\.test: failed\n\n1970-01-01 00:00:00\.000 eve@b\.test failed: 450 4\.2\.0 +later \(smtp\.refused\)\n$/,
  );
  const listed = JSON.parse(await ok('trace', '--limit', '1', '--json')) as {
    traces: unknown[];
    next: string;
  };
  assert.deepEqual([listed.traces.length, listed.next], [1, '1M8JJZ6Z1EXP353HPNT5']);
}

const accounts: [string, unknown][] = [
  ['alice@x.test:secret', [{ address: 'alice@x.test', password: 'secret' }]],
  ['alice@x.test:se:cr@t', [{ address: 'alice@x.test', password: 'se:cr@t' }]],
  ['alice@x.test', undefined],
  ['alice@x.test:', undefined],
  ['alice:secret', undefined],
];
for (const [input, want] of accounts) {
  test(`--account ${input}`, () => {
    if (want === undefined) assert.throws(() => readAccount(input, []), /ADDRESS:PASSWORD/);
    else assert.deepEqual(readAccount(input, []), want);
  });
}

test('arguments are read within their bounds', () => {
  assert.equal(readBasePort('0'), 0);
  assert.equal(readBasePort('61345'), 61_345);
  for (const bad of ['61346', '-1', '1e3', '', 'x']) assert.throws(() => readBasePort(bad), bad);
  assert.deepEqual(['1024', '1k', '500M', '2GiB', 'none'].map(readQuota), [
    1024,
    1024,
    524_288_000,
    2 ** 31,
    'none',
  ]);
  for (const bad of ['', 'M', '1.5G', '-1', '999999999999T']) assert.throws(() => readQuota(bad), bad);
  assert.deepEqual(readScopes('smtp, imap'), ['imap', 'smtp']);
  for (const bad of ['', 'all', 'imap,']) assert.throws(() => readScopes(bad), bad);
});

test('what others have written cannot command a terminal', () => {
  assert.equal(plainText('550 \u001b[31mno\u001b[0m\r\n\u0007\u202Ex'), '550 no    x');
  assert.equal(formatTable(['A', 'B'], [['x\ny', 'z']]), 'A    B\nx y  z\n');
  assert.deepEqual([0, 1023, 1536, 1024 ** 4 * 5000].map(formatOctets), [
    '0 B',
    '1023 B',
    '1.5 KiB',
    '5000.0 TiB',
  ]);
});
