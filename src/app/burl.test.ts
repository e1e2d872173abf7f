/** What submission takes from mailboxes: RFC 4468 §3.3, RFC 4467 §3. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapOffice, type Conversation } from '../../test/support/imap-conversation.ts';
import { share, twoUsers, type TwoUsers } from '../../test/support/imap-sharing.ts';
import { overriding } from '../../test/support/imap-conversation.ts';
import type { Principal } from '../auth/principal.ts';
import { known, toAccountId } from '../store/ids.ts';
import { BlobError } from '../store/blob-store.ts';
import { urlContents } from './burl.ts';

const BASE = 'imap://alice%40example.test@mail.example.test/INBOX/;UID=1';
const ALICE = principal('alice', 1);
const BOB = principal('bob', 2);

function principal(user: string, account: number): Principal {
  return {
    address: `${user}@example.test`,
    account: known(toAccountId(account)),
    authenticationId: user,
    appPassword: undefined,
  };
}

async function users(office?: ImapOffice): Promise<TwoUsers> {
  const two = await twoUsers(office);
  await two.office.deliver('Subject: one\n\nHello\n');
  return two;
}

async function authorized(conversation: Conversation, rump: string): Promise<string> {
  const [line = ''] = await conversation.run(`GENURLAUTH "${rump}" INTERNAL`);
  return /"([^"]+)"/.exec(line)?.[1] ?? assert.fail(line);
}

/** The octets, or why there are none. */
async function taken(
  { office }: TwoUsers,
  url: string,
  who: Principal,
  takes: 'authorized' | 'own' = 'own',
): Promise<string> {
  const contents = urlContents(takes, office.deps) ?? assert.fail();
  const content = await contents.open(url, who);
  if (!content.ok) return content.error.kind;
  const pieces: Uint8Array[] = [];
  for await (const octets of content.value.read()) pieces.push(octets);
  const octets = Buffer.concat(pieces);
  assert.equal(octets.length, content.value.octets);
  return octets.toString('latin1');
}

const MESSAGE = 'Subject: one\r\n\r\nHello\r\n';

test('what was authorized for the submission of that user, and of no other (RFC 4468 §3.3)', async () => {
  const two = await users();
  const url = await authorized(two.alice, `${BASE};URLAUTH=submit+bob%40example.test`);
  assert.equal(await taken(two, url, BOB), MESSAGE);
  assert.equal(await taken(two, url, ALICE), 'not-authorized');
  const part = await authorized(
    two.alice,
    `${BASE}/;SECTION=TEXT/;PARTIAL=1.3;URLAUTH=submit+alice%40example.test`,
  );
  assert.equal(await taken(two, part, ALICE, 'authorized'), 'ell');
  assert.equal(await taken(two, `${url.slice(0, -1)}x`, BOB), 'not-found');
  assert.equal(
    await taken(
      two,
      url.replace(/.$/, (hex) => (hex === '0' ? '1' : '0')),
      BOB,
    ),
    'not-authorized',
  );
  await two.alice.run('RESETKEY INBOX');
  assert.equal(await taken(two, url, BOB), 'not-authorized');
});

test('plain URLs of the own mail, where the operator lets them (RFC 4468 §3.3)', async () => {
  const two = await users();
  assert.equal(await taken(two, BASE, ALICE), MESSAGE);
  assert.equal(await taken(two, `${BASE}/;SECTION=HEADER`, ALICE), 'Subject: one\r\n\r\n');
  assert.equal(await taken(two, BASE, ALICE, 'authorized'), 'not-trusted');
  assert.equal(await taken(two, BASE, BOB), 'not-authorized');
  assert.equal(await taken(two, BASE.replace('alice%40example.test@', ''), ALICE), 'not-authorized');
  const others = BASE.replace('alice', 'bob').replace('INBOX', 'Other%20Users/alice%40example.test/INBOX');
  assert.equal(await taken(two, others, BOB), 'not-found');
  await share(two, 'lr', 'INBOX');
  assert.equal(await taken(two, others, BOB), MESSAGE);
});

test('nothing of another server, and nothing that is no message', async () => {
  const two = await users();
  assert.equal(await taken(two, BASE.replace('mail.example.test', 'evil.test'), ALICE), 'not-trusted');
  for (const url of [
    'imap://alice%40example.test@mail.example.test/INBOX',
    'http://mail.example.test/',
    '/INBOX/;UID=1',
  ])
    assert.equal(await taken(two, url, ALICE), 'not-found');
  assert.equal(await taken(two, BASE.replace('UID=1', 'UID=2'), ALICE), 'not-found');
  assert.equal(await taken(two, `${BASE}/;SECTION=7`, ALICE), 'not-found');
});

test('what cannot be read is not there, and none is offered where none is taken', async () => {
  const office = new ImapOffice({
    blobs: (blobs) =>
      overriding(blobs, { read: (ref) => Promise.reject(new BlobError({ kind: 'missing' }, ref.id)) }),
  });
  const two = await users(office);
  assert.equal(await taken(two, BASE, ALICE), 'not-found');
  assert.equal(urlContents('none', office.deps), undefined);
  assert.deepEqual(urlContents('authorized', office.deps)?.offer, ['imap']);
  assert.deepEqual(urlContents('own', office.deps)?.offer, ['imap', 'imap://mail.example.test']);
});
