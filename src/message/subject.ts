/**
 * Base subjects and collation keys, for SORT, THREAD and thread keys. Source: RFC 5256 §2.1 and §5, RFC 5051.
 */

/** @param subject decoded; the comments carry the step numbers of RFC 5256 §2.1 */
export function baseSubject(subject: string): string {
  // (1)
  let text = subject.replace(/[\s\0]+/g, ' ');
  for (;;) {
    text = text.slice(0, trailerStart(text));
    text = text.slice(leaderEnd(text));
    // (6)
    if (!hasPrefix(text, 0, '[fwd:') || !text.endsWith(']')) return text;
    text = text.slice(5, -1);
  }
}

/** Whether the subject says that the message answers or forwards another: RFC 5256, THREAD=REFERENCES step 5. */
export function isReplySubject(subject: string): boolean {
  const text = subject.replace(/[\s\0]+/g, ' ').trim();
  const bare = text.slice(leaderEnd(text));
  if (hasSuffix(text, '(fwd)') || (hasPrefix(bare, 0, '[fwd:') && bare.endsWith(']'))) return true;
  const blobs = blobsEnd(text, 0);
  return refwdEnd(text, blobs) !== undefined;
}

/** Step (2): where trailing white space and '(fwd)' begin. */
function trailerStart(text: string): number {
  let end = text.length;
  for (;;) {
    if (text[end - 1] === ' ') end -= 1;
    else if (end >= 5 && hasPrefix(text, end - 5, '(fwd)')) end -= 5;
    else return end;
  }
}

/** Steps (3) to (5): one past the last leader and blob. */
function leaderEnd(text: string): number {
  let at = 0;
  // Where looking for 're:' behind the blobs failed last: from inside of that run it fails again.
  let failedAt = -1;
  for (;;) {
    if (text[at] === ' ') {
      at += 1;
      continue;
    }
    if (at >= failedAt) {
      const blobs = blobsEnd(text, at);
      const refwd = refwdEnd(text, blobs);
      if (refwd !== undefined) {
        at = refwd;
        continue;
      }
      failedAt = blobs;
    }
    const blob = blobEnd(text, at);
    // (4): only if something remains.
    if (blob === undefined || blob >= text.length) return at;
    at = blob;
  }
}

/** subj-refwd = ("re" / ("fw" ["d"])) *WSP [subj-blob] ":" */
function refwdEnd(text: string, start: number): number | undefined {
  let at = start;
  if (hasPrefix(text, at, 're')) at += 2;
  else if (hasPrefix(text, at, 'fwd')) at += 3;
  else if (hasPrefix(text, at, 'fw')) at += 2;
  else return undefined;
  while (text[at] === ' ') at += 1;
  at = blobEnd(text, at) ?? at;
  return text[at] === ':' ? at + 1 : undefined;
}

/** subj-blob = "[" *BLOBCHAR "]" *WSP */
function blobEnd(text: string, start: number): number | undefined {
  if (text[start] !== '[') return undefined;
  let at = start + 1;
  while (at < text.length && text[at] !== '[' && text[at] !== ']') at += 1;
  if (text[at] !== ']') return undefined;
  at += 1;
  while (text[at] === ' ') at += 1;
  return at;
}

function blobsEnd(text: string, start: number): number {
  let at = start;
  for (;;) {
    const next = blobEnd(text, at);
    if (next === undefined) return at;
    at = next;
  }
}

function hasPrefix(text: string, at: number, ascii: string): boolean {
  return text.slice(at, at + ascii.length).toLowerCase() === ascii;
}

function hasSuffix(text: string, ascii: string): boolean {
  return text.length >= ascii.length && hasPrefix(text, text.length - ascii.length, ascii);
}

/** Greek letters with an iota below: in title case they are one character, in what JavaScript takes for upper case two. */
const WITH_IOTA: ReadonlyMap<string, string> = new Map(
  [0x1f80, 0x1f90, 0x1fa0]
    .flatMap((first) => Array.from({ length: 8 }, (_, at) => [first + at, first + at + 8] as const))
    .concat([0x1fb3, 0x1fc3, 0x1ff3].map((letter) => [letter, letter + 9] as const))
    .map(([small, title]) => [String.fromCodePoint(small), String.fromCodePoint(title)]),
);

/**
 * i;unicode-casemap (RFC 5051): equal keys are equal strings, and the order of keys in UTF-8 octets is the order of the
 * strings. Characters whose title case is not their upper case (a few digraphs) fall together with the latter.
 */
export function collationKey(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text.toUpperCase();
  let out = '';
  for (const character of text) {
    const upper = character.toUpperCase();
    // RFC 5051 §2 maps characters to characters: 'ß' has no upper case of one.
    const whole = upper.codePointAt(0);
    const isOne = whole !== undefined && upper.length === (whole > 0xffff ? 2 : 1);
    out += isOne ? upper : (WITH_IOTA.get(character) ?? character);
  }
  return out.normalize('NFKD').toWellFormed();
}
