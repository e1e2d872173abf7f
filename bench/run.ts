/**
 * Measures Postrider, the machine it runs on, and what else is installed, in one run: `npm run bench -- [SECTION …]`.
 *
 *     limits    disk syncs, synced octets, loopback
 *     smtp      accept to visible in IMAP at 1, 10, 50 and 200 connections, 4 and 64 KiB; syncs and system calls
 *     imap      of 10,000 messages: APPEND, FETCH of flags, envelopes and bodies, STORE, signing in
 *     clients   20 clients at once, each with a mailbox of its own, and all with one
 *     sizes     SELECT, a new message and a flag in mailboxes of 10,000 and 100,000 messages
 *     pop3      RETR of 10,000 messages, one after the other and pipelined
 *     search    SEARCH, SORT and THREAD over 10,000 varied messages, Dovecot beside it where it is installed
 *     relay     through to a sink at 50 connections, 4 KiB; Postfix as it comes and tuned to the same sink
 *     memory    start, at rest, per idle IMAP session
 *     peers     smtp, imap and pop3 of Postfix, Postfix tuned, and Postfix with Dovecot
 *     parse, store, queue     the parts on their own
 *
 * Without sections: all down to `peers` but `sizes` and `search`. `--quick` does less of each; `--built` measures dist/; `--json FILE` appends each result as
 * a line of JSON. BENCH_DIR is where data goes, TMPDIR else. What each figure means: docs/performance.md.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { measureLoopback, measureSyncedWrites, measureSyncs } from './support/limits.ts';
import { freePort } from '../test/support/free-port.ts';
import { numberOf, pathOf, runScript, ScriptRun, type Fields } from './support/child.ts';
import { peersMissing, startPeer, type PeerKind } from './support/peers.ts';
import { dropPages } from './support/page-cache.ts';
import { cpuSeconds, familyPids, memoryOf } from './support/process.ts';
import { benchDirectory, startPostrider, startRelay, type MeasuredServer } from './support/server.ts';
import { startSink, type Sink } from '../test/support/smtp-sink.ts';
import { run } from '../test/support/command.ts';
import { countCalls } from './support/strace.ts';

const DEFAULT_SECTIONS = ['limits', 'smtp', 'imap', 'clients', 'pop3', 'relay', 'memory', 'peers'];
const PARTS: Readonly<Record<string, readonly string[]>> = {
  parse: ['bench/message/parse.ts'],
  store: ['bench/store/group-commit.ts', 'bench/store/segments.ts', 'bench/store/mail-store.ts'],
  queue: ['bench/queue/queue.ts', 'bench/queue/start.ts', 'bench/queue/stall.ts'],
};
const POSTRIDER_CASES = [
  { octets: 4096, connections: 1, messages: 1000 },
  { octets: 4096, connections: 10, messages: 5000 },
  { octets: 4096, connections: 50, messages: 15_000 },
  { octets: 4096, connections: 200, messages: 15_000 },
  { octets: 65_536, connections: 1, messages: 500 },
  { octets: 65_536, connections: 10, messages: 1500 },
  { octets: 65_536, connections: 50, messages: 3000 },
  { octets: 65_536, connections: 200, messages: 3000 },
];
const PEER_CASES = [
  { octets: 4096, connections: 1, messages: 150 },
  { octets: 4096, connections: 50, messages: 1200 },
  { octets: 65_536, connections: 50, messages: 500 },
];
const FETCHED_MESSAGES = 10_000;
const FETCHED_OCTETS = 13_300;
const FETCHES = ['(FLAGS)', '(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)', '(BODY.PEEK[])'];
/** Of those fetched, appended one by one. */
const APPENDED_ALONE = 1000;
const CLIENTS = 20;
const CLIENTS_SECONDS = 6;
const CLIENT_MESSAGES = 500;
const CLIENT_USERS = Array.from({ length: CLIENTS }, (_, index) => `client${index}@example.test`);
/** Of a second, in which a server that does nothing may use so much. */
const QUIET_CPU_SECONDS = 0.1;
const QUIET_SECONDS_MAX = 90;
const SIZES = [10_000, 100_000];
/** Commands that are on the way together. */
const RETR_WINDOWS = [1, 100];
/** Words of `variedMail`: said by nearly all messages, by few, and two that follow one another. */
const SEARCHES = [
  'UID SEARCH FROM "ada"',
  'UID SEARCH SUBJECT "verka"',
  'UID SEARCH BODY "ver"',
  'UID SEARCH BODY "verkaxi"',
  'UID SEARCH TEXT "lim mo"',
  'UID SORT (DATE) UTF-8 ALL',
  'UID SORT (SUBJECT) UTF-8 ALL',
  'UID SORT (FROM REVERSE DATE) UTF-8 ALL',
  'UID THREAD REFERENCES UTF-8 ALL',
];
const IDLE_SESSIONS = 1000;
/** A file system may be quick or slow for seconds: what the disk does is asked beside each row. */
const SYNC_MS = 500;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const sections = new Set(positionals.length > 0 ? positionals : DEFAULT_SECTIONS);
const scale = values.quick ? 0.25 : 1;
const results: Fields[] = [];

