import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, Talk, toCodes } from '../../test/support/smtp-ports.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import type { Office } from '../../test/support/smtp-ports.ts';
import type { SmtpServerDeps } from '../smtp/server/deps.ts';
import { LMTP, SUBMISSION } from '../smtp/server/role.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { Check, MaybePromise } from './check.ts';
import type { CheckEvent } from './event.ts';
import { Pipeline } from './pipeline.ts';
import { sessionChecks } from './session-checks.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, defer, refuse } from './verdict.ts';

type Stage = 'connect' | 'hello' | 'auth' | 'mail' | 'recipient' | 'data' | 'message' | 'content';

const STAGES: readonly Stage[] = [
  'connect',
  'hello',
  'auth',
  'mail',
  'recipient',
  'data',
  'message',
  'content',
];
const VERDICTS = {
  fields: { kind: 'accept', fields: 'X-Checked: yes\r\n', tags: ['seen'], reason: 'test.seen' },
  hold: { kind: 'hold', reason: 'test.odd', text: 'Looks odd' },
  discard: { kind: 'discard', reason: 'test.trap' },
  defer: defer('test.busy', 451, '4.7.1', 'Come again'),
  refuse: refuse('test.no', 550, '5.7.1', 'Not wanted'),
} as const satisfies Record<string, Verdict>;

/** A check that gives one verdict at one stage. */
function checkAt(stage: Stage, answer: () => MaybePromise<Verdict>, more: Partial<Check> = {}): Check {
  const base = { name: 'test', ...more };
  if (stage !== 'content') return { ...base, [stage]: answer };
  return { ...base, read: () => ({ push: () => undefined, end: answer }) };
}

function world(checks: readonly Check[], change: Partial<Omit<SmtpServerDeps, 'clock'>> = {}) {
  const events: CheckEvent[] = [];
  const here: Office = office(change);
  const pipeline = new Pipeline(checks, { clock: here.clock, events: (event) => void events.push(event) });
  Object.assign(here.deps, { policy: sessionChecks(pipeline)() });
  return { here, events };
}

const AUTH = `AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`;
const DIALOGUE = {
  connect: '',
  hello: 'EHLO client.test\r\n',
  auth: AUTH,
  mail: 'MAIL FROM:<alice@example.test>\r\n',
  recipient: 'RCPT TO:<bob@example.test>\r\n',
  data: 'DATA\r\n',
  message: 'Subject: x\r\n\r\nBody\r\n.\r\n',
} as const;

/** The code of the reply at each stage, up to the first that is a refusal. */
async function play(here: Office): Promise<Record<string, string>> {
  const talk = new Talk(here, { tls: true });
  const heard: Record<string, string> = {};
  for (const [stage, said] of Object.entries(DIALOGUE)) {
    const [code = ''] = toCodes(await talk.say(said));
    heard[stage] = code;
    if (code >= '400') break;
  }
  talk.client.destroy();
  await talk.done;
  return heard;
}

const PASSED = {
  connect: '220',
  hello: '250',
  auth: '235 2.7.0',
  mail: '250 2.1.0',
  recipient: '250 2.1.5',
  data: '354',
  message: '250 2.0.0',
};

for (const stage of STAGES)
  for (const [name, verdict] of Object.entries(VERDICTS))
    for (const when of ['at once', 'later'] as const)
      test(`${name} at ${stage}, ${when}`, async () => {
        const answer = (): MaybePromise<Verdict> => (when === 'later' ? Promise.resolve(verdict) : verdict);
        const { here, events } = world([checkAt(stage, answer)], { role: SUBMISSION });
        const heard = await play(here);
        const at = stage === 'content' ? 'message' : stage;
        const [event] = events;
        assert.equal(events.length, 1);
        assert.ok(event?.name === 'policy.verdict');
        const isOpen = ['mail', 'recipient', 'data', 'message'].includes(at);
        assert.deepEqual(
          [event.check, event.stage, event.verdict, event.reason, event.sessionId, event.traceId],
          ['test', at, verdict.kind, verdict.reason, 'trace001', isOpen ? 'trace002' : undefined],
        );
        if ('reply' in verdict) {
          const { code, status } = verdict.reply;
          // RFC 2034 §4: no status in a greeting; RFC 5321 §3.1: 554 or 421 in its place.
          const greeting = code === 550 ? '554' : '421';
          assert.equal(heard[at], at === 'connect' ? greeting : `${code} ${status}`);
          assert.deepEqual(here.taken, []);
        } else {
          assert.deepEqual(heard, PASSED);
          const [message] = here.taken;
          assert.equal(here.taken.length, verdict.kind === 'discard' ? 0 : 1);
          const prefix = Buffer.from(message?.prefix ?? []).toString();
          assert.equal(prefix.startsWith('X-Checked: yes\r\nReceived:'), verdict.kind === 'accept');
          const { reason, text } = VERDICTS.hold;
          assert.deepEqual(message?.hold, verdict.kind === 'hold' ? { reason, text } : undefined);
          const discarded = here.events.find((one) => one.name === 'smtp.message-discarded');
          const why = stage === 'recipient' ? 'every-recipient' : 'test.trap';
          assert.equal(discarded?.reason, verdict.kind === 'discard' ? why : undefined);
        }
        assert.equal(here.open, 0);
      });

