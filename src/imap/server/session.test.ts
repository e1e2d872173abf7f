/** The session itself: RFC 9051 §6.1, §6.2, §6.3.1; states, limits, time, and clients that behave badly. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { MEMORY_TLS } from '../../../test/support/memory-connection.ts';
import { Fault } from '../../base/fault.ts';
import { chooseMechanism } from '../../sasl/choose.ts';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  linesOf,
  matchLines,
} from '../../../test/support/imap-conversation.ts';

const LOGIN_LINE = '. OK [CAPABILITY IMAP4rev1 IMAP4rev2 …';

async function plain(change?: ConstructorParameters<typeof ImapOffice>[0]): Promise<Conversation> {
  const conversation = new Conversation({ office: new ImapOffice(change), tls: false });
  await conversation.hear();
  return conversation;
}

describe('greeting and CAPABILITY (RFC 9051 §6.1.1, §7.1.5)', () => {
  test('the greeting tells capabilities; without TLS no mechanism is among them', async () => {
    const conversation = new Conversation({ tls: false });
    assert.equal(
      await conversation.hear(),
      '* OK [CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE STARTTLS LOGINDISABLED] mail.example.test Postrider is ready\r\n',
    );
  });

  test('what is offered follows the state', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    const list = async (): Promise<string> => (await conversation.run('CAPABILITY'))[0] ?? '';
    assert.match(await list(), / AUTH=PLAIN AUTH=LOGIN$/);
    await conversation.expect('LOGIN alice secret', LOGIN_LINE);
    const signedIn = await list();
    assert.doesNotMatch(signedIn, / AUTH=|STARTTLS|LOGINDISABLED/);
    for (const name of [
      'IDLE',
      'UIDPLUS',
      'MOVE',
      'QRESYNC',
      'SORT',
      'THREAD=REFERENCES',
      'APPENDLIMIT=1000000',
    ])
      assert(signedIn.includes(` ${name}`), name);
  });

  test('without TLS to offer there is no STARTTLS', async () => {
    const conversation = await plain({ tlsAvailable: false });
    await conversation.expect(
      'CAPABILITY',
      '* CAPABILITY IMAP4rev1 IMAP4rev2 LITERAL+ SASL-IR ID ENABLE LANGUAGE LOGINDISABLED',
      '. OK …',
    );
    await conversation.expect('STARTTLS', '. BAD There is no TLS');
  });
});

describe('NOOP, ID, LOGOUT (RFC 9051 §6.1.2, §6.1.3; RFC 2971)', () => {
  test('NOOP does nothing in any state', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.expect('NOOP', '. OK Nothing done');
    await conversation.run('LOGIN alice secret');
    await conversation.expect('noop', '. OK Nothing done');
    await conversation.expect('NOOP 1', '. BAD Expected the end of the command…');
  });

  test('ID names the server; it takes NIL and lists', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    const said = '* ID ("name" "Postrider" "vendor" "Postrider" "version" "0.0.0")';
    await conversation.expect('ID NIL', said, '. OK …');
    await conversation.expect('ID ("name" "x" "os" NIL)', said, '. OK …');
    await conversation.expect('ID ()', said, '. OK …');
    await conversation.expect('ID ("name")', '. BAD …');
  });

  test('LOGOUT says BYE, then OK, then closes', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.expect('LOGOUT', '* BYE Good bye', '. OK Logged out');
    await conversation.done;
    assert.equal(await conversation.client.read(1), 'end');
    assert.deepEqual(conversation.office.eventNames(), ['imap.session.started', 'imap.session.ended']);
  });

  test('commands behind LOGOUT are not carried out', async () => {
    const conversation = await Conversation.signedIn();
    const said = await conversation.say('a LOGOUT\r\nb CREATE x\r\n');
    assert.deepEqual(linesOf(said), ['* BYE Good bye', 'a OK Logged out']);
    assert.equal((await conversation.office.store.mailboxes(ACCOUNT)).length, 6);
  });
});

describe('STARTTLS (RFC 9051 §6.2.1)', () => {
  test('TLS begins after OK, and then passwords are taken', async () => {
    const conversation = await plain();
    const handshake = conversation.run('STARTTLS');
    assert.deepEqual(await handshake, ['. OK Begin TLS']);
    await conversation.client.startTls({
      side: 'client',
      servername: 'x',
      certificate: { kind: 'any' },
      timeoutMs: 1,
    });
    await conversation.hear();
    await conversation.expect('STARTTLS', '. BAD TLS is on already');
    await conversation.expect('LOGIN alice secret', LOGIN_LINE);
    assert(conversation.office.eventNames().includes('imap.tls.started'));
  });

  test('a command put behind it in plain text is not carried out, and the session ends', async () => {
    const conversation = await plain();
    const said = await conversation.say('a STARTTLS\r\nb LOGIN alice secret\r\n');
    assert.deepEqual(linesOf(said), [
      'a BAD Nothing may follow STARTTLS before TLS',
      '* BYE Nothing may follow STARTTLS before TLS',
    ]);
    await conversation.done;
    assert(!conversation.office.eventNames().includes('imap.auth.succeeded'));
    assert(conversation.office.eventNames().includes('imap.tls.failed'));
  });

  test('half a command behind it counts too', async () => {
    const conversation = await plain();
    const said = await conversation.say('a STARTTLS\r\nb NO');
    assert.match(said, /^a BAD .*\r\n\* BYE /);
  });

  test('it is refused once signed in', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('STARTTLS', '. BAD You are signed in already');
  });
});

describe('LOGIN (RFC 9051 §6.2.3)', () => {
  test('never before TLS, and the password is not even looked at', async () => {
    const conversation = await plain();
    await conversation.expect('LOGIN alice secret', '. NO [PRIVACYREQUIRED] TLS comes first');
    await conversation.expect(
      'AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==',
      '. NO [PRIVACYREQUIRED] TLS comes first',
    );
    assert(!conversation.office.eventNames().some((name) => name.startsWith('imap.auth')));
  });

  for (const [name, arguments_] of [
    ['atoms', 'alice secret'],
    ['quoted', '"alice" "secret"'],
    ['literals', '{5+}\r\nalice {6+}\r\nsecret'],
  ] as const)
    test(`with ${name}`, async () => {
      const conversation = new Conversation();
      await conversation.hear();
      await conversation.expect(`LOGIN ${arguments_}`, LOGIN_LINE);
    });

  test('with synchronizing literals the server asks for each', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    assert.equal(await conversation.say('a LOGIN {5}\r\n'), '+ OK\r\n');
    assert.equal(await conversation.say('alice {6}\r\n'), '+ OK\r\n');
    assert.match(await conversation.say('secret\r\n'), /^a OK \[CAPABILITY /);
  });

  for (const text of ['LOGIN', 'LOGIN alice', 'LOGIN alice ', 'LOGIN alice secret more', 'LOGIN {99999999}'])
    test(`malformed: ${JSON.stringify(text)}`, async () => {
      const conversation = new Conversation();
      await conversation.hear();
      const [line = ''] = await conversation.run(text);
      assert.match(line, /^\. BAD /);
    });

  test('each refusal is slower than the one before, and after the last the session ends', async () => {
    const conversation = new Conversation();
    const { clock } = conversation.office;
    await conversation.hear();
    for (const [attempt, delayMs] of [500, 1000, 1500].entries()) {
      assert.equal(await conversation.say(`a${attempt} LOGIN alice wrong\r\n`), '');
      await clock.advance(delayMs - 1);
      assert.equal(await conversation.hear(), '');
      await clock.advance(1);
      const last = attempt === 2 ? '* BYE Too many failed attempts\r\n' : '';
      assert.equal(
        await conversation.hear(),
        `a${attempt} NO [AUTHENTICATIONFAILED] Wrong name or password\r\n${last}`,
      );
    }
    await conversation.done;
  });

  test('not twice', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('LOGIN bob secret', '. BAD You are signed in already');
    await conversation.expect('AUTHENTICATE PLAIN', '. BAD You are signed in already');
  });
});

describe('AUTHENTICATE (RFC 9051 §6.2.2, RFC 4959)', () => {
  const base64 = (text: string): string => Buffer.from(text, 'latin1').toString('base64');
  const PLAIN = base64('\0alice\0secret');

  test('PLAIN with its initial response', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.expect(`AUTHENTICATE PLAIN ${PLAIN}`, LOGIN_LINE);
  });

  test('PLAIN in two steps', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    assert.equal(await conversation.say('a authenticate plain\r\n'), '+ \r\n');
    assert.match(await conversation.say(`${PLAIN}\r\n`), /^a OK \[CAPABILITY /);
  });

  test('LOGIN in its steps', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    assert.equal(await conversation.say('a AUTHENTICATE LOGIN\r\n'), `+ ${base64('Username:')}\r\n`);
    assert.equal(await conversation.say(`${base64('alice')}\r\n`), `+ ${base64('Password:')}\r\n`);
    assert.match(await conversation.say(`${base64('secret')}\r\n`), /^a OK /);
  });

  test('cancelled, not base64, too long, of no such form: BAD, and the session goes on', async () => {
    const conversation = new Conversation({ office: new ImapOffice({ limits: { errorsMax: 20 } }) });
    await conversation.hear();
    const answers: readonly (readonly [string, RegExp])[] = [
      ['*', /^a BAD Cancelled\r\n$/],
      ['!!!', /^a BAD Expected base64\r\n$/],
      ['A'.repeat(20_000), /^a BAD The line is too long\r\n$/],
      [base64('alice'), /^a BAD Not a response of that mechanism\r\n$/],
    ];
    for (const [answer, want] of answers) {
      assert.equal(await conversation.say('a AUTHENTICATE PLAIN\r\n'), '+ \r\n');
      assert.match(await conversation.say(`${answer}\r\n`), want);
    }
    await conversation.expect(`AUTHENTICATE PLAIN ${PLAIN}`, LOGIN_LINE);
  });

  test('an unknown mechanism is NO', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.expect('AUTHENTICATE GSSAPI', '. NO [CANNOT] No such mechanism');
    await conversation.expect('AUTHENTICATE', '. BAD …');
  });

  for (const mechanism of ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1']) {
    test(`${mechanism}, its first message with the command or behind it (RFC 4959, RFC 5802 §5)`, async () => {
      const bindings = mechanism.endsWith('-PLUS') ? MEMORY_TLS.channelBindings() : new Map();
      for (const early of [true, false]) {
        const credentials = { authenticationId: 'alice', password: 'secret' };
        const client = chooseMechanism([mechanism], credentials, { bindings, nonce: 'abc' }) ?? assert.fail();
        const conversation = new Conversation();
        await conversation.hear();
        const first = Buffer.from(client.initial() ?? []).toString('base64');
        let heard = await conversation.say(`a AUTHENTICATE ${mechanism}${early ? ` ${first}` : ''}\r\n`);
        if (!early) heard = await conversation.say(`${first}\r\n`);
        while (heard.startsWith('+ ')) {
          const response = await client.respond(Buffer.from(heard.slice(2).trim(), 'base64'));
          heard = await conversation.say(`${Buffer.from(response ?? []).toString('base64')}\r\n`);
        }
        assert.match(heard, /^a OK \[CAPABILITY /);
        assert.ok(client.isSatisfied());
      }
    });
  }

  test('a binding to another channel is refused as a wrong password is (RFC 5802 §6)', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    const [tag, first] = ['a', base64('y,,n=alice,r=abc')];
    assert.equal(await conversation.say(`${tag} AUTHENTICATE SCRAM-SHA-256 ${first}\r\n`), '');
    await conversation.office.clock.advance(1000);
    assert.match(await conversation.hear(), /^a NO \[AUTHENTICATIONFAILED\] Wrong name or password\r\n$/);
  });

  test('EXTERNAL for whoever shows a certificate, = for its own identity (RFC 4422 §A)', async () => {
    const certified = {
      address: 'bob@example.test',
      account: ACCOUNT,
      authenticationId: 'bob',
      appPassword: undefined,
    };
    const office = new ImapOffice({ signIn: { certified } });
    const tls = { ...MEMORY_TLS, peerCertificate: Buffer.from('x'), peerVerified: true };
    const conversation = new Conversation({ office, tls });
    assert.match(await conversation.hear(), / AUTH=EXTERNAL /);
    assert.match((await conversation.run('AUTHENTICATE EXTERNAL ='))[0] ?? '', /^\. OK /);
    const other = new Conversation({ office });
    assert.doesNotMatch(await other.hear(), /EXTERNAL/);
    await other.expect('AUTHENTICATE EXTERNAL =', '. NO [CANNOT] That mechanism is not offered');
  });

  test('without PLAIN there is no LOGIN either (RFC 9051 §6.2.3)', async () => {
    const office = new ImapOffice({ signIn: { allowed: ['SCRAM-SHA-256'] } });
    const conversation = new Conversation({ office });
    assert.match(await conversation.hear(), / AUTH=SCRAM-SHA-256 LOGINDISABLED\]/);
    await conversation.expect('LOGIN alice secret', '. NO LOGIN is disabled');
    await conversation.expect('AUTHENTICATE PLAIN', '. NO [CANNOT] That mechanism is not offered');
  });

  test('before TLS no mechanism is taken (RFC 9051 §11.3)', async () => {
    const conversation = await plain();
    for (const mechanism of ['SCRAM-SHA-256-PLUS', 'EXTERNAL', 'PLAIN'])
      await conversation.expect(`AUTHENTICATE ${mechanism}`, '. NO [PRIVACYREQUIRED] TLS comes first');
  });

  test('a directory that is away, and one that has had enough: come again', async () => {
    for (const signIn of [
      { fault: new Fault('Asking', new Error('away')) },
      { problem: { kind: 'throttled' } as const },
    ]) {
      const conversation = new Conversation({ office: new ImapOffice({ signIn }) });
      await conversation.hear();
      await conversation.expect(`AUTHENTICATE PLAIN ${PLAIN}`, '. NO [UNAVAILABLE] Not now; try again later');
    }
  });

  test('a client that goes silent in the exchange has the time to sign in, no more', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.say('a AUTHENTICATE PLAIN\r\n');
    await conversation.office.clock.advance(60_000);
    assert.equal(await conversation.hear(), '* BYE You did not sign in\r\n');
    await conversation.done;
  });
});

describe('ENABLE (RFC 9051 §6.3.1)', () => {
  test('tells what was switched on now, and passes over what is not known', async () => {
    const conversation = await Conversation.signedIn();
    await conversation.expect('ENABLE condstore x-unknown', '* ENABLED CONDSTORE', '. OK Enabled');
    await conversation.expect('ENABLE CONDSTORE', '* ENABLED', '. OK Enabled');
    await conversation.expect('ENABLE IMAP4rev2 UTF8=ACCEPT', '* ENABLED IMAP4rev2', '. OK Enabled');
    await conversation.expect('ENABLE', '. BAD …');
  });
});

describe('UNAUTHENTICATE (RFC 8437)', () => {
  test('everything is as at the start, and the time to sign in begins anew', async () => {
    const conversation = await Conversation.selected();
    await conversation.run('ENABLE IMAP4rev2');
    await conversation.office.clock.advance(120_000);
    await conversation.expect('UNAUTHENTICATE', '. OK Signed out');
    await conversation.expect('SELECT INBOX', '. BAD Sign in first');
    await conversation.expect('LOGIN bob secret', LOGIN_LINE);
    await conversation.expect('ENABLE IMAP4rev2', '* ENABLED IMAP4rev2', '. OK Enabled');
  });

  test('needs somebody who is signed in', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    await conversation.expect('UNAUTHENTICATE', '. BAD Sign in first');
  });
});

describe('commands in the wrong state are BAD (RFC 9051 §3)', () => {
  const signedIn = [
    'SELECT INBOX',
    'EXAMINE INBOX',
    'CREATE x',
    'DELETE x',
    'RENAME x y',
    'SUBSCRIBE x',
    'UNSUBSCRIBE x',
    'LIST "" *',
    'LSUB "" *',
    'NAMESPACE',
    'STATUS INBOX (MESSAGES)',
    'IDLE',
    'ENABLE CONDSTORE',
  ];
  const selected = [
    'CHECK',
    'CLOSE',
    'UNSELECT',
    'EXPUNGE',
    'UID EXPUNGE 1',
    'SEARCH ALL',
    'UID SEARCH ALL',
    'SORT (DATE) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'FETCH 1 FLAGS',
    'UID FETCH 1 FLAGS',
    'STORE 1 FLAGS ()',
    'UID STORE 1 FLAGS ()',
    'COPY 1 INBOX',
    'UID COPY 1 INBOX',
    'MOVE 1 INBOX',
  ];
  test('before signing in', async () => {
    const conversation = new Conversation({ office: new ImapOffice({ limits: { errorsMax: 100 } }) });
    await conversation.hear();
    for (const command of [...signedIn, ...selected])
      await conversation.expect(command, '. BAD Sign in first');
    assert.equal(await conversation.say('a APPEND INBOX {3}\r\n'), 'a BAD Sign in first\r\n');
    assert.equal(
      await conversation.say('b APPEND INBOX {3+}\r\nabc\r\nc NOOP\r\n'),
      'b BAD Sign in first\r\nc OK Nothing done\r\n',
    );
  });
  test('before selecting', async () => {
    const conversation = await Conversation.signedIn({
      office: new ImapOffice({ limits: { errorsMax: 100 } }),
    });
    for (const command of selected) await conversation.expect(command, '. BAD Select a mailbox first');
  });
});

describe('bad commands', () => {
  for (const [text, want] of [
    ['\r\n', '* BAD '],
    ['a\r\n', 'a BAD '],
    ['a \r\n', 'a BAD '],
    [' NOOP\r\n', '* BAD '],
    ['a XYZZY\r\n', 'a BAD Unknown command: XYZZY'],
    ['a UID NOOP\r\n', 'a BAD Unknown command: UID NOOP'],
    ['* NOOP\r\n', '* BAD '],
    ['a+b NOOP\r\n', '* BAD '],
    ['a NOOP\0\r\n', 'a BAD '],
    ['\0\xff\xfe\r\n', '* BAD '],
    ['a SELECT "unclosed\r\n', 'a BAD '],
    [`a SELECT ${'x'.repeat(70_000)}\r\n`, 'a BAD The line is too long'],
    ['a SELECT {70000+}\r\n', 'a BAD [TOOBIG] The literal is too large'],
    ['a SELECT {70000}\r\n', 'a BAD [TOOBIG] The literal is too large'],
  ] as const)
    test(JSON.stringify(text.slice(0, 30)), async () => {
      const conversation = await Conversation.signedIn();
      const said = await conversation.say(text);
      assert(said.startsWith(want), said);
      assert.equal(linesOf(said).length, 1);
      if (text.includes('+}')) await conversation.say(`${'x'.repeat(70_000)}\r\n`);
      await conversation.expect('NOOP', '. OK Nothing done');
    });

  test('lines may end in LF alone', async () => {
    const conversation = await Conversation.signedIn();
    assert.equal(await conversation.say('a NOOP\nb NOOP\n'), 'a OK Nothing done\r\nb OK Nothing done\r\n');
  });

  test('too many in a row end the session; a good one between them makes up for it', async () => {
    const conversation = await Conversation.signedIn();
    const bad = 'a FOO\r\n'.repeat(5);
    assert.equal(linesOf(await conversation.say(bad)).length, 5);
    await conversation.expect('NOOP', '. OK Nothing done');
    assert.equal(linesOf(await conversation.say(bad)).length, 5);
    const said = await conversation.say('b FOO\r\nc NOOP\r\n');
    assert.deepEqual(linesOf(said), ['b BAD Unknown command: FOO', '* BYE Too many bad commands']);
    await conversation.done;
  });

  test('a literal that is not even skipped ends the session (RFC 7888 §4)', async () => {
    const conversation = await Conversation.signedIn();
    const said = await conversation.say('a APPEND INBOX {999999999+}\r\n');
    matchLines(
      linesOf(said),
      ['a BAD [TOOBIG] The literal is too large', '* BYE That cannot be read any further'],
      'huge',
    );
    await conversation.done;
  });
});

describe('time', () => {
  test('the one who does not sign in is let go, even if he talks', async () => {
    const conversation = new Conversation();
    await conversation.hear();
    for (let at = 0; at < 5; at += 1) {
      await conversation.office.clock.advance(11_000);
      await conversation.expect('NOOP', '. OK Nothing done');
    }
    await conversation.office.clock.advance(5000);
    assert.equal(await conversation.hear(), '* BYE You did not sign in\r\n');
    await conversation.done;
    assert.deepEqual(conversation.office.events.at(-1)?.name, 'imap.session.ended');
  });

  test('silence ends a session after half an hour, not before (RFC 9051 §5.4)', async () => {
    const conversation = await Conversation.selected();
    await conversation.office.clock.advance(1_799_000);
    await conversation.expect('NOOP', '. OK Nothing done');
    await conversation.office.clock.advance(1_799_999);
    assert.equal(await conversation.hear(), '');
    await conversation.office.clock.advance(1);
    assert.equal(await conversation.hear(), '* BYE You were silent too long\r\n');
    await conversation.done;
  });
});

describe('the end', () => {
  test('a client that closes', async () => {
    const conversation = await Conversation.selected();
    await conversation.client.close();
    await conversation.done;
    const last = conversation.office.events.at(-1);
    assert(last?.name === 'imap.session.ended' && last.reason === 'closed');
  });

  test('a client that breaks off', async () => {
    const conversation = await Conversation.selected();
    conversation.client.destroy();
    await conversation.done;
    const last = conversation.office.events.at(-1);
    assert(last?.name === 'imap.session.ended' && last.reason === 'reset');
  });

  for (const [where, start] of [
    ['waiting', ''],
    ['in IDLE', 'a IDLE\r\n'],
    ['in AUTHENTICATE', 'a UNAUTHENTICATE\r\nb AUTHENTICATE PLAIN\r\n'],
    ['in the middle of a literal', 'a APPEND INBOX {10+}\r\nabc'],
  ] as const)
    test(`shutdown ${where}: BYE`, async () => {
      const conversation = await Conversation.selected();
      await conversation.say(start);
      conversation.office.shutdown.abort();
      assert.equal(await conversation.hear(), '* BYE [UNAVAILABLE] The server is going down\r\n');
      await conversation.done;
    });

  test('a session that begins while the server stops is told so', async () => {
    const office = new ImapOffice();
    office.shutdown.abort();
    const conversation = new Conversation({ office });
    assert.match(await conversation.hear(), /^\* OK .*\r\n\* BYE \[UNAVAILABLE\] /);
    await conversation.done;
  });
});

describe('pipelining and back-pressure', () => {
  test('commands are answered in order, with few writes', async () => {
    const conversation = await Conversation.selected();
    const before = conversation.server.writes;
    const said = await conversation.say(Array.from({ length: 500 }, (_, at) => `a${at} NOOP\r\n`).join(''));
    assert.deepEqual(
      linesOf(said),
      Array.from({ length: 500 }, (_, at) => `a${at} OK Nothing done`),
    );
    assert(conversation.server.writes - before <= 3, `${conversation.server.writes - before} writes`);
  });

  test('commands cut anywhere are answered alike', async () => {
    const conversation = await Conversation.signedIn();
    let said = '';
    for (const character of 'a NOOP\r\nb SELECT {5+}\r\nINBOX\r\nc NOOP\r\n')
      said += await conversation.say(character);
    assert.match(said, /^a OK [^\r]*\r\n\* FLAGS [^]*b OK \[READ-WRITE\][^\r]*\r\nc OK Nothing done\r\n$/);
  });

  test('for a client that does not read, the store is not read either', async () => {
    let reads = 0;
    const office = new ImapOffice({
      blobs: (blobs) => ({
        create: () => blobs.create(),
        stream: (...range) => blobs.stream(...range),
        read: (...range) => {
          reads += 1;
          return blobs.read(...range);
        },
      }),
    });
    for (let at = 0; at < 200; at += 1) await office.deliver(letter(`m${at}`, '', 'x'.repeat(20_000)));
    const conversation = await Conversation.selected({ office, windowOctets: 100_000 });
    void conversation.client.write(Buffer.from('a FETCH 1:* BODY.PEEK[]\r\n'));
    for (let turn = 0; turn < 50; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert(reads < 20, `${reads} messages were read`);
    const said = await conversation.hear();
    assert.equal(reads, 200);
    assert.match(said, /\r\na OK Fetched\r\n$/);
  });

  test('a client that breaks off in the middle of a long answer', async () => {
    const office = new ImapOffice();
    for (let at = 0; at < 50; at += 1) await office.deliver(letter(`m${at}`, '', 'x'.repeat(20_000)));
    const conversation = await Conversation.selected({ office, windowOctets: 50_000 });
    void conversation.client.write(Buffer.from('a FETCH 1:* BODY[]\r\n'));
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    conversation.client.destroy();
    await conversation.done;
    assert(!office.eventNames().includes('imap.bug'));
  });
});
