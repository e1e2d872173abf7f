/**
 * Smarthosts and TLS with a Postfix of Debian: what they promise by DANE (a validating unbound) and MTA-STS (an HTTPS server) holds;
 * the certificate that we show lets us relay there, and its fingerprint is held to.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { makeCertificate, tlsa, type TestCertificate } from '../support/certificates.ts';
import { freePort } from '../support/free-port.ts';
import { peer } from '../support/peer.ts';
import { startPolicyHost } from '../support/policy-host.ts';
import { startPostfix } from '../support/postfix.ts';
import { BOB, freeBasePort, postrider, startPostrider } from '../support/postrider.ts';
import { settled } from '../support/settled.ts';
import { startUnbound, unboundSkip } from '../support/unbound.ts';
import { formatTlsa } from '../../src/tls-policy/wire/tlsa.ts';

const notRoot = process.getuid?.() === 0 ? undefined : 'Postfix is started by root only';
const skip = peer('postfix').skip ?? notRoot ?? unboundSkip;

/** The route of each domain leads to a host of this name, with this of TLS. */
const EXPECTED = [
  {
    domain: 'dane.test',
    want: 'relayed',
    tls: /verified by dane-ee$/,
    why: 'its TLSA records (RFC 7672 §2.2.2)',
  },
  {
    domain: 'strict.test',
    level: 'encrypt',
    want: 'relayed',
    tls: /verified by dane-ee$/,
    why: 'DANE is stricter',
  },
  { domain: 'wrong.test', want: 'delayed tls.other-than-tlsa', why: 'another key (RFC 7672 §3.2)' },
  { domain: 'ca.test', level: 'verified', want: 'delayed tls.not-trusted', why: 'the route wants a CA' },
  { domain: 'sts.test', want: 'delayed tls.not-trusted', why: 'its MTA-STS policy (RFC 8461 §3.4)' },
  {
    domain: 'stsother.test',
    want: 'delayed tls.sts-mx-mismatch',
    why: 'it does not name the host (RFC 8461 §5)',
  },
  { domain: 'same.test', want: 'relayed', tls: /verified by fingerprint$/, why: 'its fingerprint' },
  { domain: 'samekey.test', want: 'relayed', tls: /verified by fingerprint$/, why: 'that of its key' },
  { domain: 'other.test', want: 'delayed tls.other-fingerprint', why: 'another fingerprint' },
  { domain: 'known.test', want: 'relayed', tls: /^TLSv1\.3 \S+$/, why: 'it knows our certificate' },
  { domain: 'unknown.test', want: 'failed', why: 'it does not know the certificate that it is shown' },
  { domain: 'none.test', want: 'failed', why: 'it is shown no certificate' },
] as const;

