/**
 * The named limits of everything a peer can grow, with units and sources. Configuration may change those that its
 * schema lists; reaching one is answered, never suffered.
 */
export const LIMITS = {
  /** RFC 5321 §4.5.3.1.4 asks for 512; the extensions add to it (RFC 6531 §3.2, RFC 3461 §5, RFC 4954 §4). */
  smtpCommandOctetsMax: 4096,
  /** RFC 4954 §4: an AUTH response line is at most 12288 octets with its CRLF. */
  smtpAuthLineOctetsMax: 12_288,
  /** RFC 5321 §4.5.3.1.8: at least 100. */
  smtpRecipientsMax: 1000,
  /** Unknown or refused commands before the session is ended. */
  smtpErrorsMax: 20,
  /** Default of SIZE (RFC 1870): 50 MiB. */
  messageOctetsMax: 52_428_800,
  /** RFC 5321 §6.3: Received fields beyond this mean a loop. */
  receivedFieldsMax: 50,
  /** Nesting of multiparts and message/rfc822. */
  mimeNestingMax: 64,
  /** Parts of one message; what follows belongs to the last part. */
  mimePartsMax: 5000,
  /** Octets of one header section that are looked into; the rest is kept and served, not parsed. */
  headerOctetsMax: 262_144,
  /** Addresses of one field that are kept. */
  addressesMax: 2000,
  /** One IMAP command line without its literals (RFC 7162 §4 recommends 8192 or more). */
  imapLineOctetsMax: 65_536,
  /** One literal of a command other than APPEND. */
  imapLiteralOctetsMax: 65_536,
  /** Parentheses in one IMAP command, and keys in one SEARCH. */
  imapNestingMax: 50,
  imapSearchKeysMax: 1000,
  /** Bad commands in a row before an IMAP session is ended. */
  imapErrorsMax: 25,
  /** RFC 9051 §5.4: at least 30 minutes. */
  imapIdleMs: 1_800_000,
  /** Octets of a mailbox name in UTF-8, and levels of its path. */
  mailboxNameOctetsMax: 1024,
  mailboxDepthMax: 32,
  /** Keywords of one mailbox, and octets of one. */
  keywordsMax: 500,
  keywordOctetsMax: 100,
} as const;
