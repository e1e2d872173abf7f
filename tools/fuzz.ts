/**
 * Coverage-guided fuzzing of pure functions with nothing but Node.
 * `npm run fuzz` lists the targets; `npm run fuzz <file or subject> [milliseconds each]` runs those that match.
 *
 * A target `*.fuzz.ts` exports `fuzz(octets)`, which throws on a broken promise, `seeds`, and `covers`, which says
 * by URL whose branches count. What it keeps lives in `test/corpus/<target>/`: every input there is run first, an
 * input that breaks the target is written there under `broken-`, and stays as a test (`tools/fuzz.test.ts`).
 */
import { createHash } from 'node:crypto';
import { globSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

export type FuzzTarget = {
  /** A promise where the target is a whole session. */
  fuzz(octets: Uint8Array): void | Promise<void>;
  readonly seeds: readonly Uint8Array[];
  readonly covers: RegExp;
};

/** One input may take this long before it counts as broken: parsers are linear, and inputs are short. */
const INPUT_MS_MAX = 1000;
const INPUT_OCTETS_MAX = 65_536;
/** Asking for coverage costs far more than a run, so it is asked for once in so many runs. */
const RUNS_PER_ROUND = 16;
/** Octets that mean something to most of the grammars here; chance alone finds them too seldom. */
const TOKENS: readonly Uint8Array[] = [
  [
    '\r\n',
    '\r',
    '\n',
    '\0',
    '"',
    '\\',
    '(',
    ')',
    '{3+}\r\n',
    '~{1}\r\n',
    '<',
    '>',
    ':',
    ';',
    '=',
    '=?',
    '?=',
    '--',
  ],
  [
    ' ',
    '\t',
    '%',
    '*',
    '@',
    ',',
    '[',
    ']',
    '4294967295',
    '-1',
    '99999999999999999999',
    'é',
    '\u{1f4ee}',
    'NIL',
  ],
  ['BODY[', 'Content-Type:', 'boundary=', '\r\n\r\n', '\r\n.\r\n', '*0*=', "utf-8''"],
]
  .flat()
  .map((text) => Buffer.from(text));

/** Every target in the tree, by path from the root of the repository. */
export function fuzzTargets(): string[] {
  return globSync('{src,test}/**/*.fuzz.ts').toSorted();
}

/** `src/imap/wire/command.fuzz.ts` keeps its inputs in `test/corpus/imap-wire-command`. */
export function corpusFolder(path: string): string {
  const name = path.replace(/^(?:src|test)\//, '').replace(/\.fuzz\.ts$/, '');
  return join('test/corpus', name.replaceAll('/', '-'));
}

export async function loadTarget(path: string): Promise<FuzzTarget> {
  return (await import(pathToFileURL(resolve(path)).href)) as FuzzTarget;
}

export function readCorpus(path: string): { readonly name: string; readonly octets: Uint8Array }[] {
  const folder = corpusFolder(path);
  let names: string[];
  try {
    names = readdirSync(folder).toSorted();
  } catch {
    return [];
  }
  return names.map((name) => ({ name, octets: readFileSync(join(folder, name)) }));
}

/** A small seeded generator (mulberry32), so that a run can be repeated with `FUZZ_SEED`. */
function seeded(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

type Pick = (below: number) => number;

/** One to four small wounds: an octet, a run, a token, a doubling, or a graft from another input. */
function mutate(octets: Uint8Array, other: Uint8Array, pick: Pick): Uint8Array {
  let out: Buffer = Buffer.from(octets);
  for (let wounds = 1 + pick(4); wounds > 0; wounds -= 1) {
    const at = pick(out.length + 1);
    const to = Math.min(out.length, at + 1 + pick(16));
    const splice = (removeTo: number, insert: Uint8Array): Buffer =>
      Buffer.concat([out.subarray(0, at), insert, out.subarray(removeTo)]);
    switch (pick(7)) {
      case 0:
        out = splice(at, Uint8Array.of(pick(256)));
        break;
      case 1:
        out = splice(to, new Uint8Array());
        break;
      case 2:
        if (at < out.length) out[at] = pick(256);
        break;
      case 3:
        out = splice(at, TOKENS[pick(TOKENS.length)] ?? new Uint8Array());
        break;
      case 4:
        out = splice(at, Buffer.concat(Array.from({ length: 1 + pick(64) }, () => out.subarray(at, to))));
        break;
      case 5: {
        const from = pick(other.length + 1);
        out = splice(at, other.subarray(from, from + 1 + pick(64)));
        break;
      }
      default:
        if (at < out.length) out[at] = (out[at] ?? 0) ^ (1 << pick(8));
    }
  }
  return out.length > INPUT_OCTETS_MAX ? out.subarray(0, INPUT_OCTETS_MAX) : out;
}

/** Runs one input; a throw or a run of more than {@link INPUT_MS_MAX} is written to the corpus and thrown on. */
async function tryInput(path: string, target: FuzzTarget, octets: Uint8Array): Promise<void> {
  const start = performance.now();
  try {
    await target.fuzz(octets);
    const tookMs = performance.now() - start;
    if (tookMs > INPUT_MS_MAX) throw new Error(`${octets.length} octets took ${Math.round(tookMs)} ms`);
  } catch (cause) {
    const file = join(corpusFolder(path), `broken-${nameOf(octets)}`);
    mkdirSync(corpusFolder(path), { recursive: true });
    writeFileSync(file, octets);
    console.error(`${path}: broken by ${file}`);
    throw cause;
  }
}

function nameOf(octets: Uint8Array): string {
  return createHash('sha256').update(octets).digest('hex').slice(0, 16);
}

type Span = { readonly start: number; readonly end: number };

function intersect(left: readonly Span[], right: readonly Span[]): Span[] {
  return left.flatMap((one) =>
    right
      .map((other) => ({ start: Math.max(one.start, other.start), end: Math.min(one.end, other.end) }))
      .filter(({ start, end }) => start < end),
  );
}

function total(spans: readonly Span[]): number {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}

/**
 * V8's block coverage of the scripts whose URL the target names. V8 leaves a block out of its answer when its count
 * is its parent's, so what is followed is the opposite: the stretches of each function that never ran.
 */
class Coverage {
  readonly #session = new Session();
  readonly #idle = new Map<string, readonly Span[]>();
  readonly #covers: RegExp;

  constructor(covers: RegExp) {
    this.#covers = covers;
  }

  get functions(): number {
    return this.#idle.size;
  }

  get idleStretches(): number {
    return [...this.#idle.values()].reduce((sum, spans) => sum + spans.length, 0);
  }

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** What ran since the last call and never before: per function, what now still never ran. */
  async fresh(): Promise<Map<string, readonly Span[]>> {
    const fresh = new Map<string, readonly Span[]>();
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    for (const script of result) {
      if (!this.#covers.test(script.url)) continue;
      for (const { ranges } of script.functions) {
        const whole = ranges[0];
        if (whole === undefined || whole.count === 0) continue;
        const key = `${script.url}:${whole.startOffset}:${whole.endOffset}`;
        const before = this.#idle.get(key);
        const idle = ranges
          .filter(({ count }) => count === 0)
          .map(({ startOffset, endOffset }) => ({ start: startOffset, end: endOffset }));
        const after = before === undefined ? idle : intersect(before, idle);
        if (before === undefined || total(after) < total(before)) fresh.set(key, after);
      }
    }
    return fresh;
  }

  keep(fresh: ReadonlyMap<string, readonly Span[]>): void {
    for (const [key, idle] of fresh) this.#idle.set(key, idle);
  }

  stop(): void {
    this.#session.disconnect();
  }
}

/**
 * Fuzzes one target for `forMs`. Rounds of plain runs; when a round reached something new, its inputs are run again
 * one by one to find which. Inputs that reach something new join the pool, which is kept in memory only: the folder
 * holds what people and failures put there.
 */
async function run(path: string, forMs: number, seed: number): Promise<void> {
  const target = await loadTarget(path);
  const pick = seeded(seed);
  const coverage = new Coverage(target.covers);
  await coverage.start();
  const pool: Uint8Array[] = [...target.seeds, ...readCorpus(path).map(({ octets }) => octets)];
  for (const octets of pool) await tryInput(path, target, octets);
  if (pool.length === 0) pool.push(new Uint8Array());
  coverage.keep(await coverage.fresh());
  const end = performance.now() + forMs;
  let runs = 0;
  while (performance.now() < end) {
    const round: Uint8Array[] = [];
    for (let count = 0; count < RUNS_PER_ROUND; count += 1) {
      const parent = pool[pick(pool.length)] ?? new Uint8Array();
      const octets = mutate(parent, pool[pick(pool.length)] ?? parent, pick);
      await tryInput(path, target, octets);
      round.push(octets);
    }
    runs += round.length;
    if ((await coverage.fresh()).size === 0) continue;
    for (const octets of round) {
      await target.fuzz(octets);
      const fresh = await coverage.fresh();
      if (fresh.size > 0) pool.push(octets);
      coverage.keep(fresh);
    }
  }
  coverage.stop();
  console.log(
    `${path}: ${runs} runs, ${pool.length} inputs in the pool, ` +
      `${coverage.functions} functions ran, ${coverage.idleStretches} stretches of them never`,
  );
}

async function main(): Promise<void> {
  const [wanted, msText = '10000'] = process.argv.slice(2);
  const targets = fuzzTargets();
  if (wanted === undefined) {
    console.log(`npm run fuzz <file or subject> [milliseconds]\n\n${targets.join('\n')}`);
    return;
  }
  const forMs = Number(msText);
  const chosen = targets.filter((path) => path === wanted || corpusFolder(path).includes(wanted));
  if (chosen.length === 0 || !(forMs > 0)) {
    console.error(
      `No fuzz target matches ${JSON.stringify(wanted)}, or ${JSON.stringify(msText)} is not a time`,
    );
    process.exitCode = 2;
    return;
  }
  const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x1_0000_0000);
  console.log(`seed ${seed}`);
  for (const path of chosen) await run(path, forMs, seed);
}

if (import.meta.main) await main();
