/** Says that a server is ready, then waits until a signal or its own end. */
import type { RunningServer } from './server.ts';

/** Gives the exit code. */
export async function runUntilStopped(server: RunningServer): Promise<number> {
  const stop = (signal: NodeJS.Signals): void => void server.stop(signal);
  process.on('SIGTERM', stop).on('SIGINT', stop);
  process.on('SIGHUP', () => {
    server.reload().catch((cause: unknown) => {
      console.error(`postrider: the certificate stays as it was: ${describe(cause)}`);
    });
  });
  console.log('ready');
  const cause = await server.ended;
  if (cause !== undefined) console.error(`postrider: ${cause.message}`);
  return cause === undefined ? 0 : 1;
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
