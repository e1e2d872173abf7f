/** The entry of the program: one command line, one exit code. */
import { availableParallelism } from 'node:os';
import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

// libuv reads it when its pool is first used. What waits there is the disk: a sync for each thread, and streams beside it.
process.env['UV_THREADPOOL_SIZE'] ??= String(Math.min(16, Math.max(4, 2 * availableParallelism())));

const terminal = processTerminal();
await runCommandLine(process.argv.slice(2), terminal);
process.exitCode = terminal.exitCode;
