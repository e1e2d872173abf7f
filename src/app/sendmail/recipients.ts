/**
 * Whom the server knows, where it runs and the system lets this user ask it (its own user and the superuser). Everybody
 * else hears by mail of a recipient who is nobody: who may have an address is not for every program to try out.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { LIMITS } from '../../base/limits.ts';
import { connectControl } from '../control/client.ts';
import { UnixUsers } from '../unix-users.ts';
import type { Office } from './office.ts';

/** A server that does not answer holds nobody up: the maildrop takes the mail. */
const PATIENCE_MS = 1000;

/** Those of them who are nobody, as far as is known here. Never throws. */
export async function unknownRecipients(
  { domain, dataDirectory }: Office,
  addresses: readonly string[],
): Promise<readonly string[]> {
  if (dataDirectory === undefined || addresses.length > LIMITS.controlPageMax) return [];
  const over = new AbortController();
  try {
    const unknown = await Promise.race([
      ask(dataDirectory, addresses, over.signal),
      pause(PATIENCE_MS, [], { signal: over.signal }),
    ]);
    // The postmaster gets mail for users of the machine.
    const users = new UnixUsers();
    const suffix = `@${domain.toLowerCase()}`;
    return unknown.filter(
      (one) => !one.toLowerCase().endsWith(suffix) || !users.isUser(one.slice(0, -suffix.length)),
    );
  } catch {
    return [];
  } finally {
    over.abort();
  }
}

async function ask(
  dataDirectory: string,
  addresses: readonly string[],
  over: AbortSignal,
): Promise<readonly string[]> {
  const client = await connectControl(dataDirectory);
  if (client === undefined) return [];
  over.addEventListener('abort', () => void client.close());
  try {
    const answer = await client.call('recipient.unknown', { addresses });
    return answer.ok ? answer.value.unknown : [];
  } finally {
    await client.close();
  }
}
