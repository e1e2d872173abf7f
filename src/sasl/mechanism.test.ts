import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { loginClient } from './login.ts';
import { parsePlain, plainClient } from './plain.ts';
import { MECHANISMS, mechanismNamed } from './registry.ts';

const text = (value: string): Buffer => Buffer.from(value, 'utf8');

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
      step.kind === 'claim'
        ? [step.claim.authorizationId, step.claim.authenticationId, step.claim.password]
        : undefined;
    assert.deepEqual(got, want);
  });
}

test('PLAIN: octets that are not UTF-8 are refused (RFC 4616 §2)', () => {
  assert.equal(parsePlain(Buffer.from([0, 0xff, 0, 0x70])).kind, 'malformed');
});

test('PLAIN without an initial response gives an empty challenge (RFC 4422 §5)', () => {
  assert.deepEqual(mechanismNamed('plain')?.server().step(undefined), {
    kind: 'challenge',
    octets: new Uint8Array(),
  });
});

test('LOGIN prompts twice, and takes the identity as an initial response too', () => {
  for (const early of [false, true]) {
    const exchange = mechanismNamed('LOGIN')?.server();
    assert.ok(exchange !== undefined);
    if (!early) assert.equal(exchange.step(undefined).kind, 'challenge');
    assert.equal(exchange.step(text('alice')).kind, 'challenge');
    const last = exchange.step(text('secret'));
    assert.ok(last.kind === 'claim');
    assert.deepEqual([last.claim.authenticationId, last.claim.password], ['alice', 'secret']);
  }
});

test('LOGIN refuses an empty identity', () => {
  assert.equal(mechanismNamed('LOGIN')?.server().step(text('')).kind, 'malformed');
});

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

test('what a client says, the server of the same mechanism reads', () => {
  const word = fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' }).filter((s) => !s.includes('\0'));
  fc.assert(
    fc.property(word, word, (authenticationId, password) => {
      for (const client of [plainClient, loginClient]) {
        const mine = client({ authenticationId, password });
        const theirs = mechanismNamed(mine.mechanism)?.server();
        let step = theirs?.step(mine.initial());
        while (step?.kind === 'challenge') step = theirs?.step(mine.respond(step.octets));
        assert.ok(step?.kind === 'claim');
        assert.equal(step.claim.authenticationId, authenticationId);
        assert.equal(step.claim.password, password);
      }
    }),
  );
});

test('no octets make a mechanism throw', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (responses) => {
      for (const mechanism of MECHANISMS) {
        const exchange = mechanism.server();
        for (const response of responses) if (exchange.step(response).kind !== 'challenge') break;
      }
    }),
  );
});

test('base64 reads back', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (o) => assert.deepEqual(decodeBase64(encodeBase64(o)), Buffer.from(o))),
  );
});
