/**
 * A message's digest as the octets that the store keeps: what IMAP sends stays as it is, the rest is JSON before it.
 *
 * Octet 0: version, 1. Then four lengths of 32 bits, little-endian: JSON, envelope, body structure, body; then those.
 */
import { createHash } from 'node:crypto';
import { toBuffer } from '../../base/bytes.ts';
import type { MessageDigest } from '../../message/digest.ts';
import { threadKeys } from '../thread-key.ts';

const VERSION = 1;
const HEAD_OCTETS = 17;

type Shown = Pick<MessageDigest, 'envelope' | 'bodyStructure' | 'body'>;
type Texts = Omit<MessageDigest, keyof Shown>;

export function encodeDigest({ envelope, bodyStructure, body, ...texts }: MessageDigest): Buffer {
  const json = Buffer.from(JSON.stringify(texts), 'utf8');
  const head = Buffer.alloc(HEAD_OCTETS);
  const parts = [json, envelope, bodyStructure, body];
  head[0] = VERSION;
  for (const [index, part] of parts.entries()) head.writeUInt32LE(part.length, 1 + index * 4);
  return Buffer.concat([head, ...parts]);
}

/** Whether it has the fields that every digest has; the rest was written by the same program. */
function isTexts(value: unknown): value is Texts {
  return (
    typeof value === 'object' &&
    value !== null &&
    'octets' in value &&
    'preview' in value &&
    'threadIds' in value &&
    'sortKeys' in value
  );
}

/** `undefined`: these octets are no digest (damage). */
export function decodeDigest(octets: Uint8Array): MessageDigest | undefined {
  const all = toBuffer(octets);
  const shown = decodeShown(all);
  if (shown === undefined) return undefined;
  const texts = parseTexts(all.toString('utf8', HEAD_OCTETS, HEAD_OCTETS + all.readUInt32LE(1)));
  if (texts === undefined) return undefined;
  return {
    ...texts,
    // Left out of the JSON when they are undefined.
    sentAtMs: texts.sentAtMs,
    messageId: texts.messageId,
    ...shown,
  };
}

/** What IMAP sends, without a look at the rest. `undefined`: these octets are no digest (damage). */
export function decodeShown(octets: Uint8Array): Shown | undefined {
  const all = toBuffer(octets);
  if (all.length < HEAD_OCTETS || all[0] !== VERSION) return undefined;
  const json = HEAD_OCTETS + all.readUInt32LE(1);
  const envelope = json + all.readUInt32LE(5);
  const bodyStructure = envelope + all.readUInt32LE(9);
  if (bodyStructure + all.readUInt32LE(13) !== all.length) return undefined;
  return {
    envelope: all.subarray(json, envelope),
    bodyStructure: all.subarray(envelope, bodyStructure),
    body: all.subarray(bodyStructure),
  };
}

function parseTexts(json: string): Texts | undefined {
  try {
    const value: unknown = JSON.parse(json);
    return isTexts(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The keys that tie a message to its thread as numbers below 2^53, the most telling first. */
export function threadKeyNumbers(digest: MessageDigest): number[] {
  return threadKeys(digest).map((key) => {
    const hash = createHash('sha256').update(key).digest();
    return hash.readUInt32LE(0) * 0x20_0000 + (hash.readUInt32LE(4) >>> 11);
  });
}
