import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FakeClock } from '../../test/support/fake-clock.ts';
import { office, Talk } from '../../test/support/smtp-ports.ts';
import type { Office } from '../../test/support/smtp-ports.ts';
import { LIMITS } from '../base/limits.ts';
import { createRateMemory, RateTable } from '../net/rate-table.ts';
import type { SmtpRole } from '../smtp/server/role.ts';
import { LMTP, RELAY, SUBMISSION } from '../smtp/server/role.ts';
import { NO_MAIL_PARAMETERS } from '../smtp/wire/parameter.ts';
import type { EnvelopeAddress } from '../smtp/wire/path.ts';
import { parseEnvelopeAddress } from '../smtp/wire/path.ts';
import type { AccountId } from '../store/ids.ts';
import type { CheckEvent } from './event.ts';
import type { SessionFacts, TransactionFacts } from './facts.ts';
import { Pipeline } from './pipeline.ts';
import type { RateLimits, RatesRules } from './rates.ts';
import { ratesCheck } from './rates.ts';
import type { SessionChecks } from './session-checks.ts';
import { sessionChecks } from './session-checks.ts';

const HOUR_MS = 3_600_000;
const NONE: RatesRules = {
  ipv4NetworkBits: 24,
  ipv6NetworkBits: 48,
  slowAfterErrors: 0,
  slowSeconds: 5,
  address: {},
  network: {},
  account: { connectionsAtOnce: 0 },
  localUser: {},
  sender: {},
  recipient: {},
};

type World = { readonly connect: (address?: string, role?: SmtpRole) => Talk } & {
  readonly clock: FakeClock;
  readonly events: CheckEvent[];
  readonly excess: AccountId[];
  readonly here: Office;
  readonly policyOf: () => SessionChecks;
};

/** Sessions that share one clock, one table and one check. */
function world(rules: Partial<RatesRules>, own?: RateLimits): World {
  const here = office({ role: RELAY });
  const clock = here.clock;
  const events: CheckEvent[] = [];
  const excess: AccountId[] = [];
  let atOnce = 0;
  const check = ratesCheck(
    {
      rates: new RateTable(createRateMemory(1024, 1024), clock),
      gauge: {
        enter: (_name, max) => {
          if (atOnce >= max) return undefined;
          atOnce += 1;
          return () => {
            atOnce -= 1;
          };
        },
      },
      clock,
      isExempt: (address) => address.startsWith('127.'),
      limitsOf: async () => own,
      onExcess: (account) => void excess.push(account),
    },
    { ...NONE, ...rules },
  );
  const policyOf = sessionChecks(
    new Pipeline([check], { clock, events: (event) => void events.push(event) }),
  );
  const connect = (clientAddress = '192.0.2.1', role: SmtpRole = RELAY): Talk =>
    new Talk({ ...here, deps: { ...here.deps, role, policy: policyOf() } }, { tls: true, clientAddress });
  return { here, clock, events, excess, policyOf, connect };
}

const EHLO = 'EHLO client.test\r\n';
const AUTH = `AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`;
const mail = (from = 'a@far.test'): string => `MAIL FROM:<${from}>\r\n`;
const rcpt = (to = 'bob@example.test'): string => `RCPT TO:<${to}>\r\n`;
const message = (from?: string, to?: string): string => `${mail(from)}${rcpt(to)}BDAT 4 LAST\r\nabcd`;
const TAKEN = ['250 2.1.0', '250 2.1.5', '250 2.0.0'];
const reasons = ({ events }: World): string[] =>
  events.map((event) => (event.name === 'policy.verdict' ? event.reason : event.name));

async function hello(talk: Talk, auth = ''): Promise<Talk> {
  await talk.say(EHLO + auth);
  return talk;
}
async function over(talk: Talk): Promise<void> {
  talk.client.destroy();
  await talk.done;
}

test('connections of an address: 421 at the door, and open again in time', async () => {
  const here = world({ address: { connectionsPerHour: 2 } });
  for (const want of [['220'], ['220'], ['421']]) assert.deepEqual(await here.connect().codes(''), want);
  assert.deepEqual(await here.connect('192.0.2.2').codes(''), ['220']);
  assert.deepEqual(await here.connect('::ffff:192.0.2.1').codes(''), ['421']);
  await here.clock.advance(HOUR_MS / 2);
  assert.deepEqual(await here.connect().codes(''), ['220']);
  assert.deepEqual(reasons(here), ['rates.address.connections', 'rates.address.connections']);
});

