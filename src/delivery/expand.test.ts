import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountId } from '../../test/support/queued.ts';
import type { Resolution } from '../auth/directory.ts';
import { expandRecipients } from './expand.ts';

const one = (account: number, address: string, detail?: string) => ({
  account: accountId(account),
  address,
  detail,
});

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
};
const POSTMASTER: Resolution = { kind: 'local', accounts: [one(2, 'amy@here.example')], forwards: [] };

const directory = { resolve: async (address: string) => TABLE[address] ?? ({ kind: 'unknown' } as const) };
const rcpt = (address: string) => ({ address, notify: undefined, originalRecipient: undefined });

test('each account once, whatever ways lead there', async () => {
  const { recipients, targets } = await expandRecipients(
    directory,
    [
      rcpt('bob+x@here.example'),
      rcpt('robert@here.example'),
      rcpt('team@here.example'),
      rcpt('eve@Far.example'),
    ],
    false,
  );
  assert.deepEqual(
    recipients.map(({ forwardPath }) => forwardPath),
    ['bob+x@here.example', 'amy@here.example', 'eve@far.example'],
  );
  assert.deepEqual(targets, [[0], [0], [0, 1, 2], [2]]);
});

test('the postmaster without a domain goes on with an address (RFC 5321 §4.1.1.3)', async () => {
  const bare = { resolve: async () => POSTMASTER };
  const { recipients } = await expandRecipients(bare, [rcpt('postmaster')], false);
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
    const { recipients } = await expandRecipients(
      directory,
      [
        { ...rcpt('bob@here.example'), notify: first },
        { ...rcpt('robert@here.example'), notify: second },
      ],
      false,
    );
    assert.deepEqual(
      recipients.map((recipient) => recipient.notify),
      [want],
    );
  });

test('what an alias leads to keeps the address the sender wrote (RFC 3461 §5.2.7)', async () => {
  const { recipients } = await expandRecipients(directory, [rcpt('team@here.example')], false);
  assert.deepEqual(
    recipients.map(({ originalRecipient }) => originalRecipient),
    Array(3).fill('rfc822;team@here.example'),
  );
  const given = {
    ...rcpt('team@here.example'),
    notify: [],
    originalRecipient: 'rfc822;first+2Bone@x.example',
  };
  const again = await expandRecipients(directory, [given], false);
  for (const recipient of again.recipients) {
    assert.equal(recipient.originalRecipient, 'rfc822;first+2Bone@x.example');
    assert.deepEqual(recipient.notify, []);
  }
});

test('domains travel as A-labels unless SMTPUTF8 was asked for (RFC 6531 §3.2)', async () => {
  const plain = await expandRecipients(directory, [rcpt('ö@müller.example')], false);
  assert.equal(plain.recipients[0]?.forwardPath, 'ö@xn--mller-kva.example');
  const utf8 = await expandRecipients(directory, [rcpt('ö@müller.example')], true);
  assert.equal(utf8.recipients[0]?.forwardPath, 'ö@müller.example');
  assert.deepEqual(utf8.recipients[0]?.route, { kind: 'remote', domain: 'xn--mller-kva.example' });
});

test('nobody is nobody', async () => {
  const { recipients, targets } = await expandRecipients(
    directory,
    [rcpt('no@here.example'), rcpt('closed@here.example')],
    false,
  );
  assert.deepEqual([recipients, targets], [[], [undefined, undefined]]);
});
