/** Another transfer agent on this machine, whichever it is: it has one domain, and relays everything else to one host. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

export type FarAgent = AsyncDisposable & {
  readonly port: number;
  /** The messages of a user, each as it stands in the Maildir. */
  messages(user: string): Promise<readonly string[]>;
  log(): Promise<string>;
};

export type FarAgentOptions = {
  /** Its own domain: mail for `carl` there is kept, and for `kärl` where it knows such addresses; others are refused. */
  readonly domain: string;
  /** Where all other mail goes. */
  readonly relayPort: number;
  /** Files in PEM: it offers STARTTLS with them, and relays by TLS only, with any certificate. */
  readonly tls?: { readonly certificateFile: string; readonly keyFile: string };
};

export async function readMaildir(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(folder, 'new')).catch(() => []);
  return Promise.all(names.map((name) => readFile(join(folder, 'new', name), 'latin1')));
}

/** Resolves when it greets; throws with all that it said if it ends before. */
export async function untilItGreets(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const ended = once(child, 'exit');
  for (;;) {
    if (await greets(port)) return;
    const left = await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 50))]);
    if (left !== undefined) throw new Error(`It did not start: ${log()}`);
  }
}

async function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const settle = (is: boolean): void => {
      socket.destroy();
      resolve(is);
    };
    socket
      .on('error', () => settle(false))
      .on('end', () => settle(false))
      .on('data', () => settle(true));
  });
}
