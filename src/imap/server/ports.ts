/** What an IMAP session needs of the world, and the limits it keeps. */
import type { Clock } from '../../base/clock.ts';
import type { Random } from '../../base/random.ts';
import type { Compress } from '../../base/compression.ts';
import type { Directory } from '../../auth/directory.ts';
import type { SignIn } from '../../auth/sign-in.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { SearchIndex } from '../../search/search-index.ts';
import type { MailStore } from '../../store/mail-store.ts';
import type { ImapEvent } from './event.ts';
import type { RecentMailboxes } from './recent-mailboxes.ts';

export type ImapLimits = {
  readonly messageOctetsMax: number;
  /** Bad commands in a row before the session is ended. */
  readonly errorsMax: number;
  /** Failed attempts to sign in before the session is ended. */
  readonly authFailuresMax: number;
  /** Silence before a signed-in session is ended (RFC 9051 §5.4: at least 30 minutes). */
  readonly idleMs: number;
  /** Time to sign in. */
  readonly signInMs: number;
  /** Messages of one MULTIAPPEND. */
  readonly appendMessagesMax: number;
  /** Messages that one command works on, and that one COPY or APPEND makes, where clients are told so (RFC 9738). */
  readonly messagesMax: number;
  readonly savedMessagesMax: number;
};

/** Who lets whom do what with which mailboxes. */
export type Sharing = Pick<Directory, 'shares' | 'sharedWith' | 'setShare' | 'removeShares'>;

export type ImapDeps = {
  readonly hostname: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: MailStore;
  readonly recent: RecentMailboxes;
  readonly blobs: BlobStore;
  /** Undefined: every search reads the messages. */
  readonly search?: SearchIndex;
  readonly sharing: Sharing;
  /** Whether SETACL may give rights to everybody. */
  readonly sharesWithAnyone: boolean;
  /** Whose an address is, for URLs that name people (RFC 4467 §3). */
  readonly accounts: Pick<Directory, 'resolve'>;
  /** Whether this account is trusted to submit mail for all: it fetches what URLs give to submission alone. */
  readonly isSubmitter: (address: string) => boolean;
  readonly signIn: SignIn;
  /** Whether STARTTLS can be offered. */
  readonly tlsAvailable: boolean;
  /** Undefined: COMPRESS is not offered. */
  readonly compress?: Compress;
  readonly limits: ImapLimits;
  readonly version: string;
  readonly emit: (event: ImapEvent) => void;
  /** Aborted when the server stops: sessions say BYE at the next pause. */
  readonly shutdown: AbortSignal;
};
