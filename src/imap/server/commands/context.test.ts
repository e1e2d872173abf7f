/** Results that are kept up to date: RFC 5267 §4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';
import { LIMITS } from '../../../base/limits.ts';
import { FLAG } from '../../../store/mail-store.ts';

async function five(): Promise<Conversation> {
  const office = new ImapOffice();
  for (const subject of ['c', 'e', 'a', 'd', 'b'])
    await office.deliver(letter(subject), { flags: subject === 'd' ? FLAG.seen : 0 });
  return Conversation.selected({ office });
}

async function other({ office }: Conversation): Promise<Conversation> {
  return Conversation.selected({ office });
}

test('what comes is told behind EXISTS, what goes before EXPUNGE (RFC 5267 §4.3.3, §4.3.4)', async () => {
  const conversation = await five();
  await conversation.expect(
    'SEARCH RETURN (UPDATE COUNT) UNSEEN',
    '* ESEARCH (TAG "t1") COUNT 4',
    '. OK Searched',
  );
  await conversation.office.deliver(letter('new'));
  await conversation.expect('NOOP', '* 6 EXISTS', '* ESEARCH (TAG "t1") ADDTO (0 6)', '. OK …');
  const second = await other(conversation);
  await second.run('STORE 4 -FLAGS (\\Seen)');
  await second.run('STORE 1,5 +FLAGS (\\Seen)');
  await conversation.expect(
    'NOOP',
    '* 1 FETCH …',
    '* 4 FETCH …',
    '* 5 FETCH …',
    '* ESEARCH (TAG "t1") REMOVEFROM (0 1,5)',
    '* ESEARCH (TAG "t1") ADDTO (0 4)',
    '. OK …',
  );
  await second.run('STORE 2,6 +FLAGS (\\Deleted)');
  await second.run('EXPUNGE');
  await conversation.expect(
    'NOOP',
    '* ESEARCH (TAG "t1") REMOVEFROM (0 2,6)',
    '* 6 EXPUNGE',
    '* 2 EXPUNGE',
    '. OK …',
  );
});

test('a sorted result is told with positions (RFC 5267 §4.3.3)', async () => {
  const conversation = await five();
  await conversation.expect(
    'UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNSEEN',
    '* ESEARCH (TAG "t1") UID ALL 3,5,1:2',
    '. OK Sorted',
  );
  await conversation.office.deliver(letter('bb'));
  await conversation.office.deliver(letter('bc'));
  await conversation.office.deliver(letter('z'));
  await conversation.expect('NOOP', '* 8 EXISTS', '* ESEARCH (TAG "t1") UID ADDTO (3 6:7 7 8)', '. OK …');
  const second = await other(conversation);
  await second.run('UID STORE 5,7 +FLAGS (\\Seen)');
  await conversation.expect(
    'NOOP',
    '* 5 FETCH …',
    '* 7 FETCH …',
    '* ESEARCH (TAG "t1") UID REMOVEFROM (4 7 2 5)',
    '. OK …',
  );
});

test('what the client does itself changes its results too, also where STORE is silent', async () => {
  const conversation = await five();
  await conversation.run('UID SEARCH RETURN (UPDATE) FLAGGED');
  await conversation.expect(
    'STORE 2:3 +FLAGS.SILENT (\\Flagged)',
    '* ESEARCH (TAG "t1") UID ADDTO (0 2:3)',
    '. OK Stored',
  );
});

test('results are told in IDLE', async () => {
  const conversation = await five();
  await conversation.run('SEARCH RETURN (UPDATE) ALL');
  await conversation.say('i IDLE\r\n');
  await conversation.office.deliver(letter('new'));
  assert.equal(await conversation.hear(), '* 6 EXISTS\r\n* ESEARCH (TAG "t1") ADDTO (0 6)\r\n');
});

test('numbers in the search mean the messages that they named (RFC 5267 §4.3)', async () => {
  const conversation = await five();
  await conversation.run('STORE 1 +FLAGS.SILENT (\\Deleted)');
  await conversation.run('SEARCH RETURN (UPDATE) 1:2,5 UNFLAGGED');
  await conversation.run('UID SEARCH RETURN (UPDATE) OR UID 4:* UID 1');
  await conversation.expect(
    'EXPUNGE',
    '* ESEARCH (TAG "t2") REMOVEFROM (0 1)',
    '* ESEARCH (TAG "t3") UID REMOVEFROM (0 1)',
    '* 1 EXPUNGE',
    '. OK …',
  );
  await conversation.expect(
    'STORE 1:2 +FLAGS.SILENT (\\Flagged)',
    '* ESEARCH (TAG "t2") REMOVEFROM (0 1)',
    '. OK …',
  );
  await conversation.office.deliver(letter('new'));
  await conversation.expect('NOOP', '* 5 EXISTS', '* ESEARCH (TAG "t3") UID ADDTO (0 6)', '. OK …');
});

test('CANCELUPDATE ends it, and so does leaving the mailbox (RFC 5267 §4.3.5)', async () => {
  const conversation = await five();
  await conversation.run('SEARCH RETURN (UPDATE) ALL');
  await conversation.run('SEARCH RETURN (UPDATE) UNSEEN');
  await conversation.expect('CANCELUPDATE "t1" "none"', '. OK No further updates');
  await conversation.office.deliver(letter('new'));
  await conversation.expect('NOOP', '* 6 EXISTS', '* ESEARCH (TAG "t2") ADDTO (0 6)', '. OK …');
  await conversation.run('SELECT INBOX');
  await conversation.office.deliver(letter('new'));
  await conversation.expect('NOOP', '* 7 EXISTS', '. OK …');
  await conversation.expect('CANCELUPDATE', '. BAD …');
  await conversation.run('UNSELECT');
  await conversation.expect('CANCELUPDATE "t2"', '. BAD …');
});

test('a tag in use is BAD, and nothing happens (RFC 5267 §4.3)', async () => {
  const conversation = await five();
  await conversation.say('a SEARCH RETURN (UPDATE) UNSEEN\r\n');
  assert.match(await conversation.say('a SORT RETURN (UPDATE) (DATE) UTF-8 ALL\r\n'), /^a BAD /);
  assert.match(
    await conversation.say('a SEARCH RETURN (COUNT) ALL\r\n'),
    /^\* ESEARCH \(TAG "a"\) COUNT 5\r\na OK /,
  );
});

test('what cannot be kept up to date is said, and the rest is answered (RFC 5267 §4.3.1)', async () => {
  const conversation = await five();
  await conversation.expect(
    'SORT RETURN (UPDATE COUNT) (RELEVANCY) UTF-8 FUZZY TEXT hello',
    '* ESEARCH (TAG "t1") COUNT 5',
    '* NO [NOUPDATE "t1"] …',
    '. OK Sorted',
  );
  for (let at = 0; at < LIMITS.imapContextsMax; at += 1)
    await conversation.run('SEARCH RETURN (UPDATE) SEEN');
  await conversation.expect(
    'SEARCH RETURN (UPDATE COUNT) ALL',
    '* ESEARCH (TAG "t18") COUNT 5',
    '* NO [NOUPDATE "t18"] …',
    '. OK Searched',
  );
});

test('CONTEXT is a hint, PARTIAL counts in either direction, and UPDATE tells of all (RFC 5267 §4.2, §4.4; RFC 9394)', async () => {
  const conversation = await five();
  for (const [options, want] of [
    ['CONTEXT COUNT', 'COUNT 5'],
    ['CONTEXT', 'ALL 1:5'],
    ['PARTIAL 2:3', 'PARTIAL (2:3 2:3)'],
    ['PARTIAL 3:2', 'PARTIAL (3:2 2:3)'],
    ['PARTIAL -1:-2', 'PARTIAL (-1:-2 4:5)'],
    ['PARTIAL 4:9', 'PARTIAL (4:9 4:5)'],
    ['PARTIAL 6:9', 'PARTIAL (6:9 NIL)'],
  ] as const) {
    const [line] = await conversation.run(`SEARCH RETURN (${options}) ALL`);
    assert.equal(line?.replace(/ \(TAG "[^"]*"\)/, ''), `* ESEARCH ${want}`);
  }
  await conversation.expect('SEARCH RETURN (PARTIAL 1:2 ALL) ALL', '. BAD …');
  await conversation.expect(
    'SORT RETURN (PARTIAL 1:2 UPDATE) (SUBJECT) UTF-8 UNSEEN',
    '* ESEARCH (TAG "t9") PARTIAL (1:2 3,5)',
    '. OK Sorted',
  );
  await conversation.office.deliver(letter('zz'));
  await conversation.expect('NOOP', '* 6 EXISTS', '* ESEARCH (TAG "t9") ADDTO (5 6)', '. OK …');
});

/** What a client makes of what it is told. */
class Client {
  list: number[];
  readonly #uid: boolean;

