/** `postrider check`: is this configuration good, here? Reads, and changes nothing. */
import { X509Certificate } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { access, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { openEmbeddedDirectory } from '../auth/embedded/directory.ts';
import type { DirectorySettings } from '../auth/resolve-address.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/config.ts';
import { secureContext } from '../net/tls-context.ts';
import { checkPostmaster } from './check-postmaster.ts';
import { DatabaseRefused } from '../sqlite/migrate.ts';
import { describeDirectoryProblem, files, findDataDirectory } from './data-directory.ts';
import { readOutgoingTls } from './outgoing-tls.ts';
import { readConfig } from './read-config.ts';
import { passwordFilesOf } from './routes.ts';
import { createResolver, dnsServers } from './resolver.ts';
import { systemClock, systemRandom } from './system.ts';

export type CheckOptions = { readonly config: string; readonly json: boolean };

/** A problem keeps the server from doing its work; a warning does not. */
type Found = { readonly kind: 'problem' | 'warning'; readonly text: string };

const DAY_MS = 86_400_000;
const EXPIRES_SOON_MS = 14 * DAY_MS;

export async function runCheck(options: CheckOptions): Promise<number> {
  const config = await readConfig(options.config);
  const found: readonly Found[] = config.ok
    ? (
        await Promise.all([
          checkCertificate(config.value),
          checkClientAuthorities(config.value),
          checkPasswords(config.value),
          checkData(config.value),
          checkResolver(config.value),
          checkOutgoingTls(config.value),
          checkPostmasters(config.value),
        ])
      ).flat()
    : config.error.map((text): Found => ({ kind: 'problem', text }));
  const code = !config.ok ? 3 : found.some(({ kind }) => kind === 'problem') ? 4 : 0;
  if (options.json) console.log(JSON.stringify({ ok: code === 0, found }));
  else {
    for (const { kind, text } of found) console.log(`${kind}: ${text}`);
    if (found.length === 0) console.log(`${options.config}: all is well`);
  }
  return code;
}

async function checkCertificate({ tls, hostname }: Config): Promise<readonly Found[]> {
  const { certificateFile, keyFile } = tls;
  if (certificateFile === undefined || keyFile === undefined) return [];
  const chain = await read(certificateFile);
  const key = await read(keyFile);
  if (typeof chain !== 'string') return [chain];
  if (typeof key !== 'string') return [key];
  try {
    secureContext({ chain, key });
  } catch (cause) {
    return [problem(`${certificateFile} and ${keyFile} cannot be used together: ${messageOf(cause)}`)];
  }
  const certificate = new X509Certificate(chain);
  const found: Found[] = [];
  const endsMs = Date.parse(certificate.validTo);
  if (endsMs < Date.now()) found.push(problem(`${certificateFile} expired on ${certificate.validTo}`));
  else if (endsMs - Date.now() < EXPIRES_SOON_MS)
    found.push({ kind: 'warning', text: `${certificateFile} expires on ${certificate.validTo}` });
  if (certificate.checkHost(hostname) === undefined)
    found.push({ kind: 'warning', text: `${certificateFile} is not for the name ${hostname}` });
  return found;
}

async function checkClientAuthorities({ tls: { clientCaFile } }: Config): Promise<readonly Found[]> {
  if (clientCaFile === undefined) return [];
  const authorities = await read(clientCaFile);
  if (typeof authorities !== 'string') return [authorities];
  try {
    void new X509Certificate(authorities);
    return [];
  } catch (cause) {
    return [problem(`${clientCaFile} holds no certificate: ${messageOf(cause)}`)];
  }
}

async function checkPasswords({ routes, oauth }: Config): Promise<readonly Found[]> {
  const found = await Promise.all(
    [...passwordFilesOf(routes), ...(oauth === undefined ? [] : [oauth.clientSecretFile])].map(
      async (file) => {
        const password = await read(file);
        if (typeof password !== 'string') return [password];
        return password.trim() === '' ? [problem(`${file} holds no password`)] : [];
      },
    ),
  );
  return found.flat();
}

async function checkData({ dataDirectory }: Config): Promise<readonly Found[]> {
  try {
    const found = await findDataDirectory(dataDirectory);
    if (!found.ok) return [problem(describeDirectoryProblem(dataDirectory, found.error))];
  } catch (cause) {
    return [problem(`${dataDirectory} cannot be read: ${messageOf(cause)}`)];
  }
  const folder = await nearestFolder(dataDirectory);
  try {
    await access(folder, constants.W_OK | constants.X_OK);
    return [];
  } catch {
    return [problem(`${folder} cannot be written, and the data is to be in ${dataDirectory}`)];
  }
}

/** Files that the server would not start without. */
async function checkOutgoingTls(config: Config): Promise<readonly Found[]> {
  try {
    await readOutgoingTls(config);
    return [];
  } catch (cause) {
    if (!(cause instanceof Fault)) throw cause;
    return [problem(faultOf(cause))];
  }
}

/** RFC 7672 §2.1.1: without a resolver that validates, and whose word can be trusted, there is no DANE. */
async function checkResolver(config: Config): Promise<readonly Found[]> {
  if (!config.outgoing.dane) return [];
  const servers = await dnsServers(config);
  const names = servers.map(({ address }) => address).join(', ');
  const warning = (text: string): readonly Found[] => [{ kind: 'warning', text }];
  if (!servers.some(({ trusted }) => trusted))
    return warning(
      `DANE is off: the resolver (${names}) is neither on loopback nor trusted by the configuration (resolver.trusted)`,
    );
  const resolver = await createResolver(config, systemClock, systemRandom);
  const { anchors } = config.resolver;
  const found = await Promise.all(
    (anchors.length === 0 ? [ROOT] : anchors).map(async (name) => {
      const where = name === ROOT ? 'the root of the DNS' : name;
      switch (await resolver.validates(name)) {
        case true:
          return [];
        case false:
          return warning(
            name === ROOT
              ? `DANE is off: the resolver (${names}) does not validate DNSSEC. If it has trust anchors of its own, name them (resolver.anchors)`
              : `DANE is off for ${name} and what is below it: the resolver (${names}) does not validate it`,
          );
        case undefined:
          return warning(`The resolver (${names}) gives no answer for ${where}`);
      }
    }),
  );
  return found.flat();
}

const ROOT = '';

async function checkPostmasters(config: Config): Promise<readonly Found[]> {
  const { dataDirectory, store, postmaster, subaddressSeparator, oauth } = config;
  const settings = { postmasterAddress: postmaster, detailSeparator: subaddressSeparator };
  const file = files.directory(dataDirectory);
  // Nothing has been started yet.
  if (store.backend === 'embedded' && !existsSync(file)) return [];
  try {
    const opened =
      store.backend === 'postgres'
        ? (await import('./postgres-backends.ts')).readPostgresDirectory(config, settings)
        : readEmbeddedDirectory(file, settings);
    try {
      const found: Found[] = [];
      for (const { name } of await opened.directory.domains()) {
        // oxlint-disable-next-line no-await-in-loop -- one question after the other
        const text = await checkPostmaster(opened.directory, name, oauth !== undefined);
        if (text !== undefined) found.push({ kind: 'warning', text });
      }
      return found;
    } finally {
      await opened.close();
    }
  } catch (cause) {
    if (!(cause instanceof Fault) && !(cause instanceof DatabaseRefused)) throw cause;
    const why = cause instanceof Fault ? faultOf(cause) : messageOf(cause);
    return [{ kind: 'warning', text: `The accounts cannot be looked at: ${why}` }];
  }
}

function readEmbeddedDirectory(file: string, settings: DirectorySettings) {
  const directory = openEmbeddedDirectory({
    ...settings,
    file,
    readOnly: true,
    clock: systemClock,
    random: systemRandom,
  });
  return { directory, close: async () => directory.close() };
}

/** The folder itself, or the first one above it that is there. */
async function nearestFolder(path: string): Promise<string> {
  let folder = path;
  for (;;) {
    const found = await stat(folder).catch(() => undefined);
    if (found !== undefined || folder === dirname(folder)) return folder;
    folder = dirname(folder);
  }
}

async function read(file: string): Promise<string | Found> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    return problem(`${file} cannot be read: ${messageOf(cause)}`);
  }
}

function problem(text: string): Found {
  return { kind: 'problem', text };
}

function faultOf(fault: Fault): string {
  return `${fault.message} failed: ${messageOf(fault.cause)}`;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
