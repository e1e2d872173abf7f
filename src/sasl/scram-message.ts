/**
 * The messages of SCRAM as values. Pure; nothing is guessed: attributes come in their fixed order, what is behind them is
 * an extension and passed over, a mandatory extension (`m=`) is refused.
 *
 * Units: octets of UTF-8. Source: RFC 5802 §5.1 and §7.
 */
import { isUtf8 } from 'node:buffer';
import { utf8 } from '../base/bytes.ts';
import { decodeBase64 } from './base64.ts';
import type { ScramSalt } from './mechanism.ts';

export type ChannelBindingFlag =
  | { readonly kind: 'not-supported' }
  /** The client could, and thinks that the server cannot. */
  | { readonly kind: 'not-offered' }
  | { readonly kind: 'used'; readonly type: string };

export type ClientFirst = {
  readonly flag: ChannelBindingFlag;
  readonly authorizationId: string;
  readonly authenticationId: string;
  readonly nonce: string;
  /** Up to and with its second comma. */
  readonly gs2Header: string;
  /** What the signatures are made over. */
  readonly bare: string;
};

export type ServerFirst = ScramSalt & { readonly nonce: string };

export type ClientFinal = {
  /** Decoded. */
  readonly channelBinding: Uint8Array;
  readonly nonce: string;
  readonly proof: Uint8Array;
  readonly withoutProof: string;
};

const MESSAGE_OCTETS_MAX = 6144;
const IDENTITY_OCTETS_MAX = 1024;

const GS2_HEADER = /^(?:(n)|(y)|p=([A-Za-z0-9.-]{1,64})),(?:a=([^,\0]+))?,/u;
const CLIENT_FIRST_BARE = /^n=([^,\0]+),r=([\x21-\x2b\x2d-\x7e]+)((?:,[A-Za-z]=[^,\0]+)*)$/u;
const SERVER_FIRST =
  /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/=]+),i=([1-9][0-9]{0,8})((?:,[A-Za-z]=[^,\0]+)*)$/u;
const CLIENT_FINAL =
  /^(c=([A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)((?:,[A-Za-z]=[^,\0]+)*)),p=([A-Za-z0-9+/=]+)$/u;
const SERVER_FINAL = /^v=([A-Za-z0-9+/=]+)(?:,[A-Za-z]=[^,\0]+)*$/u;

export function parseClientFirst(octets: Uint8Array): ClientFirst | undefined {
  const text = toText(octets);
  const header = text === undefined ? null : GS2_HEADER.exec(text);
  if (text === undefined || header === null) return undefined;
  const [gs2Header, isUnable, isUnoffered, type = '', named] = header;
  const bare = text.slice(gs2Header.length);
  const match = CLIENT_FIRST_BARE.exec(bare);
  if (match === null || hasMandatory(match[3])) return undefined;
  const authenticationId = decodeName(match[1] ?? '');
  const authorizationId = named === undefined ? '' : decodeName(named);
  if (authenticationId === undefined || authorizationId === undefined) return undefined;
  return {
    flag: isUnable !== undefined ? UNABLE : isUnoffered !== undefined ? UNOFFERED : { kind: 'used', type },
    authorizationId,
    authenticationId,
    nonce: match[2] ?? '',
    gs2Header,
    bare,
  };
}

export function formatServerFirst({ nonce, salt, iterations }: ServerFirst): string {
  return `r=${nonce},s=${Buffer.from(salt).toString('base64')},i=${iterations}`;
}

export function parseServerFirst(octets: Uint8Array): ServerFirst | undefined {
  const match = SERVER_FIRST.exec(toText(octets) ?? '');
  const salt = decodeBase64(match?.[2] ?? '');
  if (match === null || salt === undefined || hasMandatory(match[4])) return undefined;
  return { nonce: match[1] ?? '', salt, iterations: Number(match[3]) };
}

export function parseClientFinal(octets: Uint8Array): ClientFinal | undefined {
  const match = CLIENT_FINAL.exec(toText(octets) ?? '');
  const channelBinding = decodeBase64(match?.[2] ?? '');
  const proof = decodeBase64(match?.[5] ?? '');
  if (match === null || channelBinding === undefined || proof === undefined || hasMandatory(match[4]))
    return undefined;
  return { channelBinding, nonce: match[3] ?? '', proof, withoutProof: match[1] ?? '' };
}

/** The signature; undefined for an error and for whatever else. */
export function parseServerFinal(octets: Uint8Array): Uint8Array | undefined {
  return decodeBase64(SERVER_FINAL.exec(toText(octets) ?? '')?.[1] ?? '');
}

/** RFC 5802 §5.1: ',' and '=' of a name are sent as '=2C' and '=3D'. */
export function encodeName(name: string): string {
  return name.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

/** RFC 5802 §5.1: any other '=' fails the authentication. */
export function decodeName(name: string): string | undefined {
  if (/=(?!2C|3D)/u.test(name)) return undefined;
  const decoded = name.replaceAll('=2C', ',').replaceAll('=3D', '=');
  return Buffer.byteLength(decoded) > IDENTITY_OCTETS_MAX ? undefined : decoded;
}

/** RFC 5802 §5.1: what must be understood, and is not. */
function hasMandatory(extensions: string | undefined): boolean {
  return extensions?.includes(',m=') === true;
}

function toText(octets: Uint8Array): string | undefined {
  return octets.length <= MESSAGE_OCTETS_MAX && isUtf8(octets) ? utf8(octets) : undefined;
}

const UNABLE: ChannelBindingFlag = { kind: 'not-supported' };
const UNOFFERED: ChannelBindingFlag = { kind: 'not-offered' };
