/** What the commands that run something hand over, once it is read from the command line. */

export type LocalserveOptions = {
  /** Undefined: `defaultDirectory()`. */
  readonly dir: string | undefined;
  /** Every service listens at this plus its standard port. */
  readonly basePort: number;
  /** Empty: the two that are made for trying. */
  readonly accounts: readonly { readonly address: string; readonly password: string }[];
  readonly hostname: string | undefined;
};

export type ServeOptions = { readonly config: string };

export type CheckOptions = { readonly config: string; readonly json: boolean };

export type FsckOptions = {
  /** One of the two, or neither: then `defaultDirectory()`. */
  readonly config: string | undefined;
  readonly dir: string | undefined;
  readonly repair: boolean;
  readonly json: boolean;
};
