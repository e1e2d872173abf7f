/** Searches that are kept under a name: RFC 5466. */
import { test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';
import { LIMITS } from '../../../base/limits.ts';
import { FLAG } from '../../../store/mail-store.ts';

async function three(): Promise<Conversation> {
  const office = new ImapOffice();
  await office.deliver(letter('apples'), { flags: FLAG.seen });
  await office.deliver(letter('pears'));
  await office.deliver(letter('apples and pears'), { flags: FLAG.flagged });
  return Conversation.selected({ office });
}

async function keep(conversation: Conversation, name: string, value: string): Promise<void> {
  const entry = `/private/filters/values/${name}`;
  await conversation.expect(`SETMETADATA "" (${entry} {${value.length}+}\r\n${value})`, '. OK …');
}

test('a filter stands for its keys, in any search (RFC 5466 §3.1)', async () => {
  const conversation = await three();
  await keep(conversation, 'fruit', 'OR SUBJECT apples SUBJECT "nuts"');
  await conversation.expect('SEARCH FILTER fruit', '* SEARCH 1 3', '. OK Searched');
  await conversation.expect('SEARCH FILTER FRUIT UNSEEN', '* SEARCH 3', '. OK Searched');
  await conversation.expect('SEARCH NOT FILTER fruit', '* SEARCH 2', '. OK Searched');
  await conversation.expect('UID SORT (REVERSE SUBJECT) UTF-8 FILTER fruit', '* SORT 3 1', '. OK Sorted');
  await conversation.expect(
    'THREAD ORDEREDSUBJECT US-ASCII FILTER fruit',
    '* THREAD (1)(3)',
    '. OK Threaded',
  );
  await conversation.expect('ESEARCH IN (personal) FILTER fruit', '* ESEARCH …', '. OK Searched');
});

test('SAVE, UPDATE and FUZZY go with it (RFC 5182, RFC 5267, RFC 6203)', async () => {
  const conversation = await three();
  await keep(conversation, 'fresh', 'UNSEEN (FUZZY SUBJECT pear)');
  await conversation.expect('SEARCH RETURN (SAVE) FILTER fresh', '. OK Searched');
  await conversation.expect('SEARCH $', '* SEARCH 2 3', '. OK Searched');
  await conversation.expect(
    'SEARCH RETURN (UPDATE COUNT) FILTER fresh',
    '* ESEARCH (TAG "t4") COUNT 2',
    '. OK Searched',
  );
  // What it stood for then is what is kept up to date.
  await keep(conversation, 'fresh', 'SEEN');
  await conversation.expect(
    'STORE 2 +FLAGS.SILENT (\\Seen)',
    '* ESEARCH (TAG "t4") REMOVEFROM (0 2)',
    '. OK Stored',
  );
});

test('filters within filters, and what is none (RFC 5466 §3.1)', async () => {
  const conversation = await three();
  await keep(conversation, 'a', 'SUBJECT apples');
  for (const [name, inner] of ['ba', 'cb', 'dc', 'ed'])
    await keep(conversation, name ?? '', `FILTER ${inner}`);
  await conversation.expect('SEARCH FILTER e FLAGGED', '* SEARCH 3', '. OK Searched');
  await keep(conversation, 'x', 'FILTER y');
  await keep(conversation, 'y', 'NOT FILTER x');
  await conversation.expect('SEARCH FILTER x', '. NO [UNDEFINED-FILTER x] …');
  await conversation.expect('SEARCH FILTER none', '. NO [UNDEFINED-FILTER none] …');
  await conversation.expect('SEARCH FILTER a/b', '. NO [UNDEFINED-FILTER a/b] …');
  await conversation.run('SETMETADATA "" (/private/filters/values/a NIL)');
  await conversation.expect('SEARCH FILTER a', '. NO [UNDEFINED-FILTER a] …');
  await conversation.expect('SEARCH FILTER b', '. NO [UNDEFINED-FILTER a] …');
});

test('filters that multiply are refused', async () => {
  const conversation = await three();
  await keep(conversation, 'f0', 'SEEN');
  for (let at = 1; at < 8; at += 1)
    await keep(conversation, `f${at}`, Array.from({ length: 30 }, () => `FILTER f${at - 1}`).join(' '));
  await conversation.expect('SEARCH FILTER f7', '. NO [LIMIT] …');
});

for (const [name, value] of [
  ['half', 'OR SMALLER'],
  ['nothing', ''],
  ['unknown', 'FOO'],
  ['more', 'SEEN )'],
  ['keys', 'SEEN '.repeat(LIMITS.imapSearchKeysMax + 1).trim()],
  ['a/b', 'SEEN'],
] as const)
  test(`what is no search is not kept: ${name} (RFC 5466 §3.2)`, async () => {
    const conversation = await three();
    const entry = `/private/filters/values/${name}`;
    await conversation.expect(`SETMETADATA "" (${entry} {${value.length}+}\r\n${value})`, '. NO [CANNOT] …');
  });

test('numbers in a filter are those of the mailbox that is searched, and a charset is UTF-8 (RFC 5466 §3.1)', async () => {
  const conversation = await three();
  await keep(conversation, 'few', '1:2');
  await conversation.expect('SEARCH FILTER few', '* SEARCH 1 2', '. OK Searched');
  await keep(conversation, 'many', '1:9');
  await conversation.expect('SEARCH FILTER many', '. BAD …');
  await conversation.expect('SEARCH CHARSET US-ASCII FILTER few', '* SEARCH 1 2', '. OK Searched');
  await conversation.expect('SEARCH CHARSET ISO-8859-1 FILTER few', '. BAD [BADCHARSET …');
  await conversation.expect('SETMETADATA "" (/private/filters/descriptions/few "the first ones")', '. OK …');
});
