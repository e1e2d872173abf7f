/** The codes in brackets that a program can act upon. Source: RFC 9051 §7.1, RFC 5530, and those cited below. */
import type { SequenceRange } from './sequence-set.ts';

/** Codes without a value. */
export type PlainCode =
  | 'ALERT'
  | 'ALREADYEXISTS'
  | 'AUTHENTICATIONFAILED'
  | 'AUTHORIZATIONFAILED'
  | 'CANNOT'
  | 'CLIENTBUG'
  | 'CLOSED'
  | 'COMPRESSIONACTIVE'
  | 'CONTACTADMIN'
  | 'CORRUPTION'
  | 'EXPIRED'
  | 'EXPUNGEISSUED'
  | 'HASCHILDREN'
  | 'INUSE'
  | 'LIMIT'
  | 'NOMODSEQ'
  | 'NONEXISTENT'
  | 'NOPERM'
  | 'NOTSAVED'
  | 'OVERQUOTA'
  | 'PARSE'
  | 'PRIVACYREQUIRED'
  | 'READ-ONLY'
  | 'READ-WRITE'
  | 'SERVERBUG'
  | 'TOOBIG'
  | 'TRYCREATE'
  | 'UIDNOTSTICKY'
  | 'UIDREQUIRED'
  | 'UNAVAILABLE'
  | 'UNKNOWN-CTE'
  | 'USEATTR';

export type ResponseCode =
  | PlainCode
  | { readonly kind: 'CAPABILITY'; readonly capabilities: readonly string[] }
  | { readonly kind: 'BADCHARSET'; readonly charsets: readonly string[] }
  | { readonly kind: 'PERMANENTFLAGS'; readonly flags: readonly string[] }
  /** HIGHESTMODSEQ: RFC 7162 §3.1.2.1. */
  | { readonly kind: 'UIDNEXT' | 'UIDVALIDITY' | 'UNSEEN' | 'HIGHESTMODSEQ'; readonly value: number }
  /** RFC 9051 §7.1; several UIDs after a MULTIAPPEND (RFC 4315 §3). */
  | { readonly kind: 'APPENDUID'; readonly uidValidity: number; readonly uids: readonly SequenceRange[] }
  | {
      readonly kind: 'COPYUID';
      readonly uidValidity: number;
      /** In the order of `to`: the sets correspond one to one. */
      readonly from: readonly SequenceRange[];
      readonly to: readonly SequenceRange[];
    }
  /** RFC 7162 §3.1.3. */
  | { readonly kind: 'MODIFIED'; readonly set: readonly SequenceRange[] }
  /** RFC 9738 §3.1; the lowest UID that was worked on. */
  | { readonly kind: 'MESSAGELIMIT'; readonly messages: number; readonly uid?: number }
  /** RFC 9585 §4. The tag is that of the command; the goal is never reached before the command ends. */
  | {
      readonly kind: 'INPROGRESS';
      readonly tag: string;
      readonly progress?: { readonly done: number; readonly goal: number };
    }
  /** RFC 4469 §4.1: the URL as the client sent it, one character an octet. */
  | { readonly kind: 'BADURL'; readonly url: string }
  /** RFC 5267 §4.3.1: of which search. */
  | { readonly kind: 'NOUPDATE'; readonly tag: string }
  /** RFC 8474 §4.1. */
  | { readonly kind: 'MAILBOXID'; readonly id: string }
  /** A code of an extension: its name and value as they are sent. */
  | { readonly kind: 'EXTENSION'; readonly text: string };
