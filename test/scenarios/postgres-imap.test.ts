/** A day of IMAP on PostgreSQL, command by command: two accounts, two threads of sessions, and a crash at the end. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { linesOf, matchLines } from '../support/imap-conversation.ts';
import { postgresSkip, startPostgres } from '../support/postgres.ts';
import { ALICE, BOB, postrider, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { RawClient } from '../support/raw-client.ts';

/** Alice's mailbox, as Bob calls it. */
const THERE = '"Other Users/alice@example.test/Work"';
/** What a command that changes keywords tells before anything else. */
const FLAGS = '* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work)';
const KEPT = '* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Work \\*)] These are kept';
const HEADER = 'From: ann@example.org\r\nSubject: running late\r\nMessage-ID: <1@example.org>\r\n\r\n';
/** Enough small words to tell that it is English. */
const ENGLISH = 'I am sorry that we are running late, but we will be there.\r\n';
const FIRST = `${HEADER}${ENGLISH}`;
const SECOND =
  'From: zoe@example.org\r\nSubject: Re: running late\r\nMessage-ID: <2@example.org>\r\nIn-Reply-To: <1@example.org>\r\n\r\ntwo\r\n';
const WOVEN = `${HEADER}woven\r\nthree\r\n`;

const PATIENCE_MS = 60_000;
/** So many messages at least are acknowledged before the crash. */
const TAKEN = 20;

type Day = {
  readonly server: RunningPostrider;
  readonly alice: RawClient;
  /** Alice's second session, which asks for nothing and is told everything. */
  readonly watching: RawClient;
  readonly bob: RawClient;
};

/** What a program remembers of Alice's mailbox when its connection breaks. */
type Remembered = { readonly uidValidity: string; readonly modSeq: string };

/** URLs that Bob was given. */
type Authorized = { readonly lasting: string; readonly takenBack: string };

async function signIn(server: RunningPostrider, { address, password } = ALICE): Promise<RawClient> {
  const client = await RawClient.openTls(server.port('imaps'));
  await client.hear(/^\* OK [^\n]*\n/);
  await expect(client, `LOGIN ${address} ${password}`, '. OK …');
  return client;
}

