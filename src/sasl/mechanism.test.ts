import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { loginClient } from './login.ts';
import { parsePlain, plainClient } from './plain.ts';
import type { ChannelCertificate, SaslChannel, SaslServerStep } from './mechanism.ts';
import { MECHANISMS, mechanismNamed, offeredMechanisms } from './registry.ts';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');
const CHANNEL: SaslChannel = { isPrivate: true, bindings: new Map(), peerCertificate: undefined };
const CERTIFICATE: ChannelCertificate = { der: text('certificate'), isVerified: true };

function begin(
  name: string,
  initial: Uint8Array | undefined,
  channel: SaslChannel = CHANNEL,
): SaslServerStep {
  const mechanism = mechanismNamed(name);
  assert.ok(mechanism !== undefined, name);
  return mechanism.server({ channel, nonce: () => 'nonce', tokenHints: {} }, initial);
}

function respond(step: SaslServerStep, ...responses: readonly string[]): SaslServerStep {
  let last = step;
  for (const response of responses) {
    assert.equal(last.kind, 'challenge');
    if (last.kind === 'challenge') last = last.next(text(response));
  }
  return last;
}

const plainCases = [
  { name: 'identity and password', input: '\0tim\0tanstaaftanstaaf', want: ['', 'tim', 'tanstaaftanstaaf'] },
  { name: 'authorization identity', input: 'Ursel\0Kurt\0xipj3plmq', want: ['Ursel', 'Kurt', 'xipj3plmq'] },
  { name: 'UTF-8', input: '\0jürgen@example.test\0pässword', want: ['', 'jürgen@example.test', 'pässword'] },
  { name: 'part of 1024 octets', input: `\0a\0${'p'.repeat(1024)}`, want: ['', 'a', 'p'.repeat(1024)] },
  { name: 'part of 1025 octets', input: `\0a\0${'p'.repeat(1025)}`, want: undefined },
  { name: 'no NUL', input: 'tim', want: undefined },
  { name: 'one NUL', input: 'tim\0secret', want: undefined },
  { name: 'three NULs', input: '\0tim\0secret\0', want: undefined },
  { name: 'no identity', input: '\0\0secret', want: undefined },
  { name: 'no password', input: '\0tim\0', want: undefined },
  { name: 'nothing', input: '', want: undefined },
] as const;
for (const { name, input, want } of plainCases) {
  test(`PLAIN: ${name} (RFC 4616 §2)`, () => {
    const step = parsePlain(text(input));
    const got =
      step.kind === 'claim' && step.claim.kind === 'password'
        ? [step.claim.authorizationId, step.claim.authenticationId, step.claim.password]
        : undefined;
    assert.deepEqual(got, want);
  });
}

test('PLAIN: octets that are not UTF-8 are refused (RFC 4616 §2)', () => {
  assert.equal(parsePlain(Buffer.from([0, 0xff, 0, 0x70])).kind, 'malformed');
});

test('PLAIN without an initial response gives an empty challenge (RFC 4422 §5)', () => {
  const step = begin('plain', undefined);
  assert.deepEqual(step.kind === 'challenge' && step.octets, new Uint8Array());
});

test('LOGIN prompts twice, and takes the identity as an initial response too', () => {
  for (const early of [false, true]) {
    const step = begin('LOGIN', early ? text('alice') : undefined);
    const last = respond(step, ...(early ? ['secret'] : ['alice', 'secret']));
    assert.ok(last.kind === 'claim' && last.claim.kind === 'password');
    assert.deepEqual([last.claim.authenticationId, last.claim.password], ['alice', 'secret']);
  }
});

test('LOGIN refuses an empty identity', () => {
  assert.equal(begin('LOGIN', text('')).kind, 'malformed');
});

const externalCases = [
  { name: 'the identity of the certificate', input: '', want: '' },
  { name: 'another identity', input: 'fred@example.com', want: 'fred@example.com' },
  { name: 'UTF-8', input: 'jürgen@example.test', want: 'jürgen@example.test' },
  { name: 'NUL', input: 'a\0b', want: undefined },
  { name: 'identity of 1025 octets', input: 'a'.repeat(1025), want: undefined },
];
for (const { name, input, want } of externalCases) {
  test(`EXTERNAL: ${name} (RFC 4422 §A.1)`, () => {
    const step = begin('EXTERNAL', text(input), { ...CHANNEL, peerCertificate: CERTIFICATE });
    assert.equal(step.kind === 'claim' ? step.claim.authorizationId : undefined, want);
  });
}

test('EXTERNAL needs a certificate (RFC 4422 §A.1)', () => {
  assert.equal(begin('EXTERNAL', text('')).kind, 'refused');
});

const PLUS = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'];
const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-1'];
const TOKENS = ['OAUTHBEARER', 'XOAUTH2'];
const offers = [
  { name: 'in plain, nothing', channel: { isPrivate: false }, want: [] },
  { name: 'under TLS without a binding', channel: {}, want: [...SCRAM, ...TOKENS, 'PLAIN', 'LOGIN'] },
  {
    name: 'under TLS with a binding',
    channel: { bindings: new Map([['tls-exporter', text('x')]]) },
    want: [...PLUS, ...SCRAM, ...TOKENS, 'PLAIN', 'LOGIN'],
  },
  {
    name: 'to a client with a certificate',
    channel: { peerCertificate: CERTIFICATE },
    want: [...SCRAM, 'EXTERNAL', ...TOKENS, 'PLAIN', 'LOGIN'],
  },
];
for (const { name, channel, want } of offers) {
  test(`what is offered ${name} (RFC 4422 §3.1, RFC 5802 §6)`, () => {
    const all = new Set(MECHANISMS.map((mechanism) => mechanism.name));
    const offered = offeredMechanisms(all, { ...CHANNEL, ...channel });
    assert.deepEqual(
      offered.map((mechanism) => mechanism.name),
      want,
    );
  });
}

const base64Cases = [
  { input: '', want: '' },
  { input: 'AGE=', want: '\0a' },
  { input: 'AGE', want: undefined },
  { input: 'AG E=', want: undefined },
  { input: 'AGF=', want: undefined },
  { input: '*', want: undefined },
  { input: '====', want: undefined },
  { input: '-_-_', want: undefined },
];
for (const { input, want } of base64Cases) {
  test(`base64 "${input}" (RFC 4648 §4)`, () => assert.equal(decodeBase64(input)?.toString(), want));
}

test('what a client says, the server of the same mechanism reads', async () => {
  const word = fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' }).filter((s) => !s.includes('\0'));
  await fc.assert(
    fc.asyncProperty(word, word, async (authenticationId, password) => {
      for (const client of [plainClient, loginClient]) {
        const mine = client({ authenticationId, password });
        let step = begin(mine.mechanism, mine.initial());
        while (step.kind === 'challenge') {
          const response = await mine.respond(step.octets);
          assert.ok(response !== undefined);
          step = step.next(response);
        }
        assert.ok(step.kind === 'claim' && step.claim.kind === 'password');
        assert.equal(step.claim.authenticationId, authenticationId);
        assert.equal(step.claim.password, password);
      }
    }),
  );
});

test('no octets make a mechanism throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (responses) => {
      for (const { name } of MECHANISMS) {
        let step = begin(name, undefined, { ...CHANNEL, peerCertificate: CERTIFICATE });
        for (const response of responses) if (step.kind === 'challenge') step = step.next(response);
      }
    }),
  );
});

test('base64 reads back', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (o) => assert.deepEqual(decodeBase64(encodeBase64(o)), Buffer.from(o))),
  );
});
