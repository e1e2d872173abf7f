/** `postrider serve`: a configured host. */
import { readConfig } from './read-config.ts';
import { runUntilStopped } from './run-server.ts';
import { startServer } from './server.ts';
import { VERSION } from './version.ts';

export type ServeOptions = { readonly config: string };

export async function runServe(options: ServeOptions): Promise<number> {
  const config = await readConfig(options.config);
  if (!config.ok) {
    for (const line of config.error) console.error(`postrider: ${line}`);
    return 3;
  }
  const started = await startServer({
    config: config.value,
    what: 'postrider serve',
    version: VERSION,
    loopbackAllowed: config.value.outgoing.port !== 25,
    prepare: async () => {},
  });
  if (started.ok) return runUntilStopped(started.value);
  console.error(`postrider: ${started.error.text}`);
  return started.error.kind === 'failed' ? 1 : 6;
}