function note(fields: Fields): void {
  results.push(fields);
  const line = JSON.stringify(fields);
  console.log(line);
  if (values.json !== undefined) appendFileSync(values.json, `${line}\n`);
}

const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

/** Sends mail, and waits until all of it can be seen. */
async function deliver(
  server: MeasuredServer,
  { octets, connections, messages }: (typeof POSTRIDER_CASES)[number],
): Promise<Fields> {
  await using watcher =
    server.imapPort === undefined
      ? undefined
      : new ScriptRun('bench/mail/imap-load.ts', [
          String(server.imapPort),
          server.user,
          server.password,
          'watch',
        ]);
  const before =
    watcher === undefined ? ((await server.count?.()) ?? 0) : numberOf(await watcher.next(), 'messages');
  const cpuBefore = cpuSeconds(server.pids);
  const [load] = await runScript(
    'bench/mail/smtp-load.ts',
    server.smtpPort,
    connections,
    messages,
    octets,
    server.address,
  );
  const accepted = numberOf(load, 'accepted');
  let visibleAtMs = 0;
  if (watcher === undefined) {
    while (((await server.count?.()) ?? 0) < before + accepted) await sleep(10);
    visibleAtMs = performance.timeOrigin + performance.now();
  } else {
    watcher.send(String(before + accepted));
    visibleAtMs = numberOf(await watcher.next(), 'atMs');
  }
  const acceptedSeconds = numberOf(load, 'seconds');
  const seconds = Math.max(acceptedSeconds, (visibleAtMs - numberOf(load, 'startedAtMs')) / 1000);
  const cpu = cpuSeconds(server.pids) - cpuBefore;
  return {
    octets,
    connections,
    accepted,
    refused: load?.['refused'],
    acceptedPerSecond: Math.round(accepted / acceptedSeconds),
    visiblePerSecond: Math.round(accepted / seconds),
    cpuMsPerMessage: rounded((cpu * 1000) / accepted, 3),
    p50Ms: load?.['p50Ms'],
    p99Ms: load?.['p99Ms'],
  };
}

async function smtp(server: MeasuredServer, cases: typeof POSTRIDER_CASES): Promise<void> {
  // What runs for the first time is slower: not what is asked here.
  await deliver(server, { octets: 4096, connections: 20, messages: Math.ceil(2000 * scale) });
  for (const one of cases) {
    const messages = Math.max(100, Math.round(one.messages * scale));
    const disk = measureSyncs(SYNC_MS, benchDirectory());
    const { pssMib } = memoryOf(server.pids);
    note({
      section: 'smtp',
      server: server.name,
      ...(await deliver(server, { ...one, messages })),
      pssMibBefore: pssMib,
      pssMibAfter: memoryOf(server.pids).pssMib,
      diskSyncMs: disk.p50Ms,
      diskSyncsPerSecond: disk.perSecond,
    });
  }
}

