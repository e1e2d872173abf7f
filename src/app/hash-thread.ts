/**
 * The entry of a thread that hashes passwords, one after the other, for all others. In libuv's pool hashes would stand in the
 * way of the disk (four of them in a pool of four left 7 of 900 syncs a second), and every thread of the pool that has
 * hashed once keeps some 30 MiB.
 */
import { argon2Sync, pbkdf2Sync } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, type MessagePort } from 'node:worker_threads';
import { unreachable } from '../base/unreachable.ts';
import { digestOf, SCRAM_OCTETS } from '../sasl/scram-key.ts';
import type { HashAnswer, HashRequest } from './hashing.ts';

/** Sessions go first where processors are short. */
const NICE = 5;

function serve(port: MessagePort): void {
  port.on('message', (request: HashRequest) => {
    const { id } = request;
    let answer: HashAnswer;
    try {
      answer = { id, tag: hash(request) };
    } catch (cause) {
      answer = { id, problem: cause instanceof Error ? cause.message : String(cause) };
    }
    port.postMessage(answer);
  });
}

function hash(request: HashRequest): Uint8Array {
  switch (request.kind) {
    case 'argon2id': {
      const { password: message, salt: nonce, tagOctets: tagLength, memory, passes, parallelism } = request;
      return argon2Sync('argon2id', { message, nonce, tagLength, memory, passes, parallelism });
    }
    case 'scram':
      return pbkdf2Sync(
        request.password,
        request.salt,
        request.iterations,
        SCRAM_OCTETS[request.hash],
        digestOf(request.hash),
      );
    default:
      return unreachable(request);
  }
}

function stepBack(): void {
  try {
    // Linux gives each thread a priority of its own, under the thread's number: `4711/task/4715`.
    const [, thread] = /\/task\/(\d+)$/.exec(readlinkSync('/proc/thread-self')) ?? [];
    if (thread !== undefined) setPriority(Number(thread), NICE);
  } catch {
    // Elsewhere there is no such thing.
  }
}

stepBack();
parentPort?.on('message', (port: MessagePort) => serve(port));
