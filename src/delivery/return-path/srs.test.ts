import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeSrs, encodeSrs, isSrs, type SrsSettings } from './srs.ts';

/** Day 306 modulo 1024: `JS`. */
const NOW_MS = Date.UTC(2026, 10, 29, 12);
const DAY_MS = 86_400_000;
const OURS = 'ours.example';
const SETTINGS: SrsSettings = { secrets: ['our-very-own-secret'], hashCharacters: 4, ageDaysMax: 21 };
const address = (text: string) => ({ kind: 'address', address: text }) as const;

// Made by PostSRSd 1.10 with the same secret on the same day.
const foreign = [
  ['alice@example.org', 'SRS0=WYSD=JS=example.org=alice@ours.example'],
  ['Bob.Smith+x@Sub.Example.ORG', 'SRS0=6c3+=JS=Sub.Example.ORG=Bob.Smith+x@ours.example'],
  [
    'SRS0=HHHH=TT=orig.example=joe@first.example',
    'SRS1=1MHj=first.example==HHHH=TT=orig.example=joe@ours.example',
  ],
  [
    'SRS0+HHHH=TT=orig.example=joe@first.example',
    'SRS1=PXo7=first.example=+HHHH=TT=orig.example=joe@ours.example',
  ],
] as const;
for (const [sender, rewritten] of foreign)
  test(`${sender} is rewritten as PostSRSd does it, and undone`, () => {
    assert.equal(encodeSrs(sender, OURS, SETTINGS, NOW_MS), rewritten);
    assert.deepEqual(decodeSrs(rewritten, SETTINGS, NOW_MS), address(sender));
    assert.ok(isSrs(rewritten));
  });

test('an SRS1 address keeps its first host and gets our guard: it never grows', () => {
  const before = 'SRS1=HHHH=zero.example==HHHH=TT=orig.example=joe@first.example';
  const after = 'SRS1=oDDB=zero.example==HHHH=TT=orig.example=joe@ours.example';
  assert.equal(encodeSrs(before, OURS, SETTINGS, NOW_MS), after);
  const first = address('SRS0=HHHH=TT=orig.example=joe@zero.example');
  assert.deepEqual(decodeSrs(after, SETTINGS, NOW_MS), first);
});

test('hosts that lower the case of local parts do no harm', () => {
  const lower = 'srs0=wysd=js=example.org=alice@OURS.example';
  assert.deepEqual(decodeSrs(lower, SETTINGS, NOW_MS), address('alice@example.org'));
  assert.deepEqual(decodeSrs(lower.toUpperCase(), SETTINGS, NOW_MS), address('ALICE@EXAMPLE.ORG'));
});

for (const [why, changed] of [
  ['another hash', 'SRS0=WYSE=JS=example.org=alice@ours.example'],
  ['a shorter hash', 'SRS0=WYS=JS=example.org=alice@ours.example'],
  ['another day', 'SRS0=WYSD=JT=example.org=alice@ours.example'],
  ['another domain', 'SRS0=WYSD=JS=example.com=alice@ours.example'],
  ['another local part', 'SRS0=WYSD=JS=example.org=malice@ours.example'],
  ['more than a hash', `SRS0=${'W'.repeat(200)}=JS=example.org=alice@ours.example`],
  ['another first host', 'SRS1=1MHj=second.example==HHHH=TT=orig.example=joe@ours.example'],
] as const)
  test(`${why} is not taken`, () =>
    assert.deepEqual(decodeSrs(changed, SETTINGS, NOW_MS), { kind: 'bad-hash' }));

for (const text of [
  'alice@ours.example',
  'SRS0@ours.example',
  'SRS0=@ours.example',
  'SRS0=a=JS=example.org@ours.example',
  'SRS0=a=J=example.org=alice@ours.example',
  'SRS0=a=\u212aS=example.org=alice@ours.example',
  'SRS0fan=a=JS=example.org=alice@ours.example',
  'SRS1=a=first.example=alice@ours.example',
  'SRS2=a=JS=example.org=alice@ours.example',
  'no address',
])
  test(`${text} is an address like any other`, () => {
    assert.equal(decodeSrs(text, SETTINGS, NOW_MS), undefined);
    assert.equal(isSrs(text), false);
  });

