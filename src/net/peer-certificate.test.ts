/** Over real handshakes on loopback: what counts is what a server can show, not what we make of it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createSecureContext, TLSSocket, type SecureContextOptions } from 'node:tls';
import { makeCertificate, tlsa, type TestCertificate } from '../../test/support/certificates.ts';
import type { CertificateRule, ClientTlsRequest, TlsInfo, TlsProblem } from '../base/connection.ts';
import type { Result } from '../base/result.ts';
import { connectWith } from './connect.ts';

const DAY_MS = 86_400_000;
const MX = 'mx.far.example';
const DOMAIN = 'far.example';
const longAgo = { notBeforeMs: Date.now() - 9 * DAY_MS, notAfterMs: Date.now() - 2 * DAY_MS };

const root = await makeCertificate({ name: 'Root', ca: true });
const middle = await makeCertificate({ name: 'Middle', ca: true, issuer: root, pathLengthMax: 0 });
const leaf = await makeCertificate({ name: MX, names: [MX], issuer: middle });
const wildcard = await makeCertificate({ name: 'w', names: ['*.far.example'], issuer: middle });
const cnOnly = await makeCertificate({ name: MX, issuer: middle });
const cnBeside = await makeCertificate({ name: MX, names: ['other.example'], issuer: middle });
const expired = await makeCertificate({ name: MX, names: [MX], issuer: middle, ...longAgo });
const forClients = await makeCertificate({
  name: MX,
  names: [MX],
  issuer: middle,
  purposes: ['1.3.6.1.5.5.7.3.2'],
});
const strange = await makeCertificate({ name: MX, names: [MX], issuer: middle, strange: true });
const selfSigned = await makeCertificate({ name: MX, names: [MX] });
const noAuthority = await makeCertificate({ name: 'NoCA', issuer: root, names: ['x.example'] });
const byNoAuthority = await makeCertificate({ name: MX, names: [MX], issuer: noAuthority });
const tooDeep = await makeCertificate({ name: 'TooDeep', ca: true, issuer: middle });
const underTooDeep = await makeCertificate({ name: MX, names: [MX], issuer: tooDeep });
const oldRoot = await makeCertificate({ name: 'OldRoot', ca: true, ...longAgo });
const underOldRoot = await makeCertificate({ name: MX, names: [MX], issuer: oldRoot });
const impostor = await makeCertificate({ name: 'Middle', ca: true });
const byImpostor = await makeCertificate({ name: MX, names: [MX], issuer: impostor });

async function handshake(
  chain: readonly TestCertificate[],
  request: Partial<ClientTlsRequest>,
  server: SecureContextOptions = {},
  trusted: readonly TestCertificate[] = [root],
): Promise<Result<TlsInfo, TlsProblem>> {
  const [own] = chain;
  assert.ok(own !== undefined);
  const secureContext = createSecureContext({
    cert: chain.map(({ pem }) => pem).join(''),
    key: own.keyPem,
    ...server,
  });
  const listener = createServer((socket) => {
    socket.on('error', () => {});
    new TLSSocket(socket, { isServer: true, secureContext }).on('error', () => {});
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  try {
    const connect = connectWith(trusted.map(({ pem }) => pem));
    const connected = await connect({ host: MX, address: '127.0.0.1', port, timeoutMs: 5000 });
    assert.ok(connected.ok);
    const secured = await connected.value.startTls({
      side: 'client',
      servername: MX,
      certificate: { kind: 'any' },
      timeoutMs: 5000,
      ...request,
    });
    connected.value.destroy();
    return secured;
  } finally {
    listener.close();
  }
}

function word(secured: Result<TlsInfo, TlsProblem>): string {
  if (secured.ok) return secured.value.verifiedBy ?? 'unverified';
  return secured.error.kind === 'certificate' ? secured.error.problem : secured.error.kind;
}

const pkix: CertificateRule = { kind: 'pkix', names: [MX] };
const dane = (records: readonly ReturnType<typeof tlsa>[], names = [MX, DOMAIN]): CertificateRule => ({
  kind: 'dane',
  names,
  records,
});
const sha256 = (octets: Uint8Array): string => createHash('sha256').update(octets).digest('hex');

type Case = {
  readonly name: string;
  readonly chain: readonly TestCertificate[];
  readonly rule: CertificateRule;
  readonly want: string;
};

const whole = [leaf, middle, root];

const cases: readonly Case[] = [
  {
    name: 'any certificate will do (RFC 7435 §3)',
    chain: [selfSigned],
    rule: { kind: 'any' },
    want: 'unverified',
  },

  { name: 'a chain to a trusted CA (RFC 5280 §6.1)', chain: [leaf, middle], rule: pkix, want: 'pkix' },
  {
    name: 'one of several names (RFC 9525 §6.3)',
    chain: [leaf, middle],
    rule: { kind: 'pkix', names: ['other.example', MX] },
    want: 'pkix',
  },
  {
    name: 'a wildcard is one whole label (RFC 8461 §4.2)',
    chain: [wildcard, middle],
    rule: pkix,
    want: 'pkix',
  },
  {
    name: 'a wildcard is not two labels (RFC 8461 §4.2)',
    chain: [wildcard, middle],
    rule: { kind: 'pkix', names: ['a.mx.far.example'] },
    want: 'host-mismatch',
  },
  {
    name: 'another name (RFC 8461 §4.2)',
    chain: [leaf, middle],
    rule: { kind: 'pkix', names: ['mx.other.example'] },
    want: 'host-mismatch',
  },
  {
    name: 'the CN is no name of a host (RFC 8461 §4.2)',
    chain: [cnOnly, middle],
    rule: pkix,
    want: 'host-mismatch',
  },
  { name: 'expired (RFC 8461 §4.2)', chain: [expired, middle], rule: pkix, want: 'expired' },
  { name: 'signed by itself (RFC 8461 §4.2)', chain: [selfSigned], rule: pkix, want: 'not-trusted' },
  { name: 'an intermediate is missing', chain: [leaf], rule: pkix, want: 'not-trusted' },
  {
    name: 'no names at all',
    chain: [leaf, middle],
    rule: { kind: 'pkix', names: [] },
    want: 'host-mismatch',
  },

  {
    name: 'DANE-EE by the sum of its key (RFC 7672 §3.1.1)',
    chain: [selfSigned],
    rule: dane([tlsa(selfSigned, 3, 1, 1)]),
    want: 'dane-ee',
  },
  {
    name: 'DANE-EE by the longer sum of the whole (RFC 6698 §2.1.3)',
    chain: [selfSigned],
    rule: dane([tlsa(selfSigned, 3, 0, 2)]),
    want: 'dane-ee',
  },
  {
    name: 'DANE-EE by the key itself (RFC 6698 §2.1.3)',
    chain: [selfSigned],
    rule: dane([tlsa(selfSigned, 3, 1, 0)]),
    want: 'dane-ee',
  },
  {
    name: 'DANE-EE, expired and of another name (RFC 7672 §3.1.1)',
    chain: [expired, middle],
    rule: dane([tlsa(expired, 3, 1, 1)], ['other.example']),
    want: 'dane-ee',
  },
  {
    name: 'one record of several (RFC 6698 §4.1)',
    chain: [selfSigned],
    rule: dane([tlsa(leaf, 3, 1, 1), tlsa(root, 2, 0, 1), tlsa(selfSigned, 3, 1, 1)]),
    want: 'dane-ee',
  },
  {
    name: 'a DANE-EE record of another certificate, though a CA vouches for this one (RFC 7672 §3.2)',
    chain: whole,
    rule: dane([tlsa(selfSigned, 3, 1, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a DANE-EE record of the CA is no trust anchor (RFC 6698 §2.1.1)',
    chain: whole,
    rule: dane([tlsa(root, 3, 0, 1)]),
    want: 'other-than-tlsa',
  },

  { name: 'DANE-TA (RFC 7672 §3.1.2)', chain: whole, rule: dane([tlsa(root, 2, 0, 1)]), want: 'dane-ta' },
  {
    name: 'DANE-TA by its key (RFC 7672 §3.1.2)',
    chain: whole,
    rule: dane([tlsa(root, 2, 1, 1)]),
    want: 'dane-ta',
  },
  {
    name: 'an intermediate as DANE-TA, its root not sent (RFC 7672 §3.1.2)',
    chain: [leaf, middle],
    rule: dane([tlsa(middle, 2, 0, 1)]),
    want: 'dane-ta',
  },
  {
    name: 'sent in another order (RFC 8446 §4.4.2)',
    chain: [leaf, root, middle],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'dane-ta',
  },
  {
    name: 'DANE-TA for the next-hop domain (RFC 7672 §3.2.2)',
    chain: [wildcard, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)], ['elsewhere.example', 'mx.far.example']),
    want: 'dane-ta',
  },
  {
    name: 'DANE-TA with a CN and no name of a host (RFC 7672 §3.2.3)',
    chain: [cnOnly, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'dane-ta',
  },
  {
    name: 'DANE-TA with a CN beside another name (RFC 7672 §3.2.3)',
    chain: [cnBeside, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'host-mismatch',
  },
  {
    name: 'DANE-TA of another name (RFC 7672 §3.2.2)',
    chain: whole,
    rule: dane([tlsa(root, 2, 0, 1)], ['other.example']),
    want: 'host-mismatch',
  },
  {
    name: 'DANE-TA, expired (RFC 7672 §3.1.2)',
    chain: [expired, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'expired',
  },
  {
    name: 'DANE-TA that has itself expired',
    chain: [underOldRoot, oldRoot],
    rule: dane([tlsa(oldRoot, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a trust anchor that is not sent (RFC 7672 §3.1.2)',
    chain: [leaf, middle],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a trust anchor that the record itself holds (RFC 7672 §3.1.2)',
    chain: [leaf, middle],
    rule: dane([tlsa(root, 2, 0, 0)]),
    want: 'dane-ta',
  },
  {
    name: 'a trust anchor whose key the record holds (RFC 7672 §3.1.2)',
    chain: [leaf, middle],
    rule: dane([tlsa(root, 2, 1, 0)]),
    want: 'dane-ta',
  },
  {
    name: 'a trust anchor that is sent and has signed nothing here',
    chain: [selfSigned, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'an issuer of the right name and another key',
    chain: [byImpostor, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a certificate in the path that is no CA (RFC 5280 §4.2.1.9)',
    chain: [byNoAuthority, noAuthority, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a path longer than a CA allows (RFC 5280 §4.2.1.9)',
    chain: [underTooDeep, tooDeep, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a certificate for clients (RFC 5280 §4.2.1.12)',
    chain: [forClients, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'a critical extension that nobody knows (RFC 5280 §4.2)',
    chain: [strange, middle, root],
    rule: dane([tlsa(root, 2, 0, 1)]),
    want: 'other-than-tlsa',
  },
  {
    name: 'octets in a record that are no certificate and no key',
    chain: whole,
    rule: dane([
      { usage: 2, selector: 0, matchingType: 0, data: Buffer.from('nonsense') },
      { usage: 2, selector: 1, matchingType: 0, data: Buffer.from('nonsense') },
    ]),
    want: 'other-than-tlsa',
  },

  {
    name: 'the fingerprint of the certificate',
    chain: [selfSigned],
    rule: { kind: 'fingerprint', sha256: [sha256(selfSigned.x509.raw)] },
    want: 'fingerprint',
  },
  {
    name: 'the fingerprint of the key',
    chain: [expired, middle],
    rule: {
      kind: 'fingerprint',
      sha256: ['00', sha256(expired.x509.publicKey.export({ type: 'spki', format: 'der' }))],
    },
    want: 'fingerprint',
  },
  {
    name: 'another fingerprint',
    chain: [leaf, middle],
    rule: { kind: 'fingerprint', sha256: [sha256(root.x509.raw)] },
    want: 'other-fingerprint',
  },
];
for (const { name, chain, rule, want } of cases)
  test(`${rule.kind}: ${name} is ${want}`, async () => {
    assert.equal(word(await handshake(chain, { certificate: rule })), want);
  });

test('a version below the least one is no handshake', async () => {
  const old = { maxVersion: 'TLSv1.2' } as const;
  assert.equal(word(await handshake([leaf], {}, old)), 'unverified');
  assert.equal(word(await handshake([leaf], { versionMin: 'TLSv1.3' }, old)), 'handshake');
});

test('a client certificate is shown to who asks for it', async () => {
  const own = await makeCertificate({ name: 'here.example', names: ['here.example'] });
  const seen = Promise.withResolvers<string | undefined>();
  const secureContext = createSecureContext({ cert: leaf.pem, key: leaf.keyPem });
  const listener = createServer((socket) => {
    const secured = new TLSSocket(socket, { isServer: true, secureContext, requestCert: true });
    secured.on('error', () => {});
    secured.on('secure', () => seen.resolve(secured.getPeerX509Certificate()?.subject));
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  const connected = await connectWith(undefined)({
    host: MX,
    address: '127.0.0.1',
    port,
    timeoutMs: 5000,
    tls: {
      side: 'client',
      servername: MX,
      certificate: { kind: 'any' },
      identity: { chain: own.pem, key: own.keyPem },
      timeoutMs: 5000,
    },
  });
  assert.ok(connected.ok);
  assert.equal(await seen.promise, 'CN=here.example');
  connected.value.destroy();
  listener.close();
});
