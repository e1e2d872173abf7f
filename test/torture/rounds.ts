/**
 * The crash test: a whole post office is loaded from many sides, killed at a random moment, started again, and must show
 * by IMAP what it had acknowledged: nothing lost, nothing twice. Then the next round, on the same data.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freeBasePort, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { isExpunged } from './changes.ts';
import { ACCOUNTS, addCrowd, connectClients, laggingBy, queueEmpties, type SignedIn } from './clients.ts';
import { ImapLink, readOctets, seeAll } from './imap-link.ts';
import { INBOX, Ledger, type Seen } from './ledger.ts';
import { isLetter } from './letter.ts';
import { untilLost, type World } from './load.ts';
import { Seeded } from './seeded.ts';

export type TortureOptions = {
  readonly rounds: number;
  readonly seed: number;
  /** Every so many rounds the stopped data is checked by `fsck`. */
  readonly fsckEvery: number;
  readonly tell: (line: string) => void;
  /** As `lag.ts` reads it, for every round; undefined: some rounds have one. */
  readonly lag?: string;
  /** Whether the data stay where something was found. */
  readonly isKept?: boolean;
  /** Done to the data directory after each crash: to prove that what is wrong is found. */
  readonly afterCrash?: (directory: string) => void;
};

export type TortureReport = {
  readonly rounds: number;
  readonly kills: number;
  readonly killsInStart: number;
  readonly stops: number;
  readonly fscks: number;
  readonly acknowledged: number;
  /** Acts that were cut off by a kill, and looked up afterwards. */
  readonly unanswered: number;
  /** Messages compared with what must be, over all rounds. */
  readonly verified: number;
  readonly seconds: number;
};

/** Half of the rounds run as they are; the others keep messages longer between two steps of their way. */
const LAGS = ['', '', 'settle=250', 'deliver=60'];
const ENTRY = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const STOP_MS_MAX = 15_000;
const LOAD_MS_MAX = 1500;
const ACTS_MAX = 150;
/** Above this an account's inbox is emptied between two rounds. */
const INBOX_MAX = 200;

