/**
 * Where the control socket of a data directory is. In it, unless the path would be too long for a Unix socket: then in a
 * folder of its own under the system's temporary files, whose path is kept in `control.path` beside the data.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** sockaddr_un of Linux holds 108 octets with its NUL; macOS and the BSDs 104. */
const SOCKET_PATH_OCTETS_MAX: number = process.platform === 'linux' ? 107 : 103;
const SOCKET = 'control.sock';
const PATH_FILE = 'control.path';

/** For a server that is about to listen. The folder is of this user alone: nobody else can wait there for passwords. */
export async function makeSocketPath(dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, SOCKET);
  if (Buffer.byteLength(path) <= SOCKET_PATH_OCTETS_MAX) return path;
  const elsewhere = join(await mkdtemp(join(tmpdir(), 'postrider-')), SOCKET);
  await writeFile(join(dataDirectory, PATH_FILE), elsewhere, { mode: 0o600 });
  return elsewhere;
}

/** For a command that looks for a server. */
export async function findSocketPath(dataDirectory: string): Promise<string | undefined> {
  const path = join(dataDirectory, SOCKET);
  if (Buffer.byteLength(path) <= SOCKET_PATH_OCTETS_MAX) return path;
  try {
    return await readFile(join(dataDirectory, PATH_FILE), 'utf8');
  } catch {
    // No server has been here, or it has ended in good order.
    return undefined;
  }
}

/** Takes away what {@link makeSocketPath} and the socket leave behind. */
export async function removeSocket(dataDirectory: string, path: string): Promise<void> {
  await rm(path, { force: true });
  if (path === join(dataDirectory, SOCKET)) return;
  await rm(dirname(path), { force: true, recursive: true });
  await rm(join(dataDirectory, PATH_FILE), { force: true });
}
