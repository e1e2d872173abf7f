/** INPROGRESS: RFC 9585. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation, ImapOffice, letter, overriding } from '../../../test/support/imap-conversation.ts';

/** An office whose messages are read only when `release` is called, one at each call. */
async function slow(messages: number): Promise<{ office: ImapOffice; release: () => void }> {
  const waiting: (() => void)[] = [];
  const begun = new Set<string>();
  const office = new ImapOffice({
    blobs: (blobs) =>
      overriding(blobs, {
        async read(ref, ...range) {
          const isFirst = !begun.has(ref.id);
          begun.add(ref.id);
          if (isFirst) await new Promise<void>((resolve) => waiting.push(resolve));
          return blobs.read(ref, ...range);
        },
      }),
  });
  for (let at = 1; at <= messages; at += 1) await office.deliver(letter(`m${at}`));
  return { office, release: () => waiting.shift()?.() };
}

test('a search that takes long says every ten seconds how far it is (RFC 9585 §4)', async () => {
  const { office, release } = await slow(3);
  const conversation = await Conversation.selected({ office });
  assert.equal(await conversation.say('a1 SEARCH BODY hello\r\n'), '');
  await office.clock.advance(9999);
  assert.equal(await conversation.hear(), '');
  await office.clock.advance(1);
  assert.equal(await conversation.hear(), '* OK [INPROGRESS ("a1" NIL NIL)] Still at it\r\n');
  release();
  assert.equal(await conversation.hear(), '');
  await office.clock.advance(10_000);
  assert.equal(await conversation.hear(), '* OK [INPROGRESS ("a1" 1 3)] Still at it\r\n');
  release();
  assert.equal(await conversation.hear(), '');
  release();
  await conversation.hear();
  // The session gives way to others after a long command.
  await office.clock.advance(1);
  assert.equal(await conversation.hear(), '* SEARCH 1 2 3\r\na1 OK Searched\r\n');
  await office.clock.advance(100_000);
  assert.equal(await conversation.hear(), '');
});

test('a command that is over in time says nothing of it', async () => {
  const office = new ImapOffice();
  await office.deliver(letter('x'));
  const conversation = await Conversation.selected({ office });
  await conversation.expect('SEARCH BODY hello', '* SEARCH 1', '. OK Searched');
  await office.clock.advance(60_000);
  assert.equal(await conversation.hear(), '');
});

test('a tag that the code cannot hold is not said (RFC 9585 §4)', async () => {
  const { office, release } = await slow(1);
  const conversation = await Conversation.selected({ office });
  assert.equal(await conversation.say('a]b FETCH 1 BODY.PEEK[TEXT]\r\n'), '');
  await office.clock.advance(10_000);
  assert.match(await conversation.hear(), /^\* OK \[INPROGRESS \(NIL 0 1\)\]/);
  release();
  await conversation.hear();
  await office.clock.advance(1);
  assert.match(await conversation.hear(), /a\]b OK Fetched\r\n$/);
});

test('what is thrown meanwhile is answered behind what was told', async () => {
  let fail: (cause: Error) => void = () => undefined;
  const office = new ImapOffice({
    store: (store) =>
      overriding(store, {
        expunge: () =>
          new Promise((_, reject) => {
            fail = reject;
          }),
      }),
  });
  await office.deliver(letter('x'));
  const conversation = await Conversation.selected({ office });
  assert.equal(await conversation.say('a EXPUNGE\r\n'), '');
  await office.clock.advance(20_000);
  assert.match(await conversation.hear(), /^(\* OK \[INPROGRESS \("a" NIL NIL\)\] Still at it\r\n)+$/);
  fail(new Error('broken'));
  assert.match(await conversation.hear(), /^\* BYE \[SERVERBUG\]/);
  await conversation.done;
});
