import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import { Fault } from '../base/fault.ts';
import type { Check } from '../policy/check.ts';
import type { CheckEvent } from '../policy/event.ts';
import { Pipeline } from '../policy/pipeline.ts';
import { sessionChecks } from '../policy/session-checks.ts';
import type { Verdict } from '../policy/verdict.ts';
import { ACCEPT, defer, refuse } from '../policy/verdict.ts';
import type { SendmailEvent } from '../sendmail/event.ts';
import type { DroppedMessage, Maildrop, OpenedDrop } from '../sendmail/maildrop.ts';
import type { DropEnvelope } from '../sendmail/wire/drop-file.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { IntakeTransaction } from './intake-facts.ts';
import type { IntakeAnswer, IntakeMessage } from './intake.ts';
import type { PickupRules } from './pickup.ts';
import { Pickup } from './pickup.ts';

const NAME = '01767323045000-0123456789abcdef0123456789abcdef';
const UID = 1000;
const RULES: PickupRules = {
  hostname: 'mx.here.test',
  domain: 'mx.here.test',
  senders: 'local',
  trustedUsers: ['root'],
  lifetimeMs: 3_600_000,
};
const ENVELOPE: DropEnvelope = {
  sender: 'bob@mx.here.test',
  recipients: ['alice@here.test'],
  notify: undefined,
  ret: undefined,
  envid: undefined,
  eightBit: false,
};

type Given = {
  readonly envelope?: Partial<DropEnvelope>;
  readonly rules?: Partial<PickupRules>;
  readonly uid?: number;
  readonly opened?: OpenedDrop;
  readonly answers?: readonly (IntakeAnswer | Fault)[];
  readonly checks?: readonly Check[];
};

async function world(given: Given) {
  const clock = new FakeClock();
  const directory = new MemoryDirectory({ clock, random: seededRandom() });
  await directory.addDomain('here.test');
  await directory.addAccount({ address: 'alice@here.test', password: undefined });
  const files = new Set([NAME]);
  const aside: string[] = [];
  const spoiled = new Map<string, 'open' | 'set-aside'>();
  let closed = 0;
  const dropped: DroppedMessage = {
    envelope: { ...ENVELOPE, ...given.envelope },
    uid: given.uid ?? UID,
    droppedAtMs: 1_767_323_045_000,
    octets: 4,
    content: async function* content() {
      yield Buffer.from('hi\r\n');
    },
    close: async () => void (closed += 1),
  };
  let heard: () => void = () => undefined;
  const maildrop: Maildrop = {
    list: async () => [...files],
    open: async (name) => {
      const how = spoiled.get(name);
      if (how === 'open') throw new Fault('Opening what was dropped', new Error('EMFILE'));
      if (how === 'set-aside') return { kind: 'refused', uid: UID, text: 'It has no envelope' };
      return given.opened ?? { kind: 'message', message: dropped };
    },
    remove: async (name) => void files.delete(name),
    setAside: async (name) => {
      if (spoiled.has(name)) throw new Fault('Setting mail aside', new Error('EISDIR'));
      files.delete(name);
      aside.push(name);
    },
    watch: (listener) => {
      heard = listener;
      return { close: () => undefined };
    },
  };
  const answers = [...(given.answers ?? [{ kind: 'accepted' }])];
  const taken: IntakeMessage[] = [];
  const began: IntakeTransaction[] = [];
  const intake = {
    begin: (transaction: IntakeTransaction) => {
      began.push(transaction);
      return {
        write: () => undefined,
        abort: () => undefined,
        commit: async (message: IntakeMessage): Promise<IntakeAnswer> => {
          const answer = answers.shift() ?? { kind: 'accepted' };
          if (answer instanceof Fault) throw answer;
          taken.push(message);
          return answer;
        },
      };
    },
  };
  const events: SendmailEvent[] = [];
  const verdicts: CheckEvent[] = [];
  const pipeline = new Pipeline(given.checks ?? [], { clock, events: (event) => void verdicts.push(event) });
  const users = new Map([
    [0, 'root'],
    [UID, 'bob'],
  ]);
  const pickup = new Pickup(
    {
      maildrop,
      intake,
      directory,
      policy: sessionChecks(pipeline),
      users: { nameOf: (uid) => users.get(uid), isUser: (name) => [...users.values()].includes(name) },
      clock,
      events: (event) => void events.push(event),
    },
    { ...RULES, ...given.rules },
  );
  pickup.start();
  await clock.advance(1);
  return {
    clock,
    pickup,
    files,
    aside,
    taken,
    began,
    events,
    verdicts,
    hear: () => heard(),
    spoil: (name: string, how: 'open' | 'set-aside') => void spoiled.set(name, how),
    closed: () => closed,
  };
}

