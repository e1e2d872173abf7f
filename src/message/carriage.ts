/**
 * What a message needs of the way it travels, and how to make it need less: content in 8bit or binary becomes
 * quoted-printable or base64 where a next hop cannot carry it, part by part, and nothing else of it changes. Pure.
 *
 * Three passes over the same octets, none of which keeps them: `createScanner` finds the parts, a {@link Survey} looks at what
 * is in each of them, and a {@link Converter} writes the message anew by the plan that {@link planConversion} makes of that.
 *
 * - Only leaf parts of types that are not composite are encoded; composite ones are labelled anew (RFC 2045 §6.4, RFC 2046 §5.2.1).
 * - Encapsulated messages are converted inside; a message/global with UTF-8 in its header is encoded whole (RFC 6532 §3.7).
 * - multipart/signed and multipart/encrypted, and all that is in them, are never touched (RFC 1847 §2.1): 8-bit octets there make it
 *   impossible. So do octets beyond ASCII in a header, for which there is no encoding that every reader undoes.
 * - No line of what is encoded is longer than 76 characters, and no encoding is put on another (RFC 3030 §3).
 */
import { CR, fromLatin1, latin1, LF, SPACE, TAB } from '../base/bytes.ts';
import { LIMITS } from '../base/limits.ts';
import type { Part } from './entity.ts';
import { isIdentityEncoding } from './entity.ts';
import { findField, parseHeader } from './header.ts';
import { parameterRaw } from './parameter.ts';
import type { TransferEncoder } from './transfer-encoder.ts';
import {
  AsciiMask,
  Base64Encoder,
  MASK,
  QuotedPrintableEncoder,
  QuotedPrintableMender,
} from './transfer-encoder.ts';

/** What the next hop can take: lines of ASCII, or lines of any octets (RFC 2045 §2.7, §2.8). */
export type Carriage = '7bit' | '8bit';

/** Octets [start, end) of a message that are of one kind. In their order they are the whole message. */
type Region = {
  readonly kind: 'header' | 'body' | 'between';
  readonly start: number;
  readonly end: number;
  /** 'between': the one whose preamble, boundary lines or epilogue it is. */
  readonly part: Part;
  /** Signed or encrypted as it is. */
  readonly isSealed: boolean;
  /** A root of a message: it has MIME-Version. */
  readonly isRoot: boolean;
  /** Of every multipart around it, one after the other. */
  readonly boundaries: string;
};

/** What was found in a region. */
type Findings = {
  octets: number;
  eightBit: number;
  /** Octets that quoted-printable escapes. */
  escaped: number;
  lines: number;
  /** NUL, or a CR or LF alone (RFC 2045 §2.8 allows none in 8bit). */
  isBinary: boolean;
  hasLongLine: boolean;
};

/** RFC 5322 §2.1.1, RFC 2045 §2.7: without its CRLF. */
const LINE_OCTETS_MAX = 998;

export type SurveyedMessage = {
  readonly regions: readonly { readonly region: Region; readonly findings: Readonly<Findings> }[];
  readonly octets: number;
  /** A header, of the message or within it, is beyond ASCII: it needs SMTPUTF8 (RFC 6531 §3.3). */
  readonly hasEightBitHeader: boolean;
};

export class Survey {
  readonly #regions: readonly Region[];
  readonly #findings: Findings[] = [];
  #index = 0;
  #offset = 0;
  #column = 0;
  #last = 0;

