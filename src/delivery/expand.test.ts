import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountId } from '../../test/support/queued.ts';
import type { ListTargets, Resolution } from '../auth/directory.ts';
import type { EnvelopeRecipient } from './expand.ts';
import { expandRecipients } from './expand.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { RETURN_PATHS } from '../../test/support/return-paths.ts';
import { ReturnPaths } from './return-paths.ts';

const one = (account: number, address: string, detail?: string) => ({
  account: accountId(account),
  address,
  detail,
});

function listOf(verp: boolean, owner: string): ListTargets {
  return {
    address: 'news@here.example',
    owner,
    verp,
    accounts: [one(1, 'bob@here.example', 'news')],
    forwards: ['eve@Far.example'],
  };
}

const TABLE: Readonly<Record<string, Resolution>> = {
  'bob@here.example': { kind: 'local', accounts: [one(1, 'bob@here.example')], forwards: [] },
  'bob+x@here.example': { kind: 'local', accounts: [one(1, 'bob@here.example', 'x')], forwards: [] },
  'robert@here.example': { kind: 'local', accounts: [one(1, 'bob@here.example')], forwards: [] },
  'team@here.example': {
    kind: 'local',
    accounts: [one(1, 'bob@here.example'), one(2, 'amy@here.example')],
    forwards: ['eve@Far.example', 'bob@here.example'],
  },
  'eve@Far.example': { kind: 'remote', domain: 'far.example' },
  'ö@müller.example': { kind: 'remote', domain: 'xn--mller-kva.example' },
  'closed@here.example': { kind: 'disabled', account: accountId(3) },
  'away@here.example': { kind: 'local', accounts: [], forwards: ['eve@Far.example'] },
  'away@other.example': { kind: 'local', accounts: [], forwards: ['eve@Far.example', 'ida@far.example'] },
  'ida@far.example': { kind: 'remote', domain: 'far.example' },
  'author@sender.example': { kind: 'remote', domain: 'sender.example' },
  'news@here.example': {
    kind: 'local',
    accounts: [],
    forwards: [],
    lists: [listOf(false, 'owner-news@here.example')],
  },
  'tagged@here.example': {
    kind: 'local',
    accounts: [],
    forwards: [],
    lists: [listOf(true, 'boss@here.example')],
  },
  'foreign@here.example': {
    kind: 'local',
    accounts: [],
    forwards: [],
    lists: [listOf(true, 'boss@sender.example')],
  },
  'some@here.example': {
    kind: 'local',
    accounts: [],
    forwards: [],
    lists: [{ ...listOf(false, 'owner-news@here.example'), accounts: [one(2, 'amy@here.example')] }],
  },
  'mixed@here.example': {
    kind: 'local',
    accounts: [one(2, 'amy@here.example')],
    forwards: [],
    lists: [listOf(false, 'owner-news@here.example')],
  },
};
const POSTMASTER: Resolution = { kind: 'local', accounts: [one(2, 'amy@here.example')], forwards: [] };

const clock = new FakeClock();
const directory = {
  resolve: async (address: string): Promise<Resolution> => TABLE[address] ?? { kind: 'unknown' },
  isLocalDomain: async (domain: string) => domain === 'here.example',
  secrets: async () => [{ text: 'our-very-own-secret', createdAtMs: 0 }],
};
const returnPaths = new ReturnPaths({ directory, clock }, RETURN_PATHS);

/** From a sender of another domain. */
function expand(
  envelope: readonly EnvelopeRecipient[],
  message: { reversePath?: string | null; smtpUtf8?: boolean } = {},
) {
  const { reversePath = 'author@sender.example', smtpUtf8 = false } = message;
  return expandRecipients({ directory, returnPaths }, { reversePath, smtpUtf8 }, envelope);
}
const rcpt = (address: string) => ({ address, notify: undefined, originalRecipient: undefined });

test('each account once, whatever ways lead there', async () => {
  const { recipients, targets } = await expand([
    rcpt('bob+x@here.example'),
    rcpt('robert@here.example'),
    rcpt('team@here.example'),
    rcpt('eve@Far.example'),
  ]);
  assert.deepEqual(
    recipients.map(({ forwardPath }) => forwardPath),
    ['bob+x@here.example', 'amy@here.example', 'eve@far.example'],
  );
  assert.deepEqual(
    targets.map((target) => target?.recipients),
    [[0], [0], [0, 1, 2], [2]],
  );
});

