/**
 * `npm test`: the checks, the tests of all backends, then the stories of `test/`. `npm test -- FILE…` runs only those files.
 * The last line counts all tests.
 */
import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { runChecks } from './check.ts';
import { type TestCount, runTests } from './test-run.ts';

/** A story may hold a thousand messages or two hundred crashes. */
const STORY_MS_MAX = 900_000;
const STORIES_MS_MAX = 2_700_000;

const chosen = process.argv.slice(2);
const counts: TestCount[] = [];
const isSound = chosen.length > 0 || (await runChecks(true, (count) => counts.push(count)));
const files = chosen.length > 0 ? chosen : globSync('test/**/*.test.ts').toSorted();
counts.push(
  await runTests(files, {
    isShown: true,
    concurrency: availableParallelism(),
    isolation: 'file',
    timeoutMs: STORY_MS_MAX,
    deadlineMs: STORIES_MS_MAX,
  }),
);

const sum = (count: (one: TestCount) => number): number =>
  counts.reduce((total, one) => total + count(one), 0);
for (const skipped of counts.flatMap((count) => count.skipped)) console.log(`SKIPPED ${skipped}`);
for (const file of counts.flatMap((count) => count.unsteady))
  console.log(`UNSTEADY ${file}: failed among others, passed alone`);
if (!isSound) console.log('The checks found problems: see above');
const failed = sum((one) => one.failed);
console.log(
  `${sum((one) => one.passed)} passed, ${failed} failed, ${sum((one) => one.skipped.length)} skipped`,
);
if (!isSound || failed > 0) process.exitCode = 1;
