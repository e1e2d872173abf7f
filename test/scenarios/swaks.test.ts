/** swaks sends on every way in; curl reads it back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';
import { waitForMessages } from '../support/mailbox.ts';

const swaks = peer('swaks');
const curl = peer('curl');

const ways = [
  { name: 'port 25 in plain', service: 'smtp', args: [] },
  { name: 'port 25 with STARTTLS', service: 'smtp', args: ['--tls'] },
  {
    name: 'submission with STARTTLS and AUTH PLAIN',
    service: 'submission',
    args: ['--tls', '--auth', 'PLAIN'],
  },
  {
    name: 'submission with STARTTLS and AUTH LOGIN',
    service: 'submission',
    args: ['--tls', '--auth', 'LOGIN'],
  },
  { name: 'submissions', service: 'submissions', args: ['--tls-on-connect', '--auth', 'PLAIN'] },
  { name: 'LMTP', service: 'lmtp', args: ['--protocol', 'LMTP'] },
] as const;

for (const { name, service, args } of ways) {
  test(`swaks by ${name} reaches the mailbox`, { skip: swaks.skip ?? curl.skip }, async () => {
    await using server = await startPostrider();
    const login = (args as readonly string[]).includes('--auth')
      ? ['--auth-user', BOB.address, '--auth-password', BOB.password]
      : [];
    const sent = await run('swaks', [
      '--server',
      '127.0.0.1',
      '--port',
      String(server.port(service)),
      ...args,
      ...login,
      '--from',
      BOB.address,
      '--to',
      ALICE.address,
      '--header',
      `Subject: by ${name}`,
      '--body',
      'Hello\n.\n..dots',
    ]);
    assert.equal(sent.code, 0, sent.stdout + sent.stderr);
    const [message] = await waitForMessages(server, ALICE, 1);
    assert.match(message ?? '', new RegExp(`^Subject: by ${name}\r$`, 'm'));
    assert.match(message ?? '', /^Return-Path: <bob@example\.test>\r$/m);
    assert.match(message ?? '', /\r\nHello\r\n\.\r\n\.\.dots/);
  });
}

test('a stranger may not relay, and mail for an unknown user is refused', { skip: swaks.skip }, async () => {
  await using server = await startPostrider();
  const to = async (recipient: string): Promise<string> => {
    const port = String(server.port('smtp'));
    const options = [
      '--server',
      '127.0.0.1',
      '--port',
      port,
      '--from',
      'x@elsewhere.test',
      '--to',
      recipient,
    ];
    return (await run('swaks', options)).stdout;
  };
  assert.match(await to('someone@elsewhere.test'), /<\*\* 550 5\.7\.1 /);
  assert.match(await to('nobody@example.test'), /<\*\* 550 5\.1\.1 /);
});

test('what was sent is there after a restart', { skip: swaks.skip ?? curl.skip }, async () => {
  await using first = await startPostrider();
  const sent = await run('swaks', [
    '--server',
    '127.0.0.1',
    '--port',
    String(first.port('smtp')),
    '--from',
    BOB.address,
    '--to',
    ALICE.address,
    '--header',
    'Subject: before',
  ]);
  assert.equal(sent.code, 0, sent.stdout);
  assert.equal(await first.stop(), 0, first.output());
  await using second = await startPostrider({ directory: first.directory, basePort: first.basePort });
  const [message] = await waitForMessages(second, ALICE, 1);
  assert.match(message ?? '', /^Subject: before\r$/m);
});
