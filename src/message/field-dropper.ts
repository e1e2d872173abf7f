/**
 * Takes some fields out of a message's header while the message streams by: from the name to the end of the last folded
 * line, whatever the case of the name and the blanks before its colon (RFC 5322 §4.5: `Bcc :`). Nothing behind the first
 * empty line is looked at: parts have headers of their own.
 *
 * Octets in, octets out; what could still become a name that is looked for is kept back, a few octets of a line. A name with
 * more blanks behind it than any line may have is dropped without waiting for its colon.
 */
import { Buffer } from 'node:buffer';
import { CR, LF, SPACE, TAB, toBuffer } from '../base/bytes.ts';

const COLON = 0x3a;
/** RFC 5322 §2.1.1: octets of a line. */
const LINE_OCTETS_MAX = 998;
const NOTHING: Buffer = Buffer.alloc(0);

type Mode =
  /** At the beginning of a line, or in a name that may be one of those. */
  | 'name'
  /** In a line that stays, or that goes. */
  | 'keep'
  | 'drop'
  /** Behind the header. */
  | 'body';

export class FieldDropper {
  readonly #names: readonly string[];
  #mode: Mode = 'name';
  /** Whether the field before goes: so do lines that begin with a blank. */
  #dropsField = false;
  /** Of the line that is being looked at. */
  #pending: Buffer = NOTHING;

  /** @param names in lower case, ASCII */
  constructor(names: readonly string[]) {
    this.#names = names;
  }

  /** What is left of these octets, and of those before that were kept back. The same array where all of it is. */
  push(octets: Uint8Array): Uint8Array {
    if (this.#mode === 'body') return octets;
    const input = this.#pending.length === 0 ? toBuffer(octets) : Buffer.concat([this.#pending, octets]);
    this.#pending = NOTHING;
    const kept: Buffer[] = [];
    let at = 0;
    let from = 0;
    while (at < input.length && !this.#isBehindHeader()) {
      if (this.#mode === 'name') {
        const decided = this.#decide(input, at);
        if (decided === undefined) {
          this.#pending = input.subarray(at);
          break;
        }
        if (decided === 'drop' && from < at) kept.push(input.subarray(from, at));
        this.#mode = decided;
      } else {
        const end = input.indexOf(LF, at) + 1;
        at = end === 0 ? input.length : end;
        if (this.#mode === 'drop') from = at;
        if (end !== 0) this.#mode = 'name';
      }
    }
    const until = input.length - this.#pending.length;
    if (this.#mode !== 'drop' && from < until) kept.push(input.subarray(from, until));
    const [only] = kept;
    if (only === undefined) return NOTHING;
    if (kept.length > 1) return Buffer.concat(kept);
    return only.length === octets.length && input.length === octets.length ? octets : only;
  }

  /** After the last octet: what was kept back. */
  end(): Uint8Array {
    const rest = this.#pending;
    this.#pending = NOTHING;
    return rest;
  }

  #isBehindHeader(): boolean {
    return this.#mode === 'body';
  }

  /** What becomes of the line that begins here; undefined: more of it is needed. */
  #decide(input: Buffer, start: number): 'keep' | 'drop' | 'body' | undefined {
    const first = input[start];
    if (first === LF) return 'body';
    if (first === CR) {
      if (start + 1 === input.length) return undefined;
      return input[start + 1] === LF ? 'body' : this.#field('keep');
    }
    // RFC 5322 §2.2.3: a folded line is of the field before.
    if (isBlank(first)) return this.#dropsField ? 'drop' : 'keep';
    const room = input.length - start;
    let undecided = false;
    for (const name of this.#names) {
      const said = input.toString('latin1', start, start + name.length).toLowerCase();
      if (room < name.length) undecided ||= name.startsWith(said);
      else if (said === name) {
        let colon = start + name.length;
        while (isBlank(input[colon])) colon += 1;
        if (input[colon] === COLON || colon - start > LINE_OCTETS_MAX) return this.#field('drop');
        undecided ||= colon === input.length;
      }
    }
    return undecided ? undefined : this.#field('keep');
  }

  #field(becomes: 'keep' | 'drop'): 'keep' | 'drop' {
    this.#dropsField = becomes === 'drop';
    return becomes;
  }
}

function isBlank(octet: number | undefined): boolean {
  return octet === SPACE || octet === TAB;
}
