import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MEMORY_TLS } from '../../../test/support/memory-connection.ts';
import { signInWith } from '../../../test/support/sign-in.ts';
import type { SignInOptions } from '../../../test/support/sign-in.ts';
import { ALICE, office, Talk } from '../../../test/support/smtp-ports.ts';
import type { Office } from '../../../test/support/smtp-ports.ts';
import { chooseMechanism } from '../../sasl/choose.ts';
import type { SaslClientExchange } from '../../sasl/mechanism.ts';
import { SUBMISSION } from './role.ts';

const BINDINGS = MEMORY_TLS.channelBindings();
const EHLO = 'EHLO client.test\r\n';
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64');

function submission(change: Partial<SignInOptions> = {}): Office {
  const signIn = signInWith({ password: 'secret', principals: new Map([['alice', ALICE]]), ...change });
  return office({ role: SUBMISSION, signIn });
}

function client(mechanism: string, password: string, bindings = BINDINGS): SaslClientExchange {
  const credentials = { authenticationId: 'alice', password };
  return chooseMechanism([mechanism], credentials, { bindings, nonce: 'client-nonce' }) ?? assert.fail();
}

/** Plays a client's part to its end, and gives the last reply. */
async function authenticate(talk: Talk, exchange: SaslClientExchange, withInitial = true): Promise<string> {
  const initial = Buffer.from(exchange.initial() ?? []).toString('base64');
  let heard = await talk.say(`AUTH ${exchange.mechanism}${withInitial ? ` ${initial}` : ''}\r\n`);
  if (!withInitial) {
    assert.equal(heard, '334 \r\n');
    heard = await talk.say(`${initial}\r\n`);
  }
  while (heard.startsWith('334 ')) {
    const response = await exchange.respond(Buffer.from(heard.slice(4).trim(), 'base64'));
    heard = await talk.say(
      response === undefined ? '*\r\n' : `${Buffer.from(response).toString('base64')}\r\n`,
    );
  }
  return heard;
}

for (const mechanism of ['SCRAM-SHA-1', 'SCRAM-SHA-256', 'SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS']) {
  for (const withInitial of [true, false]) {
    test(`${mechanism} ${withInitial ? 'with' : 'without'} an initial response (RFC 4954 §4, RFC 5802 §5)`, async () => {
      const here = submission();
      const talk = new Talk(here, { tls: true });
      await talk.say(EHLO);
      const bindings = mechanism.endsWith('-PLUS') ? BINDINGS : new Map();
      const right = client(mechanism, 'secret', bindings);
      assert.equal(right.mechanism, mechanism);
      assert.match(
        await authenticate(talk, client(mechanism, 'wrong', bindings), withInitial),
        /^535 5\.7\.8 /,
      );
      assert.match(await authenticate(talk, right, withInitial), /^235 2\.7\.0 /);
      assert.ok(right.isSatisfied());
      assert.match(await talk.say(`AUTH ${mechanism}\r\n`), /^503 5\.5\.1 /);
      assert.deepEqual(
        here.events
          .filter(({ name }) => name === 'smtp.authenticated')
          .map((event) => 'mechanism' in event && event.mechanism),
        [mechanism],
      );
    });
  }
}

test('whoever could bind and was not offered it is told no (RFC 5802 §6)', async () => {
  const here = submission();
  const talk = new Talk(here, { tls: true });
  await talk.say(EHLO);
  // Somebody between took -PLUS out of the list.
  assert.match(await authenticate(talk, client('SCRAM-SHA-256', 'secret')), /^535 5\.7\.8 /);
  assert.ok(here.events.some((event) => 'reason' in event && event.reason === 'channel-binding-downgrade'));
});

test('an exchange that is passed on by somebody between is refused (RFC 5802 §6)', async () => {
  const talk = new Talk(submission(), { tls: true });
  await talk.say(EHLO);
  const elsewhere = new Map([['tls-exporter' as const, Buffer.alloc(32, 'another channel')]]);
  assert.match(await authenticate(talk, client('SCRAM-SHA-256-PLUS', 'secret', elsewhere)), /^535 5\.7\.8 /);
});

/** [name, what is said after EHLO, replies]. */
const exchanges: readonly (readonly [string, readonly string[], string[]])[] = [
  ['no first message', [`AUTH SCRAM-SHA-1 ${base64('x')}\r\n`], ['501 5.5.2']],
  [
    'no final message',
    [`AUTH SCRAM-SHA-1 ${base64('n,,n=alice,r=abc')}\r\n`, `${base64('x')}\r\n`],
    ['334', '501 5.5.2'],
  ],
  [
    'another nonce',
    [`AUTH SCRAM-SHA-1 ${base64('n,,n=alice,r=abc')}\r\n`, `${base64('c=biws,r=x,p=AAAA')}\r\n`],
    ['334', '535 5.7.8'],
  ],
  [
    'cancelled',
    [`AUTH SCRAM-SHA-1 ${base64('n,,n=alice,r=abc')}\r\n`, '*\r\n', 'NOOP\r\n'],
    ['334', '501 5.7.0', '250 2.0.0'],
  ],
  ['EXTERNAL without a certificate', ['AUTH EXTERNAL =\r\n'], ['504 5.5.4']],
];
for (const [name, said, want] of exchanges) {
  test(`AUTH: ${name} (RFC 4954 §4 and §6)`, async () => {
    const talk = new Talk(submission(), { tls: true });
    await talk.say(EHLO);
    const heard: string[] = [];
    for (const text of said) heard.push(...(await talk.codes(text)));
    assert.deepEqual(heard, want);
  });
}

