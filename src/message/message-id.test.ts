import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMessageId, parseMessageIds } from './message-id.ts';

const cases = [
  { name: 'ids in order', input: '<a@b> <c@d>\r\n <e@f>', want: ['a@b', 'c@d', 'e@f'] },
  { name: 'each once', input: '<a@b><a@b>', want: ['a@b'] },
  {
    name: 'comments and phrases are skipped',
    input: '(<x@y>) "<z@w>" Your message of today <a@b>',
    want: ['a@b'],
  },
  {
    name: 'quotes that mean nothing',
    input: '<"01KF8JCEOCBS0045PS"@xxx.yyy.com>',
    want: ['01KF8JCEOCBS0045PS@xxx.yyy.com'],
  },
  { name: 'folded inside', input: '<a@\r\n b>', want: ['a@b'] },
  { name: 'no closing bracket', input: '<a@b <c@d>', want: ['a@b', 'c@d'] },
  { name: 'empty', input: '<> <', want: [] },
  { name: 'no id', input: 'a@b', want: [] },
] as const;
for (const { name, input, want } of cases) {
  test(`${name} (RFC 5256 §3, REFERENCES step 1)`, () => assert.deepEqual(parseMessageIds(input), want));
}

test('of too many the first and the latest are kept', () => {
  const ids = Array.from({ length: 9 }, (_, index) => `${index}@a`);
  assert.deepEqual(parseMessageIds(ids.map((id) => `<${id}>`).join(' '), 3), ['0@a', '7@a', '8@a']);
});

test('a Message-ID without brackets is taken as it is', () => {
  assert.equal(parseMessageId(' a@b '), 'a@b');
  assert.equal(parseMessageId('two words'), undefined);
  assert.equal(parseMessageId('<a@b>'), 'a@b');
});
