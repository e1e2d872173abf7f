/** Runs test files with node's own runner, shows what it says, and counts. */
import { spawn } from 'node:child_process';
import { relative, resolve } from 'node:path';

export type TestCount = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
  /** Files in which a test failed among others, and none when the file was run again alone. */
  readonly unsteady: readonly string[];
};
export type TestRun = TestCount & { readonly output: string };

export type TestRunOptions = {
  /** Shows the output as it comes, not only in the result. */
  readonly isShown: boolean;
  /** How many files at once. */
  readonly concurrency: number;
  /**
   * `file`: a process for each file, for what starts servers and threads. `none`: files share as many processes as run
   * at once; half the time for small tests, which then must leave nothing open.
   */
  readonly isolation: 'file' | 'none';
  /** For one test. */
  readonly timeoutMs: number;
  /** For all: a file that leaves something open never ends by itself. */
  readonly deadlineMs: number;
};

/**
 * With no files nothing is run: the runner alone would go and look for some. A file in which a test
 * fails is run once more, alone: tests share a machine of which a neighbour may have taken the port or the
 * second. What passes then is told apart from what passes at once, for it is a defect to mend.
 */
export async function runTests(files: readonly string[], options: TestRunOptions): Promise<TestRun> {
  const first = await runOnce(files, options);
  const failing = failingFiles(first.output, files);
  if (failing.length === 0) return first;
  const again = await runOnce(failing, { ...options, isolation: 'file', concurrency: 1 });
  const stillFailing = new Set(failingFiles(again.output, failing));
  return {
    passed: first.passed + Math.max(0, first.failed - again.failed),
    failed: again.failed,
    skipped: [...new Set([...first.skipped, ...again.skipped])],
    unsteady: failing.filter((file) => !stillFailing.has(file)),
    output: `${first.output}\n${again.output}`,
  };
}

function failingFiles(output: string, files: readonly string[]): string[] {
  const named = new Set([...output.matchAll(/^test at (.+?):\d+:\d+$/gm)].map(([, file]) => file));
  return files.filter((file) => named.has(relative(process.cwd(), resolve(file))));
}

async function runOnce(files: readonly string[], options: TestRunOptions): Promise<TestRun> {
  const { concurrency, isolation } = options;
  const groups = isolation === 'file' ? [files] : deal(files, concurrency);
  const runs = await Promise.all(
    groups.filter((group) => group.length > 0).map((group) => runGroup(group, options)),
  );
  return {
    passed: runs.reduce((sum, { passed }) => sum + passed, 0),
    failed: runs.reduce((sum, { failed }) => sum + failed, 0),
    skipped: runs.flatMap(({ skipped }) => skipped),
    unsteady: [],
    output: runs.map(({ output }) => output).join('\n'),
  };
}

async function runGroup(files: readonly string[], options: TestRunOptions): Promise<TestRun> {
  const { isShown, concurrency, isolation, timeoutMs, deadlineMs } = options;
  const together = isolation === 'none' ? '--test-isolation=none' : `--test-concurrency=${concurrency}`;
  const args = ['--test', '--test-reporter=spec', `--test-timeout=${timeoutMs}`, together, ...files];
  const { code, output } = await capture(process.execPath, args, isShown, deadlineMs);
  const count = readSummary(output);
  // The runner itself may fail where no test did: a file that cannot be loaded, a process that died.
  return { ...count, failed: code === 0 ? 0 : Math.max(count.failed, 1), output };
}

function deal(files: readonly string[], hands: number): string[][] {
  return Array.from({ length: hands }, (_, hand) => files.filter((_file, index) => index % hands === hand));
}

export function readSummary(output: string): TestCount {
  const total = (name: string): number =>
    Number(new RegExp(`^ℹ ${name} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  const skipped = [...output.matchAll(/^\s*﹣ (.*?) \([\d.]+ms\) # (.*)$/gm)].map(
    ([, name, why]) => `${name}: ${why}`,
  );
  return {
    passed: total('pass'),
    failed: total('fail') + total('cancelled'),
    skipped: [...new Set(skipped)],
    unsteady: [],
  };
}

export type Captured = { readonly code: number; readonly output: string };

const PROGRAM_MS_MAX = 300_000;

/** Runs a program to its end, or kills it when that does not come; standard output and error in the order they came. */
export async function capture(
  command: string,
  args: readonly string[],
  isShown: boolean,
  timeoutMs: number = PROGRAM_MS_MAX,
): Promise<Captured> {
  return new Promise((done) => {
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: plainEnvironment(),
      // Its SIGTERM lets the test runner end its own children and say which file it waited for.
      timeout: timeoutMs,
    });
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      if (isShown) process.stdout.write(chunk);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (error) => take(Buffer.from(`${error.message}\n`)));
    child.once('close', (code) => done({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

/** A runner inside a runner would report to the outer one, and colours would hide what is counted. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, FORCE_COLOR: _colour, ...rest } = process.env;
  return { ...rest, NO_COLOR: '1' };
}
