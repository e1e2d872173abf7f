/**
 * What SEARCH compares texts with: a substring under i;unicode-casemap (RFC 5051), as RFC 9051 §6.4.4 asks for, and the
 * texts of a message decoded for it.
 */
import { latin1 } from '../../../base/bytes.ts';
import { decodeText } from '../../../message/encoded-word.ts';
import type { Part } from '../../../message/entity.ts';
import { parseHeaderOctets, unfold } from '../../../message/header.ts';
import { collationKey } from '../../../message/subject.ts';
import { toPlainText } from '../../../message/text.ts';
import type { BlobStore } from '../../../store/blob-store.ts';
import type { PlacedMessage } from '../../../store/mail-store.ts';
import { readHeader, scanBlob } from '../fetch/message-octets.ts';

/** A text folded for comparing. */
export type Needle = string;

export function toNeedle(text: string): Needle {
  return collationKey(text);
}

export function contains(folded: string, needle: Needle): boolean {
  return folded.includes(needle);
}

/** The texts of a message, decoded and folded. */
export type TextEvidence = {
  /** Each field: its key, its value. */
  readonly fields: readonly { readonly key: string; readonly value: string }[];
  /** The header section as text. */
  readonly header: string;
  /** Undefined where only the header was read. */
  readonly body: readonly string[] | undefined;
};

/** Octets of one text part that are looked into; the index of words will know the rest. */
const PART_OCTETS_MAX = 16_777_216;

/** @param withBody false reads the header only */
export async function readTexts(
  message: PlacedMessage,
  headerOctets: number,
  blobs: BlobStore,
  withBody: boolean,
): Promise<TextEvidence> {
  const section = await readHeader(message, headerOctets, blobs);
  const fields = parseHeaderOctets(section).map(({ key, name, raw }) => ({
    key,
    name,
    value: toNeedle(decodeText(unfold(raw))),
  }));
  const header = fields.map(({ name, value }) => `${toNeedle(name)}: ${value}`).join('\n');
  return { fields, header, body: withBody ? await readBodies(message, blobs) : undefined };
}

/** The texts of all text parts, and the headers of encapsulated messages (RFC 9051 §6.4.4 BODY, TEXT). */
async function readBodies(message: PlacedMessage, blobs: BlobStore): Promise<readonly string[]> {
  const { root } = await scanBlob(message, blobs);
  const texts: string[] = [];
  const open: Part[] = [root];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    open.push(...part.children.toReversed());
    if (part.kind === 'message') {
      const [inner] = part.children;
      if (inner !== undefined) {
        const octets = await blobs.read(message.blob, inner.headerStart, inner.headerEnd);
        texts.push(toNeedle(decodeText(latin1(octets))));
      }
    } else if (part.kind === 'leaf' && part.type === 'text') {
      const end = Math.min(part.bodyEnd, part.headerEnd + PART_OCTETS_MAX);
      if (end > part.headerEnd)
        texts.push(toNeedle(toPlainText(part, await blobs.read(message.blob, part.headerEnd, end))));
    }
  }
  return texts;
}
