/** The HTTPS host of MTA-STS policies, for every name of its certificate (RFC 8461 §3.3). */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCertificate } from './certificates.ts';

export type PolicyHost = AsyncDisposable & {
  readonly port: number;
  /** The domains whose policies were asked for, in order. */
  readonly fetched: readonly string[];
};

/** @param policies by domain */
export async function startPolicyHost(
  { pem: cert, keyPem: key }: TestCertificate,
  policies: Readonly<Record<string, string>>,
): Promise<PolicyHost> {
  const fetched: string[] = [];
  const server = createServer({ cert, key }, (request, response) => {
    const domain = (request.headers.host ?? '').replace(/^mta-sts\./, '').replace(/:\d+$/, '');
    fetched.push(domain);
    const policy = request.url === '/.well-known/mta-sts.txt' ? policies[domain] : undefined;
    response.writeHead(policy === undefined ? 404 : 200, { 'content-type': 'text/plain' }).end(policy);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    fetched,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