/** Throws what it finds, with the seed that leads there. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const directory = await mkdtemp(join(tmpdir(), 'postrider-torture-'));
  const run = new Torture(options, directory, await freeBasePort());
  try {
    return await run.all();
  } catch (cause) {
    throw new Error(`Round ${run.round} of seed ${options.seed}; its data is in ${directory}`, { cause });
  } finally {
    if (run.isClean || options.isKept === false) await rm(directory, { recursive: true, force: true });
  }
}

class Torture {
  round = 0;
  isClean = false;
  readonly #options: TortureOptions;
  readonly #directory: string;
  readonly #basePort: number;
  readonly #random: Seeded;
  readonly #ledger = new Ledger();
  readonly #counts = { kills: 0, killsInStart: 0, stops: 0, fscks: 0 };
  /** Tokens whose octets were compared. */
  readonly #compared = new Set<string>();
  #tokens = 0;
  #isFirst = true;

  constructor(options: TortureOptions, directory: string, basePort: number) {
    this.#options = options;
    this.#directory = directory;
    this.#basePort = basePort;
    this.#random = new Seeded(options.seed);
  }

  async all(): Promise<TortureReport> {
    const { rounds, fsckEvery, tell } = this.#options;
    const startedMs = performance.now();
    await this.#prepare();
    for (this.round = 1; this.round <= rounds; this.round += 1) {
      while (this.#random.chance(0.12)) await this.#killInStart();
      await using server = await this.#start(this.#options.lag ?? this.#random.pick(LAGS));
      const links = await this.#verify(server);
      await this.#load(server, links);
      this.#options.afterCrash?.(this.#directory);
      if (this.round % fsckEvery === 0) await this.#fsck();
      if (this.round % 20 === 0)
        tell(
          `round ${this.round}: ${this.#ledger.acknowledged} acknowledged, ${this.#ledger.checkedMessages} verified`,
        );
    }
    await using server = await this.#start();
    for (const { link } of await this.#verify(server)) link.close();
    await server.stop();
    await this.#fsck();
    this.isClean = true;
    return {
      rounds,
      ...this.#counts,
      acknowledged: this.#ledger.acknowledged,
      unanswered: this.#ledger.unanswered,
      verified: this.#ledger.checkedMessages,
      seconds: (performance.now() - startedMs) / 1000,
    };
  }

  /** A first run makes the accounts, and leaves what was compiled, so that a start costs little. */
  async #prepare(): Promise<void> {
    await using server = await this.#start();
    await addCrowd(server);
    await server.stop();
  }

  #environment(lag = ''): Record<string, string> {
    return {
      NODE_COMPILE_CACHE: join(this.#directory, 'compiled'),
      ...(lag === '' ? {} : laggingBy(lag)),
    };
  }

  #start(lag?: string): Promise<RunningPostrider> {
    return startPostrider({
      directory: this.#directory,
      basePort: this.#basePort,
      env: this.#environment(lag),
    });
  }

  /** Somewhere between the first instruction and shortly after the first connection could be made. */
  async #killInStart(): Promise<void> {
    this.#counts.killsInStart += 1;
    const args = [ENTRY, 'localserve', '--dir', this.#directory, '--base-port', String(this.#basePort)];
    const env = { ...process.env, ...this.#environment() };
    const child = spawn(process.execPath, args, { stdio: 'ignore', env });
    const ended = once(child, 'exit');
    await pause(100 + this.#random.below(1200));
    child.kill('SIGKILL');
    await ended;
  }

  async #load(server: RunningPostrider, links: readonly SignedIn[]): Promise<void> {
    const stop = new AbortController();
    const world: World = {
      ledger: this.#ledger,
      random: this.#random.fork(),
      newToken: () => `r${this.round}n${(this.#tokens += 1)}`,
      stop: stop.signal,
    };
    const begin = await connectClients(server, world, links);
    const work = Promise.all(begin.map((client) => untilLost(stop.signal, client)));
    // Whatever a client finds is thrown below, when all have ended.
    work.catch(() => undefined);
    await this.#untilTheBlow();
    if (this.#random.chance(0.1)) {
      this.#counts.stops += 1;
      const startedMs = performance.now();
      const code = await server.stop();
      const tookMs = performance.now() - startedMs;
      if (code !== 0 || tookMs > STOP_MS_MAX)
        throw new Error(`SIGTERM ended with ${code} after ${tookMs} ms:\n${server.output()}`);
    } else {
      this.#counts.kills += 1;
      await server.kill();
    }
    stop.abort();
    await work;
  }

  /** After a while, or after so many acts: where the machine is slow, little happens in a while. */
  async #untilTheBlow(): Promise<void> {
    if (this.#random.chance(0.4)) return pause(20 + this.#random.below(380));
    const enough = this.#ledger.acknowledged + 1 + this.#random.below(ACTS_MAX);
    const endMs = performance.now() + LOAD_MS_MAX;
    while (this.#ledger.acknowledged < enough && performance.now() < endMs) await pause(1);
  }

  async #verify(server: RunningPostrider): Promise<readonly SignedIn[]> {
    await queueEmpties(server);
    const links = await Promise.all(
      ACCOUNTS.map(async ({ name, login }) => ({
        name,
        link: await ImapLink.open(server.port('imaps'), login),
      })),
    );
    const seen: Seen = new Map(
      await Promise.all(links.map(async ({ name, link }) => [name, await seeAll(link)] as const)),
    );
    if (this.#isFirst) this.#ledger.adopt(seen);
    this.#isFirst = false;
    const findings = this.#ledger.check(seen);
    for (const { name, link } of links) findings.push(...(await this.#compareOctets(link, name, seen)));
    if (findings.length > 0)
      throw new Error(`${findings.length} findings:\n${findings.slice(0, 50).join('\n')}`);
    for (const { name, link } of links) await this.#tidy(link, name);
    return links;
  }

  /** Each message that was not seen before, octet for octet. */
  async #compareOctets(link: ImapLink, account: string, seen: Seen): Promise<string[]> {
    const findings: string[] = [];
    for (const { name, messages } of seen.get(account) ?? []) {
      const fresh = messages.filter(({ token }) => !this.#compared.has(`${account} ${token}`));
      if (fresh.length === 0) continue;
      await link.must(`EXAMINE "${name}"`);
      const octets = await readOctets(link, fresh.map(({ uid }) => uid).join(','));
      for (const { uid, token } of fresh) {
        const found = octets.get(uid);
        if (found === undefined || !isLetter(found, token))
          findings.push(`${account} ${token}: other octets`);
        this.#compared.add(`${account} ${token}`);
      }
    }
    return findings;
  }

  /** Keeps the rounds short. */
  async #tidy(link: ImapLink, account: string): Promise<void> {
    const inbox = this.#ledger.mailbox(account, INBOX);
    const there = this.#ledger.within(inbox);
    if (there.length <= INBOX_MAX) return;
    await link.must(`SELECT ${INBOX}`);
    await link.must('UID STORE 1:* +FLAGS.SILENT (\\Deleted)');
    const act = this.#ledger.begin(
      'EXPUNGE of all',
      there.map(({ record }) => [record, isExpunged(inbox)]),
    );
    await link.must('EXPUNGE');
    this.#ledger.done(act);
  }

  async #fsck(): Promise<void> {
    this.#counts.fscks += 1;
    const args = [ENTRY, 'fsck', '--dir', this.#directory, '--json'];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`fsck ended with ${String(code)}:\n${output}`);
  }
}