for (const [days, want] of [
  [-1, 'address'],
  [-2, 'expired'],
  [0, 'address'],
  [21, 'address'],
  [22, 'expired'],
  [500, 'expired'],
  [1024 + 21, 'address'],
] as const)
  test(`an address is ${want === 'address' ? 'taken' : 'too old'} ${days} days later, of at most 21`, () => {
    const made = encodeSrs('alice@example.org', OURS, SETTINGS, NOW_MS) ?? '';
    assert.equal(decodeSrs(made, SETTINGS, NOW_MS + days * DAY_MS)?.kind, want);
  });

test('a secret that was replaced proves what it made; the new one makes', () => {
  const made = encodeSrs('alice@example.org', OURS, SETTINGS, NOW_MS) ?? '';
  const rotated = { ...SETTINGS, secrets: ['the-newest-secret-of-all', ...SETTINGS.secrets] };
  assert.deepEqual(decodeSrs(made, rotated, NOW_MS), address('alice@example.org'));
  const next = encodeSrs('alice@example.org', OURS, rotated, NOW_MS) ?? '';
  assert.deepEqual(decodeSrs(next, SETTINGS, NOW_MS), { kind: 'bad-hash' });
});

test('what no local part has room for is not rewritten', () => {
  const long = `${'x'.repeat(240)}@example.org`;
  assert.equal(encodeSrs(long, OURS, SETTINGS, NOW_MS), undefined);
  assert.equal(encodeSrs('no address', OURS, SETTINGS, NOW_MS), undefined);
  assert.equal(encodeSrs('a@b.example', OURS, { ...SETTINGS, secrets: [] }, NOW_MS), undefined);
});

test('whatever the sender is called, it comes back, through two forwarders and in any hash length', () => {
  const local = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,20}$/),
    fc.stringMatching(/^"([ !#-[\]-~]|\\["\\]){0,20}"$/),
    fc.constantFrom('jörg', 'SRS0', 'srs0=', 'SRS0=a=b', 'SRS1==', '"SRS0=a=AB=c d=e"'),
  );
  const host = fc.constantFrom(
    'example.org',
    'Example.ORG',
    '[192.0.2.1]',
    '[IPv6:2001:db8::1]',
    'müller.example',
  );
  const characters = fc.integer({ min: 4, max: 20 });
  fc.assert(
    fc.property(local, host, characters, (name, domain, hashCharacters) => {
      const settings = { ...SETTINGS, hashCharacters };
      const theirs = { ...settings, secrets: ['a-secret-of-another-host'] };
      const sender = `${name}@${domain}`;
      const once = encodeSrs(sender, 'first.example', theirs, NOW_MS);
      assert.ok(once !== undefined);
      const twice = encodeSrs(once, OURS, settings, NOW_MS);
      assert.ok(twice !== undefined);
      const back = decodeSrs(twice, settings, NOW_MS);
      assert.ok(back?.kind === 'address');
      // What looked rewritten before leads to where it was rewritten first, past the forwarders between.
      const original = isSrs(sender) ? back : decodeSrs(back.address, theirs, NOW_MS);
      assert.ok(original?.kind === 'address');
      // The same mailbox: quotes that were not needed are gone.
      assert.equal(unquoted(original.address), unquoted(sender));
    }),
    { numRuns: 500 },
  );
});

function unquoted(text: string): string {
  const at = text.lastIndexOf('@');
  const local = text.slice(0, at);
  const inner = local.startsWith('"') ? local.slice(1, -1).replaceAll(/\\(.)/g, '$1') : local;
  return `${inner}@${text.slice(at + 1)}`;
}
