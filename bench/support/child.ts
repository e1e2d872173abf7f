/** Programs that the bench runs beside itself: loads, servers, counters. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export function pathOf(script: string): string {
  return fileURLToPath(new URL(`../../${script}`, import.meta.url));
}

export type Fields = Readonly<Record<string, unknown>>;

/** Lines of JSON from a script of ours, and what goes to its standard input. */
export class ScriptRun implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(script: string, args: readonly string[]) {
    this.#child = spawn(process.execPath, [pathOf(script), ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (this.#child.stdout === null) throw new TypeError('A pipe was asked for');
    this.#lines = createInterface(this.#child.stdout)[Symbol.asyncIterator]();
  }

  async next(): Promise<Fields> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('The load ended early');
    const fields: unknown = JSON.parse(value);
    if (typeof fields !== 'object' || fields === null) throw new Error(`The load said ${value}`);
    return { ...fields };
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }
}

/** Runs a script of ours to its end; gives its lines of JSON. */
export async function runScript(
  script: string,
  ...args: readonly (string | number)[]
): Promise<readonly Fields[]> {
  const child = spawn(process.execPath, [pathOf(script), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines: Fields[] = [];
  for await (const line of createInterface(child.stdout)) {
    const fields: unknown = line.startsWith('{') ? JSON.parse(line) : undefined;
    if (typeof fields === 'object' && fields !== null) lines.push({ ...fields });
    else console.log(line);
  }
  const [code]: unknown[] = await exited;
  if (code !== 0) throw new Error(`${script} ${args.join(' ')} failed`);
  return lines;
}

export function numberOf(fields: Fields | undefined, name: string): number {
  const value = fields?.[name];
  if (typeof value !== 'number') throw new Error(`The load gave no ${name}: ${JSON.stringify(fields)}`);
  return value;
}
