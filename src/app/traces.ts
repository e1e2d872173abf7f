/**
 * Where traces are kept, whatever the backend: embedded in a folder of the data directory, written by a thread of their own;
 * in PostgreSQL by each thread itself. Nothing waits for them, and the mail goes on where they cannot be written.
 */
import { join } from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import type { Config } from '../config/config.ts';
import { connectWriter, type WriterThread } from '../sqlite/writer.ts';
import {
  EmbeddedTraceReader,
  EmbeddedTraceSink,
  startTraceWriter,
  TRACE_WRITER,
} from '../trace/embedded/trace-store.ts';
import type { TraceOperations } from '../trace/embedded/trace-writer.ts';
import type { TraceBounds, TraceReader, TraceSink, TraceStore } from '../trace/trace-store.ts';

const DAY_MS = 86_400_000;

export type OpenedReader = { readonly reader: TraceReader; close(): Promise<void> };
export type OpenedSink = { readonly sink: TraceSink; close(): Promise<void> };

export function traceFolder(dataDirectory: string): string {
  return join(dataDirectory, 'traces');
}

function boundsOf({ trace }: Config): TraceBounds {
  return { keptMs: trace.keepDays * DAY_MS, octetsMax: trace.octetsMax };
}

/** The thread that writes; undefined where there is none to start. Throws `Fault`. */
export async function startTraces(config: Config): Promise<WriterThread | undefined> {
  if (!config.trace.enabled || config.store.backend !== 'embedded') return undefined;
  return startTraceWriter(traceFolder(config.dataDirectory), boundsOf(config));
}

/**
 * For one thread; undefined where nothing is kept.
 *
 * @param port to the thread that writes
 */
export function openTraceSink(config: Config, port: MessagePort | undefined): OpenedSink | undefined {
  if (!config.trace.enabled) return undefined;
  if (port !== undefined) {
    const sink = new EmbeddedTraceSink(connectWriter<TraceOperations>(port, TRACE_WRITER));
    return { sink, close: async () => port.close() };
  }
  if (config.store.backend !== 'postgres') return undefined;
  let opened: Promise<PostgresTraces> | undefined;
  return {
    sink: { append: async (batch) => (await (opened ??= openPostgres(config))).store.append(batch) },
    close: async () => (await opened)?.close(),
  };
}

/** For whoever asks: of a running server, or of a stopped one. */
export async function openTraceReader(config: Config): Promise<OpenedReader> {
  if (config.store.backend === 'postgres') {
    const opened = await openPostgres(config);
    return { reader: opened.store, close: () => opened.close() };
  }
  const reader = new EmbeddedTraceReader(traceFolder(config.dataDirectory));
  return { reader, close: async () => reader[Symbol.dispose]() };
}

type PostgresTraces = { readonly store: TraceStore; close(): Promise<void> };

async function openPostgres(config: Config): Promise<PostgresTraces> {
  // The driver is loaded only by who uses it.
  const { openPostgresTraces } = await import('./postgres-backends.ts');
  return openPostgresTraces(config, boundsOf(config));
}
