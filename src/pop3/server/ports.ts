/** What a POP3 session needs of the world, and the limits it keeps. */
import type { Clock } from '../../base/clock.ts';
import type { SignIn } from '../../auth/sign-in.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { AccountId } from '../../store/ids.ts';
import type { MailStore } from '../../store/mail-store.ts';
import type { Pop3Event } from './event.ts';

export type Pop3Limits = {
  /** Bad commands in a row before the session is ended. */
  readonly errorsMax: number;
  /** Failed attempts to sign in before the session is ended. */
  readonly authFailuresMax: number;
  /** Silence before a signed-in session is ended (RFC 1939 §3: at least 10 minutes). */
  readonly idleMs: number;
  /** Time to sign in. */
  readonly signInMs: number;
};

/** The exclusive-access lock of RFC 1939 §4: among POP3 sessions alone, of all threads. Others come and go freely. */
export type MaildropLocks = {
  /** Undefined: another session has it. Else what gives it back, to be called once. */
  take(account: AccountId): (() => void) | undefined;
};

export type Pop3Deps = {
  readonly hostname: string;
  readonly clock: Clock;
  readonly store: MailStore;
  readonly blobs: BlobStore;
  readonly locks: MaildropLocks;
  readonly signIn: SignIn;
  /** Whether STLS can be offered. */
  readonly tlsAvailable: boolean;
  readonly limits: Pop3Limits;
  readonly version: string;
  readonly emit: (event: Pop3Event) => void;
  /** Aborted when the server stops: sessions end at the next pause. */
  readonly shutdown: AbortSignal;
};