/** [what is proved, who, what was wanted, the rules, what it goes out as] */
const senders: readonly (readonly [string, number, string | null, Partial<PickupRules>, string | null])[] = [
  ['one’s own', UID, 'bob@mx.here.test', {}, 'bob@mx.here.test'],
  ['another of this host', UID, 'eve@MX.here.test', {}, 'eve@MX.here.test'],
  ['an address at a domain of ours, whether there is one or not', UID, 'x@here.test', {}, 'x@here.test'],
  ['a stranger’s', UID, 'x@away.test', {}, 'bob@mx.here.test'],
  ['a stranger’s, of somebody trusted', 0, 'x@away.test', {}, 'x@away.test'],
  ['a stranger’s, where anything goes', UID, 'x@away.test', { senders: 'any' }, 'x@away.test'],
  ['not one’s own, where it must be', UID, 'x@here.test', { senders: 'own' }, 'bob@mx.here.test'],
  ['one’s own, where it must be', UID, 'Bob@mx.here.test', { senders: 'own' }, 'Bob@mx.here.test'],
  ['of a user without a name', 7, 'x@away.test', {}, '7@mx.here.test'],
  ['the null reverse-path', UID, null, { senders: 'own' }, null],
];
for (const [what, uid, sender, rules, want] of senders)
  test(`the sender is ${what}`, async () => {
    const { taken, files, events } = await world({ uid, envelope: { sender }, rules });
    const [message] = taken;
    const { reversePath } = message?.transaction ?? assert.fail();
    assert.equal(reversePath === null ? null : formatEnvelopeAddress(reversePath), want);
    assert.equal(
      Buffer.from(message?.prefix ?? [])
        .toString()
        .includes('X-Authentication-Warning: mx.here.test: '),
      want !== sender,
    );
    assert.equal(files.size, 0);
    const [told] = events;
    assert.equal(told?.name === 'sendmail.picked-up' && told.wanted, want === sender ? undefined : sender);
  });

test('the field that tells where it came from', async () => {
  const { taken } = await world({});
  assert.equal(
    Buffer.from(taken[0]?.prefix ?? []).toString(),
    `Received: by mx.here.test (Postrider, from userid 1000)\r\n\tid ${taken[0]?.transaction.traceId};\r\n` +
      '\tFri, 2 Jan 2026 03:04:05 +0000\r\n',
  );
});

/** [recipient, who gets it] */
const recipients: readonly (readonly [string, string])[] = [
  ['alice@here.test', 'alice@here.test'],
  ['root@mx.here.test', 'postmaster'],
  ['nobody@mx.here.test', 'nobody@mx.here.test'],
  ['root@away.test', 'root@away.test'],
  ['postmaster', 'postmaster'],
];
for (const [address, want] of recipients)
  test(`mail for ${address} goes to ${want}`, async () => {
    const { taken } = await world({ envelope: { recipients: [address] } });
    const [recipient] = taken[0]?.transaction.recipients ?? [];
    assert.equal(formatEnvelopeAddress(recipient?.forwardPath ?? assert.fail()), want);
  });

test('what DSN was asked for goes along (RFC 3461)', async () => {
  const { taken } = await world({
    envelope: { notify: ['success'], ret: 'hdrs', envid: 'QQ', eightBit: true },
  });
  const { parameters, recipients: all } = taken[0]?.transaction ?? assert.fail();
  assert.deepEqual([parameters.ret, parameters.envelopeId, parameters.body], ['HDRS', 'QQ', '8BITMIME']);
  assert.deepEqual(all[0]?.parameters.notify, ['SUCCESS']);
});

test('return paths that name recipients are asked for, but never of nobody (XVERP)', async () => {
  const verp = { tag: '+', at: '=' };
  const asked = async (sender: string | null) =>
    (await world({ envelope: { sender, verp } })).taken[0]?.transaction.parameters.verp;
  assert.deepEqual(await asked('bob@here.test'), verp);
  assert.equal(await asked(null), undefined);
});

