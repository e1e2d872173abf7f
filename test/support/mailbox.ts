/** Looks into a mailbox with imapflow: a client that nobody here wrote. */
import { ImapFlow } from 'imapflow';
import type { RunningPostrider } from './postrider.ts';

export type Login = { readonly address: string; readonly password: string };

/** Signs in over implicit TLS; the caller logs out. */
export async function imapClient(server: RunningPostrider, login: Login): Promise<ImapFlow> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port: server.port('imaps'),
    secure: true,
    tls: { rejectUnauthorized: false },
    auth: { user: login.address, pass: login.password },
    logger: false,
  });
  await client.connect();
  return client;
}

/** The whole octets (as Latin-1) of every message in a mailbox, by UID. */
export async function readMessages(
  server: RunningPostrider,
  login: Login,
  mailbox = 'INBOX',
): Promise<string[]> {
  const client = await imapClient(server, login);
  try {
    const lock = await client.getMailboxLock(mailbox);
    try {
      const messages: string[] = [];
      if (client.mailbox !== false && client.mailbox.exists > 0)
        for await (const { source } of client.fetch('1:*', { source: true }))
          messages.push((source ?? Buffer.alloc(0)).toString('latin1'));
      return messages;
    } finally {
      lock.release();
    }
  } finally {
    await client.logout();
  }
}

/** Waits until a mailbox holds at least so many messages. */
export async function waitForMessages(
  server: RunningPostrider,
  login: Login,
  count: number,
  mailbox = 'INBOX',
): Promise<string[]> {
  const end = Date.now() + 15_000;
  for (;;) {
    const messages = await readMessages(server, login, mailbox);
    if (messages.length >= count || Date.now() > end) return messages;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
