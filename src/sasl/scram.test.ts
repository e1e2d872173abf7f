import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { SaslServerStep, ScramClaim, ScramHash, ScramSalt } from './mechanism.ts';
import { saslPrep } from './prepare.ts';
import { saltedPassword, scramClient } from './scram-client.ts';
import type { ScramClientOptions } from './scram-client.ts';
import { formatScramKeys, isProofOf, parseScramKeys, serverSignature, toScramKey } from './scram-key.ts';
import type { ScramKey } from './scram-key.ts';
import { encodeName, parseClientFinal, parseClientFirst, parseServerFirst } from './scram-message.ts';
import { scram } from './scram-server.ts';

const octets = (text: string): Uint8Array => Buffer.from(text, 'utf8');
const text = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('utf8');
const salt = (base64: string, iterations = 4096): ScramSalt => ({
  salt: Buffer.from(base64, 'base64'),
  iterations,
});
const BINDINGS = new Map([
  ['tls-exporter', octets('exported')],
  ['tls-server-end-point', octets('end point')],
]);

async function keyOf(hash: ScramHash, password: string, told: ScramSalt): Promise<ScramKey> {
  return toScramKey(hash, told, await saltedPassword(hash, saslPrep(password) ?? password, told));
}

type Server = {
  readonly hash: ScramHash;
  readonly isPlus?: boolean;
  readonly bindings?: typeof BINDINGS;
  readonly nonce?: string;
};

function begin(
  { hash, isPlus = false, bindings = new Map(), nonce = 'server' }: Server,
  first: string,
): SaslServerStep {
  const channel = { isPrivate: true, bindings, peerCertificate: undefined };
  return scram(hash, isPlus).server({ channel, nonce: () => nonce, tokenHints: {} }, octets(first));
}

/** Goes on with a salt, and gives the server's first message. */
function salted(step: SaslServerStep, told: ScramSalt): Extract<SaslServerStep, { kind: 'challenge' }> {
  assert.ok(step.kind === 'salt-wanted', step.kind);
  const next = step.next(told);
  assert.ok(next.kind === 'challenge');
  return next;
}

function claimOf(
  step: SaslServerStep,
): Extract<SaslServerStep, { kind: 'claim' }> & { readonly claim: ScramClaim } {
  assert.ok(step.kind === 'claim' && step.claim.kind === 'scram', JSON.stringify(step));
  return { ...step, claim: step.claim };
}

const examples = [
  {
    rfc: '5802 §5',
    hash: 'SHA-1',
    clientNonce: 'fyko+d2lbbFgONRv9qkxdawL',
    serverNonce: '3rfcNHYJY1ZVvWVs7j',
    salt: 'QSXCR+Q6sek8bf92',
    proof: 'v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=',
    verifier: 'rmF9pqV8S7suAoZWja4dJRkFsKQ=',
  },
  {
    rfc: '7677 §3',
    hash: 'SHA-256',
    clientNonce: 'rOprNGfwEbeRWgbNEkqO',
    serverNonce: '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
    salt: 'W22ZaJ0SNY7soEsUEjb6gQ==',
    proof: 'dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
    verifier: '6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=',
  },
] as const;
for (const example of examples) {
  const { rfc, hash, clientNonce, serverNonce, proof, verifier } = example;
  const nonce = clientNonce + serverNonce;
  const told = salt(example.salt);
  const first = `n,,n=user,r=${clientNonce}`;
  const final = `c=biws,r=${nonce},p=${proof}`;

  test(`the server says what the example has (RFC ${rfc})`, async () => {
    const challenge = salted(begin({ hash, nonce: serverNonce }, first), told);
    assert.equal(text(challenge.octets), `r=${nonce},s=${example.salt},i=4096`);
    const { claim, accepted } = claimOf(challenge.next(octets(final)));
    assert.equal(claim.authenticationId, 'user');
    const key = await keyOf(hash, 'pencil', told);
    assert.equal(isProofOf(key, claim.authMessage, claim.proof), true);
    const last = accepted?.(serverSignature(key, claim.authMessage));
    assert.ok(last?.kind === 'challenge');
    assert.equal(text(last.octets), `v=${verifier}`);
    assert.equal(last.next(new Uint8Array()).kind, 'done');
    assert.equal(last.next(octets('x')).kind, 'malformed');
  });

  test(`the client says what the example has (RFC ${rfc})`, async () => {
    const options: ScramClientOptions = { hash, binding: 'not-supported', nonce: clientNonce };
    const client = scramClient({ authenticationId: 'user', password: 'pencil' }, options);
    assert.equal(client.mechanism, `SCRAM-${hash}`);
    assert.equal(text(client.initial()), first);
    assert.equal(text(await client.respond(octets(`r=${nonce},s=${example.salt},i=4096`))), final);
    assert.equal(client.isSatisfied(), false, 'the server has proved nothing yet');
    assert.equal(text(await client.respond(octets(`v=${verifier}`))), '');
    assert.equal(client.isSatisfied(), true);
  });
}