test('connections of a network, over its addresses', async () => {
  const here = world({ network: { connectionsPerHour: 2 } });
  for (const [last, want] of [
    ['192.0.2.1', '220'],
    ['192.0.2.2', '220'],
    ['192.0.2.3', '421'],
    ['192.0.3.3', '220'],
    ['2001:db8:1:1::1', '220'],
    ['2001:db8:1:2::1', '220'],
    ['2001:db8:1:3::1', '421'],
  ] as const)
    assert.deepEqual(await here.connect(last).codes(''), [want], last);
});

test('messages of an address: 450 at MAIL (RFC 3463 §3.8)', async () => {
  const here = world({ address: { messagesPerHour: 2 } });
  const talk = await hello(here.connect());
  assert.deepEqual(await talk.codes(message() + message()), [...TAKEN, ...TAKEN]);
  assert.deepEqual(await talk.codes(mail()), ['450 4.7.1']);
  await over(talk);
  assert.deepEqual(await (await hello(here.connect())).codes(mail()), ['450 4.7.1']);
  assert.equal(here.here.taken.length, 2);
});

test('of messages at the same time no more are taken than there is room for: 451 at the end', async () => {
  const here = world({ address: { messagesPerHour: 1 } });
  const talks = [await hello(here.connect()), await hello(here.connect())];
  for (const talk of talks) assert.deepEqual(await talk.codes(mail() + rcpt()), TAKEN.slice(0, 2));
  const [first, second] = talks;
  assert.deepEqual(await first?.codes('BDAT 1 LAST\r\nx'), ['250 2.0.0']);
  assert.deepEqual(await second?.codes('BDAT 1 LAST\r\nx'), ['451 4.7.1']);
});

test('recipients of an address: 452, and those before go on', async () => {
  const here = world({ address: { recipientsPerHour: 2 } });
  const talk = await hello(here.connect());
  const heard = await talk.codes(`${mail()}${rcpt()}${rcpt('c@example.test')}${rcpt('d@example.test')}`);
  assert.deepEqual(heard, ['250 2.1.0', '250 2.1.5', '250 2.1.5', '452 4.7.1']);
  assert.deepEqual(await talk.codes('BDAT 1 LAST\r\nx'), ['250 2.0.0']);
});

test('octets of an address: the message that passes the limit is the last', async () => {
  const here = world({ address: { octetsPerHour: 6 } });
  const talk = await hello(here.connect());
  assert.deepEqual(await talk.codes(message() + message() + mail()), [...TAKEN, ...TAKEN, '450 4.7.1']);
  assert.deepEqual(reasons(here), ['rates.address.octets']);
});

test('errors of an address shut its door, commands at the end of a session too', async () => {
  for (const [rules, said, reason] of [
    [{ address: { errorsPerHour: 3 } }, 'X\r\n'.repeat(3), 'rates.address.errors'],
    [{ address: { commandsPerHour: 3 } }, 'NOOP\r\n'.repeat(3), 'rates.address.commands'],
  ] as const) {
    const here = world(rules);
    const talk = await hello(here.connect());
    await talk.say(said);
    assert.equal(talk.over, false);
    await over(talk);
    assert.deepEqual(await here.connect().codes(''), ['421']);
    assert.deepEqual(reasons(here), [reason]);
  }
});

test('commands of a long session are counted as they come, and end it', async () => {
  const here = world({ address: { commandsPerHour: 150 } });
  const talk = await hello(here.connect());
  assert.deepEqual(new Set(await talk.codes('NOOP\r\n'.repeat(198))), new Set(['250 2.0.0']));
  assert.equal(talk.over, false);
  assert.deepEqual(await talk.codes('NOOP\r\nNOOP\r\n'), ['421 4.7.0']);
  assert.equal(talk.over, true);
  assert.deepEqual(reasons(here), ['rates.address.commands']);
});

test('commands are counted once: as they come, and the rest at the end', async () => {
  const here = world({ address: { commandsPerHour: 300 } });
  for (const [said, next] of [
    [250, '220'],
    [40, '220'],
    [20, '421'],
  ] as const) {
    const talk = await hello(here.connect());
    await talk.say('NOOP\r\n'.repeat(said));
    await over(talk);
    const another = here.connect();
    assert.deepEqual(await another.codes(''), [next]);
    await over(another);
  }
});

test('temporary refusals are no errors', async () => {
  const here = world({ address: { errorsPerHour: 2 } });
  const talk = await hello(here.connect());
  await talk.say(mail() + rcpt('full@example.test').repeat(5));
  await over(talk);
  assert.deepEqual(await here.connect().codes(''), ['220']);
});

