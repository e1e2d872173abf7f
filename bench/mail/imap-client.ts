/**
 * One session of an IMAP client over TLS that sends, and counts what comes instead of reading it: a tag that no message holds, at the
 * start of the last line, ends the answer to a command.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';

export type Answer = { readonly octets: number; readonly last: string };

/** Where to sign in. */
export type Login = {
  readonly port: number;
  readonly user: string;
  readonly password: string;
};

/** Must hold the longest last line: the one with all capabilities. */
const TAIL_OCTETS = 4096;

export class Client {
  readonly #socket: Socket;
  #tail = '';
  #octets = 0;
  #wanted: { readonly test: (tail: string) => boolean; readonly resolve: () => void } | undefined;
  #count = 0;
  #ended = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#octets += chunk.length;
      const end = chunk.toString('latin1', Math.max(0, chunk.length - TAIL_OCTETS));
      this.#tail = (this.#tail + end).slice(-TAIL_OCTETS);
      if (this.#wanted?.test(this.#tail) === true) this.#wanted.resolve();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#ended = true;
      this.#wanted?.resolve();
    });
  }

  /** Waits for what ends the tail; gives the octets since the last call. */
  async until(test: (tail: string) => boolean): Promise<Answer> {
    if (!test(this.#tail) && !this.#ended)
      await new Promise<void>((resolve) => {
        this.#wanted = { test, resolve };
      });
    this.#wanted = undefined;
    const answer = { octets: this.#octets, last: this.#tail };
    this.#octets = 0;
    this.#tail = '';
    if (!test(answer.last)) throw new Error(`The server ended the session: ${answer.last}`);
    return answer;
  }

  send(text: string | Buffer): void {
    this.#socket.write(text);
  }

  async command(text: string): Promise<Answer> {
    this.#count += 1;
    const tag = `bench-${process.pid}-${this.#count}`;
    this.send(`${tag} ${text}\r\n`);
    const answer = await this.until((tail) => lastLine(tail).startsWith(`${tag} `));
    if (!lastLine(answer.last).startsWith(`${tag} OK`)) throw new Error(`${text}: ${lastLine(answer.last)}`);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }
}

function lastLine(tail: string): string {
  if (!tail.endsWith('\r\n')) return '';
  const before = tail.lastIndexOf('\r\n', tail.length - 3);
  return before === -1 ? tail : tail.slice(before + 2);
}

/** Greeted, not signed in. */
export async function open({ port }: Login): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  const client = new Client(socket);
  await client.until((tail) => tail.endsWith('\r\n'));
  return client;
}

export async function login(to: Login): Promise<Client> {
  const client = await open(to);
  await client.command(`LOGIN "${to.user}" "${to.password}"`);
  return client;
}

/** Signed in, with INBOX selected and IDLE begun. */
export async function idling(to: Login): Promise<Client> {
  const client = await login(to);
  await client.command('SELECT INBOX');
  client.send('i IDLE\r\n');
  await client.until((tail) => /^\+.*\r\n$/m.test(tail));
  return client;
}

/** A result, as a line of JSON. */
export function say(fields: Record<string, unknown>): void {
  console.log(JSON.stringify(fields));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0).toFixed(2));
}
