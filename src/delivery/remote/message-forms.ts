/**
 * The forms in which one message can go to next hops: as it is, and converted for one that lacks an extension. Each is made when
 * a hop first asks for it; the octets are streamed anew for each visit, and nothing is kept of them but where its parts are.
 * Throws what reading the message throws.
 */
import type { Carriage, ConversionPlan, Obstacle, SurveyedMessage } from '../../message/carriage.ts';
import { Converter, planConversion, Survey } from '../../message/carriage.ts';
import { createScanner } from '../../message/scan.ts';
import type { QueuedMessage } from '../../queue/queue.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { HopMessage, HopVisit } from './hop.ts';
import type { Problem } from './problem.ts';

export type MessageForm = Pick<HopMessage, 'body' | 'smtpUtf8' | 'octets' | 'content'>;

type Lack = Extract<HopVisit, { kind: 'cannot' }>['what'];

export class MessageForms {
  readonly asIs: MessageForm;
  readonly #blobs: BlobStore;
  readonly #message: QueuedMessage;
  #surveyed: Promise<SurveyedMessage> | undefined;

  constructor(message: QueuedMessage, blobs: BlobStore) {
    this.#blobs = blobs;
    this.#message = message;
    this.asIs = {
      body: message.body,
      smtpUtf8: message.smtpUtf8,
      octets: message.prefix.length + message.blob.octets,
      content: () => this.#octets(),
    };
  }

  /** A form that needs less; each asks for less than the one before, so three come to an end. A problem: there is none. */
  async without(lack: Lack, form: MessageForm, host: string): Promise<MessageForm | Problem> {
    switch (lack) {
      case 'smtputf8':
        return this.#withoutSmtpUtf8(form, host);
      case 'binarymime':
        return this.#converted('8bit', form, { reason: 'smtp.no-binarymime', needs: 'BINARYMIME', host });
      case '8bitmime':
        return this.#converted('7bit', form, { reason: 'smtp.no-8bitmime', needs: '8BITMIME', host });
      case 'size':
      case 'requiretls':
      case 'deliverby':
        return refusal(lack, host);
    }
  }

  /** RFC 6531 §3.5: only what needs the extension is refused without it, whatever was said when the message came in. */
  async #withoutSmtpUtf8(form: MessageForm, host: string): Promise<MessageForm | Problem> {
    if (!isAscii(this.#message.reversePath ?? '')) return noInternationalAddress(host);
    if ((await this.#survey()).hasEightBitHeader)
      return {
        status: '5.6.9',
        reason: 'smtp.no-smtputf8',
        text: `${host} cannot take an internationalized header (SMTPUTF8)`,
      };
    return { ...form, smtpUtf8: false };
  }

  /** RFC 6152 §3, RFC 3030 §3: conversion, or return; RFC 3463 §3.7: X.6.3, conversion required but not supported. */
  async #converted(
    to: Carriage,
    form: MessageForm,
    { reason, needs, host }: { readonly reason: string; readonly needs: string; readonly host: string },
  ): Promise<MessageForm | Problem> {
    const plan = planConversion(await this.#survey(), to);
    const body = to === '7bit' ? '7bit' : '8bitmime';
    switch (plan.kind) {
      case 'unneeded':
        return { ...form, body };
      case 'convert':
        return { ...form, body, octets: plan.octetsMax, content: () => this.#convert(plan) };
      case 'impossible':
        return {
          status: '5.6.3',
          reason,
          text: `${host} does not offer ${needs}, and the message cannot be converted: ${OBSTACLES[plan.why]}`,
        };
    }
  }

  #survey(): Promise<SurveyedMessage> {
    this.#surveyed ??= this.#look();
    return this.#surveyed;
  }

  async #look(): Promise<SurveyedMessage> {
    const scanner = createScanner();
    for await (const chunk of this.#octets()) scanner.push(chunk);
    const survey = new Survey(scanner.end().root);
    for await (const chunk of this.#octets()) survey.push(chunk);
    return survey.end();
  }

  async *#convert(
    plan: Extract<ConversionPlan, { kind: 'convert' }>,
  ): AsyncGenerator<Uint8Array, void, void> {
    const converter = new Converter(plan);
    for await (const chunk of this.#octets()) yield* converter.push(chunk);
    yield* converter.end();
  }

  /** The message as it travels: the queue's fields, then the octets as received. */
  async *#octets(): AsyncGenerator<Uint8Array, void, void> {
    const { prefix, blob } = this.#message;
    if (prefix.length > 0) yield prefix;
    yield* this.#blobs.stream(blob);
  }
}

const OBSTACLES = {
  header: 'its header is beyond ASCII',
  sealed: 'what is beyond ASCII in it is signed or encrypted',
  structure: 'its parts allow no other encoding',
} as const satisfies Record<Obstacle, string>;

function refusal(lack: 'size' | 'requiretls' | 'deliverby', host: string): Problem {
  switch (lack) {
    case 'size':
      // RFC 1870 §6.1; RFC 3463 §3.4: X.3.4.
      return {
        status: '5.3.4',
        reason: 'smtp.too-big',
        text: `The message is larger than ${host} accepts (SIZE)`,
      };
    case 'requiretls':
      // RFC 8689 §4.2.1.
      return {
        status: '5.7.30',
        reason: 'smtp.no-requiretls',
        text: `${host} does not promise to keep to TLS on the further way (REQUIRETLS)`,
      };
    case 'deliverby':
      // RFC 2852 §4.1.4.1; RFC 3463 §3.4: X.3.3, not capable of selected features.
      return {
        status: '5.3.3',
        reason: 'smtp.no-deliverby',
        text: `${host} does not promise to deliver in the time that is left (DELIVERBY)`,
      };
  }
}

/** RFC 6531 §3.5, §3.6: X.6.7. */
export function noInternationalAddress(host: string): Problem {
  return {
    status: '5.6.7',
    reason: 'smtp.no-smtputf8',
    text: `${host} cannot take internationalized addresses (SMTPUTF8)`,
  };
}

export function isAscii(text: string): boolean {
  return !/[^\x00-\x7f]/.test(text);
}
