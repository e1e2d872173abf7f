import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, Talk, toCodes } from '../../test/support/smtp-ports.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { SUBMISSION } from '../smtp/server/role.ts';
import type { CheckEvent } from './event.ts';
import { Pipeline } from './pipeline.ts';
import { sessionChecks } from './session-checks.ts';
import type { SubmissionRules } from './submission.ts';
import { submissionCheck } from './submission.ts';

const RULES: SubmissionRules = { ownAddressesOnly: true, addMissingFields: true, addSender: false };
const AUTH = `AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`;

/** Alice has signed in. She is `team` among others, and was granted `boss` and `friend@far.test`. */
async function world(rules: Partial<SubmissionRules> = {}) {
  const here = office({ role: SUBMISSION });
  const { clock } = here;
  const directory = new MemoryDirectory({ clock, random: seededRandom() });
  await directory.addDomain('example.test');
  const account = async (address: string) => {
    const added = await directory.addAccount({ address, password: undefined });
    assert.ok(added.ok);
    return added.value.id;
  };
  const alice = await account('alice@example.test');
  await account('boss@example.test');
  await account('bob@example.test');
  await directory.setAlias('team@example.test', ['alice@example.test', 'bob@example.test']);
  for (const address of ['boss@example.test', 'friend@far.test'])
    await directory.addSendGrant(alice, address);
  const check = submissionCheck(
    { directory, clock, newId: () => 'ID1', hostname: 'mx.example.test' },
    { ...RULES, ...rules },
  );
  const events: CheckEvent[] = [];
  const pipeline = new Pipeline([check], { clock, events: (event) => void events.push(event) });
  Object.assign(here.deps, { policy: sessionChecks(pipeline)() });
  const talk = new Talk(here, { tls: true });
  await talk.say(`EHLO c.test\r\n${AUTH}`);
  return { here, directory, alice, talk, events };
}

const REVERSE_PATHS = [
  ['alice@example.test', '250 2.1.0'],
  ['Alice+tag@EXAMPLE.test', '250 2.1.0'],
  ['team@example.test', '250 2.1.0'],
  ['boss@example.test', '250 2.1.0'],
  ['boss+x@example.test', '250 2.1.0'],
  ['friend@far.test', '250 2.1.0'],
  ['', '250 2.1.0'],
  ['bob@example.test', '550 5.7.1'],
  ['nobody@example.test', '550 5.7.1'],
  ['alice@far.test', '550 5.7.1'],
] as const;
for (const [address, want] of REVERSE_PATHS)
  test(`MAIL FROM:<${address}> by alice: ${want} (RFC 6409 §6.1)`, async () => {
    const { talk } = await world();
    assert.deepEqual(await talk.codes(`MAIL FROM:<${address}>\r\n`), [want]);
  });