const flags = [
  { name: 'n, without bindings', first: 'n,,', want: 'salt-wanted' },
  { name: 'n, although there are bindings', first: 'n,,', bindings: BINDINGS, want: 'salt-wanted' },
  { name: 'y, without bindings', first: 'y,,', want: 'salt-wanted' },
  {
    name: 'y, although -PLUS is offered',
    first: 'y,,',
    bindings: BINDINGS,
    want: 'channel-binding-downgrade',
  },
  { name: 'p without -PLUS', first: 'p=tls-exporter,,', bindings: BINDINGS, want: 'channel-binding-type' },
  { name: '-PLUS with n', isPlus: true, first: 'n,,', bindings: BINDINGS, want: 'channel-binding-missing' },
  { name: '-PLUS with y', isPlus: true, first: 'y,,', bindings: BINDINGS, want: 'channel-binding-downgrade' },
  { name: '-PLUS with p', isPlus: true, first: 'p=tls-exporter,,', bindings: BINDINGS, want: 'salt-wanted' },
  {
    name: '-PLUS with a type that we lack',
    isPlus: true,
    first: 'p=tls-unique,,',
    bindings: BINDINGS,
    want: 'channel-binding-type',
  },
] as const;
for (const { name, first, want, ...server } of flags) {
  test(`channel binding flag: ${name} (RFC 5802 §6)`, () => {
    const step = begin({ hash: 'SHA-256', ...server }, `${first}n=user,r=abc`);
    assert.equal(step.kind === 'refused' ? step.reason : step.kind, want);
  });
}

const firsts = [
  { name: 'an authorization identity', first: 'n,a=other,n=user,r=abc', want: ['other', 'user'] },
  { name: 'a comma and an equals sign', first: 'n,a=a=2Cb,n=c=3Dd,r=abc', want: ['a,b', 'c=d'] },
  { name: 'UTF-8', first: 'n,,n=jürgen,r=abc', want: ['', 'jürgen'] },
  { name: 'an optional extension', first: 'n,,n=user,r=abc,x=y', want: ['', 'user'] },
  {
    name: 'an identity of 1024 octets',
    first: `n,,n=${'u'.repeat(1024)},r=abc`,
    want: ['', 'u'.repeat(1024)],
  },
  { name: 'an identity of 1025 octets', first: `n,,n=${'u'.repeat(1025)},r=abc`, want: undefined },
  { name: 'another equals sign', first: 'n,,n=a=b,r=abc', want: undefined },
  { name: 'an equals sign in small letters', first: 'n,,n=a=2cb,r=abc', want: undefined },
  { name: 'a mandatory extension first', first: 'n,,m=x,n=user,r=abc', want: undefined },
  { name: 'a mandatory extension last', first: 'n,,n=user,r=abc,m=x', want: undefined },
  { name: 'no identity', first: 'n,,n=,r=abc', want: undefined },
  { name: 'no nonce', first: 'n,,n=user,r=', want: undefined },
  { name: 'a nonce with a space', first: 'n,,n=user,r=a b', want: undefined },
  { name: 'another order', first: 'n,,r=abc,n=user', want: undefined },
  { name: 'another flag', first: 'x,,n=user,r=abc', want: undefined },
  { name: 'no flag', first: ',,n=user,r=abc', want: undefined },
  { name: 'a binding without a type', first: 'p=,,n=user,r=abc', want: undefined },
  { name: 'NUL', first: 'n,,n=us\0er,r=abc', want: undefined },
  { name: 'a line end behind it', first: 'n,,n=user,r=abc\n', want: undefined },
  { name: 'nothing', first: '', want: undefined },
];
for (const { name, first, want } of firsts) {
  test(`client-first-message: ${name} (RFC 5802 §7)`, () => {
    const parsed = parseClientFirst(octets(first));
    assert.deepEqual(parsed && [parsed.authorizationId, parsed.authenticationId], want);
  });
}