test('what a smarthost promises holds, and our certificate opens it', { skip }, async () => {
  const [basePort, port] = [await freeBasePort(), await freePort()];
  const directory = await mkdtemp(join(tmpdir(), 'postrider-smarthost-'));
  const keep = async (name: string, text: string): Promise<string> => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const root = await makeCertificate({ name: 'Test Root', ca: true });
  // Nobody vouches for it but its records and its fingerprint.
  const own = await makeCertificate({ name: 'relay', names: ['relay.test'] });
  const known = await makeCertificate({ name: 'us', names: ['mail.example.test'] });
  const unknown = await makeCertificate({ name: 'others', names: ['mail.other.test'] });
  const web = await makeCertificate({
    name: 'web',
    names: ['mta-sts.relay.sts.test', 'mta-sts.relay.stsother.test'],
    issuer: root,
  });
  const record = (certificate: TestCertificate): string =>
    `_${port}._tcp.relay IN TLSA ${formatTlsa(tlsa(certificate, 3, 1, 1))}`;
  const sts = ['_mta-sts.relay IN TXT "v=STSv1; id=1;"', 'mta-sts.relay IN A 127.0.0.1'];
  const zones: Readonly<Record<string, readonly string[]>> = {
    'dane.test': [record(own)],
    'strict.test': [record(own)],
    'ca.test': [record(own)],
    'wrong.test': [record(root)],
    'sts.test': sts,
    'stsother.test': sts,
  };
  await using dns = await startUnbound(
    EXPECTED.map(({ domain: name }) => ({
      name,
      dnssec: zones[name] === undefined || zones[name] === sts ? 'unsigned' : 'signed',
      records: ['relay IN A 127.0.0.1', ...(zones[name] ?? [])],
    })),
  );
  await using policies = await startPolicyHost(web, {
    'relay.sts.test': 'version: STSv1\nmode: enforce\nmx: relay.sts.test\nmax_age: 86400\n',
    'relay.stsother.test': 'version: STSv1\nmode: enforce\nmx: elsewhere.test\nmax_age: 86400\n',
  });
  const sum = (octets: Buffer): string => createHash('sha256').update(octets).digest('hex');
  const colons = sum(known.x509.raw).toUpperCase().match(/../g)?.join(':') ?? '';
  await using far = await startPostfix({
    domain: 'far.test',
    alsoFor: EXPECTED.map(({ domain }) => domain),
    relayPort: basePort + 25,
    port,
    tls: { certificateFile: await keep('own.pem', own.pem), keyFile: await keep('own.key', own.keyPem) },
    settings: [
      'smtpd_tls_ask_ccert = yes',
      'smtpd_tls_fingerprint_digest = sha256',
      `relay_clientcerts = inline:{ { ${colons} = us } }`,
      `smtpd_recipient_restrictions = check_recipient_access inline:{ ${['known', 'unknown', 'none']
        .map((name) => `{ carl@${name}.test = certified }`)
        .join(', ')} }, permit`,
      'smtpd_restriction_classes = certified',
      'certified = permit_tls_clientcerts, reject',
    ],
  });
  const identity = async (name: string, certificate: TestCertificate): Promise<string> =>
    `certificateFile = "${await keep(`${name}.pem`, certificate.pem)}"\n` +
    `keyFile = "${await keep(`${name}.key`, certificate.keyPem)}"`;
  const fingerprint = (domain: string, text: string): string =>
    `[[tlsPolicies]]\ndomain = "relay.${domain}"\nlevel = "fingerprint"\nfingerprints = ["${text}"]`;
  const config = join(directory, 'postrider.toml');
  await using server = await startPostrider({
    basePort,
    directory,
    config: [
      `[resolver]\nservers = ["127.0.0.1:${dns.port}"]`,
      `[outgoing]\nport = ${port}\ncaFile = "${await keep('ca.pem', root.pem)}"\npolicyPort = ${policies.port}`,
      ...EXPECTED.map((one) =>
        [
          `[[routes]]\nname = "${one.domain.replace('.', '-')}"\nrecipients = ["${one.domain}"]`,
          `hosts = ["relay.${one.domain}:${port}"]`,
          ...('level' in one ? [`tls = "${one.level}"`] : []),
        ].join('\n'),
      ),
      fingerprint('same.test', sum(own.x509.raw)),
      fingerprint('samekey.test', sum(own.x509.publicKey.export({ type: 'spki', format: 'der' }))),
      fingerprint('other.test', sum(root.x509.raw)),
      `[[tlsPolicies]]\ndomain = "relay.known.test"\n${await identity('known', known)}`,
      `[[tlsPolicies]]\ndomain = "relay.unknown.test"\n${await identity('unknown', unknown)}`,
      '[log]\nlevel = "debug"',
    ].join('\n'),
  });
  const mailer = createTransport({
    host: '127.0.0.1',
    port: server.port('submissions'),
    secure: true,
    tls: { rejectUnauthorized: false },
    auth: { user: BOB.address, pass: BOB.password },
  });
  try {
    for (const { domain } of EXPECTED)
      await mailer.sendMail({ from: BOB.address, to: `carl@${domain}`, subject: domain, text: 'x' });
    for (const expected of EXPECTED) {
      const { outcome, reason, tls = '' } = await settled(server, `carl@${expected.domain}`);
      const found = outcome === 'delayed' ? `${outcome} ${reason}` : outcome;
      assert.equal(`${expected.domain} ${found}`, `${expected.domain} ${expected.want}`, expected.why);
      if ('tls' in expected) assert.match(tls, expected.tls, expected.why);
    }
    const taken = EXPECTED.filter(({ want }) => want === 'relayed');
    assert.equal((await far.messages('carl')).length, taken.length, await far.log());

    const explained = await postrider(['route', 'carl@dane.test', '--config', config]);
    assert.match(
      explained,
      /relay\.dane\.test:\d+ {2}TLS dane: 1 TLSA records; for relay\.dane\.test; DNSSEC/,
    );
    await server.stop();
    // RFC 8460: counted for the name of the host.
    const counted = await postrider(['tls-report', 'show', '--json', '--config', config]);
    const types = ['relay.dane.test', 'relay.sts.test', 'relay.known.test'].map(
      (domain) =>
        new RegExp(`"policy-type": ?"([^"]+)"[^}]*"policy-domain": ?"${domain}"`).exec(counted)?.[1],
    );
    assert.deepEqual(types, ['tlsa', 'sts', 'no-policy-found'], counted);
    assert.doesNotMatch(counted, /relay\.same\.test/);
  } finally {
    mailer.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
