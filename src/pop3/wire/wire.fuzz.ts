/** What a client sends is read alike however it was cut, and what is sent reads back as it was (RFC 1939 §3). */
import assert from 'node:assert/strict';
import { latin1 } from '../../base/bytes.ts';
import { parseCommand } from './command.ts';
import { LineReader, type LineLimits } from './line-reader.ts';
import { MultiLine, TopCutter } from './multi-line.ts';

const LIMITS: LineLimits = { lineOctetsMax: 64, skipOctetsMax: 256 };

export const covers: RegExp = /src\/pop3\/wire\//;
export const seeds: readonly Uint8Array[] = [
  'CAPA\r\nUSER alice\r\nPASS a b c\r\nSTAT\r\nLIST\r\nLIST 1\r\nUIDL 2\r\nRETR 1\r\nTOP 1 10\r\nDELE 1\r\nRSET\r\nNOOP\r\nQUIT\r\n',
  'AUTH PLAIN =\r\nAUTH\r\nLANG *\r\nUTF8\r\nSTLS\r\n',
  `${'x'.repeat(70)}\r\nNOOP\r\n`,
  'Subject: a\r\n\r\n.\r\n..\r\n.a\r\nb\n.c\r\r\n\r',
].map((text) => Buffer.from(text));

export function readAll(chunks: readonly Uint8Array[]): readonly string[] {
  const reader = new LineReader();
  const read: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let line = reader.next(LIMITS); line.kind !== 'need-more'; line = reader.next(LIMITS)) {
      read.push(line.kind === 'line' ? `=${latin1(line.octets)}` : line.kind);
      if (line.kind === 'endless') return read;
    }
  }
  return read;
}

export function sendAll(chunks: readonly Uint8Array[], lines?: number): string {
  const body = new MultiLine();
  const cutter = lines === undefined ? undefined : new TopCutter(lines);
  const out: Buffer[] = [];
  for (const chunk of chunks) {
    out.push(body.push(cutter === undefined ? chunk : chunk.subarray(0, cutter.take(chunk))));
    if (cutter?.isDone === true) break;
  }
  return latin1(Buffer.concat([...out, body.end()]));
}

/** As a client reads it. */
export function unstuffed(sent: string): string {
  const end = sent.indexOf('\r\n.\r\n');
  const body = sent === '.\r\n' ? '' : sent.slice(0, end + 2);
  assert.equal(sent.length, body.length + 3, 'octets behind the end');
  return body.replaceAll(/(^|\r\n)\./g, '$1');
}

export function fuzz(octets: Uint8Array): void {
  const single = Array.from(octets, (octet) => Uint8Array.of(octet));
  assert.deepEqual(readAll(single), readAll([octets]));
  for (const line of readAll([octets]))
    if (line.startsWith('=')) parseCommand(Buffer.from(line.slice(1), 'latin1'));
  assert.equal(sendAll(single), sendAll([octets]));
  const canonical = latin1(octets).replaceAll(/\r?\n/g, '\r\n');
  const whole = canonical === '' || canonical.endsWith('\r\n') ? canonical : `${canonical}\r\n`;
  assert.equal(unstuffed(sendAll([octets])), whole);
  for (const lines of [0, 2]) {
    assert.equal(sendAll(single, lines), sendAll([octets], lines));
    assert(whole.startsWith(unstuffed(sendAll([octets], lines))));
  }
}