test('the postmaster without a domain goes on with an address (RFC 5321 §4.1.1.3)', async () => {
  const bare = { resolve: async () => POSTMASTER };
  const { recipients } = await expandRecipients(
    { directory: bare, returnPaths },
    { reversePath: null, smtpUtf8: false },
    [rcpt('postmaster')],
  );
  assert.equal(recipients[0]?.forwardPath, 'amy@here.example');
});

for (const { name, notify, want } of [
  { name: 'unsaid twice', notify: [undefined, undefined], want: undefined },
  { name: 'NEVER and unsaid', notify: [[], undefined], want: ['failure', 'delay'] },
  { name: 'NEVER and SUCCESS', notify: [[], ['success']], want: ['success'] },
  { name: 'FAILURE twice', notify: [['failure'], ['failure']], want: ['failure'] },
] as const)
  test(`two RCPTs that lead to one account, NOTIFY ${name} (RFC 3461 §4.1)`, async () => {
    const [first, second] = notify;
    const { recipients } = await expand([
      { ...rcpt('bob@here.example'), notify: first },
      { ...rcpt('robert@here.example'), notify: second },
    ]);
    assert.deepEqual(
      recipients.map((recipient) => recipient.notify),
      [want],
    );
  });

test('what an alias leads to keeps the address the sender wrote (RFC 3461 §5.2.7)', async () => {
  const { recipients } = await expand([rcpt('team@here.example')]);
  assert.deepEqual(
    recipients.map(({ originalRecipient }) => originalRecipient),
    Array(3).fill('rfc822;team@here.example'),
  );
  const given = {
    ...rcpt('team@here.example'),
    notify: [],
    originalRecipient: 'rfc822;first+2Bone@x.example',
  };
  const again = await expand([given]);
  for (const recipient of again.recipients) {
    assert.equal(recipient.originalRecipient, 'rfc822;first+2Bone@x.example');
    assert.deepEqual(recipient.notify, []);
  }
});

test('domains travel as A-labels unless SMTPUTF8 was asked for (RFC 6531 §3.2)', async () => {
  const plain = await expand([rcpt('ö@müller.example')]);
  assert.equal(plain.recipients[0]?.forwardPath, 'ö@xn--mller-kva.example');
  const utf8 = await expand([rcpt('ö@müller.example')], { smtpUtf8: true });
  assert.equal(utf8.recipients[0]?.forwardPath, 'ö@müller.example');
  assert.deepEqual(utf8.recipients[0]?.route, { kind: 'remote', domain: 'xn--mller-kva.example' });
});

test('nobody is nobody', async () => {
  const { recipients, targets } = await expand([rcpt('no@here.example'), rcpt('closed@here.example')]);
  assert.deepEqual([recipients, targets], [[], [undefined, undefined]]);
});

const SRS = /^SRS0=[^=]{4}=[A-Z2-7]{2}=sender\.example=author@(.*)$/;

test('what is forwarded to another host leaves from an address of ours, what stays here does not', async () => {
  const { recipients } = await expand([rcpt('bob@here.example'), rcpt('away@here.example')]);
  assert.deepEqual(
    recipients.map(({ forwardPath, reversePath }) => [forwardPath, SRS.exec(reversePath ?? '')?.[1]]),
    [
      ['bob@here.example', undefined],
      ['eve@far.example', 'here.example'],
    ],
  );
  assert.equal(recipients[0]?.reversePath, undefined);
  assert.equal(recipients[1]?.forwardedFrom, 'away@here.example');
});

for (const [why, reversePath] of [
  ['the null reverse-path', null],
  ['one of ours', 'bob@here.example'],
  ['what we rewrote ourselves', 'SRS0=hash=2W=sender.example=author@here.example'],
  ['what has no room', `${'x'.repeat(240)}@sender.example`],
] as const)
  test(`${why} is not rewritten`, async () => {
    const { recipients } = await expand([rcpt('away@here.example')], { reversePath });
    assert.equal(recipients[0]?.forwardPath, 'eve@far.example');
    assert.equal(recipients[0]?.reversePath, undefined);
  });

test('mail that is not forwarded keeps its reverse-path, wherever it goes', async () => {
  const { recipients } = await expand([rcpt('eve@Far.example')]);
  assert.deepEqual([recipients[0]?.reversePath, recipients[0]?.forwardedFrom], [undefined, undefined]);
});

