/** APPEND: RFC 9051 §6.3.12, RFC 3502 (several messages), RFC 7888 (literals), RFC 7889 (limits), RFC 4315. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  linesOf,
  overriding,
} from '../../../test/support/imap-conversation.ts';
import { Fault } from '../../base/fault.ts';
import type { BlobStore } from '../../store/blob-store.ts';

/** Counts the blobs that are begun, finished and aborted. */
function counted(): { office: ImapOffice; counts: { begun: number; finished: number; aborted: number } } {
  const counts = { begun: 0, finished: 0, aborted: 0 };
  const office = new ImapOffice({
    blobs: (blobs: BlobStore): BlobStore =>
      overriding(blobs, {
        create(octets) {
          counts.begun += 1;
          const writer = blobs.create(octets);
          return {
            write: (chunk) => writer.write(chunk),
            finish() {
              counts.finished += 1;
              return writer.finish();
            },
            abort() {
              counts.aborted += 1;
              writer.abort();
            },
          };
        },
      }),
  });
  return { office, counts };
}

const OK = '. OK [APPENDUID 1767323045 1] Appended';

describe('one message', () => {
  test('synchronizing: asked for, then taken', async () => {
    const conversation = await Conversation.selected();
    assert.equal(await conversation.say('a APPEND INBOX {5}\r\n'), '+ OK\r\n');
    assert.equal(await conversation.say('hel'), '');
    assert.equal(await conversation.say('lo'), '');
    assert.equal(await conversation.say('\r\n'), '* 1 EXISTS\r\na OK [APPENDUID 1767323045 1] Appended\r\n');
  });

  test('flags and date; the octets come back as they were sent', async () => {
    const conversation = await Conversation.selected();
    const octets = 'Subject: x\r\n\r\nbare \n and \r and \xff\xfe.\r\n';
    const date = '" 1-Feb-1994 21:52:25 -0800"';
    await conversation.expect(
      `APPEND INBOX (\\Seen $Work \\Recent) ${date} {${octets.length}+}\r\n${octets}`,
      '* 1 EXISTS',
      OK,
    );
    await conversation.expect(
      'FETCH 1 (FLAGS INTERNALDATE)',
      String.raw`* 1 FETCH (FLAGS (\Seen $Work) INTERNALDATE " 2-Feb-1994 05:52:25 +0000")`,
      '. OK …',
    );
    assert.equal(
      await conversation.say('f FETCH 1 BODY[]\r\n'),
      `* 1 FETCH (BODY[] {${octets.length}}\r\n${octets})\r\nf OK Fetched\r\n`,
    );
  });

  test('literal8 with NUL, and UTF8 (RFC 3516, RFC 6855)', async () => {
    const conversation = await Conversation.selected();
    await conversation.expect('APPEND INBOX ~{5+}\r\na\0b\0c', '* 1 EXISTS', OK);
    assert.match(await conversation.say('a APPEND INBOX UTF8 (~{3+}\r\nabc)\r\n'), /a OK \[APPENDUID/);
    assert.match(await conversation.say('f FETCH 1 BODY[]\r\n'), /\{5\}\r\na\0b\0c FLAGS/);
  });

  test('a mailbox named by a literal', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('APPEND {5+}\r\ninbox {1+}\r\nx', OK);
  });

  test('cut at every octet', async () => {
    const conversation = await Conversation.signedIn();
    let said = '';
    for (const octet of 'a APPEND INBOX (\\Seen) {5+}\r\nhello\r\nb NOOP\r\n')
      said += await conversation.say(octet);
    assert.deepEqual(linesOf(said), ['a OK [APPENDUID 1767323045 1] Appended', 'b OK Nothing done']);
  });

  test('while the mailbox is another than the one selected, nothing is told', async () => {
    const conversation = await Conversation.selected();
    await conversation.expect('APPEND Sent {1+}\r\nx', '. OK [APPENDUID 1767323047 1] Appended');
  });
});

