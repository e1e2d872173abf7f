/** Several sessions on one mailbox: what each is told, and when. RFC 9051 §5.2, §5.5, §7.4, §7.5; RFC 2177; RFC 2180. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter, overriding } from '../../../test/support/imap-conversation.ts';

async function two(
  count = 4,
  selects = 'SELECT',
): Promise<{ office: ImapOffice; a: Conversation; b: Conversation }> {
  const office = new ImapOffice();
  for (let at = 1; at <= count; at += 1) await office.deliver(letter(`m${at}`));
  const [a, b] = [await Conversation.signedIn({ office }), await Conversation.signedIn({ office })];
  await a.run(`${selects} INBOX`);
  await b.run('SELECT INBOX');
  return { office, a, b };
}

describe('what another session did is told with the next command', () => {
  test('flags, once', async () => {
    const { a, b } = await two();
    await b.run('STORE 2 +FLAGS (\\Flagged)');
    await a.expect('NOOP', String.raw`* 2 FETCH (UID 2 FLAGS (\Flagged))`, '. OK …');
    await a.expect('NOOP', '. OK …');
    await b.expect('NOOP', '. OK …');
  });

  test('a keyword that the client has not heard of: FLAGS first (RFC 9051 §7.3.5)', async () => {
    const { a, b } = await two();
    await b.run('STORE 2 +FLAGS ($Work)');
    const lines = await a.run('NOOP');
    assert.match(lines[0] ?? '', /^\* FLAGS \(.* \$Work\)$/);
    assert.match(lines[1] ?? '', /^\* OK \[PERMANENTFLAGS \(.* \$Work \\\*\)\]/);
    assert.equal(lines[2], '* 2 FETCH (UID 2 FLAGS ($Work))');
    await b.run('STORE 3 +FLAGS ($work)');
    await a.expect('NOOP', '* 3 FETCH (UID 3 FLAGS ($Work))', '. OK …');
  });

  test('new messages: EXISTS', async () => {
    const { office, a } = await two();
    await office.deliver(letter('new'));
    await office.deliver(letter('new'));
    await a.expect('NOOP', '* 6 EXISTS', '. OK …');
    await a.expect('FETCH 6 UID', '* 6 FETCH (UID 6)', '. OK …');
  });

  test('expunges from the last to the first, each with the number it has then', async () => {
    const { a, b } = await two(6);
    await b.run('STORE 1,3:4,6 +FLAGS.SILENT (\\Deleted)');
    await b.expect('EXPUNGE', '* 6 EXPUNGE', '* 4 EXPUNGE', '* 3 EXPUNGE', '* 1 EXPUNGE', '. OK …');
    await a.expect('NOOP', '* 6 EXPUNGE', '* 4 EXPUNGE', '* 3 EXPUNGE', '* 1 EXPUNGE', '. OK …');
    await a.expect('FETCH 1:* UID', '* 1 FETCH (UID 2)', '* 2 FETCH (UID 5)', '. OK …');
  });

  test('expunges, then what is new, then flags', async () => {
    const { office, a, b } = await two();
    await b.run('STORE 4 +FLAGS.SILENT (\\Deleted)');
    await b.run('EXPUNGE');
    await b.run('STORE 1 +FLAGS.SILENT (\\Seen)');
    await office.deliver(letter('new'));
    await a.expect(
      'NOOP',
      '* 4 EXPUNGE',
      '* 4 EXISTS',
      String.raw`* 1 FETCH (UID 1 FLAGS (\Seen))`,
      '. OK …',
    );
  });

  test('one that came and went meanwhile is not told of', async () => {
    const { office, a, b } = await two();
    await office.deliver(letter('new'));
    await b.run('NOOP');
    await b.run('STORE 5 +FLAGS.SILENT (\\Deleted)');
    await b.run('EXPUNGE');
    await a.expect('NOOP', '. OK …');
  });

  test('with CONDSTORE the mod-sequence too (RFC 7162 §3.1.4.2)', async () => {
    const { a, b } = await two();
    await a.run('ENABLE CONDSTORE');
    await b.run('STORE 2 +FLAGS (\\Flagged)');
    await a.expect('NOOP', String.raw`* 2 FETCH (UID 2 FLAGS (\Flagged) MODSEQ (11))`, '. OK …');
    await a.expect(
      'FETCH 3 BODY[]<0.1>',
      '* 3 FETCH (BODY[]<0> {1}',
      String.raw`F FLAGS (\Seen) MODSEQ (12))`,
      '. OK …',
    );
  });

  test('of a message in two mailboxes', async () => {
    const { office, a } = await two();
    await a.run('COPY 1 Sent');
    const other = await Conversation.selected({ office, mailbox: 'Sent' });
    await other.run('STORE 1 +FLAGS (\\Flagged)');
    await a.expect('NOOP', String.raw`* 1 FETCH (UID 1 FLAGS (\Flagged))`, '. OK …');
  });
});

describe('EXPUNGE never comes while sequence numbers are in use (RFC 9051 §7.5.1)', () => {
  for (const [command, ...answer] of [
    ['FETCH 4 UID', '* 4 FETCH (UID 4)', '. OK Fetched'],
    ['FETCH 2 UID', '. OK [EXPUNGEISSUED] Some of the messages are gone'],
    ['STORE 4 +FLAGS.SILENT (\\Seen)', '. OK Stored'],
    ['STORE 2 +FLAGS (\\Seen)', '. NO [EXPUNGEISSUED] Some of the messages are gone'],
    ['SEARCH ALL', '* SEARCH 1 2 3 4', '. OK Searched'],
    ['SEARCH UNDELETED', '* SEARCH 1 3 4', '. OK Searched'],
    ['SORT (ARRIVAL) UTF-8 ALL', '* SORT 1 3 4', '. OK Sorted'],
    ['THREAD ORDEREDSUBJECT UTF-8 4', '* THREAD (4)', '. OK Threaded'],
  ] as const)
    test(command, async () => {
      const { a, b } = await two();
      await b.run('STORE 2 +FLAGS.SILENT (\\Deleted)');
      await b.run('EXPUNGE');
      await a.expect(command, ...answer);
      await a.expect('NOOP', '* 2 EXPUNGE', '. OK …');
      await a.expect('FETCH 3 UID', '* 3 FETCH (UID 4)', '. OK …');
    });

  for (const [command, ...answer] of [
    ['UID FETCH 4 UID', '* 4 FETCH (UID 4)', '* 2 EXPUNGE', '. OK Fetched'],
    ['UID FETCH 2 UID', '* 2 EXPUNGE', '. OK Fetched'],
    [
      'UID STORE 4 +FLAGS (\\Seen)',
      String.raw`* 4 FETCH (UID 4 FLAGS (\Seen))`,
      '* 2 EXPUNGE',
      '. OK Stored',
    ],
    ['UID SEARCH ALL', '* SEARCH 1 2 3 4', '* 2 EXPUNGE', '. OK Searched'],
    ['COPY 4 Sent', '* 2 EXPUNGE', '. OK [COPYUID 1767323047 4 1] Copied'],
    ['COPY 2 Sent', '* 2 EXPUNGE', '. NO [EXPUNGEISSUED] The messages are gone'],
    ['STATUS INBOX (MESSAGES)', '* STATUS INBOX (MESSAGES 3)', '* 2 EXPUNGE', '. OK Counted'],
    ['CHECK', '* 2 EXPUNGE', '. OK All is kept'],
  ] as const)
    test(`but with ${command}`, async () => {
      const { a, b } = await two();
      await b.run('STORE 2 +FLAGS.SILENT (\\Deleted)');
      await b.run('EXPUNGE');
      await a.expect(command, ...answer);
    });

  test('a number whose message is gone stays its number while new messages come', async () => {
    const { office, a, b } = await two();
    await b.run('STORE 2 +FLAGS.SILENT (\\Deleted)');
    await b.run('EXPUNGE');
    await office.deliver(letter('new'));
    await a.expect('FETCH 4 UID', '* 4 FETCH (UID 4)', '* 5 EXISTS', '. OK …');
    await a.expect('FETCH 5 UID', '* 5 FETCH (UID 5)', '. OK …');
    await a.expect('NOOP', '* 2 EXPUNGE', '. OK …');
    await a.expect('FETCH 4 UID', '* 4 FETCH (UID 5)', '. OK …');
  });

  test('pipelined commands by number mean what the client meant', async () => {
    const { a, b } = await two();
    await b.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
    await b.run('EXPUNGE');
    const said = await a.say('x FETCH 2 UID\r\ny FETCH 3 UID\r\nz NOOP\r\n');
    assert.match(
      said,
      /^\* 2 FETCH \(UID 2\)\r\nx OK.*\r\n\* 3 FETCH \(UID 3\)\r\ny OK.*\r\n\* 1 EXPUNGE\r\nz OK/,
    );
  });
});

describe('a mailbox that is deleted while it is selected (RFC 2180 §3.3)', () => {
  async function deleted(enable = ''): Promise<Conversation> {
    const office = new ImapOffice();
    const a = await Conversation.signedIn({ office });
    if (enable !== '') await a.run(`ENABLE ${enable}`);
    await a.run('CREATE gone');
    for (let at = 0; at < 3; at += 1) await office.deliver(letter(`m${at}`), { mailbox: 'gone' });
    await a.run('SELECT gone');
    const b = await Conversation.signedIn({ office });
    await b.expect('DELETE gone', '. OK …');
    return a;
  }

  test('reads as empty', async () => {
    const a = await deleted();
    await a.expect('NOOP', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. OK …');
    await a.expect('NOOP', '. OK …');
    await a.expect('FETCH 1:* FLAGS', '. OK …');
  });
  test('to those with QRESYNC too', async () => {
    const a = await deleted('QRESYNC');
    await a.expect('NOOP', '* VANISHED 1:3', '. OK …');
  });
  for (const [command, ...answer] of [
    ['FETCH 1 FLAGS', '. OK [EXPUNGEISSUED] …'],
    ['FETCH 1 BODY[]', '. OK [EXPUNGEISSUED] …'],
    ['SEARCH UNSEEN', '* SEARCH', '. OK …'],
    ['SEARCH TEXT x', '* SEARCH', '. OK …'],
    ['SORT (DATE) UTF-8 ALL', '* SORT', '. OK …'],
    ['STORE 1 +FLAGS (\\Seen)', '. NO [NONEXISTENT] …'],
    ['UID STORE 1 +FLAGS (\\Seen)', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. NO [NONEXISTENT] …'],
    ['COPY 1 INBOX', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. NO [NONEXISTENT] …'],
    ['MOVE 1 INBOX', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. NO [NONEXISTENT] …'],
    ['EXPUNGE', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. NO [NONEXISTENT] …'],
    ['CLOSE', '. OK …'],
    ['UNSELECT', '. OK …'],
    ['APPEND gone {1+}\r\nx', '. NO [TRYCREATE] …'],
  ] as const)
    test(command.split('\r')[0] ?? '', async () => {
      const a = await deleted();
      await a.expect(command, ...answer);
    });

  test('a new one of its name is another', async () => {
    const a = await deleted();
    await a.expect('CREATE gone', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. OK …');
    await a.office.deliver(letter('new'), { mailbox: 'gone' });
    await a.expect('NOOP', '. OK …');
    assert((await a.run('SELECT gone')).includes('* 1 EXISTS'));
  });

  test('by its own session', async () => {
    const office = new ImapOffice();
    const a = await Conversation.signedIn({ office });
    await a.run('CREATE gone');
    await office.deliver(letter('x'), { mailbox: 'gone' });
    await a.run('SELECT gone');
    await a.expect('DELETE gone', '* 1 EXPUNGE', '. OK Deleted');
  });
});

describe('IDLE (RFC 9051 §6.3.13, RFC 2177)', () => {
  test('tells at once what happens, until DONE', async () => {
    const { office, a, b } = await two();
    assert.equal(await a.say('i IDLE\r\n'), '+ idling\r\n');
    await office.deliver(letter('new'));
    assert.equal(await a.hear(), '* 5 EXISTS\r\n');
    await b.run('STORE 1 +FLAGS (\\Deleted)');
    assert.equal(await a.hear(), '* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n');
    await b.run('EXPUNGE');
    assert.equal(await a.hear(), '* 1 EXPUNGE\r\n');
    assert.equal(await a.say('done\r\n'), 'i OK No longer idle\r\n');
    await office.deliver(letter('new'));
    assert.equal(await a.hear(), '');
    await a.expect('NOOP', '* 5 EXISTS', '. OK …');
  });

  test('what was pending comes first', async () => {
    const { office, a } = await two();
    await office.deliver(letter('new'));
    assert.equal(await a.say('i IDLE\r\n'), '+ idling\r\n* 5 EXISTS\r\n');
  });

  test('without a mailbox there is nothing to tell', async () => {
    const conversation = await Conversation.signedIn();
    assert.equal(await conversation.say('i IDLE\r\n'), '+ idling\r\n');
    await conversation.office.deliver(letter('new'));
    assert.equal(await conversation.hear(), '');
    assert.equal(
      await conversation.say('DONE\r\nn NOOP\r\n'),
      'i OK No longer idle\r\nn OK Nothing done\r\n',
    );
  });

  test('anything but DONE is BAD and ends it', async () => {
    const { a } = await two();
    await a.say('i IDLE\r\n');
    assert.equal(await a.say('n NOOP\r\n'), 'i BAD Expected DONE\r\n');
    await a.expect('NOOP', '. OK …');
    await a.expect('IDLE x', '. BAD …');
  });

  test('DONE in the same packet', async () => {
    const { a } = await two();
    assert.equal(await a.say('i IDLE\r\nDONE\r\n'), '+ idling\r\ni OK No longer idle\r\n');
  });

  test('a sign of life every two minutes, and the end after half an hour', async () => {
    const { office, a } = await two();
    await a.say('i IDLE\r\n');
    await office.clock.advance(120_000);
    assert.equal(await a.hear(), '* OK Still here\r\n');
    await office.clock.advance(1_679_000);
    await a.hear();
    await office.clock.advance(1000);
    assert.equal(await a.hear(), '* BYE You were silent too long\r\n');
    await a.done;
  });

  test('a hint that was lost costs no more than that', async () => {
    const quiet = new ImapOffice({
      store: (store) => overriding(store, { watch: () => ({ close: () => undefined }) }),
    });
    const conversation = await Conversation.selected({ office: quiet });
    await conversation.say('i IDLE\r\n');
    await quiet.deliver(letter('new'));
    assert.equal(await conversation.hear(), '');
    await quiet.clock.advance(120_000);
    assert.equal(await conversation.hear(), '* OK Still here\r\n* 1 EXISTS\r\n');
  });

  test('a client that leaves in the middle', async () => {
    const { a } = await two();
    await a.say('i IDLE\r\n');
    a.client.destroy();
    await a.done;
  });
});
