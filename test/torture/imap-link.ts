/** An IMAP client that says one command at a time and notices when the server is gone. */
import { connect as connectTls } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { fetchItems, ResponseReader, tokenText } from '../../src/imap/wire/response-reader.ts';
import type { ServerResponse } from '../../src/imap/wire/response-reader.ts';
import type { SeenMailbox, SeenMessage } from './ledger.ts';

/** The connection ended before the answer. */
export class LinkLost extends Error {
  override readonly name = 'LinkLost';
}

export type Answer = {
  readonly status: string;
  readonly code: string | undefined;
  readonly text: string;
  readonly responses: readonly ServerResponse[];
};

const TOKEN_FIELD = 'subject: ';

export class ImapLink {
  readonly #socket: TLSSocket;
  readonly #reader = new ResponseReader();
  #tags = 0;
  #isLost = false;
  #wake: () => void = () => undefined;
  /** Why the connection ended, where the server said so. */
  #bye = '';

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    socket.on('data', (octets: Buffer) => {
      this.#reader.push(octets);
      this.#wake();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isLost = true;
      this.#wake();
    });
  }

  static async open(
    port: number,
    login: { readonly address: string; readonly password: string },
  ): Promise<ImapLink> {
    const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false });
    const link = new ImapLink(socket);
    try {
      await once(socket, 'secureConnect');
    } catch {
      throw new LinkLost('No connection');
    }
    const greeting = await link.#next();
    if (greeting.kind !== 'status' || greeting.status !== 'OK')
      throw new Error(`Greeted ${JSON.stringify(greeting)}`);
    await link.must(`LOGIN ${login.address} ${login.password}`);
    await link.must('ENABLE CONDSTORE');
    return link;
  }

  async #next(): Promise<ServerResponse> {
    for (;;) {
      const response = this.#reader.next();
      if (response !== undefined) return response;
      if (this.#isLost) throw new LinkLost(this.#bye);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Literals are non-synchronizing (RFC 7888), so a command goes out as one piece. Throws `LinkLost`. */
  async run(command: string | readonly (string | Buffer)[]): Promise<Answer> {
    this.#tags += 1;
    const tag = `t${this.#tags}`;
    const pieces: Buffer[] = [Buffer.from(`${tag} `)];
    for (const piece of typeof command === 'string' ? [command] : command) {
      if (typeof piece === 'string') pieces.push(Buffer.from(piece));
      else pieces.push(Buffer.from(`{${piece.length}+}\r\n`), piece);
    }
    pieces.push(Buffer.from('\r\n'));
    if (this.#isLost) throw new LinkLost(this.#bye);
    this.#socket.write(Buffer.concat(pieces));
    const responses: ServerResponse[] = [];
    for (;;) {
      const response = await this.#next();
      if (response.kind === 'tagged' && response.tag === tag)
        return { status: response.status, code: response.code, text: response.text, responses };
      if (response.kind === 'status' && response.status === 'BYE') this.#bye = response.text;
      responses.push(response);
    }
  }

  async must(command: string | readonly (string | Buffer)[]): Promise<Answer> {
    const answer = await this.run(command);
    if (answer.status !== 'OK') {
      const shown = typeof command === 'string' ? command : String(command[0]);
      throw new Error(`${shown}: ${answer.status} [${answer.code}] ${answer.text}`);
    }
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Everything that one account's client sees; messages are known by their subject. */
export async function seeAll(link: ImapLink): Promise<SeenMailbox[]> {
  const { responses } = await link.must('LIST "" "*"');
  const seen: SeenMailbox[] = [];
  for (const response of responses) {
    if (response.kind !== 'data' || response.name !== 'LIST') continue;
    const name = tokenText(response.values[2]);
    if (name !== undefined) seen.push(await seeMailbox(link, name));
  }
  return seen;
}

export async function seeMailbox(link: ImapLink, name: string): Promise<SeenMailbox> {
  const status = await link.must(
    `STATUS "${name}" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED HIGHESTMODSEQ)`,
  );
  const numbers = statusItems(status.responses);
  await link.must(`EXAMINE "${name}"`);
  const messages = numbers('MESSAGES') === 0 ? [] : await seeMessages(link, '1:*');
  // The counters are kept, not counted: they must agree with what is there.
  const counted = {
    MESSAGES: messages.length,
    UNSEEN: messages.filter(({ flags }) => !flags.includes('\\Seen')).length,
    DELETED: messages.filter(({ flags }) => flags.includes('\\Deleted')).length,
  };
  for (const [item, count] of Object.entries(counted))
    if (numbers(item) !== count)
      throw new Error(`${name}: STATUS says ${item} ${numbers(item)}, there are ${count}`);
  return {
    name,
    uidValidity: numbers('UIDVALIDITY'),
    uidNext: numbers('UIDNEXT'),
    highestModSeq: numbers('HIGHESTMODSEQ'),
    messages,
  };
}

/** @param set of UIDs, in the mailbox that is selected */
export async function seeMessages(link: ImapLink, set: string): Promise<SeenMessage[]> {
  const { responses } = await link.must(`UID FETCH ${set} (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])`);
  return responses.flatMap((response) => {
    const items = fetchItems(response);
    const uid = Number(tokenText(items.get('UID')));
    const flags = items.get('FLAGS');
    const header = [...items].find(([label]) => label.startsWith('BODY['))?.[1];
    const subject = tokenText(header);
    // Flags that another session changed come without the rest.
    if (Number.isNaN(uid) || flags?.kind !== 'list' || subject === undefined) return [];
    const token = subject.slice(TOKEN_FIELD.length).trim();
    return [{ uid, token, flags: flags.items.flatMap((flag) => tokenText(flag) ?? []) }];
  });
}

/** The whole octets of messages by UID. */
export async function readOctets(link: ImapLink, set: string): Promise<ReadonlyMap<number, Buffer>> {
  const { responses } = await link.must(`UID FETCH ${set} (UID BODY.PEEK[])`);
  const found = new Map<number, Buffer>();
  for (const response of responses) {
    const items = fetchItems(response);
    const body = items.get('BODY[]');
    if (body?.kind === 'string') found.set(Number(tokenText(items.get('UID'))), body.octets);
  }
  return found;
}

function statusItems(responses: readonly ServerResponse[]): (name: string) => number {
  const values = new Map<string, number>();
  for (const response of responses) {
    const list = response.kind === 'data' && response.name === 'STATUS' ? response.values[1] : undefined;
    if (list?.kind !== 'list') continue;
    for (let at = 0; at + 1 < list.items.length; at += 2)
      values.set(tokenText(list.items[at]) ?? '', Number(tokenText(list.items[at + 1])));
  }
  return (name) => values.get(name) ?? Number.NaN;
}

/** `7,9:11` as numbers. */
export function uidsOf(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split(':').map(Number);
    const [from, to] = first <= last ? [first, last] : [last, first];
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}
