/** Programs that pipe mail into `sendmail`: each as it is installed, told only where the program is. */
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { run, type Ran } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, postrider, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const PROGRAMS = fileURLToPath(new URL('../../bin/', import.meta.url));

type Shims = {
  readonly sendmail: string;
  readonly mailq: string;
  readonly env: Readonly<Record<string, string>>;
};

/** `sendmail` and `mailq` as programs would find them, for this server alone. */
async function shimsOf(
  server: RunningPostrider,
  maildrop = join(server.directory, 'maildrop'),
): Promise<Shims> {
  const write = async (name: string): Promise<string> => {
    const path = join(maildrop, '..', name);
    const settings = `POSTRIDER_MAILDROP='${maildrop}' XDG_STATE_HOME='${server.directory}/state'`;
    await writeFile(
      path,
      `#!/bin/sh\nexport ${settings}\nexec '${process.execPath}' '${PROGRAMS}${name}.mjs' "$@"\n`,
    );
    await chmod(path, 0o755);
    return path;
  };
  // It opens its folder when everything else is ready.
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await stat(join(maildrop, 'postrider.json')).catch(() => undefined)) !== undefined) break;
    await pause(25);
  }
  return {
    sendmail: await write('sendmail'),
    mailq: await write('mailq'),
    env: { HOME: server.directory, TERM: 'dumb', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
  };
}

const start = (): Promise<RunningPostrider> => startPostrider({ hostname: 'example.test' });

function mustBe(ran: Ran, code = 0): Ran {
  assert.equal(ran.code, code, ran.stdout + ran.stderr);
  return ran;
}

/** [program, its words, what it reads] */
type Case = readonly [program: string, words: (shims: Shims) => readonly string[], input: string];
const cases: readonly Case[] = [
  ['bsd-mailx', () => ['-s', 'by bsd-mailx', ALICE.address], 'A letter.\n.\nof three lines\n'],
  [
    'mail.mailutils',
    ({ sendmail }) => ['-E', `set sendmail=sendmail:${sendmail}`, '-s', 'by mail.mailutils', ALICE.address],
    'A letter.\n',
  ],
  [
    's-nail',
    ({ sendmail }) => ['-n', '-S', `mta=${sendmail}`, '-S', 'sendwait', '-s', 'by s-nail', ALICE.address],
    'A letter.\n',
  ],
  [
    'mutt',
    ({ sendmail }) => [
      '-n',
      '-F',
      '/dev/null',
      '-e',
      `set sendmail="${sendmail} -oem -oi" copy=no`,
      '-s',
      'by mutt',
      ALICE.address,
    ],
    'A letter.\n.\nof three lines\n',
  ],
  [
    'neomutt',
    ({ sendmail }) => [
      '-n',
      '-F',
      '/dev/null',
      '-e',
      `set sendmail="${sendmail} -oem -oi" copy=no`,
      '-s',
      'by neomutt',
      ALICE.address,
    ],
    'A letter.\n.\nof three lines\n',
  ],
];

for (const [program, words, input] of cases) {
  const { skip } = peer(program);
  test(`${program} pipes its mail into sendmail`, { skip }, async () => {
    await using server = await start();
    const shims = await shimsOf(server);
    const rc = join(server.directory, 'mailrc');
    await writeFile(rc, `set sendmail=${shims.sendmail}\n`);
    mustBe(await run(program, words(shims), { input, env: { ...shims.env, MAILRC: rc } }));
    const [message = ''] = await waitForMessages(server, ALICE, 1);
    assert.match(message, new RegExp(`^Subject: by ${program}\r$`, 'm'));
    assert.match(message, /^Received: by example\.test \(Postrider, from userid \d+\)\r$/m);
    assert.match(message, /^Message-ID: <[^>]+>\r$/im);
    assert.match(message, /^Date: /m);
    assert.match(message, /^From: .*@.*\r$/m);
    assert.match(message, /\r\n\r\nA letter\.\r\n/);
    if (input.includes('\n.\n')) assert.match(message, /\r\n\.\r\nof three lines\r\n/);
  });
}