test('a reverse-path of a network, however it is written; the null one has no limit', async () => {
  const here = world({ sender: { messagesPerHour: 1 } });
  assert.deepEqual(await (await hello(here.connect())).codes(message()), TAKEN);
  const talk = await hello(here.connect('192.0.2.200'));
  assert.deepEqual(await talk.codes(mail('A@FAR.test')), ['450 4.7.1']);
  assert.deepEqual(
    await (await hello(here.connect('198.51.100.1'))).codes(message()),
    TAKEN,
    'forgers elsewhere stop nobody',
  );
  for (let count = 0; count < 3; count += 1) assert.deepEqual(await talk.codes(message('')), TAKEN);
});

test('a recipient, from strangers: 450 at RCPT', async () => {
  const here = world({ recipient: { messagesPerHour: 1 } });
  const talk = await hello(here.connect());
  assert.deepEqual(await talk.codes(message()), TAKEN);
  const heard = await talk.codes(mail('b@far.test') + rcpt('BOB@example.test') + rcpt('amy@example.test'));
  assert.deepEqual(heard, ['250 2.1.0', '450 4.7.1', '250 2.1.5']);
  assert.deepEqual(reasons(here), ['rates.recipient.messages']);
});

test('an account is counted by itself, wherever it comes from, and not by its address', async () => {
  const here = world({
    address: { messagesPerHour: 1, recipientsPerHour: 1 },
    recipient: { messagesPerHour: 1 },
    account: { connectionsAtOnce: 0, messagesPerHour: 3, recipientsPerDay: 4 },
  });
  const talk = await hello(here.connect('192.0.2.1', SUBMISSION), AUTH);
  assert.deepEqual(await talk.codes(message() + message()), [...TAKEN, ...TAKEN]);
  const other = await hello(here.connect('198.51.100.1', SUBMISSION), AUTH);
  assert.deepEqual(await other.codes(message()), TAKEN);
  assert.deepEqual(await other.codes(mail()), ['450 4.7.1']);
  await here.clock.advance(HOUR_MS / 3);
  const third = await hello(here.connect('198.51.100.1', SUBMISSION), AUTH);
  const heard = await third.codes(mail() + rcpt() + rcpt('c@example.test'));
  assert.deepEqual(heard, ['250 2.1.0', '250 2.1.5', '452 4.7.1']);
  assert.deepEqual(reasons(here), ['rates.account.messages', 'rates.account.recipients']);
  assert.equal(here.excess.length, 2);
});

test("an account's own limits stand in the place of everybody's", async () => {
  const account = { connectionsAtOnce: 0, messagesPerHour: 1, recipientsPerHour: 1 };
  const here = world({ account }, { messagesPerHour: 2, recipientsPerHour: 0 });
  const talk = await hello(here.connect('192.0.2.1', SUBMISSION), AUTH);
  assert.deepEqual(await talk.codes(message() + message() + mail()), [...TAKEN, ...TAKEN, '450 4.7.1']);
});

test('sessions of an account at once: 421 after AUTH', async () => {
  const here = world({ account: { connectionsAtOnce: 1 } });
  const first = await hello(here.connect('192.0.2.1', SUBMISSION), AUTH);
  const second = here.connect('192.0.2.1', SUBMISSION);
  assert.deepEqual(await second.codes(EHLO + AUTH), ['220', '250', '421 4.7.0']);
  await second.done;
  await over(first);
  assert.deepEqual(await here.connect('192.0.2.1', SUBMISSION).codes(EHLO + AUTH), [
    '220',
    '250',
    '235 2.7.0',
  ]);
});

test('who is exempt is not counted, nor is LMTP', async () => {
  const strict = { connectionsPerHour: 1, messagesPerHour: 1, recipientsPerHour: 1, errorsPerHour: 1 };
  const here = world({
    address: strict,
    network: strict,
    sender: strict,
    recipient: strict,
    slowAfterErrors: 1,
  });
  for (let count = 0; count < 3; count += 1) {
    const talk = await hello(here.connect('127.0.0.1'));
    assert.deepEqual(await talk.codes(`${message()}X\r\n`), [...TAKEN, '500 5.5.1']);
    await over(talk);
  }
  for (let count = 0; count < 3; count += 1) {
    const talk = here.connect('192.0.2.1', LMTP);
    assert.deepEqual(await talk.codes(`LHLO c.test\r\n${message()}`), ['220', '250', ...TAKEN]);
  }
});

