/**
 * The way to a database's writer: calls go out together at the end of the event loop's turn, answers come back a group
 * at a time. A call resolves when its effect is on stable storage (`lazy`: when it is applied).
 *
 * Arguments and answers cross threads by structured clone: plain data. Octets are copied with the whole buffer that
 * they are a view of, so give `ownOctets`. Errors: `Fault` for the disk and for a writer that is gone.
 */
import { once } from 'node:events';
import { extname } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { Fault } from '../base/fault.ts';
import type { Database } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { DatabaseRefused } from './migrate.ts';
import type { FileKind, Refusal } from './migrate.ts';
import { openDatabase } from './open-database.ts';
import type { DatabaseOptions } from './open-database.ts';

/** What a kind of file can be asked to do, by name. Each runs inside a transaction and returns plain data. */
export type Operations = Readonly<Record<string, (args: never) => unknown>>;

/** What a module named by `WriterFile.moduleUrl` exports: its kind of file, and its operations over an open one. */
export type WriterModule<Options, Table extends Operations> = {
  readonly kind: FileKind;
  open(database: Database, options: Options): Table;
};

export type Writer<Table extends Operations> = {
  call<Name extends keyof Table & string>(
    name: Name,
    args: Parameters<Table[Name]>[0],
  ): Promise<ReturnType<Table[Name]>>;
  /** For bookkeeping that a crash may undo: resolves when applied, durable with the next group (within 50 ms). */
  lazy<Name extends keyof Table & string>(
    name: Name,
    args: Parameters<Table[Name]>[0],
  ): Promise<ReturnType<Table[Name]>>;
};

/** One file of a writer thread. */
export type WriterFile = {
  /** How clients ask for it: 'mail-0000', 'queue'. */
  readonly name: string;
  readonly file: string;
  /** The URL of a module with the exports of {@link WriterModule}. */
  readonly moduleUrl: string;
  /** Plain data for the module's `open`. */
  readonly options?: unknown;
  readonly database?: DatabaseOptions;
};

export type WriterThread = {
  /** A port for one other thread; may be transferred to it. */
  connect(): MessagePort;
  /** Finishes what has arrived, closes the files, ends the thread. */
  close(): Promise<void>;
  /** Resolves when the thread has ended, with the error that ended it, or `undefined` after `close`. */
  readonly ended: Promise<Error | undefined>;
};

/** One call on its way: number, writer's name, operation, lazy, arguments. */
export type CallMessage = readonly [id: number, writer: string, name: string, lazy: boolean, args: unknown];
export type ErrorMessage =
  | { readonly kind: 'fault'; readonly doing: string; readonly cause: string }
  | { readonly kind: 'bug'; readonly error: unknown };
export type AnswerMessage =
  | readonly [id: number, ok: true, value: unknown]
  | readonly [id: number, ok: false, error: ErrorMessage];
export type ThreadMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly file: string; readonly fileKind: string; readonly refusal: Refusal }
  | { readonly kind: 'failed'; readonly error: ErrorMessage };

/** The octets in a buffer of exactly their size. */
export function ownOctets(octets: Uint8Array): Uint8Array {
  return octets.byteLength === octets.buffer.byteLength ? octets : Uint8Array.prototype.slice.call(octets);
}

export function toErrorMessage(error: unknown): ErrorMessage {
  if (error instanceof Fault)
    return {
      kind: 'fault',
      doing: error.message,
      cause: error.cause instanceof Error ? error.cause.message : '',
    };
  return { kind: 'bug', error };
}

function fromErrorMessage(message: ErrorMessage): unknown {
  return message.kind === 'fault' ? new Fault(message.doing, new Error(message.cause)) : message.error;
}

type Pending = { resolve(value: unknown): void; reject(error: unknown): void };

/** The calls of one thread over one port, whichever of the writer's files they are for. */
class Connection {
  readonly #port: MessagePort;
  readonly #pending = new Map<number, Pending>();
  #outgoing: CallMessage[] = [];
  #nextId = 1;
  #isClosed = false;