  constructor(list: readonly number[], uid: boolean) {
    this.list = [...list];
    this.#uid = uid;
  }

  hear(line: string): void {
    const expunged = Number(/^\* (\d+) EXPUNGE$/.exec(line)?.[1] ?? 0);
    if (expunged > 0 && !this.#uid) {
      assert.ok(!this.list.includes(expunged), line);
      this.list = this.list.map((number) => (number > expunged ? number - 1 : number));
    }
    const [, kind = '', pairs = ''] = /^\* ESEARCH .*?(ADDTO|REMOVEFROM) \((.*)\)$/.exec(line) ?? [];
    const words = pairs === '' ? [] : pairs.split(' ');
    for (let at = 0; at < words.length; at += 2)
      this.#apply(kind, Number(words[at]), numbers(words[at + 1] ?? ''));
  }

  #apply(kind: string, position: number, set: readonly number[]): void {
    if (kind === 'REMOVEFROM' && position === 0) {
      assert.ok(set.every((number) => this.list.includes(number)));
      this.list = this.list.filter((number) => !set.includes(number));
    } else if (kind === 'REMOVEFROM') assert.deepEqual(this.list.splice(position - 1, set.length), set);
    else if (position === 0) this.list = [...this.list, ...set].toSorted((a, b) => a - b);
    else this.list.splice(position - 1, 0, ...set);
  }
}

