/** The data of a post office that is not running, opened by one command for its own short time, under the lock. */
import type { Directory } from '../../auth/directory.ts';
import { openEmbeddedDirectory } from '../../auth/embedded/directory.ts';
import type { DirectorySettings } from '../../auth/resolve-address.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { ReturnPaths } from '../../delivery/return-paths.ts';
import type { ReturnPathOptions } from '../../delivery/return-paths.ts';
import type { Queue } from '../../queue/queue.ts';
import type { BlobStore } from '../../store/blob-store.ts';
import type { MailStore } from '../../store/mail-store.ts';
import { files } from '../data-directory.ts';
import { mustBeBackend } from '../backend-choice.ts';
import { takeDataLock } from '../data-lock.ts';
import type { DataInUse } from '../data-lock.ts';
import { systemClock, systemRandom } from '../system.ts';
import type { OpenedReader } from '../traces.ts';
import { answer } from './answer.ts';
import type { ControlClient } from './client.ts';
import type { ControlMethod, ControlParams, ControlPorts, ControlResult } from './methods.ts';
import type { ControlProblem } from './problem.ts';
import type { QueueEvent } from './queue-methods.ts';
import type { SearchControl } from './search-methods.ts';
import type { TlsReports } from './tls-methods.ts';

/** Queue and mail store, opened only for the methods that ask for them. */
export type StoppedStores = {
  readonly queue: Queue;
  readonly blobs: BlobStore;
  readonly mailStore: MailStore;
  readonly tlsReports: TlsReports;
  readonly search: SearchControl | undefined;
  close(): Promise<void>;
};

/** Where the traces hear of what a command does. */
export type StoppedNotes = { note(event: QueueEvent): void; close(): Promise<void> };

export type StoppedDirectory = { readonly directory: Directory; close(): Promise<void> };

export type StoppedOptions = {
  /** Exists. */
  readonly dataDirectory: string;
  /** The command, as the lock will name it. */
  readonly what: string;
  readonly settings: DirectorySettings;
  readonly returnPaths: ReturnPathOptions;
  openStores(): Promise<StoppedStores>;
  explainerFor(directory: Directory): ControlPorts['explainRoute'];
  openTraces(): Promise<OpenedReader>;
  /** Opened by the first act only. */
  openNotes(): Promise<StoppedNotes>;
  /** What was done is done, but the traces do not tell of it. */
  onNotesLost(cause: unknown): void;
  simulation: ControlPorts['simulation'];
  /** Undefined: the embedded one. */
  readonly openDirectory?: (settings: DirectorySettings) => Promise<StoppedDirectory>;
};

/** Throws `DatabaseRefused`, `PostgresRefused` and `Fault` as opening the data does. */
export async function openStopped(options: StoppedOptions): Promise<Result<ControlClient, DataInUse>> {
  const holder = { pid: process.pid, what: options.what, sinceMs: systemClock.nowMs() };
  const lock = await takeDataLock(options.dataDirectory, holder);
  if (!lock.ok) return err(lock.error);
  try {
    const { settings, openDirectory } = options;
    const kept =
      openDirectory === undefined
        ? openEmbedded(options.dataDirectory, settings)
        : await openDirectory(settings);
    let stores: Promise<StoppedStores> | undefined;
    const opened = async (): Promise<StoppedStores> => (stores ??= options.openStores());
    let traces: Promise<OpenedReader> | undefined;
    let notes: Promise<StoppedNotes> | undefined;
    const note = async (event: QueueEvent): Promise<void> =>
      (await (notes ??= options.openNotes())).note(event);
    let noting: Promise<unknown> = Promise.resolve();
    const ports: ControlPorts = {
      clock: systemClock,
      directory: kept.directory,
      returnPaths: new ReturnPaths({ directory: kept.directory, clock: systemClock }, options.returnPaths),
      queue: async () => (await opened()).queue,
      blobs: async () => (await opened()).blobs,
      mailStore: async () => (await opened()).mailStore,
      simulation: options.simulation,
      tlsReports: async () => (await opened()).tlsReports,
      search: async () => (await opened()).search,
      explainRoute: options.explainerFor(kept.directory),
      // No log is open: what the command prints is all that is said, but for the traces.
      queueEvents: (event) => {
        noting = Promise.all([noting, note(event)]);
        noting.catch(() => undefined);
      },
      traces: async () => (await (traces ??= options.openTraces())).reader,
      server: undefined,
    };
    const close = async (): Promise<void> => {
      try {
        await noting;
        await (await notes)?.close();
      } catch (cause) {
        options.onNotesLost(cause);
      }
      await kept.close();
      await (await traces)?.close();
      await (await stores)?.close();
      await lock.value.release();
    };
    return ok({ call: caller(ports), close });
  } catch (cause) {
    await lock.value.release();
    throw cause;
  }
}

function openEmbedded(dataDirectory: string, settings: DirectorySettings): StoppedDirectory {
  mustBeBackend(dataDirectory, 'embedded');
  const directory = openEmbeddedDirectory({
    ...settings,
    file: files.directory(dataDirectory),
    clock: systemClock,
    random: systemRandom,
  });
  return { directory, close: async () => directory.close() };
}

/** A client that answers itself, through the same reading of parameters as the socket. */
export function caller(ports: ControlPorts): ControlClient['call'] {
  return async <Method extends ControlMethod>(method: Method, params: ControlParams<Method>) => {
    const answered = await answer(method, params, ports, (error) => {
      throw error;
    });
    return answered as Result<ControlResult<Method>, ControlProblem>;
  };
}