test('git send-email', { skip: peer('git').skip ?? peer('perl').skip }, async (context) => {
  await using server = await start();
  const { sendmail, env } = await shimsOf(server);
  const patch = join(server.directory, '0001-x.patch');
  await writeFile(
    patch,
    `From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Bob <${BOB.address}>\nDate: Fri, 2 Jan 2026 03:04:05 +0000\nSubject: [PATCH] by git\n\n---\n x | 1 +\n`,
  );
  const words = ['send-email', `--smtp-server=${sendmail}`, '--confirm=never', '--envelope-sender=auto'];
  const ran = await run('git', [...words, `--from=${BOB.address}`, `--to=${ALICE.address}`, patch], {
    env: {
      ...env,
      GIT_CONFIG_NOSYSTEM: '1',
      EMAIL: BOB.address,
      GIT_COMMITTER_NAME: 'Bob',
      GIT_AUTHOR_NAME: 'Bob',
    },
    cwd: server.directory,
  });
  if (/not a git command|Mail::Address/.test(ran.stderr) && process.env['CI'] === undefined)
    return context.skip('git-email is not installed');
  mustBe(ran);
  const [message = ''] = await waitForMessages(server, ALICE, 1);
  assert.match(message, /^Subject: \[PATCH\] by git\r$/m);
  assert.match(message, new RegExp(`^Return-Path: <${BOB.address}>\r$`, 'm'));
});

test('swaks speaks SMTP with sendmail -bs', { skip: peer('swaks').skip }, async () => {
  await using server = await start();
  const { sendmail, env } = await shimsOf(server);
  const words = [
    '--pipe',
    `${sendmail} -bs`,
    '--from',
    BOB.address,
    '--to',
    `${ALICE.address},${BOB.address}`,
  ];
  mustBe(await run('swaks', [...words, '--header', 'Subject: by pipe'], { env }));
  for (const login of [ALICE, BOB]) {
    const [message = ''] = await waitForMessages(server, login, 1);
    assert.match(message, /^Subject: by pipe\r$/m);
    assert.match(message, new RegExp(`^Return-Path: <${BOB.address}>\r$`, 'm'));
  }
});

test('python calls it as its documentation shows', { skip: peer('python3').skip }, async () => {
  await using server = await start();
  const { sendmail, env } = await shimsOf(server);
  const program = [
    'import subprocess, sys',
    'from email.message import EmailMessage',
    'message = EmailMessage()',
    `message["To"] = "Älice <${ALICE.address}>"`,
    `message["Bcc"] = "${BOB.address}"`,
    'message["Subject"] = "by python ü"',
    'message.set_content("Grüße\\n")',
    'subprocess.run([sys.argv[1], "-t", "-oi"], input=message.as_bytes(), check=True)',
  ].join('\n');
  mustBe(await run('python3', ['-c', program, sendmail], { env }));
  for (const login of [ALICE, BOB]) {
    const [message = ''] = await waitForMessages(server, login, 1);
    assert.match(message, /^Subject: by python =\?utf-8\?/m);
    assert.doesNotMatch(message, /^bcc:/im);
  }
});

