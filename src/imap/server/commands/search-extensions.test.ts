/** SORT=DISPLAY (RFC 5957), WITHIN (RFC 5032) and SEARCHRES (RFC 5182) with each of the other extensions of SEARCH. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';
import { FLAG } from '../../../store/mail-store.ts';

describe('SORT=DISPLAY (RFC 5957)', () => {
  const addresses = [
    ['a display name', 'Zoe <a@example.org>'],
    ['none: the address', 'm@example.org'],
    ['an encoded one, in capitals', '=?utf-8?Q?=C3=84NNE?= <z@example.org>'],
    ['the same in small letters', '=?utf-8?Q?=C3=A4nne?= <y@example.org>'],
    ['an empty one: the address', '"" <b@example.org>'],
    ['the first of several', 'Carl <x@example.org>, Aaron <a@example.org>'],
    ['a group: its name', 'Friends: bob@example.org;'],
    ['no address', ''],
  ] as const;

  async function mailbox(field: 'From' | 'To'): Promise<Conversation> {
    const office = new ImapOffice();
    for (const [, address] of addresses)
      await office.deliver(`${address === '' ? '' : `${field}: ${address}\n`}Subject: s\n\nx\n`);
    return Conversation.selected({ office });
  }

  for (const [criteria, want] of [
    // "" < ÄNNE (A with its mark) = ännE, by arrival < b@ < Carl < Friends < m@ < Zoe
    ['DISPLAYFROM', '8 3 4 5 6 7 2 1'],
    ['REVERSE DISPLAYFROM', '1 2 7 6 5 3 4 8'],
    ['DISPLAYFROM REVERSE ARRIVAL', '8 3 4 5 6 7 2 1'],
    ['FROM', '8 1 5 7 2 6 4 3'],
  ] as const)
    test(`SORT (${criteria})`, async () => {
      const conversation = await mailbox('From');
      await conversation.expect(`SORT (${criteria}) UTF-8 ALL`, `* SORT ${want}`, '. OK Sorted');
    });

  test('DISPLAYTO, by UID, some of it, and kept up to date (RFC 5267, RFC 9394)', async () => {
    const conversation = await mailbox('To');
    await conversation.expect('UID SORT (DISPLAYTO) UTF-8 ALL', '* SORT 8 3 4 5 6 7 2 1', '. OK Sorted');
    await conversation.expect(
      'UID SORT RETURN (PARTIAL -1:-2 UPDATE) (DISPLAYTO) UTF-8 ALL',
      '* ESEARCH (TAG "t2") UID PARTIAL (-1:-2 2,1)',
      '. OK Sorted',
    );
    await conversation.office.deliver('To: Dora <d@example.org>\nSubject: s\n\nx\n');
    await conversation.expect('NOOP', '* 9 EXISTS', '* ESEARCH (TAG "t2") UID ADDTO (6 9)', '. OK …');
    await conversation.expect('SORT RETURN (SAVE) (DISPLAYTO) UTF-8 2:4', '. OK Sorted');
    await conversation.expect('SORT (DISPLAYTO) UTF-8 $', '* SORT 3 4 2', '. OK Sorted');
  });
});

describe('WITHIN (RFC 5032)', () => {
  const HOUR_MS = 3_600_000;

  /** Received so long before now, which is the beginning of a second. */
  async function aged(...agesMs: readonly number[]): Promise<Conversation> {
    const office = new ImapOffice();
    const now = office.clock.nowMs();
    for (const ageMs of agesMs) await office.deliver(letter('x'), { receivedAtMs: now - ageMs });
    return Conversation.selected({ office });
  }

  for (const [key, want] of [
    ['OLDER 3600', ' 1 2'],
    ['YOUNGER 3600', ' 2 3 4'],
    ['NOT OLDER 3600', ' 3 4'],
    ['OLDER 3600 YOUNGER 3600', ' 2'],
    ['OR OLDER 7200 YOUNGER 1', ' 1 3 4'],
    // 0.4 seconds ago was in the second before.
    ['OLDER 1', ' 1 2 3'],
    ['YOUNGER 4294967295', ' 1 2 3 4'],
    ['OLDER 4294967295', ''],
    ['FUZZY OLDER 3600', ' 1 2'],
  ] as const)
    test(`to the second, both ends with it: ${key}`, async () => {
      const conversation = await aged(2 * HOUR_MS, HOUR_MS, 400, 0);
      await conversation.expect(`SEARCH ${key}`, `* SEARCH${want}`, '. OK Searched');
    });

  for (const key of ['OLDER 0', 'YOUNGER -1', 'OLDER', 'OLDER 4294967296', 'YOUNGER x'])
    test(`${key} is BAD`, async () => {
      const conversation = await aged();
      await conversation.expect(`SEARCH ${key}`, '. BAD …');
    });

  test('time goes on', async () => {
    const conversation = await aged(HOUR_MS - 5000);
    await conversation.expect('SEARCH OLDER 3600', '* SEARCH', '. OK Searched');
    await conversation.office.clock.advance(5000);
    await conversation.expect('SEARCH OLDER 3600', '* SEARCH 1', '. OK Searched');
  });

  test('with SORT, THREAD, ESEARCH, filters, saved and updated results', async () => {
    const conversation = await aged(2 * HOUR_MS, HOUR_MS, 1000);
    await conversation.expect('SORT (REVERSE ARRIVAL) UTF-8 OLDER 3600', '* SORT 2 1', '. OK Sorted');
    await conversation.expect('THREAD REFERENCES UTF-8 YOUNGER 60', '* THREAD (3)', '. OK Threaded');
    await conversation.expect(
      'ESEARCH IN (personal) RETURN (COUNT) YOUNGER 60',
      '* ESEARCH …',
      '. OK Searched',
    );
    await conversation.run('SETMETADATA "" (/private/filters/values/today "YOUNGER 60")');
    await conversation.expect('SEARCH FILTER today', '* SEARCH 3', '. OK Searched');
    await conversation.expect('SEARCH RETURN (SAVE UPDATE) YOUNGER 60', '. OK Searched');
    await conversation.expect('SEARCH $', '* SEARCH 3', '. OK Searched');
    await conversation.office.deliver(letter('new'));
    await conversation.expect('NOOP', '* 4 EXISTS', '* ESEARCH (TAG "t6") ADDTO (0 4)', '. OK …');
  });
});

