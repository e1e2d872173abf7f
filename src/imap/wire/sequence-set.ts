/**
 * Sets of sequence numbers or UIDs: `2,4:7,9:*` and `$`. A range may be given either way round, and `*` is
 * `Infinity` until it is resolved against the largest number in use.
 *
 * Units: whole numbers, 1 to 4294967295. Source: RFC 9051 §9 (sequence-set), RFC 5182 (`$`).
 */
export type SequenceRange = { readonly first: number; readonly last: number };

export type SequenceSet =
  /** The result of the last SEARCH RETURN (SAVE). RFC 9051 §6.4.4.1. */
  { readonly kind: 'saved' } | { readonly kind: 'ranges'; readonly ranges: readonly SequenceRange[] };

/** Ranges that ascend, do not touch or overlap, and hold no `*`. */
export type Ranges = readonly SequenceRange[];

/** The largest UID or sequence number. RFC 9051 §9 (nz-number). */
export const NUMBER_MAX = 0xffff_ffff;
const STAR = 0x2a;
const COMMA = 0x2c;
const COLON = 0x3a;
const DOLLAR = 0x24;

/** @returns undefined when the text is not a sequence set, or has more than `rangesMax` elements */
export function decodeSequenceSet(octets: Uint8Array, rangesMax: number): SequenceSet | undefined {
  if (octets.length === 1 && octets[0] === DOLLAR) return { kind: 'saved' };
  const ranges: SequenceRange[] = [];
  let at = 0;
  const number = (): number | undefined => {
    if (octets[at] === STAR) {
      at += 1;
      return Infinity;
    }
    const start = at;
    let value = 0;
    for (let octet = octets[at]; octet !== undefined && octet >= 0x30 && octet <= 0x39; octet = octets[at]) {
      value = value * 10 + octet - 0x30;
      if (value === 0 || value > NUMBER_MAX) return undefined;
      at += 1;
    }
    return at === start ? undefined : value;
  };
  for (;;) {
    const first = number();
    if (first === undefined) return undefined;
    let last: number | undefined = first;
    if (octets[at] === COLON) {
      at += 1;
      last = number();
      if (last === undefined) return undefined;
    }
    if (ranges.length === rangesMax) return undefined;
    ranges.push({ first, last });
    if (at === octets.length) return { kind: 'ranges', ranges };
    if (octets[at] !== COMMA) return undefined;
    at += 1;
  }
}

export function parseSequenceSet(text: string, rangesMax: number): SequenceSet | undefined {
  return decodeSequenceSet(Buffer.from(text, 'latin1'), rangesMax);
}

/** The set as it would be sent; `ranges` must not be empty. */
export function formatRanges(ranges: readonly SequenceRange[]): string {
  const name = (value: number): string => (value === Infinity ? '*' : String(value));
  return ranges
    .map(({ first, last }) => (first === last ? name(first) : `${name(first)}:${name(last)}`))
    .join(',');
}

export function formatSequenceSet(set: SequenceSet): string {
  return set.kind === 'saved' ? '$' : formatRanges(set.ranges);
}

export function hasStar(ranges: readonly SequenceRange[]): boolean {
  return ranges.some(({ first, last }) => first === Infinity || last === Infinity);
}

/** The largest plain number, `*` aside: one above the number of messages is BAD (RFC 9051 §9, seq-number). */
export function largestNumber(ranges: readonly SequenceRange[]): number {
  let largest = 0;
  for (const { first, last } of ranges) {
    if (first !== Infinity && first > largest) largest = first;
    if (last !== Infinity && last > largest) largest = last;
  }
  return largest;
}

/**
 * Sorts, merges, and puts `largest` for `*`, so that `3291:*` holds the last UID even if that is less (RFC 9051 §9).
 * With `largest` 0 (nothing in the mailbox) an element with `*` names nothing.
 */
export function resolveRanges(ranges: readonly SequenceRange[], largest: number): Ranges {
  const plain: SequenceRange[] = [];
  for (const range of ranges) {
    const first = range.first === Infinity ? largest : range.first;
    const last = range.last === Infinity ? largest : range.last;
    if (first === 0 || last === 0) continue;
    plain.push(first <= last ? { first, last } : { first: last, last: first });
  }
  return mergeRanges(plain);
}

/** Sorts and joins ranges that touch or overlap. */
export function mergeRanges(ranges: readonly SequenceRange[]): Ranges {
  const sorted = ranges.toSorted((a, b) => a.first - b.first);
  const merged: SequenceRange[] = [];
  let open: SequenceRange | undefined;
  for (const range of sorted) {
    if (open === undefined) open = range;
    else if (range.first <= open.last + 1) {
      if (range.last > open.last) open = { first: open.first, last: range.last };
    } else {
      merged.push(open);
      open = range;
    }
  }
  if (open !== undefined) merged.push(open);
  return merged;
}

/**
 * The numbers as ranges, in the order given; a run is joined where it ascends by one. COPYUID needs that order, since
 * its two sets correspond one to one (RFC 4315 §3); for a {@link Ranges} give numbers that ascend.
 */
export function rangesOf(values: Iterable<number>): Ranges {
  const ranges: SequenceRange[] = [];
  let first = 0;
  let last = 0;
  for (const value of values) {
    if (first !== 0 && value === last + 1) {
      last = value;
      continue;
    }
    if (first !== 0) ranges.push({ first, last });
    first = value;
    last = value;
  }
  if (first !== 0) ranges.push({ first, last });
  return ranges;
}

export function countOf(ranges: Ranges): number {
  let count = 0;
  for (const { first, last } of ranges) count += last - first + 1;
  return count;
}

/** Binary search: O(log n). */
export function rangesHave(ranges: Ranges, value: number): boolean {
  let low = 0;
  let high = ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle];
    if (range === undefined) return false;
    if (value < range.first) high = middle - 1;
    else if (value > range.last) low = middle + 1;
    else return true;
  }
  return false;
}

/** Every number of the ranges, ascending. Bound the ranges first: `1:4294967295` is four thousand million. */
export function* numbersOf(ranges: Ranges): Generator<number, void, void> {
  for (const { first, last } of ranges) for (let value = first; value <= last; value += 1) yield value;
}

/** A run of places in an ascending list: from `start`, up to and without `end`. */
export type Slice = { readonly start: number; readonly end: number };

/** Where the ranges meet an ascending list of numbers: O(ranges · log list), whatever the ranges span. */
export function slicesOf(ranges: Ranges, ascending: ArrayLike<number>): readonly Slice[] {
  const slices: Slice[] = [];
  let from = 0;
  for (const { first, last } of ranges) {
    const start = lowerBound(ascending, first, from);
    const end = lowerBound(ascending, last + 1, start);
    if (end > start) slices.push({ start, end });
    from = end;
    if (from >= ascending.length) break;
  }
  return slices;
}

/** The first place at or after `from` whose number is not less than `value`. */
export function lowerBound(ascending: ArrayLike<number>, value: number, from = 0): number {
  let low = from;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] ?? Infinity) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