test('as PHP, cron and scripts call it', async () => {
  await using server = await start();
  const { sendmail, mailq, env } = await shimsOf(server);
  const mail = (words: readonly string[], input: string): Promise<Ran> =>
    run(sendmail, words, { input, env });
  // PHP's mail(): lines end in CRLF, and the fifth argument sets the sender.
  mustBe(
    await mail(
      ['-t', '-i', `-f${BOB.address}`],
      `To: ${ALICE.address}\r\nSubject: php\r\n\r\nx\r\n.\r\ny\r\n`,
    ),
  );
  const [php = ''] = await waitForMessages(server, ALICE, 1);
  assert.match(php, new RegExp(`^Return-Path: <${BOB.address}>\r\n`));
  assert.match(php, new RegExp(`^From: .*<?${BOB.address}>?\r$`, 'm'));
  assert.match(php, /\r\n\r\nx\r\n\.\r\ny\r\n$/);

  // cron: a bare user, whose mail the postmaster gets where he has no address.
  await postrider(['alias', 'add', 'postmaster@example.test', ALICE.address, '--dir', server.directory]);
  const job =
    'From: root (Cron Daemon)\nTo: root\nSubject: Cron <root@x> job\nAuto-Submitted: auto-generated\n\n10%\r100%\n';
  mustBe(await mail(['-FCronDaemon', '-i', '-B8BITMIME', '-oem', 'root'], job));
  const [, cron = ''] = await waitForMessages(server, ALICE, 2);
  assert.match(cron, /^From: root@example\.test \(Cron Daemon\)\r\nTo: root@example\.test\r$/m);
  assert.match(cron, /\r\n\r\n10%\r\n100%\r\n$/);

  // One of them is nobody: the others get it, and the sender hears of him by mail.
  const someone = ['-f', BOB.address, 'nobody.here@example.test', ALICE.address];
  mustBe(await mail(someone, 'Subject: lost\n\nx\n'));
  const [report = ''] = await waitForMessages(server, BOB, 1);
  assert.match(report, /^Final-Recipient: rfc822; *nobody\.here@example\.test\r$/m);
  assert.match(report, /^Status: 5\.1\.1\r$/m);

  for (const [words, input, code] of [
    [[], 'x', 64],
    [['-t'], 'Subject: x\n\n', 64],
    [['undisclosed-recipients:;'], 'x', 65],
    [['nobody.here@example.test'], 'Subject: lost\n\nx\n', 67],
    [['-Z'], '', 64],
    [['-bd'], '', 69],
    [['-bi'], '', 0],
    [['-q1h'], '', 0],
    [[ALICE.address], 'A: 1\n'.repeat(60_000), 65],
    [[ALICE.address], 'Subject: x\n\n' + 'x\n'.repeat(30_000_000), 65],
  ] as const)
    assert.equal((await mail(words, input)).code, code, words.join(' '));

  const listed = mustBe(await run(mailq, [], { env: { ...env, POSTRIDER_CONFIG: await configOf(server) } }));
  assert.match(listed.stdout, /^Mail queue is empty$/m);
});

test('mail of local programs passes the checks: its sender hears of a refusal, and what is too much waits its turn', async () => {
  await using server = await startPostrider({
    hostname: 'example.test',
    config:
      '[[rules]]\nname = "no-loans"\nheader = "Subject"\ncontains = "loan"\naction = "refuse"\ntext = "No loans"\n' +
      '[rates.localUser]\nmessagesPerHour = 3\n',
  });
  const maildrop = join(server.directory, 'data', 'maildrop');
  const { sendmail, env } = await shimsOf(server, maildrop);
  const mail = async (words: readonly string[], input: string): Promise<unknown> =>
    mustBe(await run(sendmail, words, { input, env }));
  await mail(['-f', BOB.address, ALICE.address], 'Subject: a loan for you\n\nx\n');
  const [report = ''] = await waitForMessages(server, BOB, 1);
  assert.match(report, new RegExp(`^Final-Recipient: rfc822; *${ALICE.address}\r$`, 'm'));
  assert.match(report, /^Status: 5\.7\.1\r\nDiagnostic-Code: X-Postrider; No loans\r$/m);
  // The refused one did not count.
  for (const number of [1, 2, 3]) await mail([ALICE.address], `Subject: ${number}\n\nx\n`);
  assert.equal((await waitForMessages(server, ALICE, 3)).length, 3);
  await mail([ALICE.address], 'Subject: 4\n\nx\n');
  await server.heard(/sendmail\.deferred.*rates\.local-user\.messages/);
  const waiting = (await readdir(maildrop)).filter((name) => /^\d/.test(name));
  assert.equal(waiting.length, 1);
});

/** Enough of a configuration for a command to find the server by. */
async function configOf({ directory }: RunningPostrider): Promise<string> {
  const file = join(directory, 'found.toml');
  await writeFile(
    file,
    `hostname = "example.test"\ndataDirectory = "${directory}"\n[tls]\nselfSigned = true\n`,
  );
  return file;
}

