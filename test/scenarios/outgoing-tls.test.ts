/**
 * TLS with other hosts, as the world has it: a validating unbound over signed zones, a Postfix with a certificate, an HTTPS server
 * with an MTA-STS policy, and a host whose STARTTLS is broken.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { createTransport } from 'nodemailer';
import { makeCertificate, tlsa, type TestCertificate } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { startPolicyHost } from '../support/policy-host.ts';
import { startPostfix } from '../support/postfix.ts';
import { BOB, freeBasePort, postrider, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { settled } from '../support/settled.ts';
import { startUnbound, unboundSkip, type UnboundZone } from '../support/unbound.ts';
import { formatTlsa } from '../../src/tls-policy/wire/tlsa.ts';

const postfix = peer('postfix');
const notRoot = process.getuid?.() === 0 ? undefined : 'Postfix is started by root only';
const skip = postfix.skip ?? notRoot ?? unboundSkip;

/** Offers STARTTLS and then talks nonsense; in plain it takes whatever comes. */
async function startBroken(address: string, port: number): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => {});
    socket.write('220 mx.broken.test ESMTP\r\n');
    let inData = false;
    socket.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString('latin1').split('\r\n').slice(0, -1)) {
        if (inData) {
          if (line !== '.') continue;
          inData = false;
          socket.write('250 2.0.0 Taken\r\n');
        } else if (line.startsWith('EHLO')) socket.write('250-mx.broken.test\r\n250 STARTTLS\r\n');
        else if (line === 'STARTTLS') socket.end('220 2.0.0 Go ahead\r\nthis is no handshake\r\n');
        else if (line === 'DATA') {
          inData = true;
          socket.write('354 Go on\r\n');
        } else socket.write('250 2.0.0 Ok\r\n');
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(port, address, resolve));
  return server;
}

/** Names, certificates and zones of all domains below. */
async function makeWorld(port: number) {
  const root = await makeCertificate({ name: 'Test Root', ca: true });
  const middle = await makeCertificate({ name: 'Test Middle', ca: true, issuer: root });
  const names = ['mx.ee.test', 'mx.ta.test', 'mx.sts.test', 'mx.verify.test', 'mx.requiretls.test'];
  const leaf = await makeCertificate({ name: 'mx', names, issuer: middle });
  const host = (more: readonly string[] = []): readonly string[] => [
    '@ IN MX 10 mx',
    'mx IN A 127.0.0.1',
    ...more,
  ];
  const record = (usage: number, certificate: TestCertificate): string =>
    `_${port}._tcp.mx IN TLSA ${formatTlsa(tlsa(certificate, usage, usage === 3 ? 1 : 0, 1))}`;
  const sts = (id: string): readonly string[] => [
    `_mta-sts IN TXT "v=STSv1; id=${id};"`,
    'mta-sts IN A 127.0.0.1',
  ];
  const zones: readonly UnboundZone[] = [
    { name: 'ee.test', dnssec: 'signed', records: host([record(3, leaf)]) },
    { name: 'ta.test', dnssec: 'signed', records: host([record(2, root)]) },
    { name: 'wrong.test', dnssec: 'signed', records: host([record(3, root)]) },
    { name: 'excused.test', dnssec: 'signed', records: host([record(3, root)]) },
    { name: 'stsexcused.test', dnssec: 'unsigned', records: host(sts('1')) },
    { name: 'othername.test', dnssec: 'signed', records: host([record(2, root)]) },
    {
      name: 'unusable.test',
      dnssec: 'signed',
      records: host([`_${port}._tcp.mx IN TLSA 1 1 1 ${'ab'.repeat(32)}`]),
    },
    { name: 'bogus.test', dnssec: 'bogus', records: host([record(3, leaf)]) },
    { name: 'insecure.test', dnssec: 'unsigned', records: host([record(3, root)]) },
    { name: 'sts.test', dnssec: 'unsigned', records: host(sts('1')) },
    { name: 'stsother.test', dnssec: 'unsigned', records: host(sts('1')) },
    { name: 'ststesting.test', dnssec: 'unsigned', records: host(sts('1')) },
    { name: 'verify.test', dnssec: 'unsigned', records: host() },
    { name: 'fingerprint.test', dnssec: 'unsigned', records: host() },
    { name: 'broken.test', dnssec: 'unsigned', records: ['@ IN MX 10 mx', 'mx IN A 127.0.0.2'] },
    {
      name: 'brokendane.test',
      dnssec: 'signed',
      records: ['@ IN MX 10 mx', 'mx IN A 127.0.0.2', record(3, leaf)],
    },
  ];
  const policy = (mode: string, mx: string): string =>
    `version: STSv1\nmode: ${mode}\nmx: ${mx}\nmax_age: 86400\n`;
  const policies = {
    'sts.test': policy('enforce', '*.sts.test'),
    'stsother.test': policy('enforce', 'elsewhere.test'),
    'stsexcused.test': policy('enforce', 'elsewhere.test'),
    'ststesting.test': policy('testing', 'mx.ststesting.test'),
  };
  const web = await makeCertificate({
    name: 'web',
    names: Object.keys(policies).map((domain) => `mta-sts.${domain}`),
    issuer: root,
  });
  return { root, middle, leaf, web, zones, policies };
}

