import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Database } from '../../sqlite/database.ts';
import { known, toEmailId } from '../../store/ids.ts';
import { contains, toNeedle, type TextEvidence } from '../message-text.ts';
import type { SearchQuestion } from '../search-index.ts';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Pace } from '../../base/pace.ts';
import { fuzzyScan, toFuzzyText } from '../fuzzy.ts';
import { clearIndex, IndexGrowth, kind, readState, writeState } from './index-file.ts';
import { askIndex, askIndexFuzzily } from './index-question.ts';

const pace = new Pace(new FakeClock());

type Mail = { readonly from: string; readonly subject: string; readonly body: string; readonly part: string };

function textsOf({ from, subject, body, part }: Mail): TextEvidence {
  const fields = [
    { key: 'from', value: toNeedle(from) },
    { key: 'subject', value: toNeedle(subject) },
  ];
  return {
    fields,
    header: fields.map(({ key, value }) => `${toNeedle(key)}: ${value}`).join('\n'),
    body: [toNeedle(body)],
    partHeaders: [toNeedle(part)],
  };
}

/** What a scan of the message says. */
function scan(mail: Mail, { where, needle }: SearchQuestion): boolean {
  const { fields, header, body, partHeaders } = textsOf(mail);
  const isIn = (texts: readonly string[] | undefined): boolean =>
    texts?.some((text) => contains(text, needle)) === true;
  if (where === 'body') return isIn(body);
  if (where === 'text') return isIn([header]) || isIn(partHeaders) || isIn(body);
  return fields.some(({ key, value }) => key === where && contains(value, needle));
}

function fill(database: Database, mails: readonly (Mail | undefined)[]): void {
  const growth = new IndexGrowth(database);
  database.begin();
  for (const [index, mail] of mails.entries())
    growth.add({
      emailId: known(toEmailId(index + 1)),
      said: mail && { texts: textsOf(mail), subject: mail.subject },
    });
  writeState(database, { ...readState(database), through: mails.length });
  database.commit();
}

/** Says of each mail whether the answer agrees with a scan: it claims no false match, and leaves out none. */
async function agrees(database: Database, mails: readonly Mail[], question: SearchQuestion): Promise<void> {
  const answer = await askIndex(database, question, pace);
  assert.ok(answer);
  assert.equal(answer.through, mails.length);
  for (const [index, mail] of mails.entries()) {
    const id = known(toEmailId(index + 1));
    const holds = scan(mail, question);
    if (answer.matches.has(id))
      assert.ok(holds, `${JSON.stringify(question)} does not match ${JSON.stringify(mail)}`);
    else if (!answer.candidates.has(id))
      assert.ok(!holds, `${JSON.stringify(question)} misses ${JSON.stringify(mail)}`);
  }
  const fuzzy = await askIndexFuzzily(database, question, pace);
  assert.ok(fuzzy);
  for (const [index, mail] of mails.entries()) {
    const id = known(toEmailId(index + 1));
    const want = fuzzyScan(toFuzzyText(textsOf(mail), mail.subject), question);
    assert.equal(fuzzy.scores.get(id) ?? 0, want, `${JSON.stringify(question)} of ${JSON.stringify(mail)}`);
    assert.ok(!fuzzy.candidates.has(id));
  }
}

/** Few letters, so that pieces meet; words of several scripts, long runs, half surrogates. */
const letters = fc.constantFrom(
  ...Array.from('aAbBß\u0130\u01c5é\u0301 .-@"漢字かな\u0434\u0416😀𐐨1٣\t\u0000\ufffd'),
  '\ud83d',
  'ﬁ',
);
const text = fc.oneof(
  fc.array(letters, { maxLength: 60 }).map((all) => all.join('')),
  fc
    .array(
      fc.constantFrom(
        'hello',
        'World',
        'Straße',
        '東京都',
        '-',
        ' ',
        '\n',
        'the',
        'and',
        'for',
        'meeting',
        'meetings',
        'meet',
        'der',
        'die',
        'und',
        'Häuser',
        'Haus',
        'Hauser',
        'house',
        'houses',
        'Café',
        'cafe',
        'x'.repeat(30),
      ),
      { maxLength: 12 },
    )
    .chain((all) => fc.constantFrom(all.join(''), all.join(' '))),
  fc.string({ unit: 'binary', maxLength: 50 }),
);
const mail = fc.record({ from: text, subject: text, body: text, part: text });

test('the index claims nothing that a scan does not find, and misses nothing that it does (RFC 9051 §6.4.4)', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(mail, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('from', 'subject', 'body', 'text'),
      fc.nat(),
      fc.nat(),
      fc.nat({ max: 40 }),
      text,
      async (mails, where, which, from, length, other) => {
        const database = openDatabase(':memory:', kind);
        try {
          fill(database, mails);
          const picked = mails[which % mails.length];
          const source = picked === undefined ? other : where === 'text' ? picked.part : picked[where];
          const begin = source.length === 0 ? 0 : from % source.length;
          for (const raw of [source.slice(begin, begin + length), other]) {
            const needle = toNeedle(raw);
            if (needle !== '') await agrees(database, mails, { where, needle });
          }
        } finally {
          database.close();
        }
      },
    ),
    { numRuns: 400 },
  );
});