test('a list manager that calls sendmail -XV gets a return path for each recipient', async () => {
  await using server = await start();
  const { sendmail, env } = await shimsOf(server);
  const words = ['-XV+=', '-i', '-f', BOB.address, ALICE.address, BOB.address];
  mustBe(await run(sendmail, words, { env, input: 'Subject: news\n\nx\n' }));
  for (const account of [ALICE, BOB]) {
    const [news = ''] = await waitForMessages(server, account, 1);
    const name = account.address.replace('@', '=');
    assert.equal(/^Return-Path: <(.*)>\r$/m.exec(news)?.[1], `bob+${name}@example.test`);
  }
  const said = [
    'EHLO here',
    `MAIL FROM:<${BOB.address}> XVERP=+=`,
    `RCPT TO:<${ALICE.address}>`,
    'DATA',
    'Subject: more\r\n\r\nx\r\n.',
    'QUIT\r\n',
  ].join('\r\n');
  mustBe(await run(sendmail, ['-bs'], { env, input: said }));
  const more = (await waitForMessages(server, ALICE, 2))[1] ?? '';
  assert.match(more, /^Return-Path: <bob\+alice=example\.test@example\.test>\r$/m);
  mustBe(await run(sendmail, ['-XV', '-f', '<>', ALICE.address], { env, input: 'x\n' }), 64);
});

test('what is piped while the server is away is delivered when it is back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-test-'));
  try {
    const first = await startPostrider({ hostname: 'example.test', directory });
    const { sendmail, env } = await shimsOf(first);
    await first.kill();
    mustBe(await run(sendmail, [ALICE.address], { input: 'Subject: patient\n\nx\n', env }));
    await using second = await startPostrider({ hostname: 'example.test', directory });
    const [message = ''] = await waitForMessages(second, ALICE, 1);
    assert.match(message, /^Subject: patient\r$/m);
    assert.deepEqual(await waysOf(ALICE.address, directory), [['out', 'delivered']]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

/** Direction and outcome of each message of an address, once a trace has been written: that is done twice a second. */
async function waysOf(address: string, directory: string): Promise<readonly (readonly string[])[]> {
  for (;;) {
    const text = await postrider(['trace', address, '--dir', directory, '--json']);
    const { traces } = JSON.parse(text) as { traces: readonly { direction: string; outcome: string }[] };
    const isOver = traces.every(({ outcome }) => outcome !== 'unfinished' && outcome !== 'queued');
    if (traces.length > 0 && isOver) return traces.map(({ direction, outcome }) => [direction, outcome]);
    await pause(100);
  }
}

const isRoot = process.getuid?.() === 0;
const otherUser = isRoot ? peer('setpriv').skip : 'Only the superuser may become another user';

test(
  'another user of the machine sends without a password, as himself, and sees nobody’s mail',
  { skip: otherUser },
  async () => {
    const parent = await mkdtemp(join(tmpdir(), 'postrider-spool-'));
    try {
      await chmod(parent, 0o755);
      const maildrop = join(parent, 'maildrop');
      await using server = await startPostrider({
        hostname: 'example.test',
        config: `[sendmail]\ndirectory = "${maildrop}"\n`,
      });
      const { sendmail, env } = await shimsOf(server, maildrop);
      const asNobody = (words: readonly string[], input = ''): Promise<Ran> =>
        run('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', ...words], { input, env });
      mustBe(await asNobody([sendmail, '-f', BOB.address, ALICE.address], 'Subject: 1\n\nx\n'));
      mustBe(await asNobody([sendmail, '-f', 'eve@elsewhere.test', ALICE.address], 'Subject: 2\n\nx\n'));
      const messages = await waitForMessages(server, ALICE, 2);
      const [first = '', second = ''] = ['1', '2'].map((subject) =>
        messages.find((message) => message.includes(`Subject: ${subject}\r\n`)),
      );
      assert.match(first, new RegExp(`^Return-Path: <${BOB.address}>\r\n`));
      assert.match(second, /^Return-Path: <nobody@example\.test>\r\n/);
      assert.match(
        second,
        /^X-Authentication-Warning: example\.test: nobody may not send as <eve@elsewhere\.test>\r$/m,
      );
      assert.match(second, /from userid 65534\)\r$/m);
      for (const words of [
        ['ls', maildrop],
        ['rm', join(maildrop, 'postrider.json')],
        ['mv', join(maildrop, 'postrider.json'), join(maildrop, 'x')],
      ])
        assert.notEqual((await asNobody(words)).code, 0, words.join(' '));
    } finally {
      await rm(parent, { recursive: true, force: true });
    }
  },
);
