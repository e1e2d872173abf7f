/**
 * Does a mailbox name match a LIST pattern? `*` stands for anything, `%` for anything without the hierarchy
 * delimiter. Every state of the pattern advances together over the name, so no pattern makes it backtrack: the cost is
 * at most pattern × name, and a pattern with more characters than the name costs nothing.
 *
 * Source: RFC 9051 §6.3.9.
 */
export type ListPattern = {
  readonly delimiter: string;
  /** What comes before the first wildcard: most names fail here. */
  readonly prefix: string;
  /** Characters and wildcards after the prefix, runs of wildcards reduced to one. */
  readonly rest: readonly string[];
  /** Code points in `rest` that are no wildcard. */
  readonly literals: number;
};

/** @param delimiter one character: the hierarchy delimiter of the names */
export function compileListPattern(pattern: string, delimiter: string): ListPattern {
  // `*` swallows any wildcard beside it, since it stands for all that `%` does.
  const reduced = pattern.replace(/[*%]+/g, (run) => (run.includes('*') ? '*' : '%'));
  const wild = reduced.search(/[*%]/);
  // INBOX matches whatever the case (RFC 9051 §5.1).
  if (wild === -1) return { delimiter, prefix: inbox(reduced), rest: [], literals: 0 };
  const rest = Array.from(reduced.slice(wild));
  return {
    delimiter,
    prefix: reduced.slice(0, wild),
    rest,
    literals: rest.filter((character) => character !== '*' && character !== '%').length,
  };
}

function inbox(name: string): string {
  return name.toUpperCase() === 'INBOX' ? 'INBOX' : name;
}

export function matchesListPattern(pattern: ListPattern, name: string): boolean {
  const { prefix, rest, delimiter } = pattern;
  if (matches(prefix, rest, pattern.literals, delimiter, name)) return true;
  // A pattern such as `inb*` finds INBOX too.
  return name === 'INBOX' && rest.length > 0 && prefix.length + pattern.literals <= 5
    ? matches(
        prefix.toUpperCase(),
        rest.map((one) => one.toUpperCase()),
        pattern.literals,
        delimiter,
        name,
      )
    : false;
}

function matches(
  prefix: string,
  rest: readonly string[],
  literals: number,
  delimiter: string,
  name: string,
): boolean {
  if (!name.startsWith(prefix)) return false;
  if (rest.length === 0) return name.length === prefix.length;
  if (rest.length === 1) return rest[0] === '*' || !name.includes(delimiter, prefix.length);
  const characters = Array.from(name.slice(prefix.length));
  if (literals > characters.length) return false;
  return advance(rest, characters, delimiter);
}

/** `states[i]` says that the first i elements of the pattern can stand for what was read of the name. */
function advance(rest: readonly string[], characters: readonly string[], delimiter: string): boolean {
  let states = new Uint8Array(rest.length + 1);
  let next = new Uint8Array(rest.length + 1);
  states[0] = 1;
  skipWildcards(rest, states);
  for (const character of characters) {
    next.fill(0);
    let alive = 0;
    for (let at = 0; at < rest.length; at += 1) {
      if (states[at] === 0) continue;
      const element = rest[at];
      if (element === '*' || (element === '%' && character !== delimiter)) next[at] = alive = 1;
      else if (element === character) next[at + 1] = alive = 1;
    }
    if (alive === 0) return false;
    skipWildcards(rest, next);
    [states, next] = [next, states];
  }
  return states[rest.length] === 1;
}

function skipWildcards(rest: readonly string[], states: Uint8Array): void {
  for (let at = 0; at < rest.length; at += 1)
    if (states[at] === 1 && (rest[at] === '*' || rest[at] === '%')) states[at + 1] = 1;
}
