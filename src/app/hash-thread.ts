/**
 * The entry of a thread that hashes passwords, one after the other, for all others. In libuv's pool hashes would stand in the
 * way of the disk (four of them in a pool of four left 7 of 900 syncs a second), and every thread of the pool that has
 * hashed once keeps some 30 MiB.
 */
import { argon2Sync } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { parentPort, type MessagePort } from 'node:worker_threads';
import type { HashAnswer, HashRequest } from './hashing.ts';

/** Sessions go first where processors are short. */
const NICE = 5;

function serve(port: MessagePort): void {
  port.on('message', ({ id, password, salt, tagOctets, ...parameters }: HashRequest) => {
    let answer: HashAnswer;
    try {
      answer = {
        id,
        tag: argon2Sync('argon2id', { message: password, nonce: salt, tagLength: tagOctets, ...parameters }),
      };
    } catch (cause) {
      answer = { id, problem: cause instanceof Error ? cause.message : String(cause) };
    }
    port.postMessage(answer);
  });
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
