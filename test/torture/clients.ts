/** All who load a post office at once: senders by SMTP and LMTP, and sessions of IMAP. */
import { setTimeout as pause } from 'node:timers/promises';
import { connectControl } from '../../src/app/control/client.ts';
import { ALICE, BOB, type RunningPostrider } from '../support/postrider.ts';
import { ImapLink } from './imap-link.ts';
import { Reader, sendByLmtp, sendBySmtp, type World } from './load.ts';
import { SmtpLink } from './smtp-link.ts';

export const ACCOUNTS: readonly {
  /** What the ledger calls it. */
  readonly name: string;
  readonly login: { readonly address: string; readonly password: string };
}[] = [
  { name: 'alice', login: ALICE },
  { name: 'bob', login: BOB },
];

export type SignedIn = { readonly name: string; readonly link: ImapLink };

/** Recipients beside ours, with whom a message is too many to be delivered before it is answered. */
export const CROWD = 20;
const QUEUE_MS_MAX = 15_000;

export async function addCrowd(server: RunningPostrider): Promise<void> {
  const control = await connectControl(server.directory);
  for (let index = 0; index < CROWD; index += 1)
    await control?.call('account.add', { address: `crowd${index}@example.test` });
  await control?.close();
}

/** The environment of a server that keeps messages longer between two steps of their way; `lag` is as `lag.ts` reads it. */
export function laggingBy(lag: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${new URL('lag.ts', import.meta.url).href}`, TORTURE_LAG: lag };
}

/** Resolves when everything that was accepted is delivered; what waits for another attempt gets it now. */
export async function queueEmpties(server: RunningPostrider): Promise<void> {
  const control = await connectControl(server.directory);
  if (control === undefined) throw new Error('The control socket does not answer');
  const endMs = performance.now() + QUEUE_MS_MAX;
  for (;;) {
    const count = await control.call('queue.count', {});
    if (count.ok && count.value.messages === 0 && count.value.recipients === 0) break;
    if (performance.now() > endMs) {
      const list = await control.call('queue.list', {});
      throw new Error(`The queue does not empty: ${JSON.stringify(count)} ${JSON.stringify(list)}`);
    }
    await control.call('queue.retry', { domain: 'example.test' });
    await pause(20);
  }
  await control.close();
}

/** All clients, connected; each gives its one step. */
export async function connectClients(
  server: RunningPostrider,
  world: World,
  links: readonly SignedIn[],
): Promise<(() => Promise<void>)[]> {
  const ports = { smtp: server.port('smtp'), lmtp: server.port('lmtp'), imaps: server.port('imaps') };
  const senders = [
    { accounts: ['alice'], crowd: 0 },
    { accounts: ['bob', 'alice'], crowd: 0 },
    { accounts: ['alice', 'bob'], crowd: CROWD },
    { accounts: ['bob'], crowd: 0 },
  ];
  const bySmtp = senders.map(async ({ accounts, crowd }) => {
    const link = await SmtpLink.open(ports.smtp, 'EHLO');
    return () => sendBySmtp(world, link, accounts, crowd);
  });
  const byLmtp = [['alice', 'bob'], ['bob']].map(async (accounts) => {
    const link = await SmtpLink.open(ports.lmtp, 'LHLO');
    return () => sendByLmtp(world, link, accounts);
  });
  const readers = ACCOUNTS.flatMap(({ name, login }) =>
    ['Mine', 'Taken'].map(async (prefix) => {
      // The session that has just looked at everything goes on as one of them.
      const known = prefix === 'Mine' ? links.find((one) => one.name === name)?.link : undefined;
      const link = known ?? (await ImapLink.open(ports.imaps, login));
      const reader = new Reader(world, link, name, prefix, prefix === 'Taken');
      return () => reader.step();
    }),
  );
  return Promise.all([...bySmtp, ...byLmtp, ...readers]);
}