test('what each recipient wishes goes along with it alone (RFC 3461 §4.1, §4.2)', async () => {
  const { taken } = await world({
    envelope: {
      recipients: BOTH,
      wishes: [
        { notify: [], originalRecipient: undefined },
        { notify: ['success', 'delay'], originalRecipient: 'rfc822;c+2Bd@away.test' },
      ],
    },
  });
  assert.deepEqual(
    taken[0]?.transaction.recipients.map(({ parameters }) => parameters),
    [
      { notify: [], originalRecipient: undefined },
      { notify: ['SUCCESS', 'DELAY'], originalRecipient: { type: 'rfc822', written: 'c+2Bd@away.test' } },
    ],
  );
});

test('a fault leaves the mail where it is, and its next try has the same id', async () => {
  const fault = new Fault('Writing to a disk', new Error('full'));
  const { clock, files, began, taken, events, closed } = await world({ answers: [fault] });
  assert.equal(files.size, 1);
  assert.ok(events.some((event) => event.name === 'sendmail.fault' && event.doing === 'Writing to a disk'));
  await clock.advance(10_000);
  assert.equal(files.size, 0);
  assert.equal(taken.length, 1);
  assert.equal(new Set(began.map(({ traceId }) => traceId)).size, 1);
  assert.equal(closed(), 2);
});

test('a file that cannot be opened or set aside keeps nobody else’s mail waiting', async () => {
  const { clock, files, aside, taken, events, hear, spoil } = await world({});
  const [open, setAside] = ['01767323045001-open', '01767323045002-aside'];
  for (const name of [open, setAside, '01767323045003-good']) files.add(name);
  spoil(open, 'open');
  spoil(setAside, 'set-aside');
  hear();
  await clock.advance(20);
  assert.deepEqual([...files], [open, setAside]);
  assert.equal(taken.length, 2);
  assert.deepEqual(aside, []);
  assert.equal(events.filter(({ name }) => name === 'sendmail.fault').length, 2);
});

test('what was put off comes after what is new', async () => {
  const seen: string[] = [];
  const check: Check = {
    name: 'test',
    mail: ({ traceId }) => {
      seen.push(traceId);
      return seen.length === 1 ? LATER : ACCEPT;
    },
  };
  const { clock, files } = await world({ checks: [check] });
  files.add(`9${NAME.slice(1)}`);
  await clock.advance(10_000);
  assert.equal(files.size, 0);
  assert.equal(seen.length, 3);
  assert.equal(seen[0], seen[2]);
});

test('what the intake cannot take now is tried again; what it never takes is set aside', async () => {
  const no = (code: 451 | 554): IntakeAnswer => ({
    kind: 'refuse',
    reply: code === 451 ? reply(451, '4.3.0', 'Later') : reply(554, '5.4.6', 'Loop'),
    reason: 'test',
  });
  const { clock, files, aside, events } = await world({ answers: [no(451), no(554)] });
  assert.equal(files.size, 1);
  await clock.advance(10_000);
  assert.deepEqual([files.size, aside], [0, [NAME]]);
  assert.deepEqual(events.at(-1), { name: 'sendmail.refused', uid: UID, text: 'Loop' });
});

const NO = refuse('test.no', 550, '5.7.1', 'Not this');
const LATER = defer('test.later', 450, '4.7.1', 'Not now');
const BOTH = ['alice@here.test', 'carol@away.test'];
const ofCarol = (verdict: Verdict): Check => ({
  name: 'test',
  recipient: ({ forwardPath }) => (forwardPath.localPart === 'carol' ? verdict : ACCEPT),
});

/** [what is proved, the check, who gets it, of whom the sender hears what] */
const checked: readonly (readonly [
  string,
  Check,
  readonly string[],
  readonly (readonly [string, string])[],
])[] = [
  ['no check says anything', { name: 'test' }, BOTH, []],
  ['refused at MAIL', { name: 'test', mail: () => NO }, [], BOTH.map((one) => [one, 'Not this'])],
  ['one recipient refused', ofCarol(NO), ['alice@here.test'], [['carol@away.test', 'Not this']]],
  ['refused at DATA', { name: 'test', data: () => NO }, [], BOTH.map((one) => [one, 'Not this'])],
  ['refused by its content', { name: 'test', message: () => NO }, [], BOTH.map((one) => [one, 'Not this'])],
  ['one recipient discarded', ofCarol({ kind: 'discard', reason: 'test.discard' }), ['alice@here.test'], []],
];
for (const [what, check, gets, hears] of checked)
  test(`what the checks say of it: ${what}`, async () => {
    const { taken, files, verdicts } = await world({ envelope: { recipients: BOTH }, checks: [check] });
    const [message] = taken;
    assert.deepEqual(
      message?.transaction.recipients.map(({ forwardPath }) => formatEnvelopeAddress(forwardPath)),
      gets,
    );
    assert.deepEqual(
      message?.refused?.map(({ recipient, reply: said }) => [
        formatEnvelopeAddress(recipient.forwardPath),
        said.lines.join(' '),
      ]),
      hears,
    );
    assert.equal(files.size, 0);
    assert.equal(verdicts.length, gets.length === 2 ? 0 : 1);
    assert.ok(verdicts.every(({ traceId }) => traceId === message?.transaction.traceId));
  });

