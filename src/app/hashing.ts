/** Passwords are hashed in threads of their own: starts them, and asks them through ports. */
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { ComputeHash, HashParameters } from '../auth/credential/password-hash.ts';
import type { ComputeSaltedPassword } from '../auth/credential/scram-key-maker.ts';
import { Fault } from '../base/fault.ts';
import type { ScramHash } from '../sasl/mechanism.ts';

/** Argon2id for a password that is kept or checked, or PBKDF2 for keys of SCRAM. */
export type HashRequest = { readonly id: number; readonly password: string; readonly salt: Uint8Array } & (
  | (HashParameters & { readonly kind: 'argon2id'; readonly tagOctets: number })
  | { readonly kind: 'scram'; readonly hash: ScramHash; readonly iterations: number }
);

export type HashAnswer =
  | { readonly id: number; readonly tag: Uint8Array }
  | { readonly id: number; readonly problem: string };

export type HashThreads = {
  /** A way to one of them; it may be transferred to another thread. */
  connect(): MessagePort;
  close(): Promise<void>;
  /** Resolves when one of them has ended, unless by `close`. */
  readonly ended: Promise<Error | undefined>;
};

const PROCESSORS_PER_THREAD = 4;
const THREADS_MAX = 4;

export function startHashThreads(): HashThreads {
  const count = Math.min(THREADS_MAX, Math.ceil(availableParallelism() / PROCESSORS_PER_THREAD));
  // The published package has .js where the source has .ts.
  const entry = new URL(`./hash-thread${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
  let isClosing = false;
  const workers = Array.from(
    { length: count },
    (_, number) =>
      new Worker(entry, { name: `hash${number + 1}`, resourceLimits: { maxYoungGenerationSizeMb: 2 } }),
  );
  let next = 0;
  return {
    connect() {
      const { port1, port2 } = new MessageChannel();
      workers[next % workers.length]?.postMessage(port2, [port2]);
      next += 1;
      return port1;
    },
    async close() {
      isClosing = true;
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
    ended: Promise.race(
      workers.map(async (worker) => {
        try {
          await once(worker, 'exit');
          return isClosing ? undefined : new Error('A thread that hashes passwords has ended');
        } catch (cause) {
          return cause instanceof Error ? cause : new Error(String(cause));
        }
      }),
    ),
  };
}

export type HashFunctions = {
  readonly argon2id: ComputeHash;
  readonly saltedPassword: ComputeSaltedPassword;
};

/** Hashes at the other end of the port. They reject with `Fault` where that thread cannot, or is gone. */
export function hashThrough(port: MessagePort): HashFunctions {
  type Waiting = { readonly resolve: (tag: Buffer) => void; readonly reject: (fault: Fault) => void };
  const waiting = new Map<number, Waiting>();
  let isGone = false;
  let lastId = 0;
  port.on('message', (answer: HashAnswer) => {
    const asked = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ('tag' in answer) asked?.resolve(Buffer.from(answer.tag));
    else asked?.reject(new Fault('Hashing a password', new Error(answer.problem)));
  });
  port.on('close', () => {
    isGone = true;
    for (const { reject } of waiting.values()) reject(new Fault('Hashing a password: its thread is gone'));
    waiting.clear();
  });
  port.unref();
  const ask = async (request: (id: number) => HashRequest): Promise<Buffer> => {
    if (isGone) throw new Fault('Hashing a password: its thread is gone');
    return new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { resolve, reject });
      port.postMessage(request(lastId));
    });
  };
  return {
    argon2id: async (password, parameters, salt, tagOctets) =>
      ask((id) => ({ kind: 'argon2id', id, password, salt, tagOctets, ...parameters })),
    saltedPassword: async (hash, password, { salt, iterations }) =>
      ask((id) => ({ kind: 'scram', id, password, hash, salt, iterations })),
  };
}
