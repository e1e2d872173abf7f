/** swaks meets limits, rules and an account in strangers' hands. */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import type { RunningPostrider, Service } from '../support/postrider.ts';
import { ALICE, BOB, freeBasePort, postrider, startPostrider } from '../support/postrider.ts';

const swaks = peer('swaks');
const curl = peer('curl');
const STRICT = '[trust]\nloopback = false\n';
const AS_BOB = ['--tls', '--auth', 'PLAIN', '--auth-user', BOB.address, '--auth-password', BOB.password];

/** All that swaks saw of one session. */
async function send(server: RunningPostrider, service: Service, ...args: readonly string[]): Promise<string> {
  const where = ['--server', '127.0.0.1', '--port', String(server.port(service))];
  const { stdout, stderr } = await run('swaks', [...where, ...args]);
  return stdout + stderr;
}

function at(server: RunningPostrider): readonly string[] {
  return ['--config', join(server.directory, 'postrider.toml')];
}

async function command(server: RunningPostrider, ...words: readonly string[]): Promise<unknown> {
  const answer: unknown = JSON.parse(await postrider([...words, '--json', ...at(server)]));
  return answer;
}

test('an address that sends too much waits, its neighbour does not', { skip: swaks.skip }, async () => {
  await using server = await startPostrider({ config: `${STRICT}[rates.address]\nmessagesPerHour = 2\n` });
  const mail = ['--from', 'ann@far.test', '--to', ALICE.address];
  for (let count = 0; count < 2; count += 1)
    assert.match(await send(server, 'smtp', ...mail), /<-  250 2\.0\.0 Accepted as/);
  assert.match(await send(server, 'smtp', ...mail), /<\*\* 450 4\.7\.1 Too many messages from this address/);
  const other = await send(server, 'smtp', ...mail, '--local-interface', '127.0.0.2');
  assert.match(other, /<-  250 2\.0\.0 Accepted as/);
  const facts = ['--from', 'ann@far.test', '--to', ALICE.address];
  const { code, stdout } = await run(process.execPath, [
    join(import.meta.dirname, '../../src/app/main.ts'),
    'simulate',
    '--client',
    '127.0.0.1',
    ...facts,
    '--json',
    ...at(server),
  ]);
  assert.deepEqual([code, /"outcome":\s*"deferred"/.test(stdout)], [6, true], stdout);
});

test(
  'connections beyond the limit hear 421, and this machine is exempt if it is not told otherwise',
  {
    skip: swaks.skip,
  },
  async () => {
    const rates = '[rates.address]\nconnectionsPerHour = 1\n';
    const mail = ['--from', 'ann@far.test', '--to', ALICE.address, '--quit-after', 'RCPT'];
    await using strict = await startPostrider({ config: STRICT + rates });
    await send(strict, 'smtp', ...mail);
    assert.match(await send(strict, 'smtp', ...mail), /421 .*Too many connections from this address/);
    await using lenient = await startPostrider({ config: rates });
    for (let count = 0; count < 3; count += 1)
      assert.match(await send(lenient, 'smtp', ...mail), /<-  250 2\.1\.5/);
  },
);

