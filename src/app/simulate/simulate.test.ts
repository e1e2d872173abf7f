import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { RETURN_PATHS } from '../../../test/support/return-paths.ts';
import { seededRandom } from '../../../test/support/world.ts';
import { MemoryDirectory } from '../../auth/memory/directory.ts';
import { parseConfig } from '../../config/config.ts';
import { ReturnPaths } from '../../delivery/return-paths.ts';
import { createRateMemory, RateTable } from '../../net/rate-table.ts';
import { openMemoryMailStore } from '../../store/memory/mail-store.ts';
import type { PickupRequest } from './simulate-pickup.ts';
import { simulatePickup } from './simulate-pickup.ts';
import type { Simulation, SimulationRequest } from './simulate.ts';
import { simulate } from './simulate.ts';

const CONFIG = `hostname = "mx.here.example"\ndataDirectory = "/nowhere"\n[tls]\nselfSigned = true\n`;

async function world(more = '') {
  const clock = new FakeClock();
  const config = parseConfig(CONFIG + more);
  assert.ok(config.ok, JSON.stringify(config));
  const directory = new MemoryDirectory({ clock, random: seededRandom() });
  await directory.addDomain('here.example');
  const added = await directory.addAccount({ address: 'bob@here.example', password: 'secret' });
  assert.ok(added.ok);
  const bob = added.value;
  const rates = new RateTable(createRateMemory(1024, 1024), clock);
  const ports = {
    config: config.value,
    rates,
    clock,
    directory,
    returnPaths: new ReturnPaths({ directory, clock }, RETURN_PATHS),
    mail: openMemoryMailStore(clock),
  };
  const principal = {
    address: bob.address,
    account: bob.id,
    authenticationId: 'bob@here.example',
    appPassword: undefined,
    isDisabled: false,
  };
  const run = (request: Partial<SimulationRequest> = {}): Promise<Simulation> =>
    simulate(ports, {
      client: '192.0.2.1',
      helo: 'mx.far.example',
      from: 'ann@far.example',
      to: ['bob@here.example'],
      message: undefined,
      service: 'smtp',
      principal: undefined,
      isTls: false,
      ...request,
    });
  const users = { nameOf: () => 'www-data', isUser: (name: string) => name === 'www-data' };
  const pickup = (request: Partial<PickupRequest> = {}): Promise<Simulation> =>
    simulatePickup(ports, {
      user: { uid: 33, name: 'www-data' },
      users,
      from: 'web@here.example',
      to: ['bob@here.example'],
      message: undefined,
      ...request,
    });
  return { directory, rates, bob, principal, run, pickup };
}

const said = ({ steps }: Simulation): readonly string[] =>
  steps.map(({ stage, code, reason, verdicts }) =>
    [stage, code, reason ?? '', ...verdicts.map((one) => `${one.verdict}:${one.reason}`)]
      .filter((part) => part !== '')
      .join(' '),
  );

test('a message that would be taken, stage by stage', async () => {
  const { run } = await world();
  const done = await run();
  assert.deepEqual(said(done), [
    'connect 220',
    'hello 250',
    'mail 250',
    'recipient 250',
    'data 354',
    'message 250',
  ]);
  assert.deepEqual([done.outcome, done.recipients, done.fields], ['accepted', ['bob@here.example'], '']);
  assert.equal(done.steps[2]?.command, 'MAIL FROM:<ann@far.example>');
});

