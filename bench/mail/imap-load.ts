/**
 * Talks IMAP over TLS as fast as the server answers, from a process of its own, and prints JSON lines.
 *
 *     node bench/mail/imap-load.ts PORT USER PASSWORD fill COUNT OCTETS     appends messages, 50 in each command
 *     node bench/mail/imap-load.ts PORT USER PASSWORD vary COUNT OCTETS     as fill, with mail that is worth searching
 *     node bench/mail/imap-load.ts PORT USER PASSWORD fetch ITEMS [TIMES]   FETCH 1:* ITEMS, so many times
 *     node bench/mail/imap-load.ts PORT USER PASSWORD time TIMES COMMAND …  each command so many times, in one session
 *     node bench/mail/imap-load.ts PORT USER PASSWORD idle COUNT            sessions in IDLE until standard input ends
 *     node bench/mail/imap-load.ts PORT USER PASSWORD watch                 for each number on a line of standard input:
 *                                                                           waits until INBOX has so many, says when
 *
 * What a command brings is counted, not read: a tag that no message holds, at the start of the last line, ends it.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { variedMail } from './varied-mail.ts';

const [port = '10143', user = '', password = '', mode = 'fetch', ...rest] = process.argv.slice(2);
const TAIL_OCTETS = 512;
const POLL_MS = 5;

type Answer = { readonly octets: number; readonly last: string };

class Client {
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

async function login(): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  const client = new Client(socket);
  await client.until((tail) => tail.endsWith('\r\n'));
  await client.command(`LOGIN "${user}" "${password}"`);
  return client;
}

function say(fields: Record<string, unknown>): void {
  console.log(JSON.stringify(fields));
}

function* plainMail(octets: number): Generator<string, never, void> {
  const line = 'All work and no play makes mail a dull thing, so here are some words to fill the line.\r\n';
  const text = line.repeat(Math.max(1, Math.ceil((octets - 600) / 2 / line.length)));
  for (let made = 0; ; made += 1)
    yield (
      `Message-ID: <${process.pid}.${made}@bench.test>\r\nFrom: "Author ${made % 97}" <author${made % 97}@elsewhere.test>\r\n` +
        `To: <${user}>\r\nSubject: measured mail, number ${made}\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n` +
        `MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=b"\r\n\r\n` +
        `--=b\r\nContent-Type: text/plain\r\n\r\n${text}--=b\r\nContent-Type: text/html\r\n\r\n${text}--=b--\r\n`
    );
}

async function fill(count: number, mail: Generator<string, never, void>): Promise<void> {
  const client = await login();
  const from = performance.now();
  for (let made = 0; made < count;) {
    const pieces: string[] = [];
    for (let some = 0; some < 50 && made < count; some += 1, made += 1) {
      const message = mail.next().value;
      pieces.push(` () {${message.length}+}\r\n${message}`);
    }
    // oxlint-disable-next-line no-await-in-loop -- one command after the other
    await client.command(`APPEND INBOX${pieces.join('')}`);
  }
  const seconds = (performance.now() - from) / 1000;
  say({ appended: count, seconds: Number(seconds.toFixed(3)), perSecond: Math.round(count / seconds) });
  client.close();
}

async function fetch(items: string, times: number): Promise<void> {
  const client = await login();
  await client.command('SELECT INBOX');
  for (let time = 0; time < times; time += 1) {
    const from = performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    const { octets } = await client.command(`FETCH 1:* ${items}`);
    const ms = performance.now() - from;
    say({
      items,
      ms: Number(ms.toFixed(1)),
      octets,
      megabytesPerSecond: Number((octets / 1000 / ms).toFixed(1)),
    });
  }
  client.close();
}

async function timed(times: number, commands: readonly string[]): Promise<void> {
  const client = await login();
  await client.command('SELECT INBOX');
  for (const command of commands) {
    const ms: number[] = [];
    let octets = 0;
    for (let one = 0; one < times; one += 1) {
      const from = performance.now();
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      ({ octets } = await client.command(command));
      ms.push(performance.now() - from);
    }
    const [first = 0, ...others] = ms.map((value) => Number(value.toFixed(1)));
    say({ command, firstMs: first, bestMs: Math.min(...others), octets });
  }
  client.close();
}

async function idle(count: number): Promise<void> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const some = Math.min(20, count - clients.length);
    // oxlint-disable-next-line no-await-in-loop -- a few at a time
    clients.push(...(await Promise.all(Array.from({ length: some }, () => idling()))));
  }
  say({ idle: clients.length });
  process.stdin.resume();
  await once(process.stdin, 'end');
  for (const client of clients) client.close();
}

async function idling(): Promise<Client> {
  const client = await login();
  await client.command('SELECT INBOX');
  client.send('i IDLE\r\n');
  await client.until((tail) => /^\+.*\r\n$/m.test(tail));
  return client;
}

async function watch(): Promise<void> {
  const client = await login();
  const count = async (): Promise<number> => {
    const { last } = await client.command('STATUS INBOX (MESSAGES)');
    return Number(/MESSAGES (\d+)/.exec(last)?.[1] ?? 0);
  };
  say({ messages: await count() });
  for await (const line of createInterface(process.stdin)) {
    let messages = await count();
    for (; messages < Number(line); messages = await count()) await sleep(POLL_MS);
    say({ messages, atMs: performance.timeOrigin + performance.now() });
  }
  client.close();
}

const octetsEach = Number(rest[1] ?? 4096);
if (mode === 'fill') await fill(Number(rest[0] ?? 1000), plainMail(octetsEach));
else if (mode === 'vary') await fill(Number(rest[0] ?? 1000), variedMail(octetsEach));
else if (mode === 'time') await timed(Number(rest[0] ?? 6), rest.slice(1));
else if (mode === 'idle') await idle(Number(rest[0] ?? 1000));
else if (mode === 'watch') await watch();
else await fetch(rest[0] ?? '(FLAGS)', Number(rest[1] ?? 1));
