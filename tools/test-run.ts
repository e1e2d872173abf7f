/** Runs test files with node's own runner, shows what it says, and counts. */
import { spawn } from 'node:child_process';

export type TestCount = {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly string[];
};
export type TestRun = TestCount & { readonly output: string };

export type TestRunOptions = {
  /** Shows the output as it comes, not only in the result. */
  readonly isShown: boolean;
  /** How many files at once. */
  readonly concurrency: number;
  readonly timeoutMs: number;
};

/** With no files nothing is run: the runner alone would go and look for some. */
export async function runTests(files: readonly string[], options: TestRunOptions): Promise<TestRun> {
  if (files.length === 0) return { passed: 0, failed: 0, skipped: [], output: '' };
  const args = [
    '--test',
    '--test-reporter=spec',
    `--test-concurrency=${options.concurrency}`,
    `--test-timeout=${options.timeoutMs}`,
    ...files,
  ];
  const { code, output } = await capture(process.execPath, args, options.isShown);
  const count = readSummary(output);
  // The runner itself may fail where no test did: a file that cannot be loaded, a process that died.
  return { ...count, failed: code === 0 ? 0 : Math.max(count.failed, 1), output };
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
  };
}

export type Captured = { readonly code: number; readonly output: string };

/** Runs a program to its end; standard output and error in the order they came. */
export async function capture(command: string, args: readonly string[], isShown: boolean): Promise<Captured> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], env: plainEnvironment() });
    const chunks: Buffer[] = [];
    const take = (chunk: Buffer): void => {
      chunks.push(chunk);
      if (isShown) process.stdout.write(chunk);
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', (error) => take(Buffer.from(`${error.message}\n`)));
    child.once('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString() }));
  });
}

/** A runner inside a runner would report to the outer one, and colours would hide what is counted. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _context, FORCE_COLOR: _colour, ...rest } = process.env;
  return { ...rest, NO_COLOR: '1' };
}
