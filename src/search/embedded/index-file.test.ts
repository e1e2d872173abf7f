import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openDatabase } from '../../sqlite/open-database.ts';
import type { Database } from '../../sqlite/database.ts';
import { known, toEmailId } from '../../store/ids.ts';
import { contains, toNeedle, type TextEvidence } from '../message-text.ts';
import type { SearchQuestion } from '../search-index.ts';
import { askIndex, clearIndex, IndexGrowth, kind, readState, writeState } from './index-file.ts';

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
function agrees(database: Database, mails: readonly Mail[], question: SearchQuestion): void {
  const answer = askIndex(database, question);
  if (answer === undefined) return;
  assert.equal(answer.through, mails.length);
  for (const [index, mail] of mails.entries()) {
    const id = known(toEmailId(index + 1));
    const holds = scan(mail, question);
    if (answer.matches.has(id))
      assert.ok(holds, `${JSON.stringify(question)} does not match ${JSON.stringify(mail)}`);
    else if (!answer.candidates.has(id))
      assert.ok(!holds, `${JSON.stringify(question)} misses ${JSON.stringify(mail)}`);
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
    .array(fc.constantFrom('hello', 'World', 'Straße', '東京都', '-', ' ', '\n'), { maxLength: 8 })
    .map((all) => all.join('')),
  fc.string({ unit: 'binary', maxLength: 50 }),
);
const mail = fc.record({ from: text, subject: text, body: text, part: text });

test('the index claims nothing that a scan does not find, and misses nothing that it does (RFC 9051 §6.4.4)', () => {
  fc.assert(
    fc.property(
      fc.array(mail, { minLength: 1, maxLength: 5 }),
      fc.constantFrom('from', 'subject', 'body', 'text'),
      fc.nat(),
      fc.nat(),
      fc.nat({ max: 40 }),
      text,
      (mails, where, which, from, length, other) => {
        const database = openDatabase(':memory:', kind);
        try {
          fill(database, mails);
          const picked = mails[which % mails.length];
          const source = picked === undefined ? other : where === 'text' ? picked.part : picked[where];
          const begin = source.length === 0 ? 0 : from % source.length;
          for (const raw of [source.slice(begin, begin + length), other]) {
            const needle = toNeedle(raw);
            if (needle !== '') agrees(database, mails, { where, needle });
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
  { name: 'two words must be read', where: 'body', text: 'you tomo', found: 'candidate' },
  {
    name: 'two words that are both there but apart must be read',
    where: 'body',
    text: 'tomorrow you',
    found: 'candidate',
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
  test(name, () => {
    const database = openDatabase(':memory:', kind);
    fill(database, [one]);
    const answer = askIndex(database, { where, needle: toNeedle(raw) });
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

test('what has no letters is no question for the index', () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one]);
  assert.equal(askIndex(database, { where: 'body', needle: '--' }), undefined);
  database.close();
});

test('a message whose octets could not be read is a candidate for every question', () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one, undefined]);
  for (const where of ['from', 'subject', 'body', 'text'] as const)
    assert.ok(askIndex(database, { where, needle: 'ZEBRA' })?.candidates.has(known(toEmailId(2))));
  database.close();
});

test('a message that is too long for the index is a candidate for words, and still known by its fields', () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [{ ...one, body: 'x '.repeat(1_200_000) }]);
  const id = known(toEmailId(1));
  assert.ok(askIndex(database, { where: 'body', needle: 'ZEBRA' })?.candidates.has(id));
  assert.ok(askIndex(database, { where: 'from', needle: 'ALICE' })?.matches.has(id));
  database.close();
});

test('what is removed is found no more, and what is added again is', () => {
  const database = openDatabase(':memory:', kind);
  fill(database, [one]);
  const id = known(toEmailId(1));
  const growth = new IndexGrowth(database);
  const asked = (): boolean | undefined =>
    askIndex(database, { where: 'body', needle: 'TOMORROW' })?.matches.has(id);
  database.begin();
  growth.remove(id);
  database.commit();
  assert.equal(asked(), false);
  database.begin();
  growth.add({ emailId: id, said: { texts: textsOf(one), subject: one.subject } });
  database.commit();
  assert.equal(asked(), true);
  database.begin();
  clearIndex(database);
  database.commit();
  assert.equal(asked(), false);
  assert.deepEqual(readState(database), { through: 0, vanishedThrough: 0 });
  database.close();
});
