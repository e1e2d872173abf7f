/**
 * Two sessions on one inbox take any lines while IMAP removes messages beside them: nothing throws or hangs, each line is
 * answered once, and nothing goes but what was marked when QUIT was said (RFC 1939 §5, §6). Lines that begin with `>` are
 * the second session's; `!3` removes the third message behind both.
 */
import assert from 'node:assert/strict';
import { ACCOUNT, letter } from '../../../test/support/imap-conversation.ts';
import { Pop3Conversation, Pop3Office } from '../../../test/support/pop3-conversation.ts';
import { latin1 } from '../../base/bytes.ts';
import type { Uid } from '../../store/ids.ts';
import { parseCommand } from '../wire/command.ts';

const LINES_MAX = 40;
const LETTERS = 4;

export const covers: RegExp = /src\/pop3\/server\//;
export const seeds: readonly Uint8Array[] = [
  'USER alice\nPASS secret\nSTAT\nLIST\nUIDL\nRETR 1\nTOP 2 0\nDELE 1\nLIST 1\nRSET\nDELE 2\nQUIT\n>USER alice\n>PASS secret\n>LIST',
  'CAPA\nLANG\nLANG en\nUTF8\nAUTH\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\nUTF8\nRETR 3\n!3\nRETR 3\nDELE 3\nDELE 4\nNOOP\nQUIT',
  'PASS secret\nUSER bob\nPASS secret\nRETR 1\nUIDL 1\n>AUTH LOGIN\n>USER alice\n>PASS secret\n>DELE 1\n>DELE 1\n>TOP 4 1\n!1\n>QUIT',
  'STLS\nUSER alice\nPASS wrong\nUSER alice\nPASS secret\nUSER alice\nSTLS\nLIST 9\nLIST 0\nDELE x\nTOP 1\nRETR 1 2\nXYZ\nQUIT now\n>QUIT',
  'AUTH SCRAM-SHA-256\nAUTH PLAIN =\nAUTH PLAIN !\nAUTH NONE\nAUTH LOGIN\nUSER alice\nPASS secret\nUIDL 2\nRSET\nTOP 4 99999999\nQUIT',
].map((text) => Buffer.from(text));

/** One session, and what it has marked. */
class Client {
  readonly conversation: Pop3Conversation;
  /** UIDs as they were at sign-in; undefined before. */
  #listed: readonly number[] | undefined;
  readonly #marked = new Set<number>();

  constructor(conversation: Pop3Conversation) {
    this.conversation = conversation;
  }

  /** @param uids that the inbox has now. Gives those that go with this line. */
  async run(line: string, uids: readonly number[]): Promise<readonly number[]> {
    const heard = await this.#say(line);
    assert.match(heard, /^(?:\+OK|-ERR)[^\r\n]*\r\n/, line);
    if (/^\+OK \d+ messages \(/.test(heard) && this.#listed === undefined) {
      const { events } = this.conversation.office;
      const signedIn = events.findLast((event) => event.name === 'pop3.auth.succeeded');
      this.#listed = signedIn !== undefined && signedIn.account === ACCOUNT ? uids : [];
    }
    const command = parseCommand(Buffer.from(line, 'latin1'));
    if (!heard.startsWith('+OK') || !command.ok) return [];
    const { verb } = command.value;
    if (verb === 'DELE') {
      assert(!this.#marked.has(command.value.number), 'marked twice');
      this.#marked.add(command.value.number);
    } else if (verb === 'RETR' || verb === 'TOP')
      assert(heard.endsWith('\r\n.\r\n') && !this.#marked.has(command.value.number), line);
    else if (verb === 'RSET') this.#marked.clear();
    else if (verb === 'QUIT') return [...this.#marked].map((number) => this.#listed?.[number - 1] ?? 0);
    return [];
  }

  async #say(line: string): Promise<string> {
    const { conversation } = this;
    let heard = await conversation.say(`${line}\r\n`);
    // An exchange of SASL is broken off.
    if (heard.startsWith('+ ')) heard = await conversation.say('*\r\n');
    if (heard !== '') return heard;
    // A failed sign-in is answered late.
    await conversation.office.mail.clock.advance(5000);
    return conversation.hear();
  }
}

export async function fuzz(octets: Uint8Array): Promise<void> {
  const office = new Pop3Office({ pop3: { errorsMax: 1000 } });
  const { store } = office.mail;
  for (let at = 1; at <= LETTERS; at += 1) await office.mail.deliver(letter(`m${at}`, '', '.\nbody\n..\n'));
  const inbox = (await store.mailboxes(ACCOUNT)).find(({ role }) => role === 'inbox');
  assert(inbox);
  const uidsNow = async (): Promise<readonly Uid[]> =>
    (await store.entries(ACCOUNT, inbox.id, 0, 10)).map(({ uid }) => uid);
  const all = await uidsNow();
  const left = new Set<number>(all);
  const first = new Client(await Pop3Conversation.greeted({ office }));
  const second = new Client(await Pop3Conversation.greeted({ office }));
  for (const line of latin1(octets)
    .split(/[\r\n]+/)
    .slice(0, LINES_MAX)) {
    const behind = all[Number(/^!([1-4])$/.exec(line)?.[1] ?? 0) - 1];
    const client = line.startsWith('>') ? second : first;
    if (behind !== undefined) {
      await store.remove(ACCOUNT, inbox.id, [behind]);
      left.delete(behind);
    } else if (!client.conversation.isOver)
      for (const uid of await client.run(line.replace(/^>/, ''), [...left])) left.delete(uid);
    assert.deepEqual(await uidsNow(), [...left], line);
  }
  for (const { conversation } of [first, second]) {
    await conversation.client.close();
    await conversation.done;
  }
  const bug = office.events.find(({ name }) => name === 'pop3.bug');
  assert.equal(bug, undefined, bug && 'error' in bug ? bug.error : '');
}
