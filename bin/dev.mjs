/**
 * Development's front door: installs what is missing, then runs the program or one of the tools.
 * `node bin/dev.mjs localserve …` or `node bin/dev.mjs --run tools/test.ts …`
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runChild, runHere, runtime } from './runtime.mjs';

/** @returns {Record<string, { version?: string, integrity?: string, optional?: boolean }> | undefined} */
function lockedPackages(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Whether node_modules holds what package-lock.json asks for, by the list that npm leaves there when it is done.
 * An optional package may be missing (it is another platform's), save a runtime.
 */
function isInstalled() {
  const wanted = lockedPackages('package-lock.json');
  const present = lockedPackages('node_modules/.package-lock.json');
  if (wanted === undefined || present === undefined || runtime() === undefined) return false;
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    if (path === '') return true;
    const found = present[path];
    if (found === undefined) return optional === true;
    return found.version === version && found.integrity === integrity;
  });
}

function install() {
  console.error('postrider: installing what is missing (npm ci), once');
  const options = [
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    '--include=dev',
    '--include=optional',
  ];
  const npm = process.env.npm_execpath;
  const [command, args] = npm === undefined ? ['npm', options] : [process.execPath, [npm, ...options]];
  // Standard output belongs to the program that follows.
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status === 0) return true;
  console.error(`postrider: npm ci failed${error === undefined ? '' : `: ${error.message}`}`);
  return false;
}

/** npm killed outright takes nobody with it; whoever ran `npm start` would be left with a server they cannot see. */
function endWithNpm() {
  const npm = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === npm) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, 1000);
  timer.unref();
}

const [first, ...rest] = process.argv.slice(2);
if (process.env.npm_lifecycle_event !== undefined) endWithNpm();
if (!isInstalled() && !install()) process.exitCode = 1;
else if (first === '--run') runChild(join(root, rest[0] ?? ''), rest.slice(1));
else await runHere(first === undefined ? [] : [first, ...rest]);