const EXPECTED = [
  { domain: 'ee.test', want: 'relayed', tls: /verified by dane-ee$/, why: 'DANE-EE (RFC 7672 §3.1.1)' },
  { domain: 'ta.test', want: 'relayed', tls: /verified by dane-ta$/, why: 'DANE-TA (RFC 7672 §3.1.2)' },
  { domain: 'unusable.test', want: 'relayed', tls: /^TLSv1\.3 \S+$/, why: 'none usable (RFC 7672 §2.2)' },
  { domain: 'wrong.test', want: 'delayed tls.other-than-tlsa', why: 'another key (RFC 7672 §3.2)' },
  { domain: 'othername.test', want: 'delayed tls.host-mismatch', why: 'another name (RFC 7672 §3.2.2)' },
  { domain: 'bogus.test', want: 'delayed dns.bogus', why: 'bogus (RFC 7672 §2.1.2)' },
  {
    domain: 'insecure.test',
    want: 'relayed',
    tls: /^TLSv1\.3 \S+$/,
    why: 'insecure records (RFC 7672 §2.2)',
  },
  { domain: 'sts.test', want: 'relayed', tls: /verified by pkix$/, why: 'enforce (RFC 8461 §5)' },
  { domain: 'stsother.test', want: 'delayed tls.sts-mx-mismatch', why: 'enforce, another MX (RFC 8461 §5)' },
  { domain: 'ststesting.test', want: 'relayed', tls: /^TLSv1\.3 \S+$/, why: 'testing (RFC 8461 §5)' },
  {
    domain: 'excused.test',
    excused: true,
    want: 'relayed',
    tls: /^TLSv1\.3 \S+$/,
    why: 'TLS-Required: No passes over DANE (RFC 8689 §4.2.2)',
  },
  {
    domain: 'stsexcused.test',
    excused: true,
    want: 'relayed',
    tls: /^TLSv1\.3 \S+$/,
    why: 'TLS-Required: No passes over MTA-STS (RFC 8689 §4.2.2)',
  },
  { domain: 'verify.test', want: 'relayed', tls: /verified by pkix$/, why: 'the operator asks for it' },
  { domain: 'fingerprint.test', want: 'delayed tls.other-fingerprint', why: 'another fingerprint' },
  {
    domain: 'broken.test',
    want: 'relayed',
    tls: /^plain$/,
    why: 'plain after a broken handshake (RFC 7435)',
  },
  { domain: 'brokendane.test', want: 'delayed tls.handshake', why: 'never plain with DANE (RFC 7672 §2.2)' },
] as const;