/** Messages from the start of the load until the sink has the last of them. */
async function relayed(
  server: MeasuredServer,
  sink: Sink,
  address: string,
  messages: number,
): Promise<Fields> {
  const before = sink.messages;
  const cpuBefore = cpuSeconds(server.pids);
  const [load] = await runScript('bench/mail/smtp-load.ts', server.smtpPort, 50, messages, 4096, address);
  const accepted = numberOf(load, 'accepted');
  await sink.reach(before + accepted);
  const seconds = (performance.timeOrigin + performance.now() - numberOf(load, 'startedAtMs')) / 1000;
  const cpu = cpuSeconds(server.pids) - cpuBefore;
  return {
    accepted,
    refused: load?.['refused'],
    acceptedPerSecond: load?.['perSecond'],
    relayedPerSecond: Math.round(accepted / seconds),
    cpuMsPerMessage: rounded((cpu * 1000) / accepted, 3),
    p50Ms: load?.['p50Ms'],
    p99Ms: load?.['p99Ms'],
  };
}

async function relay(): Promise<void> {
  if ((await run('smtp-sink', ['-?']).catch(() => undefined)) === undefined) {
    console.log('smtp-sink of Postfix is not installed: relaying is not measured');
    return;
  }
  const missing = await peersMissing();
  const kinds = [
    'postrider',
    ...(missing === undefined ? (['postfix', 'postfix tuned'] as const) : []),
  ] as const;
  for (const kind of kinds) {
    await using sink = await startSink(await freePort());
    await using server =
      kind === 'postrider' ? await startRelay(values.built, sink.port) : await startPeer(kind, sink.port);
    const address = kind === 'postrider' ? server.address : 'taken@sink.test';
    const messages = Math.round((kind === 'postrider' ? 20_000 : 4000) * scale);
    // What runs for the first time is slower.
    await relayed(server, sink, address, Math.round(2000 * scale));
    note({ section: 'relay', server: server.name, ...(await relayed(server, sink, address, messages)) });
  }
}

async function calls(server: MeasuredServer): Promise<void> {
  for (const connections of [1, 50]) {
    const messages = connections === 1 ? 100 : 500;
    const counted = await countCalls(familyPids(server.pids), async () => {
      await deliver(server, { octets: 4096, connections, messages });
    });
    if (counted === undefined) {
      console.log('strace is not installed or may not attach: system calls are not counted');
      return;
    }
    const all = [...counted.values()].reduce((sum, count) => sum + count, 0);
    const syncs = (counted.get('fsync') ?? 0) + (counted.get('fdatasync') ?? 0);
    const most = [...counted].toSorted((a, b) => b[1] - a[1]).slice(0, 8);
    note({
      section: 'calls',
      server: server.name,
      connections,
      syncsPerMessage: rounded(syncs / messages, 3),
      callsPerMessage: rounded(all / messages, 1),
      most: most.map(([name, count]) => `${name} ${rounded(count / messages, 1)}`).join(', '),
    });
  }
}

const IMAP_LOAD = 'bench/mail/imap-load.ts';

async function fill({ imapPort = 0, user, password, name }: MeasuredServer): Promise<void> {
  const messages = Math.round(FETCHED_MESSAGES * scale);
  const alone = Math.round(APPENDED_ALONE * scale);
  for (const [count, together] of [
    [alone, 1],
    [messages - alone, 50],
  ] as const) {
    const [filled] = await runScript(
      IMAP_LOAD,
      imapPort,
      user,
      password,
      'fill',
      count,
      FETCHED_OCTETS,
      together,
    );
    const what = together === 1 ? 'APPEND' : `MULTIAPPEND by ${together}`;
    if (sections.has('imap')) note({ section: 'imap', server: name, what, ...filled });
  }
}

/** What a server does with new mail behind the back of its clients (an index for searching) is not what is asked here. */
async function quiet(server: MeasuredServer): Promise<void> {
  for (let waited = 0, before = cpuSeconds(server.pids); waited < QUIET_SECONDS_MAX; waited += 1) {
    await sleep(1000);
    const now = cpuSeconds(server.pids);
    if (now - before < QUIET_CPU_SECONDS) return;
    before = now;
  }
}

