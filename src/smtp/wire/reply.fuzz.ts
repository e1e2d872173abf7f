/** A peer's replies: never throw, the cut of the octets changes nothing, and nothing beyond the limits is kept. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { parseFeatures } from '../client/features.ts';
import { parseEnhancedStatus } from './enhanced-status.ts';
import type { ReplyScan } from './reply.ts';
import { formatReply, reply, ReplyReader } from './reply.ts';

export const covers: RegExp = /src\/smtp\/(?:wire\/(?:reply|enhanced-status)|client\/features)\.ts$/;

/** The first octet says where the rest is cut. */
export const seeds: readonly Uint8Array[] = [
  '\x05250-mail.example.test\r\n250-SIZE 1000\r\n250-AUTH=PLAIN\r\n250 PIPELINING\r\n',
  '\x03550 5.1.1 No such user\r\n',
  '\x09421\n354 \r\n2',
].map((text) => Buffer.from(text, 'latin1'));

export function fuzz(octets: Uint8Array): void {
  const [cut = 0] = octets;
  const input = Buffer.from(octets.subarray(1));
  const at = cut % (input.length + 1);
  const whole = read([input]);
  assert.deepEqual(read([input.subarray(0, at), input.subarray(at)]), whole);
  for (const scan of whole) {
    if (scan.kind !== 'reply') continue;
    assert.ok(scan.reply.lines.length <= LIMITS.linesMax);
    parseFeatures(scan.reply);
    const status = parseEnhancedStatus(scan.reply.lines[0] ?? '');
    const again = new ReplyReader({ lineOctetsMax: 512, linesMax: 1000 });
    again.push(Buffer.from(formatReply(reply(scan.reply.code, status, ...scan.reply.lines))));
    assert.equal(again.next().kind, 'reply');
    assert.equal(again.pending, false);
  }
}

function read(chunks: readonly Buffer[]): ReplyScan[] {
  const reader = new ReplyReader(LIMITS);
  const scans: ReplyScan[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (let scan = reader.next(); scan.kind !== 'need-more'; scan = reader.next()) {
      // How much of a line that is too long has come depends on the cut; that it is too long does not.
      scans.push(scan.kind === 'garbage' && scan.problem === 'line-too-long' ? { ...scan, line: '' } : scan);
      if (scan.kind === 'garbage') return scans;
    }
  }
  return scans;
}

const LIMITS = { lineOctetsMax: 256, linesMax: 10 };
