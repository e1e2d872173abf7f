/**
 * `npm run build`: what is published, as JavaScript in `dist/`. The compiler rewrites imports; a path that stands in
 * a text (a worker's file) it does not see, so whatever still names a `.ts` file is an error here.
 */
import { globSync, readFileSync, rmSync } from 'node:fs';
import { capture } from './test-run.ts';

const NAMES_SOURCE = /['"`]\.{1,2}\/[^'"`\s]*\.ts['"`]/g;

rmSync('dist', { recursive: true, force: true });
const { code, output } = await capture(
  process.execPath,
  ['node_modules/.bin/tsc', '-p', 'tsconfig.build.json'],
  true,
);
const files = globSync('dist/**/*.js');
const problems = files.flatMap((path) =>
  [...readFileSync(path, 'utf8').matchAll(NAMES_SOURCE)].map(([found]) => `${path} names ${found}`),
);
for (const problem of problems) console.error(problem);
if (output === '') console.log(`${files.length} files in dist/`);
if (code !== 0 || problems.length > 0) process.exitCode = 1;
