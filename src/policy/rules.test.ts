import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, Talk, toCodes } from '../../test/support/smtp-ports.ts';
import { SUBMISSION } from '../smtp/server/role.ts';
import type { CheckEvent } from './event.ts';
import { NO_MAIL_PARAMETERS } from '../smtp/wire/parameter.ts';
import { parseEnvelopeAddress } from '../smtp/wire/path.ts';
import type { SessionFacts, TransactionFacts } from './facts.ts';
import { Pipeline } from './pipeline.ts';
import type { Rule } from './rules.ts';
import { rulesCheck } from './rules.ts';
import { sessionChecks } from './session-checks.ts';

const RULE: Rule = {
  name: 'x',
  clients: [],
  localUsers: [],
  helo: [],
  senders: [],
  recipients: [],
  action: 'refuse',
  text: 'Not accepted here',
};

/** One message through the rules: the last code at each step up to the first refusal, what was taken, and the reasons. */
async function play(
  rules: readonly Partial<Rule>[],
  said: {
    readonly address?: string;
    readonly helo?: string;
    readonly from?: string;
    readonly to?: readonly string[];
    readonly content?: string;
    readonly signedIn?: boolean;
  } = {},
) {
  const {
    address = '192.0.2.7',
    helo = 'mx.far.test',
    from = 'Ann@Far.test',
    to = ['bob@example.test'],
  } = said;
  const here = office(said.signedIn === true ? { role: SUBMISSION } : {});
  const events: CheckEvent[] = [];
  const check = rulesCheck(rules.map((rule) => ({ ...RULE, ...rule })));
  assert.ok(check);
  const pipeline = new Pipeline([check], { clock: here.clock, events: (event) => void events.push(event) });
  Object.assign(here.deps, { policy: sessionChecks(pipeline)() });
  const talk = new Talk(here, { clientAddress: address, tls: true });
  const auth = `AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`;
  const steps: readonly (readonly [string, string])[] = [
    ['connect', ''],
    ['hello', `EHLO ${helo}\r\n${said.signedIn === true ? auth : ''}`],
    ['mail', `MAIL FROM:<${from}>\r\n`],
    ...to.map((one) => ['recipient', `RCPT TO:<${one}>\r\n`] as const),
    ['data', 'DATA\r\n'],
    ['message', `${said.content ?? 'Subject: Hello\r\n\r\nBody\r\n'}.\r\n`],
  ];
  let refusedAt = '';
  let code = '';
  for (const [step, text] of steps) {
    code = toCodes(await talk.say(text)).at(-1) ?? '';
    if (code >= '400') {
      refusedAt = step;
      break;
    }
  }
  talk.client.destroy();
  await talk.done;
  const [taken] = here.taken;
  return {
    answer: refusedAt === '' ? 'taken' : `${code} at ${refusedAt}`,
    hold: taken?.hold,
    count: here.taken.length,
    fields: Buffer.from(taken?.prefix ?? [])
      .toString()
      .replace(/Received: [^]*/, ''),
    events: events.map((event) =>
      event.name === 'policy.verdict'
        ? `${event.stage} ${event.verdict} ${event.reason} ${event.tags ?? ''}`.trim()
        : '',
    ),
  };
}

