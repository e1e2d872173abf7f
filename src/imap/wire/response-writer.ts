/**
 * Makes octets of responses, many into one buffer, so that a driver writes seldom and much. Octets that are streamed
 * break the buffer: {@link ResponseWriter.take} gives buffers and sources in the order they must be written.
 *
 * Source: RFC 9051 §7, §9.
 */
import { unreachable } from '../../base/unreachable.ts';
import { formatDateTime } from './date-time.ts';
import type { ResponseCode } from './response-code.ts';
import type {
  Completion,
  EsearchResponse,
  ResultUpdate,
  FetchDatum,
  ListResponse,
  Namespace,
  OctetSource,
  StatusDatum,
  Thread,
  Untagged,
  UrlDatum,
} from './response.ts';
import { formatRanges } from './sequence-set.ts';
import { encodeAstring, encodeMailbox, encodeNstring, encodeOctets, encodeString } from './string.ts';

export type ResponseChunk = Buffer | OctetSource;

const CAPACITY_MIN = 4096;
/** A larger buffer of the caller's is passed on as it is, not copied. */
const COPY_OCTETS_MAX = 32_768;

export class ResponseWriter {
  #utf8: boolean;
  #buffer: Buffer = Buffer.allocUnsafe(CAPACITY_MIN);
  #length = 0;
  #chunks: ResponseChunk[] = [];
  /** In chunks before the buffer. */
  #octets = 0;

  /** @param utf8 the client enabled IMAP4rev2 or UTF8=ACCEPT */
  constructor(utf8 = false) {
    this.#utf8 = utf8;
  }

  setUtf8(utf8: boolean): void {
    this.#utf8 = utf8;
  }

  /** Octets written and not taken, streams included. */
  get octets(): number {
    return this.#octets + this.#length;
  }

  /** Gives what was written, in order, and starts anew. */
  take(): readonly ResponseChunk[] {
    this.#cut();
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#octets = 0;
    return chunks;
  }

  /** @param tag null: answered untagged, since the tag could not be read (RFC 9051 §7.1.3) */
  completion(tag: string | null, { status, code, text }: Completion): void {
    this.#text(`${tag ?? '*'} ${status} `);
    this.#statusText(code, text);
  }

  /** RFC 9051 §7.6: `+ ` with a text, or with a challenge in base64. */
  continuation(text = 'OK'): void {
    this.#text(`+ ${oneLine(text)}\r\n`);
  }

  challenge(octets: Buffer): void {
    this.#text(`+ ${octets.toString('base64')}\r\n`);
  }