async function imap(server: MeasuredServer): Promise<void> {
  const { imapPort, user, password, directory } = server;
  if (imapPort === undefined) return;
  const messages = Math.round(FETCHED_MESSAGES * scale);
  await quiet(server);
  for (const items of FETCHES) {
    const isCold = await dropPages(directory);
    const before = cpuSeconds(server.pids);
    const times = await runScript(IMAP_LOAD, imapPort, user, password, 'fetch', items, 4);
    const cpu = cpuSeconds(server.pids) - before;
    const [first, ...others] = times;
    const best = others.toSorted((a, b) => numberOf(a, 'ms') - numberOf(b, 'ms'))[0];
    note({
      section: 'imap',
      server: server.name,
      what: `FETCH ${messages} ${items}`,
      [isCold ? 'coldMs' : 'firstMs']: first?.['ms'],
      bestMs: best?.['ms'],
      megabytesPerSecond: best?.['megabytesPerSecond'],
      octets: best?.['octets'],
      cpuMsEach: Math.round((cpu * 1000) / times.length),
    });
  }
  const [flags] = await runScript(IMAP_LOAD, imapPort, user, password, 'flags', 8);
  note({ section: 'imap', server: server.name, what: `STORE ${messages} silent`, ...flags });
  const [signedIn] = await runScript(IMAP_LOAD, imapPort, user, password, 'signin', 20);
  for (const [what, name] of [
    ['LOGIN', 'loginMs'],
    ['SELECT', 'selectMs'],
  ] as const)
    note({ section: 'imap', server: server.name, what: `${what}, median`, bestMs: signedIn?.[name] });
}

/** On the mail that {@link fill} made where they share one mailbox. */
async function clients(server: MeasuredServer): Promise<void> {
  const { imapPort, user, password, name } = server;
  if (imapPort === undefined) return;
  for (const one of CLIENT_USERS)
    await runScript(IMAP_LOAD, imapPort, one, password, 'fill', CLIENT_MESSAGES, FETCHED_OCTETS);
  await quiet(server);
  const script = 'bench/mail/imap-clients.ts';
  const one = CLIENT_USERS.map(() => user);
  for (const [what, users] of [
    ['mailboxes of their own', CLIENT_USERS],
    ['one mailbox', one],
  ] as const) {
    const before = cpuSeconds(server.pids);
    const [done] = await runScript(script, imapPort, password, CLIENTS_SECONDS, ...users);
    const cpu = cpuSeconds(server.pids) - before;
    const cpuMsEach = rounded((cpu * 1000) / numberOf(done, 'commands'), 3);
    note({ section: 'clients', server: name, what, ...done, cpuMsEach });
  }
}

async function sizes(server: MeasuredServer): Promise<void> {
  const { imapPort, user, password } = server;
  if (imapPort === undefined) return;
  const wanted = SIZES.map((size) => Math.round(size * scale));
  for (const row of await runScript('bench/mail/imap-size.ts', imapPort, user, password, ...wanted))
    note({ section: 'sizes', server: server.name, ...row });
}

/** Of the mail that {@link fill} made. The first run is the one that warms up. */
async function pop3(server: MeasuredServer): Promise<void> {
  const { pop3Port, user, password } = server;
  if (pop3Port === undefined) {
    console.log(`${server.name} has no POP3 here`);
    return;
  }
  for (const window of RETR_WINDOWS) {
    const before = cpuSeconds(server.pids);
    const times = await runScript('bench/mail/pop3-load.ts', pop3Port, user, password, window, 3);
    const cpu = cpuSeconds(server.pids) - before;
    const [first, ...others] = times.map((one) => numberOf(one, 'perSecond'));
    note({
      section: 'pop3',
      server: server.name,
      what: window === 1 ? 'RETR' : `RETR, ${window} at once`,
      messages: times[0]?.['messages'],
      firstPerSecond: first,
      bestPerSecond: Math.max(...others),
      cpuMsEach: Math.round((cpu * 1000) / times.length),
    });
  }
}

async function search(server: MeasuredServer, isIndexed: () => Promise<void>): Promise<void> {
  const { imapPort, user, password } = server;
  if (imapPort === undefined) return;
  const script = IMAP_LOAD;
  await runScript(
    script,
    imapPort,
    user,
    password,
    'vary',
    Math.round(FETCHED_MESSAGES * scale),
    FETCHED_OCTETS,
  );
  await isIndexed();
  for (const row of await runScript(script, imapPort, user, password, 'time', 6, ...SEARCHES))
    note({ section: 'search', server: server.name, ...row });
}

async function searches(): Promise<void> {
  {
    await using server = await startPostrider(values.built);
    await search(server, async () => server.indexed());
  }
  const missing = await peersMissing();
  if (missing !== undefined) {
    console.log(`${missing}: peers are not measured`);
    return;
  }
  await using dovecot = await startPeer('postfix+dovecot');
  await search(dovecot, () => Promise.resolve());
}

