/** What the exit code of every command means. Stable: scripts depend on it. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  invalidConfig: 3,
  problemsFound: 4,
  notReachable: 5,
  refused: 6,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command: a sentence on what went wrong, and what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  /** For `--json`: a stable word. */
  readonly kind: string;
  /** What to do next. */
  readonly hint: string | undefined;

  constructor(exitCode: ExitCode, kind: string, message: string, hint?: string) {
    super(message);
    this.exitCode = exitCode;
    this.kind = kind;
    this.hint = hint;
  }
}
