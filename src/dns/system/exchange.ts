/**
 * One question, one server, one answer: over UDP from a socket of its own (so from a port of its own, connected, so that
 * the kernel drops what comes from elsewhere; RFC 5452 §9), or over TCP (RFC 7766). Never rejects for what comes back.
 */
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '../../base/clock.ts';
import type { Interpretation } from '../wire/answer.ts';
import { interpretAnswer } from '../wire/answer.ts';
import type { Question, QuestionOptions } from '../wire/question.ts';
import { encodeQuestion } from '../wire/question.ts';

export type DnsServer = {
  readonly address: string;
  readonly port: number;
  /** Its AD bit may be believed: it validates, and the way to it is safe. */
  readonly trusted: boolean;
};

export type Exchanged = Exclude<Interpretation, { kind: 'foreign' }> | { readonly kind: 'timeout' };

export type ExchangeOptions = QuestionOptions & {
  readonly clock: Clock;
  readonly timeoutMs: number;
};

/** Datagrams that are not the answer and are passed over before the server is given up. */
const FOREIGN_MAX = 64;

export function exchangeUdp(
  server: DnsServer,
  question: Question,
  options: ExchangeOptions,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
    let foreign = 0;
    let done = false;
    const end = (answer: Exchanged): void => {
      if (done) return;
      done = true;
      timer.cancel();
      socket.close();
      resolve(answer);
    };
    const timer = options.clock.after(options.timeoutMs, () => end({ kind: 'timeout' }));
    // Unreachable, port closed (ICMP), no route: the same as silence, but sooner.
    socket.on('error', () => end({ kind: 'timeout' }));
    socket.on('message', (octets) => {
      const answer = interpretAnswer(octets, question);
      if (answer.kind !== 'foreign') end(answer);
      else if ((foreign += 1) > FOREIGN_MAX) end({ kind: 'malformed' });
    });
    socket.connect(server.port, server.address, () => {
      if (!done) socket.send(encodeQuestion(question, options));
    });
  });
}

export function exchangeTcp(
  server: DnsServer,
  question: Question,
  options: ExchangeOptions,
): Promise<Exchanged> {
  return new Promise((resolve) => {
    const query = encodeQuestion(question, options);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    const socket = connect({ host: server.address, port: server.port });
    let received: Buffer = Buffer.alloc(0);
    let done = false;
    const end = (answer: Exchanged): void => {
      if (done) return;
      done = true;
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = options.clock.after(options.timeoutMs, () => end({ kind: 'timeout' }));
    socket.on('error', () => end({ kind: 'timeout' }));
    socket.on('close', () => end({ kind: 'malformed' }));
    socket.on('connect', () => socket.write(Buffer.concat([length, query])));
    socket.on('data', (chunk: Buffer) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      if (received.length < 2) return;
      const whole = 2 + received.readUInt16BE(0);
      if (received.length < whole) return;
      const answer = interpretAnswer(received.subarray(2, whole), question);
      // Over TCP there is no bigger message to ask for, and nobody else's answer.
      end(answer.kind === 'foreign' || answer.kind === 'truncated' ? { kind: 'malformed' } : answer);
    });
  });
}