test('a report to a rewritten address goes to whom it stands for, a forged one to nobody', async () => {
  const { recipients } = await expand([rcpt('away@here.example')]);
  const rewritten = recipients[0]?.reversePath ?? '';
  const back = await expand([rcpt(rewritten), rcpt(rewritten.replace('author', 'other'))], {
    reversePath: null,
  });
  assert.deepEqual(
    back.recipients.map(({ forwardPath, route, reversePath }) => [forwardPath, route, reversePath]),
    [['author@sender.example', { kind: 'remote', domain: 'sender.example' }, undefined]],
  );
  assert.deepEqual(back.targets, [{ recipients: [0], lists: [] }, undefined]);
});

test('a list is a message of its own: from its owner, nothing asked for (RFC 5321 §3.9.2, RFC 3461 §5.2.7.1)', async () => {
  const asked = {
    ...rcpt('news@here.example'),
    notify: ['success', 'delay'] as const,
    originalRecipient: 'rfc822;x',
  };
  const { recipients, lists, targets, reports } = await expand([asked]);
  assert.deepEqual(recipients, []);
  assert.deepEqual(lists, [
    {
      address: 'news@here.example',
      owner: 'owner-news@here.example',
      recipients: [
        {
          forwardPath: 'bob@here.example',
          route: { kind: 'local', account: accountId(1), detail: 'news' },
          notify: undefined,
          originalRecipient: undefined,
        },
        {
          forwardPath: 'eve@far.example',
          route: { kind: 'remote', domain: 'far.example' },
          notify: undefined,
          originalRecipient: undefined,
          forwardedFrom: 'news@here.example',
        },
      ],
    },
  ]);
  assert.deepEqual(targets, [{ recipients: [], lists: [0] }]);
  assert.deepEqual(reports, [{ recipient: asked, action: 'delivered' }]);
});

test('whoever gets the message anyway gets no copy of the list', async () => {
  const { recipients, lists } = await expand([
    rcpt('news@here.example'),
    rcpt('robert@here.example'),
    rcpt('tagged@here.example'),
  ]);
  assert.deepEqual(
    recipients.map(({ forwardPath }) => forwardPath),
    ['robert@here.example'],
  );
  assert.deepEqual(
    lists.map((list) => list.recipients.map(({ forwardPath }) => forwardPath)),
    [['eve@far.example']],
  );
});

test('an alias of an account and a list is expanded', async () => {
  const asked = { ...rcpt('mixed@here.example'), notify: ['success'] as const };
  const { recipients, lists, reports } = await expand([asked]);
  assert.deepEqual(
    recipients.map(({ forwardPath, notify }) => [forwardPath, notify]),
    [['amy@here.example', []]],
  );
  assert.equal(lists[0]?.recipients.length, 2);
  assert.deepEqual(reports, [{ recipient: asked, action: 'expanded' }]);
});

test('a list that tags gives each recipient a reverse-path of its own', async () => {
  const { lists } = await expand([rcpt('tagged@here.example')]);
  assert.deepEqual(
    lists[0]?.recipients.map(({ reversePath }) => reversePath),
    ['boss+bob=here.example@here.example', 'boss+eve=Far.example@here.example'],
  );
});

test("a list's owner elsewhere is rewritten like any sender of another domain", async () => {
  const { lists } = await expand([rcpt('foreign@here.example')]);
  const [here, there] = lists[0]?.recipients ?? [];
  assert.equal(here?.reversePath, 'boss+bob=here.example@sender.example');
  assert.match(
    there?.reversePath ?? '',
    /^SRS0=[^=]{4}=[A-Z2-7]{2}=sender\.example=boss\+eve=Far\.example@here\.example$/,
  );
});

test('a report to a list stays one: nobody hears of what becomes of it (RFC 5321 §4.5.5)', async () => {
  const { recipients, lists } = await expand([rcpt('tagged@here.example')], { reversePath: null });
  assert.deepEqual(lists, []);
  assert.deepEqual(
    recipients.map(({ forwardPath, reversePath }) => [forwardPath, reversePath]),
    [
      ['bob@here.example', undefined],
      ['eve@far.example', undefined],
    ],
  );
});

test('a list that two ways lead to has the members of both, each once', async () => {
  const { lists, targets } = await expand([rcpt('some@here.example'), rcpt('news@here.example')]);
  assert.deepEqual(
    lists.map((list) => list.recipients.map(({ forwardPath }) => forwardPath)),
    [['amy@here.example', 'bob@here.example', 'eve@far.example']],
  );
  assert.deepEqual(
    targets.map((target) => target?.lists),
    [[0], [0]],
  );
});
