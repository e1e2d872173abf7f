/**
 * One node of a message's tree: where its octets are, and what its MIME fields say of it. All offsets are octets from
 * the start of the message. Text is raw (one octet, one code unit), as received.
 *
 * Source: RFC 2045 §5, §6, §7, §8; RFC 2183; RFC 3282; RFC 2557; RFC 1864.
 */
import { asciiLower, asciiTrim } from './ascii.ts';
import type { Field } from './header.ts';
import { unfold } from './header.ts';
import type { Parameter } from './parameter.ts';
import { parseParameterized, withoutComments } from './parameter.ts';

export type Disposition = { readonly type: string; readonly parameters: readonly Parameter[] };

/** What the MIME fields of a section say, with the defaults of RFC 2045 filled in. */
export type Description = {
  /** Lower case: 'text', 'plain'. */
  readonly type: string;
  readonly subtype: string;
  readonly parameters: readonly Parameter[];
  /** Lower case; '7bit' if the section names none. */
  readonly encoding: string;
  readonly id: string | undefined;
  readonly description: string | undefined;
  readonly disposition: Disposition | undefined;
  readonly languages: readonly string[];
  readonly location: string | undefined;
  readonly md5: string | undefined;
};

export type Part = Description & {
  /**
   * 'multipart': it has a boundary and at least one child. 'message': an encapsulated message, its one child is that
   * message's root. 'leaf': all else, also a multipart or message that could not or must not be looked into.
   */
  readonly kind: 'leaf' | 'multipart' | 'message';
  /** The header section, its blank line included, is [headerStart, headerEnd); the body is [headerEnd, bodyEnd). */
  readonly headerStart: number;
  readonly headerEnd: number;
  readonly bodyEnd: number;
  /** Line ends in the body: counted for text and for all that is part of an encapsulated message, else 0. */
  readonly bodyLines: number;
  /** The fields of the root of a message, the outermost or an encapsulated one; else empty. */
  readonly fields: readonly Field[];
  readonly children: readonly Part[];
};

/** @param inDigest RFC 2046 §5.1.5: a part of a multipart/digest without a type is a message */
export function describe(fields: readonly Field[], inDigest: boolean): Description {
  let contentType: string | undefined;
  let encoding: string | undefined;
  let id: string | undefined;
  let description: string | undefined;
  let disposition: string | undefined;
  let language: string | undefined;
  let location: string | undefined;
  let md5: string | undefined;
  for (const { key, raw } of fields) {
    if (!key.startsWith('content-')) continue;
    switch (key) {
      case 'content-type':
        contentType ??= raw;
        break;
      case 'content-transfer-encoding':
        encoding ??= raw;
        break;
      case 'content-id':
        id ??= unfold(raw);
        break;
      case 'content-description':
        description ??= unfold(raw);
        break;
      case 'content-disposition':
        disposition ??= raw;
        break;
      case 'content-language':
        language ??= raw;
        break;
      case 'content-location':
        location ??= unfold(raw);
        break;
      case 'content-md5':
        md5 ??= unfold(raw);
        break;
      default:
        break;
    }
  }
  return {
    ...mediaType(contentType, inDigest),
    encoding: encoding === undefined ? '7bit' : encodingName(encoding),
    id,
    description,
    disposition: disposition === undefined ? undefined : toDisposition(disposition),
    languages: language === undefined ? [] : toLanguages(language),
    location,
    md5,
  };
}

type MediaType = Pick<Description, 'type' | 'subtype' | 'parameters'>;

const TEXT_PLAIN: MediaType = { type: 'text', subtype: 'plain', parameters: [] };
const MESSAGE: MediaType = { type: 'message', subtype: 'rfc822', parameters: [] };

function mediaType(raw: string | undefined, inDigest: boolean): MediaType {
  if (raw === undefined) return inDigest ? MESSAGE : TEXT_PLAIN;
  const { token, parameters } = parseParameterized(raw);
  const slash = token.indexOf('/');
  const type = slash < 0 ? '' : asciiTrim(token.slice(0, slash));
  const subtype = slash < 0 ? '' : asciiTrim(token.slice(slash + 1));
  // RFC 2045 §5.2: what cannot be understood is plain text. 'text' alone is older than MIME.
  if (!isToken(type) || !isToken(subtype))
    return token === 'text' ? { ...TEXT_PLAIN, parameters } : TEXT_PLAIN;
  return { type, subtype, parameters };
}

function isToken(text: string): boolean {
  return /^[^\x00-\x20\x7f-\xff()<>@,;:\\"/[\]?=]+$/.test(text);
}

function encodingName(raw: string): string {
  const name = asciiLower(asciiTrim(withoutComments(unfold(raw))));
  const end = name.search(/[\t-\r ;]/);
  return name === '' ? '7bit' : end < 0 ? name : name.slice(0, end) || '7bit';
}

function toDisposition(raw: string): Disposition | undefined {
  const { token, parameters } = parseParameterized(raw);
  // RFC 2183 §2.8: what is not known is an attachment; a value without any type is read the same way.
  if (token === '' && parameters.length === 0) return undefined;
  return { type: token === '' || token.includes('=') ? 'attachment' : token, parameters };
}

const LANGUAGES_MAX = 100;

function toLanguages(raw: string): readonly string[] {
  const tags: string[] = [];
  for (const tag of withoutComments(unfold(raw)).split(',', LANGUAGES_MAX)) {
    const trimmed = asciiTrim(tag);
    if (trimmed !== '') tags.push(trimmed);
  }
  return tags;
}

/** RFC 2045 §6.2: encodings that leave the octets as they are. */
export function isIdentityEncoding(encoding: string): boolean {
  return encoding === '7bit' || encoding === '8bit' || encoding === 'binary';
}
