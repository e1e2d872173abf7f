/** LANGUAGE and I18NLEVEL=1: RFC 5255. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';

describe('LANGUAGE (RFC 5255 §3)', () => {
  const chosen = [
    ['en', 'en'],
    ['EN-ca', 'en'],
    ['fr-CA en-CA', 'en'],
    ['"i-DEFAULT"', 'i-default'],
    ['{7+}\r\ndefault', 'i-default'],
    ['*', undefined],
    ['"*"', 'i-default'],
  ] as const;
  for (const [ranges, tag] of chosen)
    test(`LANGUAGE ${JSON.stringify(ranges)} gives ${tag}`, async () => {
      const client = await Conversation.signedIn();
      if (tag === undefined) await client.expect(`LANGUAGE ${ranges}`, '. BAD …');
      else await client.expect(`LANGUAGE ${ranges}`, `* LANGUAGE (${tag})`, '. OK …');
    });

  for (const ranges of ['mul', 'fr de-AT', 'e', 'english'])
    test(`LANGUAGE ${ranges} is not spoken: NO, and nothing is different (§3.2)`, async () => {
      await (await Conversation.signedIn()).expect(`LANGUAGE ${ranges}`, '. NO …');
    });

  for (const ranges of ['""', 'en_US', '"en fr"', 'en-', 'toolonglanguage', '{3+}\r\n\xe4\xf6\xfc', '(en)'])
    test(`LANGUAGE ${JSON.stringify(ranges)} is no range (RFC 4647 §2.1)`, async () => {
      await (await Conversation.signedIn()).expect(`LANGUAGE ${ranges}`, '. BAD …');
    });

  test('without arguments: what is spoken; in every state, and offered in the greeting (§3.1)', async () => {
    const client = new Conversation();
    assert.match(await client.hear(), /^\* OK \[CAPABILITY [^\]]*\bLANGUAGE\b/);
    await client.expect('LANGUAGE', '* LANGUAGE (en i-default)', '. OK …');
    await client.run('LOGIN alice secret');
    await client.expect('LANGUAGE', '* LANGUAGE (en i-default)', '. OK …');
    await client.run('SELECT INBOX');
    await client.expect('LANGUAGE EN', '* LANGUAGE (en)', '. OK …');
  });
});

describe('I18NLEVEL=1: i;unicode-casemap (RFC 5255 §4.2, §4.3, §4.6; RFC 5051)', () => {
  /** In UTF-8, as octets. */
  const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
  const word = (text: string): string => `=?utf-8?b?${Buffer.from(text).toString('base64')}?=`;
  const TEXT =
    'MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n';

  async function office(): Promise<ImapOffice> {
    const made = new ImapOffice();
    await made.deliver(letter(word('ÄRGER')).replace('Ann ', `${word('Émile')} `));
    await made.deliver(letter('other', TEXT, utf8('Ein kleines a\u0308rgernis, ᾳ\n')));
    await made.deliver(letter(word('ﬁnd ①')));
    await made.deliver(letter(word('Straße')));
    return made;
  }

  test('it is offered to who is signed in', async () => {
    assert.match((await (await Conversation.signedIn()).run('CAPABILITY'))[0] ?? '', / I18NLEVEL=1 /);
  });

  const searches = [
    ['SUBJECT', 'ärger', '1'],
    ['SUBJECT', 'A\u0308rG', '1'],
    ['SUBJECT', 'arger', ''],
    ['HEADER FROM', 'éMILE', '1'],
    ['FROM', 'e\u0301mile', '1'],
    ['BODY', 'ÄRGERNIS', '2'],
    ['TEXT', 'Ärger', '1 2'],
    ['BODY', 'ᾼ', '2'],
    // Compatibility characters are what they are made of, behind the mapping of case; 'ß' is no two letters of another.
    ['SUBJECT', 'Nd 1', '3'],
    ['SUBJECT', 'FIND', ''],
    ['SUBJECT', 'STRASSE', ''],
    ['SUBJECT', 'STRAßE', '4'],
  ] as const;
  for (const [key, text, found] of searches)
    test(`SEARCH ${key} ${text}`, async () => {
      const client = await Conversation.selected({ office: await office() });
      const value = utf8(text);
      await client.expect(
        `SEARCH CHARSET UTF-8 ${key} {${value.length}+}\r\n${value}`,
        `* SEARCH${found === '' ? '' : ` ${found}`}`,
        '. OK …',
      );
    });

  test('SORT and THREAD compare alike', async () => {
    const made = new ImapOffice();
    for (const subject of ['Zebra', word('ärger'), word('ÄRGER b'), word('A\u0308rger'), 'apple'])
      await made.deliver(letter(subject));
    const client = await Conversation.selected({ office: made });
    await client.expect('SORT (SUBJECT) UTF-8 ALL', '* SORT 5 2 4 3 1', '. OK …');
    await client.expect('THREAD ORDEREDSUBJECT UTF-8 ALL', '* THREAD (1)(2 4)(3)(5)', '. OK …');
  });
});