  /** @param root of the same octets */
  constructor(root: Part) {
    this.#regions = regionsOf(root);
    for (const _ of this.#regions) this.#findings.push({ ...NOTHING_FOUND });
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const region = this.#regions[this.#index];
      const findings = this.#findings[this.#index];
      if (region === undefined || findings === undefined) return;
      if (this.#offset >= region.end) {
        this.#leave(findings);
        continue;
      }
      const end = Math.min(chunk.length, at + region.end - this.#offset);
      this.#look(chunk, at, end, findings);
      this.#offset += end - at;
      at = end;
    }
  }

  /** Once, after the last chunk. */
  end(): SurveyedMessage {
    for (const findings of this.#findings.slice(this.#index)) this.#leave(findings);
    const regions = this.#regions.map((region, index) => ({
      region,
      findings: this.#findings[index] ?? NOTHING_FOUND,
    }));
    return {
      regions,
      octets: this.#offset,
      hasEightBitHeader: regions.some(
        ({ region, findings }) => region.kind === 'header' && findings.eightBit > 0,
      ),
    };
  }

  #leave(findings: Findings): void {
    if (this.#last === CR) findings.isBinary = true;
    this.#index += 1;
    this.#column = 0;
    this.#last = 0;
  }

  #look(chunk: Uint8Array, from: number, to: number, findings: Findings): void {
    let last = this.#last;
    let column = this.#column;
    let eightBit = 0;
    let escaped = 0;
    for (let at = from; at < to; at += 1) {
      const octet = chunk[at] ?? 0;
      if ((octet === LF) !== (last === CR)) {
        findings.isBinary = true;
        escaped += 1;
      }
      // White space at the end of a line.
      if (octet === CR && (last === SPACE || last === TAB)) escaped += 1;
      if (octet === LF) {
        column = 0;
        findings.lines += 1;
      } else if (octet !== CR) {
        column += 1;
        if (column > LINE_OCTETS_MAX) findings.hasLongLine = true;
        if (octet > 0x7f) eightBit += 1;
        if (octet > 0x7e || (octet < 0x20 && octet !== TAB) || octet === 0x3d) escaped += 1;
        if (octet === 0) findings.isBinary = true;
      }
      last = octet;
    }
    findings.octets += to - from;
    findings.eightBit += eightBit;
    findings.escaped += escaped;
    this.#last = last;
    this.#column = column;
  }
}

const NOTHING_FOUND: Findings = {
  octets: 0,
  eightBit: 0,
  escaped: 0,
  lines: 0,
  isBinary: false,
  hasLongLine: false,
};

type Encoding = 'quoted-printable' | 'base64' | 'mend-quoted-printable' | 'mask';

type Step =
  | { readonly kind: 'copy'; readonly end: number }
  | { readonly kind: 'encode'; readonly end: number; readonly with: Encoding }
  | {
      readonly kind: 'header';
      readonly end: number;
      /** Of Content-Transfer-Encoding. */
      readonly label: string;
      readonly isRoot: boolean;
    };

export type ConversionPlan =
  /** It can go as it is. */
  | { readonly kind: 'unneeded' }
  | {
      readonly kind: 'convert';
      readonly steps: readonly Step[];
      /** An estimate of its size that is never too small (RFC 1870 §5). */
      readonly octetsMax: number;
    }
  | { readonly kind: 'impossible'; readonly why: Obstacle };

/** 'structure': 8-bit octets where no encoding is allowed, or a header too large to look into. */
export type Obstacle = 'header' | 'sealed' | 'structure';

export function planConversion({ regions, octets }: SurveyedMessage, to: Carriage): ConversionPlan {
  const steps: Step[] = [];
  let isChanged = false;
  let octetsMax = octets;
  for (const [index, { region, findings }] of regions.entries()) {
    const { end, kind } = region;
    const step = kind === 'header' ? headerStep(regions, index, to) : contentStep(region, findings, to);
    if (step === 'keep') {
      steps.push({ kind: 'copy', end });
      continue;
    }
    if ('why' in step) return { kind: 'impossible', why: step.why };
    steps.push(step);
    isChanged = true;
    octetsMax += growth(step, findings);
  }
  return isChanged ? { kind: 'convert', steps, octetsMax } : { kind: 'unneeded' };
}

function contentStep(
  region: Region,
  findings: Findings,
  to: Carriage,
): Step | { readonly why: Obstacle } | 'keep' {
  const { kind, end, part, isSealed } = region;
  if (!isTooMuch(region, findings, to)) return 'keep';
  if (isSealed) return { why: 'sealed' };
  // RFC 2046 §5.1.1: what stands around the parts is for nobody.
  const encoding = kind === 'between' ? 'mask' : encodingFor(part, findings);
  if (encoding === undefined) return { why: 'structure' };
  // What is put in place of an octet must not make a boundary.
  if (encoding === 'mask' && UNMASKABLE.test(region.boundaries)) return { why: 'structure' };
  return { kind: 'encode', end, with: encoding };
}

const UNMASKABLE = new RegExp(`[${MASK}\\x80-\\xff]`);