const DATE = 'Date: Fri, 2 Jan 2026 03:04:05 +0000\r\n';
const ID = 'Message-ID: <a@b>\r\n';
const AS = (from: string): string => `From: ${from}\r\n${DATE}${ID}`;
const HEADERS: readonly {
  readonly name: string;
  readonly header: string;
  readonly rules?: Partial<SubmissionRules>;
  /** The code, or the fields that are put before. */
  readonly want: string;
}[] = [
  { name: 'own', header: AS('Alice <alice@example.test>'), want: '' },
  { name: 'an alias', header: AS('team@example.test'), want: '' },
  { name: 'granted', header: AS('"The Boss" <boss@example.test>'), want: '' },
  { name: 'granted, elsewhere', header: AS('friend@far.test'), want: '' },
  { name: "another's", header: AS('bob@example.test'), want: '550 5.7.1' },
  { name: "own and another's", header: AS('alice@example.test, bob@example.test'), want: '550 5.7.1' },
  { name: 'in a group', header: AS('g: alice@example.test, bob@example.test;'), want: '550 5.7.1' },
  { name: 'none in it', header: AS(''), want: '550 5.6.0' },
  { name: 'two From', header: AS('alice@example.test') + 'From: alice@example.test\r\n', want: '550 5.6.0' },
  {
    name: "another's in a second From behind more fields than are kept",
    header: `${AS('alice@example.test')}${'A:\r\n'.repeat(10_000)}From: bob@example.test\r\n`,
    want: '552 5.3.4',
  },
  {
    name: "another's in a second From behind more octets than are kept",
    header: `${AS('alice@example.test')}${`A: ${'x'.repeat(990)}\r\n`.repeat(300)}From: bob@example.test\r\n`,
    want: '552 5.3.4',
  },
  {
    name: "another's behind more groups and authors than are read",
    header: AS(`${'a:;,'.repeat(1999)} alice@example.test, bob@example.test`),
    want: '550 5.6.0',
  },
  {
    name: 'a From with NUL in its name (RFC 5322 §3.6.8)',
    header: `${AS('alice@example.test')}From\0: bob@example.test\r\n`,
    want: '550 5.6.0',
  },
  {
    name: 'a From with its colon on the next line (RFC 5322 §3.6.8)',
    header: `${AS('alice@example.test')}From\r\n : bob@example.test\r\n`,
    want: '550 5.6.0',
  },
  {
    name: "Sender of one's own does not give another's From",
    header: `${AS('bob@example.test')}Sender: alice@example.test\r\n`,
    want: '550 5.7.1',
  },
  { name: 'own Sender', header: `${AS('boss@example.test')}Sender: alice@example.test\r\n`, want: '' },
  {
    name: "another's Sender",
    header: `${AS('alice@example.test')}Sender: bob@example.test\r\n`,
    want: '550 5.7.1',
  },
  {
    name: 'two in Sender',
    header: `${AS('alice@example.test')}Sender: alice@example.test, alice@example.test\r\n`,
    want: '550 5.6.0',
  },
  {
    name: 'Sender is added where From is granted only (RFC 6409 §8.1)',
    header: AS('boss@example.test, friend@far.test'),
    rules: { addSender: true },
    want: 'Sender: <alice@example.test>\r\n',
  },
  {
    name: 'no Sender where an author is the submitter',
    header: AS('boss@example.test, alice@example.test'),
    rules: { addSender: true },
    want: '',
  },
  {
    name: 'no Sender where there is one',
    header: `${AS('boss@example.test')}Sender: boss@example.test\r\n`,
    rules: { addSender: true },
    want: '',
  },
  {
    name: 'missing fields are added (RFC 6409 §8.2, §8.3)',
    header: 'Subject: x\r\n',
    want: `${DATE}From: <alice@example.test>\r\nMessage-ID: <ID1@mx.example.test>\r\n`,
  },
  { name: 'and are not', header: 'Subject: x\r\n', rules: { addMissingFields: false }, want: '' },
  {
    name: "another's From where anybody may be written as",
    header: AS('bob@example.test'),
    rules: { ownAddressesOnly: false },
    want: '',
  },
  {
    name: "Sender is added to another's From, too",
    header: AS('bob@example.test'),
    rules: { ownAddressesOnly: false, addSender: true },
    want: 'Sender: <alice@example.test>\r\n',
  },
];
for (const { name, header, rules, want } of HEADERS)
  test(`a submitted header: ${name}`, async () => {
    const { here, talk } = await world(rules);
    await talk.say('MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n');
    const [code = ''] = toCodes(await talk.say(`${header}\r\nBody\r\n.\r\n`));
    const [taken] = here.taken;
    const isRefusal = /^\d/.test(want);
    assert.equal(code, isRefusal ? want : '250 2.0.0');
    const prefix = Buffer.from(taken?.prefix ?? []).toString();
    assert.equal(prefix.replace(/Received: [^]*/, ''), isRefusal ? '' : want);
  });

test('a suspended account sends nothing, not even what it had begun', async () => {
  const { here, directory, alice, talk, events } = await world();
  await talk.say('MAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\n');
  await directory.setSending(alice, { suspended: 'operator' });
  assert.deepEqual(await talk.codes('Subject: x\r\n\r\n.\r\n'), ['550 5.7.1']);
  assert.deepEqual(await talk.codes('MAIL FROM:<alice@example.test>\r\n'), ['550 5.7.1']);
  assert.deepEqual(
    events.map((event) => event.name === 'policy.verdict' && event.reason),
    ['submission.suspended', 'submission.suspended'],
  );
  assert.equal(here.taken.length, 0);
  await directory.setSending(alice, { suspended: null });
  assert.deepEqual(await talk.codes('MAIL FROM:<alice@example.test>\r\n'), ['250 2.1.0']);
});
