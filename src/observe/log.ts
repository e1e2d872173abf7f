/**
 * Log lines on standard error: one JSON object a line, or text for people. Lines of several threads never mix. Those of one
 * turn of the event loop are written together, when it ends; a warning or an error at once, with all that came before it, so
 * that the last line before a crash is there. A line that cannot be written (the disk is full, the reader is gone) is lost,
 * and nothing else: the mail goes on.
 */
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Level } from './definition.ts';
import type { Log } from './observer.ts';

const STANDARD_ERROR = 2;
/** A pipe that is full is tried again so often, a millisecond apart: a reader that hangs must not hold up the sessions. */
const FULL_PIPE_TRIES = 10;
/** So many characters do not wait for the turn to end. */
const GATHERED_MAX = 65_536;

export type LogOptions = {
  readonly level: Level;
  readonly format: 'json' | 'text';
  /** Which thread writes: `main`, `session-1` … */
  readonly thread: string;
  /** Where the lines go, each at once; standard error, gathered, unless a test listens. */
  readonly write?: (line: string) => void;
};

type Destination = {
  readonly write: (line: string) => void;
  /** What was gathered is written. */
  readonly flush: () => void;
};

export function createLog({ level, format, thread, write }: LogOptions): Log {
  const destination: Destination =
    write === undefined
      ? gatherLines(lineWriter(STANDARD_ERROR))
      : { write: (line) => write(line), flush: () => undefined };
  const ends = (lineLevel: Level): void => {
    if (lineLevel === 'warn' || lineLevel === 'error') destination.flush();
  };
  if (format === 'text') {
    return {
      level,
      write: (lineLevel, name, text, fields) => {
        destination.write(formatLine(new Date(), lineLevel, name, text, fields));
        ends(lineLevel);
      },
    };
  }
  const logger = pino(
    {
      level,
      base: { thread },
      messageKey: 'text',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return {
    level,
    write: (lineLevel, name, text, fields) => {
      logger[lineLevel]({ event: name, ...fields }, text);
      ends(lineLevel);
    },
  };
}

/** Lines go on together, when the turn of the event loop ends, when they are many, and when this thread ends. */
export function gatherLines(write: (lines: string) => void): Destination {
  let gathered = '';
  const flush = (): void => {
    const lines = gathered;
    gathered = '';
    if (lines !== '') write(lines);
  };
  process.on('exit', flush);
  return {
    write: (line) => {
      if (gathered === '') setImmediate(flush);
      gathered += line;
      if (gathered.length > GATHERED_MAX) flush();
    },
    flush,
  };
}

/** Writes lines whole and at once to a file, and never throws. */
export function lineWriter(descriptor: number): (line: string) => void {
  /** The last line was cut in the middle. */
  let isCut = false;
  return (line) => {
    const octets = Buffer.from(isCut ? `\n${line}` : line);
    let written = 0;
    let tries = FULL_PIPE_TRIES;
    while (written < octets.length && tries > 0) {
      try {
        written += writeSync(descriptor, octets, written);
      } catch (cause) {
        const isFull = cause instanceof Error && 'code' in cause && cause.code === 'EAGAIN';
        tries = isFull ? tries - 1 : 0;
        if (tries > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
      }
    }
    isCut = written < octets.length && (isCut || written > 0);
  };
}

/** `14:03:09.120 info  smtp.session-opened A client connected  remote=192.0.2.1` */
export function formatLine(
  at: Date,
  level: Level,
  name: string,
  text: string,
  fields: Readonly<Record<string, unknown>>,
): string {
  const time = at.toISOString().slice('2026-01-01T'.length, -1);
  const rest = Object.entries(fields).map(([field, value]) => ` ${field}=${plain(value)}`);
  return `${time} ${level.padEnd(5)} ${name} ${text}${rest.length === 0 ? '' : ` ${rest.join('')}`}\n`;
}

/** What a peer sent must not look like another line, nor speak to the terminal. */
function plain(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[\w@.:/+…[\]-]+$/u.test(text) ? text : JSON.stringify(text);
}