/** Whether octets of a body, or between bodies, are more than the next hop can take. */
function isTooMuch({ kind, part, isSealed }: Region, findings: Findings, to: Carriage): boolean {
  if (to === '7bit' && findings.eightBit > 0) return true;
  const { encoding } = part;
  // What says that it is 7bit and is not, but for its line ends and lengths, is left to the one who wrote it.
  if (kind === 'between' || (encoding !== '8bit' && encoding !== 'binary')) return false;
  return isSealed ? encoding === 'binary' && findings.isBinary : findings.isBinary || findings.hasLongLine;
}

function encodingFor(part: Part, { octets, eightBit, escaped }: Findings): Encoding | undefined {
  const { type, subtype, encoding } = part;
  if (encoding === 'quoted-printable') return eightBit > 0 ? 'mend-quoted-printable' : undefined;
  if (encoding === 'base64') return 'mask';
  if (!isIdentityEncoding(encoding)) return undefined;
  // RFC 2046 §5.1, §5.2: composite types have no encoding of their own; those of RFC 6532 and RFC 6533 may.
  if (type === 'multipart' || (type === 'message' && !subtype.startsWith('global'))) return undefined;
  const isReadable = type === 'text' && escaped * 6 < octets;
  return isReadable ? 'quoted-printable' : 'base64';
}

function headerStep(
  regions: SurveyedMessage['regions'],
  index: number,
  to: Carriage,
): Step | { readonly why: Obstacle } | 'keep' {
  const header = regions[index];
  if (header === undefined) return 'keep';
  const { region, findings } = header;
  const { part, start, end, isSealed, isRoot } = region;
  if (to === '7bit' && findings.eightBit > 0) return { why: isSealed ? 'sealed' : 'header' };
  if (isSealed) return 'keep';
  const body = regions[index + 1];
  const content =
    body?.region.kind === 'body' && body.region.part === part
      ? contentStep(body.region, body.findings, to)
      : 'keep';
  const label = labelFor(part, content, body?.findings.eightBit ?? 0, to);
  if (label === undefined || label === part.encoding) return 'keep';
  return end - start > LIMITS.headerOctetsMax ? { why: 'structure' } : { kind: 'header', end, label, isRoot };
}

/** What Content-Transfer-Encoding must say; undefined: what it says already, or says by not being there. */
function labelFor(
  part: Part,
  content: ReturnType<typeof contentStep>,
  eightBit: number,
  to: Carriage,
): string | undefined {
  if (content !== 'keep' && 'kind' in content && content.kind === 'encode') {
    if (content.with === 'quoted-printable' || content.with === 'base64') return content.with;
    return undefined;
  }
  const isLarge = part.encoding === 'binary' || (part.encoding === '8bit' && to === '7bit');
  if (!isLarge) return undefined;
  // RFC 2045 §6.4: a composite part says the most of what is in it.
  if (part.kind !== 'leaf') return to;
  return eightBit > 0 ? '8bit' : '7bit';
}

function growth(step: Step, { octets, escaped, eightBit, lines }: Findings): number {
  if (step.kind === 'header') return HEADER_GROWTH;
  if (step.kind === 'copy') return 0;
  switch (step.with) {
    case 'base64':
      return Math.ceil(octets / 57) * 78 - octets;
    case 'quoted-printable': {
      // Each line, or part of one, may begin with an escaped dash, and goes on for 73 characters at least.
      const characters = octets + 2 * (escaped + lines + 1);
      return characters - octets + Math.ceil(characters / 70) * 5;
    }
    case 'mend-quoted-printable':
      return 5 * eightBit + 2 * (lines + 1) + eightBit;
    case 'mask':
      return 0;
  }
}

const HEADER_GROWTH = 150;

/** Writes the message anew while its octets stream by. */
export class Converter {
  readonly #steps: readonly Step[];
  #index = 0;
  #offset = 0;
  #encoder: TransferEncoder | undefined;
  #header: Uint8Array[] = [];

