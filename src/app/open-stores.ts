/** Queue and mail store of a post office that is not running, for one command. */
import { parseConfig, type Config } from '../config/config.ts';
import { Fault } from '../base/fault.ts';
import { openBackends, openWriters, recoverStorage } from './backends.ts';
import type { StoppedNotes, StoppedStores } from './control/stopped.ts';
import { reporterOf } from './control/tls-methods.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import type { Rates } from '../policy/rate.ts';
import { systemClock, systemRandom } from './system.ts';
import { openSearchControl } from './search.ts';
import { TraceCollector } from '../trace/collector.ts';
import { openTraceReader, openTraceSink, startTraces, type OpenedReader } from './traces.ts';

/** @param config undefined: the data of `localserve` */
export async function openStores(dataDirectory: string, config: Config | undefined): Promise<StoppedStores> {
  const settings = config ?? localConfig(dataDirectory);
  const writers = await openWriters(settings);
  const backends = await openBackends({
    config: settings,
    writers: writers.connect(),
    owner: 'command',
    clock: systemClock,
    random: systemRandom,
  });
  await recoverStorage(settings, backends, undefined);
  return {
    queue: backends.queue,
    blobs: backends.blobs,
    mailStore: backends.mail,
    tlsReports: { records: backends.tls, reporter: reporterOf(settings) },
    search: openSearchControl(settings, backends.blobs, 'stopped'),
    close: async () => {
      await backends.close();
      await writers.close();
    },
  };
}

/** Traces of a post office that is not running, for one command. */
export async function openTraces(dataDirectory: string, config: Config | undefined): Promise<OpenedReader> {
  return openTraceReader(config ?? localConfig(dataDirectory));
}

/** Throws `Fault` where the traces cannot be written. */
export async function openNotes(dataDirectory: string, config: Config | undefined): Promise<StoppedNotes> {
  const settings = config ?? localConfig(dataDirectory);
  const thread = await startTraces(settings);
  const opened = openTraceSink(settings, thread?.connect());
  let lost: { readonly cause: unknown } | undefined;
  const collector =
    opened &&
    new TraceCollector({
      sink: opened.sink,
      clock: systemClock,
      without: new Set(settings.trace.subject ? [] : ['subject']),
      onDropped: (_entries, cause) => (lost ??= { cause }),
    });
  return {
    note: (event) => collector?.note(event),
    close: async () => {
      await collector?.flush();
      await opened?.close();
      await thread?.close();
      if (lost !== undefined) throw new Fault('Writing traces', lost.cause);
    },
  };
}

/** What a stopped post office would run with: nobody has been counted. */
export async function openSimulation(
  dataDirectory: string,
  config: Config | undefined,
): Promise<{ readonly config: Config; readonly rates: Rates }> {
  const rates = new RateTable(createRateMemory(1, 1), systemClock);
  return { config: config ?? localConfig(dataDirectory), rates };
}

/** What opening the data asks of a configuration, with every default in place. */
export function localConfig(dataDirectory: string): Config {
  const config = parseConfig(
    [
      'hostname = "localhost"',
      `dataDirectory = ${JSON.stringify(dataDirectory)}`,
      '[tls]',
      'selfSigned = true',
    ].join('\n'),
  );
  if (!config.ok)
    throw new Fault(`Opening ${dataDirectory}`, new Error('Its path cannot be written in TOML'));
  return config.value;
}