describe('refused before the octets', () => {
  for (const [name, line, want] of [
    ['no such mailbox', 'nope {5', 'NO [TRYCREATE] No such mailbox'],
    ['too large', 'INBOX {1000001', 'NO [TOOBIG] A message has 1000000 octets at most'],
    ['empty', 'INBOX {0', 'NO [CANNOT] A message is not empty'],
    ['no such flag', 'INBOX (\\Foo) {5', 'BAD No such system flag: \\Foo'],
    ['no date', 'INBOX "yesterday" {5', 'BAD Expected a date and time such as "17-Jul-1996 02:44:25 -0700"'],
    ['no name', '{5', undefined],
  ] as const)
    test(name, async () => {
      if (want === undefined) return;
      const { office, counts } = counted();
      const conversation = await Conversation.signedIn({ office });
      assert.equal(await conversation.say(`a APPEND ${line}}\r\n`), `a ${want}\r\n`);
      await conversation.expect('NOOP', '. OK …');
      // Not synchronizing: the octets come all the same, and are passed over, whatever they look like.
      const size = Number(/\{(\d+)$/.exec(line)?.[1]);
      const said = await conversation.say(
        `b APPEND ${line}+}\r\n${'x LOGOUT\r\n'.repeat(size / 10 + 1).slice(0, size)}\r\nc NOOP\r\n`,
      );
      const lines = linesOf(said);
      assert.equal(lines.at(-1), 'c OK Nothing done');
      assert.match(lines[0] ?? '', /^b (NO|BAD) /);
      assert.equal(lines.length, 2);
      assert.deepEqual(counts, { begun: 0, finished: 0, aborted: 0 });
    });

  test('over quota', async () => {
    const { office, counts } = counted();
    await office.store.setQuota(ACCOUNT, 100);
    const conversation = await Conversation.signedIn({ office });
    assert.equal(
      await conversation.say('a APPEND INBOX {101}\r\n'),
      'a NO [OVERQUOTA] Only 100 octets are left\r\n',
    );
    assert.equal(counts.begun, 0);
  });

  for (const text of [
    'APPEND',
    'APPEND INBOX',
    'APPEND INBOX x',
    'APPEND INBOX (\\Seen)',
    'APPEND INBOX "x"',
    'UID APPEND INBOX {1+}\r\nx',
  ])
    test(`malformed: ${text.split('\r')[0]}`, async () => {
      const conversation = await Conversation.signedIn();
      assert.match((await conversation.run(text))[0] ?? '', /^\. BAD /);
    });
});

describe('refused behind the octets', () => {
  test('something stands behind the message: nothing is kept', async () => {
    const { office, counts } = counted();
    const conversation = await Conversation.selected({ office });
    await conversation.expect('APPEND INBOX {5+}\r\nhello more', '. BAD …');
    await conversation.expect('NOOP', '. OK …');
    assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
    assert.equal(counts.begun, 1);
  });

  test('the mailbox goes while the message comes', async () => {
    const office = new ImapOffice();
    const conversation = await Conversation.signedIn({ office });
    await conversation.run('CREATE a');
    await conversation.say('x APPEND a {5}\r\nhel');
    await (await Conversation.signedIn({ office })).expect('DELETE a', '. OK …');
    assert.equal(await conversation.say('lo\r\n'), 'x NO [TRYCREATE] No such mailbox\r\n');
  });

  test('the quota is used up meanwhile', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.say('x APPEND INBOX {5}\r\nhel');
    await conversation.office.store.setQuota(ACCOUNT, 4);
    assert.equal(await conversation.say('lo\r\n'), 'x NO [OVERQUOTA] Only 4 octets are left\r\n');
  });

  test('too many keywords', async () => {
    const conversation = await Conversation.signedIn();
    const names = Array.from({ length: 501 }, (_, at) => `k${at}`).join(' ');
    await conversation.expect(
      `APPEND INBOX (${names}) {1+}\r\nx`,
      '. NO [LIMIT] There are too many keywords',
    );
    await conversation.expect(`APPEND INBOX (${'k'.repeat(101)}) {1+}\r\nx`, '. NO [LIMIT] …');
  });
});

describe('several messages (RFC 3502)', () => {
  test('all or none, in order', async () => {
    const conversation = await Conversation.selected();
    await conversation.expect(
      'APPEND INBOX (\\Seen) {3+}\r\none {3+}\r\ntwo (\\Flagged) "01-Jan-2020 00:00:00 +0000" {5+}\r\nthree',
      '* 3 EXISTS',
      '. OK [APPENDUID 1767323045 1:3] Appended',
    );
    await conversation.expect('SEARCH FLAGGED', '* SEARCH 3', '. OK …');
  });

  test('two blanks between messages, as IMAPClient writes them', async () => {
    const conversation = await Conversation.selected();
    await conversation.expect(
      'APPEND INBOX {3+}\r\none  {3+}\r\ntwo',
      '* 2 EXISTS',
      '. OK [APPENDUID 1767323045 1:2] Appended',
    );
  });

  for (const [name, second, want] of [
    ['an empty one', '{0+}\r\n', 'NO [CANNOT] A message is not empty'],
    [
      'one too large',
      `{1000001+}\r\n${'x'.repeat(1_000_001)}`,
      'NO [TOOBIG] A message has 1000000 octets at most',
    ],
    ['one with a bad flag', '(\\Foo) {1+}\r\nx', 'BAD No such system flag: \\Foo'],
    ['one too many', '{1+}\r\nx {1+}\r\nx {1+}\r\nx {1+}\r\nx', 'NO [LIMIT] At most 4 messages at once'],
  ] as const)
    test(`${name}: none is kept`, async () => {
      const { office, counts } = counted();
      const conversation = await Conversation.selected({ office, windowOctets: 10_000_000 });
      await conversation.expect(`APPEND INBOX {5+}\r\nhello ${second}`, `. ${want}`);
      await conversation.expect('NOOP', '. OK …');
      assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
      assert.equal(counts.begun, counts.finished + counts.aborted);
    });

  test('a synchronizing second one that is refused is not sent', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.say('a APPEND INBOX {5}\r\n');
    assert.equal(
      await conversation.say('hello {1000001}\r\n'),
      'a NO [TOOBIG] A message has 1000000 octets at most\r\n',
    );
    await conversation.expect('NOOP', '. OK …');
  });
});

