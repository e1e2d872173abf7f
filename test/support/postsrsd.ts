/** A PostSRSd of the test's own: it rewrites sender addresses, and undoes it, over the protocol of Postfix's TCP tables. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';

export type Postsrsd = AsyncDisposable & {
  forward(address: string): Promise<string>;
  reverse(address: string): Promise<string>;
};

export async function startPostsrsd(domain: string, secret: string): Promise<Postsrsd> {
  const root = await mkdtemp(join(tmpdir(), 'postsrsd-test-'));
  const secretFile = join(root, 'secret');
  await writeFile(secretFile, `${secret}\n`);
  const [forward, reverse] = [await freePort(), await freePort()];
  const options = [`-s${secretFile}`, `-d${domain}`, '-f', String(forward), '-r', String(reverse), '-4'];
  const child = spawn('postsrsd', options, { stdio: 'ignore' });
  return {
    forward: (address) => ask(forward, address),
    reverse: (address) => ask(reverse, address),
    [Symbol.asyncDispose]: async () => {
      child.kill();
      if (child.exitCode === null) await once(child, 'exit');
      await rm(root, { recursive: true });
    },
  };
}

/** Asks again while nobody listens yet. */
async function ask(port: number, address: string): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      socket.write(`get ${address}\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      const [, code, text = ''] = /^(\d{3}) (.*)\n$/.exec(answer.toString()) ?? [];
      if (code !== '200') throw new TypeError(`PostSRSd answered ${answer.toString()}`);
      return text;
    } catch (cause) {
      if (cause instanceof TypeError || tries > 100) throw cause;
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      socket.destroy();
    }
  }
}
