/**
 * What a server says, as data: untagged responses, and the completion of a command. Handlers yield and return these;
 * `response-writer.ts` makes octets of them. Source: RFC 9051 §7.
 */
import type { ResponseCode } from './response-code.ts';
import type { SequenceRange } from './sequence-set.ts';

/** Ends a command. RFC 9051 §7.1. */
export type Completion = {
  readonly status: 'OK' | 'NO' | 'BAD';
  readonly code?: ResponseCode;
  /** For people: US-ASCII, no line end. */
  readonly text: string;
};

/** Octets that are not in memory: announced by size, then streamed. Exactly `octets` must come. */
export type OctetSource = { readonly octets: number; open(): AsyncIterable<Uint8Array> };

/** One item of a FETCH response. */
export type FetchDatum =
  | { readonly item: 'FLAGS'; readonly flags: readonly string[] }
  | { readonly item: 'UID' | 'RFC822.SIZE'; readonly value: number }
  | { readonly item: 'MODSEQ'; readonly modSeq: number }
  | { readonly item: 'INTERNALDATE'; readonly epochMs: number; readonly zoneMinutes?: number }
  /** Null: the mailbox keeps no save date (RFC 8514 §4.2). */
  | { readonly item: 'SAVEDATE'; readonly epochMs: number | null }
  | { readonly item: 'EMAILID'; readonly id: string }
  /** Null: threads are not known (RFC 8474 §5.2). */
  | { readonly item: 'THREADID'; readonly id: string | null }
  | { readonly item: 'PREVIEW'; readonly text: string | null }
  /** Octets that were made at delivery, sent as they are. */
  | { readonly item: 'ENVELOPE' | 'BODY' | 'BODYSTRUCTURE'; readonly octets: Buffer }
  /** `label` as `formatBodyLabel` or an RFC822 item gives it. Null is NIL. */
  | {
      readonly item: 'section';
      readonly label: string;
      readonly value: Buffer | OctetSource | null;
      /** Send as literal8, since the octets may hold NUL (RFC 9051 §6.4.5.2). */
      readonly binary?: boolean;
    }
  | { readonly item: 'BINARY.SIZE'; readonly label: string; readonly octets: number };

/** What an extended URLFETCH says of a URL. */
export type UrlDatum =
  | { readonly item: 'BODYPARTSTRUCTURE'; readonly octets: Buffer }
  | { readonly item: 'BODY' | 'BINARY'; readonly value: Buffer | OctetSource | null };

export type StatusDatum =
  | { readonly item: 'MAILBOXID'; readonly id: string }
  /** Null is NIL: no limit (RFC 7889 §4). */
  | { readonly item: 'APPENDLIMIT'; readonly value: number | null }
  | {
      readonly item:
        | 'MESSAGES'
        | 'UIDNEXT'
        | 'UIDVALIDITY'
        | 'UNSEEN'
        | 'DELETED'
        | 'SIZE'
        | 'RECENT'
        | 'HIGHESTMODSEQ'
        | 'DELETED-STORAGE';
      readonly value: number;
    };

export type ListResponse = {
  readonly kind: 'list';
  readonly attributes: readonly string[];
  /** Null: a flat name. */
  readonly delimiter: string | null;
  readonly mailbox: string;
  /** Why a parent is listed: RECURSIVEMATCH (RFC 9051 §7.3.1). */
  readonly childInfo?: readonly string[];
  /** RFC 9051 §7.3.1: the name the mailbox had. */
  readonly oldName?: string;
};

export type EsearchResponse = {
  readonly kind: 'esearch';
  /** The tag of the command it answers; none for an unsolicited one. */
  readonly tag?: string;
  /** Which mailbox it is about, where that may be another than the selected one (RFC 7377 §2.1). */
  readonly source?: SearchedSource;
  readonly uid: boolean;
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
  /** Left out when nothing was found (RFC 9051 §6.4.4). */
  readonly all?: readonly SequenceRange[];
  /** RFC 9394 §3.1; the set is null when the range holds nothing. */
  readonly partial?: {
    readonly first: number;
    readonly last: number;
    readonly set: readonly SequenceRange[] | null;
  };
  readonly modSeq?: number;
  /** RFC 6203 §4: of the messages that are told, in their order. */
  readonly relevancies?: readonly number[];
  /** RFC 5267 §4.3: to be carried out in their order. */
  readonly addTo?: readonly ResultUpdate[];
  readonly removeFrom?: readonly ResultUpdate[];
};

export type SearchedSource = { readonly mailbox: string; readonly uidValidity: number };

/** Position 0: wherever the order of the mailbox wants it. */
export type ResultUpdate = { readonly position: number; readonly set: readonly SequenceRange[] };

/** A thread: the messages of its root in a line, then what branches off. RFC 5256 §4. */
export type Thread = { readonly members: readonly number[]; readonly branches: readonly Thread[] };

export type Namespace = { readonly prefix: string; readonly delimiter: string | null };

export type Untagged =
  | {
      readonly kind: 'status';
      readonly status: 'OK' | 'NO' | 'BAD' | 'BYE' | 'PREAUTH';
      readonly code?: ResponseCode;
      readonly text: string;
    }
  | { readonly kind: 'capability' | 'enabled'; readonly capabilities: readonly string[] }
  | { readonly kind: 'flags'; readonly flags: readonly string[] }
  | { readonly kind: 'exists' | 'recent' | 'expunge'; readonly value: number }
  /** RFC 7162 §3.2.10. */
  | { readonly kind: 'vanished'; readonly earlier: boolean; readonly uids: readonly SequenceRange[] }
  | { readonly kind: 'fetch'; readonly sequence: number; readonly data: readonly FetchDatum[] }
  /** RFC 9586 §3.3. */
  | { readonly kind: 'uidfetch'; readonly uid: number; readonly data: readonly FetchDatum[] }
  /** URLs as the client sent them, one character an octet, with their proofs. RFC 4467 §8. */
  | { readonly kind: 'genurlauth'; readonly urls: readonly string[] }
  | { readonly kind: 'urlfetch'; readonly url: string; readonly value: Buffer | OctetSource | null }
  /** RFC 5524 §3.2. */
  | { readonly kind: 'urlfetch-items'; readonly url: string; readonly data: readonly UrlDatum[] }
  | ListResponse
  | {
      readonly kind: 'lsub';
      readonly attributes: readonly string[];
      readonly delimiter: string | null;
      readonly mailbox: string;
    }
  | { readonly kind: 'mailbox-status'; readonly mailbox: string; readonly data: readonly StatusDatum[] }
  | {
      readonly kind: 'namespace';
      readonly personal: readonly Namespace[];
      readonly otherUsers: readonly Namespace[];
      readonly shared: readonly Namespace[];
    }
  | { readonly kind: 'search' | 'sort'; readonly numbers: readonly number[]; readonly modSeq?: number }
  | EsearchResponse
  | { readonly kind: 'thread'; readonly threads: readonly Thread[] }
  /** Null is NIL. */
  | { readonly kind: 'id'; readonly parameters: ReadonlyMap<string, string | null> | null }
  /** A response of an extension, as it is sent after `* `. */
  | { readonly kind: 'extension'; readonly octets: Buffer };
