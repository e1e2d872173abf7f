/**
 * Many IMAP clients at once, over TLS, from one process: each does one thing after the other, what people's programs do,
 * in the same order at every run.
 *
 *     node bench/mail/imap-clients.ts PORT PASSWORD SECONDS USER …     a session for each user, who may be named again
 *
 * Of a hundred: 20 NOOP, 5 STATUS, 20 flags of the last 50, 15 lists of 50 headers, 25 bodies, 10 changes of \Seen,
 * 2 SEARCH UNSEEN, 3 APPEND.
 */
import { login, quantile, say, type Client } from './imap-client.ts';
import { plainMail } from './plain-mail.ts';

const [port = '10993', password = '', seconds = '5', ...users] = process.argv.slice(2);
const BODY_OCTETS = 13_300;
const LIST = 50;
const HEADERS = '(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)';

/** Numbers below `n`, the same for the same seed. */
function chance(seed: number): (n: number) => number {
  let state = seed * 104_729 + 7920;
  return (n) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % n;
  };
}

function commandOf(draw: (n: number) => number, exists: number, message: string): string {
  const kind = draw(100);
  const some = 1 + draw(exists);
  if (kind < 20) return 'NOOP';
  if (kind < 25) return 'STATUS INBOX (MESSAGES UNSEEN UIDNEXT)';
  if (kind < 45) return `FETCH ${Math.max(1, exists - LIST + 1)}:${exists} (UID FLAGS)`;
  if (kind < 60) return `FETCH ${some}:${Math.min(exists, some + LIST - 1)} ${HEADERS}`;
  if (kind < 85) return `FETCH ${some} BODY.PEEK[]`;
  if (kind < 95) return `STORE ${some} ${draw(2) === 0 ? '-' : '+'}FLAGS (\\Seen)`;
  if (kind < 97) return 'SEARCH UNSEEN';
  return `APPEND INBOX {${message.length}+}\r\n${message}`;
}

/** Gives the milliseconds of each command. */
async function work(client: Client, seed: number, user: string, untilMs: number): Promise<readonly number[]> {
  const { last } = await client.command('SELECT INBOX');
  const exists = Number(/^\* (\d+) EXISTS\r$/m.exec(last)?.[1] ?? 0);
  if (exists === 0) throw new Error(`Nothing is in the mailbox of ${user}`);
  const draw = chance(seed);
  const mail = plainMail(user, BODY_OCTETS);
  const taken: number[] = [];
  for (let from = performance.now(); from < untilMs;) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await client.command(commandOf(draw, exists, mail.next().value));
    const now = performance.now();
    taken.push(now - from);
    from = now;
  }
  return taken;
}

const clients = await Promise.all(users.map((user) => login({ port: Number(port), user, password })));
const from = performance.now();
const taken = await Promise.all(
  clients.map((client, index) => work(client, index, users[index] ?? '', from + Number(seconds) * 1000)),
);
const all = taken.flat();
const spent = (performance.now() - from) / 1000;
say({
  clients: clients.length,
  commands: all.length,
  perSecond: Math.round(all.length / spent),
  p50Ms: quantile(all, 0.5),
  p99Ms: quantile(all, 0.99),
});
for (const client of clients) client.close();
