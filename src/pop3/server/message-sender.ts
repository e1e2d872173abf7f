/** RETR and TOP: the octets of one message as a multi-line response, made no faster than the client reads. */
import { isAscii, isUtf8 } from 'node:buffer';
import type { Connection } from '../../base/connection.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { PlacedMessage } from '../../store/mail-store.ts';
import { BUFFERED_OCTETS_MAX, readHeader, streamOctets } from '../../store/placed-octets.ts';
import { MultiLine, TopCutter } from '../wire/multi-line.ts';
import { positive } from '../wire/response.ts';
import type { Output } from './output.ts';

/** Of a larger message, how much of its beginning is looked at for its header. */
const HEADER_OCTETS_LOOKED_AT = 65_536;

export class MessageSender {
  readonly #output: Output;
  readonly #connection: Connection;
  readonly #blobs: BlobStore;
  #hasBegun = false;

  constructor(output: Output, connection: Connection, blobs: BlobStore) {
    this.#output = output;
    this.#connection = connection;
    this.#blobs = blobs;
  }

  /** Whether something was said of the message, so that a refusal comes too late. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /**
   * Throws `BlobError` and `Fault`.
   *
   * @param lines of the body; undefined: all of it
   */
  async send(
    message: PlacedMessage,
    lines: number | undefined,
    utf8: boolean,
  ): Promise<'sent' | 'needs-utf8'> {
    const isSmall = message.octets <= BUFFERED_OCTETS_MAX;
    const wanted = isSmall ? message.octets : HEADER_OCTETS_LOOKED_AT;
    const head = await readHeader(message, Math.max(0, wanted - message.prefix.length), this.#blobs);
    // RFC 6856 §2.1: such a header is not for clients that have not asked for it.
    if (!utf8 && hasUtf8Header(head)) return 'needs-utf8';
    this.#hasBegun = true;
    this.#output.say(positive(lines === undefined ? `${message.octets} octets` : 'The top follows'));
    const body = new MultiLine();
    const cutter = lines === undefined ? undefined : new TopCutter(lines);
    const chunks = isSmall ? [head] : streamOctets(message, this.#blobs, 0, message.octets);
    for await (const chunk of chunks) {
      if (this.#connection.gone !== undefined) return 'sent';
      this.#output.add(body.push(cutter === undefined ? chunk : chunk.subarray(0, cutter.take(chunk))));
      if (!isSmall && this.#output.isFull) await this.#output.flush();
      if (cutter?.isDone === true) break;
    }
    this.#output.add(body.end());
    return 'sent';
  }
}

/** RFC 6532 §3.2. Octets that are no UTF-8 are the old sins of old programs, and go out as they are. */
function hasUtf8Header(octets: Buffer): boolean {
  if (isAscii(octets)) return false;
  // As far as TOP takes it for the header, however its lines end.
  const header = octets.subarray(0, new TopCutter(0).take(octets));
  return !isAscii(header) && isUtf8(header);
}
