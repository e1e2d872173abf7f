/** Exit codes as programs that run `sendmail` know them: sysexits.h of BSD. */
export const SYSEXITS = {
  ok: 0,
  /** The command line. */
  usage: 64,
  /** What was read is no message that can be sent. */
  dataError: 65,
  /** There is nobody of that name. */
  noUser: 67,
  /** Not to be had here. */
  unavailable: 69,
  software: 70,
  /** Not now: whoever called should try again. */
  tempFail: 75,
  noPermission: 77,
} as const;

export type SysExit = (typeof SYSEXITS)[keyof typeof SYSEXITS];

/** Ends the program with a sentence on standard error. */
export class SendmailProblem extends Error {
  override readonly name = 'SendmailProblem';
  readonly exitCode: SysExit;

  constructor(exitCode: SysExit, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
