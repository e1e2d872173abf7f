/** Exit codes from what runs for long: whatever is none of ours counts as failed. */
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export function toExitCode(code: number): ExitCode {
  return Object.values(EXIT).find((known) => known === code) ?? EXIT.failed;
}