test('octets that are not UTF-8 are no message (RFC 5802 §7)', () => {
  assert.equal(parseClientFirst(Buffer.from('n,,n=\xff,r=abc', 'latin1')), undefined);
});

const serverFirsts = [
  { name: 'iterations of nothing', first: 'r=abc,s=QQ==,i=0', isGood: false },
  { name: 'iterations with a zero before', first: 'r=abc,s=QQ==,i=04096', isGood: false },
  { name: 'salt that is not base64', first: 'r=abc,s=QR==,i=4096', isGood: false },
  { name: 'a mandatory extension', first: 'r=abc,s=QQ==,i=4096,m=x', isGood: false },
  { name: 'an error', first: 'e=other-error', isGood: false },
  { name: 'an extension', first: 'r=abc,s=QQ==,i=4096,d=x', isGood: true },
];
for (const { name, first, isGood } of serverFirsts)
  test(`server-first-message: ${name} (RFC 5802 §7)`, () =>
    assert.equal(parseServerFirst(octets(first)) !== undefined, isGood));

const distrusted = [
  { name: 'another nonce', first: 'r=xyzserver,s=QQ==,i=4096' },
  { name: 'a nonce to which nothing was added', first: 'r=abc,s=QQ==,i=4096' },
  { name: 'too few iterations', first: 'r=abcserver,s=QQ==,i=4095' },
  { name: 'iterations that would take all day', first: 'r=abcserver,s=QQ==,i=999999999' },
];
for (const { name, first } of distrusted) {
  test(`the client gives up on ${name} (RFC 5802 §5.1)`, async () => {
    const client = scramClient(
      { authenticationId: 'user', password: 'pencil' },
      { hash: 'SHA-256', binding: 'not-supported', nonce: 'abc' },
    );
    client.initial();
    assert.equal(await client.respond(octets(first)), undefined);
    assert.equal(await client.respond(octets('r=abcserver,s=QQ==,i=4096')), undefined, 'and stays so');
  });
}

test('a server that does not know the password is found out (RFC 5802 §5.1)', async () => {
  const options: ScramClientOptions = { hash: 'SHA-256', binding: 'not-supported', nonce: 'abc' };
  for (const last of ['v=AAAA', 'e=other-error', '', `v=${Buffer.alloc(32).toString('base64')}`]) {
    const client = scramClient({ authenticationId: 'user', password: 'pencil' }, options);
    client.initial();
    assert.ok(await client.respond(octets('r=abcserver,s=QQ==,i=4096')));
    assert.equal(await client.respond(octets(last)), undefined, last);
    assert.equal(client.isSatisfied(), false);
  }
});

const prepared = [
  { name: 'soft hyphen to nothing', password: 'I\u00adX', want: 'IX' },
  { name: 'no change', password: 'user', want: 'user' },
  { name: 'case kept', password: 'USER', want: 'USER' },
  { name: 'feminine ordinal by NFKC', password: '\u00aa', want: 'a' },
  { name: 'roman numeral by NFKC', password: '\u2168', want: 'IX' },
  { name: 'no-break space to space', password: 'a\u00a0b', want: 'a b' },
  { name: 'nothing is left', password: '\u200b\ufeff', want: undefined },
];
for (const { name, password, want } of prepared)
  test(`SASLprep: ${name} (RFC 4013 §3)`, () => assert.equal(saslPrep(password), want));

