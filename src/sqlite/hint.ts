/**
 * Change hints between the threads of one process: "this key of this topic has reached this value". Sent after a
 * commit, gathered over one turn of the event loop (the last value of a key wins), and never relied upon: a lost hint
 * costs a delay.
 */
import { BroadcastChannel } from 'node:worker_threads';

export type HintListener = (key: number, value: number) => void;

export type Hints = {
  /** Tells every subscriber of the scope, in this thread and the others, soon. */
  publish(topic: string, key: number, value: number): void;
  subscribe(topic: string, listener: HintListener): { close(): void };
  close(): void;
};

type HintMessage = readonly (readonly [topic: string, pairs: readonly number[]])[];

class ChannelHints implements Hints {
  readonly #channel: BroadcastChannel;
  readonly #listeners = new Map<string, Set<HintListener>>();
  readonly #outgoing = new Map<string, Map<number, number>>();
  #isClosed = false;

  constructor(scope: string) {
    this.#channel = new BroadcastChannel(`postrider hints ${scope}`);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- listeners added otherwise would keep the process up
    this.#channel.onmessage = (event): void => {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only this class posts to the channel
      this.#deliver((event as unknown as { data: HintMessage }).data);
    };
    this.#channel.unref();
  }

  publish(topic: string, key: number, value: number): void {
    if (this.#isClosed) return;
    if (this.#outgoing.size === 0) setImmediate(() => this.#flush());
    const keys = this.#outgoing.get(topic);
    if (keys === undefined) this.#outgoing.set(topic, new Map([[key, value]]));
    else keys.set(key, value);
  }

  subscribe(topic: string, listener: HintListener): { close(): void } {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(listener));
    return { close: () => void listeners.delete(listener) };
  }

  close(): void {
    this.#isClosed = true;
    this.#channel.close();
  }

  #flush(): void {
    const message: HintMessage = [...this.#outgoing].map(([topic, keys]) => [topic, [...keys].flat()]);
    this.#outgoing.clear();
    if (this.#isClosed) return;
    this.#channel.postMessage(message);
    // A channel does not hear itself.
    this.#deliver(message);
  }

  #deliver(message: HintMessage): void {
    for (const [topic, pairs] of message)
      for (const listener of this.#listeners.get(topic) ?? [])
        for (let index = 0; index + 1 < pairs.length; index += 2)
          listener(pairs[index] ?? 0, pairs[index + 1] ?? 0);
  }
}

/** @param scope whose hints: one running server, one name; two servers in one process have two */
export function openHints(scope: string): Hints {
  return new ChannelHints(scope);
}
