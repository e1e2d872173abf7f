/**
 * Cuts what a client sends into commands. A state machine without a socket: octets are pushed in, events are pulled
 * out one at a time, so the caller decides when the next command is looked at, and what waits is in {@link pending}.
 *
 * Lines end with CRLF; LF alone is taken too, as Dovecot does (departs from RFC 9051 §2.2). A line that ends in
 * `{n}`, `{n+}`, `~{n}` or `~{n+}` announces a literal, whatever stands before it. The literals of APPEND are handed
 * on as they come; others are kept, up to their limit. Time is linear in the octets however they are cut, and memory
 * is bounded by the limits. Units: octets. Sources: RFC 9051 §2.2.1, §4.3; RFC 7888; RFC 3502.
 */
import { CR, CRLF, LF } from '../../base/bytes.ts';
import { LIMITS } from '../../base/limits.ts';
import {
  parseAppendLine,
  parseReplaced,
  type AppendMessage,
  type AppendPlace,
  type AppendStep,
  type ReplacedMessage,
} from './command/append.ts';
import { decodeOpened, parseOpening, type Command, type Opening } from './command.ts';
import {
  ANNOUNCEMENT_OCTETS_MAX,
  announcementAtEnd,
  Cursor,
  decodeBase64,
  type Announcement,
  type ParseContext,
  type Problem,
} from './cursor.ts';
import type { ResponseCode } from './response-code.ts';

export type CommandLimits = {
  /** One command, its literals and line ends not counted. */
  readonly lineOctetsMax: number;
  /** One literal that is not a message. */
  readonly literalOctetsMax: number;
  /** All such literals of one command. */
  readonly literalTotalOctetsMax: number;
  /** A message: a non-synchronizing literal above it is not even skipped, the session ends (RFC 7888 §4). */
  readonly skipOctetsMax: number;
  /** 4096 where LITERAL- is offered (RFC 7888 §5), Infinity for LITERAL+. */
  readonly nonSyncOctetsMax: number;
  /** One line of an AUTHENTICATE exchange. */
  readonly saslLineOctetsMax: number;
  readonly nestingMax: number;
  readonly searchKeysMax: number;
  readonly sequenceRangesMax: number;
  readonly fetchItemsMax: number;
};

export const COMMAND_LIMITS: CommandLimits = {
  lineOctetsMax: LIMITS.imapLineOctetsMax,
  literalOctetsMax: LIMITS.imapLiteralOctetsMax,
  literalTotalOctetsMax: LIMITS.imapLiteralTotalOctetsMax,
  skipOctetsMax: LIMITS.messageOctetsMax,
  nonSyncOctetsMax: 4096,
  saslLineOctetsMax: LIMITS.smtpAuthLineOctetsMax,
  nestingMax: LIMITS.imapNestingMax,
  searchKeysMax: LIMITS.imapSearchKeysMax,
  sequenceRangesMax: LIMITS.imapSequenceRangesMax,
  fetchItemsMax: LIMITS.imapFetchItemsMax,
};

/** For strangers: names and passwords fit, and who has not signed in costs little memory. */
export const STRANGER_LIMITS: CommandLimits = {
  ...COMMAND_LIMITS,
  lineOctetsMax: LIMITS.imapStrangerLineOctetsMax,
  literalOctetsMax: LIMITS.imapStrangerLiteralOctetsMax,
  literalTotalOctetsMax: 2 * LIMITS.imapStrangerLiteralOctetsMax,
  skipOctetsMax: LIMITS.imapStrangerSkipOctetsMax,
};

