/**
 * A client of Marionette, the remote control of Mozilla's programs: each packet is `OCTETS:JSON`, a command
 * `[0, id, name, parameters]`, its answer `[1, id, error, result]`. Commands are answered one by one.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';

type Answer = { readonly error: unknown; readonly result: unknown };

export class Marionette implements Disposable {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #input: Buffer = Buffer.alloc(0);
  #lastId = 0;
  #isOver = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (octets: Buffer) => this.#take(octets));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      this.#isOver = true;
      for (const answer of this.#waiting.values())
        answer({ error: { message: 'The program hung up' }, result: undefined });
    });
  }

  /** Connects once somebody listens; throws when the signal comes first. */
  static async connect(port: number, signal: AbortSignal): Promise<Marionette> {
    for (;;) {
      signal.throwIfAborted();
      const socket = connect({ host: '127.0.0.1', port });
      try {
        await once(socket, 'connect', { signal });
        return new Marionette(socket);
      } catch {
        socket.destroy();
        await setTimeout(50);
      }
    }
  }

  async send(name: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#isOver) throw new Error(`${name}: the program hung up`);
    this.#lastId += 1;
    const id = this.#lastId;
    const { error, result } = await new Promise<Answer>((resolve) => {
      this.#waiting.set(id, resolve);
      const packet = Buffer.from(JSON.stringify([0, id, name, parameters]));
      this.#socket.write(Buffer.concat([Buffer.from(`${packet.length}:`), packet]));
    });
    if (error !== null) throw new Error(`${name}: ${JSON.stringify(error)}`);
    return result;
  }

  #take(octets: Buffer): void {
    this.#input = Buffer.concat([this.#input, octets]);
    for (;;) {
      const colon = this.#input.indexOf(':');
      if (colon < 0) return;
      const end = colon + 1 + Number(this.#input.toString('latin1', 0, colon));
      if (this.#input.length < end) return;
      const packet: unknown = JSON.parse(this.#input.toString('utf8', colon + 1, end));
      this.#input = this.#input.subarray(end);
      // The greeting is an object.
      if (!Array.isArray(packet)) continue;
      const [, id, error, result] = packet as [number, number, unknown, unknown];
      this.#waiting.get(id)?.({ error, result });
      this.#waiting.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
