/** METADATA: RFC 5464; LIST-METADATA: RFC 9590. */
import { describe, test } from 'node:test';
import { Fault } from '../../../base/fault.ts';
import { LIMITS } from '../../../base/limits.ts';
import { Conversation, ImapOffice, overriding } from '../../../../test/support/imap-conversation.ts';

describe('GETMETADATA and SETMETADATA (RFC 5464)', () => {
  test('what was set is had, names without regard to case (§3.2); a name without value is NIL', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect(
      'SETMETADATA inbox (/Shared/Comment "Really useful" /private/comment {6+}\r\na\r\nb\r\n)',
      '. OK Annotated',
    );
    await conversation.expect(
      'GETMETADATA INBOX (/shared/comment /PRIVATE/comment /private/x)',
      '* METADATA INBOX (/shared/comment "Really useful" /private/comment {6}',
      'a',
      'b',
      ' /private/x NIL)',
      '. OK …',
    );
    await conversation.expect('SETMETADATA INBOX (/shared/comment NIL)', '. OK …');
    await conversation.expect(
      'GETMETADATA INBOX /shared/comment',
      '* METADATA INBOX (/shared/comment NIL)',
      '. OK …',
    );
  });

  test('octets of any kind, NUL in a literal8 (§5)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('SETMETADATA INBOX (/shared/raw ~{3+}\r\na\0\xff)', '. OK …');
    await conversation.expect(
      'GETMETADATA INBOX /shared/raw',
      '* METADATA INBOX (/shared/raw ~{3}',
      'a\0\xff)',
      '. OK …',
    );
    await conversation.expect('SETMETADATA INBOX (/shared/raw {3+}\r\na\0b)', '. BAD …');
  });

  test('DEPTH: below, but not the name itself where it has no value (§4.2.2)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('SETMETADATA INBOX (/private/a/b "1" /private/a/b/c "2" /private/ab "3")');
    for (const [depth, want] of [
      ['0', '/private/a NIL'],
      ['1', '/private/a/b 1'],
      ['infinity', '/private/a/b 1 /private/a/b/c 2'],
    ] as const) {
      const quoted = want.replaceAll(/ (\d)/g, ' "$1"');
      // Options behind the mailbox as in the examples, and before it as in the grammar.
      for (const command of [`INBOX (DEPTH ${depth}) (/private/a)`, `(DEPTH ${depth}) INBOX /private/a`])
        await conversation.expect(`GETMETADATA ${command}`, `* METADATA INBOX (${quoted})`, '. OK …');
    }
  });

  test('MAXSIZE leaves out what is longer and names the longest (§4.2.1)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('SETMETADATA INBOX (/shared/a "12345" /shared/b "1234" /shared/c "123")');
    await conversation.expect(
      'GETMETADATA INBOX (MAXSIZE 3) (/shared/a /shared/b /shared/c)',
      '* METADATA INBOX (/shared/c "123")',
      '. OK [METADATA LONGENTRIES 5] …',
    );
    await conversation.expect(
      'GETMETADATA INBOX (MAXSIZE 5 DEPTH 1) /shared',
      '* METADATA INBOX …',
      '. OK These…',
    );
  });

  test('of the server: whom to write to, and an account’s own (§3.2.1.1)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect(
      'GETMETADATA "" (/shared/admin /private/vendor/x/y)',
      '* METADATA "" (/shared/admin "mailto:postmaster@example.test" /private/vendor/x/y NIL)',
      '. OK …',
    );
    await conversation.expect('SETMETADATA "" (/shared/comment "x")', '. NO [NOPERM] …');
    await conversation.expect('SETMETADATA "" (/private/vendor/x/y "z")', '. OK …');
    await conversation.expect(
      'GETMETADATA "" /private/vendor/x/y',
      '* METADATA "" (/private/vendor/x/y "z")',
      '. OK …',
    );
    await conversation.expect(
      'GETMETADATA INBOX /private/vendor/x/y',
      '* METADATA INBOX (/private/vendor/x/y NIL)',
      '. OK …',
    );
  });

  test('on both sides of the limits, with the codes of §4.3', async () => {
    const conversation = await Conversation.signedIn();
    const value = 'x'.repeat(LIMITS.metadataValueOctetsMax);
    await conversation.expect(`SETMETADATA INBOX (/shared/a {${value.length}+}\r\n${value})`, '. OK …');
    await conversation.expect(
      `SETMETADATA INBOX (/shared/b "b" /shared/a {${value.length + 1}+}\r\n${value}x)`,
      `. NO [METADATA MAXSIZE ${LIMITS.metadataValueOctetsMax}] …`,
    );
    const many = Array.from({ length: LIMITS.metadataEntriesMax }, (_, at) => `/shared/n/${at} ""`).join(' ');
    await conversation.expect(`SETMETADATA INBOX (${many})`, '. NO [METADATA TOOMANY] …');
    await conversation.expect('GETMETADATA INBOX /shared/b', '* METADATA INBOX (/shared/b NIL)', '. OK …');
    await conversation.expect(`SETMETADATA Sent (${many})`, '. OK …');
  });

  test('no such mailbox', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('GETMETADATA nope /shared/a', '. NO [NONEXISTENT] …');
    await conversation.expect('SETMETADATA nope (/shared/a "x")', '. NO [NONEXISTENT] …');
  });

  for (const text of [
    'GETMETADATA INBOX',
    'GETMETADATA INBOX /comment',
    'GETMETADATA INBOX /shared//a',
    'GETMETADATA INBOX /shared/a/',
    'GETMETADATA INBOX "/shared/*"',
    'GETMETADATA INBOX (DEPTH 2) /shared/a',
    'GETMETADATA INBOX (FOO 2) /shared/a',
    `GETMETADATA INBOX /shared/${'x'.repeat(250)}`,
    'SETMETADATA INBOX (/shared "x")',
    'SETMETADATA INBOX (/shared/vendor/x "x")',
    'SETMETADATA INBOX (/shared/a)',
    'SETMETADATA INBOX /shared/a "x"',
    'SETMETADATA INBOX (/shared/a atom)',
  ])
    test(`malformed: ${text.slice(0, 50)}`, async () => {
      const conversation = await Conversation.signedIn();
      await conversation.expect(text, '. BAD …');
    });

  test('a renamed inbox keeps its annotations, and so has the new mailbox (§4.1)', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.run('SETMETADATA INBOX (/shared/comment "c")');
    await conversation.run('RENAME INBOX Old');
    for (const name of ['INBOX', 'Old'])
      await conversation.expect(
        `GETMETADATA ${name} /shared/comment`,
        `* METADATA ${name} (/shared/comment "c")`,
        '. OK …',
      );
  });
});

