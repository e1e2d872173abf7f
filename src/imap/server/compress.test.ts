/** COMPRESS (RFC 4978): the conversation goes on compressed, in bounds, and ends with UNAUTHENTICATE (RFC 8437 §2). */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  constants,
  createDeflateRaw,
  createInflateRaw,
  deflateRawSync,
  type DeflateRaw,
  type InflateRaw,
  type ZlibOptions,
} from 'node:zlib';
import { Conversation, ImapOffice, letter, linesOf } from '../../../test/support/imap-conversation.ts';
import { LIMITS } from '../../base/limits.ts';

/** All that comes of one piece is had at once. */
const ROOM: ZlibOptions & { readonly highWaterMark: number } = { highWaterMark: 10_000_000 };

function allOf(stream: DeflateRaw | InflateRaw): Buffer {
  const pieces: Buffer[] = [];
  for (let piece: unknown = stream.read(); Buffer.isBuffer(piece); piece = stream.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** The client's side of a compressed conversation; what is heard is awaited, not counted in turns. */
class CompressedConversation {
  readonly conversation: Conversation;
  readonly #deflate = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH });
  readonly #inflate = createInflateRaw(ROOM);

  private constructor(conversation: Conversation) {
    this.conversation = conversation;
  }

  static async begun(office?: ImapOffice): Promise<CompressedConversation> {
    const conversation = await Conversation.signedIn(office === undefined ? {} : { office });
    await conversation.expect('COMPRESS DEFLATE', '. OK DEFLATE is active');
    return new CompressedConversation(conversation);
  }

  async deflated(text: string): Promise<Buffer> {
    await new Promise<void>((resolve) => {
      this.#deflate.write(Buffer.from(text, 'latin1'), () => resolve());
    });
    return allOf(this.#deflate);
  }

  /** The octets that end this side's stream. */
  async ended(): Promise<Buffer> {
    const octets: Buffer[] = [];
    await new Promise<void>((resolve) => {
      this.#deflate
        .on('data', (piece: Buffer) => octets.push(piece))
        .once('close', resolve)
        .end();
    });
    return Buffer.concat(octets);
  }

  async inflated(octets: Uint8Array): Promise<string> {
    await new Promise<void>((resolve) => {
      this.#inflate.write(octets, () => resolve());
    });
    return allOf(this.#inflate).toString('latin1');
  }

  /** What comes until the whole text matches. */
  async until(wanted: RegExp): Promise<string> {
    let heard = '';
    while (!wanted.test(heard)) {
      const got = await this.conversation.client.read(60_000);
      assert(typeof got !== 'string', `the end after ${JSON.stringify(heard)}`);
      heard += await this.inflated(got);
    }
    return heard;
  }

  /** One command that is not compressed, its tag `p`; gives the tagged line, before which a stream may have ended. */
  async plainly(command: string): Promise<string> {
    void this.conversation.client.write(Buffer.from(`p ${command}\r\n`));
    for (let heard = ''; ;) {
      const got = await this.conversation.client.read(60_000);
      assert(typeof got !== 'string', `the end after ${JSON.stringify(heard)}`);
      heard += Buffer.from(got).toString('latin1');
      const line = /(p (?:OK|NO|BAD) [^\r\n]*)\r\n$/.exec(heard)?.[1];
      if (line !== undefined) return line;
    }
  }

  /** One command, its tag `t`; gives the lines of the answer. */
  async run(command: string): Promise<readonly string[]> {
    void this.conversation.client.write(await this.deflated(`t ${command}\r\n`));
    return linesOf(await this.until(/^t (OK|NO|BAD).*\r\n$/m));
  }
}

describe('COMPRESS (RFC 4978 §3)', () => {
  test('is offered to who is signed in, and to nobody else', async () => {
    const conversation = new Conversation();
    assert.doesNotMatch(await conversation.hear(), /COMPRESS/);
    await conversation.expect('COMPRESS DEFLATE', '. BAD Sign in first');
    await conversation.run('LOGIN alice secret');
    assert.match((await conversation.run('CAPABILITY'))[0] ?? '', / COMPRESS=DEFLATE /);
  });

  const malformed = [
    { name: 'no algorithm', command: 'COMPRESS', want: '. BAD Expected a space and an algorithm…' },
    { name: 'nothing behind the space', command: 'COMPRESS ', want: '. BAD Expected an algorithm…' },
    { name: 'an unknown algorithm', command: 'COMPRESS LZW', want: '. BAD There is only DEFLATE' },
    { name: 'a quoted algorithm', command: 'COMPRESS "DEFLATE"', want: '. BAD Expected an algorithm…' },
    { name: 'two algorithms', command: 'COMPRESS DEFLATE DEFLATE', want: '. BAD Expected the end…' },
    { name: 'by UID', command: 'UID COMPRESS DEFLATE', want: '. BAD Unknown command: UID COMPRESS' },
  ] as const;
  for (const { name, command, want } of malformed)
    test(`${name} is BAD, and the conversation goes on in plain (RFC 4978 §5)`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(command, want);
      await conversation.expect('NOOP', '. OK …');
    });

  test('where it is turned off it is not offered, and refused', async () => {
    const office = new ImapOffice({ compresses: false });
    const conversation = await Conversation.signedIn({ office });
    assert.doesNotMatch((await conversation.run('CAPABILITY'))[0] ?? '', /COMPRESS/);
    await conversation.expect('COMPRESS DEFLATE', '. NO [CANNOT] …');
    await conversation.expect('NOOP', '. OK …');
    assert(!office.eventNames().includes('imap.compression.started'));
  });

  test('everything behind the OK is compressed, both ways, in any case of the letters', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('compress deflate', '. OK DEFLATE is active');
    assert(conversation.office.eventNames().includes('imap.compression.started'));
    const client = await CompressedConversation.begun(conversation.office);
    assert.deepEqual(await client.run('NOOP'), ['t OK Nothing done']);
    assert.deepEqual(await client.run('COMPRESS DEFLATE'), ['t BAD DEFLATE is active already']);
  });

  test('what is pipelined behind it is answered in plain, and nothing is compressed', async () => {
    const conversation = await Conversation.signedIn();
    const said = await conversation.say('a COMPRESS DEFLATE\r\nb NOOP\r\n');
    assert.deepEqual(linesOf(said), [
      'a BAD Nothing may follow COMPRESS before its answer',
      'b OK Nothing done',
    ]);
    await conversation.expect('COMPRESS DEFLATE', '. OK DEFLATE is active');
  });

  test('messages, IDLE and literals pass through it', async () => {
    const office = new ImapOffice();
    const body = `${'Many words, many times. '.repeat(20_000)}\n`;
    await office.deliver(letter('long', '', body));
    const client = await CompressedConversation.begun(office);
    await client.run('SELECT INBOX');
    const said = (await client.run('FETCH 1 BODY.PEEK[TEXT]')).join('\r\n');
    assert(said.includes(body.trimEnd()));
    void client.conversation.client.write(await client.deflated('t IDLE\r\n'));
    await client.until(/^\+ idling\r\n/m);
    await office.deliver(letter('news'));
    await client.until(/^\* 2 EXISTS\r\n/m);
    void client.conversation.client.write(await client.deflated('DONE\r\n'));
    await client.until(/^t OK /m);
    const appended = await client.run('APPEND INBOX {17+}\r\nSubject: x\r\n\r\nx\r\n');
    assert.match(appended.at(-1) ?? '', /^t OK \[APPENDUID /);
  });

  test('one octet at a time reads the same', async () => {
    const client = await CompressedConversation.begun();
    for (const octet of await client.deflated('t NOOP\r\n'))
      void client.conversation.client.write(Uint8Array.of(octet));
    assert.equal(await client.until(/^t OK/m), 't OK Nothing done\r\n');
  });

  test('a line that grows a thousandfold meets the limits of a line', async () => {
    const client = await CompressedConversation.begun(
      new ImapOffice({ limits: { messageOctetsMax: 10 * LIMITS.imapLineOctetsMax } }),
    );
    void client.conversation.client.write(await client.deflated(`t NOOP ${'x'.repeat(40_000_000)}`));
    const said = await client.until(/BYE.*\r\n$/);
    assert.match(said, /^t BAD The line is too long\r\n\* BAD \[TOOBIG\] Too much to skip\r\n\* BYE /);
    await client.conversation.done;
  });

  test('what cannot be inflated ends the session', async () => {
    const client = await CompressedConversation.begun();
    void client.conversation.client.write(Buffer.from('t NOOP\r\n'));
    await client.conversation.done;
    assert(client.conversation.office.eventNames().includes('imap.session.ended'));
    assert(!client.conversation.office.eventNames().includes('imap.bug'));
  });

  test('what follows the end of the stream ends the session while compression is on', async () => {
    const client = await CompressedConversation.begun();
    const octets = Buffer.concat([deflateRawSync('t NOOP\r\n'), Buffer.from('t NOOP\r\n')]);
    void client.conversation.client.write(octets);
    assert.equal(await client.until(/^t OK/m), 't OK Nothing done\r\n');
    await client.conversation.done;
  });
});

describe('COMPRESS and UNAUTHENTICATE (RFC 8437 §2)', () => {
  test('the OK is the last that is compressed, and the next user may compress again', async () => {
    const client = await CompressedConversation.begun();
    const { conversation } = client;
    void conversation.client.write(
      Buffer.concat([await client.deflated('t UNAUTHENTICATE\r\n'), await client.ended()]),
    );
    assert.equal(await client.until(/^t OK/m), 't OK Signed out\r\n');
    assert.match(await client.plainly('LOGIN bob secret'), /^p OK /);
    assert.equal(await client.plainly('COMPRESS DEFLATE'), 'p OK DEFLATE is active');
  });

  test('plain commands may come right behind the end of the stream', async () => {
    const client = await CompressedConversation.begun();
    void client.conversation.client.write(
      Buffer.concat([
        await client.deflated('t UNAUTHENTICATE\r\n'),
        await client.ended(),
        Buffer.from('b NOOP\r\n'),
      ]),
    );
    let heard = Buffer.alloc(0);
    while (!heard.toString('latin1').endsWith('b OK Nothing done\r\n')) {
      const got = await client.conversation.client.read(60_000);
      assert(typeof got !== 'string');
      heard = Buffer.concat([heard, got]);
    }
    assert.equal(await client.inflated(heard), 't OK Signed out\r\n');
  });

  test('a client that only flushes its stream is understood too', async () => {
    const client = await CompressedConversation.begun();
    void client.conversation.client.write(await client.deflated('t UNAUTHENTICATE\r\n'));
    await client.until(/^t OK/m);
    assert.equal(await client.plainly('NOOP'), 'p OK Nothing done');
  });

  test('compressed commands behind it are still of who is signed in', async () => {
    const client = await CompressedConversation.begun();
    void client.conversation.client.write(await client.deflated('a UNAUTHENTICATE\r\nt ENABLE x\r\n'));
    const said = await client.until(/^t .*\r\n/m);
    assert.deepEqual(linesOf(said), [
      'a BAD Nothing compressed may follow UNAUTHENTICATE',
      '* ENABLED',
      't OK Enabled',
    ]);
  });
});