async function idleSessions(server: MeasuredServer): Promise<void> {
  const { imapPort, user, password, pids } = server;
  if (imapPort === undefined) return;
  const before = memoryOf(pids);
  const count = Math.round(IDLE_SESSIONS * scale);
  const words = [String(imapPort), user, password, 'idle', String(count)];
  await using load = new ScriptRun(IMAP_LOAD, words);
  await load.next();
  await sleep(2000);
  const after = memoryOf(pids);
  note({
    section: 'memory',
    server: server.name,
    idleSessions: count,
    ...after,
    kibPerSession: rounded(((after.pssMib - before.pssMib) * 1024) / count, 1),
  });
}

/** What is asked of a mailbox with mail in it. */
async function stores(server: MeasuredServer): Promise<void> {
  if (!['imap', 'pop3', 'clients'].some((section) => sections.has(section))) return;
  await fill(server);
  if (sections.has('imap')) await imap(server);
  if (sections.has('pop3')) await pop3(server);
  if (sections.has('clients')) await clients(server);
}

async function memory(): Promise<void> {
  await using server = await startPostrider(values.built);
  await sleep(2000);
  note({
    section: 'memory',
    server: server.name,
    startMs: server.startMs,
    idleSessions: 0,
    ...memoryOf(server.pids),
  });
  await idleSessions(server);
}

async function part(script: string): Promise<void> {
  console.log(`\n${script}`);
  const child = spawn(process.execPath, [pathOf(script)], { stdio: 'inherit' });
  await once(child, 'exit');
}

async function peers(): Promise<void> {
  const missing = await peersMissing();
  if (missing !== undefined) {
    console.log(`${missing}: peers are not measured`);
    return;
  }
  const kinds: readonly PeerKind[] = ['postfix', 'postfix tuned', 'postfix+dovecot'];
  for (const kind of kinds) {
    if (!sections.has('smtp')) break;
    await using server = await startPeer(kind);
    await smtp(server, PEER_CASES);
    await calls(server);
  }
  if (['imap', 'pop3', 'clients', 'memory'].some((section) => sections.has(section))) {
    await using server = await startPeer('postfix+dovecot');
    await stores(server);
    if (sections.has('memory')) await idleSessions(server);
  }
  if (!sections.has('sizes')) return;
  await using server = await startPeer('postfix+dovecot');
  await sizes(server);
}

function machine(): Fields {
  const [cpu] = cpus();
  let mount = '';
  for (const line of readFileSync('/proc/mounts', 'utf8').split('\n')) {
    const [device = '', at = '', type = ''] = line.split(' ');
    const inside = at === '/' || (at !== '' && `${benchDirectory()}/`.startsWith(`${at}/`));
    if (inside) mount = `${type} on ${device}`;
  }
  return {
    section: 'machine',
    cpu: cpu?.model,
    cores: availableParallelism(),
    memoryGib: rounded(totalmem() / 2 ** 30, 1),
    kernel: release(),
    node: process.versions.node,
    disk: mount,
    load: readFileSync('/proc/loadavg', 'latin1').split(' ').slice(0, 3).join(' '),
  };
}

function table(title: string, columns: readonly string[], rows: readonly Fields[]): void {
  if (rows.length === 0) return;
  console.log(`\n${title}\n\n| ${columns.join(' | ')} |\n|${columns.map(() => '---').join('|')}|`);
  for (const row of rows) {
    const cells = columns.map((name) => {
      const value = row[name];
      return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
    });
    console.log(`| ${cells.join(' | ')} |`);
  }
}

function rateOf(server: string, octets: number, connections: number): number | undefined {
  const row = results.find(
    (one) =>
      one['section'] === 'smtp' &&
      String(one['server']).startsWith(server) &&
      one['octets'] === octets &&
      one['connections'] === connections,
  );
  return row === undefined ? undefined : numberOf(row, 'visiblePerSecond');
}

