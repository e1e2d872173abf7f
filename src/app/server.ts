/**
 * The main thread of a post office: takes the data directory, starts the threads that write and those that serve, and
 * replaces a serving thread that dies. It speaks with no client but the control socket.
 */
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Fault } from '../base/fault.ts';
import { err, ok, type Result } from '../base/result.ts';
import type { Config } from '../config/config.ts';
import type { Directory } from '../auth/directory.ts';
import { createAdmissionTable, type AdmissionTable } from '../net/admission.ts';
import { connectionsWithin, descriptorsMax } from '../net/descriptors.ts';
import { mustBeFree } from '../net/free-port.ts';
import { openRates, RateKeeper } from '../net/rate-file.ts';
import { RateTable, type RateMemory } from '../net/rate-table.ts';
import { createMaildropLocks, type MaildropLockMemory } from './maildrop-locks.ts';
import { serverTls, type Certificate } from '../net/tls-context.ts';
import { PostgresRefused } from '../postgres/refused.ts';
import { DatabaseRefused } from '../sqlite/migrate.ts';
import type { WriterThread } from '../sqlite/writer.ts';
import type { TraceReader } from '../trace/trace-store.ts';
import { ShardCountRefused } from '../store/embedded/mail-files.ts';
import {
  maintain,
  openBackends,
  openWriters,
  portsOf,
  recoverStorage,
  type Backends,
  type Writers,
} from './backends.ts';
import { loadCertificate } from './certificate.ts';
import { reporterOf } from './control/tls-methods.ts';
import { openControlServer, type ControlServer } from './control/server.ts';
import { routeExplainer } from './route-explainer.ts';
import { returnPathOptions } from './return-paths.ts';
import { ReturnPaths } from '../delivery/return-paths.ts';
import { describeDirectoryProblem, files, openDataDirectory, type DataDirectory } from './data-directory.ts';
import { describeInUse, takeDataLock, type DataLock } from './data-lock.ts';
import { startHashThreads, type HashThreads } from './hashing.ts';
import { createObservers, type Observers } from './observers.ts';
import type { Listening } from './services.ts';
import { systemClock, systemRandom } from './system.ts';
import type { FromSessionThread, SessionThreadData, ToSessionThread } from './thread-messages.ts';
import { openSearchControl, startSearch, type SearchThread } from './search.ts';
import { openTraceReader, openTraceSink, startTraces, type OpenedReader, type OpenedSink } from './traces.ts';

export type ServerOptions = {
  readonly config: Config;
  /** `postrider serve`: for whoever comes second. */
  readonly what: string;
  readonly version: string;
  /** Mail may be sent on to addresses of this machine. */
  readonly loopbackAllowed: boolean;
  /** Called with the directory before anybody is served. */
  readonly prepare: (directory: Directory) => Promise<void>;
};

export type StartProblem = {
  /** `in-use`, `refused`: somebody else's data, or a newer version's. `failed`: the disk or a port. */
  readonly kind: 'in-use' | 'refused' | 'failed';
  readonly text: string;
};

export type RunningServer = {
  readonly listening: readonly Listening[];
  /** Ends what is in flight; idempotent. */
  stop(signal: string): Promise<void>;
  /** Reads the certificate again. */
  reload(): Promise<void>;
  /** Resolves when the server has ended: by `stop`, or with what it died of. */
  readonly ended: Promise<Error | undefined>;
};

/** Sessions and deliveries in flight are cut after this. */
const GRACE_MS = 10_000;
/** A thread that died at once when it was replaced waits this long. */
const REPLACE_PAUSE_MS = 1000;
const SESSION_THREADS_MAX = 8;
/** Where traces could not be opened: the log said so. */
const NO_TRACES: TraceReader = { read: async () => new Map(), find: async () => [] };

export async function startServer(options: ServerOptions): Promise<Result<RunningServer, StartProblem>> {
  const { config, what } = options;
  const startedMs = systemClock.monotonicMs();
  let lock: DataLock | undefined;
  let server: Supervisor | undefined;
  // Hashes of passwords and people's mail: whatever is made from here on is its owner's alone.
  process.umask(0o077);
  try {
    const data = await openDataDirectory(config.dataDirectory, systemClock.nowMs());
    if (!data.ok)
      return err({ kind: 'refused', text: describeDirectoryProblem(config.dataDirectory, data.error) });
    const taken = await takeDataLock(config.dataDirectory, {
      pid: process.pid,
      what,
      sinceMs: systemClock.nowMs(),
    });
    if (!taken.ok) return err({ kind: 'in-use', text: describeInUse(config.dataDirectory, taken.error) });
    lock = taken.value;
    server = new Supervisor(options, data.value, lock, startedMs);
    await server.start();
    return ok(server);
  } catch (cause) {
    await (server === undefined ? lock?.release() : server.abandon());
    if (
      cause instanceof DatabaseRefused ||
      cause instanceof ShardCountRefused ||
      cause instanceof PostgresRefused
    )
      return err({ kind: 'refused', text: cause.message });
    if (!(cause instanceof Fault)) throw cause;
    const inner = cause.cause instanceof Error ? `: ${cause.cause.message}` : '';
    return err({ kind: 'failed', text: `${cause.message}${inner}` });
  }
}

