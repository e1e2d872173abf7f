import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../../../test/support/fake-clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import type { TokenVerifier } from '../token-verifier.ts';
import { introspection, type IntrospectionOptions } from './introspection.ts';

const CLOCK = new FakeClock();
const NOW = Math.floor(CLOCK.nowMs() / 1000);

function asking(
  answer: () => Response | Promise<Response>,
  change: Partial<IntrospectionOptions> = {},
): {
  readonly asked: [URL | string | Request, RequestInit | undefined][];
  readonly verify: (token: string, network?: string) => ReturnType<TokenVerifier>;
} {
  const asked: [URL | string | Request, RequestInit | undefined][] = [];
  const verifier = introspection({
    url: 'https://login.example/introspect',
    clientId: 'post rider',
    clientSecret: 'se:cret',
    addressField: 'username',
    clock: CLOCK,
    fetch: async (url, init) => {
      asked.push([url, init]);
      return answer();
    },
    ...change,
  });
  const verify = (token: string, network = '192.0.2.1'): ReturnType<TokenVerifier> =>
    verifier(token, { network, isFirst: false });
  return { asked, verify };
}

const json =
  (value: unknown, status = 200): (() => Response) =>
  () =>
    new Response(JSON.stringify(value), { status });

test('the authority is asked as RFC 7662 §2.1 and RFC 6749 §2.3.1 have it', async () => {
  const { asked, verify } = asking(json({ active: true, username: 'alice@a.test' }));
  assert.equal(await verify('a+b/c=='), 'alice@a.test');
  const [[url, init] = []] = asked;
  assert.equal(url, 'https://login.example/introspect');
  assert.equal(init?.method, 'POST');
  assert.equal(init.redirect, 'error');
  assert.equal(init.body, 'token=a%2Bb%2Fc%3D%3D&token_type_hint=access_token');
  const headers = new Headers(init.headers);
  assert.equal(
    headers.get('authorization'),
    `Basic ${Buffer.from('post%20rider:se%3Acret').toString('base64')}`,
  );
  assert.equal(headers.get('content-type'), 'application/x-www-form-urlencoded');
});

const answers = [
  { name: 'active', answer: { active: true, username: 'alice@a.test' }, want: 'alice@a.test' },
  { name: 'not active', answer: { active: false, username: 'alice@a.test' }, want: undefined },
  { name: 'active in words', answer: { active: 'true', username: 'alice@a.test' }, want: undefined },
  { name: 'of nobody', answer: { active: true }, want: undefined },
  { name: 'of a number', answer: { active: true, username: 7 }, want: undefined },
  { name: 'expired', answer: { active: true, username: 'alice@a.test', exp: NOW }, want: undefined },
  {
    name: 'about to expire',
    answer: { active: true, username: 'alice@a.test', exp: NOW + 1 },
    want: 'alice@a.test',
  },
  { name: 'not yet', answer: { active: true, username: 'alice@a.test', nbf: NOW + 1 }, want: undefined },
  {
    name: 'with our scope',
    change: { scope: 'mail' },
    answer: { active: true, username: 'a', scope: 'x mail' },
    want: 'a',
  },
  {
    name: 'without our scope',
    change: { scope: 'mail' },
    answer: { active: true, username: 'a', scope: 'email' },
    want: undefined,
  },
  {
    name: 'for us',
    change: { audience: 'us' },
    answer: { active: true, username: 'a', aud: ['them', 'us'] },
    want: 'a',
  },
  {
    name: 'for us alone',
    change: { audience: 'us' },
    answer: { active: true, username: 'a', aud: 'us' },
    want: 'a',
  },
  {
    name: 'for others',
    change: { audience: 'us' },
    answer: { active: true, username: 'a', aud: 'them' },
    want: undefined,
  },
  {
    name: 'for nobody',
    change: { audience: 'us' },
    answer: { active: true, username: 'a' },
    want: undefined,
  },
  {
    name: 'by another member',
    change: { addressField: 'email' },
    answer: { active: true, username: 'a', email: 'b' },
    want: 'b',
  },
] as const;
for (const { name, answer, want, ...rest } of answers)
  test(`a token: ${name} (RFC 7662 §2.2)`, async () => {
    const { verify } = asking(json(answer), 'change' in rest ? rest.change : {});
    assert.equal(await verify('token'), want);
  });

const failures = [
  { name: 'an error of the authority', answer: json({}, 500) },
  { name: 'our own login refused', answer: json({ error: 'invalid_client' }, 401) },
  { name: 'no JSON', answer: () => new Response('<html>') },
  { name: 'no object', answer: json([true]) },
  { name: 'an answer without end', answer: () => new Response('x'.repeat(LIMITS.tokenAnswerOctetsMax + 1)) },
  { name: 'no connection', answer: () => Promise.reject(new TypeError('fetch failed')) },
];
for (const { name, answer } of failures)
  test(`nobody is refused for it, and nobody let in: ${name} (RFC 7662 §2.3)`, async () => {
    await assert.rejects(asking(answer).verify('token'), Fault);
  });

test('what is good is known for a while, and not beyond its own time; what is not is asked about again', async () => {
  const clock = new FakeClock();
  let exp: number | undefined;
  let active = true;
  const { asked, verify } = asking(
    () => json({ active, username: 'a', ...(exp === undefined ? {} : { exp }) })(),
    { clock },
  );
  await verify('one');
  await verify('one');
  assert.equal(asked.length, 1);
  await clock.advance(LIMITS.verifiedPasswordMs);
  exp = Math.floor(clock.nowMs() / 1000) + 5;
  await verify('one');
  assert.equal(asked.length, 2);
  await clock.advance(6000);
  active = false;
  assert.equal(await verify('one'), undefined);
  assert.equal(await verify('one'), undefined);
  assert.equal(asked.length, 4);
});

test('a network that sends tokens without end turns away its own', async () => {
  const gate = Promise.withResolvers<void>();
  const { verify } = asking(async () => {
    await gate.promise;
    return json({ active: true, username: 'a' })();
  });
  const flood = Array.from(
    { length: LIMITS.tokenQuestionsAtOnceMax + LIMITS.tokenQuestionsWaitingMax },
    (_, at) => verify(`token ${at}`),
  );
  const other = verify('mine', '198.51.100.1');
  const last = assert.rejects(async () => flood.at(-1), Fault);
  gate.resolve();
  assert.equal(await other, 'a');
  await last;
  assert.deepEqual(new Set(await Promise.all(flood.slice(0, -1))), new Set(['a']));
});
