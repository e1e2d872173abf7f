/** Commands about mailboxes: RFC 9051 §6.3.4 to §6.3.11, RFC 3501 §6.3.9, RFC 5258, RFC 5819, RFC 6154. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, ImapOffice, letter } from '../../../../test/support/imap-conversation.ts';

async function list(conversation: Conversation, command = 'LIST "" *'): Promise<readonly string[]> {
  const lines = await conversation.run(command);
  assert.equal(lines.at(-1), '. OK Listed');
  return lines.slice(0, -1).map((line) => line.replace(/^\* (?:LIST|LSUB) /, '').replace('"/" ', ''));
}

describe('CREATE (RFC 9051 §6.3.4)', () => {
  test('a mailbox, its missing parents, and the delimiter at the end', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('CREATE a/b/c/', '. OK [MAILBOXID (M9)] Created');
    assert.deepEqual((await list(conversation)).slice(-3), [
      String.raw`(\HasChildren) a`,
      String.raw`(\HasChildren) a/b`,
      String.raw`(\HasNoChildren) a/b/c`,
    ]);
    await conversation.expect('CREATE a/b', '. NO [ALREADYEXISTS] A mailbox of that name or use exists');
    await conversation.expect('CREATE inbox', '. NO [ALREADYEXISTS] …');
  });

  test('below INBOX, in whatever case that is written', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect(
      'CREATE inbox/x',
      '* LIST (\\HasNoChildren) "/" INBOX/x ("OLDNAME" (inbox/x))',
      '. OK …',
    );
    await conversation.expect('CREATE InBox/x', '. NO [ALREADYEXISTS] …');
    assert.deepEqual(await list(conversation, 'LIST "" iNbOx/%'), [String.raw`(\HasNoChildren) INBOX/x`]);
  });

  for (const name of ['""', '/', '/a', 'a//b', `"${'x'.repeat(1025)}"`, Array(40).fill('a').join('/')])
    test(`no mailbox can be called ${name.slice(0, 20)}, and nothing is made on the way`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(`CREATE ${name}`, '. NO [CANNOT] No mailbox can have that name');
      assert.equal((await list(conversation)).length, 6);
    });

  test('with a special use (RFC 6154 §3)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('CREATE vip (USE (\\Important))', '. OK …');
    assert.deepEqual(await list(conversation, 'LIST "" vip'), [String.raw`(\HasNoChildren \Important) vip`]);
    await conversation.expect('CREATE a/vip2 (USE (\\Important))', '. NO [USEATTR] …');
    await conversation.expect('CREATE every (USE (\\All))', '. NO [USEATTR] …');
    await conversation.expect('CREATE two (USE (\\Junk \\Sent))', '. NO [USEATTR] …');
    assert.deepEqual(await list(conversation, 'LIST "" a*'), []);
    await conversation.expect('CREATE x (USE (Sent))', '. BAD …');
    await conversation.expect('CREATE x (FOO (\\Sent))', '. BAD …');
  });

  test('one of the names that every account begins with gets its use back', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('DELETE Drafts', '. OK …');
    await conversation.expect('CREATE old/Drafts', '. OK …');
    await conversation.expect('CREATE Drafts', '. OK …');
    assert.deepEqual(await list(conversation, 'LIST "" *Drafts'), [
      String.raw`(\HasNoChildren \Drafts) Drafts`,
      String.raw`(\HasNoChildren) old/Drafts`,
    ]);
    await conversation.expect('RENAME Drafts Entwurf', '. OK …');
    await conversation.expect('CREATE Drafts', '. OK …');
    assert.deepEqual(await list(conversation, 'LIST "" Drafts'), [String.raw`(\HasNoChildren) Drafts`]);
  });

  test('names in modified UTF-7 and in UTF-8 are one name, kept in form C (RFC 9051 §5.1)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('CREATE "&AOQ-"', '. OK …');
    // a and a combining diaeresis
    await conversation.expect('CREATE "a&Awg-"', '. NO [ALREADYEXISTS] …');
    await conversation.expect(
      'CREATE "o&Awg-"',
      '* LIST (\\HasNoChildren) "/" &APY- ("OLDNAME" (o&Awg-))',
      '. OK …',
    );
    await conversation.expect('CREATE "&bad"', '. NO [CANNOT] …');
    await conversation.run('ENABLE IMAP4rev2');
    assert.deepEqual((await list(conversation)).slice(-2), [
      `(\\HasNoChildren) "${Buffer.from('ä').toString('latin1')}"`,
      `(\\HasNoChildren) "${Buffer.from('ö').toString('latin1')}"`,
    ]);
    await conversation.expect(`CREATE "${Buffer.from('ä').toString('latin1')}"`, '. NO [ALREADYEXISTS] …');
    await conversation.expect('CREATE "\xe4"', '. NO [CANNOT] …');
    await conversation.expect('CREATE "a\x01b"', '. NO [CANNOT] …');
  });

  for (const text of ['CREATE', 'CREATE a b', 'CREATE (a)', 'CREATE a (USE)'])
    test(`malformed: ${text}`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(text, '. BAD …');
    });
});

describe('DELETE (RFC 9051 §6.3.5)', () => {
  test('a mailbox goes; one with others below it, INBOX and a missing one do not', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('CREATE a/b');
    await conversation.expect('DELETE a', '. NO [HASCHILDREN] …');
    await conversation.expect('DELETE a/b', '. OK Deleted');
    await conversation.expect('DELETE a', '. OK Deleted');
    await conversation.expect('DELETE a', '. NO [NONEXISTENT] …');
    await conversation.expect('DELETE inBox', '. NO [CANNOT] …');
    await conversation.expect('DELETE', '. BAD …');
  });

  test('UIDVALIDITY is another when the name comes back (RFC 9051 §2.3.1.1)', async () => {
    const conversation = await Conversation.signedIn();
    const validity = async (): Promise<string> => (await conversation.run('STATUS a (UIDVALIDITY)'))[0] ?? '';
    await conversation.run('CREATE a');
    const before = await validity();
    await conversation.run('DELETE a');
    await conversation.run('CREATE a');
    assert.notEqual(await validity(), before);
  });
});

describe('RENAME (RFC 9051 §6.3.6)', () => {
  test('takes along what is below, and makes missing parents', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('CREATE a/b/c');
    await conversation.expect('RENAME a x/y', '. OK Renamed');
    assert.deepEqual(
      (await list(conversation, 'LIST "" x*')).map((line) => line.split(' ').at(-1)),
      ['x', 'x/y', 'x/y/b', 'x/y/b/c'],
    );
    await conversation.expect('RENAME x/y/b top/', '. OK Renamed');
    assert.deepEqual(await list(conversation, 'LIST "" top/%'), [String.raw`(\HasNoChildren) top/c`]);
  });

  test('refusals', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('CREATE a/b');
    await conversation.expect('RENAME nope x', '. NO [NONEXISTENT] …');
    await conversation.expect('RENAME a Sent', '. NO [ALREADYEXISTS] …');
    await conversation.expect('RENAME a INBOX', '. NO [ALREADYEXISTS] …');
    await conversation.expect('RENAME a a/b/c', '. NO [CANNOT] A mailbox cannot be below itself');
    await conversation.expect('RENAME a x//y', '. NO [CANNOT] No mailbox can have that name');
    await conversation.expect('RENAME a', '. BAD …');
    assert.deepEqual(await list(conversation, 'LIST "" x*'), []);
  });

  test('of INBOX moves its messages; it stays, and what is below it too', async () => {
    const office = new ImapOffice();
    for (let at = 0; at < 3; at += 1) await office.deliver(letter(`m${at}`));
    const conversation = await Conversation.selected({ office });
    await conversation.run('CREATE INBOX/sub');
    await conversation.expect('RENAME inbox old/mail', '* 3 EXPUNGE', '* 2 EXPUNGE', '* 1 EXPUNGE', '. OK …');
    await conversation.expect('STATUS old/mail (MESSAGES)', '* STATUS old/mail (MESSAGES 3)', '. OK …');
    await conversation.expect('STATUS INBOX (MESSAGES)', '* STATUS INBOX (MESSAGES 0)', '. OK …');
    await conversation.expect('STATUS INBOX/sub (MESSAGES)', '* STATUS INBOX/sub (MESSAGES 0)', '. OK …');
    await conversation.expect('RENAME inbox inbox/b', '. OK …');
  });

  test('a mailbox that is selected is still selected under its new name', async () => {
    const office = new ImapOffice();
    const conversation = await Conversation.signedIn({ office });
    await conversation.run('CREATE a');
    await office.deliver(letter('x'), { mailbox: 'a' });
    await conversation.run('SELECT a');
    await conversation.expect('RENAME a b', '. OK Renamed');
    await conversation.expect('FETCH 1 UID', '* 1 FETCH (UID 1)', '. OK Fetched');
  });
});

describe('SUBSCRIBE, UNSUBSCRIBE, LSUB (RFC 9051 §6.3.7, §6.3.8; RFC 3501 §6.3.9)', () => {
  test('names may be subscribed to that are no mailbox, and stay when it goes', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('CREATE a');
    await conversation.expect('SUBSCRIBE a', '. OK Subscribed');
    await conversation.expect('SUBSCRIBE no/such', '. OK Subscribed');
    await conversation.run('DELETE a');
    assert.deepEqual(
      (await list(conversation, 'LSUB "" *')).filter((line) => line.includes('Noselect')),
      [String.raw`(\Noselect) a`, String.raw`(\Noselect) no/such`],
    );
    await conversation.expect('UNSUBSCRIBE a', '. OK Unsubscribed');
    await conversation.expect('UNSUBSCRIBE never', '. OK Unsubscribed');
    await conversation.expect('SUBSCRIBE ""', '. NO [CANNOT] …');
    await conversation.expect('SUBSCRIBE a//b', '. NO [CANNOT] …');
    await conversation.expect('UNSUBSCRIBE a//b', '. OK …');
    await conversation.expect('SUBSCRIBE', '. BAD …');
  });

  test('inbox is INBOX', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('UNSUBSCRIBE inbox', '. OK …');
    assert(!(await list(conversation, 'LSUB "" *')).some((line) => line.endsWith('INBOX')));
    await conversation.expect('SUBSCRIBE iNBOX', '. OK …');
    assert((await list(conversation, 'LSUB "" *')).some((line) => line.endsWith('INBOX')));
  });

  test('LSUB with % tells of a parent that is not subscribed itself', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('CREATE foo/bar');
    await conversation.run('SUBSCRIBE foo/bar');
    assert.deepEqual(await list(conversation, 'LSUB "" f%'), [String.raw`(\Noselect) foo`]);
    assert.deepEqual(await list(conversation, 'LSUB foo/ %'), [String.raw`(\HasNoChildren) foo/bar`]);
    assert.deepEqual(await list(conversation, 'LSUB "" f*'), [String.raw`(\HasNoChildren) foo/bar`]);
  });
});

describe('LIST (RFC 9051 §6.3.9)', () => {
  async function tree(): Promise<Conversation> {
    const conversation = await Conversation.signedIn();
    for (const name of ['a/b/c', 'a/d', 'Foo/Bar/Baz']) await conversation.run(`CREATE ${name}`);
    for (const name of ['Drafts', 'Sent', 'Junk', 'Trash', 'Archive'])
      await conversation.run(`DELETE ${name}`);
    for (const name of ['INBOX', 'Drafts', 'Sent', 'Junk', 'Trash', 'Archive'])
      await conversation.run(`UNSUBSCRIBE ${name}`);
    return conversation;
  }

  test('an empty pattern gives the delimiter', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('LIST "" ""', '* LIST (\\Noselect) "/" ""', '. OK Listed');
    await conversation.expect('LIST a/b ""', '* LIST (\\Noselect) "/" a/', '. OK Listed');
  });

  for (const [command, names] of [
    ['LIST "" *', ['Foo', 'Foo/Bar', 'Foo/Bar/Baz', 'INBOX', 'a', 'a/b', 'a/b/c', 'a/d']],
    ['LIST "" %', ['Foo', 'INBOX', 'a']],
    ['LIST a/ %', ['a/b', 'a/d']],
    ['LIST "" a/%', ['a/b', 'a/d']],
    ['LIST "" %/%', ['Foo/Bar', 'a/b', 'a/d']],
    ['LIST "" inbox', ['INBOX']],
    ['LIST "" InB%', ['INBOX']],
    ['LIST "" foo', []],
    ['LIST "" (Foo a/d inbox)', ['Foo', 'INBOX', 'a/d']],
    ['LIST nope/ *', []],
    ['LIST "" "&bad*"', []],
  ] as const)
    test(command, async () => {
      const conversation = await tree();
      const lines = await list(conversation, command);
      assert.deepEqual(
        lines.map((line) => line.split(' ').at(-1)),
        [...names],
      );
    });

  test('SUBSCRIBED tells of names that are gone (RFC 5258 §3.4)', async () => {
    const conversation = await tree();
    await conversation.run('SUBSCRIBE a/b');
    await conversation.run('SUBSCRIBE lost/one');
    assert.deepEqual(await list(conversation, 'LIST (SUBSCRIBED) "" *'), [
      String.raw`(\HasChildren \Subscribed) a/b`,
      String.raw`(\NonExistent \Subscribed) lost/one`,
    ]);
    assert.deepEqual(await list(conversation, 'LIST "" a/% RETURN (SUBSCRIBED CHILDREN)'), [
      String.raw`(\HasChildren \Subscribed) a/b`,
      String.raw`(\HasNoChildren) a/d`,
    ]);
  });

  test('RECURSIVEMATCH tells of parents only where what is below is not told itself (RFC 9051 §6.3.9.6)', async () => {
    const conversation = await tree();
    await conversation.run('SUBSCRIBE Foo/Bar/Baz');
    await conversation.run('SUBSCRIBE lost/one');
    assert.deepEqual(await list(conversation, 'LIST (SUBSCRIBED RECURSIVEMATCH) "" %'), [
      String.raw`(\HasChildren) Foo ("CHILDINFO" ("SUBSCRIBED"))`,
      String.raw`(\NonExistent) lost ("CHILDINFO" ("SUBSCRIBED"))`,
    ]);
    assert.deepEqual(await list(conversation, 'LIST (RECURSIVEMATCH SUBSCRIBED) "" *'), [
      String.raw`(\HasNoChildren \Subscribed) Foo/Bar/Baz`,
      String.raw`(\NonExistent \Subscribed) lost/one`,
    ]);
    await conversation.expect('LIST (RECURSIVEMATCH) "" *', '. BAD …');
  });

  test('SPECIAL-USE (RFC 6154 §2)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('RENAME Sent a/Sent');
    assert.deepEqual((await list(conversation, 'LIST (SPECIAL-USE) "" *')).length, 5);
    assert.deepEqual(await list(conversation, 'LIST (SPECIAL-USE) "" a/* RETURN (SPECIAL-USE)'), [
      String.raw`(\HasNoChildren \Sent) a/Sent`,
    ]);
  });

  test('STATUS beside each name (RFC 5819)', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('x'));
    const conversation = await Conversation.signedIn({ office });
    await conversation.expect(
      'LIST "" (INBOX Sent) RETURN (STATUS (MESSAGES UNSEEN))',
      '* LIST (\\HasNoChildren) "/" INBOX',
      '* STATUS INBOX (MESSAGES 1 UNSEEN 1)',
      '* LIST (\\HasNoChildren \\Sent) "/" Sent',
      '* STATUS Sent (MESSAGES 0 UNSEEN 0)',
      '. OK Listed',
    );
    await conversation.run('SUBSCRIBE lost');
    await conversation.expect(
      'LIST (SUBSCRIBED) "" lost RETURN (STATUS (MESSAGES))',
      '* LIST (\\NonExistent \\Subscribed) "/" lost',
      '. OK Listed',
    );
  });

  for (const text of [
    'LIST',
    'LIST ""',
    'LIST "" * FOO',
    'LIST (FOO) "" *',
    'LIST "" * RETURN (FOO)',
    'LIST "" ()',
  ])
    test(`malformed: ${text}`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(text, '. BAD …');
    });

  test(
    'thousands of mailboxes and a hostile pattern are answered in good time',
    { timeout: 20_000 },
    async () => {
      const conversation = await Conversation.signedIn();
      for (let at = 0; at < 300; at += 1) await conversation.run(`CREATE deep/${'a/'.repeat(20)}${at}`);
      const lines = await conversation.run(`LIST (SUBSCRIBED RECURSIVEMATCH) "" ${'*a'.repeat(200)}`);
      assert.equal(lines.at(-1), '. OK Listed');
    },
  );
});

describe('NAMESPACE and STATUS (RFC 9051 §6.3.10, §6.3.11)', () => {
  test('there are two namespaces', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect(
      'NAMESPACE',
      '* NAMESPACE (("" "/")) (("Other Users/" "/")) NIL',
      '. OK Here they are',
    );
  });

  test('every item of STATUS', async () => {
    const office = new ImapOffice();
    await office.deliver(letter('a'), { flags: 1 });
    await office.deliver(letter('bb'), { flags: 16 });
    const conversation = await Conversation.signedIn({ office });
    await conversation.expect(
      'STATUS inbox (MESSAGES UIDNEXT UIDVALIDITY UNSEEN DELETED SIZE RECENT HIGHESTMODSEQ MAILBOXID APPENDLIMIT)',
      '* STATUS INBOX (MESSAGES 2 UIDNEXT 3 UIDVALIDITY 1767323045 UNSEEN 1 DELETED 1 SIZE 155 RECENT 0 HIGHESTMODSEQ 8 MAILBOXID (M1) APPENDLIMIT 1000000)',
      '. OK Counted',
    );
    await conversation.expect(
      'STATUS INBOX (DELETED DELETED-STORAGE)',
      '* STATUS INBOX (DELETED 1 DELETED-STORAGE 78)',
      '. OK Counted',
    );
    await conversation.expect('STATUS Sent (DELETED-STORAGE)', '* STATUS Sent (DELETED-STORAGE 0)', '. OK …');
    await conversation.expect('STATUS nope (MESSAGES)', '. NO [NONEXISTENT] …');
    await conversation.expect('STATUS INBOX ()', '. BAD …');
    await conversation.expect('STATUS INBOX (FOO)', '. BAD …');
    await conversation.expect('STATUS INBOX MESSAGES', '. BAD …');
  });
});
