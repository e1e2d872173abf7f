import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { makeCertificate, type TestCertificate } from '../../../test/support/certificates.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Zone } from '../../dns/memory/resolver.ts';
import { MemoryResolver } from '../../dns/memory/resolver.ts';
import { policyFetch, type PolicyFetchOptions } from './fetch-policy.ts';

const HOST = 'mta-sts.far.example';
const DAY_MS = 86_400_000;
const root = await makeCertificate({ name: 'Root', ca: true });
const good = await makeCertificate({ name: 'x', names: [HOST], issuer: root });
const wild = await makeCertificate({ name: 'x', names: ['*.far.example'], issuer: root });
const other = await makeCertificate({ name: 'x', names: ['far.example'], issuer: root });
const cnOnly = await makeCertificate({ name: HOST, issuer: root });
const stranger = await makeCertificate({ name: HOST, names: [HOST] });
const expired = await makeCertificate({
  name: 'x',
  names: [HOST],
  issuer: root,
  notBeforeMs: Date.now() - 3 * DAY_MS,
  notAfterMs: Date.now() - DAY_MS,
});

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

const text: Serve = (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('the policy');
};
const answer =
  (status: number, headers: Record<string, string>, body = 'the policy'): Serve =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

async function fetched(
  certificate: TestCertificate,
  serve: Serve,
  options: Partial<PolicyFetchOptions> = {},
  zone: Zone = { [HOST]: { a: ['127.0.0.1'] } },
): Promise<string> {
  const server = createServer({ cert: certificate.pem, key: certificate.keyPem }, serve);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const fetch = policyFetch({
      resolver: new MemoryResolver(zone),
      port: (server.address() as AddressInfo).port,
      mayConnect: () => true,
      trustStore: [root.pem],
      ...options,
    });
    const found = await fetch(HOST);
    return found.ok ? found.value : found.error.kind;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const cases: readonly { name: string; certificate?: TestCertificate; serve?: Serve; want: string }[] = [
  { name: 'the document', want: 'the policy' },
  { name: 'a wildcard as a whole label', certificate: wild, want: 'the policy' },
  { name: 'a certificate for another name', certificate: other, want: 'certificate' },
  { name: 'a certificate with the name as CN', certificate: cnOnly, want: 'certificate' },
  { name: 'a certificate that nobody vouches for', certificate: stranger, want: 'certificate' },
  { name: 'a certificate that has expired', certificate: expired, want: 'certificate' },
  {
    name: 'a redirect to the right place',
    serve: answer(301, { location: `https://${HOST}/.well-known/mta-sts.txt`, 'content-type': 'text/plain' }),
    want: 'refused',
  },
  { name: 'no such document', serve: answer(404, { 'content-type': 'text/plain' }), want: 'refused' },
  { name: 'no content', serve: answer(204, { 'content-type': 'text/plain' }, ''), want: 'refused' },
  { name: 'a page', serve: answer(200, { 'content-type': 'text/html' }), want: 'refused' },
  { name: 'no media type', serve: answer(200, {}), want: 'refused' },
  {
    name: 'as many octets as may be',
    serve: answer(200, { 'content-type': 'Text/Plain' }, 'x'.repeat(LIMITS.stsPolicyOctetsMax)),
    want: 'x'.repeat(LIMITS.stsPolicyOctetsMax),
  },
  {
    name: 'one octet more',
    serve: answer(200, { 'content-type': 'text/plain' }, 'x'.repeat(LIMITS.stsPolicyOctetsMax + 1)),
    want: 'refused',
  },
  {
    name: 'octets without end',
    serve: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain' });
      const more = (): void => {
        while (response.write('x'.repeat(4096)));
        response.once('drain', more);
      };
      more();
    },
    want: 'refused',
  },
  {
    name: 'an answer that breaks off',
    serve: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', 'content-length': '100' });
      response.write('half');
      response.destroy();
    },
    want: 'unreachable',
  },
  {
    // Of this Node tells neither as a response nor as an error.
    name: 'another protocol, which nobody asked for (RFC 9110 §7.8)',
    serve: (request) => {
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n');
    },
    want: 'refused',
  },
  { name: 'a connection that breaks off', serve: (request) => request.socket.destroy(), want: 'unreachable' },
];
for (const { name, certificate = good, serve = text, want } of cases)
  test(`${name}: ${want.slice(0, 20)} (RFC 8461 §3.3)`, { timeout: 10_000 }, async () => {
    assert.equal(await fetched(certificate, serve), want);
  });

test('it asks for the host by name, without what a browser would send (RFC 8461 §3.2)', async () => {
  let asked: IncomingMessage | undefined;
  await fetched(good, (request, response) => {
    asked = request;
    text(request, response);
  });
  assert.deepEqual([asked?.method, asked?.url], ['GET', '/.well-known/mta-sts.txt']);
  assert.match(asked?.headers.host ?? '', new RegExp(`^${HOST}:\\d+$`));
});

test('a host that keeps silent, or drips, is given up in time', async () => {
  const silent: Serve = () => {};
  assert.equal(await fetched(good, silent, { timeoutMs: 50 }), 'unreachable');
  const drip: Serve = (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/plain' });
    response.write('x');
  };
  assert.equal(await fetched(good, drip, { timeoutMs: 50 }), 'unreachable');
});

test('an address that must not be connected to is not, and the next one is', async () => {
  const mayConnect = (address: string): boolean => address !== '127.0.0.1';
  assert.equal(await fetched(good, text, { mayConnect }), 'unreachable');
  const zone = { [HOST]: { a: ['127.0.0.2', '127.0.0.1'] } };
  assert.equal(await fetched(good, text, {}, zone), 'the policy');
  assert.equal(await fetched(good, text, {}, {}), 'unreachable');
});