test('mail goes out as DANE, MTA-STS and the operator allow, and it is reported how', { skip }, async () => {
  const basePort = await freeBasePort();
  const port = await freePort();
  const world = await makeWorld(port);
  await using dns = await startUnbound(world.zones);
  const domains = world.zones.map(({ name }) => name);
  const directory = await mkdtemp(join(tmpdir(), 'postrider-tls-'));
  const keep = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const chain = [world.leaf, world.middle, world.root].map(({ pem }) => pem).join('');
  await using far = await startPostfix({
    domain: 'far.test',
    alsoFor: domains,
    relayPort: basePort + 25,
    port,
    tls: {
      certificateFile: await keep('chain.pem', chain),
      keyFile: await keep('key.pem', world.leaf.keyPem),
    },
  });
  const broken = await startBroken('127.0.0.2', port);
  await using web = await startPolicyHost(world.web, world.policies);
  const config = join(directory, 'postrider.toml');
  await using server = await startPostrider({
    basePort,
    directory,
    config: [
      `[resolver]\nservers = ["127.0.0.1:${dns.port}"]`,
      `[outgoing]\nport = ${port}\ncaFile = ${JSON.stringify(await keep('ca.pem', world.root.pem))}`,
      `policyPort = ${web.port}`,
      '[[tlsPolicies]]\ndomain = "verify.test"\nlevel = "verify"',
      `[[tlsPolicies]]\ndomain = "fingerprint.test"\nlevel = "fingerprint"\nfingerprints = ["${'ab'.repeat(32)}"]`,
      '[log]\nlevel = "debug"',
    ].join('\n'),
  });
  try {
    const mailer = createTransport({
      host: '127.0.0.1',
      port: server.port('submissions'),
      secure: true,
      tls: { rejectUnauthorized: false },
      auth: { user: BOB.address, pass: BOB.password },
    });
    for (const { domain, ...more } of EXPECTED)
      await mailer.sendMail({
        from: BOB.address,
        to: `carl@${domain}`,
        subject: domain,
        headers: 'excused' in more ? { 'TLS-Required': 'No' } : {},
        text: 'x',
      });
    const found: unknown[] = [];
    for (const { domain } of EXPECTED) {
      const { outcome, reason, tls } = await settled(server, `carl@${domain}`);
      found.push([domain, outcome === 'relayed' ? outcome : `${outcome} ${reason}`, tls ?? '']);
    }
    for (const [index, expected] of EXPECTED.entries()) {
      const [domain, outcome, tls] = found[index] as [string, string, string];
      assert.equal(
        `${domain} ${outcome}`,
        `${expected.domain} ${expected.want}`,
        `${expected.why}\n${server.output()}`,
      );
      if ('tls' in expected) assert.match(tls, expected.tls, expected.why);
    }
    const taken = EXPECTED.filter(({ want, domain }) => want === 'relayed' && domain !== 'broken.test');
    assert.equal((await far.messages('carl')).length, taken.length, await far.log());
    // It is down for TLS since then, and only for mail that needs it (RFC 8689 §4.2.2).
    const again = (to: string, headers: Record<string, string> = {}): Promise<unknown> =>
      mailer.sendMail({ from: BOB.address, to, subject: 'again', headers, text: 'x' });
    await again('Carl@wrong.test', { 'TLS-Required': 'No' });
    await again('CARL@wrong.test');
    const excused = await settled(server, 'Carl@wrong.test');
    assert.equal(excused.outcome, 'relayed', server.output());
    assert.equal((await settled(server, 'CARL@wrong.test')).reason, 'tls.other-than-tlsa');
    // Its handshake was seen to fail, and is not waited for again.
    await again('Carl@broken.test');
    assert.equal((await settled(server, 'Carl@broken.test')).outcome, 'relayed', server.output());
    await server.heard(/plain, not tried as it failed before/);
    // RFC 8461 §3.3: each once, although several messages may have asked.
    const asked = Object.keys(world.policies).filter((domain) => domain !== 'stsexcused.test');
    assert.deepEqual(web.fetched.toSorted(), asked.toSorted());
    // RFC 8689 §4.2.1: Postfix does not offer it.
    await submitRequiringTls(server, 'carl@ta.test');
    const [report] = await waitForMessages(server, BOB, 1);
    assert.match(report ?? '', /^Status: 5\.7\.30\r$/m, server.output());
    mailer.close();
    await server.stop();

    const shown: unknown = JSON.parse(await postrider(['tls-report', 'show', '--json', '--config', config]));
    const { reports } = shown as { reports: readonly Report[] };
    const results = Object.fromEntries(
      reports.flatMap(({ policies }) =>
        policies.map(({ policy, summary, ...more }) => [
          policy['policy-domain'],
          [
            policy['policy-type'],
            summary['total-successful-session-count'] > 0,
            (more['failure-details'] ?? []).map((one) => one['result-type']).join(' '),
          ].join(' '),
        ]),
      ),
    );
    assert.equal(results['ee.test'], 'tlsa true ');
    assert.equal(results['ta.test'], 'tlsa true ');
    assert.equal(results['wrong.test'], 'tlsa false tlsa-invalid');
    assert.equal(results['othername.test'], 'tlsa false certificate-host-mismatch');
    assert.equal(results['sts.test'], 'sts true ');
    assert.equal(results['stsother.test'], 'sts false validation-failure');
    assert.equal(results['ststesting.test'], 'sts false certificate-host-mismatch');
    assert.equal(results['insecure.test'], 'no-policy-found true ');
    assert.equal(results['verify.test'], undefined);
  } finally {
    broken.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
});

/** As a program would that knows RFC 8689; nodemailer does not say it. */
async function submitRequiringTls(server: RunningPostrider, to: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: server.port('submissions'), rejectUnauthorized: false });
  let said = '';
  socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
  const hear = async (code: string): Promise<void> => {
    while (!/(?:^|\n)\d{3} .*\r\n$/.test(said)) await once(socket, 'data');
    assert.match(said, new RegExp(`^${code}`));
    said = '';
  };
  await hear('220');
  const login = Buffer.from(`\0${BOB.address}\0${BOB.password}`).toString('base64');
  for (const [line, code] of [
    ['EHLO client.test', '250'],
    [`AUTH PLAIN ${login}`, '235'],
    [`MAIL FROM:<${BOB.address}> REQUIRETLS`, '250'],
    [`RCPT TO:<${to}>`, '250'],
    ['DATA', '354'],
    [`From: ${BOB.address}\r\nSubject: secret\r\n\r\nx\r\n.`, '250'],
  ] as const) {
    socket.write(`${line}\r\n`);
    await hear(code);
  }
  socket.end();
}

type Report = {
  readonly policies: readonly {
    readonly policy: { readonly 'policy-domain': string; readonly 'policy-type': string };
    readonly summary: { readonly 'total-successful-session-count': number };
    readonly 'failure-details'?: readonly { readonly 'result-type': string }[];
  }[];
};
