/**
 * The power-cut test: a loaded server is recorded as it writes to its disk; then, at many moments and in many ways at each,
 * the power goes: what a disk may have left is opened, and must hold all that was acknowledged before that moment, whole,
 * once. One recording serves any number of cuts.
 */
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';
import { startPostrider } from '../../support/postrider.ts';
import { ACCOUNTS, addCrowd, connectClients, laggingBy, type SignedIn } from '../clients.ts';
import { ImapLink, seeAll } from '../imap-link.ts';
import { Ledger } from '../ledger.ts';
import { untilLost, type World } from '../load.ts';
import { buildLibrary } from '../preload.ts';
import { Seeded } from '../seeded.ts';
import { look } from './look.ts';
import { Recording } from './recording.ts';

/** Makes the library of `recorder.c` in the folder, and gives its path. */
export function buildRecorder(folder: string): Promise<string> {
  return buildLibrary(new URL('recorder.c', import.meta.url), folder);
}

/** The environment of a process whose writes below `data`, a real path, are written down in `log`. */
export function recordedBy(recorder: string, data: string, log: string): Record<string, string> {
  return { LD_PRELOAD: recorder, POWER_ROOT: data, POWER_LOG: log, UV_USE_IO_URING: '0' };
}

export type CutOptions = {
  readonly seed: number;
  /** Moments at which the power goes. */
  readonly moments: number;
  /** Ways in which it may have gone, for each. */
  readonly ways: number;
  /** A library made from `recorder.c`. */
  readonly recorder: string;
  /** Files and folders whose syncs are taken for nothing: to prove that what is lost is found. */
  readonly isForgotten?: (name: string) => boolean;
  /** As `lag.ts` reads it. */
  readonly lag?: string;
};

export type CutReport = {
  readonly cuts: number;
  /** Acts that had been acknowledged by the last moment. */
  readonly acknowledged: number;
  /** Messages compared with what must be, over all cuts. */
  readonly verified: number;
  /** What was not as it must be; empty when all is well. */
  readonly findings: readonly string[];
};

/** What had been promised when this much of the log was written. */
type Moment = { readonly position: number; readonly ledger: Ledger };

const ADDRESSES = new Map(ACCOUNTS.map(({ name, login }) => [name, login.address]));
/** Between two moments, whatever comes first. */
const ACTS_MAX = 30;
const MOMENT_MS_MAX = 2000;
/** A disk in memory where there is one: what is opened after a cut is thrown away. */
const SCRATCH = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
const FINDINGS_MAX = 20;

export async function cutPower(options: CutOptions): Promise<CutReport> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'postrider-power-')));
  const scratch = await mkdtemp(join(SCRATCH, 'postrider-cut-'));
  try {
    const data = join(folder, 'data');
    const log = join(folder, 'log');
    const moments = await record(options, data, log);
    return await cutAll(options, new Recording(log, data, options.isForgotten), moments, scratch);
  } finally {
    await rm(folder, { recursive: true, force: true });
    await rm(scratch, { recursive: true, force: true });
  }
}

/** Runs a new post office under load, and says what it had promised when. */
async function record(
  { seed, moments, recorder, lag = '' }: CutOptions,
  data: string,
  log: string,
): Promise<Moment[]> {
  const random = new Seeded(seed);
  const ledger = new Ledger();
  await using server = await startPostrider({
    directory: data,
    env: { ...recordedBy(recorder, data, log), ...(lag === '' ? {} : laggingBy(lag)) },
  });
  await addCrowd(server);
  const links: SignedIn[] = await Promise.all(
    ACCOUNTS.map(async ({ name, login }) => ({
      name,
      link: await ImapLink.open(server.port('imaps'), login),
    })),
  );
  ledger.adopt(
    new Map(await Promise.all(links.map(async ({ name, link }) => [name, await seeAll(link)] as const))),
  );
  const stop = new AbortController();
  let tokens = 0;
  const world: World = {
    ledger,
    random: random.fork(),
    newToken: () => `n${(tokens += 1)}`,
    stop: stop.signal,
  };
  const clients = await connectClients(server, world, links);
  const work = Promise.all(clients.map((client) => untilLost(stop.signal, client)));
  // Whatever a client finds is thrown below, when all have ended.
  work.catch(() => undefined);
  const taken: Moment[] = [];
  while (taken.length < moments) {
    const enough = ledger.acknowledged + random.below(ACTS_MAX);
    const endMs = performance.now() + MOMENT_MS_MAX;
    while (ledger.acknowledged < enough && performance.now() < endMs) await pause(1);
    // What was promised is in the log by now; what is promised later may be, and is pending.
    taken.push({ ledger: ledger.copy(), position: statSync(log).size });
  }
  stop.abort();
  await server.kill();
  await work;
  return taken;
}

async function cutAll(
  { seed, ways }: CutOptions,
  recording: Recording,
  moments: readonly Moment[],
  scratch: string,
): Promise<CutReport> {
  const random = new Seeded(seed);
  const report = { cuts: 0, acknowledged: 0, verified: 0 };
  const findings: string[] = [];
  for (const [index, { position, ledger }] of moments.entries()) {
    // What comes behind the first finding would only say it again.
    if (findings.length > 0) break;
    recording.advance(position);
    report.acknowledged = ledger.acknowledged;
    for (let way = 0; way < ways; way += 1) {
      const directory = join(scratch, 'data');
      // The first way is that of a kill: everything that was asked for was done.
      await recording.restore(directory, way === 0 ? undefined : random);
      const promised = ledger.copy();
      const wrong = await findWrong(directory, promised);
      findings.push(...wrong.map((one) => `moment ${index}, way ${way} of seed ${seed}: ${one}`));
      report.cuts += 1;
      report.verified += promised.checkedMessages;
      await rm(directory, { recursive: true });
    }
  }
  return { ...report, findings: findings.slice(0, FINDINGS_MAX) };
}

/** Everything that is wrong after a cut; a post office that does not open is wrong too. */
async function findWrong(directory: string, promised: Ledger): Promise<readonly string[]> {
  try {
    const { seen, findings } = await look(directory, ADDRESSES);
    return [...findings, ...promised.check(seen)];
  } catch (cause) {
    return [`does not open: ${inspect(cause)}`];
  }
}
