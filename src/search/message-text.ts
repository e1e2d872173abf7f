/**
 * What a search compares texts with: a substring under i;unicode-casemap (RFC 5051), as RFC 9051 §6.4.4 asks for, and the
 * texts of a message decoded for it. A scan of messages and the index of their words are both made of this.
 */
import { decodeText } from '../message/encoded-word.ts';
import type { Part } from '../message/entity.ts';
import { parseHeaderOctets, unfold } from '../message/header.ts';
import { collationKey } from '../message/subject.ts';
import { toPlainText } from '../message/text.ts';
import type { BlobStore } from '../store/blob-store.ts';
import { readHeader, scanBlob, type KeptOctets } from '../store/placed-octets.ts';

/** A text folded for comparing. */
export type Needle = string;

/** What parts two words does not matter: a field may be folded at a tab, a sentence wrapped anywhere. */
const BLANKS = /[\t\r\n ]{2,}|[\t\r\n]/g;

export function toNeedle(text: string): Needle {
  return collationKey(text.replace(BLANKS, ' '));
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
  /** Undefined where only the header was read; so are `partHeaders`. */
  readonly body: readonly string[] | undefined;
  /** RFC 9051 §6.4.4: TEXT looks into MIME header fields, BODY into no fields at all. */
  readonly partHeaders: readonly string[] | undefined;
};

/** Octets of one text part that are looked into, by a scan and by the index alike. */
const PART_OCTETS_MAX = 16_777_216;

/** @param withBody false reads the header only */
export async function readTexts(
  message: KeptOctets,
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
  if (!withBody) return { fields, header, body: undefined, partHeaders: undefined };
  return { fields, header, ...(await readParts(message, blobs)) };
}

/** The texts of all text parts, and the header sections of all parts but the root. */
async function readParts(
  message: KeptOctets,
  blobs: BlobStore,
): Promise<{ readonly body: readonly string[]; readonly partHeaders: readonly string[] }> {
  const { root } = await scanBlob(message, blobs);
  const body: string[] = [];
  const partHeaders: string[] = [];
  const open: Part[] = [root];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    open.push(...part.children.toReversed());
    if (part !== root && part.headerEnd > part.headerStart) {
      const octets = await blobs.read(message.blob, part.headerStart, part.headerEnd);
      partHeaders.push(fieldsText(octets));
    }
    const end = Math.min(part.bodyEnd, part.headerEnd + PART_OCTETS_MAX);
    if (isText(part) && end > part.headerEnd)
      body.push(toNeedle(toPlainText(part, await blobs.read(message.blob, part.headerEnd, end))));
  }
  return { body, partHeaders };
}

/** Reports of delivery and the like are read as text too; an encapsulated message by its parts. */
function isText({ kind, type }: Part): boolean {
  return kind === 'leaf' && (type === 'text' || type === 'message');
}

function fieldsText(section: Uint8Array): string {
  return parseHeaderOctets(section)
    .map(({ name, raw }) => `${toNeedle(name)}: ${toNeedle(decodeText(unfold(raw)))}`)
    .join('\n');
}
