/**
 * The configuration file: TOML in, a {@link Config} with every default in place out, or everything that is wrong
 * with it. Pure: reads no file and asks nothing of the machine. It reaches code as arguments, never by import.
 */
import { TomlError, parse } from 'smol-toml';
import type { XStatic } from 'typebox/schema';
import { type Result, err, ok } from '../base/result.ts';
import type { DeepReadonly } from './deep-readonly.ts';
import { keyLines, lineOf } from './lines.ts';
import { type ConfigProblem, readTable } from './read.ts';
import { reportRouteContradictions } from './routes.ts';
import { reportRuleContradictions } from './rules.ts';
import { SCHEMA } from './schema.ts';

export type Config = DeepReadonly<XStatic<typeof SCHEMA>>;
export type ServiceName = keyof Config['listeners'];
export type ListenerConfig = Config['listeners'][ServiceName];

/** Everything wrong with the text is told, in the order of the file where that is known. */
export function parseConfig(text: string): Result<Config, readonly ConfigProblem[]> {
  let table: unknown;
  try {
    table = parse(text);
  } catch (cause) {
    return err([syntaxProblem(cause)]);
  }
  const lines = keyLines(text);
  const problems: ConfigProblem[] = [];
  const report = (path: string, problem: string): void => {
    problems.push({ path, line: lineOf(lines, path), text: problem });
  };
  const value = readTable(SCHEMA, table, '', report);
  if (isSound(value, problems)) {
    reportContradictions(value, report);
    if (problems.length === 0) return ok(value);
  }
  return err(problems.toSorted((left, right) => (left.line ?? 0) - (right.line ?? 0)));
}

/** `listeners.smtp.port (line 7): must be …` */
export function formatProblem({ path, line, text }: ConfigProblem): string {
  const where = [path, line === undefined ? '' : path === '' ? `line ${line}` : `(line ${line})`];
  const place = where.filter((part) => part !== '').join(' ');
  return place === '' ? text : `${place}: ${text}`;
}

/** The schema was checked key by key: with nothing reported, the value is of its type. */
function isSound(value: unknown, problems: readonly ConfigProblem[]): value is Config {
  return value !== undefined && problems.length === 0;
}

function syntaxProblem(cause: unknown): ConfigProblem {
  if (!(cause instanceof TomlError)) return { path: '', line: undefined, text: 'cannot be read as TOML' };
  const [first = ''] = cause.message.split('\n');
  return { path: '', line: cause.line, text: first.replace('Invalid TOML document', 'not valid TOML') };
}

/** What no key alone can tell. */
function reportContradictions(config: Config, report: (path: string, text: string) => void): void {
  const { certificateFile, keyFile, selfSigned } = config.tls;
  if (certificateFile === undefined && keyFile === undefined && !selfSigned)
    report('tls', 'needs certificateFile and keyFile, or selfSigned = true');
  if ((certificateFile === undefined) !== (keyFile === undefined))
    report('tls', 'certificateFile and keyFile belong together');
  if (certificateFile !== undefined && selfSigned)
    report('tls.selfSigned', 'cannot be true beside certificateFile');
  if (config.tls.clientCaFile !== undefined && !config.tls.clientCertificates)
    report('tls.clientCaFile', 'is of no use without clientCertificates = true');
  const { signIn, tls, oauth } = config;
  if (!signIn.plain && signIn.scram === 'never' && !tls.clientCertificates && oauth === undefined)
    report('signIn', 'leaves no way to sign in');

  if (config.store.backend === 'postgres' && config.store.url === undefined)
    report('store.url', 'is missing, and the backend is "postgres"');
  if (config.store.backend === 'embedded' && config.store.url !== undefined)
    report('store.url', 'is of no use with the backend "embedded"');

  reportRouteContradictions(config, report);
  reportRuleContradictions(config.rules, report);
  reportTlsPolicyContradictions(config, report);
  reportOpenRelay(config, report);
  reportCollisions(config, report);
}

/** What would make this host everybody's. */
function reportOpenRelay({ relaying }: Config, report: (path: string, text: string) => void): void {
  for (const [index, network] of relaying.networks.entries())
    if (network.endsWith('/0')) report(`relaying.networks[${index}]`, 'would let everybody send to anywhere');
  for (const [index, domain] of relaying.domains.entries())
    if (domain === '*') report(`relaying.domains[${index}]`, 'would let everybody send to anywhere');
}

function reportTlsPolicyContradictions(
  { tlsPolicies }: Config,
  report: (path: string, text: string) => void,
): void {
  const domains = new Set<string>();
  for (const [index, policy] of tlsPolicies.entries()) {
    const path = `tlsPolicies[${index}]`;
    const { level, names, fingerprints, certificateFile, keyFile } = policy;
    const domain = policy.domain.toLowerCase();
    if (domains.has(domain)) report(`${path}.domain`, 'has a policy already');
    domains.add(domain);
    if ((level === 'fingerprint') !== fingerprints.length > 0)
      report(path, 'level = "fingerprint" and fingerprints belong together');
    if (names.length > 0 && level !== 'verify')
      report(`${path}.names`, 'are of use with level = "verify" alone');
    if ((certificateFile === undefined) !== (keyFile === undefined))
      report(path, 'certificateFile and keyFile belong together');
  }
}

function reportCollisions(config: Config, report: (path: string, text: string) => void): void {
  const taken = new Map<string, string>();
  for (const [name, { enabled, addresses, port }] of Object.entries(config.listeners)) {
    if (!enabled) continue;
    for (const address of addresses) {
      const other = taken.get(`${address} ${port}`);
      if (other !== undefined)
        report(`listeners.${name}.port`, `${port} on ${address} is taken by listeners.${other}`);
      taken.set(`${address} ${port}`, name);
    }
  }
}