test('nothing is offered or taken before TLS (RFC 4954 §4)', async () => {
  const talk = new Talk(submission());
  assert.doesNotMatch(await talk.say(EHLO), /AUTH/);
  for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-256-PLUS', 'EXTERNAL', 'LOGIN'])
    assert.deepEqual(await talk.codes(`AUTH ${mechanism}\r\n`), ['538 5.7.11'], mechanism);
});

test('what the operator has switched off is neither offered nor taken', async () => {
  const talk = new Talk(submission({ allowed: ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256'] }), { tls: true });
  assert.match(await talk.say(EHLO), /^250[ -]AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256\r$/m);
  assert.deepEqual(await talk.codes('AUTH PLAIN\r\nAUTH LOGIN\r\n'), ['534 5.7.9', '534 5.7.9']);
  assert.deepEqual(await talk.codes('AUTH SCRAM-SHA-1\r\nAUTH ANONYMOUS\r\n'), ['504 5.5.4', '504 5.5.4']);
});

test('where no binding is offered, whoever could have bound is right to say so (RFC 5802 §6)', async () => {
  const talk = new Talk(submission({ allowed: ['SCRAM-SHA-256'] }), { tls: true });
  await talk.say(EHLO);
  const exchange = client('SCRAM-SHA-256', 'secret');
  assert.match(Buffer.from(exchange.initial() ?? []).toString(), /^y,,/);
  assert.match(await authenticate(talk, exchange), /^235 /);
});

test('EXTERNAL is offered to whoever shows a certificate (RFC 4422 §A)', async () => {
  for (const [certified, want] of [
    [ALICE, '235 2.7.0'],
    [undefined, '535 5.7.8'],
  ] as const) {
    const tls = { ...MEMORY_TLS, peerCertificate: Buffer.from('certificate'), peerVerified: true };
    const talk = new Talk(submission(certified === undefined ? {} : { certified }), { tls });
    assert.match(await talk.say(EHLO), /^250[ -]AUTH .* EXTERNAL /m);
    assert.deepEqual(await talk.codes('AUTH EXTERNAL =\r\n'), [want]);
  }
});

test('whoever was not judged may come again: 454 (RFC 4954 §6)', async () => {
  for (const change of [
    { problem: { kind: 'throttled' } as const },
    { fault: new Error('directory away') },
  ]) {
    const here = submission(change);
    const talk = new Talk(here, { tls: true });
    await talk.say(EHLO);
    assert.deepEqual(await talk.codes(`AUTH PLAIN ${base64('\0alice\0secret')}\r\n`), ['454 4.7.0']);
    assert.deepEqual(await talk.codes('NOOP\r\n'), ['250 2.0.0']);
  }
});

test('every other reason looks alike (RFC 4954 §6)', async () => {
  const replies = new Set<string>();
  for (const kind of ['refused', 'disabled', 'not-in-scope'] as const) {
    const talk = new Talk(submission({ problem: { kind } }), { tls: true });
    await talk.say(EHLO);
    replies.add(await talk.say(`AUTH PLAIN ${base64('\0alice\0secret')}\r\n`));
    replies.add(await authenticate(talk, client('SCRAM-SHA-256-PLUS', 'secret')));
  }
  assert.deepEqual([...replies], ['535 5.7.8 Authentication credentials invalid\r\n']);
});

test('a token of another authority lets in, and a bad one is answered in JSON before the end (RFC 7628 §3.2.3)', async () => {
  const talk = new Talk(submission({ token: 'good' }), { tls: true });
  await talk.say(EHLO);
  const message = (token: string): string => base64(`n,a=alice,\u0001auth=Bearer ${token}\u0001\u0001`);
  const said = await talk.say(`AUTH OAUTHBEARER ${message('bad')}\r\n`);
  assert.deepEqual(JSON.parse(Buffer.from(said.slice(4), 'base64').toString()), { status: 'invalid_token' });
  assert.deepEqual(await talk.codes('AQ==\r\n'), ['535 5.7.8']);
  assert.deepEqual(
    await talk.codes(`AUTH XOAUTH2 ${base64('user=alice\u0001auth=Bearer bad\u0001\u0001')}\r\n`),
    ['334'],
  );
  assert.deepEqual(await talk.codes('\r\n'), ['535 5.7.8']);
  assert.deepEqual(await talk.codes(`AUTH OAUTHBEARER ${message('good')}\r\n`), ['235 2.7.0']);
});
