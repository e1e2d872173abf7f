/**
 * What a mailbox costs by its size: over TLS, JSON lines, one for each size.
 *
 *     node bench/mail/imap-size.ts PORT USER PASSWORD SIZE …     sizes ascending; INBOX is filled up to each by COPY
 *
 * A new message and a change of a flag are made in one session and told in another, which is in IDLE.
 */
// oxlint-disable no-await-in-loop -- one thing after the other is what is measured
import { idling, login, median, say, type Client, type Login } from './imap-client.ts';
import { plainMail } from './plain-mail.ts';

const [port = '10993', user = '', password = '', ...sizes] = process.argv.slice(2);
const at: Login = { port: Number(port), user, password };
const OCTETS = 1200;
const COPIED = 1000;
/** Even: the flag is as it was when they are over. */
const TIMES = 16;

const mail = plainMail(user, OCTETS);

/** Gives the seconds that it took. */
async function fillTo(size: number): Promise<number> {
  const client = await login(at);
  const from = performance.now();
  let has = await existsIn(client);
  for (; has < Math.min(COPIED, size); has += 1) await append(client);
  await client.command('SELECT INBOX');
  for (; has < size; has += Math.min(COPIED, size - has))
    await client.command(`COPY 1:${Math.min(COPIED, size - has)} INBOX`);
  client.close();
  return (performance.now() - from) / 1000;
}

async function append(client: Client): Promise<void> {
  const message = mail.next().value;
  await client.command(`APPEND INBOX {${message.length}+}\r\n${message}`);
}

async function existsIn(client: Client): Promise<number> {
  const { last } = await client.command('SELECT INBOX');
  return Number(/^\* (\d+) EXISTS\r$/m.exec(last)?.[1] ?? 0);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

async function measure(size: number, filledSeconds: number): Promise<void> {
  const client = await login(at);
  const watcher = await idling(at);
  const told = (what: RegExp): Promise<unknown> => watcher.until((tail) => what.test(tail));
  const selects: number[] = [];
  const appends: number[] = [];
  const appendsTold: number[] = [];
  const flags: number[] = [];
  const flagsTold: number[] = [];
  for (let time = 0; time < TIMES; time += 1) {
    selects.push(await timed(() => client.command('SELECT INBOX')));
    const isThere = timed(() => told(/ EXISTS\r\n/));
    appends.push(await timed(() => append(client)));
    appendsTold.push(await isThere);
    const isChanged = timed(() => told(/ FETCH .*\r\n/));
    const sign = time % 2 === 0 ? '+' : '-';
    flags.push(await timed(() => client.command(`STORE ${size} ${sign}FLAGS.SILENT (\\Flagged)`)));
    flagsTold.push(await isChanged);
  }
  say({
    size,
    filledSeconds: Number(filledSeconds.toFixed(1)),
    firstSelectMs: Number((selects[0] ?? 0).toFixed(2)),
    selectMs: median(selects),
    newMessageMs: median(appends),
    newMessageToldMs: median(appendsTold),
    flagMs: median(flags),
    flagToldMs: median(flagsTold),
  });
  client.close();
  watcher.close();
}

for (const size of sizes.map(Number)) await measure(size, await fillTo(size));
