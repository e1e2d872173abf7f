/**
 * The content of one message on its way to the sink: counts octets, watches the limits, and keeps the header for the
 * checks at the end. Once a problem is met the sink is released and the rest is only counted: the protocol makes us read
 * it all the same (RFC 5321 §4.1.1.4, RFC 3030 §2).
 */
import { Buffer } from 'node:buffer';
import { latin1, toBuffer } from '../../base/bytes.ts';
import { EMPTY_LINE, findField, headerSectionOf, parseHeaderOctets } from '../../message/header.ts';
import { parseMessageId } from '../../message/message-id.ts';
import type { NewlineCheck } from '../wire/data.ts';
import type { SmtpLimits } from './limits.ts';
import type { MessageSink } from './ports.ts';

export type ContentProblem = 'too-large' | 'bare-newline' | 'fault';

export class IncomingMessage {
  octets = 0;
  /** Of those, taken after a problem. */
  discardedOctets = 0;
  problem: ContentProblem | undefined;
  /** What was thrown, for the event. */
  cause: unknown;
  /** Of a message that was given up, where its header had come by then: for the event. */
  messageId: string | undefined;
  readonly #sink: MessageSink;
  readonly #limits: SmtpLimits;
  readonly #newlines: NewlineCheck | undefined;
  #header: Uint8Array[] = [];
  /** Where small pieces of the header are gathered; the last one of `#header` is its filled part. */
  #slab: Buffer = Buffer.alloc(0);
  #slabOctets = 0;
  #headerOctets = 0;
  #headerDone = false;
  #released = false;

  /** @param newlines for content that comes by {@link writeRaw}; left out, bare newlines are let pass there */
  constructor(sink: MessageSink, limits: SmtpLimits, newlines: NewlineCheck | undefined) {
    this.#sink = sink;
    this.#limits = limits;
    this.#newlines = newlines;
  }

  /** As {@link write}, for content that no decoder has looked at. */
  writeRaw(octets: Uint8Array): Promise<void> | undefined {
    this.#newlines?.push(octets);
    if (this.#newlines?.bare === true) this.fail('bare-newline');
    return this.write(octets);
  }

  /** No more content: a CR that was last stands alone now. */
  endRaw(): void {
    if (this.#newlines?.finish() === true) this.fail('bare-newline');
  }

  /** A promise only where the sink wants one waited for. Never rejects: what the sink throws becomes the problem. */
  write(octets: Uint8Array): Promise<void> | undefined {
    this.octets += octets.length;
    if (this.problem !== undefined) {
      this.discardedOctets += octets.length;
      return undefined;
    }
    if (this.octets > this.#limits.messageOctetsMax) {
      this.fail('too-large');
      return undefined;
    }
    if (!this.#headerDone) this.#keepHeader(octets);
    try {
      const pending = this.#sink.write(octets);
      return pending?.catch((cause: unknown) => this.fail('fault', cause));
    } catch (cause) {
      this.fail('fault', cause);
      return undefined;
    }
  }

  /** Gives the message up; the first reason counts. */
  fail(problem: ContentProblem, cause?: unknown): void {
    if (this.problem !== undefined) return;
    this.problem = problem;
    this.cause = cause;
    this.abort();
  }

  /** Releases the sink, unless a commit has taken it over. */
  abort(): void {
    if (!this.#released) this.messageId = messageIdOf(this.header());
    this.#header = [];
    this.#slab = Buffer.alloc(0);
    if (this.#released) return;
    this.#released = true;
    this.#sink.abort();
  }

  /** The sink, for its commit; the message is then out of these hands. */
  release(): MessageSink {
    this.#released = true;
    return this.#sink;
  }

  /** The content up to and with its first empty line, as far as it was kept. */
  header(): Buffer {
    const [first] = this.#header;
    const all =
      first !== undefined && this.#header.length === 1 ? toBuffer(first) : Buffer.concat(this.#header);
    return headerSectionOf(all.subarray(0, this.#limits.headerOctetsMax));
  }

  /** A client that sends octet by octet must not cost an object for each. */
  #gather(octets: Uint8Array): void {
    if (this.#slabOctets + octets.length > SLAB_OCTETS) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_OCTETS);
      this.#slabOctets = 0;
    } else this.#header.pop();
    this.#slab.set(octets, this.#slabOctets);
    this.#slabOctets += octets.length;
    this.#header.push(this.#slab.subarray(0, this.#slabOctets));
  }

  #keepHeader(octets: Uint8Array): void {
    if (octets.length >= SLAB_OCTETS / 2 || this.#header.length === 0) {
      this.#header.push(octets);
      this.#slabOctets = SLAB_OCTETS;
    } else this.#gather(octets);
    this.#headerOctets += octets.length;
    // An empty line cut in two by the network is missed here; then a little more is kept than is needed.
    this.#headerDone =
      this.#headerOctets >= this.#limits.headerOctetsMax || toBuffer(octets).includes(EMPTY_LINE);
  }
}

function messageIdOf(header: Uint8Array): string | undefined {
  const field = findField(parseHeaderOctets(header), 'message-id');
  return field === undefined ? undefined : parseMessageId(field.raw);
}

/** Received fields in a header: each stands for a host passed. Source: RFC 5321 §6.3. */
export function countReceivedFields(header: Uint8Array): number {
  const text = latin1(header);
  return text.match(RECEIVED)?.length ?? 0;
}

const SLAB_OCTETS = 4096;
const RECEIVED = /^received[ \t]*:/gim;
