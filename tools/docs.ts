/** The generated pages of docs/: `node tools/docs.ts` writes them, `--check` fails if one is not up to date. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { configDocument } from './config-docs.ts';
import { eventsDocument } from './events-docs.ts';
import { limitsDocument } from './limits-docs.ts';
import { rfcDocument } from './rfc.ts';

const PAGES: Readonly<Record<string, () => string>> = {
  'docs/config.md': configDocument,
  'docs/events.md': eventsDocument,
  'docs/limits.md': limitsDocument,
  'docs/rfc.md': rfcDocument,
};

function present(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

const isCheck = process.argv.includes('--check');
const stale = Object.entries(PAGES)
  .map(([path, make]) => ({ path, text: `${make().trimEnd()}\n` }))
  .filter(({ path, text }) => present(path) !== text);
for (const { path, text } of stale) {
  if (isCheck) {
    console.error(`${path} is not up to date: npm run docs`);
    process.exitCode = 1;
    continue;
  }
  mkdirSync('docs', { recursive: true });
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
console.log(`${Object.keys(PAGES).length} pages, ${stale.length} ${isCheck ? 'stale' : 'written'}`);
