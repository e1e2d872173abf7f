/** The entry of the program: one command line, one exit code. */
import { availableParallelism } from 'node:os';
import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

// libuv reads it when its pool is first used. Each session thread may hash one password there: half stays for the disk.
process.env['UV_THREADPOOL_SIZE'] ??= String(8 + 2 * Math.min(availableParallelism(), 8));

const terminal = processTerminal();
await runCommandLine(process.argv.slice(2), terminal);
process.exitCode = terminal.exitCode;