describe('SEARCHRES (RFC 5182)', () => {
  async function four(): Promise<Conversation> {
    const office = new ImapOffice();
    for (const subject of ['apple', 'pear', 'apples', 'plum'])
      await office.deliver(letter(subject), { flags: subject === 'plum' ? FLAG.flagged : 0 });
    return Conversation.selected({ office });
  }
  const saved = async (conversation: Conversation): Promise<string> =>
    ((await conversation.run('UID SEARCH UID $'))[0] ?? '').replace('* SEARCH', '').trim();

  for (const [command, want] of [
    ['SEARCH RETURN (SAVE) SUBJECT apple', '1 3'],
    ['UID SEARCH RETURN (SAVE ALL) SUBJECT apple', '1 3'],
    ['SEARCH RETURN (SAVE MIN) SUBJECT apple', '1'],
    ['SEARCH RETURN (SAVE MAX) SUBJECT apple', '3'],
    ['SEARCH RETURN (SAVE MIN MAX) ALL', '1 4'],
    ['SEARCH RETURN (SAVE MIN COUNT) ALL', '1 2 3 4'],
    ['SEARCH RETURN (SAVE PARTIAL 2:3) ALL', '2 3'],
    ['SEARCH RETURN (SAVE PARTIAL -1:-1) ALL', '4'],
    ['SEARCH RETURN (SAVE CONTEXT) FLAGGED', '4'],
    ['SEARCH RETURN (SAVE UPDATE) FLAGGED', '4'],
    ['SEARCH RETURN (SAVE RELEVANCY) FUZZY SUBJECT apple', '1 3'],
    ['SORT RETURN (SAVE MIN) (REVERSE SUBJECT) UTF-8 ALL', '4'],
    ['SORT RETURN (SAVE PARTIAL 1:2) (REVERSE SUBJECT) UTF-8 ALL', '2 4'],
    ['ESEARCH IN (selected) RETURN (SAVE) FLAGGED', '4'],
    ['SEARCH RETURN (SAVE) SUBJECT none', ''],
    // What is BAD, or saves nothing, changes nothing; what is NO leaves nothing (RFC 5182 §2.1).
    ['SEARCH RETURN (SAVE) FOO', '2 3'],
    ['SEARCH RETURN (SAVE) 9', '2 3'],
    ['SEARCH RETURN (COUNT) ALL', '2 3'],
    ['SEARCH FILTER none', '2 3'],
    ['SEARCH CHARSET x-none SUBJECT a', '2 3'],
    ['SEARCH RETURN (SAVE) FILTER none', ''],
    ['SEARCH RETURN (SAVE) CHARSET x-none SUBJECT a', ''],
    ['SORT RETURN (SAVE) (DATE) x-none SUBJECT a', ''],
    [`SEARCH RETURN (SAVE) ${'SEEN '.repeat(1100)}SEEN`, ''],
  ] as const)
    test(`what is saved: ${command.slice(0, 60)}`, async () => {
      const conversation = await four();
      await conversation.run('SEARCH RETURN (SAVE) 2:3');
      await conversation.run(command);
      assert.equal(await saved(conversation), want);
    });

  for (const [command, ...want] of [
    ['FETCH $ (UID)', '* 1 FETCH (UID 1)', '* 3 FETCH (UID 3)', '. OK Fetched'],
    ['UID FETCH $ (UID)', '* 1 FETCH (UID 1)', '* 3 FETCH (UID 3)', '. OK Fetched'],
    ['SEARCH NOT $', '* SEARCH 2 4', '. OK Searched'],
    ['SEARCH OR $ 4', '* SEARCH 1 3 4', '. OK Searched'],
    ['SEARCH $ FUZZY SUBJECT pear', '* SEARCH', '. OK Searched'],
    ['SORT (REVERSE SUBJECT) UTF-8 $', '* SORT 3 1', '. OK Sorted'],
    ['THREAD ORDEREDSUBJECT UTF-8 UID $', '* THREAD (1)(3)', '. OK Threaded'],
    ['ESEARCH RETURN (COUNT) $', '* ESEARCH …', '. OK Searched'],
    ['SEARCH RETURN (PARTIAL -1:-1) $', '* ESEARCH (TAG "t2") PARTIAL (-1:-1 3)', '. OK Searched'],
    ['SEARCH RETURN (SAVE COUNT) $', '* ESEARCH (TAG "t2") COUNT 2', '. OK Searched'],
    ['STORE $ +FLAGS.SILENT (\\Seen)', '. OK Stored'],
    ['COPY $ Archive', '. OK [COPYUID …'],
    ['UID MOVE $ Archive', '* OK [COPYUID …', '* 3 EXPUNGE', '* 1 EXPUNGE', '. OK …'],
  ] as const)
    test(`where it is used: ${command}`, async () => {
      const conversation = await four();
      await conversation.run('SEARCH RETURN (SAVE) SUBJECT apple');
      await conversation.expect(command, ...want);
    });

  test('in a result that is kept up to date it is what it was (RFC 5267 §4.3)', async () => {
    const conversation = await four();
    await conversation.run('SEARCH RETURN (SAVE) 1:2');
    await conversation.run('SEARCH RETURN (UPDATE) $ UNSEEN');
    await conversation.run('SEARCH RETURN (SAVE) 4');
    await conversation.expect(
      'STORE 2,4 +FLAGS.SILENT (\\Seen)',
      '* ESEARCH (TAG "t2") REMOVEFROM (0 2)',
      '. OK Stored',
    );
  });
});