type Said = NonNullable<Parameters<typeof play>[1]>;
const CONDITIONS: readonly (readonly [string, Partial<Rule>, Said, string])[] = [
  ['client in the network', { clients: ['198.51.100.0/24', '192.0.2.0/24'] }, {}, '554 at connect'],
  ['client beside the network', { clients: ['192.0.3.0/24'] }, {}, 'taken'],
  ['IPv6 client', { clients: ['2001:db8::/32'] }, { address: '2001:db8::1' }, '554 at connect'],
  ['name of the client', { helo: ['MX.far.test'] }, {}, '550 5.7.1 at hello'],
  [
    'name of the client with the final dot',
    { helo: ['mx.far.test'] },
    { helo: 'mx.far.test.' },
    '550 5.7.1 at hello',
  ],
  ['below a name', { helo: ['.far.test'] }, {}, '550 5.7.1 at hello'],
  ['a name is not below itself', { helo: ['.mx.far.test'] }, {}, 'taken'],
  ['sender', { senders: ['ann@far.test'] }, {}, '550 5.7.1 at mail'],
  ['another sender', { senders: ['an@far.test'] }, {}, 'taken'],
  ['domain of the sender', { senders: ['far.test'] }, {}, '550 5.7.1 at mail'],
  ['below the domain', { senders: ['.test'] }, {}, '550 5.7.1 at mail'],
  ['any sender', { senders: ['*'] }, {}, '550 5.7.1 at mail'],
  ['the null path is not any', { senders: ['*'] }, { from: '' }, 'taken'],
  ['the null path', { senders: ['<>'] }, { from: '' }, '550 5.7.1 at mail'],
  ['strangers', { signedIn: 'no' }, {}, '550 5.7.1 at mail'],
  ['who has signed in is no stranger', { signedIn: 'no' }, { signedIn: true }, 'taken'],
  ['who has signed in', { signedIn: 'yes' }, { signedIn: true }, '550 5.7.1 at mail'],
  ['recipient', { recipients: ['BOB@example.test'] }, {}, '550 5.7.1 at recipient'],
  ['another recipient', { recipients: ['amy@example.test'] }, {}, 'taken'],
  ['field that is there', { header: 'subject' }, {}, '550 5.7.1 at message'],
  ['field that is not there', { header: 'X-Spam' }, {}, 'taken'],
  ['field contains', { header: 'Subject', contains: 'HELL' }, {}, '550 5.7.1 at message'],
  ['field does not contain', { header: 'Subject', contains: 'x' }, {}, 'taken'],
  ['field equals', { header: 'Subject', equals: 'hello' }, {}, '550 5.7.1 at message'],
  ['field is more', { header: 'Subject', equals: 'hell' }, {}, 'taken'],
  [
    'field in encoded words, folded (RFC 2047)',
    { header: 'Subject', equals: 'Größe ist alles' },
    { content: 'Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=\r\n ist alles\r\n\r\n' },
    '550 5.7.1 at message',
  ],
  [
    'one of several fields',
    { header: 'X-A', contains: 'two' },
    { content: 'X-A: one\r\nX-A: two\r\n\r\n' },
    '550 5.7.1 at message',
  ],
  ['size', { octetsMin: 24 }, {}, '550 5.7.1 at message'],
  ['size below', { octetsMin: 25 }, {}, 'taken'],
  [
    'all conditions',
    { clients: ['192.0.2.7'], senders: ['far.test'], octetsMin: 1 },
    {},
    '550 5.7.1 at message',
  ],
  ['not all of them', { clients: ['192.0.2.8'], senders: ['far.test'], octetsMin: 1 }, {}, 'taken'],
];
for (const [name, rule, said, want] of CONDITIONS)
  test(`rule by ${name}: ${want}`, async () => {
    assert.equal((await play([rule], said)).answer, want);
  });

test('each action does what it says', async () => {
  const senders = ['far.test'];
  const defer = await play([{ senders, action: 'defer', text: 'Later' }]);
  assert.equal(defer.answer, '451 4.7.1 at mail');
  const hold = await play([{ senders, action: 'hold', text: 'Odd' }]);
  assert.deepEqual([hold.answer, hold.hold], ['taken', { reason: 'rule.x', text: 'Odd' }]);
  const discard = await play([{ senders, action: 'discard' }]);
  assert.deepEqual([discard.answer, discard.count], ['taken', 0]);
  assert.deepEqual(discard.events, ['mail discard rule.x']);
  const field = await play([{ senders, action: 'add-field', field: 'X-Rule: far' }]);
  assert.deepEqual([field.answer, field.fields], ['taken', 'X-Rule: far\r\n']);
  const tag = await play([{ senders, action: 'tag', tag: 'far' }]);
  assert.deepEqual([tag.answer, tag.events], ['taken', ['mail accept rule.x far']]);
});