const precedence: readonly (readonly [readonly (keyof typeof VERDICTS)[], keyof typeof VERDICTS])[] = [
  [['fields', 'hold'], 'hold'],
  [['hold', 'discard'], 'discard'],
  [['discard', 'defer'], 'defer'],
  [['defer', 'refuse'], 'refuse'],
  [['refuse', 'fields', 'hold', 'discard', 'defer'], 'refuse'],
];
for (const [said, want] of precedence)
  for (const order of [said, said.toReversed()])
    test(`of ${order.join(', ')} at one stage, ${want} counts`, async () => {
      const checks = order.map((name) => checkAt('message', () => VERDICTS[name]));
      const { here } = world(checks);
      const talk = new Talk(here);
      const heard = toCodes(await talk.say(Object.values({ ...DIALOGUE, auth: '' }).join(''))).at(-1);
      const verdict = VERDICTS[want];
      assert.equal(heard, 'reply' in verdict ? `${verdict.reply.code} ${verdict.reply.status}` : '250 2.0.0');
      const reason = here.taken[0]?.hold?.reason;
      assert.equal(reason, want === 'hold' ? 'test.odd' : undefined);
      assert.equal(here.taken.length, want === 'hold' ? 1 : 0);
      assert.equal(talk.over, false);
      talk.client.destroy();
      await talk.done;
    });

test('behind a final refusal nobody is asked; behind a temporary one the others are', async () => {
  for (const [first, want] of [
    [VERDICTS.refuse, 0],
    [VERDICTS.defer, 1],
  ] as const) {
    let asked = 0;
    const second = checkAt('mail', () => {
      asked += 1;
      return ACCEPT;
    });
    await play(world([checkAt('mail', () => first), second], { role: SUBMISSION }).here);
    assert.equal(asked, want);
  }
});

for (const how of ['throws', 'rejects', 'is late', 'contradicts itself'] as const)
  for (const onFault of ['closed', 'open'] as const)
    test(`a check that ${how}, ${onFault}`, async () => {
      const wrong = (): MaybePromise<Verdict> => {
        if (how === 'throws') throw new Error('broken');
        if (how === 'rejects') return Promise.reject(new Error('broken'));
        if (how === 'is late') return new Promise(() => undefined);
        return { kind: 'refuse', reply: reply(250, '2.0.0', 'Fine'), reason: 'test.confused' };
      };
      const { here, events } = world([checkAt('mail', wrong, { onFault, deadlineMs: 1000 })]);
      const talk = new Talk(here);
      await talk.say(DIALOGUE.hello);
      let heard = await talk.say(DIALOGUE.mail);
      if (how === 'is late') {
        assert.equal(heard, '');
        await here.clock.advance(1000);
        heard = await talk.hear();
      }
      assert.deepEqual(toCodes(heard), [onFault === 'open' ? '250 2.1.0' : '451 4.3.0']);
      assert.ok(!heard.includes('broken'), 'no cause in public');
      assert.deepEqual(
        events.map((event) => event.name === 'policy.check-failed' && event.outcome),
        [onFault === 'open' ? 'passed' : 'deferred'],
      );
      talk.client.destroy();
      await talk.done;
    });

test('a reader that throws is a check that failed', async () => {
  const check: Check = {
    name: 'reader',
    read: () => ({
      push: () => {
        throw new Error('broken');
      },
      end: () => ACCEPT,
    }),
  };
  const { here, events } = world([check]);
  const talk = new Talk(here);
  const heard = await talk.say(Object.values({ ...DIALOGUE, auth: '' }).join(''));
  assert.equal(toCodes(heard).at(-1), '451 4.3.0');
  assert.equal(events[0]?.name, 'policy.check-failed');
  assert.equal(here.open, 0);
});

test('a reader sees the content, without dots that were stuffed; later checks see the tags', async () => {
  let content = '';
  let tags: readonly string[] = [];
  const tagger = checkAt('mail', () => VERDICTS.fields);
  const reader: Check = {
    name: 'reader',
    read: () => ({
      push: (octets) => {
        content += Buffer.from(octets).toString('latin1');
      },
      end: (message) => {
        tags = [...message.tags, ...message.fields.map(({ key }) => key), String(message.octets)];
        return ACCEPT;
      },
    }),
  };
  const { here } = world([tagger, reader]);
  const talk = new Talk(here);
  await talk.say(`${DIALOGUE.hello}${DIALOGUE.mail}${DIALOGUE.recipient}DATA\r\n`);
  await talk.say('Subject: x\r\n\r\n..dot\r\n.\r\n');
  assert.equal(content, 'Subject: x\r\n\r\n.dot\r\n');
  assert.deepEqual(tags, ['seen', 'subject', '20']);
});