function ratios(): void {
  const lines: string[] = [];
  const [one, fifty] = [rateOf('postrider', 4096, 1), rateOf('postrider', 4096, 50)];
  if (one !== undefined && fifty !== undefined)
    lines.push(
      `group commit: 50 connections take ${rounded(fifty / one, 1)} times the mail of one (wanted: 6)`,
    );
  for (const peer of ['postfix', 'postfix tuned', 'postfix+dovecot'])
    for (const [octets, connections] of [
      [4096, 1],
      [4096, 50],
      [65_536, 50],
    ] as const) {
      const ours = rateOf('postrider', octets, connections);
      const theirs = results.find(
        (row) => row['server'] === peer && row['octets'] === octets && row['connections'] === connections,
      );
      if (ours === undefined || theirs === undefined) continue;
      const ratio = rounded(ours / numberOf(theirs, 'visiblePerSecond'), 1);
      lines.push(`${octets / 1024} KiB, ${connections} connections: ${ratio} times ${peer}`);
    }
  if (lines.length > 0) console.log(`\n${lines.join('\n')}`);
}

function summary(): void {
  const of = (section: string): readonly Fields[] => results.filter((row) => row['section'] === section);
  table(
    'Mail: accepted, on stable storage and visible',
    [
      'server',
      'octets',
      'connections',
      'visiblePerSecond',
      'cpuMsPerMessage',
      'p50Ms',
      'p99Ms',
      'diskSyncMs',
      'diskSyncsPerSecond',
    ],
    of('smtp'),
  );
  table(
    'Relayed to a sink, 4 KiB, 50 connections',
    ['server', 'relayedPerSecond', 'cpuMsPerMessage', 'acceptedPerSecond', 'p50Ms', 'p99Ms'],
    of('relay'),
  );
  table('System calls', ['server', 'connections', 'syncsPerMessage', 'callsPerMessage', 'most'], of('calls'));
  table(
    'IMAP',
    ['server', 'what', 'coldMs', 'firstMs', 'bestMs', 'megabytesPerSecond', 'cpuMsEach', 'perSecond'],
    of('imap'),
  );
  table(
    `${CLIENTS} IMAP clients at once`,
    ['server', 'what', 'perSecond', 'p50Ms', 'p99Ms', 'cpuMsEach'],
    of('clients'),
  );
  table(
    'IMAP by the size of the mailbox',
    [
      'server',
      'size',
      'firstSelectMs',
      'selectMs',
      'newMessageMs',
      'newMessageToldMs',
      'flagMs',
      'flagToldMs',
    ],
    of('sizes'),
  );
  table('POP3', ['server', 'what', 'messages', 'firstPerSecond', 'bestPerSecond', 'cpuMsEach'], of('pop3'));
  table('Searching', ['server', 'command', 'firstMs', 'bestMs', 'octets'], of('search'));
  table('Memory', ['server', 'startMs', 'idleSessions', 'rssMib', 'pssMib', 'kibPerSession'], of('memory'));
  table(
    'The machine',
    [
      'syncsPerSecond',
      'syncP50Ms',
      'syncP99Ms',
      'syncedMegabytesPerSecond',
      'megabytesPerSecond',
      'roundTripsPerSecond',
    ],
    of('limits'),
  );
  ratios();
}

note(machine());
if (sections.has('limits')) {
  const syncs = measureSyncs(2000 * scale, benchDirectory());
  note({
    section: 'limits',
    syncsPerSecond: syncs.perSecond,
    syncP50Ms: syncs.p50Ms,
    syncP99Ms: syncs.p99Ms,
    syncedMegabytesPerSecond: measureSyncedWrites(2000 * scale, benchDirectory()),
    ...(await measureLoopback(1000 * scale)),
  });
}
if (sections.has('smtp')) {
  await using server = await startPostrider(values.built);
  await smtp(server, POSTRIDER_CASES);
  await calls(server);
}
if (['imap', 'pop3', 'clients'].some((section) => sections.has(section))) {
  await using server = await startPostrider(values.built, sections.has('clients') ? CLIENT_USERS : []);
  await stores(server);
}
if (sections.has('sizes')) {
  await using server = await startPostrider(values.built);
  await sizes(server);
}
if (sections.has('search')) await searches();
if (sections.has('relay')) await relay();
if (sections.has('memory')) await memory();
if (sections.has('peers')) await peers();
for (const [name, scripts] of Object.entries(PARTS)) {
  if (!sections.has(name)) continue;
  for (const script of scripts) await part(script);
}
summary();
