/** The states of RFC 9051 §3, each with what is known in it; and which command may run where. */
import type { Principal } from '../../auth/principal.ts';
import type { AccountId, MailboxId, UidValidity } from '../../store/ids.ts';
import type { Verb } from '../wire/command.ts';
import type { SearchedSource } from '../wire/response.ts';
import type { SortCriterion } from '../wire/command/search.ts';
import type { FetchItem } from '../wire/command/fetch.ts';
import type { SearchKey } from '../wire/command/search-key.ts';
import type { ScanCache } from './fetch/section.ts';
import type { MailboxView } from './view.ts';

export type SelectedMailbox = {
  /** Whose mailbox it is. */
  readonly account: AccountId;
  /** The same, where that is not who is signed in. */
  readonly otherOwner: AccountId | undefined;
  readonly id: MailboxId;
  /** As the client names it. */
  readonly path: string;
  /** Only examined. */
  readonly readOnly: boolean;
  /** What the client may do here, as it was last looked up, and as it was told in PERMANENTFLAGS. */
  rights: string;
  rightsTold: string;
  readonly uidValidity: UidValidity;
  readonly view: MailboxView;
  /** UIDs of the last SEARCH with SAVE, ascending (RFC 9051 §6.4.4.1). */
  saved: readonly number[];
  /** Keywords that the client was told of in FLAGS. */
  readonly keywords: Set<string>;
  /** Whether there is room for others. */
  takesKeywords: boolean;
  readonly scans: ScanCache;
  /** By tag. */
  readonly updating: Map<string, UpdatingSearch>;
};

/** A search whose result the client is told changes of (RFC 5267 §4.3). */
export type UpdatingSearch = {
  readonly tag: string;
  /** As its command told it (RFC 7377 §2.1). */
  readonly source: SearchedSource | undefined;
  /** By UID, or by sequence number. */
  uid: boolean;
  /** Without what is told by the moment: numbers, `*`, `$`. */
  readonly key: SearchKey;
  /** Undefined: the result is in the order of the mailbox. */
  readonly criteria: readonly SortCriterion[] | undefined;
  /** Sent of new messages that come into the result (RFC 5465 §7). */
  readonly items: readonly FetchItem[];
  /** UIDs of the result that the client has, in its order. */
  uids: readonly number[];
};

/** What is searched need not be selected (RFC 7377). */
export type SearchedMailbox = Pick<SelectedMailbox, 'account' | 'otherOwner' | 'id' | 'view' | 'saved'>;

export type State =
  | { readonly phase: 'not-authenticated' }
  | { readonly phase: 'authenticated'; readonly principal: Principal }
  | { readonly phase: 'selected'; readonly principal: Principal; readonly selected: SelectedMailbox }
  | { readonly phase: 'logout' };

export type SignedIn = Extract<State, { phase: 'authenticated' | 'selected' }>;
export type Selected = Extract<State, { phase: 'selected' }>;

/** What ENABLE and enabling commands have switched on (RFC 9051 §6.3.1, RFC 7162 §3.1). */
export type Enabled = {
  imap4rev2: boolean;
  utf8: boolean;
  condstore: boolean;
  qresync: boolean;
  /** RFC 9586: no message numbers either way. */
  uidonly: boolean;
};

export const NOTHING_ENABLED: Enabled = {
  imap4rev2: false,
  utf8: false,
  condstore: false,
  qresync: false,
  uidonly: false,
};

const ANY = ['not-authenticated', 'authenticated', 'selected'] as const;
const SIGNED_IN = ['authenticated', 'selected'] as const;
const SELECTED = ['selected'] as const;
const NOT_YET = ['not-authenticated'] as const;

/** RFC 9051 §6.1 to §6.4, RFC 3501 §6. */
export const NEEDS: Readonly<Record<Verb | 'APPEND' | 'REPLACE', readonly State['phase'][]>> = {
  CAPABILITY: ANY,
  NOOP: ANY,
  LOGOUT: ANY,
  ID: ANY,
  LANGUAGE: ANY,
  STARTTLS: NOT_YET,
  AUTHENTICATE: NOT_YET,
  LOGIN: NOT_YET,
  COMPRESS: SIGNED_IN,
  UNAUTHENTICATE: SIGNED_IN,
  ENABLE: SIGNED_IN,
  SELECT: SIGNED_IN,
  EXAMINE: SIGNED_IN,
  CREATE: SIGNED_IN,
  DELETE: SIGNED_IN,
  RENAME: SIGNED_IN,
  SUBSCRIBE: SIGNED_IN,
  UNSUBSCRIBE: SIGNED_IN,
  LIST: SIGNED_IN,
  LSUB: SIGNED_IN,
  NAMESPACE: SIGNED_IN,
  STATUS: SIGNED_IN,
  GETMETADATA: SIGNED_IN,
  SETMETADATA: SIGNED_IN,
  GETQUOTA: SIGNED_IN,
  GETQUOTAROOT: SIGNED_IN,
  SETQUOTA: SIGNED_IN,
  SETACL: SIGNED_IN,
  DELETEACL: SIGNED_IN,
  GETACL: SIGNED_IN,
  LISTRIGHTS: SIGNED_IN,
  MYRIGHTS: SIGNED_IN,
  GENURLAUTH: SIGNED_IN,
  RESETKEY: SIGNED_IN,
  URLFETCH: SIGNED_IN,
  APPEND: SIGNED_IN,
  IDLE: SIGNED_IN,
  NOTIFY: SIGNED_IN,
  CHECK: SELECTED,
  REPLACE: SELECTED,
  CLOSE: SELECTED,
  UNSELECT: SELECTED,
  EXPUNGE: SELECTED,
  SEARCH: SELECTED,
  SORT: SELECTED,
  CANCELUPDATE: SELECTED,
  // RFC 7377 §2.2: which of the two it needs depends on where it searches.
  ESEARCH: SIGNED_IN,
  THREAD: SELECTED,
  FETCH: SELECTED,
  STORE: SELECTED,
  COPY: SELECTED,
  MOVE: SELECTED,
};