function numbers(set: string): number[] {
  return set.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split(':').map(Number);
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

const act = fc.oneof(
  fc.record({ kind: fc.constant('deliver' as const), subject: fc.constantFrom('a', 'b', 'c', 'd', 'B', '') }),
  fc.record({
    kind: fc.constantFrom('seen' as const, 'unseen' as const, 'deleted' as const),
    which: fc.nat({ max: 12 }),
  }),
  fc.record({ kind: fc.constantFrom('expunge' as const, 'noop' as const, 'search' as const) }),
);

test('a client that does what it is told has what a new search would find', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('SEARCH', 'UID SEARCH', 'SORT', 'UID SORT'),
      fc.array(act, { maxLength: 25 }),
      async (command, acts) => {
        const watching = await five();
        const acting = await other(watching);
        const isSorted = command.endsWith('SORT');
        const search = (returns: string): string =>
          `${command} RETURN (${returns}) ${isSorted ? '(REVERSE SUBJECT) UTF-8 ' : ''}UNSEEN`;
        const found = async (returns: string): Promise<number[]> => {
          const [line = ''] = await watching.run(search(returns));
          return numbers(/ ALL (.*)$/.exec(line)?.[1] ?? '').filter((number) => number > 0);
        };
        const client = new Client(await found('ALL UPDATE'), command.startsWith('UID'));
        for (const one of acts) {
          if (one.kind === 'deliver') await watching.office.deliver(letter(one.subject));
          else if (one.kind === 'expunge') await acting.run('EXPUNGE');
          else if (one.kind === 'seen') await acting.run(`STORE ${one.which} +FLAGS (\\Seen)`);
          else if (one.kind === 'unseen') await acting.run(`STORE ${one.which} -FLAGS (\\Seen)`);
          else if (one.kind === 'deleted') await acting.run(`STORE ${one.which} +FLAGS (\\Deleted)`);
          // News that may hold no EXPUNGE, and news that may.
          else
            for (const line of await watching.run(one.kind === 'search' ? 'SEARCH SEEN' : 'NOOP'))
              client.hear(line);
        }
        for (const line of await watching.run('NOOP')) client.hear(line);
        assert.deepEqual(client.list, await found('ALL'));
      },
    ),
    { numRuns: 60 },
  );
});