  untagged(response: Untagged): void {
    switch (response.kind) {
      case 'status':
        this.#text(`* ${response.status} `);
        return this.#statusText(response.code, response.text);
      case 'capability':
        return this.#text(`* CAPABILITY ${response.capabilities.join(' ')}\r\n`);
      case 'enabled':
        return this.#text(`${['* ENABLED', ...response.capabilities].join(' ')}\r\n`);
      case 'flags':
        return this.#text(`* FLAGS (${response.flags.join(' ')})\r\n`);
      case 'exists':
        return this.#text(`* ${response.value} EXISTS\r\n`);
      case 'recent':
        return this.#text(`* ${response.value} RECENT\r\n`);
      case 'expunge':
        return this.#text(`* ${response.value} EXPUNGE\r\n`);
      case 'vanished':
        return this.#text(
          `* VANISHED ${response.earlier ? '(EARLIER) ' : ''}${formatRanges(response.uids)}\r\n`,
        );
      case 'fetch':
        return this.#fetch('FETCH', response.sequence, response.data);
      case 'uidfetch':
        return this.#fetch('UIDFETCH', response.uid, response.data);
      case 'genurlauth':
        this.#text('* GENURLAUTH');
        for (const url of response.urls) this.#url(url);
        return this.#text('\r\n');
      case 'urlfetch':
        this.#text('* URLFETCH');
        this.#url(response.url);
        this.#section('', response.value, false);
        return this.#text('\r\n');
      case 'urlfetch-items':
        return this.#urlItems(response.url, response.data);
      case 'list':
        return this.#list(response);
      case 'lsub':
        this.#mailboxList('LSUB', response.attributes, response.delimiter, response.mailbox);
        return this.#text('\r\n');
      case 'mailbox-status':
        this.#text('* STATUS ');
        this.#raw(encodeMailbox(response.mailbox, this.#utf8));
        return this.#text(` (${response.data.map(formatStatus).join(' ')})\r\n`);
      case 'namespace':
        return this.#namespaces(response.personal, response.otherUsers, response.shared);
      case 'search':
        return this.#numbers('SEARCH', response.numbers, response.modSeq);
      case 'sort':
        return this.#numbers('SORT', response.numbers, response.modSeq);
      case 'esearch':
        return this.#esearch(response);
      case 'thread':
        this.#text('* THREAD');
        if (response.threads.length > 0) this.#text(` ${response.threads.map(formatThread).join('')}`);
        return this.#text('\r\n');
      case 'id':
        return this.#id(response.parameters);
      case 'extension':
        this.#text('* ');
        this.#raw(response.octets);
        return this.#text('\r\n');
      default:
        return unreachable(response);
    }
  }

  #statusText(code: ResponseCode | undefined, text: string): void {
    this.#text(code === undefined ? `${oneLine(text)}\r\n` : `[${formatCode(code)}] ${oneLine(text)}\r\n`);
  }

  /** Short data are gathered as text and written at once: a FETCH of flags is one write a message. */
  #fetch(name: string, number: number, data: readonly FetchDatum[]): void {
    let text = `* ${number} ${name} (`;
    let first = true;
    for (const datum of data) {
      if (!first) text += ' ';
      first = false;
      const short = formatDatum(datum);
      if (short === undefined) {
        this.#text(text);
        text = '';
        this.#longDatum(datum);
      } else text += short;
    }
    this.#text(`${text})\r\n`);
  }

  #longDatum(datum: FetchDatum): void {
    switch (datum.item) {
      case 'PREVIEW':
        this.#text('PREVIEW ');
        return this.#raw(encodeNstring(datum.text, this.#utf8));
      case 'ENVELOPE':
      case 'BODY':
      case 'BODYSTRUCTURE':
        this.#text(`${datum.item} `);
        return this.#raw(datum.octets);
      case 'section':
        return this.#section(datum.label, datum.value, datum.binary ?? false);
      case 'FLAGS':
      case 'UID':
      case 'RFC822.SIZE':
      case 'MODSEQ':
      case 'INTERNALDATE':
      case 'SAVEDATE':
      case 'EMAILID':
      case 'THREADID':
      case 'BINARY.SIZE':
        throw new TypeError(`${datum.item} is short`);
      default:
        return unreachable(datum);
    }
  }

  #section(label: string, value: Buffer | OctetSource | null, binary: boolean): void {
    if (value === null) return this.#text(`${label} NIL`);
    const octets = Buffer.isBuffer(value) ? value.length : value.octets;
    this.#text(`${label} ${binary ? '~' : ''}{${octets}}\r\n`);
    if (Buffer.isBuffer(value)) return this.#raw(value);
    if (octets === 0) return;
    this.#cut();
    this.#chunks.push(value);
    this.#octets += octets;
  }

  #url(url: string): void {
    this.#text(' ');
    this.#raw(encodeOctets(Buffer.from(url, 'latin1'), false));
  }

  #urlItems(url: string, data: readonly UrlDatum[]): void {
    this.#text('* URLFETCH');
    this.#url(url);
    for (const datum of data) {
      this.#text(' (');
      if (datum.item === 'BODYPARTSTRUCTURE') {
        this.#text(`${datum.item} `);
        this.#raw(datum.octets);
      } else {
        const { item, value } = datum;
        // RFC 5524 §3.2: where there is NUL, or may be.
        const binary = item === 'BINARY' && !(Buffer.isBuffer(value) && !value.includes(0));
        this.#section(item, value, binary);
      }
      this.#text(')');
    }
    this.#text('\r\n');
  }

  #mailboxList(verb: string, attributes: readonly string[], delimiter: string | null, mailbox: string): void {
    this.#text(`* ${verb} (${attributes.join(' ')}) ${formatDelimiter(delimiter)} `);
    this.#raw(encodeMailbox(mailbox, this.#utf8));
  }

  #list({ attributes, delimiter, mailbox, childInfo, oldName }: ListResponse): void {
    this.#mailboxList('LIST', attributes, delimiter, mailbox);
    if (childInfo !== undefined || oldName !== undefined) {
      this.#text(' (');
      if (childInfo !== undefined)
        this.#text(`"CHILDINFO" (${childInfo.map((name) => `"${name}"`).join(' ')})`);
      if (oldName !== undefined) {
        this.#text(childInfo === undefined ? '"OLDNAME" (' : ' "OLDNAME" (');
        this.#raw(encodeMailbox(oldName, this.#utf8));
        this.#text(')');
      }
      this.#text(')');
    }
    this.#text('\r\n');
  }

  #namespaces(...groups: readonly (readonly Namespace[])[]): void {
    this.#text('* NAMESPACE');
    for (const group of groups) {
      this.#text(group.length === 0 ? ' NIL' : ' (');
      for (const { prefix, delimiter } of group) {
        this.#text('(');
        const name = this.#utf8 ? prefix : encodeMailbox(prefix, false).toString('latin1');
        // A string, never an atom (RFC 9051 §9, namespace-descr).
        this.#raw(name.startsWith('"') ? Buffer.from(name, 'latin1') : encodeString(name, this.#utf8));
        this.#text(` ${formatDelimiter(delimiter)})`);
      }
      if (group.length > 0) this.#text(')');
    }
    this.#text('\r\n');
  }

  #numbers(verb: string, numbers: readonly number[], modSeq: number | undefined): void {
    const list = numbers.length === 0 ? '' : ` ${numbers.join(' ')}`;
    // RFC 7162 §3.1.5: no mod-sequence when nothing was found.
    const suffix = modSeq === undefined || numbers.length === 0 ? '' : ` (MODSEQ ${modSeq})`;
    this.#text(`* ${verb}${list}${suffix}\r\n`);
  }

  #esearch(response: EsearchResponse): void {
    const { tag, uid, min, max, count, all, partial, modSeq, relevancies, addTo, removeFrom, source } =
      response;
    this.#text('* ESEARCH');
    // RFC 9051 §9: tag-string is an astring; quoted, as every example shows it.
    if (tag !== undefined) this.#text(` (TAG ${quotedTag(tag)}`);
    if (source !== undefined) {
      this.#text(' MAILBOX ');
      this.#raw(encodeMailbox(source.mailbox, this.#utf8));
      this.#text(` UIDVALIDITY ${source.uidValidity}`);
    }
    if (tag !== undefined) this.#text(')');
    if (uid) this.#text(' UID');
    if (min !== undefined) this.#text(` MIN ${min}`);
    if (max !== undefined) this.#text(` MAX ${max}`);
    if (count !== undefined) this.#text(` COUNT ${count}`);
    if (all !== undefined && all.length > 0) this.#text(` ALL ${formatRanges(all)}`);
    if (partial !== undefined) {
      const set = partial.set === null || partial.set.length === 0 ? 'NIL' : formatRanges(partial.set);
      this.#text(` PARTIAL (${partial.first}:${partial.last} ${set})`);
    }
    if (modSeq !== undefined) this.#text(` MODSEQ ${modSeq}`);
    if (removeFrom !== undefined) this.#text(` REMOVEFROM ${formatUpdates(removeFrom)}`);
    if (addTo !== undefined) this.#text(` ADDTO ${formatUpdates(addTo)}`);
    if (relevancies !== undefined) this.#text(` RELEVANCY (${relevancies.join(' ')})`);
    this.#text('\r\n');
  }

  #id(parameters: ReadonlyMap<string, string | null> | null): void {
    this.#text('* ID ');
    if (parameters === null) return this.#text('NIL\r\n');
    let separator = '(';
    for (const [name, value] of parameters) {
      this.#text(separator);
      this.#raw(encodeString(name, this.#utf8));
      this.#text(' ');
      this.#raw(encodeNstring(value, this.#utf8));
      separator = ' ';
    }
    this.#text(separator === '(' ? '()\r\n' : ')\r\n');
  }

  /** US-ASCII, so one octet a code unit. */
  #text(text: string): void {
    this.#reserve(text.length);
    this.#length += this.#buffer.write(text, this.#length, 'latin1');
  }

  #raw(octets: Buffer): void {
    if (octets.length > COPY_OCTETS_MAX) {
      this.#cut();
      this.#chunks.push(octets);
      this.#octets += octets.length;
      return;
    }
    this.#reserve(octets.length);
    octets.copy(this.#buffer, this.#length);
    this.#length += octets.length;
  }

  #reserve(octets: number): void {
    const needed = this.#length + octets;
    if (needed <= this.#buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, needed));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }

  /** What is in the buffer becomes a chunk; the rest of the buffer is written on. */
  #cut(): void {
    if (this.#length === 0) return;
    this.#chunks.push(this.#buffer.subarray(0, this.#length));
    this.#octets += this.#length;
    const left = this.#buffer.subarray(this.#length);
    this.#buffer = left.length >= CAPACITY_MIN / 4 ? left : Buffer.allocUnsafe(CAPACITY_MIN);
    this.#length = 0;
  }
}

