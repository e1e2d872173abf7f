/** Thunderbird, without a window, does what people do with it all day: each step goes on where the last one ended. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { imapClient, readMessages, waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, startPostrider } from '../support/postrider.ts';
import { startThunderbird } from '../support/thunderbird.ts';

const thunderbird = peer('thunderbird');
const MESSAGES = 40;
const SEEN_MS = 30_000;

test('Thunderbird lives in a mailbox for a day', { skip: thunderbird.skip }, async (t) => {
  await using server = await startPostrider();
  const other = await imapClient(server, ALICE);
  for (let n = 1; n <= MESSAGES; n += 1) await other.append('INBOX', letter(n));
  // By its name alone nobody would take it for an archive.
  await other.mailboxRename('Archive', 'Ablage');
  await other.mailboxSubscribe('Ablage');
  await other.mailboxUnsubscribe('Archive');
  await using user = await startThunderbird(thunderbird.path ?? '');
  const certificate = await readFile(join(server.directory, 'tls', 'certificate.pem'), 'latin1');

  await t.test('it sets the account up, and fetches what is there', async () => {
    await user.do('setUp', {
      ...ALICE,
      imapPort: server.port('imaps'),
      smtpPort: server.port('submissions'),
      certificate: certificate.replaceAll(/-----[^-]+-----|\s/g, ''),
    });
    const subjects = await user.do('open', 'INBOX', MESSAGES);
    assert.deepEqual(
      subjects,
      Array.from({ length: MESSAGES }, (_, at) => subject(at + 1)),
    );
  });

  await t.test('it takes the use of each mailbox from the list (RFC 6154 §2)', async () => {
    assert.deepEqual(await user.do('listFolders', 6), {
      INBOX: ['Inbox'],
      Ablage: ['Archive'],
      Drafts: ['Drafts'],
      Junk: ['Junk'],
      Sent: ['Sent'],
      Trash: ['Trash'],
    });
  });

  await t.test('it reads offline what it downloaded before, and only that', async () => {
    assert.equal(await user.do('readOffline', 'INBOX', subject(7)), null);
    await user.do('download', 'INBOX');
    const kept = await user.do('readOffline', 'INBOX', subject(7));
    // Its own two fields, which no message on the wire has, stand before what it fetched.
    assert.equal(String(kept).replaceAll(/^X-Mozilla-Status2?: .*\n/gm, ''), letter(7));
  });

  await t.test('it searches on the server, in subjects and in bodies', async () => {
    assert.deepEqual(await user.do('search', 'INBOX', 'Subject', subject(12)), [subject(12)]);
    assert.deepEqual(await user.do('search', 'INBOX', 'Body', 'word13'), [subject(13)]);
    assert.deepEqual(await user.do('search', 'INBOX', 'Body', 'word41'), []);
  });

  await t.test('what it moves and flags is moved and flagged for every client', async () => {
    await user.do('move', 'INBOX', subject(7), 'Ablage');
    assert.deepEqual(await readMessages(server, ALICE, 'Ablage'), [letter(7)]);
    await user.do('flag', 'INBOX', subject(9));
    await other.mailboxOpen('INBOX');
    assert.equal(other.mailbox !== false && other.mailbox.exists, MESSAGES - 1);
    const flagged = await until(async () => {
      const uids = await other.search({ flagged: true }, { uid: true });
      return Array.isArray(uids) && uids.length > 0 ? uids : undefined;
    });
    assert.deepEqual(flagged, [9]);
  });

  await t.test('it hears of a new message in IDLE (RFC 2177 §3)', async () => {
    await user.logged(/INBOX:SendData: \d+ IDLE(?![^]*INBOX:SendData)/);
    await other.append('INBOX', letter(MESSAGES + 1));
    await user.do('notice', 'INBOX', subject(MESSAGES + 1));
  });

  await t.test('it sends a message through submission and keeps a copy in Sent', async () => {
    await user.do('send', { to: BOB.address, subject: 'Grüße', body: 'Guten Tag, schöne Welt!' });
    const [got = ''] = await waitForMessages(server, BOB, 1);
    const [kept = ''] = await readMessages(server, ALICE, 'Sent');
    assert.match(kept, /^User-Agent: Mozilla Thunderbird\r$/m);
    assert.match(Buffer.from(kept, 'latin1').toString(), /\r\n\r\nGuten Tag, schöne Welt!\r\n$/);
    assert.ok(got.endsWith(kept), got);
  });
  await other.logout();
});

async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + SEEN_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`Nothing was seen within ${SEEN_MS} ms`);
    await setTimeout(50);
  }
}

function subject(n: number): string {
  return `Größe ${n}.`;
}

function letter(n: number): string {
  return [
    'From: Bob <bob@example.test>',
    'To: Alice <alice@example.test>',
    `Subject: =?utf-8?B?${Buffer.from(subject(n)).toString('base64')}?=`,
    `Message-ID: <letter-${n}@example.test>`,
    `Date: Sun, 29 Nov 2026 10:${String(n).padStart(2, '0')}:00 +0000`,
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    `The word of the day is word${n}seven.`,
    '',
  ].join('\r\n');
}
