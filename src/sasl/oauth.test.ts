import assert from 'node:assert/strict';
import { test } from 'node:test';
import { converse } from './converse.ts';
import type { SaslServerStep } from './mechanism.ts';
import { parseOauthBearer, parseXoauth2 } from './oauth.ts';

/** `^` stands for %x01. */
const octets = (text: string): Uint8Array => Buffer.from(text.replaceAll('^', '\u0001'), 'utf8');
const HINTS = {
  scope: 'example_scope',
  openidConfiguration: 'https://example.com/.well-known/openid-config',
};
const TOKEN = 'vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==';

/** Whom the client wants to be and its token, or how it ended. */
function outcome(step: SaslServerStep): string {
  if (step.kind !== 'claim') return step.kind;
  return step.claim.kind === 'token' ? `${step.claim.authorizationId} ${step.claim.token}` : step.claim.kind;
}

const bearers = [
  {
    name: 'the example (RFC 7628 §4.1)',
    message: `n,a=user@example.com,^host=server.example.com^port=143^auth=Bearer ${TOKEN}^^`,
    want: `user@example.com ${TOKEN}`,
  },
  { name: 'no identity', message: `n,,^auth=Bearer ${TOKEN}^^`, want: ` ${TOKEN}` },
  { name: 'y', message: `y,,^auth=Bearer ${TOKEN}^^`, want: ` ${TOKEN}` },
  {
    name: 'the scheme in small letters, and two spaces',
    message: 'n,,^auth=bearer  a.b-c^^',
    want: ' a.b-c',
  },
  { name: 'a comma in the identity', message: 'n,a=a=2Cb,^auth=Bearer x^^', want: 'a,b x' },
  { name: 'keys that nobody knows', message: 'n,,^mthd=POST^auth=Bearer x^qs=^^', want: ' x' },
  { name: 'a binding', message: 'p=tls-exporter,,^auth=Bearer x^^', want: 'refused' },
  {
    name: 'no token: a question (RFC 7628 §4.3)',
    message: 'n,a=user@example.com,^host=server.example.com^port=143^auth=^^',
    want: 'challenge',
  },
  { name: 'another scheme', message: 'n,,^auth=OAuth realm="Example"^^', want: 'challenge' },
  { name: 'two tokens in one', message: 'n,,^auth=Bearer x y^^', want: 'challenge' },
  { name: 'nothing but the last word', message: '^', want: 'malformed' },
  { name: 'no end', message: 'n,,^auth=Bearer x^', want: 'malformed' },
  { name: 'something behind the end', message: 'n,,^auth=Bearer x^^x', want: 'malformed' },
  { name: 'a bad name', message: 'n,a=a=b,^auth=Bearer x^^', want: 'malformed' },
  { name: 'too long', message: `n,,^auth=Bearer ${'x'.repeat(9000)}^^`, want: 'malformed' },
  { name: 'nothing', message: '', want: 'malformed' },
];
for (const { name, message, want } of bearers)
  test(`OAUTHBEARER: ${name} (RFC 7628 §3.1)`, () =>
    assert.equal(outcome(parseOauthBearer(octets(message), HINTS)), want));

const googles = [
  {
    name: 'a token',
    message: 'user=someone@example.com^auth=Bearer ya29.x^^',
    want: 'someone@example.com ya29.x',
  },
  { name: 'no token', message: 'user=someone@example.com^auth=Bearer ^^', want: 'challenge' },
  { name: 'no user', message: 'auth=Bearer x^^', want: 'malformed' },
  { name: 'nothing', message: '', want: 'malformed' },
];
for (const { name, message, want } of googles)
  test(`XOAUTH2: ${name}`, () => assert.equal(outcome(parseXoauth2(octets(message), HINTS)), want));

test('a client is told why its token does not do, and is refused whatever it says (RFC 7628 §3.2.2, §3.2.3)', async () => {
  const heard: string[] = [];
  for (const [begin, answers] of [
    [parseOauthBearer(octets('n,,^auth=Bearer x^^'), HINTS), ['^', '', 'n,,^auth=Bearer y^^']],
    [parseXoauth2(octets('user=a^auth=Bearer x^^'), {}), ['']],
  ] as const)
    for (const answer of answers) {
      const talk = async (challenge: Uint8Array): Promise<Uint8Array | { readonly stop: never }> => {
        heard.push(Buffer.from(challenge).toString());
        return octets(answer);
      };
      const end = await converse(begin, talk, {
        salt: () => assert.fail(),
        isWithClaim: () => true,
        verify: async () => ({ ok: false, error: 'no' }),
      });
      assert.deepEqual(end, { kind: 'problem', problem: 'no' });
    }
  assert.deepEqual(
    [...new Set(heard)].map((said) => JSON.parse(said)),
    [
      { status: 'invalid_token', scope: HINTS.scope, 'openid-configuration': HINTS.openidConfiguration },
      { status: '401', schemes: 'bearer' },
    ],
  );
});

test('where nobody was judged, nothing is said of the token', async () => {
  const end = await converse(parseOauthBearer(octets('n,,^auth=Bearer x^^'), HINTS), () => assert.fail(), {
    salt: () => assert.fail(),
    isWithClaim: () => false,
    verify: async () => ({ ok: false, error: 'come again' }),
  });
  assert.deepEqual(end, { kind: 'problem', problem: 'come again' });
});