test('the first that decides ends it; what does not decide adds up', async () => {
  const senders = ['far.test'];
  const played = await play([
    { name: 'a', senders, action: 'tag', tag: 'one' },
    { name: 'b', senders, action: 'add-field', field: 'X-B: 1' },
    { name: 'c', senders, action: 'add-field', field: 'X-C: 1' },
  ]);
  assert.equal(played.fields, 'X-B: 1\r\nX-C: 1\r\n');
  assert.deepEqual(played.events, ['mail accept rule.a rule.b rule.c one']);
  const first = await play([
    { name: 'a', senders: ['other.test'] },
    { name: 'b', senders, action: 'hold' },
    { name: 'c', senders },
  ]);
  assert.deepEqual(first.events, ['mail hold rule.b']);
});

test('a rule for recipients alone is about each; with a header, about the message', async () => {
  const to = ['bob@example.test', 'amy@example.test'];
  const each = await play([{ recipients: ['amy@example.test'], action: 'discard' }], { to });
  assert.deepEqual([each.answer, each.count, each.events], ['taken', 1, ['recipient discard rule.x']]);
  const all = await play([{ recipients: ['amy@example.test'], header: 'Subject', action: 'discard' }], {
    to,
  });
  assert.deepEqual([all.count, all.events], [0, ['message discard rule.x']]);
});

test('no rules, no check', () => {
  assert.equal(rulesCheck([]), undefined);
});

/** Mail that a program of this user left. */
async function playLocal(rule: Partial<Rule>, user: string, from = ''): Promise<string | undefined> {
  const check = rulesCheck([{ ...RULE, ...rule }]);
  const nowhere = { address: '', port: 0 };
  const session: SessionFacts = {
    sessionId: 'x',
    role: { name: 'pickup' },
    remote: nowhere,
    local: nowhere,
    hello: undefined,
    tls: undefined,
    principal: undefined,
    earlyTalker: false,
    localUser: { uid: 1000, name: user },
  };
  const transaction: TransactionFacts = {
    traceId: 'x',
    startedAtMs: 0,
    reversePath: from === '' ? null : (parseEnvelopeAddress(from) ?? assert.fail(from)),
    parameters: NO_MAIL_PARAMETERS,
    recipients: [],
  };
  return (await check?.mail?.(transaction, session))?.kind;
}

const LOCAL_RULES: readonly (readonly [string, Partial<Rule>, string])[] = [
  ['who is signed in', { signedIn: 'yes' }, 'refuse'],
  ['who is not', { signedIn: 'no' }, 'accept'],
  ['that user', { localUsers: ['cron', 'www-data'] }, 'refuse'],
  ['any user', { localUsers: ['*'] }, 'refuse'],
  ['another user', { localUsers: ['cron'] }, 'accept'],
  ['that user in capitals, who is another', { localUsers: ['WWW-DATA'] }, 'accept'],
  ['that user, and a sender that is another', { localUsers: ['*'], senders: ['far.test'] }, 'accept'],
];
for (const [name, rule, want] of LOCAL_RULES)
  test(`a rule for ${name}: mail of the local user www-data gets ${want}`, async () =>
    assert.equal(await playLocal(rule, 'www-data'), want));

const SPELLINGS: readonly (readonly [string, string, string])[] = [
  ['in A-labels', 'xn--bcher-kva.test', 'refuse'],
  ['in U-labels', 'bücher.test', 'refuse'],
  ['in capitals', 'BÜCHER.test', 'refuse'],
  ['in letters of full width', 'bücher.ｔｅｓｔ', 'refuse'],
  ['that is another', 'bucher.test', 'accept'],
];
for (const [name, domain, want] of SPELLINGS)
  test(`a rule for a domain: one ${name} gets ${want} (RFC 5891 §5.3)`, async () => {
    for (const wanted of ['xn--bcher-kva.test', 'ann@xn--bcher-kva.test'])
      assert.equal(await playLocal({ senders: [wanted] }, 'www-data', `ann@${domain}`), want);
  });

test('a rule for local users is not about clients, whoever has signed in', async () => {
  for (const signedIn of [true, false]) {
    const { answer } = await play([{ localUsers: ['*'] }], { signedIn });
    assert.equal(answer, 'taken');
  }
});