describe('news of annotations (RFC 5464 §4.4.2)', () => {
  test('names of what another session changed, to whoever enabled METADATA, also in IDLE', async () => {
    const office = new ImapOffice();
    const one = await Conversation.signedIn({ office });
    const two = await Conversation.signedIn({ office });
    await one.run('SETMETADATA INBOX (/shared/before "x")');
    await two.expect('NOOP', '. OK …');
    await two.expect('ENABLE METADATA', '* ENABLED METADATA', '. OK …');
    await two.expect('ENABLE METADATA', '* ENABLED', '. OK …');
    await two.expect('NOOP', '. OK …');
    await one.run('SETMETADATA INBOX (/shared/a "x" /private/b "y" /shared/before NIL)');
    await one.run('SETMETADATA "" (/private/c "z")');
    await two.expect(
      'SETMETADATA INBOX (/shared/own "x")',
      '* METADATA "" /private/c',
      '* METADATA INBOX /private/b /shared/a /shared/before',
      '. OK …',
    );
    await two.expect('NOOP', '. OK …');
    await one.expect('NOOP', '. OK …');
    await two.say('i IDLE\r\n');
    await one.run('SETMETADATA Sent (/shared/a "x")');
    await one.run('SELECT INBOX');
    const heard = await two.hear();
    if (!heard.includes('* METADATA Sent /shared/a\r\n')) throw new Error(`heard ${heard}`);
  });
});

test('news that could not be read comes later, and the command is answered as it went', async () => {
  let broken = false;
  const office = new ImapOffice({
    store: (store) =>
      overriding(store, {
        metadataNews: async (...args) => {
          if (broken) throw new Fault('Reading mail');
          return store.metadataNews(...args);
        },
      }),
  });
  const one = await Conversation.signedIn({ office });
  const two = await Conversation.signedIn({ office });
  await two.run('ENABLE METADATA');
  await one.run('SETMETADATA INBOX (/shared/a "x")');
  broken = true;
  await two.expect('NOOP', '. OK …');
  broken = false;
  await two.expect('NOOP', '* METADATA INBOX /shared/a', '. OK …');
});

test('LIST with annotations (RFC 9590)', async () => {
  const conversation = await Conversation.signedIn();
  await conversation.run('SETMETADATA Sent (/shared/color "red")');
  await conversation.run('SUBSCRIBE gone');
  await conversation.expect(
    'LIST (SUBSCRIBED) "" (Sent gone) RETURN (METADATA (/shared/Color "/private/x"))',
    String.raw`* LIST (\HasNoChildren \Sent \Subscribed) "/" Sent`,
    '* METADATA Sent (/shared/color "red" /private/x NIL)',
    String.raw`* LIST (\NonExistent \Subscribed) "/" gone`,
    '. OK Listed',
  );
  await conversation.expect('LIST "" * RETURN (METADATA)', '. BAD …');
  await conversation.expect('LIST "" * RETURN (METADATA (comment))', '. BAD …');
});