const one: Mail = {
  from: 'Alice <alice@example.org>',
  subject: 'Grüße',
  body: 'see you tomorrow',
  part: 'Content-Type: x',
};

const cases = [
  { name: 'a piece of a word is a match for sure', where: 'body', text: 'omorr', found: 'match' },
  { name: 'one letter is a match too', where: 'body', text: 'w', found: 'match' },
  {
    name: 'two words are looked for in the texts that are kept',
    where: 'body',
    text: 'you tomo',
    found: 'match',
  },
  {
    name: 'two words that are both there but apart are no match',
    where: 'body',
    text: 'tomorrow you',
    found: 'nothing',
  },
  { name: 'a word that is not there is no match', where: 'body', text: 'yesterday', found: 'nothing' },
  {
    name: 'case and the form of letters do not matter',
    where: 'subject',
    text: 'GRU\u0308ße',
    found: 'match',
  },
  { name: 'an address is a match in its field', where: 'from', text: 'alice@EXAMPLE', found: 'match' },
  { name: 'and none in another', where: 'cc', text: 'alice', found: 'nothing' },
  { name: 'TEXT looks into the header', where: 'text', text: 'alice', found: 'match' },
  { name: 'BODY does not', where: 'body', text: 'alice', found: 'nothing' },
] as const;
for (const { name, where, text: raw, found } of cases)
  test(name, async () => {
    const database = openDatabase(':memory:', kind);
    fill(database, [one]);
    const answer = await askIndex(database, { where, needle: toNeedle(raw) }, pace);
    const id = known(toEmailId(1));
    const got =
      answer?.matches.has(id) === true
        ? 'match'
        : answer?.candidates.has(id) === true
          ? 'candidate'
          : 'nothing';
    assert.equal(got, found);
    database.close();
  });

test('what has no letters is looked for in the texts that are kept', async () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one, { ...one, body: 'a -- b' }]);
  const answer = await askIndex(database, { where: 'body', needle: '--' }, pace);
  assert.deepEqual(answer?.matches, new Set([2]));
  assert.equal(answer?.candidates.size, 0);
  database.close();
});

test('a message whose octets could not be read is a candidate for every question', async () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one, undefined]);
  const id = known(toEmailId(2));
  for (const where of ['from', 'subject', 'body', 'text'] as const) {
    const question = { where, needle: 'ZEBRA' };
    assert.ok((await askIndex(database, question, pace))?.candidates.has(id));
    assert.ok((await askIndexFuzzily(database, question, pace))?.candidates.has(id));
  }
  database.close();
});

test('a message that is too long for the index is a candidate for words, and still known by its fields', async () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [{ ...one, body: 'x '.repeat(1_200_000) }]);
  const id = known(toEmailId(1));
  const words = { where: 'body', needle: 'ZEBRA' } as const;
  assert.ok((await askIndex(database, words, pace))?.candidates.has(id));
  assert.ok((await askIndexFuzzily(database, words, pace))?.candidates.has(id));
  assert.ok((await askIndex(database, { where: 'from', needle: 'ALICE' }, pace))?.matches.has(id));
  database.close();
});

test('an index that is forgotten while it is asked has said nothing', async () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one]);
  const asking = askIndex(database, { where: 'body', needle: 'SEE YOU' }, pace);
  database.begin();
  clearIndex(database);
  database.commit();
  fill(database, [one]);
  assert.equal(await asking, undefined);
  database.close();
});

test('what is removed is found no more, and what is added again is', async () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one]);
  const id = known(toEmailId(1));
  const growth = new IndexGrowth(database);
  const asked = async (): Promise<boolean | undefined> =>
    (await askIndex(database, { where: 'body', needle: 'TOMORROW' }, pace))?.matches.has(id);
  database.begin();
  growth.remove(id);
  database.commit();
  assert.equal(await asked(), false);
  database.begin();
  growth.add({ emailId: id, said: { texts: textsOf(one), subject: one.subject } });
  database.commit();
  assert.equal(await asked(), true);
  database.begin();
  clearIndex(database);
  database.commit();
  assert.equal(await asked(), false);
  assert.deepEqual(readState(database), { through: 0, vanishedThrough: 0, generation: 1 });
  database.close();
});

test('an index of the first version is made again', () => {
  const file = join(mkdtempSync(join(tmpdir(), 'postrider-index-')), 'index.sqlite');
  const first = { ...kind, migrations: kind.migrations.slice(0, 1) };
  const old = openDatabase(file, first);
  old.exec(`UPDATE state SET through = 5, vanished_through = 5;
    INSERT INTO document VALUES (5, 0, '', '', '', '', 'X'); INSERT INTO said (rowid, header, body) VALUES (5, 'a', 'a')`);
  old.close();
  const database = openDatabase(file, kind);
  assert.deepEqual(readState(database), { through: 0, vanishedThrough: 0, generation: 0 });
  assert.equal(database.prepare('SELECT count(*) FROM document').row()?.[0], 0);
  database.close();
  rmSync(dirname(file), { recursive: true });
});
