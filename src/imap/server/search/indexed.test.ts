/** SEARCH with an index: what it knows is not read, what it does not know is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Conversation, ImapOffice, letter, overriding } from '../../../../test/support/imap-conversation.ts';
import type { SearchAnswer, SearchQuestion } from '../../../search/search-index.ts';
import { known, toEmailId, type EmailId } from '../../../store/ids.ts';

type Told = {
  readonly through: number;
  readonly matches: readonly number[];
  readonly candidates: readonly number[];
};

/** Four messages, of which the second and the fourth say "apple"; `tell` gets their ids and says what the index answers. */
async function office(
  tell: (ids: readonly number[]) => Told | undefined,
): Promise<{ conversation: Conversation; asked: SearchQuestion[]; reads: () => number }> {
  const asked: SearchQuestion[] = [];
  const ids: number[] = [];
  let reads = 0;
  const toIds = (some: readonly number[]): Set<EmailId> => new Set(some.map((id) => known(toEmailId(id))));
  const opened = new ImapOffice({
    blobs: (blobs) =>
      overriding(blobs, {
        read: async (...range) => {
          reads += 1;
          return blobs.read(...range);
        },
      }),
    search: {
      ask: async (_account, question): Promise<SearchAnswer | undefined> => {
        asked.push(question);
        const told = tell(ids);
        return (
          told && { through: told.through, matches: toIds(told.matches), candidates: toIds(told.candidates) }
        );
      },
      askFuzzily: async () => undefined,
    },
  });
  for (const body of ['pear\n', 'apple\n', 'pear\n', 'apple\n']) await opened.deliver(letter('s', '', body));
  const conversation = await Conversation.signedIn({ office: opened });
  await conversation.run('SELECT INBOX');
  for (const line of await conversation.run('FETCH 1:* EMAILID')) {
    const id = /EMAILID \((\w+)\)/.exec(line)?.[1];
    if (id !== undefined) ids.push(Number(/\d+/.exec(id)?.[0]));
  }
  reads = 0;
  return { conversation, asked, reads: () => reads };
}

const at = (ids: readonly number[], seq: number): number => ids[seq - 1] ?? 0;

const cases = [
  {
    name: 'what it is sure of is believed without a read',
    tell: (ids: readonly number[]) => ({ through: at(ids, 4), matches: [at(ids, 1)], candidates: [] }),
    search: 'BODY apple',
    found: ' 1',
    isRead: false,
  },
  {
    name: 'a candidate is read, and may be none',
    tell: (ids: readonly number[]) => ({
      through: at(ids, 4),
      matches: [],
      candidates: [at(ids, 1), at(ids, 2)],
    }),
    search: 'BODY apple',
    found: ' 2',
    isRead: true,
  },
  {
    name: 'what came later is read',
    tell: (ids: readonly number[]) => ({ through: at(ids, 2), matches: [at(ids, 2)], candidates: [] }),
    search: 'BODY apple',
    found: ' 2 4',
    isRead: true,
  },
  {
    name: 'NOT turns it round',
    tell: (ids: readonly number[]) => ({
      through: at(ids, 4),
      matches: [at(ids, 2), at(ids, 4)],
      candidates: [],
    }),
    search: 'NOT BODY apple',
    found: ' 1 3',
    isRead: false,
  },
  {
    name: 'it joins with other keys',
    tell: (ids: readonly number[]) => ({
      through: at(ids, 4),
      matches: [at(ids, 2), at(ids, 4)],
      candidates: [],
    }),
    search: 'OR (BODY apple 3:4) UID 1',
    found: ' 1 4',
    isRead: false,
  },
  {
    name: 'an index that cannot help is no harm',
    tell: () => undefined,
    search: 'BODY apple',
    found: ' 2 4',
    isRead: true,
  },
] as const;
for (const { name, tell, search, found, isRead } of cases)
  test(name, async () => {
    const { conversation, reads } = await office(tell);
    await conversation.expect(`SEARCH ${search}`, `* SEARCH${found}`, '. OK Searched');
    assert.equal(reads() > 0, isRead);
  });

test('an empty text and other keys are no questions', async () => {
  const { conversation, asked } = await office(() => undefined);
  await conversation.run('SEARCH SUBJECT "" SEEN HEADER X-Mark y');
  assert.equal(asked.length, 0);
  await conversation.run('SEARCH OR NOT FROM A (TEXT b SUBJECT c)');
  assert.deepEqual(asked.map(({ where, needle }) => `${where} ${needle}`).toSorted(), [
    'from A',
    'subject C',
    'text B',
  ]);
});

test('a message that came after the ids were asked for is found too', async () => {
  const { conversation } = await office((ids) => ({
    through: at(ids, 2),
    matches: [at(ids, 2)],
    candidates: [],
  }));
  await conversation.expect('SEARCH BODY apple', '* SEARCH 2 4', '. OK Searched');
  await conversation.office.deliver(letter('s', '', 'apple\n'));
  await conversation.run('NOOP');
  await conversation.expect('SEARCH BODY apple', '* SEARCH 2 4 5', '. OK Searched');
});