/** One response as one buffer, for small ones without a stream. */
export function encodeResponse(response: Untagged, utf8 = false): Buffer {
  const writer = new ResponseWriter(utf8);
  writer.untagged(response);
  return Buffer.concat(writer.take().map(bufferOf));
}

export function encodeCompletion(tag: string | null, completion: Completion): Buffer {
  const writer = new ResponseWriter();
  writer.completion(tag, completion);
  return Buffer.concat(writer.take().map(bufferOf));
}

function bufferOf(chunk: ResponseChunk): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  throw new TypeError('A response with a stream is not one buffer');
}

/** Text for people never breaks the line, whatever it quotes (RFC 9051 §9, text). */
function oneLine(text: string): string {
  return text === '' ? '.' : text.replaceAll(/[^\x20-\x7e]/g, '?');
}

function formatDelimiter(delimiter: string | null): string {
  if (delimiter === null) return 'NIL';
  return delimiter === '"' || delimiter === '\\' ? `"\\${delimiter}"` : `"${delimiter}"`;
}

/** Undefined for data that are octets. */
function formatDatum(datum: FetchDatum): string | undefined {
  switch (datum.item) {
    case 'FLAGS':
      return `FLAGS (${datum.flags.join(' ')})`;
    case 'UID':
    case 'RFC822.SIZE':
      return `${datum.item} ${datum.value}`;
    case 'MODSEQ':
      return `MODSEQ (${datum.modSeq})`;
    case 'INTERNALDATE':
      return `INTERNALDATE "${formatDateTime(datum.epochMs, datum.zoneMinutes)}"`;
    case 'SAVEDATE':
      return datum.epochMs === null ? 'SAVEDATE NIL' : `SAVEDATE "${formatDateTime(datum.epochMs)}"`;
    case 'EMAILID':
      return `EMAILID (${datum.id})`;
    case 'THREADID':
      return datum.id === null ? 'THREADID NIL' : `THREADID (${datum.id})`;
    case 'BINARY.SIZE':
      return `${datum.label} ${datum.octets}`;
    case 'PREVIEW':
    case 'ENVELOPE':
    case 'BODY':
    case 'BODYSTRUCTURE':
    case 'section':
      return undefined;
    default:
      return unreachable(datum);
  }
}

