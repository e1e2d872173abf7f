import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { seededRandom } from '../../test/support/world.ts';
import { MemoryDirectory } from '../auth/memory/directory.ts';
import type { SaslClaim } from '../sasl/mechanism.ts';
import { scramClient } from '../sasl/scram-client.ts';
import { scram } from '../sasl/scram-server.ts';
import { converse } from '../sasl/converse.ts';
import { SignInOffer, verifyClaim, type SignInOptions } from './sign-in.ts';

async function people(): Promise<MemoryDirectory> {
  const directory = new MemoryDirectory({ clock: new FakeClock(), random: seededRandom() });
  await directory.addDomain('a.test');
  await directory.addAccount({ address: 'alice@a.test', password: 'right' });
  await directory.addAccount({ address: 'bob@a.test', password: 'right' });
  return directory;
}

type Settings = SignInOptions['config']['signIn'];

function offer(
  directory: MemoryDirectory,
  change: Partial<Settings>,
  faults: unknown[] = [],
): SignInOffer & { clock: FakeClock } {
  const clock = new FakeClock();
  const signIn: Settings = { scram: 'when-ready', channelBinding: true, plain: true, ...change };
  const options = {
    config: { signIn },
    directory,
    clock,
    random: seededRandom(),
    onFault: (cause: unknown) => void faults.push(cause),
  };
  return Object.assign(new SignInOffer(options), { clock });
}

const ALL = [
  'SCRAM-SHA-256',
  'SCRAM-SHA-1',
  'SCRAM-SHA-256-PLUS',
  'SCRAM-SHA-1-PLUS',
  'EXTERNAL',
  'PLAIN',
  'LOGIN',
];
const settings: readonly (readonly [string, Partial<Settings>, readonly string[]])[] = [
  ['everything', {}, ALL],
  ['always', { scram: 'always' }, ALL],
  ['no SCRAM', { scram: 'never' }, ['EXTERNAL', 'PLAIN', 'LOGIN']],
  [
    'no channel binding',
    { channelBinding: false },
    ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'EXTERNAL', 'PLAIN', 'LOGIN'],
  ],
  ['no password in sight', { plain: false }, ALL.slice(0, 5)],
];
for (const [name, change, want] of settings) {
  test(`what is allowed: ${name}`, async () => {
    const offered = offer(await people(), change);
    await offered.check();
    assert.deepEqual([...offered.allowed()], want);
  });
}

test('SCRAM waits until nobody is without keys, and is looked for now and then', async () => {
  const directory = await people();
  let isReady = false;
  let asked = 0;
  const everybody = await directory.accounts();
  directory.accountsWithoutScram = async () => {
    asked += 1;
    if (asked === 2) throw new Error('away');
    return isReady ? [] : everybody;
  };
  const faults: unknown[] = [];
  const offered = offer(directory, {}, faults);
  const hasScram = async (): Promise<boolean> => {
    offered.allowed();
    await Promise.resolve();
    await Promise.resolve();
    return offered.allowed().has('SCRAM-SHA-256');
  };
  await offered.check();
  assert.equal(await hasScram(), false);
  assert.equal(asked, 1, 'not at every connection');
  await offered.clock.advance(60_000);
  assert.equal(await hasScram(), false);
  assert.equal(faults.length, 1);
  isReady = true;
  await offered.clock.advance(60_000);
  assert.equal(await hasScram(), true);
  isReady = false;
  await offered.clock.advance(600_000);
  assert.equal(await hasScram(), true);
  assert.equal(asked, 3);
});

const password = { kind: 'password', mechanism: 'PLAIN', password: 'right' } as const;
const identities: readonly (readonly [string, SaslClaim, string])[] = [
  ['none', { ...password, authorizationId: '', authenticationId: 'alice@a.test' }, 'alice@a.test'],
  [
    'its own',
    { ...password, authorizationId: 'ALICE@A.test', authenticationId: 'alice@a.test' },
    'alice@a.test',
  ],
  ["another's", { ...password, authorizationId: 'bob@a.test', authenticationId: 'alice@a.test' }, 'refused'],
  ["nobody's", { ...password, authorizationId: 'x', authenticationId: 'alice@a.test' }, 'refused'],
];
for (const [name, claim, want] of identities) {
  test(`an authorization identity: ${name} (RFC 4422 §3.4.1)`, async () => {
    const answer = await verifyClaim({ directory: await people() }, claim, 'imap', '192.0.2.1');
    assert.equal(answer.ok ? answer.value.identity.address : answer.error.kind, want);
  });
}

test('a whole exchange by SCRAM, for oneself and for another (RFC 5802 §5.1)', async () => {
  const signIn = offer(await people(), {}).signIn('imap');
  const nonce = (): string => signIn.nonce();
  const channel = { isPrivate: true, bindings: new Map(), peerCertificate: undefined };
  for (const [authorizationId, want] of [
    ['', 'accepted'],
    ['alice@a.test', 'accepted'],
    ['bob@a.test', 'problem'],
  ] as const) {
    const credentials = { authorizationId, authenticationId: 'alice@a.test', password: 'right' };
    const client = scramClient(credentials, { hash: 'SHA-256', binding: 'not-supported', nonce: nonce() });
    const begin = scram('SHA-256', false).server({ channel, nonce, tokenHints: {} }, client.initial());
    const talk = async (challenge: Uint8Array): Promise<Uint8Array | { readonly stop: string }> =>
      (await client.respond(challenge)) ?? { stop: 'gave up' };
    const end = await converse(begin, talk, signIn.verifier({ address: '192.0.2.1', port: 1 }));
    assert.equal(end.kind, want);
    assert.equal(client.isSatisfied(), want === 'accepted');
  }
});

test('a certificate that is kept lets in, whatever is in it', async () => {
  const directory = await people();
  const alice = await directory.accountByAddress('alice@a.test');
  const der = Buffer.from('not even a certificate');
  if (alice !== undefined)
    await directory.addCertificate(alice.id, createHash('sha256').update(der).digest('hex'));
  for (const isVerified of [true, false]) {
    const claim = {
      kind: 'certificate',
      mechanism: 'EXTERNAL',
      authorizationId: '',
      certificate: { der, isVerified },
    } as const;
    const answer = await verifyClaim({ directory }, claim, 'imap', '192.0.2.1');
    assert.equal(answer.ok && answer.value.identity.address, 'alice@a.test');
  }
});

test('a trusted host vouches for an account that is there and not disabled', async () => {
  const directory = await people();
  const bob = await directory.accountByAddress('bob@a.test');
  assert.ok(bob !== undefined);
  await directory.setAccount(bob.id, { disabled: true });
  const signIn = offer(directory, {}).signIn('smtp');
  const alice = await signIn.vouchedFor('Alice@A.test');
  assert.ok(alice.ok);
  assert.deepEqual([alice.value.address, alice.value.authenticationId], ['alice@a.test', 'Alice@A.test']);
  assert.deepEqual(await signIn.vouchedFor('bob@a.test'), { ok: false, error: { kind: 'disabled' } });
  for (const name of ['carol@a.test', 'alice', ''])
    assert.deepEqual(await signIn.vouchedFor(name), { ok: false, error: { kind: 'refused' } });
});