describe('what nobody means well', () => {
  const many = 100_000;
  for (const [name, search, want] of [
    ['100,000 keys', 'SEEN '.repeat(many).trim(), /^x (?:NO|BAD) /],
    ['100,000 keys that are literals', 'TEXT {1+}\r\nx '.repeat(many).trim(), /^x (?:NO|BAD) /],
    ['nesting of 10,000', `${'('.repeat(10_000)}SEEN${')'.repeat(10_000)}`, /^x NO \[LIMIT\] /],
    ['10,000 NOTs', `${'NOT '.repeat(10_000)}SEEN`, /^x NO \[LIMIT\] /],
    ['10,000 ORs', `${'OR '.repeat(10_000)}${'SEEN '.repeat(10_001).trim()}`, /^x (?:NO|BAD) /],
    ['10,000 FUZZYs', `${'FUZZY '.repeat(10_000)}SEEN`, /^x NO \[LIMIT\] /],
    ['as many keys as there may be', 'TEXT x '.repeat(1000).trim(), /^\* SEARCH\r\nx OK /],
    ['999 NOTs', `${'NOT '.repeat(999)}SEEN`, /x OK /],
    ['500 ORs', `${'OR TEXT a '.repeat(499)}TEXT b`, /x OK /],
  ] as const)
    test(`${name}: answered`, async () => {
      const conversation = await Conversation.selected();
      let heard = await conversation.say(`x SEARCH ${search}\r\n`);
      for (let quiet = 0; quiet < 20 && !/^x /m.test(heard) && !/BYE/.test(heard); quiet += 1)
        heard += await conversation.hear();
      assert.match(heard, new RegExp(`${want.source}|BYE`, 'm'));
    });
});
