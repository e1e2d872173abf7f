/** The entry of the program: one command line, one exit code. */
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

// libuv reads it when its pool is first used. What waits there is the disk: a sync for each thread, and streams beside it.
process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(16, Math.max(4, 2 * availableParallelism())));

// Of all threads. After 3000 calls, as V8 has it, a busy server compiles everything in its first second, and much of it again
// as it meets other shapes: docs/performance.md.
setFlagsFromString('--invocation-count-for-turbofan=30000');

const terminal = processTerminal();
await runCommandLine(process.argv.slice(2), terminal);
process.exitCode = terminal.exitCode;
