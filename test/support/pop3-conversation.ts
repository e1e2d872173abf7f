/** POP3 sessions on the post office of `imap-conversation.ts`, as a test writes them: a line said, an answer expected. */
import type { Pop3Event } from '../../src/pop3/server/event.ts';
import type { MaildropLocks, Pop3Deps, Pop3Limits } from '../../src/pop3/server/ports.ts';
import { servePop3 } from '../../src/pop3/server/session.ts';
import { createMaildropLocks, MaildropLockTable } from '../../src/app/maildrop-locks.ts';
import { ImapOffice } from './imap-conversation.ts';
import { memoryPair, type MemoryConnection, type MemoryOptions } from './memory-connection.ts';

const LIMITS: Pop3Limits = { errorsMax: 3, authFailuresMax: 3, idleMs: 600_000, signInMs: 60_000 };

/** What sessions on one office share. */
export class Pop3Office {
  readonly mail: ImapOffice;
  readonly events: Pop3Event[] = [];
  readonly locks: MaildropLocks = new MaildropLockTable(createMaildropLocks(1), 0);
  readonly deps: Pop3Deps;

  constructor(
    change: ConstructorParameters<typeof ImapOffice>[0] & { readonly pop3?: Partial<Pop3Limits> } = {},
  ) {
    this.mail = new ImapOffice(change);
    const { hostname, version, clock, store, blobs, signIn, tlsAvailable, shutdown } = this.mail.deps;
    this.deps = {
      hostname,
      version,
      clock,
      store,
      blobs,
      signIn,
      tlsAvailable,
      shutdown,
      locks: this.locks,
      limits: {
        ...LIMITS,
        ...change.pop3,
      },
      emit: (event) => void this.events.push(event),
    };
  }

  eventNames(): readonly string[] {
    return this.events.map(({ name }) => name);
  }

  reason(): string | undefined {
    const ended = this.events.findLast((event) => event.name === 'pop3.session.ended');
    return ended?.reason;
  }
}

export type Pop3Options = MemoryOptions & { readonly office?: Pop3Office };

export class Pop3Conversation {
  readonly office: Pop3Office;
  readonly client: MemoryConnection;
  readonly server: MemoryConnection;
  readonly done: Promise<void>;
  isOver = false;

  constructor(options: Pop3Options = {}) {
    this.office = options.office ?? new Pop3Office();
    const pair = memoryPair({ clock: this.office.deps.clock, tls: true, serverPort: 110, ...options });
    this.client = pair.client;
    this.server = pair.server;
    this.done = servePop3(pair.server, this.office.deps).then(() => {
      this.isOver = true;
    });
  }

  static async greeted(options: Pop3Options = {}): Promise<Pop3Conversation> {
    const conversation = new Pop3Conversation(options);
    await conversation.hear();
    return conversation;
  }

  static async signedIn(options: Pop3Options = {}): Promise<Pop3Conversation> {
    const conversation = await Pop3Conversation.greeted(options);
    await conversation.say('USER alice\r\nPASS secret\r\n');
    return conversation;
  }

  /** Sends octets (Latin-1) and gives all that comes until the server waits for more. */
  async say(text: string | Uint8Array): Promise<string> {
    void this.client.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this.hear();
  }

  /** One command; its answer without the last CRLF. */
  async run(command: string): Promise<string> {
    return (await this.say(`${command}\r\n`)).replace(/\r\n$/, '');
  }

  async hear(): Promise<string> {
    let heard = '';
    for (let quiet = 0; quiet < 4; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      for (let chunk = this.client.tryRead(); chunk !== undefined; chunk = this.client.tryRead()) {
        heard += Buffer.from(chunk).toString('latin1');
        quiet = 0;
      }
    }
    return heard;
  }
}
