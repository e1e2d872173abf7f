/** An IMAP server on stores in memory, and conversations with it as a test writes them: a line said, lines expected. */
import assert from 'node:assert/strict';
import { MemoryDirectory } from '../../src/auth/memory/directory.ts';
import type { Principal } from '../../src/auth/principal.ts';
import type { ImapEvent } from '../../src/imap/server/event.ts';
import { RecentMailboxes } from '../../src/imap/server/recent-mailboxes.ts';
import type { ImapDeps, ImapLimits } from '../../src/imap/server/ports.ts';
import { serveImap } from '../../src/imap/server/session.ts';
import { DeflateConnection } from '../../src/net/deflate-connection.ts';
import { digestMessage } from '../../src/message/digest.ts';
import { scanMessage } from '../../src/message/scan.ts';
import type { SearchIndex } from '../../src/search/search-index.ts';
import type { BlobStore } from '../../src/store/blob-store.ts';
import { known, toAccountId, type AccountId, type Uid } from '../../src/store/ids.ts';
import type { MailStore } from '../../src/store/mail-store.ts';
import { openMemoryBlobStore } from '../../src/store/memory/blob-store.ts';
import { openMemoryMailStore } from '../../src/store/memory/mail-store.ts';
import { FakeClock } from './fake-clock.ts';
import { signInWith } from './sign-in.ts';
import type { SignInOptions } from './sign-in.ts';
import { seededRandom } from './world.ts';
import { memoryPair, type MemoryConnection, type MemoryOptions } from './memory-connection.ts';

export const ACCOUNT: AccountId = known(toAccountId(1));
/** Bob's. */
export const OTHER_ACCOUNT: AccountId = known(toAccountId(2));
/** Of another submission server. */
const SUBMIT_ACCOUNT: AccountId = known(toAccountId(3));

export const TEST_LIMITS: ImapLimits = {
  messageOctetsMax: 1_000_000,
  errorsMax: 5,
  authFailuresMax: 3,
  idleMs: 1_800_000,
  signInMs: 60_000,
  appendMessagesMax: 4,
  messagesMax: Infinity,
  savedMessagesMax: Infinity,
};

export type Delivery = {
  readonly mailbox?: string;
  readonly flags?: number;
  readonly keywords?: readonly string[];
  readonly receivedAtMs?: number;
  readonly prefix?: string;
};

/** One post office: sessions on it share its stores. */
export class ImapOffice {
  readonly clock: FakeClock = new FakeClock();
  readonly events: ImapEvent[] = [];
  readonly shutdown: AbortController = new AbortController();
  readonly store: MailStore;
  readonly blobs: BlobStore;
  /** Empty: only who is shared with is looked up in it. Its first two accounts are those of alice and bob. */
  readonly directory: MemoryDirectory;
  readonly deps: ImapDeps;

  /** @param change of the ports: a store that fails, smaller limits */
  constructor(
    change: {
      readonly store?: (store: MailStore) => MailStore;
      readonly blobs?: (blobs: BlobStore) => BlobStore;
      readonly search?: SearchIndex;
      readonly limits?: Partial<ImapLimits>;
      readonly tlsAvailable?: boolean;
      readonly compresses?: boolean;
      readonly sharesWithAnyone?: boolean;
      readonly signIn?: Partial<SignInOptions>;
    } = {},
  ) {
    const store = openMemoryMailStore(this.clock);
    const blobs = openMemoryBlobStore();
    this.store = change.store?.(store) ?? store;
    this.blobs = change.blobs?.(blobs) ?? blobs;
    this.directory = new MemoryDirectory({ clock: this.clock, random: seededRandom() });
    this.deps = {
      hostname: 'mail.example.test',
      version: '0.0.0',
      clock: this.clock,
      store: this.store,
      recent: new RecentMailboxes(4 * 16, 0),
      blobs: this.blobs,
      ...(change.search === undefined ? {} : { search: change.search }),
      sharing: this.directory,
      sharesWithAnyone: change.sharesWithAnyone ?? true,
      accounts: this.directory,
      random: seededRandom(),
      isSubmitter: (address) => address === 'submit@example.test',
      signIn: signInWith({
        password: 'secret',
        principals: new Map([
          ['alice', principalOf('alice', ACCOUNT)],
          ['bob', principalOf('bob', OTHER_ACCOUNT)],
          ['submit', principalOf('submit', SUBMIT_ACCOUNT)],
        ]),
        ...change.signIn,
      }),
      ...(change.compresses === false ? {} : { compress: (connection) => new DeflateConnection(connection) }),
      tlsAvailable: change.tlsAvailable ?? true,
      limits: { ...TEST_LIMITS, ...change.limits },
      emit: (event) => void this.events.push(event),
      shutdown: this.shutdown.signal,
    };
  }

