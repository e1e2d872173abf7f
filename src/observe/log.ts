/**
 * Log lines on standard error: one JSON object a line, or text for people. Written at once, so that lines of several
 * threads never mix and the last line before a crash is there. A line that cannot be written (the disk is full, the
 * reader is gone) is lost, and nothing else: the mail goes on.
 */
import { writeSync } from 'node:fs';
import { pino } from 'pino';
import type { Level } from './definition.ts';
import type { Log } from './observer.ts';

const STANDARD_ERROR = 2;
/** A pipe that is full is tried again so often, a millisecond apart: a reader that hangs must not hold up the sessions. */
const FULL_PIPE_TRIES = 10;

export type LogOptions = {
  readonly level: Level;
  readonly format: 'json' | 'text';
  /** Which thread writes: `main`, `session-1` … */
  readonly thread: string;
  /** Where the octets go; standard error unless a test listens. */
  readonly write?: (line: string) => void;
};

export function createLog({ level, format, thread, write }: LogOptions): Log {
  const destination = { write: write ?? lineWriter(STANDARD_ERROR) };
  if (format === 'text') {
    return {
      level,
      write: (lineLevel, name, text, fields) => {
        destination.write(formatLine(new Date(), lineLevel, name, text, fields));
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
    write: (lineLevel, name, text, fields) => logger[lineLevel]({ event: name, ...fields }, text),
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