/** One command, and exactly these lines for an answer; its tag is written `.`, and `…` ends a line that goes on. */
async function expect(client: RawClient, command: string, ...expected: readonly string[]): Promise<string> {
  const said = await client.imap(command);
  const plain = said.replaceAll(/^a\d+ /gm, '. ').replaceAll(/\(TAG "a\d+"/g, '(TAG "."');
  matchLines(linesOf(plain), expected, command);
  return said;
}

function literal(text: string): string {
  return `{${text.length}+}\r\n${text}`;
}

/** The value that a pattern has in its first group. */
function valueIn(said: string, pattern: RegExp): string {
  const value = pattern.exec(said)?.[1];
  assert.ok(value !== undefined, `${pattern} in ${said}`);
  return value;
}

/** What comes without being asked for, as long as a busy machine takes. */
async function pushed(client: RawClient, pattern: RegExp): Promise<void> {
  await client.hear(pattern, PATIENCE_MS);
}

/** ACL (RFC 4314). */
async function shares({ alice, bob }: Day): Promise<Remembered> {
  await expect(alice, 'CREATE Work', '. OK …');
  await expect(alice, `APPEND Work (\\Flagged) ${literal(FIRST)}`, '. OK [APPENDUID …');
  await expect(alice, `APPEND Work ${literal(SECOND)}`, '. OK [APPENDUID …');
  await expect(bob, `SELECT ${THERE}`, '. NO [NONEXISTENT] …');
  await expect(alice, 'SETACL Work bob@example.test lrswite', '. OK …');
  await expect(bob, `MYRIGHTS ${THERE}`, `* MYRIGHTS ${THERE} lrswited`, '. OK …');
  await expect(
    bob,
    'LIST "Other Users/" *',
    '* LIST (\\Noselect \\HasChildren) "/" "Other Users/alice@example.test"',
    `* LIST (\\HasNoChildren) "/" ${THERE}`,
    '. OK …',
  );
  const said = await bob.imap(`SELECT ${THERE}`);
  assert.match(said, /^\* 2 EXISTS\r\n[^]*^a\d+ OK \[READ-WRITE\]/m);
  return {
    uidValidity: valueIn(said, /UIDVALIDITY (\d+)/),
    modSeq: valueIn(said, /HIGHESTMODSEQ (\d+)/),
  };
}

/** NOTIFY (RFC 5465) and REPLACE (RFC 8508): what one session does, two others hear. */
async function isWatched({ alice, watching, bob }: Day): Promise<void> {
  const events = 'MessageNew MessageExpunge FlagChange MailboxName MailboxMetadataChange';
  await expect(
    watching,
    `NOTIFY SET (selected (MessageNew (UID FLAGS) MessageExpunge FlagChange)) (personal (${events}))`,
    '. OK …',
  );
  for (const client of [watching, alice]) assert.match(await client.imap('SELECT Work'), /^\* 2 EXISTS\r$/m);
  await expect(
    alice,
    `UID REPLACE 2 Work (\\Seen) ${literal(SECOND.replace('two', 'three'))}`,
    '* OK [APPENDUID …',
    '* 2 EXPUNGE',
    '* 2 EXISTS',
    '. OK …',
  );
  await pushed(watching, /^\* 2 EXPUNGE\r\n\* 2 EXISTS\r\n\* 2 FETCH \(UID 3 FLAGS \(\\Seen\)\)\r\n/);
  await expect(bob, 'NOOP', '* 2 EXPUNGE', '* 2 EXISTS', '. OK …');
  const changed = '* 1 FETCH (UID 1 FLAGS (\\Flagged $Work))';
  await expect(bob, 'STORE 1 +FLAGS ($Work)', FLAGS, KEPT, changed, '. OK …');
  await expect(alice, 'NOOP', FLAGS, KEPT, changed, '. OK …');
  await pushed(watching, /\* 1 FETCH \(UID 1 FLAGS \(\\Flagged \$Work\)\)\r\n$/);
  await expect(alice, 'CREATE Work/Deep', '. OK …');
  await pushed(watching, /^\* LIST \(\\HasNoChildren\) "\/" Work\/Deep\r\n/m);
}

/** CATENATE (RFC 4469) and URLAUTH (RFC 4467). */
async function authorizes({ alice, watching, bob }: Day): Promise<Authorized> {
  const parts = `URL "/Work/;UID=1/;SECTION=HEADER" TEXT ${literal('woven\r\n')} URL "/Work/;UID=3/;SECTION=TEXT"`;
  await expect(alice, `APPEND Work/Deep CATENATE (${parts})`, '. OK [APPENDUID …');
  await pushed(watching, /^\* STATUS Work\/Deep \(MESSAGES 1 UIDNEXT 2 UNSEEN 1 /m);
  await expect(alice, 'APPEND Work/Deep CATENATE (URL "/Work/;UID=2")', '. NO [BADURL /Work/;UID=2] …');
  const lasting = await authorized(alice, '/Work/;UID=1/;SECTION=TEXT');
  const takenBack = await authorized(alice, '/Work/Deep/;UID=1');
  await isFetched(bob, lasting, ENGLISH);
  await isFetched(bob, takenBack, WOVEN);
  await isFetched(alice, takenBack, undefined);
  await expect(alice, 'RESETKEY Work/Deep', '. OK [URLMECH INTERNAL] …');
  await isFetched(bob, takenBack, undefined);
  return { lasting, takenBack };
}

/** A URL of Alice's that Bob may fetch. */
async function authorized(alice: RawClient, path: string): Promise<string> {
  const asked = `imap://alice%40example.test@mail.example.test${path};URLAUTH=user+bob%40example.test`;
  const answer = `* GENURLAUTH "${asked}:INTERNAL:…`;
  return valueIn(await expect(alice, `GENURLAUTH "${asked}" INTERNAL`, answer, '. OK …'), /"(imap:[^"]+)"/);
}

async function isFetched(client: RawClient, url: string, text: string | undefined): Promise<void> {
  const answer = text === undefined ? ['NIL'] : [`{${text.length}}`, ...linesOf(text), ''];
  const [first, ...rest] = answer;
  await expect(client, `URLFETCH "${url}"`, `* URLFETCH "${url}" ${first}`, ...rest, '. OK …');
}

/** CONTEXT=SEARCH (RFC 5267), MULTISEARCH (RFC 7377), SORT and THREAD (RFC 5256), SEARCH=FUZZY (RFC 6203). */
async function finds({ alice, bob }: Day): Promise<void> {
  const said = await expect(
    alice,
    'SEARCH RETURN (ALL UPDATE) FLAGGED',
    '* ESEARCH (TAG ".") ALL 1',
    '. OK …',
  );
  const tag = valueIn(said, /TAG "(\w+)"/);
  const changed = '* 2 FETCH (UID 3 FLAGS (\\Flagged \\Seen))';
  await expect(bob, 'STORE 2 +FLAGS (\\Flagged)', changed, '. OK …');
  await expect(alice, 'NOOP', changed, '* ESEARCH (TAG ".") ADDTO (0 2)', '. OK …');
  await expect(bob, 'STORE 1 -FLAGS.SILENT (\\Flagged)', '. OK …');
  await expect(
    alice,
    'NOOP',
    '* 1 FETCH (UID 1 FLAGS ($Work))',
    '* ESEARCH (TAG ".") REMOVEFROM (0 1)',
    '. OK …',
  );
  await expect(alice, `CANCELUPDATE "${tag}"`, '. OK …');
  await expect(
    alice,
    'ESEARCH IN (subtree Work) RETURN (ALL) SUBJECT late',
    '* ESEARCH (TAG "." MAILBOX Work …',
    '* ESEARCH (TAG "." MAILBOX Work/Deep …',
    '. OK …',
  );
  await expect(
    bob,
    'ESEARCH IN (subtree "Other Users") RETURN (ALL) FROM zoe',
    `* ESEARCH (TAG "." MAILBOX ${THERE} …`,
    '. OK …',
  );
  await expect(alice, 'SORT (REVERSE FROM) UTF-8 ALL', '* SORT 2 1', '. OK …');
  await expect(alice, 'THREAD REFERENCES UTF-8 ALL', '* THREAD (1 2)', '. OK …');
  await expect(alice, 'SEARCH SUBJECT runs', '* SEARCH', '. OK …');
  await expect(
    alice,
    'SEARCH RETURN (ALL RELEVANCY) FUZZY SUBJECT runs',
    '* ESEARCH (TAG ".") ALL 1 RELEVANCY (100)',
    '. OK …',
  );
}

/** METADATA (RFC 5464): shared annotations are everybody's, private ones nobody else's. */
async function annotates({ alice, watching, bob }: Day): Promise<void> {
  await expect(alice, 'SETMETADATA Work (/private/comment "mine" /shared/comment "ours")', '. OK …');
  await pushed(watching, /^\* METADATA Work \/private\/comment \/shared\/comment\r\n/m);
  await expect(
    bob,
    `GETMETADATA ${THERE} (/private/comment /shared/comment)`,
    `* METADATA ${THERE} (/private/comment NIL /shared/comment "ours")`,
    '. OK …',
  );
}

/** QUOTA (RFC 9208) and MOVE (RFC 6851) from one account to another. */
async function carriesAway({ server, alice, watching, bob }: Day): Promise<void> {
  const config = ['--config', join(server.directory, 'postrider.toml')];
  await postrider(['account', 'set', BOB.address, '--quota', '1K', ...config]);
  await expect(bob, 'GETQUOTAROOT INBOX', '* QUOTAROOT INBOX ""', '* QUOTA "" (STORAGE 0 1 …', '. OK …');
  await expect(bob, `APPEND INBOX ${literal(FIRST.padEnd(1025, 'x'))}`, '. NO [OVERQUOTA] …');
  await expect(bob, 'MOVE 2 INBOX', '* OK [COPYUID …', '* 2 EXPUNGE', '. OK …');
  await expect(bob, 'GETQUOTA ""', '* QUOTA "" (STORAGE 1 1 …', '. OK …');
  await expect(alice, 'NOOP', '* 2 EXPUNGE', '. OK …');
  await pushed(watching, /^\* 2 EXPUNGE\r\n/m);
}

/** UIDONLY (RFC 9586) and COMPRESS (RFC 4978), in a session of its own. */
async function countsNothing({ server, watching }: Day): Promise<void> {
  using client = await signIn(server);
  await expect(client, 'COMPRESS DEFLATE', '. OK …');
  client.compress();
  await expect(client, 'ENABLE UIDONLY', '* ENABLED UIDONLY', '. OK …');
  assert.match(await client.imap('SELECT Work'), /^\* 1 EXISTS\r$/m);
  await expect(client, 'FETCH 1 FLAGS', '. BAD [UIDREQUIRED] …');
  await expect(client, `APPEND Work (\\Deleted) ${literal(SECOND)}`, '* 2 EXISTS', '. OK [APPENDUID …');
  await pushed(watching, /^\* 2 EXISTS\r\n\* 2 FETCH \(UID 4 FLAGS \(\\Deleted\)\)\r\n/m);
  await expect(client, 'UID FETCH 4 (FLAGS)', '* 4 UIDFETCH (FLAGS (\\Deleted))', '. OK …');
  await expect(client, `APPEND Work ${literal(FIRST)}`, '* 3 EXISTS', '. OK [APPENDUID …');
  await expect(client, 'EXPUNGE', '* VANISHED 4', '. OK …');
  await pushed(watching, /^\* 2 EXPUNGE\r\n/m);
}

/** QRESYNC (RFC 7162 §3.2.5): only what became of the mailbox since it was last seen is told. */
async function resyncs(server: RunningPostrider, { uidValidity, modSeq }: Remembered): Promise<void> {
  using alice = await signIn(server);
  await expect(alice, 'ENABLE QRESYNC', '* ENABLED QRESYNC', '. OK …');
  const said = await alice.imap(`SELECT Work (QRESYNC (${uidValidity} ${modSeq} 1:3))`);
  assert.match(said, /^\* 2 EXISTS\r$/m);
  const told = linesOf(said).filter((line) => /VANISHED|FETCH/.test(line));
  matchLines(
    told.map((line) => line.replace(/ MODSEQ \(\d+\)/, '')),
    ['* VANISHED (EARLIER) 2:3', '* 1 FETCH (UID 1 FLAGS ($Work))', '* 2 FETCH (UID 5 FLAGS ())'],
    'QRESYNC',
  );
}

/** RFC 4314 §5.1.1: Bob waits in a mailbox that is then no longer shared with him. */
async function takesBack({ alice, bob }: Day): Promise<void> {
  for (const client of [alice, bob]) await expect(client, 'NOOP', '* 2 EXISTS', '. OK …');
  bob.send('i IDLE\r\n');
  await bob.hear(/^\+ [^\n]*\n/m);
  await expect(alice, 'DELETEACL Work bob@example.test', '. OK …');
  await expect(alice, 'STORE 1 +FLAGS.SILENT (\\Answered)', '. OK …');
  assert.match(await bob.rest(PATIENCE_MS), /^\* BYE You may not read [^\n]*\ni NO \[NOPERM\] /);
}

/** Two threads append until the server is killed among it; gives the texts that were taken, by their UIDs. */
async function appendsUntilTheCrash({ server, ...day }: Day): Promise<ReadonlyMap<string, string>> {
  const taken = new Map<string, string>();
  const enough = Promise.withResolvers<void>();
  const append = async (client: RawClient, name: string): Promise<void> => {
    for (let number = 0; ; number += 1) {
      const text = `${name} ${number}`;
      const said = await client.imap(`APPEND Archive ${literal(`Subject: burst\r\n\r\n${text}`)}`);
      taken.set(valueIn(said, /OK \[APPENDUID \d+ (\d+)\]/), text);
      if (taken.size === TAKEN) enough.resolve();
    }
  };
  const over = Promise.allSettled([append(day.alice, 'one'), append(day.watching, 'other')]);
  await Promise.race([enough.promise, over]);
  await server.kill();
  await over;
  assert.ok(taken.size >= TAKEN, `${taken.size} were taken`);
  return taken;
}

/** After the crash: all that was answered with OK, and nothing that was taken back. */
async function isAllThere(server: RunningPostrider, { lasting, takenBack }: Authorized): Promise<void> {
  using alice = await signIn(server);
  await expect(alice, 'GETACL Work', '* ACL Work alice@example.test lrswipkxteacd', '. OK …');
  await expect(
    alice,
    'GETMETADATA Work (/private/comment /shared/comment)',
    '* METADATA Work (/private/comment "mine" /shared/comment "ours")',
    '. OK …',
  );
  await holds(alice, 'Work', ['FLAGS (\\Answered $Work)', FIRST], ['FLAGS ()', FIRST]);
  await holds(alice, 'Work/Deep', ['FLAGS ()', WOVEN]);
  using bob = await signIn(server, BOB);
  await holds(bob, 'INBOX', ['FLAGS (\\Flagged \\Seen)', SECOND.replace('two', 'three')]);
  await expect(bob, 'GETQUOTA ""', '* QUOTA "" (STORAGE 1 1 …', '. OK …');
  await isFetched(bob, lasting, ENGLISH);
  await isFetched(bob, takenBack, undefined);
  await expect(bob, `SELECT ${THERE}`, '. NO [NONEXISTENT] …');
}

/** The mailbox has these messages, each with its flags and octets, and no other. */
async function holds(
  client: RawClient,
  mailbox: string,
  ...messages: readonly [string, string][]
): Promise<void> {
  assert.match(await client.imap(`EXAMINE ${mailbox}`), new RegExp(`^\\* ${messages.length} EXISTS\r$`, 'm'));
  const lines = messages.flatMap(([flags, text], index) => [
    `* ${index + 1} FETCH (${flags} BODY[] {${text.length}}`,
    ...linesOf(text),
    ')',
  ]);
  await expect(client, 'FETCH 1:* (FLAGS BODY[])', ...lines, '. OK …');
}

test(
  'IMAP: what two accounts do with a mailbox is as they were told, also after a crash',
  { skip: postgresSkip },
  async () => {
    await using database = await startPostgres();
    const store = `[store]\nbackend = "postgres"\nurl = ${JSON.stringify(await database.makeDatabase())}\n`;
    const config = `${store}[threads]\nsessions = 2\n`;
    await using server = await startPostrider({ config });
    const [alice, watching, bob] = await Promise.all([signIn(server), signIn(server), signIn(server, BOB)]);
    const day: Day = { server, alice, watching, bob };
    const remembered = await shares(day);
    await isWatched(day);
    const urls = await authorizes(day);
    await finds(day);
    await annotates(day);
    await carriesAway(day);
    await countsNothing(day);
    await resyncs(server, remembered);
    await takesBack(day);
    const acknowledged = await appendsUntilTheCrash(day);

    const { directory, basePort } = server;
    await using again = await startPostrider({ directory, basePort, config, accounts: [] });
    await isAllThere(again, urls);
    using after = await signIn(again);
    await after.imap('EXAMINE Archive');
    const kept = await after.imap('UID FETCH 1:* BODY[TEXT]');
    for (const [uid, text] of acknowledged)
      assert.ok(kept.includes(` FETCH (UID ${uid} BODY[TEXT] {${text.length}}\r\n${text})\r\n`), text);
  },
);

test(
  'IMAP: sessions outlive a crash of the database, and those that wait for news hear of them again',
  { skip: postgresSkip },
  async () => {
    await using database = await startPostgres();
    const store = `[store]\nbackend = "postgres"\nurl = ${JSON.stringify(await database.makeDatabase())}\n`;
    await using server = await startPostrider({ config: `${store}[threads]\nsessions = 2\n` });
    const [alice, watching, idling, bob] = await Promise.all([
      signIn(server),
      signIn(server),
      signIn(server),
      signIn(server, BOB),
    ]);
    await expect(alice, `APPEND INBOX ${literal(FIRST)}`, '. OK …');
    await expect(alice, 'SETACL INBOX bob@example.test lr', '. OK …');
    await expect(watching, 'NOTIFY SET (selected (MessageNew (UID) MessageExpunge FlagChange))', '. OK …');
    await expect(bob, 'NOTIFY SET (subtree "Other Users" (MessageNew MessageExpunge))', '. OK …');
    for (const client of [alice, watching, idling])
      assert.match(await client.imap('SELECT INBOX'), /^\* 1 EXISTS\r$/m);
    idling.send('i IDLE\r\n');
    await idling.hear(/^\+ [^\n]*\n/);

    await database.crash();
    const away = '. NO [UNAVAILABLE] …';
    await expect(alice, 'STORE 1 +FLAGS (\\Flagged)', away);
    await expect(alice, 'FETCH 1 BODY[]', away);
    await expect(alice, `UID REPLACE 1 INBOX ${literal(SECOND)}`, away);
    await expect(alice, 'MOVE 1 Archive', away);
    await expect(alice, 'ESEARCH IN (personal) RETURN (COUNT) ALL', away);
    await expect(alice, 'RESETKEY INBOX', away);
    await expect(alice, 'GETACL INBOX', away);

    await database.start();
    await expect(
      alice,
      `UID REPLACE 1 INBOX ${literal(SECOND)}`,
      '* OK [APPENDUID …',
      '* 1 EXPUNGE',
      '* 1 EXISTS',
      '. OK …',
    );
    await pushed(watching, /^\* 1 EXPUNGE\r\n\* 1 EXISTS\r\n\* 1 FETCH \(UID 2\)\r\n/m);
    await pushed(idling, /^\* 1 EXPUNGE\r\n\* 1 EXISTS\r\n/m);
    await pushed(bob, /^\* STATUS "Other Users\/alice@example\.test\/INBOX" \(MESSAGES 1 UIDNEXT 3\)\r\n/m);
    await holds(alice, 'INBOX', ['FLAGS ()', SECOND]);
  },
);