  /** Puts a message into alice's mailbox behind every session's back. Line ends may be LF. */
  async deliver(text: string, options: Delivery = {}): Promise<Uid> {
    return this.deliverOctets(Buffer.from(text.replaceAll(/\r?\n/g, '\r\n'), 'latin1'), options);
  }

  async deliverOctets(octets: Buffer, options: Delivery = {}): Promise<Uid> {
    const writer = this.blobs.create();
    await writer.write(octets);
    const blob = await writer.finish();
    const mailboxes = await this.store.mailboxes(ACCOUNT);
    const mailbox = mailboxes.find(({ name }) => name === (options.mailbox ?? 'INBOX'));
    assert(mailbox, `no mailbox ${options.mailbox}`);
    const appended = await this.store.append(ACCOUNT, mailbox.id, [
      {
        blob,
        prefix: Buffer.from(options.prefix ?? '', 'latin1'),
        digest: digestMessage(scanMessage(octets)),
        flags: options.flags ?? 0,
        keywords: options.keywords ?? [],
        receivedAtMs: options.receivedAtMs ?? this.clock.nowMs(),
      },
    ]);
    assert(appended.ok);
    const [uid] = appended.value.uids;
    assert(uid);
    return uid;
  }

  eventNames(): readonly string[] {
    return this.events.map(({ name }) => name);
  }
}

export type ConversationOptions = MemoryOptions & {
  readonly office?: ImapOffice;
  /** Left out: alice. */
  readonly user?: 'alice' | 'bob';
};

/** One client's connection. */
export class Conversation {
  readonly office: ImapOffice;
  readonly client: MemoryConnection;
  readonly server: MemoryConnection;
  readonly done: Promise<void>;
  isOver = false;
  #tags = 0;

  constructor(options: ConversationOptions = {}) {
    this.office = options.office ?? new ImapOffice();
    const pair = memoryPair({ clock: this.office.clock, tls: true, serverPort: 143, ...options });
    this.client = pair.client;
    this.server = pair.server;
    this.done = serveImap(pair.server, this.office.deps).then(() => {
      this.isOver = true;
    });
  }

  /** Signed in, everything said so far taken away. */
  static async signedIn(options: ConversationOptions = {}): Promise<Conversation> {
    const conversation = new Conversation(options);
    await conversation.say(`x LOGIN ${options.user ?? 'alice'} secret\r\n`);
    return conversation;
  }

  /** Signed in, and a mailbox selected. */
  static async selected(
    options: ConversationOptions & { readonly mailbox?: string } = {},
  ): Promise<Conversation> {
    const conversation = await Conversation.signedIn(options);
    await conversation.say(`x SELECT ${options.mailbox ?? 'INBOX'}\r\n`);
    return conversation;
  }

  /** Sends octets (Latin-1) and gives all that comes until the server waits for more. */
  async say(text: string | Uint8Array): Promise<string> {
    void this.client.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
    return this.hear();
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

  /** One command; gives the lines of the answer, the tag of the last one written as `.`. */
  async run(command: string): Promise<readonly string[]> {
    this.#tags += 1;
    const tag = `t${this.#tags}`;
    const lines = linesOf(await this.say(`${tag} ${command}\r\n`));
    return lines.map((line) => (line.startsWith(`${tag} `) ? `.${line.slice(tag.length)}` : line));
  }

  /** As `run`; the answer must be exactly these lines. A line that ends in `…` is only the beginning of one. */
  async expect(command: string, ...expected: readonly string[]): Promise<void> {
    matchLines(await this.run(command), expected, command);
  }
}

export function linesOf(text: string): readonly string[] {
  return text === '' ? [] : text.replace(/\r\n$/, '').split('\r\n');
}

export function matchLines(lines: readonly string[], expected: readonly string[], about: string): void {
  const shown = lines.map((line, index) => {
    const want = expected[index];
    return want?.endsWith('…') === true && line.startsWith(want.slice(0, -1)) ? want : line;
  });
  assert.deepEqual(shown, [...expected], about);
}

/** A small message. */
export function letter(subject: string, fields = '', body = 'Hello\n'): string {
  return `From: Ann <ann@example.org>\nTo: Bob <bob@example.net>\nSubject: ${subject}\n${fields}\n${body}`;
}

/** The same port with some of its methods replaced. */
export function overriding<Port extends object>(port: Port, methods: Partial<Port>): Port {
  return new Proxy(port, {
    get: (target, name): unknown => {
      const value: unknown = Reflect.get(methods, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(name in methods ? methods : target) : value;
    },
  });
}

function principalOf(user: string, account: AccountId): Principal {
  return {
    address: `${user}@example.test`,
    account,
    authenticationId: user,
    appPassword: undefined,
  };
}