test('the session, its recipients and the checks refuse as they would', async () => {
  const { run } = await world('[[rules]]\nname = "trap"\naction = "refuse"\nsenders = ["trap.example"]\n');
  const unknown = await run({ to: ['nobody@here.example', 'eve@far.example'] });
  assert.deepEqual(said(unknown).slice(3), [
    'recipient 550 recipient.unknown',
    'recipient 550 recipient.relay-denied',
  ]);
  assert.deepEqual([unknown.outcome, unknown.recipients], ['refused', []]);
  const some = await run({ to: ['nobody@here.example', 'bob@here.example'] });
  assert.deepEqual([some.outcome, some.recipients], ['accepted', ['bob@here.example']]);
  const trapped = await run({ from: 'x@trap.example' });
  assert.deepEqual(said(trapped).at(-1), 'mail 550 rule.trap refuse:rule.trap');
  const wrong = await run({ helo: 'no good name' });
  assert.deepEqual([wrong.outcome, wrong.steps.length], ['refused', 2]);
});

test('what is held, discarded, tagged and given fields is said', async () => {
  const { run } = await world(
    '[[rules]]\nname = "odd"\naction = "hold"\nheader = "Subject"\ncontains = "odd"\ntext = "Odd"\n' +
      '[[rules]]\nname = "gone"\naction = "discard"\nrecipients = ["bob@here.example"]\nsenders = ["gone.example"]\n' +
      '[[rules]]\nname = "far"\naction = "tag"\ntag = "far"\nsenders = ["far.example"]\n' +
      '[[rules]]\nname = "mark"\naction = "add-field"\nfield = "X-Far: yes"\nsenders = ["far.example"]\n',
  );
  const held = await run({ message: 'Subject: odd\r\n\r\n.dot\r\nx' });
  assert.deepEqual([held.outcome, held.hold], ['held', { reason: 'rule.odd', text: 'Odd' }]);
  assert.equal(held.fields, 'X-Far: yes\r\n');
  assert.deepEqual(held.steps[2]?.verdicts, [
    { check: 'rules', verdict: 'accept', reason: 'rule.far rule.mark', tags: ['far'] },
  ]);
  const gone = await run({ from: 'x@gone.example' });
  assert.deepEqual([gone.outcome, gone.recipients], ['discarded', []]);
});

test('rates are looked at and not counted', async () => {
  const { run, rates } = await world('[rates.address]\nmessagesPerHour = 1\n');
  for (let count = 0; count < 3; count += 1) assert.equal((await run()).outcome, 'accepted');
  const rate = { count: 1, intervalMs: 3_600_000 };
  rates.subject('peer', 'address 192.0.2.1').bucket('messagesPerHour', rate).take();
  const late = await run();
  assert.equal(late.outcome, 'deferred');
  assert.deepEqual(said(late).at(-1), 'mail 450 rates.address.messages defer:rates.address.messages');
});

test('an account submits as it would, and nothing happens to it', async () => {
  const { run, directory, bob, principal } = await world(
    '[submission.suspend]\nrefusedRecipientsPerHour = 1\n',
  );
  const request = { service: 'submission', principal, isTls: true, from: 'bob@here.example' } as const;
  const done = await run({
    ...request,
    to: ['eve@far.example'],
    message: 'Subject: x\r\nBcc: y@z.example\r\n\r\n',
  });
  assert.equal(done.outcome, 'accepted');
  assert.deepEqual(said(done).slice(1, 3), ['hello 250', 'auth 235']);
  assert.equal(done.steps[2]?.command, 'AUTH PLAIN (bob@here.example)');
  assert.match(done.fields, /^Date: .*\r\nFrom: <bob@here\.example>\r\nMessage-ID: /);
  const foreign = await run({ ...request, from: 'ann@far.example' });
  assert.deepEqual(said(foreign).at(-1)?.split(' ').slice(0, 3), [
    'mail',
    '550',
    'submission.not-own-reverse-path',
  ]);
  const nobody = ['a', 'b', 'c'].map((name) => `${name}@here.example`);
  assert.equal((await run({ ...request, to: nobody })).outcome, 'refused');
  assert.equal((await directory.sending(bob.id)).suspended, undefined);
  await directory.setSending(bob.id, { suspended: 'operator' });
  assert.equal(
    said(await run(request))
      .at(-1)
      ?.includes('submission.suspended'),
    true,
  );
  const disabled = await run({ ...request, principal: { ...principal, isDisabled: true } });
  assert.deepEqual(said(disabled).at(-1), 'auth 535 disabled');
});