  constructor(port: MessagePort) {
    this.#port = port;
    port.on('message', (answers: readonly AnswerMessage[]) => this.#settle(answers));
    port.on('close', () => this.#end());
    // An idle connection keeps no process up; a call that waits for its answer does.
    port.unref();
  }

  call(writer: string, name: string, lazy: boolean, args: unknown): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(new Fault(`Writing to ${writer}: the writer is gone`));
    return new Promise((resolve, reject) => {
      const id = this.#nextId;
      this.#nextId += 1;
      if (this.#pending.size === 0) this.#port.ref();
      this.#pending.set(id, { resolve, reject });
      this.#outgoing.push([id, writer, name, lazy, args]);
      if (this.#outgoing.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const calls = this.#outgoing;
    this.#outgoing = [];
    if (this.#isClosed) return;
    try {
      this.#port.postMessage(calls);
    } catch (error) {
      // Something in one of the calls cannot be cloned: a bug of its caller.
      for (const [id] of calls) this.#take(id)?.reject(error);
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#port.unref();
    return pending;
  }

  #settle(answers: readonly AnswerMessage[]): void {
    for (const answer of answers) {
      const pending = this.#take(answer[0]);
      if (answer[1]) pending?.resolve(answer[2]);
      else pending?.reject(fromErrorMessage(answer[2]));
    }
  }

  #end(): void {
    this.#isClosed = true;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const one of pending) one.reject(new Fault('Writing: the writer is gone'));
  }
}

const connections = new WeakMap<MessagePort, Connection>();

/** The writer of one file behind a port of {@link WriterThread.connect}; several may be had from the same port. */
export function connectWriter<Table extends Operations>(port: MessagePort, writer: string): Writer<Table> {
  let connection = connections.get(port);
  if (connection === undefined) {
    connection = new Connection(port);
    connections.set(port, connection);
  }
  const to = connection;
  return typed<Table>((name, lazy, args) => to.call(writer, name, lazy, args));
}

type Send = (name: string, lazy: boolean, args: unknown) => Promise<unknown>;

function typed<Table extends Operations>(send: Send): Writer<Table> {
  type Answer<Name extends keyof Table> = Promise<ReturnType<Table[Name]>>;
  return {
    call<Name extends keyof Table & string>(name: Name, args: Parameters<Table[Name]>[0]): Answer<Name> {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same table is at the other end
      return send(name, false, args) as Answer<Name>;
    },
    lazy<Name extends keyof Table & string>(name: Name, args: Parameters<Table[Name]>[0]): Answer<Name> {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same table is at the other end
      return send(name, true, args) as Answer<Name>;
    },
  };
}

export type LocalWriter<Table extends Operations> = Writer<Table> & {
  readonly database: Database;
  /** Finishes what has arrived and closes the file. */
  close(): void;
};

/** A writer in this thread, whose event loop its commits hold up: for tests and for commands that end soon. */
export function openLocalWriter<Options, Table extends Operations>(
  module: WriterModule<Options, Table>,
  file: string,
  options: Options,
  databaseOptions: DatabaseOptions = {},
): LocalWriter<Table> {
  const database = openDatabase(file, module.kind, databaseOptions);
  const table = module.open(database, options);
  const group = new GroupCommit(database);
  const writer = typed<Table>(
    (name, lazy, args) =>
      new Promise((answer, refuse) => {
        group.add({ lazy, run: () => runOperation(table, name, args), answer, refuse });
      }),
  );
  return {
    ...writer,
    database,
    close() {
      group.close();
      database.close();
    },
  };
}

/** Runs the operation of this name. */
export function runOperation(table: Operations, name: string, args: unknown): unknown {
  const operation = Object.hasOwn(table, name) ? table[name] : undefined;
  if (operation === undefined) throw new TypeError(`The writer has no operation ${JSON.stringify(name)}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Writer.call` took the arguments by this table's types
  return operation(args as never);
}

/**
 * Starts a thread that owns these files. Resolves when all are open and migrated; throws `DatabaseRefused` or `Fault`
 * when one of them cannot be.
 */
export async function startWriterThread(files: readonly WriterFile[]): Promise<WriterThread> {
  // The published package has .js where the source has .ts.
  const entry = new URL(`./writer-thread${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
  return startThread(entry, files, `writer ${files.map(({ name }) => name).join(' ')}`);
}

/**
 * The same for another module that speaks as `writer-thread.ts` does.
 *
 * @param workerData what it opens: plain data
 */
export async function startThread(entry: URL, workerData: unknown, name: string): Promise<WriterThread> {
  const worker = new Worker(entry, {
    workerData,
    name,
    // A writer keeps little: small pages of the young generation keep the thread small.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
  });
  let failure: Error | undefined;
  worker.on('error', (error: unknown) => {
    failure = error instanceof Error ? error : new Error(String(error));
  });
  let isClosing = false;
  const ended = once(worker, 'exit').then(([code]: unknown[]) => {
    if (failure !== undefined) return failure;
    return isClosing ? undefined : new Error(`The writer thread ended with code ${String(code)}`);
  });
  const first = new Promise<ThreadMessage>((resolve) => worker.once('message', resolve));
  const started = await Promise.race([first, ended]);
  if (started === undefined || started instanceof Error) throw new Fault('Starting a writer thread', started);
  if (started.kind === 'refused') throw new DatabaseRefused(started.file, started.fileKind, started.refusal);
  if (started.kind === 'failed') throw fromErrorMessage(started.error);
  return {
    connect() {
      const { port1, port2 } = new MessageChannel();
      worker.postMessage({ kind: 'connect', port: port2 }, [port2]);
      return port1;
    },
    async close() {
      isClosing = true;
      worker.postMessage({ kind: 'close' });
      const error = await ended;
      if (error !== undefined) throw error;
    },
    ended,
  };
}