  constructor({ steps }: Extract<ConversionPlan, { kind: 'convert' }>) {
    this.#steps = steps;
    this.#enter();
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const out: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      const step = this.#steps[this.#index];
      if (step === undefined) break;
      const end = Math.min(chunk.length, at + step.end - this.#offset);
      const piece = chunk.subarray(at, end);
      if (step.kind === 'header') this.#header.push(piece.slice());
      else if (this.#encoder === undefined) out.push(piece);
      else out.push(this.#encoder.push(piece));
      this.#offset += end - at;
      at = end;
      this.#leaveAll(out);
    }
    return out.filter(({ length }) => length > 0);
  }

  /** Once, after the last chunk. */
  end(): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.#leaveAll(out);
    return out.filter(({ length }) => length > 0);
  }

  /** Out of every step that ends here; some are empty. */
  #leaveAll(out: Uint8Array[]): void {
    for (let step = this.#steps[this.#index]; step !== undefined && step.end <= this.#offset;) {
      if (step.kind === 'header') out.push(relabel(Buffer.concat(this.#header), step));
      else if (this.#encoder !== undefined) out.push(this.#encoder.end());
      this.#header = [];
      this.#index += 1;
      this.#enter();
      step = this.#steps[this.#index];
    }
  }

  #enter(): void {
    const step = this.#steps[this.#index];
    this.#encoder = step?.kind === 'encode' ? encoderOf(step.with) : undefined;
  }
}

function encoderOf(encoding: Encoding): TransferEncoder {
  switch (encoding) {
    case 'quoted-printable':
      return new QuotedPrintableEncoder();
    case 'base64':
      return new Base64Encoder();
    case 'mend-quoted-printable':
      return new QuotedPrintableMender();
    case 'mask':
      return new AsciiMask();
  }
}

/** The header with its Content-Transfer-Encoding in place of the one it has, or behind its last field. */
function relabel(octets: Uint8Array, { label, isRoot }: Extract<Step, { kind: 'header' }>): Uint8Array {
  const text = latin1(octets);
  const fields = parseHeader(text);
  const line = `Content-Transfer-Encoding: ${label}\r\n`;
  let out = '';
  let isWritten = false;
  for (const { key, start, end } of fields) {
    if (key !== 'content-transfer-encoding') out += text.slice(start, end);
    else if (!isWritten) {
      out += line;
      isWritten = true;
    }
  }
  if (out !== '' && !out.endsWith('\n')) out += '\r\n';
  if (isRoot && findField(fields, 'mime-version') === undefined) {
    out += 'MIME-Version: 1.0\r\n';
    // RFC 1428 §3: what charset it is nobody has said.
    if (findField(fields, 'content-type') === undefined)
      out += 'Content-Type: text/plain; charset=unknown-8bit\r\n';
  }
  if (!isWritten) out += line;
  return fromLatin1(out + text.slice(fields.at(-1)?.end ?? 0));
}

function regionsOf(root: Part): readonly Region[] {
  const regions: Region[] = [];
  const visit = (part: Part, isRoot: boolean, around: Pick<Region, 'isSealed' | 'boundaries'>): void => {
    regions.push({ kind: 'header', start: part.headerStart, end: part.headerEnd, part, isRoot, ...around });
    const isWhole = part.kind === 'leaf' || (part.kind === 'message' && part.subtype === 'global');
    if (isWhole) {
      regions.push({
        kind: 'body',
        start: part.headerEnd,
        end: part.bodyEnd,
        part,
        isRoot: false,
        ...around,
      });
      return;
    }
    const boundary = part.kind === 'multipart' ? (parameterRaw(part.parameters, 'boundary') ?? '') : '';
    const inside = {
      isSealed: around.isSealed || isSealing(part),
      boundaries: `${around.boundaries} ${boundary}`,
    };
    let at = part.headerEnd;
    for (const child of part.children) {
      regions.push({
        kind: 'between',
        start: at,
        end: child.headerStart,
        part,
        isRoot: false,
        ...inside,
      });
      visit(child, part.kind === 'message', inside);
      at = child.bodyEnd;
    }
    regions.push({ kind: 'between', start: at, end: part.bodyEnd, part, isRoot: false, ...inside });
  };
  visit(root, true, { isSealed: false, boundaries: '' });
  return regions;
}

/** RFC 1847 §2.1, §2.2. */
function isSealing({ type, subtype }: Part): boolean {
  return type === 'multipart' && (subtype === 'signed' || subtype === 'encrypted');
}
