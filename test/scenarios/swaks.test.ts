/** swaks sends on every way in; curl reads it back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { peer } from '../support/peer.ts';
import type { RunningPostrider } from '../support/postrider.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';
import { startSink } from '../support/smtp-sink.ts';
import { waitForMessages } from '../support/mailbox.ts';

const swaks = peer('swaks');
const sink = peer('smtp-sink');
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

test(
  'who is in relaying.networks may send to anywhere, and anybody for relaying.domains',
  { skip: swaks.skip ?? sink.skip },
  async () => {
    await using away = await startSink(await freePort());
    const routes = `[[routes]]\nname = "all"\nhosts = ["127.0.0.1:${away.port}"]\n`;
    const relaying = '[relaying]\nnetworks = ["127.0.0.2"]\ndomains = ["partner.test"]\n';
    await using server = await startPostrider({ config: routes + relaying });
    const from = async (client: string, recipient: string): Promise<string> => {
      const where = ['--server', '127.0.0.1', '--port', String(server.port('smtp'))];
      const local = ['--local-interface', client, '--from', 'x@elsewhere.test'];
      return (await run('swaks', [...where, ...local, '--to', recipient])).stdout;
    };
    assert.match(await from('127.0.0.1', 'bob@far.test'), /^<\*\* 550 5\.7\.1 Relaying is not permitted/m);
    assert.match(await from('127.0.0.2', 'bob@far.test'), /^<- {2}250 2\.0\.0 /m);
    assert.match(await from('127.0.0.1', 'bob@partner.test'), /^<- {2}250 2\.0\.0 /m);
    await away.reach(2);
  },
);

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

/** What swaks says of another client, and what Received says then. */
const spokenFor = [
  {
    name: 'XCLIENT',
    args: [
      '--xclient-addr',
      '192.0.2.9',
      '--xclient-name',
      'spike.test',
      '--xclient-helo',
      'spike-said.test',
    ],
    want: /^Received: from spike-said\.test \(spike\.test \[192\.0\.2\.9\]\)/m,
  },
  {
    name: 'XCLIENT in two commands, before STARTTLS',
    args: [
      '--tls',
      '--xclient-before-starttls',
      '--xclient-delim',
      '--xclient-addr',
      'IPV6:2001:db8::9',
      '--xclient-port',
      '4711',
      '--xclient-delim',
      '--xclient-proto',
      'ESMTP',
      '--xclient-destaddr',
      '192.0.2.25',
      '--xclient-destport',
      '25',
    ],
    want: /^Received: from \S+ \(\[IPv6:2001:db8::9\]\)/m,
  },
  {
    name: 'XCLIENT, by a SMTP client of old',
    args: ['--protocol', 'ESMTP', '--xclient-addr', '192.0.2.9', '--xclient-proto', 'SMTP'],
    want: /\(\[192\.0\.2\.9\]\)\r\n\tby \S+ with SMTP id/,
  },
] as const;

for (const { name, args, want } of spokenFor)
  test(`swaks speaks for another client by ${name}`, { skip: swaks.skip ?? curl.skip }, async () => {
    await using server = await startPostrider({ config: '[trust]\nforwarders = ["127.0.0.1"]\n' });
    const sent = await run('swaks', [...toSmtp(server), ...args]);
    assert.equal(sent.code, 0, sent.stdout + sent.stderr);
    const [message = ''] = await waitForMessages(server, ALICE, 1);
    assert.match(message, want);
  });

test(
  'swaks submits for whom it has let in, by XCLIENT LOGIN, without a password and without TLS',
  { skip: swaks.skip ?? curl.skip },
  async () => {
    await using server = await startPostrider({ config: '[trust]\nforwarders = ["127.0.0.1"]\n' });
    const to = ['--server', '127.0.0.1', '--port', String(server.port('submission')), '--to', ALICE.address];
    const as = (login: string) => run('swaks', [...to, '--from', BOB.address, '--xclient-login', login]);
    const sent = await as(BOB.address);
    assert.equal(sent.code, 0, sent.stdout + sent.stderr);
    const [message = ''] = await waitForMessages(server, ALICE, 1);
    assert.match(message, /\r\n\tby \S+ with ESMTPA id/);
    const others = await as(ALICE.address);
    assert.match(others.stdout, /^<\*\* 550 5\.7\.1 .*name of that address/m);
    const nobody = await as('nobody@example.test');
    assert.match(nobody.stdout, /^<\*\* 550 5\.7\.8 /m);
  },
);

test('swaks is offered no XCLIENT where it is not trusted', { skip: swaks.skip }, async () => {
  await using server = await startPostrider();
  const sent = await run('swaks', [...toSmtp(server), '--xclient-addr', '192.0.2.9']);
  assert.notEqual(sent.code, 0);
  assert.match(sent.stdout + sent.stderr, /did not advertise XCLIENT/);
});

const source = ['--proxy-source', '192.0.2.9', '--proxy-source-port', '4711'];
const dest = ['--proxy-dest', '198.51.100.1', '--proxy-dest-port', '25'];
const proxied = [
  { name: 'version 1', args: ['--proxy-version', '1', '--proxy-family', 'TCP4', ...source, ...dest] },
  { name: 'version 2', args: ['--proxy-version', '2', '--proxy-family', 'AF_INET', ...source, ...dest] },
  {
    name: 'version 2 under STARTTLS',
    args: ['--tls', '--proxy-version', '2', '--proxy-family', 'AF_INET', ...source, ...dest],
  },
] as const;

test('swaks as a proxy, by both versions: Received names its client', { skip: swaks.skip }, async () => {
  await using server = await startPostrider({
    config: '[trust]\nproxies = ["127.0.0.1"]\n',
    listenerLines: 'proxyProtocol = true',
  });
  for (const { name, args } of proxied) {
    const sent = await run('swaks', [...toSmtp(server), ...args]);
    assert.equal(sent.code, 0, `${name}: ${sent.stdout}${sent.stderr}`);
  }
  await server.heard(/"remoteAddress":"192\.0\.2\.9"/);
});

const manners = [
  ['--pipeline'],
  ['--protocol', 'SMTP'],
  ['--protocol', 'ESMTPS'],
  ['--tls', '--pipeline', '--hide-all'],
  ['--helo', '[127.0.0.1]'],
  ['--from', '<>'],
  ['--force-getpwuid', '--h-Subject', 'x', '--attach', '@/etc/hostname'],
  ['--to', `${ALICE.address},${BOB.address}`, '--pipeline'],
  ['--local-interface', '127.0.0.1', '--copy-routing', 'example.test'],
] as const;

test('swaks in every manner that it has', { skip: swaks.skip }, async () => {
  await using server = await startPostrider();
  for (const manner of manners) {
    const sent = await run('swaks', [...toSmtp(server), ...manner]);
    assert.equal(sent.code, 0, `${manner.join(' ')}: ${sent.stdout}${sent.stderr}`);
  }
});

function toSmtp(server: RunningPostrider): string[] {
  const where = ['--server', '127.0.0.1', '--port', String(server.port('smtp'))];
  return [...where, '--from', 'x@away.test', '--to', ALICE.address];
}
