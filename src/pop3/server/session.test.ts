/** POP3 sessions: RFC 1939, RFC 2449, RFC 2595, RFC 3206, RFC 5034, RFC 6856; states, limits, time, others at the mailbox. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Conversation, letter, overriding } from '../../../test/support/imap-conversation.ts';
import { Pop3Conversation, Pop3Office } from '../../../test/support/pop3-conversation.ts';
import { Fault } from '../../base/fault.ts';
import { BlobError } from '../../store/blob-store.ts';

const ONE = letter('one');
const SIZE = ONE.replaceAll('\n', '\r\n').length;

async function withMail(
  texts: readonly string[] = [ONE, letter('two'), letter('three')],
  change: ConstructorParameters<typeof Pop3Office>[0] = {},
): Promise<Pop3Office> {
  const office = new Pop3Office(change);
  for (const text of texts) await office.mail.deliver(text);
  return office;
}

async function signedIn(texts?: readonly string[]): Promise<Pop3Conversation> {
  return Pop3Conversation.signedIn({ office: await withMail(texts) });
}

describe('before sign-in (RFC 1939 §4)', () => {
  test('the greeting, and CAPA without TLS: no way in but STLS (RFC 2449 §5, RFC 2595 §4)', async () => {
    const conversation = new Pop3Conversation({ tls: false });
    assert.equal(await conversation.hear(), '+OK mail.example.test Postrider is ready\r\n');
    assert.equal(
      await conversation.run('CAPA'),
      '+OK Capabilities follow\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nEXPIRE NEVER\r\nLANG\r\nUTF8 USER\r\nSTLS\r\n.',
    );
    for (const command of ['USER alice', 'PASS secret', 'AUTH PLAIN AGFsaWNlAHNlY3JldA==', 'AUTH'])
      assert.equal(await conversation.run(command), '-ERR TLS comes first');
    assert(!conversation.office.eventNames().some((name) => name.startsWith('pop3.auth')));
  });

  test('CAPA under TLS and when signed in (RFC 2449 §5)', async () => {
    const conversation = await Pop3Conversation.greeted();
    assert.match(
      await conversation.run('CAPA'),
      /\r\nUSER\r\nSASL [A-Z0-9- ]*SCRAM-SHA-256 [A-Z0-9- ]*PLAIN LOGIN\r\n\.$/,
    );
    await conversation.say('USER alice\r\nPASS secret\r\n');
    const inside = await conversation.run('CAPA');
    assert.match(inside, /\r\nIMPLEMENTATION Postrider-0\.0\.0\r\n\.$/);
    assert.doesNotMatch(inside, /SASL|STLS|\r\nUSER/);
  });

  for (const command of ['STAT', 'LIST', 'UIDL', 'RETR 1', 'TOP 1 1', 'DELE 1', 'RSET', 'NOOP'])
    test(`${command} wants somebody who is signed in`, async () => {
      const conversation = await Pop3Conversation.greeted();
      assert.equal(await conversation.run(command), '-ERR Sign in first');
    });

  test('QUIT says good bye and closes (RFC 1939 §5)', async () => {
    const conversation = await Pop3Conversation.greeted();
    assert.equal(await conversation.say('QUIT\r\nNOOP\r\n'), '+OK Good bye\r\n');
    await conversation.done;
    assert.equal(await conversation.client.read(1), 'end');
    assert.equal(conversation.office.reason(), 'quit');
  });

  test('LANG (RFC 6856 §3.2)', async () => {
    const conversation = await Pop3Conversation.greeted();
    assert.equal(await conversation.run('LANG'), '+OK Languages follow\r\nen English\r\n.');
    assert.match(await conversation.run('LANG en'), /^\+OK en /);
    assert.match(await conversation.run('LANG *'), /^\+OK en /);
    assert.match(await conversation.run('LANG tlh'), /^-ERR /);
  });
});

describe('STLS (RFC 2595 §4)', () => {
  test('TLS begins, and what was said before is forgotten', async () => {
    const conversation = await Pop3Conversation.greeted({ tls: false });
    assert.equal(await conversation.run('STLS'), '+OK Begin TLS');
    await conversation.client.startTls({
      side: 'client',
      servername: 'x',
      certificate: { kind: 'any' },
      timeoutMs: 1,
    });
    await conversation.hear();
    assert.equal(await conversation.run('STLS'), '-ERR TLS is on already');
    assert.match(await conversation.say('USER alice\r\nPASS secret\r\n'), /^\+OK .*\r\n\+OK 0 messages/);
    assert.match(await conversation.run('STLS'), /^-ERR You are signed in already/);
  });

  for (const behind of ['USER alice\r\nPASS secret\r\n', 'NO'])
    test(`${JSON.stringify(behind)} put behind it in plain text is not carried out, and the session ends`, async () => {
      const conversation = await Pop3Conversation.greeted({ tls: false });
      assert.equal(
        await conversation.say(`STLS\r\n${behind}`),
        '-ERR Nothing may follow STLS before TLS\r\n',
      );
      await conversation.done;
      assert.equal(conversation.office.reason(), 'tls');
    });

  test('without TLS to offer, and after UTF8 (RFC 6856 §2.1), it is refused', async () => {
    const none = await Pop3Conversation.greeted({
      tls: false,
      office: new Pop3Office({ tlsAvailable: false }),
    });
    assert.equal(await none.run('STLS'), '-ERR There is no TLS');
    const late = await Pop3Conversation.greeted({ tls: false });
    assert.match(await late.say('UTF8\r\nSTLS\r\n'), /^\+OK .*\r\n-ERR STLS comes before UTF8/);
  });
});

describe('signing in (RFC 1939 §7, RFC 5034 §4)', () => {
  const accepted = [
    ['USER and PASS', 'USER alice\r\nPASS secret\r\n'],
    ['AUTH with an initial response', 'AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n'],
    ['AUTH without one', 'AUTH PLAIN\r\nAGFsaWNlAHNlY3JldA==\r\n'],
    ['AUTH LOGIN', 'AUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\n'],
  ] as const;
  for (const [name, said] of accepted)
    test(name, async () => {
      const conversation = await Pop3Conversation.greeted();
      assert.match(await conversation.say(said), /\+OK 0 messages \(0 octets\)\r\n$/);
      assert.match(await conversation.run('AUTH PLAIN'), /^-ERR You are signed in already/);
    });

  test('an empty challenge is "+ " alone (RFC 5034 §4)', async () => {
    const conversation = await Pop3Conversation.greeted();
    assert.equal(await conversation.say('AUTH PLAIN\r\n'), '+ \r\n');
    assert.equal(await conversation.run('*'), '-ERR Cancelled');
  });

  const refused = [
    ['PASS first', 'PASS secret', '-ERR USER comes before PASS'],
    ['no such mechanism', 'AUTH CRAM-MD5', '-ERR That mechanism is not offered'],
    ['no base64', 'AUTH PLAIN =AAA', '-ERR Not base64'],
    ['a malformed response', 'AUTH PLAIN AAAA', '-ERR Not a response of that mechanism'],
  ] as const;
  for (const [name, command, want] of refused)
    test(`${name}: ${want}`, async () => {
      const conversation = await Pop3Conversation.greeted();
      assert.equal(await conversation.run(command), want);
    });

  test('wrong ones are told late, by [AUTH] (RFC 3206 §5), and not for ever', async () => {
    const conversation = await Pop3Conversation.greeted();
    for (let times = 1; times <= 3; times += 1) {
      assert.equal(await conversation.say('USER alice\r\nPASS wrong\r\n'), '+OK Now the password\r\n');
      await conversation.office.mail.clock.advance(2000);
      assert.equal(await conversation.hear(), '-ERR [AUTH] Wrong name or password\r\n');
    }
    await conversation.done;
    assert.equal(conversation.office.reason(), 'errors');
  });

  test('who is throttled was not judged: [SYS/TEMP] (RFC 3206 §4)', async () => {
    const office = new Pop3Office({ signIn: { problem: { kind: 'throttled' } } });
    const conversation = await Pop3Conversation.greeted({ office });
    assert.match(await conversation.say('USER alice\r\nPASS secret\r\n'), /-ERR \[SYS\/TEMP\] /);
  });

  test('where PLAIN is not allowed, USER is neither (RFC 2449 §6.2)', async () => {
    const office = new Pop3Office({ signIn: { allowed: ['SCRAM-SHA-256'] } });
    const conversation = await Pop3Conversation.greeted({ office });
    assert.doesNotMatch(await conversation.run('CAPA'), /\r\nUSER\r\n/);
    assert.equal(await conversation.run('USER alice'), '-ERR USER and PASS are disabled');
  });

  test('a fault of the directory is told and survived', async () => {
    const office = new Pop3Office({
      signIn: { fault: new Fault('Asking the directory', new Error('away')) },
    });
    const conversation = await Pop3Conversation.greeted({ office });
    assert.match(await conversation.say('USER alice\r\nPASS secret\r\n'), /-ERR \[SYS\/TEMP\] /);
    assert.match(await conversation.run('CAPA'), /^\+OK/);
  });
});

describe('the maildrop (RFC 1939 §5, §7)', () => {
  const commands = [
    ['STAT', `+OK 3 ${SIZE * 3 + 2}`],
    ['LIST', `+OK The list follows\r\n1 ${SIZE}\r\n2 ${SIZE}\r\n3 ${SIZE + 2}\r\n.`],
    ['LIST 3', `+OK 3 ${SIZE + 2}`],
    ['LIST 4', '-ERR No such message'],
    ['LIST 0', '-ERR No such message'],
    ['UIDL 9', '-ERR No such message'],
    ['RETR 4', '-ERR No such message'],
    ['TOP 4 1', '-ERR No such message'],
    ['DELE 4', '-ERR No such message'],
    ['DELE 9999999999', '-ERR No such message'],
    ['NOOP', '+OK Nothing done'],
    ['RSET', '+OK Nothing is marked as deleted'],
    ['RETR 1', `+OK ${SIZE} octets\r\n${ONE.replaceAll('\n', '\r\n')}.`],
    ['TOP 1 0', `+OK The top follows\r\n${ONE.slice(0, ONE.indexOf('\n\n') + 2).replaceAll('\n', '\r\n')}.`],
    ['USER alice', '-ERR You are signed in already'],
    ['UTF8', '-ERR You are signed in already'],
  ] as const;
  for (const [command, want] of commands)
    test(command, async () => assert.equal(await (await signedIn()).run(command), want));

  test('unique ids: 1 to 70 printable characters (RFC 1939 §7), the same in every session', async () => {
    const first = await signedIn();
    const list = await first.run('UIDL');
    const ids = [...list.matchAll(/^(\d+) ([\u{21}-\u{7e}]{1,70})\r$/gmu)].map(([, , id]) => id);
    assert.equal(new Set(ids).size, 3);
    assert.equal(await first.run('UIDL 2'), `+OK 2 ${ids[1]}`);
    await first.say('DELE 1\r\nQUIT\r\n');
    const second = await Pop3Conversation.signedIn({ office: first.office });
    assert.equal(await second.run('UIDL'), `+OK The list follows\r\n1 ${ids[1]}\r\n2 ${ids[2]}\r\n.`);
  });

  test('what is marked is gone for the session, RSET brings it back, and only QUIT removes it (RFC 1939 §6)', async () => {
    const conversation = await signedIn();
    assert.equal(await conversation.run('DELE 1'), '+OK Marked as deleted');
    for (const command of ['DELE 1', 'RETR 1', 'LIST 1', 'UIDL 1', 'TOP 1 1'])
      assert.equal(await conversation.run(command), '-ERR No such message');
    assert.equal(await conversation.run('STAT'), `+OK 2 ${SIZE * 2 + 2}`);
    await conversation.run('RSET');
    assert.equal(await conversation.run('LIST 1'), `+OK 1 ${SIZE}`);
    await conversation.run('DELE 2');
    await conversation.client.close();
    await conversation.done;
    const next = await Pop3Conversation.signedIn({ office: conversation.office });
    assert.match(await next.run('STAT'), /^\+OK 3 /);
    await next.say('DELE 2\r\nQUIT\r\n');
    const last = await Pop3Conversation.signedIn({ office: conversation.office });
    assert.match(await last.run('STAT'), /^\+OK 2 /);
  });

  test('pipelined commands are answered in order, in one write (RFC 2449 §6.6)', async () => {
    const conversation = await signedIn();
    const before = conversation.server.writes;
    const said = await conversation.say('STAT\r\nRETR 1\r\nDELE 1\r\nLIST 1\r\nNOOP\r\n');
    assert.match(
      said,
      /^\+OK 3 \d+\r\n\+OK \d+ octets\r\n[^]*\r\n\.\r\n\+OK Marked.*\r\n-ERR No such.*\r\n\+OK Nothing done\r\n$/,
    );
    assert.equal(conversation.server.writes, before + 1);
  });

  test('a message with UTF-8 in its header is only for who said UTF8 (RFC 6856 §2.1, §5)', async () => {
    const text = letter('Gr\u00c3\u00bc\u00c3\u009fe');
    const office = await withMail([text, letter('plain', '', 'Gr\u00c3\u00bc\u00c3\u009fe\n')]);
    const ascii = await Pop3Conversation.signedIn({ office });
    for (const command of ['RETR 1', 'TOP 1 0']) assert.match(await ascii.run(command), /^-ERR \[UTF8\] /);
    assert.match(await ascii.run('RETR 2'), /^\+OK /);
    await ascii.run('QUIT');
    const wide = await Pop3Conversation.greeted({ office });
    await wide.say('UTF8\r\nUSER alice\r\nPASS secret\r\n');
    assert.match(await wide.run('RETR 1'), /^\+OK /);
  });

  test('whatever ends the lines of a header, UTF-8 below it is nobody’s business (RFC 6856 §2.1)', async () => {
    const office = new Pop3Office();
    const uids = await Promise.all(
      ['\n', '\r\n'].flatMap((end) =>
        ['', 'Gr\u00c3\u00bc\u00c3\u009fe'].map(async (subject) =>
          office.mail.deliverOctets(
            Buffer.from(`Subject: ${subject}${end}${end}Gr\u00c3\u00bc\u00c3\u009fe${end}`, 'latin1'),
          ),
        ),
      ),
    );
    assert.equal(uids.length, 4);
    const conversation = await Pop3Conversation.signedIn({ office });
    for (const number of [1, 3]) assert.match(await conversation.run(`RETR ${number}`), /^\+OK /);
    for (const number of [2, 4]) assert.match(await conversation.run(`RETR ${number}`), /^-ERR \[UTF8\] /);
  });

  test('a large message goes out no faster than it is read, and TOP reads only its beginning', async () => {
    const text = letter('large', '', `${'.'.repeat(75)}\n`.repeat(40_000));
    const office = await withMail([text]);
    const conversation = await Pop3Conversation.signedIn({ office, windowOctets: 100_000 });
    const top = await conversation.run('TOP 1 1');
    assert(top.endsWith(`\r\n${'.'.repeat(76)}\r\n.`));
    await conversation.client.write(Buffer.from('RETR 1\r\n'));
    let heard = '';
    while (!heard.endsWith('\r\n.\r\n')) {
      const got = await conversation.client.read(1000);
      assert(typeof got !== 'string');
      assert(got.length < 200_000);
      heard += Buffer.from(got).toString('latin1');
    }
    const body = heard.slice(heard.indexOf('\r\n') + 2, -3).replaceAll(/(^|\r\n)\./g, '$1');
    assert.equal(body, text.replaceAll('\n', '\r\n'));
    assert(heard.startsWith(`+OK ${body.length} octets\r\n`));
  });

  test('a message that cannot be read is told so, by [SYS/PERM] (RFC 3206 §4)', async () => {
    const office = await withMail([ONE], {
      blobs: (blobs) =>
        overriding(blobs, { read: async ({ id }) => Promise.reject(new BlobError({ kind: 'damaged' }, id)) }),
    });
    const conversation = await Pop3Conversation.signedIn({ office });
    assert.match(await conversation.run('RETR 1'), /^-ERR \[SYS\/PERM\] /);
    assert(office.eventNames().includes('pop3.blob.unreadable'));
    assert.match(await conversation.run('NOOP'), /^\+OK/);
  });

  test('a fault while messages are removed is told by QUIT (RFC 1939 §6)', async () => {
    const office = await withMail([ONE], {
      store: (store) =>
        overriding(store, {
          remove: async () => Promise.reject(new Fault('Removing messages', new Error('disk'))),
        }),
    });
    const conversation = await Pop3Conversation.signedIn({ office });
    assert.match(
      await conversation.say('DELE 1\r\nQUIT\r\n'),
      /-ERR \[SYS\/TEMP\] Some deleted messages were not removed\r\n$/,
    );
    await conversation.done;
  });
});

describe('others at the mailbox (RFC 1939 §4)', () => {
  test('a second POP3 session hears [IN-USE] (RFC 2449 §8.1.2) and may come when the first is gone', async () => {
    const first = await signedIn();
    const second = await Pop3Conversation.greeted({ office: first.office });
    assert.match(await second.say('USER alice\r\nPASS secret\r\n'), /-ERR \[IN-USE\] /);
    const bob = await Pop3Conversation.greeted({ office: first.office });
    assert.match(await bob.say('USER bob\r\nPASS secret\r\n'), /\+OK 0 messages/);
    first.client.destroy();
    await first.done;
    assert.match(await second.say('USER alice\r\nPASS secret\r\n'), /\+OK 3 messages/);
  });

  test('what IMAP removes is refused, what comes is not seen, and IMAP hears of what POP3 removes', async () => {
    const pop = await signedIn();
    const { office } = pop;
    const imap = await Conversation.selected({ office: office.mail });
    await imap.run('STORE 1 +FLAGS (\\Deleted)');
    await imap.run('EXPUNGE');
    await office.mail.deliver(letter('late'));
    assert.match(await pop.run('STAT'), /^\+OK 3 /);
    assert.match(await pop.run('RETR 1'), /^-ERR \[SYS\/TEMP\] /);
    assert.match(await pop.run('RETR 2'), /^\+OK [^]*Subject: two/);
    await pop.say('DELE 1\r\nDELE 2\r\n');
    assert.match(await pop.run('QUIT'), /^\+OK/);
    await imap.expect('NOOP', '* 1 EXPUNGE', '* 2 EXISTS', '. OK …');
  });

  test('a message that IMAP moved away and back keeps its unique id', async () => {
    const first = await signedIn([ONE]);
    const id = await first.run('UIDL 1');
    await first.run('QUIT');
    const imap = await Conversation.selected({ office: first.office.mail });
    await imap.run('MOVE 1 Archive');
    await imap.run('SELECT Archive');
    await imap.run('MOVE 1 INBOX');
    const second = await Pop3Conversation.signedIn({ office: first.office });
    assert.equal(await second.run('UIDL 1'), id);
  });
});

describe('limits and time', () => {
  test('bad commands in a row end the session, good ones between them do not', async () => {
    const conversation = await signedIn();
    for (let times = 0; times < 5; times += 1) await conversation.say('XYZ\r\nNOOP\r\n');
    assert.match(
      await conversation.say('X\r\n'.repeat(10)),
      /^(-ERR No such command\r\n){4}-ERR Too many bad commands\r\n$/,
    );
    await conversation.done;
    assert.equal(conversation.office.reason(), 'errors');
  });

  test('a long line is refused and skipped; an endless one ends the session', async () => {
    const conversation = await signedIn();
    assert.equal(
      await conversation.say(`NOOP ${'x'.repeat(20_000)}\r\nNOOP\r\n`),
      '-ERR The line is too long\r\n+OK Nothing done\r\n',
    );
    const said = await conversation.say('x'.repeat(100_000));
    assert.match(said, /-ERR That cannot be read any further\r\n$/);
    await conversation.done;
  });

  test('strangers have so many commands and so much time', async () => {
    const talkative = await Pop3Conversation.greeted();
    assert.match(
      await talkative.say('CAPA\r\n'.repeat(101)),
      /-ERR Too many commands before signing in\r\n$/,
    );
    await talkative.done;
    const silent = await Pop3Conversation.greeted();
    await silent.office.mail.clock.advance(60_000);
    await silent.done;
    assert.equal(silent.office.reason(), 'sign-in');
  });

  test('ten minutes of silence end the session without a word and without removals (RFC 1939 §3)', async () => {
    const conversation = await signedIn();
    await conversation.run('DELE 1');
    await conversation.office.mail.clock.advance(599_999);
    assert.match(await conversation.run('NOOP'), /^\+OK/);
    await conversation.office.mail.clock.advance(600_000);
    assert.equal(await conversation.hear(), '');
    await conversation.done;
    assert.equal(conversation.office.reason(), 'timeout');
    const next = await Pop3Conversation.signedIn({ office: conversation.office });
    assert.match(await next.run('STAT'), /^\+OK 3 /);
  });

  test('a server that stops says so and removes nothing', async () => {
    const conversation = await signedIn();
    await conversation.run('DELE 1');
    conversation.office.mail.shutdown.abort();
    assert.equal(await conversation.hear(), '-ERR [SYS/TEMP] The server is going down\r\n');
    await conversation.done;
    assert.equal(conversation.office.reason(), 'shutdown');
  });
});
