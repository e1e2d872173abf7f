import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeVerp, encodeVerp } from './verp.ts';

for (const [owner, recipient, want] of [
  ['owner-list@here.example', 'user@far.example', 'owner-list+user=far.example@here.example'],
  ['bounces@here.example', 'User.Name+x@Far.Example', 'bounces+User.Name+x=Far.Example@here.example'],
  ['bounces@here.example', '"a b"@far.example', '"bounces+a b=far.example"@here.example'],
  ['bounces@here.example', 'a=b@far.example', 'bounces+a=b=far.example@here.example'],
  ['bounces@here.example', `${'x'.repeat(250)}@far.example`, undefined],
  ['no address', 'user@far.example', undefined],
  ['bounces@here.example', 'user', undefined],
] as const)
  test(`the copy for ${recipient.slice(0, 30)} leaves from ${want ?? `${owner} itself`}`, () =>
    assert.equal(encodeVerp(owner, recipient, '+'), want));

test('without subaddresses at the owner nothing is tagged', () =>
  assert.equal(encodeVerp('bounces@here.example', 'user@far.example', ''), undefined));

for (const [detail, want] of [
  ['user=far.example', 'user@far.example'],
  ['a=b=far.example', 'a=b@far.example'],
  ['a b=far.example', '"a b"@far.example'],
  ['lists', undefined],
  ['=far.example', undefined],
  ['user=', undefined],
  ['user=not a domain', undefined],
] as const)
  test(`the detail ${detail} is ${want === undefined ? 'no tag' : `the tag of ${want}`}`, () =>
    assert.equal(decodeVerp(detail), want));

test('what is tagged is read back', () => {
  const local = fc.stringMatching(/^[A-Za-z0-9=+_-]{1,30}$/);
  fc.assert(
    fc.property(local, (user) => {
      const tagged = encodeVerp('bounces@here.example', `${user}@far.example`, '+') ?? '';
      const detail = tagged.slice('bounces+'.length, -'@here.example'.length);
      assert.equal(decodeVerp(detail), `${user}@far.example`);
    }),
  );
});
