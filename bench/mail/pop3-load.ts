/**
 * Fetches all of a mailbox by POP3 over TLS, as fast as the server answers, and prints JSON lines.
 *
 *     node bench/mail/pop3-load.ts PORT USER PASSWORD WINDOW TIMES     so many RETR on the way together, so many times over
 *
 * What comes is counted, not read: a line with nothing but a dot ends each message.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';

const [port = '10995', user = '', password = '', window = '1', times = '1'] = process.argv.slice(2);
const END = Buffer.from('\r\n.\r\n');

/** Gives the lines that answer the commands. */
async function ask(socket: Socket, commands: string, answers: RegExp): Promise<string> {
  let heard = '';
  socket.write(commands);
  while (!answers.test(heard)) {
    const [chunk]: unknown[] = await once(socket, 'data');
    heard += String(chunk);
  }
  return heard;
}

/** Sends the next command when the answer to one has ended. */
async function retrieve(socket: Socket, messages: number): Promise<number> {
  let octets = 0;
  let sent = 0;
  let got = 0;
  const more = (): void => {
    const until = Math.min(messages, got + Number(window));
    let commands = '';
    for (; sent < until; sent += 1) commands += `RETR ${sent + 1}\r\n`;
    if (commands !== '') socket.write(commands);
  };
  await new Promise<void>((resolve, reject) => {
    let rest: Buffer = Buffer.alloc(0);
    const take = (chunk: Buffer): void => {
      octets += chunk.length;
      const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let at = all.indexOf(END); at !== -1; at = all.indexOf(END, from)) {
        from = at + END.length;
        got += 1;
      }
      rest = all.subarray(Math.max(from, all.length - END.length + 1));
      more();
      if (got < messages) return;
      socket.off('data', take);
      resolve();
    };
    socket
      .on('data', take)
      .once('error', reject)
      .once('end', () => reject(new Error('The server ended the session')));
    more();
  });
  return octets;
}

for (let time = 0; time < Number(times); time += 1) {
  const socket = connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false });
  socket.setNoDelay(true);
  await once(socket, 'secureConnect');
  const greeted = await ask(
    socket,
    `USER ${user}\r\nPASS ${password}\r\nSTAT\r\n`,
    /(?:\+OK[^\n]*\n){4}|-ERR[^\n]*\n/,
  );
  const messages = Number(/\+OK (\d+) \d+\r\n$/.exec(greeted)?.[1] ?? 0);
  if (messages === 0) throw new Error(`Nothing to fetch: ${greeted}`);
  const from = performance.now();
  const octets = await retrieve(socket, messages);
  const seconds = (performance.now() - from) / 1000;
  console.log(
    JSON.stringify({
      messages,
      octets,
      seconds: Number(seconds.toFixed(3)),
      perSecond: Math.round(messages / seconds),
    }),
  );
  await ask(socket, 'QUIT\r\n', /\+OK[^\n]*\n/);
  socket.destroy();
}