test('of several recipients one gets nothing; what is known of a message ends with it', async () => {
  const check: Check = {
    name: 'trap',
    recipient: ({ forwardPath }) => (forwardPath.localPart === 'trap' ? VERDICTS.discard : VERDICTS.fields),
  };
  for (const role of [undefined, LMTP]) {
    const { here } = world([check], role === undefined ? {} : { role });
    const talk = new Talk(here);
    const two = 'RCPT TO:<bob@example.test>\r\nRCPT TO:<trap@example.test>\r\n';
    await talk.say(`${role === undefined ? 'EHLO' : 'LHLO'} c.test\r\n${DIALOGUE.mail}${two}DATA\r\n`);
    const heard = await talk.codes(DIALOGUE.message);
    assert.deepEqual(heard, role === undefined ? ['250 2.0.0'] : ['250 2.0.0', '250 2.0.0']);
    const recipients = here.taken[0]?.transaction.recipients.map(({ forwardPath }) => forwardPath.localPart);
    assert.deepEqual(recipients, ['bob']);
    assert.match(Buffer.from(here.taken[0]?.prefix ?? []).toString(), /^X-Checked: yes\r\nReceived/);
    await talk.say(`${DIALOGUE.mail}RCPT TO:<trap@example.test>\r\nDATA\r\n`);
    assert.deepEqual(await talk.codes(DIALOGUE.message), ['250 2.0.0']);
    assert.equal(here.taken.length, 1);
  }
});

test('what is said of the greeting holds for every message of the session', async () => {
  let isOdd = true;
  const check = checkAt('hello', () => (isOdd ? VERDICTS.hold : ACCEPT));
  const { here } = world([check]);
  const talk = new Talk(here);
  const message = `${DIALOGUE.mail}${DIALOGUE.recipient}${DIALOGUE.data}`;
  await talk.say(DIALOGUE.hello);
  for (let number = 0; number < 2; number += 1) {
    await talk.say(message);
    await talk.say(DIALOGUE.message);
  }
  isOdd = false;
  await talk.say(DIALOGUE.hello + message);
  await talk.say(DIALOGUE.message);
  assert.deepEqual(
    here.taken.map(({ hold }) => hold?.reason),
    ['test.odd', 'test.odd', undefined],
  );
});

test('a refusal is kept back as long as a check asks, and not over the end', async () => {
  const seen: number[] = [];
  const check: Check = {
    name: 'slow',
    refused: ({ code }) => {
      seen.push(code);
      return 5000;
    },
  };
  const { here } = world([check]);
  const talk = new Talk(here);
  await talk.say(DIALOGUE.hello);
  assert.equal(await talk.say('NONSENSE\r\n'), '');
  await here.clock.advance(4999);
  assert.equal(await talk.hear(), '');
  await here.clock.advance(1);
  assert.deepEqual(toCodes(await talk.hear()), ['500 5.5.1']);
  assert.equal(await talk.say('NONSENSE\r\n'), '');
  here.shutdown.abort();
  assert.deepEqual(toCodes(await talk.hear()), ['500 5.5.1', '421 4.3.2']);
  assert.deepEqual(seen, [500, 500]);
});

test('every session is told to its checks at its end, with what it did', async () => {
  const told: unknown[] = [];
  const check: Check = {
    name: 'end',
    disconnect: (session, activity) => void told.push([session.sessionId, activity]),
  };
  const broken: Check = {
    name: 'broken',
    disconnect: () => {
      throw new Error('broken');
    },
  };
  const { here, events } = world([broken, check]);
  const talk = new Talk(here);
  const said = `${DIALOGUE.hello}NOOP\r\n`;
  await talk.say(said);
  talk.client.destroy();
  await talk.done;
  assert.deepEqual(told, [['trace001', { commands: 2, messages: 0, octetsReceived: said.length }]]);
  assert.deepEqual(
    events.map(({ name, stage }) => [name, stage]),
    [['policy.check-failed', 'disconnect']],
  );
});

test('checks that answer at once are asked without a promise', () => {
  const clock = new FakeClock();
  const checks = [checkAt('mail', () => ACCEPT), checkAt('mail', () => VERDICTS.hold)];
  const pipeline = new Pipeline(checks, { clock, events: () => undefined });
  const asked = { stage: 'mail', sessionId: 'x', traceId: undefined } as const;
  const verdicts: MaybePromise<Verdict>[] = [ACCEPT, VERDICTS.hold];
  const sum = pipeline.consult(pipeline.having('mail'), asked, () => verdicts.shift());
  assert.ok(!(sum instanceof Promise));
  assert.equal(sum.hold?.reason, 'test.odd');
});