export type ReaderEvent =
  /** Nothing more until octets are pushed. */
  | { readonly kind: 'need-more' }
  /** Send a command continuation request: the client waits with a literal (RFC 9051 §7.6). */
  | { readonly kind: 'continue' }
  | { readonly kind: 'command'; readonly tag: string; readonly command: Command }
  /**
   * An APPEND says its message, or a part of it (RFC 4469). Call `acceptAppend` (having sent a continuation request if the
   * literal is `sync`) or `refuseAppend` (having sent the tagged reply) before the next pull. `first` is false for the
   * later messages of a MULTIAPPEND.
   */
  | {
      readonly kind: 'append';
      readonly tag: string;
      readonly mailbox: string;
      /** What a REPLACE takes the place of; `Infinity` for `*`. */
      readonly replaced?: ReplacedMessage;
      readonly first: boolean;
      readonly message: AppendMessage;
    }
  | ({ readonly tag: string } & Exclude<AppendStep, { kind: 'message' }>)
  /** Octets of the accepted literal: a view of what was pushed. `left` is 0 with the last, and once for `{0}`. */
  | { readonly kind: 'append-octets'; readonly octets: Buffer; readonly left: number }
  /** All messages of the APPEND are there: carry it out. */
  | { readonly kind: 'append-end'; readonly tag: string }
  | { readonly kind: 'idle-done' }
  /** Undefined: the client cancels with `*` (RFC 9051 §6.2.2). */
  | { readonly kind: 'sasl'; readonly response: Buffer | undefined }
  /**
   * Answer with the tag, or untagged. An APPEND under way is over: nothing of it is kept. After `fatal` send BYE and
   * close: nothing more can be read.
   */
  | ({ readonly kind: 'bad'; readonly tag: string | undefined; readonly fatal: boolean } & Problem);

/** What the next line is. After one line of another kind, commands are expected again. */
export type Expectation = 'command' | 'idle-done' | 'sasl';

type Phase =
  | { readonly name: 'line' }
  /** A literal that is kept. */
  | { readonly name: 'literal'; left: number }
  /** An APPEND waits for the caller's word; of its line there may be more. */
  | { readonly name: 'asked'; readonly literal: Announcement | undefined }
  | { readonly name: 'message'; left: number }
  /** Octets and lines of a command that was answered already. */
  | { readonly name: 'skip-line' }
  | { readonly name: 'skip-literal'; left: number }
  | { readonly name: 'dead' };

type Append = {
  readonly tag: string;
  readonly mailbox: string;
  readonly replaced: ReplacedMessage | undefined;
  messages: number;
  /** Where its next line begins. */
  place: AppendPlace;
  /** What its last line said, how much of that was told, and the literal at the end of that line. */
  steps: readonly AppendStep[];
  told: number;
  literal: Announcement | undefined;
  /** What comes behind these steps: octets that were asked for, a URL as a literal, or the end. */
  next: 'octets' | 'url' | 'end';
};

const EMPTY: Buffer = Buffer.alloc(0);
const NEED_MORE: ReaderEvent = { kind: 'need-more' };
const CONTINUE: ReaderEvent = { kind: 'continue' };
const LINE: Phase = { name: 'line' };
const SKIP_LINE: Phase = { name: 'skip-line' };
const HELD_OCTETS_MIN = 512;
/** Tag and verb are looked for within this. */
const TAG_WINDOW_OCTETS = 256;

export function createCommandReader(
  limits: CommandLimits = COMMAND_LIMITS,
  options: ReaderOptions = {},
): CommandReader {
  return new CommandReader(limits, options);
}

export type ReaderOptions = Pick<ParseContext, 'decodeCharset'>;

export class CommandReader {
  #limits: CommandLimits;
  #context: ParseContext;
  #expectation: Expectation = 'command';
  #phase: Phase = LINE;
  #chunks: Buffer[] = [];
  #chunk: Buffer = EMPTY;
  #at = 0;
  /** The text of the command so far, its literals in place; capacity doubles. */
  #held: Buffer = EMPTY;
  #heldOctets = 0;
  /** Where the line that is being read begins in the held text: what a literal holds announces nothing. */
  #segmentAt = 0;
  /** Line octets of this command, literals not counted. */
  #lineOctets = 0;
  #literalOctets = 0;
  #skipped = 0;
  /** The end of a line that is skipped: enough to see a literal announced. */
  #tail: Buffer = EMPTY;
  #append: Append | undefined;

  constructor(limits: CommandLimits, options: ReaderOptions) {
    this.#limits = limits;
    const { nestingMax, searchKeysMax, sequenceRangesMax, fetchItemsMax } = limits;
    this.#context = { ...options, utf8: false, nestingMax, searchKeysMax, sequenceRangesMax, fetchItemsMax };
  }

