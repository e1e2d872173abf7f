/** Reads a configuration file, or says everything that is wrong with it. */
import { readFile } from 'node:fs/promises';
import { err, ok, type Result } from '../base/result.ts';
import { formatProblem, parseConfig, type Config } from '../config/config.ts';

/** One line a problem. */
export async function readConfig(file: string): Promise<Result<Config, readonly string[]>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    return err([`${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`]);
  }
  const config = parseConfig(text);
  return config.ok
    ? ok(config.value)
    : err(config.error.map((problem) => `${file}: ${formatProblem(problem)}`));
}
