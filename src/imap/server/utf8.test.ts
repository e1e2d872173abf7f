/** UTF8=ACCEPT: RFC 6855 and RFC 9755, wherever a name of a mailbox or a header is shown. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../test/support/imap-conversation.ts';
import { twoUsers } from '../../../test/support/imap-sharing.ts';

const NAME = { utf7: 'Gr&APwA3w-e', utf8: Buffer.from('"Grüße"').toString('latin1') };

/** Commands that show a name, said with the name as it is given. */
const SHOWING = (name: string): readonly string[] => [
  'LIST "" *',
  'LIST "" * RETURN (SUBSCRIBED CHILDREN STATUS (MESSAGES) METADATA (/shared/comment) MYRIGHTS)',
  `LIST "" ${name}`,
  'LSUB "" *',
  `STATUS ${name} (MESSAGES)`,
  `SELECT ${name}`,
  `GETMETADATA ${name} /shared/comment`,
  `GETQUOTAROOT ${name}`,
  `GETACL ${name}`,
  `LISTRIGHTS ${name} bob@example.test`,
  `MYRIGHTS ${name}`,
];

async function office(): Promise<ImapOffice> {
  const users = await twoUsers();
  const { alice } = users;
  for (const command of [
    `CREATE ${NAME.utf7}`,
    `SUBSCRIBE ${NAME.utf7}`,
    `SETMETADATA ${NAME.utf7} (/shared/comment "x")`,
  ])
    assert.match((await alice.run(command)).at(-1) ?? '', /^\. OK /, command);
  return users.office;
}

/** Without what is in literals, where any octet may be. */
function withoutLiterals(text: string): string {
  let out = '';
  for (let at = 0; at < text.length;) {
    const next = /\{(\d+)\}\r\n/g;
    next.lastIndex = at;
    const found = next.exec(text);
    if (found === null) return out + text.slice(at);
    out += text.slice(at, next.lastIndex);
    at = next.lastIndex + Number(found[1]);
  }
  return out;
}

describe('names of mailboxes (RFC 6855 §3)', () => {
  for (const command of SHOWING(NAME.utf7))
    test(`modified UTF-7, and no octet beyond ASCII: ${command}`, async () => {
      const client = await Conversation.signedIn({ office: await office() });
      const heard = await client.say(`a ${command}\r\n`);
      assert.match(heard, /^a OK /m);
      assert.match(heard, /^[\x00-\x7f]*$/);
      if (!command.startsWith('SELECT')) assert.ok(heard.includes(NAME.utf7), heard);
    });

  for (const enabled of ['UTF8=ACCEPT', 'IMAP4rev2'])
    for (const command of SHOWING(NAME.utf8))
      test(`UTF-8 after ENABLE ${enabled}: ${command}`, async () => {
        const client = await Conversation.signedIn({ office: await office() });
        await client.run(`ENABLE ${enabled}`);
        const heard = await client.say(`a ${command}\r\n`);
        assert.match(heard, /^a OK /m);
        assert.ok(!heard.includes('&APw'), heard);
        if (!command.startsWith('SELECT') || enabled === 'IMAP4rev2')
          assert.ok(heard.includes(NAME.utf8), heard);
      });

  test('what is renamed shows both names', async () => {
    const client = await Conversation.signedIn({ office: await office() });
    await client.run('ENABLE IMAP4rev2');
    const decomposed = Buffer.from('"Gru\u0308\u00dfe"').toString('latin1');
    await client.expect(`LIST "" ${decomposed}`, `* LIST (\\HasNoChildren) "/" ${NAME.utf8}`, '. OK …');
  });

  test('octets that are no UTF-8 are refused, in a name and in a quoted string', async () => {
    const client = await Conversation.signedIn({ office: await office() });
    await client.run('ENABLE UTF8=ACCEPT');
    for (const command of ['CREATE "x\xff"', 'SELECT "\xc3("', 'LIST "" "\xed\xa0\x80"', 'SUBSCRIBE "\xf8"'])
      assert.match((await client.run(command)).at(-1) ?? '', /^\. (?:NO|BAD) /, command);
  });
});

describe('headers (RFC 6855 §3, §8)', () => {
  const MESSAGE = Buffer.from(
    'From: Jörg <jörg@exämple.org>\r\nTo: "ü" <a@b.example>\r\nSubject: Grüße\r\nMIME-Version: 1.0\r\n' +
      'Content-Type: text/plain; name="ü.txt"\r\nContent-Description: dü\r\nContent-Disposition: attachment; filename="ä"\r\n\r\nx\r\n',
  );
  for (const enable of ['CONDSTORE', 'UTF8=ACCEPT'])
    test(`octets beyond ASCII are in literals alone, before and after ENABLE (${enable})`, async () => {
      const made = new ImapOffice();
      await made.deliverOctets(MESSAGE);
      const client = await Conversation.selected({ office: made });
      await client.run(`ENABLE ${enable}`);
      const items =
        'ENVELOPE BODY BODYSTRUCTURE BODY[HEADER] BODY[HEADER.FIELDS (SUBJECT FROM)] BODY[] RFC822.HEADER';
      const heard = await client.say(`a FETCH 1 (${items})\r\n`);
      assert.match(heard, /^a OK /m);
      assert.match(withoutLiterals(heard), /^[\x00-\x7f]*$/);
      assert.ok(heard.includes(MESSAGE.toString('latin1')), 'the octets are those that came');
    });

  test('a search in UTF-8 finds them, quoted once it was enabled', async () => {
    const made = new ImapOffice();
    await made.deliverOctets(MESSAGE);
    await made.deliver(letter('other'));
    const client = await Conversation.selected({ office: made });
    const value = Buffer.from('GRÜ').toString('latin1');
    await client.expect(`SEARCH CHARSET UTF-8 SUBJECT {4+}\r\n${value}`, '* SEARCH 1', '. OK …');
    await client.run('ENABLE UTF8=ACCEPT');
    await client.expect(`SEARCH SUBJECT "${value}"`, '* SEARCH 1', '. OK …');
    await client.expect('SEARCH SUBJECT "\xff"', '. BAD …');
  });
});