test(
  'what an account sent is remembered over a restart, and a file that is torn keeps nobody from starting',
  { skip: swaks.skip },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postrider-rates-'));
    const basePort = await freeBasePort();
    const start = (): Promise<RunningPostrider> =>
      startPostrider({ directory, basePort, config: '[rates.account]\nmessagesPerHour = 2\n' });
    const mail = [...AS_BOB, '--from', BOB.address, '--to', ALICE.address];
    const taken = /<~  250 2\.0\.0 Accepted as/;
    const tooMuch = /<~\* 450 4\.7\.1 Too many messages/;
    const rates = join(directory, 'data', 'rates.bin');
    try {
      await using first = await start();
      for (let count = 0; count < 2; count += 1)
        assert.match(await send(first, 'submission', ...mail), taken);
      assert.match(await send(first, 'submission', ...mail), tooMuch);
      await first.stop();
      const kept = await readFile(rates);

      await using second = await start();
      assert.match(await send(second, 'submission', ...mail), tooMuch);
      assert.doesNotMatch(second.output(), /server\.rates\.lost/);
      // A crash forgets what came after the file was written, and nothing before.
      await second.kill();
      await using third = await start();
      assert.match(await send(third, 'submission', ...mail), tooMuch);
      await third.stop();

      await writeFile(rates, kept.subarray(0, kept.length - 7));
      await using fourth = await start();
      await fourth.heard(/server\.rates\.lost/);
      assert.match(await send(fourth, 'submission', ...mail), taken);
      await fourth.stop();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);

test('a rule holds, another one marks', { skip: swaks.skip ?? curl.skip }, async () => {
  const rules = `[[rules]]
name = "overdue"
header = "Subject"
contains = "overdue"
action = "hold"
text = "Looks like fraud"
[[rules]]
name = "far"
senders = ["far.test"]
action = "add-field"
field = "X-Far: yes"
`;
  await using server = await startPostrider({ config: rules });
  const mail = ['--from', 'ann@far.test', '--to', ALICE.address];
  await send(server, 'smtp', ...mail, '--header', 'Subject: Invoice OVERDUE');
  await send(server, 'smtp', ...mail, '--header', 'Subject: Hello');
  const [message] = await waitForMessages(server, ALICE, 1);
  assert.match(message ?? '', /^X-Far: yes\r$/m);
  assert.match(message ?? '', /^Subject: Hello\r$/m);
  assert.match(JSON.stringify(await command(server, 'queue', 'list', '--state', 'held')), /rule\.overdue/);
  await postrider(['queue', 'release', '--all', ...at(server)]);
  await waitForMessages(server, ALICE, 2);
});

test(
  'an account in strangers hands is stopped, told of, and resumed',
  {
    skip: swaks.skip ?? curl.skip,
  },
  async () => {
    const config = `[submission.suspend]
refusedRecipientsPerHour = 3
[[routes]]
name = "nowhere"
hosts = ["127.0.0.1:1"]
tls = "opportunistic"
`;
    await using server = await startPostrider({ config });
    await postrider(['alias', 'add', 'postmaster@example.test', ALICE.address, ...at(server)]);
    const mail = [...AS_BOB, '--from', BOB.address];
    assert.match(await send(server, 'submission', ...mail, '--to', 'eve@far.test'), /250 2\.0\.0 Accepted/);
    const nobody = [1, 2, 3, 4].map((number) => `nobody${number}@example.test`).join(',');
    await send(server, 'submission', ...mail, '--to', nobody);
    const [notice] = await waitForMessages(server, BOB, 1);
    assert.match(notice ?? '', /^Subject: Sending from an account was suspended\r$/m);
    await waitForMessages(server, ALICE, 1);
    const again = await send(server, 'submission', ...mail, '--to', ALICE.address);
    assert.match(again, /<.\* 550 5\.7\.1 Sending is suspended for this account/);
    const held = JSON.stringify(await command(server, 'queue', 'list', '--state', 'held'));
    assert.match(held, /eve@far\.test/);
    assert.match(held, /account-suspended/);
    const shown = JSON.stringify(await command(server, 'account', 'sending', BOB.address));
    assert.match(shown, /guard\.refused-recipients/);
    const resumed = JSON.stringify(await command(server, 'account', 'resume', BOB.address, '--release'));
    assert.match(resumed, /"messages":1/);
    await send(server, 'submission', ...mail, '--to', ALICE.address);
    assert.equal((await waitForMessages(server, ALICE, 2)).length, 2);
  },
);

test(
  'Bcc stays with its author, and a granted address may be written as',
  {
    skip: swaks.skip ?? curl.skip,
  },
  async () => {
    await using server = await startPostrider({ config: '[submission]\naddSender = true\n' });
    const mail = [...AS_BOB, '--from', BOB.address, '--to', ALICE.address];
    const from = ['--h-From', ALICE.address];
    assert.match(
      await send(server, 'submission', ...mail, ...from),
      /550 5\.7\.1 You may not write in the name/,
    );
    await postrider(['account', 'grant', BOB.address, ALICE.address, ...at(server)]);
    await send(server, 'submission', ...mail, ...from, '--add-header', 'Bcc: eve@far.test,\n ann@far.test');
    const [message] = await waitForMessages(server, ALICE, 1);
    assert.doesNotMatch(message ?? '', /bcc|far\.test/i);
    assert.match(message ?? '', /^From: alice@example\.test\r$/m);
    assert.match(message ?? '', /^Sender: <bob@example\.test>\r$/m);
  },
);