describe('clients and disks that fail', () => {
  test('a client that goes in the middle of a message leaves nothing', async () => {
    const { office, counts } = counted();
    const conversation = await Conversation.signedIn({ office });
    await conversation.say('a APPEND INBOX {500+}\r\nhello');
    await conversation.client.close();
    await conversation.done;
    assert.deepEqual(counts, { begun: 1, finished: 0, aborted: 1 });
    assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
  });

  test('a client that goes silent in the middle of a message is let go', async () => {
    const { office, counts } = counted();
    const conversation = await Conversation.signedIn({ office });
    await conversation.say('a APPEND INBOX {500+}\r\nhello');
    await office.clock.advance(1_800_000);
    assert.equal(await conversation.hear(), '* BYE You were silent too long\r\n');
    assert.equal(counts.aborted, 1);
  });

  test('a disk that is full: NO, and the session goes on', async () => {
    const full = (): never => {
      throw new Fault('Appending to a segment', new Error('ENOSPC'));
    };
    for (const part of ['write', 'finish'] as const) {
      const office = new ImapOffice({
        blobs: (blobs) =>
          overriding(blobs, {
            create: () =>
              overriding(
                blobs.create(),
                part === 'write' ? { write: async () => full() } : { finish: async () => full() },
              ),
          }),
      });
      const conversation = await Conversation.signedIn({ office });
      await conversation.expect(
        'APPEND INBOX {5+}\r\nhello {3+}\r\ntwo',
        '. NO [UNAVAILABLE] Not now; try again later',
      );
      await conversation.expect('NOOP', '. OK …');
      assert.equal((await office.store.quota(ACCOUNT)).messagesUsed, 0);
      assert(office.eventNames().includes('imap.fault'));
    }
  });

  test('a store that is away, before and behind the octets', async () => {
    for (const name of ['mailboxes', 'quota', 'append'] as const) {
      const office = new ImapOffice({
        store: (store) => overriding(store, { [name]: () => Promise.reject(new Fault('Reading')) }),
      });
      const conversation = await Conversation.signedIn({ office });
      await conversation.expect('APPEND INBOX {5+}\r\nhello', '. NO [UNAVAILABLE] Not now; try again later');
      await conversation.expect('NOOP', '. OK …');
    }
  });

  test('a slow disk slows the client', async () => {
    let release = (): void => undefined;
    let isSlow = true;
    let written = 0;
    const office = new ImapOffice({
      blobs: (blobs) =>
        overriding(blobs, {
          create: () =>
            overriding(blobs.create(), {
              write(chunk): Promise<void> | undefined {
                written += chunk.length;
                if (!isSlow) return;
                return new Promise<void>((resolve) => {
                  release = resolve;
                });
              },
            }),
        }),
    });
    const conversation = await Conversation.signedIn({ office });
    const chunk = 'x'.repeat(10_000);
    await conversation.say('a APPEND INBOX {100000+}\r\n');
    for (let at = 0; at < 10; at += 1) await conversation.say(chunk);
    assert.equal(written, 10_000);
    release();
    await conversation.hear();
    assert.equal(written, 20_000);
    isSlow = false;
    release();
    assert.equal(await conversation.say('\r\n'), 'a OK [APPENDUID 1767323045 1] Appended\r\n');
  });
});

test('many APPENDs pipelined are answered in order', async () => {
  const conversation = await Conversation.signedIn();
  const message = letter('x').replaceAll('\n', '\r\n');
  const all = Array.from(
    { length: 100 },
    (_, at) => `a${at} APPEND INBOX {${message.length}+}\r\n${message}\r\n`,
  ).join('');
  assert.deepEqual(
    linesOf(await conversation.say(all)),
    Array.from({ length: 100 }, (_, at) => `a${at} OK [APPENDUID 1767323045 ${at + 1}] Appended`),
  );
});
