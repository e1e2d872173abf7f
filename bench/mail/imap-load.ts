/**
 * Talks IMAP over TLS as fast as the server answers, from a process of its own, and prints JSON lines.
 *
 *     node bench/mail/imap-load.ts PORT USER PASSWORD fill COUNT OCTETS [N] appends messages, N (50) in each command
 *     node bench/mail/imap-load.ts PORT USER PASSWORD vary COUNT OCTETS     as fill, with mail that is worth searching
 *     node bench/mail/imap-load.ts PORT USER PASSWORD fetch ITEMS [TIMES]   FETCH 1:* ITEMS, so many times
 *     node bench/mail/imap-load.ts PORT USER PASSWORD time TIMES COMMAND …  each command so many times, in one session
 *     node bench/mail/imap-load.ts PORT USER PASSWORD flags TIMES           STORE 1:* of a flag, silent, so many times
 *     node bench/mail/imap-load.ts PORT USER PASSWORD signin TIMES          LOGIN and SELECT, so many times
 *     node bench/mail/imap-load.ts PORT USER PASSWORD idle COUNT            sessions in IDLE until standard input ends
 *     node bench/mail/imap-load.ts PORT USER PASSWORD watch                 for each number on a line of standard input:
 *                                                                           waits until INBOX has so many, says when
 */
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { idling, login, median, open, say, type Client, type Login } from './imap-client.ts';
import { plainMail } from './plain-mail.ts';
import { variedMail } from './varied-mail.ts';

const [port = '10143', user = '', password = '', mode = 'fetch', ...rest] = process.argv.slice(2);
const POLL_MS = 5;
const at: Login = { port: Number(port), user, password };

async function fill(count: number, each: number, mail: Generator<string, never, void>): Promise<void> {
  const client = await login(at);
  const from = performance.now();
  for (let made = 0; made < count;) {
    const pieces: string[] = [];
    for (let some = 0; some < each && made < count; some += 1, made += 1) {
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
  const client = await login(at);
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
  const client = await login(at);
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
    sayTimes({ command, octets }, ms);
  }
  client.close();
}

/** Sets and clears a flag of all messages by turns: what is there already would be nothing to do. */
async function flags(times: number): Promise<void> {
  const client = await login(at);
  await client.command('SELECT INBOX');
  const ms: number[] = [];
  for (let one = 0; one < times; one += 1) {
    const from = performance.now();
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await client.command(`STORE 1:* ${one % 2 === 0 ? '+' : '-'}FLAGS.SILENT (\\Flagged)`);
    ms.push(performance.now() - from);
  }
  sayTimes({}, ms);
  client.close();
}

/** The first of it verifies the password; what a server remembers of that is what the others need not do again. */
async function signIn(times: number): Promise<void> {
  const ms: Record<'connect' | 'login' | 'select', number[]> = { connect: [], login: [], select: [] };
  for (let one = 0; one < times; one += 1) {
    const from = performance.now();
    // oxlint-disable no-await-in-loop -- one after the other
    const client = await open(at);
    const opened = performance.now();
    await client.command(`LOGIN "${user}" "${password}"`);
    const signedIn = performance.now();
    await client.command('SELECT INBOX');
    // oxlint-enable no-await-in-loop
    ms.connect.push(opened - from);
    ms.login.push(signedIn - opened);
    ms.select.push(performance.now() - signedIn);
    client.close();
  }
  say({ connectMs: median(ms.connect), loginMs: median(ms.login), selectMs: median(ms.select) });
}

function sayTimes(fields: Record<string, unknown>, ms: readonly number[]): void {
  const [first = 0, ...others] = ms.map((value) => Number(value.toFixed(1)));
  say({ ...fields, firstMs: first, bestMs: Math.min(...others) });
}

async function idle(count: number): Promise<void> {
  const clients: Client[] = [];
  while (clients.length < count) {
    const some = Math.min(20, count - clients.length);
    // oxlint-disable-next-line no-await-in-loop -- a few at a time
    clients.push(...(await Promise.all(Array.from({ length: some }, () => idling(at)))));
  }
  say({ idle: clients.length });
  process.stdin.resume();
  await once(process.stdin, 'end');
  for (const client of clients) client.close();
}

async function watch(): Promise<void> {
  const client = await login(at);
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
const together = Number(rest[2] ?? 50);
if (mode === 'fill') await fill(Number(rest[0] ?? 1000), together, plainMail(user, octetsEach));
else if (mode === 'vary') await fill(Number(rest[0] ?? 1000), together, variedMail(octetsEach));
else if (mode === 'time') await timed(Number(rest[0] ?? 6), rest.slice(1));
else if (mode === 'flags') await flags(Number(rest[0] ?? 6));
else if (mode === 'signin') await signIn(Number(rest[0] ?? 20));
else if (mode === 'idle') await idle(Number(rest[0] ?? 1000));
else if (mode === 'watch') await watch();
else await fetch(rest[0] ?? '(FLAGS)', Number(rest[1] ?? 1));