  /** Keeps views of the octets until they are pulled: do not write to them again. */
  push(octets: Buffer): void {
    if (octets.length > 0) this.#chunks.push(octets);
  }

  /** From the next octet on; those of the parser (nesting, keys, ranges, items) stay. */
  setLimits(limits: CommandLimits): void {
    this.#limits = limits;
  }

  /** Mailbox names are UTF-8 from the next command on: after ENABLE IMAP4rev2 or UTF8=ACCEPT. */
  setUtf8(utf8: boolean): void {
    this.#context = { ...this.#context, utf8 };
  }

  /** Say what the next line is, right after the event that changed it. */
  expect(expectation: Expectation): void {
    this.#expectation = expectation;
  }

  /** Octets pushed and not yet part of an event: what STARTTLS must not leave behind (RFC 9051 §6.2.1). */
  pending(): number {
    let octets = this.#chunk.length - this.#at + this.#heldOctets;
    for (const chunk of this.#chunks) octets += chunk.length;
    return octets;
  }

  /** Forgets all that is pending, a command half read included. */
  discardPending(): void {
    this.#chunks = [];
    this.#chunk = EMPTY;
    this.#at = 0;
    if (this.#phase.name !== 'dead') this.#reset();
  }

  acceptAppend(): void {
    if (this.#phase.name !== 'asked') throw new TypeError('No APPEND is waiting for an answer');
    const { literal } = this.#phase;
    if (literal === undefined) {
      this.#phase = LINE;
      return;
    }
    this.#phase = { name: 'message', left: literal.octets };
    this.#heldOctets = 0;
    this.#segmentAt = 0;
    this.#lineOctets = 0;
  }

  /** A synchronizing literal is not sent after a tagged reply; another is skipped, up to the limit of accepting. */
  refuseAppend(): void {
    if (this.#phase.name !== 'asked') throw new TypeError('No APPEND is waiting for an answer');
    const literal = this.#append?.literal;
    if (literal === undefined) this.#reset();
    else this.#skipLiteral(literal);
  }

  next(): ReaderEvent {
    for (;;) {
      const event = this.#step();
      if (event !== undefined) return event;
    }
  }

  /** Undefined: something was done, go on. */
  #step(): ReaderEvent | undefined {
    const phase = this.#phase;
    if (phase.name === 'asked') throw new TypeError('An APPEND is waiting for an answer');
    if (phase.name === 'dead') return NEED_MORE;
    if (phase.name === 'line' && this.#append !== undefined && hasMore(this.#append))
      return this.#tell(this.#append);
    if (phase.name === 'message' && phase.left === 0) return this.#messageOctets(phase);
    if (this.#at === this.#chunk.length && !this.#nextChunk()) return NEED_MORE;
    switch (phase.name) {
      case 'line':
        return this.#line();
      case 'literal':
        return this.#literal(phase);
      case 'message':
        return this.#messageOctets(phase);
      case 'skip-line':
        return this.#skipLine();
      case 'skip-literal':
        return this.#skipOctets(phase);
    }
  }

  #nextChunk(): boolean {
    const chunk = this.#chunks.shift();
    this.#chunk = chunk ?? EMPTY;
    this.#at = 0;
    return chunk !== undefined;
  }

  #take(octets: number): Buffer {
    const end = Math.min(this.#at + octets, this.#chunk.length);
    const taken = this.#chunk.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  #hold(octets: Buffer): void {
    const needed = this.#heldOctets + octets.length;
    if (needed > this.#held.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(HELD_OCTETS_MIN, this.#held.length * 2, needed));
      this.#held.copy(grown, 0, 0, this.#heldOctets);
      this.#held = grown;
    }
    octets.copy(this.#held, this.#heldOctets);
    this.#heldOctets = needed;
  }

  #reset(): void {
    this.#phase = LINE;
    this.#expectation = 'command';
    this.#held = EMPTY;
    this.#heldOctets = 0;
    this.#segmentAt = 0;
    this.#lineOctets = 0;
    this.#literalOctets = 0;
    this.#skipped = 0;
    this.#tail = EMPTY;
    this.#append = undefined;
  }

  #line(): ReaderEvent | undefined {
    const found = this.#chunk.indexOf(LF, this.#at);
    const end = found === -1 ? this.#chunk.length : found;
    const max = this.#expectation === 'sasl' ? this.#limits.saslLineOctetsMax : this.#limits.lineOctetsMax;
    // The CR is counted, so that a line is too long however it was cut.
    if (this.#lineOctets + end - this.#at > max + 1) return this.#tooLong(max);
    this.#lineOctets += end - this.#at;
    if (found === -1) {
      this.#hold(this.#take(end - this.#at));
      return undefined;
    }
    let text = this.#chunk.subarray(this.#at, end);
    this.#at = end + 1;
    if (this.#heldOctets > 0) {
      this.#hold(text);
      text = this.#held.subarray(0, this.#heldOctets);
    }
    const line = text[text.length - 1] === CR ? text.subarray(0, text.length - 1) : text;
    if (this.#expectation === 'sasl') return this.#saslLine(line);
    if (this.#expectation === 'idle-done') return this.#idleLine(line);
    const literal = announcementAtEnd(line.subarray(this.#segmentAt));
    if (this.#append !== undefined) return this.#appendLine(line, literal, this.#append);
    if (literal !== undefined) return this.#announced(line, literal);
    const cursor = new Cursor(line, this.#context);
    const opening = parseOpening(cursor);
    if (opening.kind === 'append') return this.#appendOpened(cursor, opening, undefined);
    this.#reset();
    const result = decodeOpened(cursor, opening);
    if (result.ok) return { kind: 'command', ...result.value };
    return { kind: 'bad', fatal: false, ...result.error };
  }

  #saslLine(line: Buffer): ReaderEvent {
    this.#reset();
    if (line.length === 1 && line[0] === 0x2a) return { kind: 'sasl', response: undefined };
    const response = decodeBase64(line);
    return response === undefined ? bad(undefined, 'Expected base64') : { kind: 'sasl', response };
  }

  #idleLine(line: Buffer): ReaderEvent {
    const done = line.toString('latin1').toUpperCase() === 'DONE';
    this.#reset();
    if (done) return { kind: 'idle-done' };
    const literal = announcementAtEnd(line);
    return this.#refuse(bad(undefined, 'Expected DONE'), literal);
  }

  #tooLong(max: number): ReaderEvent {
    // As many octets as are surely there, so that the tag does not depend on how the line was cut.
    const window = Math.min(TAG_WINDOW_OCTETS, max);
    const start = Buffer.concat([
      this.#held.subarray(0, Math.min(this.#heldOctets, window)),
      this.#chunk.subarray(this.#at, this.#at + window),
    ]).subarray(0, window);
    const tag = this.#append?.tag ?? (this.#expectation === 'command' ? this.#tagOf(start) : undefined);
    const tailAt = Math.max(this.#segmentAt, this.#heldOctets - ANNOUNCEMENT_OCTETS_MAX - 1);
    const tail = Buffer.from(this.#held.subarray(tailAt, this.#heldOctets));
    // What was read of it before counts, so that too much to skip is too much however it was cut.
    const skipped = this.#lineOctets;
    this.#reset();
    this.#skipped = skipped;
    this.#phase = SKIP_LINE;
    this.#tail = tail;
    return bad(tag, 'The line is too long');
  }

  #tagOf(text: Buffer): string | undefined {
    return parseOpening(new Cursor(text, this.#context)).tag;
  }

  /** A literal of a command: kept, unless it is the message of an APPEND. */
  #announced(line: Buffer, literal: Announcement): ReaderEvent | undefined {
    this.#keepLine(line);
    const text = this.#held.subarray(0, this.#heldOctets);
    const head = new Cursor(text.subarray(0, TAG_WINDOW_OCTETS), this.#context);
    const opening = parseOpening(head);
    if (opening.kind === 'bad') return this.#refuse({ ...fromCursor(head), tag: opening.tag }, literal);
    if (opening.kind === 'other') return this.#keep(literal, opening.tag);
    // Linear: only the name of the mailbox can be a literal before the message.
    const cursor = new Cursor(text, this.#context);
    parseOpening(cursor);
    return this.#appendOpened(cursor, opening, literal);
  }

  #appendOpened(
    cursor: Cursor,
    { tag, verb, uid }: Extract<Opening, { kind: 'append' }>,
    literal: Announcement | undefined,
  ): ReaderEvent | undefined {
    const replaced = verb === 'REPLACE' ? parseReplaced(cursor, uid) : undefined;
    if (verb === 'REPLACE' && replaced === undefined)
      return this.#refuse({ ...fromCursor(cursor), tag }, literal);
    const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
    // The literal at the end is the mailbox's name, and its octets are still to come.
    if (literal !== undefined && (cursor.starved || (mailbox !== undefined && cursor.done())))
      return this.#keep(literal, tag);
    if (mailbox === undefined) return this.#refuse({ ...fromCursor(cursor), tag }, literal);
    const place = { at: 'first', closing: false } as const;
    this.#append = {
      tag,
      mailbox,
      replaced,
      messages: 0,
      place,
      steps: [],
      told: 0,
      literal,
      next: 'octets',
    };
    return this.#parseAppend(cursor, literal, this.#append);
  }

  /** What follows a literal of an APPEND: the line end, another message, or more parts of this one. */
  #appendLine(line: Buffer, literal: Announcement | undefined, append: Append): ReaderEvent | undefined {
    const text = literal === undefined ? line : Buffer.concat([line, CRLF]);
    return this.#parseAppend(new Cursor(text, this.#context), literal, append);
  }

  #parseAppend(cursor: Cursor, literal: Announcement | undefined, append: Append): ReaderEvent | undefined {
    const { tag, replaced } = append;
    const line = parseAppendLine(cursor, append.place);
    if (line === undefined) return this.#refuse({ ...fromCursor(cursor), tag }, literal);
    const messages = line.steps.filter(({ kind }) => kind === 'message').length;
    // RFC 8508 §4.7: one message takes the place of one.
    if (replaced !== undefined && append.messages + messages > 1)
      return this.#refuse(bad(tag, 'REPLACE takes one message'), literal);
    const { next } = line;
    if (next.kind === 'url' && literal === undefined)
      return this.#refuse(bad(tag, 'Expected a part'), literal);
    if (next.kind === 'octets' && literal !== undefined && this.#isTooBig(literal))
      return this.#refuse(bad(tag, 'The literal is too large', 'TOOBIG'), literal);
    if (next.kind === 'octets') append.place = next.place;
    if (next.kind === 'url') {
      append.place = { at: 'part', closing: false };
      this.#heldOctets = 0;
      this.#hold(cursor.octets.subarray(next.from));
      this.#segmentAt = this.#heldOctets;
    }
    append.steps = line.steps;
    append.told = 0;
    append.literal = literal;
    append.next = next.kind;
    return this.#tell(append);
  }

  /** The next thing that the line has said. */
  #tell(append: Append): ReaderEvent | undefined {
    const { tag, mailbox, replaced, literal, next } = append;
    const step = append.steps[append.told];
    append.told += 1;
    if (step === undefined && next === 'end') {
      this.#reset();
      return { kind: 'append-end', tag };
    }
    if (step === undefined) {
      append.next = 'octets';
      if (literal === undefined) throw new TypeError('A URL was cut short without a literal');
      return this.#keep(literal, tag);
    }
    this.#phase = { name: 'asked', literal: hasMore(append) ? undefined : literal };
    if (step.kind !== 'message') return { ...step, tag };
    append.messages += 1;
    return {
      kind: 'append',
      tag,
      mailbox,
      ...(replaced === undefined ? {} : { replaced }),
      first: append.messages === 1,
      message: step.message,
    };
  }

  #isTooBig({ octets, sync }: Announcement): boolean {
    const { nonSyncOctetsMax, skipOctetsMax } = this.#limits;
    return octets === Infinity || (!sync && (octets > nonSyncOctetsMax || octets > skipOctetsMax));
  }

  /** The line that announced a literal, with its line end, becomes part of the held text. */
  #keepLine(line: Buffer): void {
    if (this.#heldOctets === 0) this.#hold(line);
    else this.#heldOctets = line.length;
    this.#hold(CRLF);
    this.#segmentAt = this.#heldOctets;
  }

  /** The literal is kept with the command, if it may. */
  #keep(literal: Announcement, tag: string | undefined): ReaderEvent | undefined {
    const { literalOctetsMax, literalTotalOctetsMax, nonSyncOctetsMax } = this.#limits;
    this.#literalOctets += literal.octets;
    if (
      literal.octets > literalOctetsMax ||
      this.#literalOctets > literalTotalOctetsMax ||
      (!literal.sync && literal.octets > nonSyncOctetsMax)
    )
      return this.#refuse(bad(tag, 'The literal is too large', 'TOOBIG'), literal);
    this.#phase = literal.octets === 0 ? LINE : { name: 'literal', left: literal.octets };
    return literal.sync ? CONTINUE : undefined;
  }

  #literal(phase: Extract<Phase, { name: 'literal' }>): undefined {
    const octets = this.#take(phase.left);
    this.#hold(octets);
    phase.left -= octets.length;
    if (phase.left > 0) return;
    this.#segmentAt = this.#heldOctets;
    this.#phase = LINE;
  }

  #messageOctets(phase: Extract<Phase, { name: 'message' }>): ReaderEvent {
    const octets = this.#take(phase.left);
    phase.left -= octets.length;
    if (phase.left === 0) this.#phase = LINE;
    return { kind: 'append-octets', octets, left: phase.left };
  }

  /** The command is answered with `event`; a literal that comes whatever is said must be read past. */
  #refuse(event: Bad, literal: Announcement | undefined): ReaderEvent {
    if (literal === undefined) this.#reset();
    else if (!literal.sync && this.#skipped + literal.octets > this.#limits.skipOctetsMax) {
      this.#reset();
      this.#phase = { name: 'dead' };
      // RFC 7888 §4: too much to read for nothing, so BYE.
      return { ...event, code: 'TOOBIG', fatal: true };
    } else this.#skipLiteral(literal);
    return event;
  }

  #skipLiteral(literal: Announcement): void {
    const skipped = this.#skipped + literal.octets;
    this.#reset();
    // The client saw or will see the tagged reply instead of a continuation: its next line is a new command.
    if (literal.sync) return;
    this.#skipped = skipped;
    this.#phase = { name: 'skip-literal', left: literal.octets };
  }

  #skipOctets(phase: Extract<Phase, { name: 'skip-literal' }>): undefined {
    phase.left -= this.#take(phase.left).length;
    if (phase.left === 0) this.#phase = SKIP_LINE;
  }

