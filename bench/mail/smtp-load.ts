/**
 * Sends messages over SMTP as fast as the server takes them, from a process of its own, and prints one JSON line.
 * `node bench/mail/smtp-load.ts PORT CONNECTIONS MESSAGES OCTETS RECIPIENT [new]`
 *
 * Every connection sends MAIL, RCPT and DATA as one group (RFC 2920) and waits for the final 250 before the next
 * message. With `new`, each message has a connection of its own. Every message has a Message-ID of its own.
 */
import { connect, type Socket } from 'node:net';

const [
  port = '10025',
  connections = '50',
  messages = '10000',
  octets = '4096',
  recipient = 'alice@example.test',
  mode,
] = process.argv.slice(2);
const total = Number(messages);
const body = letter(Number(octets));
const envelope = Buffer.from(`MAIL FROM:<bench@elsewhere.test>\r\nRCPT TO:<${recipient}>\r\nDATA\r\n`);
const latenciesMs: number[] = [];
const keepsConnection = mode !== 'new';
let started = 0;
let accepted = 0;
const refused: string[] = [];

/** A message of about this size, without its first field. */
function letter(size: number): Buffer {
  const head =
    'From: Bench <bench@elsewhere.test>\r\nTo: Alice <alice@example.test>\r\nSubject: measured mail\r\n' +
    'Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="=b"\r\n\r\n';
  const line = 'All work and no play makes mail a dull thing, so here are some words to fill the line.\r\n';
  const text = line.repeat(Math.max(1, Math.ceil((size - head.length - 200) / 2 / line.length)));
  return Buffer.from(
    `${head}--=b\r\nContent-Type: text/plain\r\n\r\n${text}--=b\r\nContent-Type: text/html\r\n\r\n${text}--=b--\r\n.\r\n`,
  );
}

async function drive(): Promise<void> {
  while (started < total) {
    const socket = await open();
    const lines = replies(socket);
    await lines(1);
    socket.write('EHLO bench.test\r\n');
    await lines(1);
    for (let more = true; more; more = keepsConnection && started < total) {
      started += 1;
      const from = performance.now();
      socket.write(envelope);
      const answers = await lines(3);
      if (!answers.at(-1)?.startsWith('354')) {
        refused.push(answers.at(-1) ?? 'closed');
        break;
      }
      socket.cork();
      socket.write(`Message-ID: <${process.pid}.${from}.${started}@bench.test>\r\n`);
      socket.write(body);
      socket.uncork();
      const [last = 'closed'] = await lines(1);
      latenciesMs.push(performance.now() - from);
      if (last.startsWith('250')) accepted += 1;
      else refused.push(last);
    }
    socket.end('QUIT\r\n');
  }
}

async function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true });
    socket.once('connect', () => resolve(socket)).once('error', reject);
  });
}

/** Gives a function that waits for so many whole replies and returns their last lines. */
function replies(socket: Socket): (count: number) => Promise<string[]> {
  let rest = '';
  const got: string[] = [];
  let need = 0;
  let wake: (() => void) | undefined;
  let closed = false;
  const look = (): void => {
    if (wake !== undefined && (got.length >= need || closed)) wake();
  };
  socket.on('data', (chunk: Buffer) => {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf('\r\n'); end !== -1; end = rest.indexOf('\r\n')) {
      if (rest[3] === ' ') got.push(rest.slice(0, end));
      rest = rest.slice(end + 2);
    }
    look();
  });
  socket.on('close', () => {
    closed = true;
    look();
  });
  socket.on('error', () => undefined);
  return async (count) => {
    need = count;
    if (got.length < count && !closed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    wake = undefined;
    return got.splice(0, count);
  };
}

const from = performance.now();
await Promise.all(Array.from({ length: Number(connections) }, drive));
const seconds = (performance.now() - from) / 1000;
latenciesMs.sort((a, b) => a - b);
const percentile = (share: number): number =>
  Number((latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0).toFixed(2));
console.log(
  JSON.stringify({
    accepted,
    refused: refused.length,
    firstRefusal: refused[0],
    seconds: Number(seconds.toFixed(3)),
    startedAtMs: performance.timeOrigin + from,
    perSecond: Math.round(accepted / seconds),
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
  }),
);
