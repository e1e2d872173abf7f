/**
 * The parts of an X.509 certificate that Node does not give: its public key in the very octets that TLSA records are about,
 * and its extensions. Pure; linear; never throws. Signatures, names and dates are Node's to check.
 * Sources: RFC 5280 §4.1, §4.2; X.690 §8.1 (definite lengths only, as DER has them).
 */
export type CertificateParts = {
  /** The whole SubjectPublicKeyInfo, as RFC 6698 §2.1.2 has it. */
  readonly publicKey: Uint8Array;
  /** Object identifiers in dotted form of the extensions that must be understood. */
  readonly critical: readonly string[];
  /** pathLenConstraint of basicConstraints (RFC 5280 §4.2.1.9). */
  readonly pathLengthMax: number | undefined;
};

type Element = {
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
};

const SEQUENCE = 0x30;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const OCTET_STRING = 0x04;
const OBJECT_IDENTIFIER = 0x06;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const BASIC_CONSTRAINTS = '2.5.29.19';
/** No certificate has more; OpenSSL itself stops far below. */
const EXTENSIONS_MAX = 200;

/** @returns undefined for what is no certificate */
export function readCertificateParts(der: Uint8Array): CertificateParts | undefined {
  const certificate = readElement(der, 0, der.length);
  if (certificate?.tag !== SEQUENCE) return undefined;
  const body = readElement(der, certificate.content, certificate.end);
  if (body?.tag !== SEQUENCE) return undefined;
  const fields = readAll(der, body.content, body.end);
  if (fields === undefined) return undefined;
  // serialNumber, signature, issuer, validity, subject, then the key; a version before them from v2 on.
  const key = fields[fields[0]?.tag === VERSION ? 6 : 5];
  if (key?.tag !== SEQUENCE) return undefined;
  const wrapped = fields.find(({ tag }) => tag === EXTENSIONS);
  const extensions = wrapped === undefined ? [] : readExtensions(der, wrapped);
  if (extensions === undefined) return undefined;
  return {
    publicKey: der.subarray(key.start, key.end),
    critical: extensions.filter(({ critical }) => critical).map(({ oid }) => oid),
    pathLengthMax: pathLengthOf(extensions.find(({ oid }) => oid === BASIC_CONSTRAINTS)?.value),
  };
}

type Extension = { readonly oid: string; readonly critical: boolean; readonly value: Uint8Array };

function readExtensions(der: Uint8Array, wrapped: Element): readonly Extension[] | undefined {
  const list = readElement(der, wrapped.content, wrapped.end);
  const items = list?.tag === SEQUENCE ? readAll(der, list.content, list.end) : undefined;
  if (items === undefined || items.length > EXTENSIONS_MAX) return undefined;
  const extensions: Extension[] = [];
  for (const item of items) {
    const [oid, second, third] = readAll(der, item.content, item.end) ?? [];
    const value = second?.tag === BOOLEAN ? third : second;
    if (oid?.tag !== OBJECT_IDENTIFIER || value?.tag !== OCTET_STRING) return undefined;
    extensions.push({
      oid: formatObjectIdentifier(der.subarray(oid.content, oid.end)),
      critical: second?.tag === BOOLEAN && der[second.content] !== 0,
      value: der.subarray(value.content, value.end),
    });
  }
  return extensions;
}

/** SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL } */
function pathLengthOf(value: Uint8Array | undefined): number | undefined {
  const list = value === undefined ? undefined : readElement(value, 0, value.length);
  if (value === undefined || list === undefined) return undefined;
  const length = readAll(value, list.content, list.end)?.find(({ tag }) => tag === INTEGER);
  if (length === undefined) return undefined;
  // One that does not fit one octet bounds nothing.
  return length.end - length.content === 1 ? value[length.content] : undefined;
}

function readAll(der: Uint8Array, start: number, end: number): readonly Element[] | undefined {
  const elements: Element[] = [];
  for (let at = start; at < end;) {
    const element = readElement(der, at, end);
    if (element === undefined) return undefined;
    elements.push(element);
    at = element.end;
  }
  return elements;
}

function readElement(der: Uint8Array, start: number, limit: number): Element | undefined {
  const tag = der[start];
  const first = der[start + 1];
  if (tag === undefined || first === undefined || start + 2 > limit) return undefined;
  let length = first;
  let content = start + 2;
  if (first >= 0x80) {
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) return undefined;
    length = 0;
    for (let index = 0; index < octets; index += 1) length = length * 256 + (der[content + index] ?? 0);
    content += octets;
  }
  return content + length > limit ? undefined : { tag, start, content, end: content + length };
}

function formatObjectIdentifier(octets: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of octets) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet >= 0x80) continue;
    if (arcs.length === 0) {
      const root = Math.min(2, Math.floor(arc / 40));
      arcs.push(root, arc - root * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}