  #skipLine(): ReaderEvent | undefined {
    const found = this.#chunk.indexOf(LF, this.#at);
    const piece = this.#take((found === -1 ? this.#chunk.length : found) - this.#at);
    const tail = Buffer.concat([this.#tail, piece.subarray(-ANNOUNCEMENT_OCTETS_MAX - 1)]);
    this.#tail = tail.subarray(-ANNOUNCEMENT_OCTETS_MAX - 1);
    this.#skipped += piece.length;
    if (this.#skipped > this.#limits.skipOctetsMax) return this.#giveUp();
    if (found === -1) return undefined;
    this.#at += 1;
    const line = this.#tail[this.#tail.length - 1] === CR ? this.#tail.subarray(0, -1) : this.#tail;
    const literal = announcementAtEnd(line);
    if (literal === undefined || literal.sync) {
      this.#reset();
      return undefined;
    }
    if (this.#skipped + literal.octets > this.#limits.skipOctetsMax) return this.#giveUp();
    this.#skipLiteral(literal);
    return undefined;
  }

  #giveUp(): ReaderEvent {
    this.#reset();
    this.#phase = { name: 'dead' };
    return bad(undefined, 'Too much to skip', 'TOOBIG', true);
  }
}

function hasMore({ steps, told, next }: Append): boolean {
  return told < steps.length || next !== 'octets';
}

type Bad = Extract<ReaderEvent, { kind: 'bad' }>;

function bad(tag: string | undefined, text: string, code?: ResponseCode, fatal = false): Bad {
  return { kind: 'bad', tag, fatal, status: 'BAD', text, ...(code === undefined ? {} : { code }) };
}

function fromCursor(cursor: Cursor): Bad {
  return {
    kind: 'bad',
    tag: undefined,
    fatal: false,
    ...(cursor.problem ?? { status: 'BAD', text: 'Bad command' }),
  };
}
