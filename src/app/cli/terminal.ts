/** Where a command writes and reads. Passed in, so that tests need no process. */
import { stripVTControlCharacters } from 'node:util';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export type Terminal = {
  out(text: string): void;
  error(text: string): void;
  readonly input: NodeJS.ReadStream;
  /** What the process will end with. */
  exitCode: ExitCode;
};

export function processTerminal(): Terminal {
  // Who reads has seen enough, as `head` has.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  return {
    out: (text) => void process.stdout.write(text),
    error: (text) => void process.stderr.write(text),
    input: process.stdin,
    exitCode: EXIT.ok,
  };
}

/** One JSON document and a line end: what `--json` prints. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.out(`${JSON.stringify(value)}\n`);
}

/** Text of several lines, with nothing in it that a terminal would obey. */
export function plainLines(text: string): string {
  return text.split(/\r?\n/).map(plainText).join('\n');
}

/** Text of peers and people on one line, with nothing in it that a terminal would obey. */
export function plainText(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ');
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows.map((row) => row.map(plainText))];
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  const format = (line: readonly string[]): string =>
    line
      .map((cell, column) => (column === heads.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ');
  return `${lines.map(format).join('\n')}\n`;
}

/** `2026-01-31 23:59:58Z` */
export function formatTime(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.[0-9]+Z$/, 'Z');
}

/** `1.5 MiB` */
export function formatOctets(octets: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = octets;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit] ?? ''}`;
}
