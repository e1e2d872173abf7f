/** Postfix's `smtp-sink`, which takes all mail and throws it away, and counts it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export type Sink = AsyncDisposable & {
  readonly port: number;
  /** Messages taken so far. */
  readonly messages: number;
  /** Resolves when there are so many. */
  reach(messages: number): Promise<void>;
};

/** @param words its own options: `-r RCPT` puts every recipient off, `-q MAIL` hangs up, `-w 5` is slow */
export async function startSink(port: number, words: readonly string[] = []): Promise<Sink> {
  // It gives its rights away, and wants a queue of connections named.
  const child = spawn('smtp-sink', ['-u', 'postfix', '-c', ...words, `127.0.0.1:${port}`, '1000'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const taken = { messages: 0 };
  let rest = '';
  let wake: () => void = () => undefined;
  child.stdout.setEncoding('latin1').on('data', (chunk: string) => {
    rest = (rest + chunk).slice(-200);
    const found = [...rest.matchAll(/mesg=\s*(\d+)\s/g)].at(-1);
    if (found !== undefined) taken.messages = Number(found[1]);
    wake();
  });
  await listens(port);
  return {
    port,
    get messages() {
      return taken.messages;
    },
    async reach(wanted) {
      while (taken.messages < wanted)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await exited;
    },
  };
}

async function listens(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    const done = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').catch(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (done === true) return;
    await sleep(50);
  }
  throw new Error(`Nothing listens on port ${port}`);
}
