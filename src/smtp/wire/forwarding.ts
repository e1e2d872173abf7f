/**
 * The attributes of XCLIENT and XFORWARD, by which a trusted host says for whom it speaks.
 * Sources: Postfix's XCLIENT_README and XFORWARD_README (https://www.postfix.org/XCLIENT_README.html).
 */
import { decodeXtext, isXtext } from './xtext.ts';

export const XCLIENT_NAMES = [
  'NAME',
  'ADDR',
  'PORT',
  'PROTO',
  'HELO',
  'LOGIN',
  'DESTADDR',
  'DESTPORT',
] as const;
export const XFORWARD_NAMES = ['NAME', 'ADDR', 'PORT', 'PROTO', 'HELO', 'IDENT', 'SOURCE'] as const;

/** `null` stands for `[UNAVAILABLE]` and `[TEMPUNAVAIL]`. */
export type Attributes<Name extends string> = ReadonlyMap<Name, string | null>;
export type XclientAttributes = Attributes<(typeof XCLIENT_NAMES)[number]>;
export type XforwardAttributes = Attributes<(typeof XFORWARD_NAMES)[number]>;

/** 1*( SP attribute-name "=" attribute-value ), each of `names` once at the most; undefined for anything else. */
export function parseAttributes<Name extends string>(
  argument: string,
  names: readonly Name[],
): Attributes<Name> | undefined {
  const attributes = new Map<Name, string | null>();
  for (const word of argument.split(' ')) {
    if (word === '') continue;
    const equals = word.indexOf('=');
    const written = word.slice(0, Math.max(equals, 0)).toUpperCase();
    const name = names.find((one) => one === written);
    if (name === undefined || attributes.has(name)) return undefined;
    const value = toValue(word.slice(equals + 1));
    if (value === undefined) return undefined;
    attributes.set(name, value);
  }
  return attributes.size === 0 ? undefined : attributes;
}

/** Decoded; as it stands where it is no xtext, which old clients send. Nothing that is special in a header field. */
function toValue(written: string): string | null | undefined {
  if (UNAVAILABLE.test(written)) return null;
  const value = isXtext(written) ? decodeXtext(written) : written;
  return value !== undefined && VALUE.test(value) ? value : undefined;
}

const UNAVAILABLE = /^\[(?:UNAVAILABLE|TEMPUNAVAIL)\]$/i;
/** Printable ASCII without what begins a comment, a quotation or a field of its own. */
const VALUE = /^[!#-'*-:=?-[\]-~]{1,255}$/;