test('a check is told whose program left the message, and reads what is in it', async () => {
  const seen: unknown[] = [];
  const check: Check = {
    name: 'test',
    mail: (_transaction, { role, localUser, principal }) => {
      seen.push(role.name, localUser, principal);
      return ACCEPT;
    },
    read: () => ({
      push: (octets) => void seen.push(Buffer.from(octets).toString()),
      end: ({ octets }) => {
        seen.push(octets);
        return { kind: 'accept', fields: 'X-Seen: yes\r\n' };
      },
    }),
  };
  const { taken } = await world({ checks: [check] });
  assert.deepEqual(seen, ['pickup', { uid: UID, name: 'bob' }, undefined, 'hi\r\n', 4]);
  assert.match(Buffer.from(taken[0]?.prefix ?? []).toString(), /^X-Seen: yes\r\nReceived: /);
});

test('what is held is kept back in the queue', async () => {
  const hold = { reason: 'test.hold', text: 'Look at it' };
  const { taken } = await world({ checks: [{ name: 'test', message: () => ({ kind: 'hold', ...hold }) }] });
  assert.deepEqual(taken[0]?.hold, hold);
});

test('what is discarded is gone, and its trace says so', async () => {
  const { taken, files, events } = await world({
    checks: [{ name: 'test', message: () => ({ kind: 'discard', reason: 'test.discard' }) }],
  });
  assert.deepEqual([taken.length, files.size], [0, 0]);
  assert.ok(events.some((event) => event.name === 'sendmail.discarded' && event.reason === 'test.discard'));
});

for (const stage of ['mail', 'recipient', 'data', 'message'] as const)
  test(`what is put off at ${stage} stays, is tried at growing pauses, and is told of as picked up once`, async () => {
    const answers = [LATER, LATER, LATER];
    let asked = 0;
    const check: Check = {
      name: 'test',
      [stage]: () => {
        asked += 1;
        return answers.shift() ?? ACCEPT;
      },
    };
    const { clock, files, taken, events } = await world({ checks: [check] });
    assert.deepEqual([asked, files.size], [1, 1]);
    await clock.advance(10_000);
    assert.deepEqual([asked, files.size], [2, 1]);
    await clock.advance(10_000);
    assert.equal(asked, 2);
    await clock.advance(10_000);
    assert.equal(asked, 3);
    await clock.advance(40_000);
    assert.deepEqual([asked, files.size, taken.length], [4, 0, 1]);
    assert.equal(events.filter(({ name }) => name === 'sendmail.picked-up').length, 1);
    assert.equal(events.filter(({ name }) => name === 'sendmail.deferred').length, 3);
  });

test('what is put off for longer than mail is tried is reported to its sender (RFC 3463 §3.5)', async () => {
  const { clock, files, taken } = await world({ checks: [{ name: 'test', mail: () => LATER }] });
  await clock.advance(RULES.lifetimeMs + 600_000);
  assert.equal(files.size, 0);
  assert.deepEqual(taken[0]?.transaction.recipients, []);
  assert.deepEqual(
    taken[0]?.refused?.map(({ reply: { code, status } }) => [code, status]),
    [[550, '5.4.7']],
  );
});

test('what is no mail is set aside, what is unfinished waits', async () => {
  const refused = await world({ opened: { kind: 'refused', uid: 7, text: 'It has no envelope' } });
  assert.deepEqual(refused.aside, [NAME]);
  assert.deepEqual(refused.events, [{ name: 'sendmail.refused', uid: 7, text: 'It has no envelope' }]);
  const unfinished = await world({ opened: { kind: 'unfinished' } });
  assert.deepEqual([unfinished.files.size, unfinished.events], [1, []]);
});

test('what the folder tells is looked at soon, and after the end nothing is', async () => {
  const { clock, files, taken, hear, pickup } = await world({});
  files.add(NAME);
  hear();
  await clock.advance(50);
  assert.equal(taken.length, 2);
  await pickup.stop();
  files.add(NAME);
  await clock.advance(60_000);
  assert.equal(taken.length, 2);
  assert.equal(clock.pending, 0);
});