type SessionThread = {
  readonly name: string;
  readonly worker: Worker;
  readonly ended: Promise<Error | undefined>;
};

class Supervisor implements RunningServer {
  readonly ended: Promise<Error | undefined>;
  readonly #options: ServerOptions;
  readonly #data: DataDirectory;
  readonly #lock: DataLock;
  readonly #startedMs: number;
  readonly #startedAtMs: number = systemClock.nowMs();
  readonly #observers: Observers;
  #traceWriter: WriterThread | undefined;
  #search: SearchThread | undefined;
  #traceSink: OpenedSink | undefined;
  #traceReader: OpenedReader | undefined;
  readonly #threads = new Map<string, SessionThread>();
  readonly #maintenance = new AbortController();
  readonly #admission: AdmissionTable;
  #rates: RateMemory | undefined;
  #rateKeeper: RateKeeper | undefined;
  readonly #maildropLocks: MaildropLockMemory;
  readonly #threadCount: number;
  readonly #connectionsMax: number;
  #end: (cause: Error | undefined) => void = () => {};
  #certificate: Certificate | undefined;
  #writers: Writers | undefined;
  #hashes: HashThreads | undefined;
  #backends: Backends | undefined;
  #control: ControlServer | undefined;
  #maintained: Promise<void> | undefined;
  #listening: readonly Listening[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: ServerOptions, data: DataDirectory, lock: DataLock, startedMs: number) {
    this.#options = options;
    this.#data = data;
    this.#lock = lock;
    this.#startedMs = startedMs;
    this.#observers = createObservers({
      ...options.config,
      thread: 'main',
      traces: {
        // This thread tells of nothing before the one that writes is there.
        sink: { append: async (batch) => this.#traceSink?.sink.append(batch) },
        close: async () => this.#traceSink?.close(),
      },
    });
    const { limits, threads } = options.config;
    this.#threadCount = threads.sessions ?? Math.min(availableParallelism(), SESSION_THREADS_MAX);
    this.#admission = createAdmissionTable(this.#threadCount);
    this.#maildropLocks = createMaildropLocks(this.#threadCount);
    this.#connectionsMax = connectionsWithin(limits.connectionsMax, descriptorsMax());
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get listening(): readonly Listening[] {
    return this.#listening;
  }

  async start(): Promise<void> {
    const { config, version, prepare } = this.#options;
    await mustHavePorts(config);
    const hashes = startHashThreads();
    this.#hashes = hashes;
    void hashes.ended.then((cause) => this.#writerEnded(cause));
    // Both are waited for: a thread that is being started can be closed only when it stands.
    const [opened] = await Promise.allSettled([this.#openWriters(), this.#startTraces()]);
    if (opened.status === 'rejected') throw opened.reason;
    const writers = opened.value;
    const rates = new RateTable(await this.#openRates(), systemClock);
    const backends = await openBackends({
      config,
      writers: writers.connect(),
      hashes: hashes.connect(),
      rates,
      owner: 'main',
      clock: systemClock,
      random: systemRandom,
    });
    this.#backends = backends;
    await recoverStorage(config, backends, undefined);
    await backends.queue.endLeases([]);
    await prepare(backends.directory);
    const started = await Promise.all(
      Array.from({ length: this.#threadCount }, (_, number) => this.#startThread(number)),
    );
    this.#listening = started[0] ?? [];
    this.#control = await openControlServer(
      this.#data.path,
      {
        clock: systemClock,
        directory: backends.directory,
        returnPaths: new ReturnPaths(
          { directory: backends.directory, clock: systemClock },
          returnPathOptions(config),
        ),
        queue: async () => backends.queue,
        blobs: async () => backends.blobs,
        mailStore: async () => backends.mail,
        simulation: async () => ({ config, rates }),
        tlsReports: async () => ({ records: backends.tls, reporter: reporterOf(config) }),
        explainRoute: routeExplainer(config, backends.directory, this.#options.loopbackAllowed),
        queueEvents: (event) => this.#observers.queue(event),
        search: async () => openSearchControl(config, backends.blobs, 'running'),
        traces: async () => this.#traceReader?.reader ?? NO_TRACES,
        server: {
          status: () => ({
            version,
            pid: process.pid,
            hostname: config.hostname,
            startedAtMs: this.#startedAtMs,
            listeners: this.#listening,
          }),
          stop: () => void this.stop('control'),
        },
      },
      (cause) => this.#observers.server({ name: 'server.fault', cause }),
    );
    this.#maintained = maintain(config, backends, systemClock, this.#maintenance.signal, (cause) =>
      this.#observers.server({ name: 'server.fault', cause }),
    ).catch((cause: unknown) => this.#observers.server({ name: 'server.fault', cause }));
    this.#startSearch();
    this.#tellLowered();
    const tookMs = Math.round(systemClock.monotonicMs() - this.#startedMs);
    this.#observers.server({ name: 'server.ready', version, tookMs });
  }

  async stop(signal: string): Promise<void> {
    return (this.#stopping ??= this.#stop(signal, undefined));
  }

  /** After a start that failed half way. */
  async abandon(): Promise<void> {
    await Promise.all([...this.#threads.values()].map(({ worker }) => worker.terminate()));
    await this.#close();
  }

  async reload(): Promise<void> {
    const certificate = await this.#readCertificate();
    this.#certificate = certificate;
    for (const { worker } of this.#threads.values()) send(worker, { kind: 'certificate', certificate });
  }

  async #openRates(): Promise<RateMemory> {
    const path = files.rates(this.#data.path);
    const { memory, lost } = await openRates(path);
    if (lost !== undefined) this.#observers.server({ name: 'server.rates.lost', cause: lost });
    this.#rates = memory;
    this.#rateKeeper = new RateKeeper(path, memory, systemClock, (cause) =>
      this.#observers.server({ name: 'server.fault', cause }),
    );
    this.#rateKeeper.start();
    return memory;
  }

  /** Where traces cannot be written, the mail goes on without them. */
  async #startTraces(): Promise<void> {
    const { config } = this.#options;
    try {
      const writer = await startTraces(config);
      this.#traceWriter = writer;
      void writer?.ended.then((cause) => {
        if (cause !== undefined && this.#stopping === undefined)
          this.#observers.server({ name: 'server.thread.died', thread: 'trace', cause });
      });
      this.#traceSink = openTraceSink(config, writer?.connect());
      this.#traceReader = await openTraceReader(config);
    } catch (cause) {
      this.#observers.server({ name: 'server.fault', cause });
    }
  }

  /** Where it dies, searches read more of the mail, and nothing else is lost. */
  #startSearch(): void {
    const search = startSearch(this.#options.config);
    this.#search = search;
    void search?.ended.then((cause) => {
      if (cause !== undefined && this.#stopping === undefined)
        this.#observers.server({ name: 'server.thread.died', thread: 'search', cause });
    });
  }

  /** Side by side with the certificate, whose making takes as long. */
  async #openWriters(): Promise<Writers> {
    const [opened, certificate] = await Promise.allSettled([
      openWriters(this.#options.config),
      this.#readCertificate(),
    ]);
    if (opened.status === 'fulfilled') this.#writers = opened.value;
    if (certificate.status === 'rejected') throw certificate.reason;
    if (opened.status === 'rejected') throw opened.reason;
    this.#certificate = certificate.value;
    void opened.value.ended.then((cause) => this.#writerEnded(cause));
    return opened.value;
  }

  /** One that cannot serve never reaches a thread: files are often seen half written. */
  async #readCertificate(): Promise<Certificate> {
    try {
      const certificate = await loadCertificate(this.#options.config, systemClock.nowMs());
      serverTls(certificate);
      return certificate;
    } catch (cause) {
      throw new Fault('Reading the certificate and its key', cause);
    }
  }

  #tellLowered(): void {
    const configured = this.#options.config.limits.connectionsMax;
    const descriptors = descriptorsMax();
    const connections = this.#connectionsMax;
    if (connections < configured && descriptors !== undefined)
      this.#observers.server({ name: 'server.connections.lowered', configured, connections, descriptors });
  }

  async #stop(signal: string, cause: Error | undefined): Promise<void> {
    this.#observers.server({ name: 'server.stopping', signal });
    for (const { worker } of this.#threads.values()) send(worker, { kind: 'stop', graceMs: GRACE_MS });
    const cut = systemClock.after(GRACE_MS * 2, () => {
      for (const { worker } of this.#threads.values()) void worker.terminate();
    });
    await Promise.all([...this.#threads.values()].map(({ ended }) => ended));
    cut.cancel();
    await this.#close();
    this.#observers.server({ name: 'server.stopped' });
    this.#end(cause);
  }

  /** Each step is taken, whatever became of the one before: a writer that died must not keep the others from their end. */
  async #close(): Promise<void> {
    this.#maintenance.abort();
    const steps = [
      () => this.#search?.close(),
      () => this.#maintained,
      () => this.#control?.close(),
      () => this.#rateKeeper?.stop(),
      () => this.#backends?.close(),
      () => this.#hashes?.close(),
      () => this.#observers.close(),
      () => this.#traceReader?.close(),
      () => this.#traceWriter?.close(),
      () => this.#writers?.close(),
      () => this.#lock.release(),
    ];
    for (const step of steps) {
      try {
        await step();
      } catch (cause) {
        this.#observers.server({ name: 'server.fault', cause });
      }
    }
  }

  /** Nobody can write, or sign in, any more: what was not acknowledged is lost, all else is on the disk. */
  #writerEnded(cause: Error | undefined): void {
    if (cause === undefined || this.#stopping !== undefined) return;
    this.#observers.server({ name: 'server.thread.died', thread: 'writer', cause });
    this.#stopping = this.#stop('writer', cause);
  }

  /** @param number from 0; the first one works through the queue too */
  async #startThread(number: number): Promise<readonly Listening[]> {
    const name = `session${number + 1}`;
    const runsQueue = number === 0;
    const { config, version, loopbackAllowed } = this.#options;
    if (
      this.#certificate === undefined ||
      this.#writers === undefined ||
      this.#hashes === undefined ||
      this.#rates === undefined
    )
      throw new TypeError('Not started');
    const writers = this.#writers.connect();
    const hashes = this.#hashes.connect();
    const traces = this.#traceWriter?.connect();
    const data: SessionThreadData = {
      name,
      config,
      certificate: this.#certificate,
      writers,
      hashes,
      traces,
      admission: this.#admission,
      maildropLocks: this.#maildropLocks,
      rates: this.#rates,
      number,
      connectionsMax: this.#connectionsMax,
      runsQueue,
      loopbackAllowed,
      version,
    };
    const entry = new URL(`./session-thread${extname(new URL(import.meta.url).pathname)}`, import.meta.url);
    const worker = new Worker(entry, {
      name,
      workerData: data,
      transferList: [...portsOf(writers), hashes, ...(traces === undefined ? [] : [traces])],
    });
    let died: Error | undefined;
    worker.on('error', (cause: unknown) => {
      died = cause instanceof Error ? cause : new Error(String(cause));
    });
    const ended = new Promise<Error | undefined>((resolve) => worker.once('exit', () => resolve(died)));
    this.#threads.set(name, { name, worker, ended });
    const first = new Promise<FromSessionThread>((resolve) => worker.once('message', resolve));
    const answer = await Promise.race([first, ended]);
    if (answer === undefined || answer instanceof Error)
      throw new Fault(`Starting the thread ${name}`, answer);
    if (answer.kind === 'failed') throw new Fault(answer.message, new Error(answer.cause));
    void ended.then((cause) => this.#threadEnded(name, number, cause));
    return answer.kind === 'ready' ? answer.listening : [];
  }

  async #threadEnded(name: string, number: number, cause: Error | undefined): Promise<void> {
    if (this.#stopping !== undefined || this.#backends === undefined) return;
    this.#observers.server({ name: 'server.thread.died', thread: name, cause });
    try {
      await recoverStorage(this.#options.config, this.#backends, name);
      const others = [...this.#threads.keys()].filter((other) => other !== name);
      await this.#backends.queue.endLeases(others.flatMap((other) => leaseOwnersOf(other)));
      await new Promise((resolve) => setTimeout(resolve, REPLACE_PAUSE_MS));
      if (this.#stopping === undefined) await this.#startThread(number);
    } catch (problem) {
      this.#observers.server({ name: 'server.fault', cause: problem });
      this.#stopping ??= this.#stop('thread', problem instanceof Error ? problem : undefined);
    }
  }
}

/** Session threads share ports with whoever else shares them: that they are free is found out before. */
async function mustHavePorts({ listeners }: Config): Promise<void> {
  for (const { enabled, addresses, port } of Object.values(listeners))
    if (enabled && port !== 0) await Promise.all(addresses.map((address) => mustBeFree(address, port)));
}

/** The names under which the services of a thread hold leases. */
function leaseOwnersOf(thread: string): readonly string[] {
  return [`${thread}now`, `${thread}run`];
}

function send(worker: Worker, message: ToSessionThread): void {
  worker.postMessage(message);
}
