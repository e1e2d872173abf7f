/** The entry of the program: one command line, one exit code. */
import { runCommandLine } from './cli/program.ts';
import { processTerminal } from './cli/terminal.ts';

const terminal = processTerminal();
await runCommandLine(process.argv.slice(2), terminal);
process.exitCode = terminal.exitCode;