test('from so many errors on refusals come late, in a bounded number of sessions', async () => {
  const here = world({ address: { errorsPerHour: 100_000 }, slowAfterErrors: 2 });
  const talk = await hello(here.connect());
  assert.deepEqual(await talk.codes('X\r\n'), ['500 5.5.1']);
  assert.deepEqual(await talk.codes('X\r\n'), ['500 5.5.1']);
  assert.deepEqual(await talk.codes('X\r\nNOOP\r\n'), []);
  await here.clock.advance(5000);
  assert.deepEqual(
    (await talk.hear()).split('\r\n').map((line) => line.slice(0, 3)),
    ['500', '250', ''],
  );
  const others: Talk[] = [];
  // The errors before are forgiven by now: two are free again.
  for (let count = 0; count < LIMITS.smtpSlowedSessionsMax + 2; count += 1) others.push(here.connect());
  const heard = await Promise.all(others.map((other) => other.codes(`${EHLO}X\r\n`)));
  assert.equal(heard.filter((codes) => codes.includes('500 5.5.1')).length, 2);
  const last = await hello(here.connect());
  assert.deepEqual(await last.codes('X\r\n'), ['500 5.5.1']);
});

test('a session leaves nothing behind', async () => {
  const here = world({ account: { connectionsAtOnce: 5 } });
  for (let count = 0; count < 20; count += 1)
    await over(await hello(here.connect('192.0.2.1', SUBMISSION), AUTH));
  const talk = here.connect('192.0.2.1', SUBMISSION);
  assert.deepEqual(await talk.codes(EHLO + AUTH), ['220', '250', '235 2.7.0']);
});

function path(address: string): EnvelopeAddress {
  return parseEnvelopeAddress(address) ?? assert.fail();
}

/** What becomes of a message that a program of a local user leaves. */
async function pickup(policyOf: () => SessionChecks, recipients: number, uid = 1000): Promise<string> {
  const checks = policyOf();
  const nowhere = { address: '', port: 0 };
  const session: SessionFacts = {
    sessionId: 'only',
    role: { name: 'pickup' },
    remote: nowhere,
    local: nowhere,
    hello: undefined,
    tls: undefined,
    principal: undefined,
    earlyTalker: false,
    localUser: { uid, name: `user${uid}` },
  };
  const transaction: TransactionFacts = {
    traceId: 'abcdef0123456789abcdef',
    startedAtMs: 0,
    reversePath: path('a@far.test'),
    parameters: NO_MAIL_PARAMETERS,
    recipients: Array.from({ length: recipients }, (_, number) => ({
      forwardPath: path(`b${number}@far.test`),
      parameters: { notify: undefined, originalRecipient: undefined },
    })),
  };
  try {
    const answers = [await checks.mail(transaction, session)];
    for (const one of transaction.recipients) answers.push(await checks.recipient(one, transaction, session));
    answers.push(await checks.message(Buffer.from('\r\n'), 100, transaction, session));
    const no = answers.find((answer) => answer.kind === 'refuse');
    return no === undefined ? 'taken' : `${no.reply.code} ${no.reason}`;
  } finally {
    checks.disconnect(session, { commands: 0, messages: 1, octetsReceived: 100 });
  }
}

test('mail of local programs is counted by its user, each for himself', async () => {
  const { policyOf, clock } = world({ localUser: { messagesPerHour: 2 }, sender: { messagesPerHour: 1 } });
  for (const want of ['taken', 'taken', '450 rates.local-user.messages'])
    assert.equal(await pickup(policyOf, 1), want);
  assert.equal(await pickup(policyOf, 1, 1001), 'taken');
  await clock.advance(HOUR_MS / 2);
  assert.equal(await pickup(policyOf, 1), 'taken');
});

test('the recipients of a local message count together: all of them, or none', async () => {
  const { policyOf, clock } = world({ localUser: { recipientsPerHour: 10, recipientsPerDay: 12 } });
  assert.equal(await pickup(policyOf, 8), 'taken');
  assert.equal(await pickup(policyOf, 3), '452 rates.local-user.recipients');
  // Nothing was taken for it.
  assert.equal(await pickup(policyOf, 2), 'taken');
  await clock.advance(HOUR_MS);
  assert.equal(await pickup(policyOf, 4), '452 rates.local-user.recipients');
  assert.equal(await pickup(policyOf, 2), 'taken');
});

test('a local message that could never pass is refused, not put off (RFC 3463 §3.6)', async () => {
  const { policyOf } = world({ localUser: { recipientsPerHour: 10 } });
  assert.equal(await pickup(policyOf, 11), '550 rates.local-user.recipients');
});
