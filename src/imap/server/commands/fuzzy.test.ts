/** FUZZY and RELEVANCY: RFC 6203. Here messages are read; that an index says the same is a property of `index-file.test.ts`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';

/** 1 says it in its subject, 2 in its text in another form, 3 in German, 4 only as a piece of another word, 5 not at all. */
async function five(): Promise<Conversation> {
  const office = new ImapOffice();
  const english = 'This is for you and that is the text of it.\n';
  await office.deliver(letter('The meeting', '', english));
  await office.deliver(
    letter('Lunch', '', `${english}We are meeting at noon, and the other meetings are off.\n`),
  );
  await office.deliver(
    letter(
      'Treffen',
      'MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-1\n',
      'Die H\u00e4user sind nicht f\u00fcr mich, und das ist der Grund.\n',
    ),
  );
  await office.deliver(letter('Lunch', '', `${english}A premeetingness.\n`));
  await office.deliver(letter('Lunch', '', english));
  return Conversation.selected({ office });
}

const cases = [
  { name: 'other forms of a word', search: 'FUZZY BODY meetings', found: ' 2' },
  { name: 'and in the subject', search: 'FUZZY SUBJECT meets', found: ' 1' },
  { name: 'exact keys stay exact', search: 'BODY meets', found: '' },
  { name: 'an exact match is a match, a piece of a word too', search: 'FUZZY BODY meeting', found: ' 2 4' },
  { name: 'in the language of each message, accents aside', search: 'FUZZY TEXT haus', found: ' 3' },
  { name: 'all words must be there, in any order', search: 'FUZZY TEXT "noon lunches"', found: ' 2' },
  { name: 'FUZZY reaches into a list of keys', search: 'FUZZY (TEXT meets OR SEEN UNSEEN)', found: ' 1 2' },
  { name: 'and only as far as its key (RFC 6203 §3)', search: 'FUZZY TEXT meets SUBJECT lunches', found: '' },
  { name: 'NOT', search: 'NOT FUZZY TEXT meets', found: ' 3 4 5' },
  { name: 'other keys match as ever (RFC 6203 §5)', search: 'FUZZY SEEN', found: '' },
  { name: 'a field that is asked for only by being there', search: 'FUZZY SUBJECT ""', found: ' 1 2 3 4 5' },
  { name: 'what has no words', search: 'FUZZY BODY "."', found: ' 1 2 3 4 5' },
] as const;
for (const { name, search, found } of cases)
  test(`${name}: ${search}`, async () => {
    const conversation = await five();
    await conversation.expect(`SEARCH ${search}`, `* SEARCH${found}`, '. OK Searched');
  });

test('RELEVANCY: from 1 to 100, and the subject tells more than the text (RFC 6203 §4)', async () => {
  const conversation = await five();
  const [line = ''] = await conversation.run('SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT meeting');
  const scores = /^\* ESEARCH \(TAG "t1"\) ALL 1:2,4 RELEVANCY \((\d+) (\d+) (\d+)\)$/
    .exec(line)
    ?.slice(1)
    .map(Number);
  assert.ok(scores, line);
  const [subject = 0, text = 0, piece = 0] = scores;
  assert.equal(subject, 100);
  assert.ok(text < subject && piece < text && piece >= 1, line);
});

test('SORT by RELEVANCY, all or some of it (RFC 6203 §6)', async () => {
  const conversation = await five();
  await conversation.expect('SORT (RELEVANCY) UTF-8 FUZZY TEXT meeting', '* SORT 1 2 4', '. OK Sorted');
  await conversation.expect(
    'SORT (REVERSE RELEVANCY) UTF-8 FUZZY TEXT meeting',
    '* SORT 4 2 1',
    '. OK Sorted',
  );
  const [line = ''] = await conversation.run(
    'UID SORT RETURN (PARTIAL 1:1 RELEVANCY) (RELEVANCY) UTF-8 FUZZY TEXT meeting',
  );
  assert.equal(line, '* ESEARCH (TAG "t3") UID PARTIAL (1:1 1) RELEVANCY (100)');
  await conversation.expect(
    'SEARCH RETURN (RELEVANCY ALL) FUZZY TEXT zebra',
    '* ESEARCH (TAG "t4") RELEVANCY ()',
    '. OK Searched',
  );
  await conversation.expect(
    'SEARCH RETURN (SAVE RELEVANCY) FUZZY TEXT meets',
    '* ESEARCH …',
    '. OK Searched',
  );
  await conversation.expect('SEARCH $', '* SEARCH 1 2', '. OK Searched');
});

test('where no text is asked for, all fit alike', async () => {
  const conversation = await five();
  await conversation.expect(
    'SEARCH RETURN (RELEVANCY) FUZZY UNSEEN 1:2',
    '* ESEARCH (TAG "t1") RELEVANCY (100 100)',
    '. OK Searched',
  );
});

for (const command of [
  'SEARCH RETURN (RELEVANCY) TEXT x',
  'SORT (RELEVANCY) UTF-8 TEXT x',
  'SORT RETURN (RELEVANCY) (DATE) UTF-8 ALL',
  'SEARCH FUZZY',
])
  test(`RELEVANCY needs FUZZY, and FUZZY a key: ${command} (RFC 6203 §4, §6)`, async () => {
    const conversation = await five();
    await conversation.expect(command, '. BAD …');
  });

test('strange needles and messages are answered', async () => {
  const conversation = await five();
  await conversation.expect(`SEARCH FUZZY TEXT "${'q '.repeat(3000)}"`, '* SEARCH', '. OK Searched');
  await conversation.expect(`SEARCH FUZZY TEXT ${'x'.repeat(5000)}`, '* SEARCH', '. OK Searched');
});
