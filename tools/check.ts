/**
 * Everything that can be said of the code in ten seconds: `npm run check`. One line a step with its time;
 * what a failed step said follows. `--fix` formats and mends what the linter can, and checks nothing.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type TestCount, capture, runTests } from './test-run.ts';

type Outcome = { readonly isGood: boolean; readonly note: string; readonly output: string };
type Step = { readonly name: string; readonly run: () => Promise<Outcome> };

const FOLDERS = ['src', 'test', 'tools', 'bench', 'bin'];
const UNIT_TEST_MS_MAX = 60_000;
const UNIT_TESTS_MS_MAX = 180_000;
const BIN = 'node_modules/.bin';

function program(name: string, args: readonly string[]): Step {
  return {
    name,
    run: async () => {
      const { code, output } = await capture(process.execPath, args, false);
      return { isGood: code === 0, note: '', output };
    },
  };
}

function folders(): string[] {
  return FOLDERS.filter((folder) => globSync(`${folder}/**/*.{ts,mjs}`).length > 0);
}

/**
 * Tests that work with files, threads, sockets and processes, hash passwords, or play weeks of retries: the contracts on
 * every backend, delivery, the command line, the tools. They take longer than a check may and want a process for each file,
 * so `npm test` alone runs them.
 */
function isOfBackend(path: string): boolean {
  return /^(?:tools|src\/(?:app|auth|delivery|net|sqlite|(?:dns|queue|store|trace|sendmail)\/(?!memory|wire)[^/]+))\//.test(
    path,
  );
}

function testStep(
  name: string,
  files: readonly string[],
  isolation: 'file' | 'none',
  onTests: (count: TestCount) => void,
): Step {
  return {
    name,
    run: async () => {
      const run = await runTests(files, {
        isShown: false,
        concurrency: availableParallelism(),
        isolation,
        timeoutMs: UNIT_TEST_MS_MAX,
        deadlineMs: UNIT_TESTS_MS_MAX,
      });
      onTests(run);
      const note = `${run.passed} passed, ${run.failed} failed, ${run.skipped.length} skipped`;
      return { isGood: run.failed === 0, note, output: failuresOf(run.output) };
    },
  };
}

function steps(withBackends: boolean, onTests: (count: TestCount) => void): Step[] {
  const files = globSync('{src,tools}/**/*.test.ts').toSorted();
  const backends = files.filter(isOfBackend);
  const units = files.filter((path) => !isOfBackend(path));
  return [
    testStep('unit tests', units, 'none', onTests),
    ...(withBackends ? [testStep('backend tests', backends, 'file', onTests)] : []),
    program('types', [`${BIN}/tsc`, '-p', '.']),
    program('lint', [`${BIN}/oxlint`, '-c', '.oxlintrc.json', ...folders()]),
    program('format', [`${BIN}/oxfmt`, '--check', ...folders()]),
    program('layers', ['tools/layers.ts']),
    program('licences', ['tools/licences.ts']),
    program('generated pages', ['tools/docs.ts', '--check']),
  ];
}

/** A runner repeats all its failures at its end, under this head. */
function failuresOf(output: string): string {
  const parts = output.split('✖ failing tests:').slice(1);
  return parts.length === 0 ? output : parts.join('');
}

/** Runs every step, as many at once as there are processors. True if all is well. */
export async function runChecks(
  withBackends: boolean,
  onTests: (count: TestCount) => void = () => undefined,
): Promise<boolean> {
  const waiting = steps(withBackends, onTests);
  let isGood = true;
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const start = performance.now();
      const outcome = await step.run();
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      const note = outcome.note === '' ? '' : `  ${outcome.note}`;
      console.log(
        `${outcome.isGood ? 'ok  ' : 'FAIL'} ${step.name.padEnd(16)} ${seconds.padStart(5)} s${note}`,
      );
      if (!outcome.isGood) console.log(outcome.output);
      isGood = isGood && outcome.isGood;
    }
  };
  await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, worker));
  return isGood;
}

async function main(): Promise<void> {
  if (process.argv.includes('--fix')) {
    const lint = [`${BIN}/oxlint`, '-c', '.oxlintrc.json', '--fix', ...folders()];
    const format = [`${BIN}/oxfmt`, ...folders()];
    for (const args of [lint, format]) {
      const { code } = await capture(process.execPath, args, true);
      if (code !== 0) process.exitCode = 1;
    }
    return;
  }
  if (!(await runChecks(false))) process.exitCode = 1;
}

if (import.meta.main) await main();
