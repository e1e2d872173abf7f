/** TLS with people's programs: their certificates, and what a sign-in is bound to. Over real sockets. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { test } from 'node:test';
import { makeCertificate, type TestCertificate } from '../../test/support/certificates.ts';
import type { TlsInfo } from '../base/connection.ts';
import { addressesOf, certificateNames } from './certificate-names.ts';
import { serverEndPoint } from './channel-binding.ts';
import { connectWith } from './connect.ts';
import { SocketConnection } from './socket-connection.ts';
import { serverTls, type Certificate } from './tls-context.ts';

const DAY_MS = 86_400_000;
const server = await makeCertificate({ name: 'mail.example', names: ['mail.example'] });
const authority = await makeCertificate({ name: 'Our people', ca: true });
const stranger = await makeCertificate({ name: 'Other people', ca: true });
const names = ['alice@example.test', 'alice@work.test'];

type Ends = { readonly ofServer: TlsInfo; readonly ofClient: TlsInfo };

/** One handshake, as seen from both ends while the connection stands. */
async function shake(
  clients: Certificate['clients'],
  own: TestCertificate | undefined,
  look: (ends: Ends) => void,
  version: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3',
): Promise<void> {
  const { peopleTls } = serverTls({
    chain: server.pem,
    key: server.keyPem,
    ...(clients === undefined ? {} : { clients }),
  });
  const old = createSecureContext({ cert: server.pem, key: server.keyPem, maxVersion: 'TLSv1.2' });
  const tls = version === 'TLSv1.2' ? () => ({ secureContext: old }) : peopleTls;
  const seen = Promise.withResolvers<SocketConnection>();
  const listener = createServer((socket) => {
    const connection = new SocketConnection(socket, tls);
    connection
      .startTls({ side: 'server', timeoutMs: 5000 })
      .then(() => seen.resolve(connection), seen.reject);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const connected = await connectWith(undefined)({
    host: 'mail.example',
    address: '127.0.0.1',
    port,
    timeoutMs: 5000,
    tls: {
      side: 'client',
      servername: 'mail.example',
      certificate: { kind: 'any' },
      ...(own === undefined ? {} : { identity: { chain: own.pem, key: own.keyPem } }),
      timeoutMs: 5000,
    },
  });
  assert.ok(connected.ok);
  const there = await seen.promise;
  try {
    look({ ofServer: there.tls ?? assert.fail(), ofClient: connected.value.tls ?? assert.fail() });
  } finally {
    connected.value.destroy();
    there.destroy();
    listener.close();
  }
}

const asked = { authorities: authority.pem };
const cases = [
  { name: 'of our authority', options: { issuer: authority }, clients: asked, isVerified: true },
  {
    name: 'for clients',
    options: { issuer: authority, purposes: ['1.3.6.1.5.5.7.3.2'] },
    clients: asked,
    isVerified: true,
  },
  {
    name: 'for servers only',
    options: { issuer: authority, purposes: ['1.3.6.1.5.5.7.3.1'] },
    clients: asked,
    isVerified: false,
  },
  {
    name: 'expired',
    options: { issuer: authority, notAfterMs: Date.now() - DAY_MS / 2 },
    clients: asked,
    isVerified: false,
  },
  { name: 'of another authority', options: { issuer: stranger }, clients: asked, isVerified: false },
  { name: 'signed by itself', options: {}, clients: asked, isVerified: false },
  {
    name: 'where no authority is named',
    options: { issuer: authority },
    clients: { authorities: undefined },
    isVerified: false,
  },
] as const;
for (const { name, options, clients, isVerified } of cases) {
  test(`a client's certificate: ${name} (RFC 4422 §A)`, async () => {
    const own = await makeCertificate({ name: 'Alice', names, ...options });
    await shake(clients, own, ({ ofServer }) => {
      const der = ofServer.peerCertificate ?? assert.fail();
      assert.deepEqual(Buffer.from(der), own.x509.raw);
      assert.equal(ofServer.peerVerified, isVerified);
      const found = certificateNames({ der, isVerified: ofServer.peerVerified });
      assert.equal(found.fingerprint, createHash('sha256').update(own.x509.raw).digest('hex'));
      assert.deepEqual(found.addresses, isVerified ? names : []);
    });
  });
}

test('a client may come without a certificate, and is not asked where nobody wants one', async () => {
  const own = await makeCertificate({ name: 'Alice', names, issuer: authority });
  await shake(asked, undefined, ({ ofServer }) => {
    assert.equal(ofServer.peerCertificate, undefined);
    assert.equal(ofServer.peerVerified, false);
  });
  await shake(undefined, own, ({ ofServer }) => assert.equal(ofServer.peerCertificate, undefined));
});

test('a session with a certificate is resumed, and the certificate is still known', async () => {
  const own = await makeCertificate({ name: 'Alice', names, issuer: authority });
  const { peopleTls } = serverTls({ chain: server.pem, key: server.keyPem, clients: asked });
  const seen: (TlsInfo | undefined)[] = [];
  const listener = createServer((socket) => {
    const connection = new SocketConnection(socket, peopleTls);
    void connection.startTls({ side: 'server', timeoutMs: 5000 }).then(() => {
      seen.push(connection.tls);
      void connection.write(Buffer.from('x'));
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const visit = async (session?: Buffer): Promise<{ readonly session: Buffer; readonly isReused: boolean }> =>
    new Promise((resolve, reject) => {
      const socket = connectTls({
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        cert: own.pem,
        key: own.keyPem,
        ...(session === undefined ? {} : { session }),
      });
      let ticket = session ?? Buffer.alloc(0);
      socket.on('session', (got) => (ticket = got)).on('error', reject);
      socket.once('data', () => {
        const isReused = socket.isSessionReused();
        socket.destroy();
        resolve({ session: ticket, isReused });
      });
    });
  const { session } = await visit();
  assert.equal((await visit(session)).isReused, true);
  listener.close();
  for (const info of seen) {
    assert.equal(info?.peerVerified, true);
    assert.deepEqual(Buffer.from(info.peerCertificate ?? []), own.x509.raw);
  }
  assert.equal(seen.length, 2);
});

for (const [version, types] of [
  ['TLSv1.3', ['tls-exporter', 'tls-server-end-point']],
  ['TLSv1.2', ['tls-unique', 'tls-server-end-point']],
] as const) {
  test(`both ends of ${version} are bound by the same, and two channels by other octets (RFC 9266 §2, RFC 5929 §3)`, async () => {
    const uniques: string[] = [];
    for (const _ of [1, 2])
      await shake(
        undefined,
        undefined,
        ({ ofServer, ofClient }) => {
          assert.equal(ofServer.protocol, version);
          assert.deepEqual([...ofServer.channelBindings().keys()], types);
          assert.deepEqual(ofServer.channelBindings(), ofClient.channelBindings());
          const digest = createHash('sha256').update(server.x509.raw).digest();
          assert.deepEqual(ofServer.channelBindings().get('tls-server-end-point'), digest);
          uniques.push(Buffer.from(ofServer.channelBindings().get(types[0]) ?? []).toString('hex'));
        },
        version,
      );
    assert.equal(new Set(uniques).size, 2);
    assert.ok(uniques.every((one) => one.length >= 24));
  });
}

const algorithms = [
  ['sha1WithRSAEncryption', 32],
  ['sha256WithRSAEncryption', 32],
  ['ecdsa-with-SHA384', 48],
  ['sha512WithRSAEncryption', 64],
  ['rsassaPss', undefined],
  ['ED25519', undefined],
  ['ecdsa_with_SHA3-256', undefined],
  [undefined, undefined],
] as const;
for (const [signatureAlgorithm, octets] of algorithms)
  test(`a certificate signed by ${signatureAlgorithm} (RFC 5929 §4.1)`, () => {
    const certificate = { signatureAlgorithm, raw: server.x509.raw };
    assert.equal(serverEndPoint(certificate)?.length, octets);
  });

const alternatives = [
  ['email:alice@a.test', ['alice@a.test']],
  ['email:alice@a.test, DNS:a.test, email:bob@a.test', ['alice@a.test', 'bob@a.test']],
  ['othername:SmtpUTF8Mailbox:jürgen@a.test', ['jürgen@a.test']],
  ['othername:"SmtpUTF8Mailbox:j\\u002c@a.test"', ['j,@a.test']],
  ['URI:"http://x\\u002c email:evil@a.test"', []],
  ['email:"x\\u002c email:evil@a.test"', ['x, email:evil@a.test']],
  ['othername:<unsupported>, email:alice@a.test', ['alice@a.test']],
  ['DirName:"CN = x\\u002c email:evil@a.test"', []],
  ['', []],
] as const;
for (const [written, want] of alternatives)
  test(`the addresses in ${JSON.stringify(written)} (RFC 5280 §4.2.1.6, RFC 9598 §3)`, () =>
    assert.deepEqual(addressesOf(written), want));
