/** The entry of `sendmail`, `mailq` and `newaliases`: what programs that pipe mail call. docs/sendmail.md. */
import { parseOptions } from '../../sendmail/wire/option.ts';
import { SendmailProblem, SYSEXITS, type SysExit } from './exit-code.ts';
import { deliver } from './deliver.ts';
import { findCaller, findOffice } from './office.ts';

async function run(words: readonly string[], environment: NodeJS.ProcessEnv): Promise<void> {
  const parsed = parseOptions(words);
  if (!parsed.ok) throw new SendmailProblem(SYSEXITS.usage, parsed.error);
  const options = parsed.value;
  switch (options.mode) {
    case 'deliver': {
      const office = await findOffice(environment);
      const caller = findCaller(environment);
      return deliver({ options, office, caller, input: process.stdin, nowMs: Date.now() });
    }
    case 'smtp': {
      const { serveStandardInput } = await import('./stand-alone.ts');
      return serveStandardInput(await findOffice(environment), findCaller(environment));
    }
    case 'list': {
      const { listQueue } = await import('./queue.ts');
      process.stdout.write(await listQueue(environment));
      return undefined;
    }
    case 'flush': {
      const { flushQueue } = await import('./queue.ts');
      process.stderr.write(await flushQueue(options.flush, environment));
      return undefined;
    }
    case 'aliases':
      process.stderr.write(
        "sendmail: aliases are in the directory and hold at once: 'postrider alias set'\n",
      );
      return undefined;
    case 'daemon':
      throw new SendmailProblem(
        SYSEXITS.unavailable,
        "the server is started by 'postrider serve --config FILE'",
      );
    case 'verify':
      throw new SendmailProblem(SYSEXITS.unavailable, "'postrider route ADDRESS' tells where mail would go");
    case 'nothing':
      return undefined;
  }
}

/** What the system says when a disk is full or a folder is not to be written: whoever called may try again. */
function exitCodeOf(cause: unknown): SysExit {
  if (cause instanceof SendmailProblem) return cause.exitCode;
  if (!(cause instanceof Error) || !('code' in cause)) return SYSEXITS.software;
  return cause.code === 'EACCES' || cause.code === 'EPERM' ? SYSEXITS.noPermission : SYSEXITS.tempFail;
}

try {
  await run(process.argv.slice(2), process.env);
  process.exitCode = SYSEXITS.ok;
} catch (cause) {
  const text =
    cause instanceof SendmailProblem ? cause.message : cause instanceof Error ? cause.message : String(cause);
  process.stderr.write(`sendmail: ${text}\n`);
  process.exitCode = exitCodeOf(cause);
}
// A program that keeps its end of the pipe open does not keep this one up: the message ended with its dot.
process.stdin.destroy();
