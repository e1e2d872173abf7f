/** How a command gets a password: as an option, from standard input, or typed unseen. */
import type { Terminal } from './terminal.ts';
import { CliError, EXIT } from './exit-code.ts';

export type PasswordOptions = {
  /** Seen by every process of the machine while the command runs: for trying only. */
  readonly password?: string;
  readonly passwordStdin?: boolean;
};

/** Undefined where none was given and nobody can be asked. */
export async function readPassword(
  terminal: Terminal,
  options: PasswordOptions,
): Promise<string | undefined> {
  if (options.password !== undefined) return options.password;
  if (options.passwordStdin === true) return firstLine(terminal);
  if (!terminal.input.isTTY) return undefined;
  const password = await askUnseen(terminal, 'Password: ');
  if ((await askUnseen(terminal, 'The same again: ')) !== password)
    throw new CliError(
      EXIT.failed,
      'bad-password',
      'The two passwords differ',
      'Nothing was changed: try again.',
    );
  return password;
}

async function firstLine({ input }: Terminal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as string | Buffer));
  const [line = ''] = Buffer.concat(chunks).toString('utf8').split(/\r?\n/);
  if (line === '') throw new CliError(EXIT.usage, 'usage', 'There is no password on standard input');
  return line;
}

const [CTRL_C, CTRL_D, BACKSPACE, DELETE, CTRL_U] = ['\u0003', '\u0004', '\b', '\u007f', '\u0015'];

async function askUnseen(terminal: Terminal, question: string): Promise<string> {
  const { input } = terminal;
  terminal.error(question);
  input.setRawMode(true);
  input.setEncoding('utf8');
  input.resume();
  try {
    return await new Promise<string>((resolve, reject) => {
      let typed: string[] = [];
      const onData = (text: string): void => {
        for (const character of text) {
          if (character === '\r' || character === '\n') {
            input.off('data', onData);
            resolve(typed.join(''));
            return;
          }
          if (character === CTRL_C || character === CTRL_D) {
            input.off('data', onData);
            reject(new CliError(EXIT.failed, 'cancelled', 'Cancelled', 'Nothing was changed.'));
            return;
          }
          if (character === BACKSPACE || character === DELETE) typed.pop();
          else if (character === CTRL_U) typed = [];
          else typed.push(character);
        }
      };
      input.on('data', onData);
    });
  } finally {
    input.setRawMode(false);
    input.pause();
    terminal.error('\n');
  }
}
