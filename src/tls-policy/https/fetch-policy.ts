/**
 * Fetches MTA-STS policies: GET, one answer, no redirect, no cache, a certificate for the host's name in subjectAltName,
 * bounds on time and octets. Addresses come from our own resolver. Source: RFC 8461 §3.3.
 */
import { X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { LIMITS } from '../../base/limits.ts';
import { err, ok, type Result } from '../../base/result.ts';
import type { Resolver } from '../../dns/resolver.ts';
import type { PolicyFetch, PolicyFetchProblem } from '../policy-fetch.ts';

export type PolicyFetchOptions = {
  readonly resolver: Resolver;
  /** 443, but for tests. */
  readonly port: number;
  /** False for addresses that nobody else may have us connect to. */
  readonly mayConnect: (address: string) => boolean;
  /** CA certificates, PEM; undefined: those of Node. */
  readonly trustStore: readonly string[] | undefined;
  /** For all of it. */
  readonly timeoutMs?: number;
};

type Fetched = Result<string, PolicyFetchProblem>;

/** Addresses of one host that are tried. */
const ADDRESSES_MAX = 3;
const PATH = '/.well-known/mta-sts.txt';

export function policyFetch(options: PolicyFetchOptions): PolicyFetch {
  return async (host) => {
    const { resolver, mayConnect, timeoutMs = LIMITS.stsFetchMs } = options;
    const signal = AbortSignal.timeout(timeoutMs);
    const answers = await Promise.all([resolver.a(host), resolver.aaaa(host)]);
    const addresses = answers.flatMap((answer) => (answer.kind === 'found' ? answer.records : []));
    const usable = addresses.filter(mayConnect).slice(0, ADDRESSES_MAX);
    let problem: PolicyFetchProblem = { kind: 'unreachable', text: `${host} has no address to connect to` };
    for (const address of usable) {
      // oxlint-disable-next-line no-await-in-loop -- the next address is for when this one is of no use
      const fetched = await fetchFrom(address, host, options, signal);
      if (fetched.ok || fetched.error.kind !== 'unreachable') return fetched;
      problem = fetched.error;
    }
    return err(problem);
  };
}

function fetchFrom(
  address: string,
  host: string,
  { port, trustStore }: PolicyFetchOptions,
  signal: AbortSignal,
): Promise<Fetched> {
  return new Promise((resolve) => {
    let isAnswered = false;
    const refuse = (kind: PolicyFetchProblem['kind'], text: string): void => {
      resolve(err({ kind, text }));
      outgoing.destroy();
    };
    const outgoing = request({
      host: address,
      port,
      path: PATH,
      method: 'GET',
      servername: host,
      headers: { host: port === 443 ? host : `${host}:${port}`, accept: 'text/plain', connection: 'close' },
      agent: false,
      signal,
      minVersion: 'TLSv1.2',
      ...(trustStore === undefined ? {} : { ca: [...trustStore] }),
      // RFC 8461 §3.3: DNS-IDs alone, a wildcard as a whole label.
      checkServerIdentity: (_name, { raw }) =>
        new X509Certificate(raw).checkHost(host, { subject: 'never', partialWildcards: false }) === undefined
          ? new WrongName(`The certificate is not for ${host}`)
          : undefined,
    });
    outgoing.on('error', (cause: Error & { code?: string }) => {
      const kind = cause instanceof WrongName || isOfTrust(cause.code ?? '') ? 'certificate' : 'unreachable';
      refuse(kind, signal.aborted ? 'No whole answer in time' : (cause.code ?? cause.message));
    });
    // Else it would be told of by nothing but the end of the connection.
    outgoing.on('upgrade', (incoming, socket) => {
      socket.destroy();
      refuse('refused', `The answer is ${incoming.statusCode}`);
    });
    outgoing.on('close', () => {
      if (!isAnswered) refuse('unreachable', 'The connection ended without an answer');
    });
    outgoing.on('response', (incoming) => {
      isAnswered = true;
      const said = unfitness(incoming);
      if (said !== undefined) return refuse('refused', said);
      return void readBody(incoming).then(resolve, (cause: unknown) => {
        refuse(cause instanceof TooLong ? 'refused' : 'unreachable', messageOf(cause));
      });
    });
    outgoing.end();
  });
}

/** RFC 8461 §3.3: 200 and nothing else, no redirect; §3.2: text/plain. */
function unfitness({ statusCode, headers }: IncomingMessage): string | undefined {
  if (statusCode !== 200) return `The answer is ${statusCode}`;
  const type = (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  return type === 'text/plain'
    ? undefined
    : `The content is ${JSON.stringify(type?.slice(0, 60))}, not text/plain`;
}

async function readBody(incoming: IncomingMessage): Promise<Fetched> {
  const chunks: Buffer[] = [];
  let octets = 0;
  for await (const chunk of incoming) {
    if (!Buffer.isBuffer(chunk)) continue;
    octets += chunk.length;
    if (octets > LIMITS.stsPolicyOctetsMax) throw new TooLong('The document is too long');
    chunks.push(chunk);
  }
  return ok(Buffer.concat(chunks).toString('utf8'));
}

class TooLong extends Error {}
class WrongName extends Error {}

/** OpenSSL's codes for what is wrong with a chain. */
function isOfTrust(code: string): boolean {
  return /CERT|SELF_SIGNED|ISSUER|SIGNATURE|CRL/.test(code) && !code.startsWith('ECONN');
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