function formatStatus(datum: StatusDatum): string {
  if (datum.item === 'MAILBOXID') return `MAILBOXID (${datum.id})`;
  return `${datum.item} ${datum.value ?? 'NIL'}`;
}

/**
 * RFC 5256 §5: members in a line, then nothing or two threads and more, each in parentheses; a lone branch goes on
 * in line. Not recursive, since senders decide how deep a thread is.
 */
function formatThread(thread: Thread): string {
  const pieces: string[] = [];
  const stack: (Thread | ')')[] = [thread];
  let inline = false;
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top === ')') {
      pieces.push(')');
      continue;
    }
    const { members, branches } = top;
    if (!inline) {
      pieces.push('(');
      stack.push(')');
    }
    pieces.push(members.join(' '));
    inline = branches.length === 1;
    if (branches.length > 0 && members.length > 0) pieces.push(' ');
    for (const branch of branches.toReversed()) stack.push(branch);
  }
  return pieces.join('');
}

/** The inside of the brackets. */
export function formatCode(code: ResponseCode): string {
  if (typeof code === 'string') return code;
  switch (code.kind) {
    case 'CAPABILITY':
      return `CAPABILITY ${code.capabilities.join(' ')}`;
    case 'BADCHARSET':
      return `BADCHARSET (${code.charsets.map((name) => encodeAstring(name, false).toString('latin1')).join(' ')})`;
    case 'PERMANENTFLAGS':
      return `PERMANENTFLAGS (${code.flags.join(' ')})`;
    case 'UIDNEXT':
    case 'UIDVALIDITY':
    case 'UNSEEN':
    case 'HIGHESTMODSEQ':
      return `${code.kind} ${code.value}`;
    case 'APPENDUID':
      return `APPENDUID ${code.uidValidity} ${formatRanges(code.uids)}`;
    case 'COPYUID':
      return `COPYUID ${code.uidValidity} ${formatRanges(code.from)} ${formatRanges(code.to)}`;
    case 'MODIFIED':
      return `MODIFIED ${formatRanges(code.set)}`;
    case 'MESSAGELIMIT':
      return `MESSAGELIMIT ${code.messages}${code.uid === undefined ? '' : ` ${code.uid}`}`;
    case 'INPROGRESS': {
      // RFC 9585 §4: a tag with the octet that ends the code is not said.
      const tag = code.tag.includes(']') ? 'NIL' : `"${code.tag}"`;
      const { progress } = code;
      return `INPROGRESS (${tag} ${progress === undefined ? 'NIL NIL' : `${progress.done} ${progress.goal}`})`;
    }
    case 'NOUPDATE':
      return `NOUPDATE ${quotedTag(code.tag)}`;
    case 'BADURL':
      return `BADURL ${code.url.replace(NOT_IN_CODE, percent)}`;
    case 'MAILBOXID':
      return `MAILBOXID (${code.id})`;
    case 'EXTENSION':
      return code.text;
    default:
      return unreachable(code);
  }
}

/** RFC 4469 §5: what cannot stand in the code of a response is not in a URL either (RFC 5092 §11). */
const NOT_IN_CODE = /[^!-\\^-~]/g;

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}

function quotedTag(tag: string): string {
  return `"${tag.replaceAll(/["\\]/g, '\\$&')}"`;
}

function formatUpdates(updates: readonly ResultUpdate[]): string {
  return `(${updates.map(({ position, set }) => `${position} ${formatRanges(set)}`).join(' ')})`;
}