test('keys read back, and what is no key does not (RFC 5803 §2)', async () => {
  const told = salt('QSXCR+Q6sek8bf92');
  const keys = [await keyOf('SHA-256', 'pencil', told), await keyOf('SHA-1', 'pencil', told)];
  const kept = formatScramKeys(keys);
  assert.match(kept, /^SCRAM-SHA-256\$4096:QSXCR\+Q6sek8bf92\$[^ ]{44}:[^ ]{44} SCRAM-SHA-1\$/);
  assert.deepEqual(formatScramKeys(parseScramKeys(kept) ?? []), kept);
  for (const bad of [
    '',
    ' ',
    `${kept} `,
    kept.replace('$4096', '$0'),
    kept.replace('SHA-256$', 'MD5$'),
    kept.slice(0, -8),
  ])
    assert.equal(parseScramKeys(bad), undefined, bad);
});

const word = fc
  .string({ minLength: 1, maxLength: 30, unit: 'grapheme' })
  .filter((one) => !one.includes('\0'));
const hashes = fc.constantFrom<ScramHash>('SHA-1', 'SHA-256');

test('a name reads back as it was', () => {
  fc.assert(
    fc.property(word, (name) => {
      assert.equal(parseClientFirst(octets(`n,,n=${encodeName(name)},r=abc`))?.authenticationId, name);
    }),
  );
});

/** Client and server of ours, with a hand on the wire; true when both are content. */
async function agree(
  hash: ScramHash,
  [name, password, kept]: readonly [string, string, string],
  tamper: (message: string, number: number) => string,
): Promise<boolean> {
  const binding = { type: 'tls-exporter', octets: octets('exported') };
  const client = scramClient({ authenticationId: name, password }, { hash, binding, nonce: 'abc' });
  let number = 0;
  const carry = (message: Uint8Array | undefined): string => {
    const carried = tamper(text(message), number);
    number += 1;
    return carried;
  };
  let step = begin({ hash, isPlus: true, bindings: BINDINGS }, carry(client.initial()));
  const told = salt('QSXCR+Q6sek8bf92');
  const key = await keyOf(hash, kept, told);
  for (;;) {
    if (step.kind === 'salt-wanted') step = step.next(told);
    else if (step.kind === 'claim') {
      assert.ok(step.claim.kind === 'scram' && step.accepted !== undefined);
      if (step.claim.authenticationId !== name || step.claim.authorizationId !== '') return false;
      if (!isProofOf(key, step.claim.authMessage, step.claim.proof)) return false;
      step = step.accepted(serverSignature(key, step.claim.authMessage));
    } else if (step.kind === 'challenge') {
      const response = await client.respond(octets(carry(step.octets)));
      if (response === undefined) return false;
      step = step.next(octets(carry(response)));
    } else return step.kind === 'done' && client.isSatisfied();
  }
}

test('client and server agree on every name and password, and on nothing but the password', async () => {
  await fc.assert(
    fc.asyncProperty(hashes, word, word, word, async (hash, name, password, other) => {
      assert.equal(await agree(hash, [name, password, password], (message) => message), true);
      if (saslPrep(password) === saslPrep(other)) return;
      assert.equal(await agree(hash, [name, password, other], (message) => message), false);
    }),
    { numRuns: 20 },
  );
});

test('whichever message is changed on its way, somebody refuses', async () => {
  await fc.assert(
    fc.asyncProperty(hashes, fc.nat(4), fc.nat(200), fc.nat(255), async (hash, which, place, mask) => {
      let isChanged = false;
      const tamper = (message: string, number: number): string => {
        if (number !== which || message === '') return message;
        const at = place % message.length;
        const changed = `${message.slice(0, at)}${String.fromCharCode(message.charCodeAt(at) ^ (mask || 1))}${message.slice(at + 1)}`;
        isChanged = changed !== message;
        return changed;
      };
      const agreed = await agree(hash, ['user', 'pencil', 'pencil'], tamper);
      assert.equal(agreed, !isChanged);
    }),
    { numRuns: 300 },
  );
});

test('a proof is of one length', async () => {
  const key = await keyOf('SHA-256', 'pencil', salt('QQ=='));
  for (const length of [0, 20, 31, 33]) assert.equal(isProofOf(key, 'x', new Uint8Array(length)), false);
  assert.equal(parseClientFinal(octets('c=biws,r=abc,p=')), undefined);
});
