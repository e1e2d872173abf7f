/**
 * Flags and keywords: a flag begins with a backslash and is one of a closed set, a keyword is any atom.
 * Source: RFC 9051 §2.3.2. Compared without regard to case; system flags are given in the standard's spelling.
 */
export const SYSTEM_FLAGS = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'] as const;
export type SystemFlag = (typeof SYSTEM_FLAGS)[number];

const BY_LOWER: ReadonlyMap<string, SystemFlag> = new Map(
  SYSTEM_FLAGS.map((flag) => [flag.toLowerCase(), flag] as const),
);

/** The standard's spelling of a system flag that a client may set; `\Recent` is none (RFC 3501 §2.3.2). */
export function toSystemFlag(text: string): SystemFlag | undefined {
  return BY_LOWER.get(text.toLowerCase());
}