test('LMTP, and addresses beyond ASCII', async () => {
  const { run } = await world();
  assert.equal((await run({ service: 'lmtp' })).outcome, 'accepted');
  const utf8 = await run({ from: 'jürgen@far.example' });
  assert.equal(utf8.steps[2]?.command, 'MAIL FROM:<jürgen@far.example> SMTPUTF8');
  assert.equal(utf8.outcome, 'accepted');
});

const RULES = [
  '[[rules]]\nname = "no-cron"\nlocalUsers = ["www-data"]\nrecipients = ["far.example"]\naction = "refuse"\n',
  '[[rules]]\nname = "web"\nlocalUsers = ["*"]\nheader = "X-Spam"\naction = "hold"\n',
  '[[rules]]\nname = "tagged"\nlocalUsers = ["www-data"]\naction = "add-field"\nfield = "X-From-Program: yes"\n',
  '[[rules]]\nname = "others"\nlocalUsers = ["cron"]\naction = "refuse"\n',
  '[[rules]]\nname = "full"\nlocalUsers = ["*"]\nsenders = ["later@here.example"]\naction = "defer"\n',
  '[[rules]]\nname = "hole"\nlocalUsers = ["*"]\nrecipients = ["hole.example"]\naction = "discard"\n',
].join('');

test('mail of a local program: whom it is from, and what the checks and the intake say', async () => {
  const { pickup } = await world(RULES);
  const done = await pickup({ to: ['bob@here.example', 'eve@far.example', 'nobody@here.example'] });
  assert.deepEqual(said(done), [
    'pickup 250',
    'mail 250 accept:rule.tagged',
    'recipient 250',
    'recipient 550 rule.no-cron refuse:rule.no-cron',
    'recipient 250',
    'data 250',
    'message 250',
    'recipient 550 recipient.unknown',
  ]);
  assert.deepEqual([done.outcome, done.recipients], ['accepted', ['bob@here.example']]);
  assert.equal(done.fields, 'X-From-Program: yes\r\n');
});

const programs: readonly (readonly [string, Partial<PickupRequest>, string, string])[] = [
  ['another user', { user: { uid: 34, name: 'www-data' } }, 'accepted', ''],
  ['a message with a mark', { message: 'X-Spam: yes\r\n\r\nx\r\n' }, 'held', ''],
  ['a sender who is put off', { from: 'later@here.example' }, 'deferred', ''],
  ['a recipient who gets nothing', { to: ['x@hole.example'] }, 'discarded', ''],
  ['a recipient who is refused', { to: ['x@far.example'] }, 'refused', ''],
  ['nobody', { to: ['nobody@here.example'] }, 'refused', ''],
  ['names alone', { from: 'www-data', to: ['postmaster'] }, 'accepted', 'www-data@mx.here.example'],
  ["a stranger's name", { from: 'x@far.example' }, 'accepted', 'www-data@mx.here.example'],
  ['the null path', { from: '' }, 'accepted', ''],
];
for (const [name, request, outcome, from] of programs)
  test(`mail of a local program, ${name}: ${outcome}`, async () => {
    const { pickup, directory, bob } = await world(RULES);
    await directory.setAlias('postmaster@here.example', [bob.address]);
    const done = await pickup(request);
    assert.equal(done.outcome, outcome, JSON.stringify(done.steps));
    if (from !== '') assert.match(done.steps[0]?.text ?? '', new RegExp(`from <${from}>`));
    if (outcome === 'held') assert.equal(done.hold?.reason, 'rule.web');
  });

test('a rule for local users is no rule for a client', async () => {
  const { run } = await world(RULES);
  assert.deepEqual((await run()).outcome, 'accepted');
});
