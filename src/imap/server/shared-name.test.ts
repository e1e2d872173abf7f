import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { formatSharedName, parseSharedName } from './shared-name.ts';

suite("names of other users' mailboxes (RFC 2342 §5)", () => {
  const cases = [
    { name: 'one of its own', text: 'Work/inbox', want: { kind: 'own', path: 'Work/inbox' } },
    { name: 'its own inbox', text: 'inbox/a', want: { kind: 'own', path: 'INBOX/a' } },
    {
      name: 'another upper level',
      text: 'Other Users2/a/b',
      want: { kind: 'own', path: 'Other Users2/a/b' },
    },
    { name: 'case counts', text: 'other users/a/b', want: { kind: 'own', path: 'other users/a/b' } },
    { name: 'the top', text: 'Other Users', want: { kind: 'above' } },
    { name: 'an owner', text: 'Other Users/a@b.test', want: { kind: 'above' } },
    { name: 'an owner and a delimiter', text: 'Other Users/a@b.test/', want: { kind: 'above' } },
    {
      name: "another's inbox, any case",
      text: 'Other Users/A@b.test/inbox/x',
      want: { kind: 'other', owner: 'a@b.test', path: 'INBOX/x' },
    },
  ];
  for (const { name, text, want } of cases) test(name, () => assert.deepEqual(parseSharedName(text), want));

  test('a delimiter in the address becomes a colon', () => {
    assert.equal(formatSharedName('a/b@c.test', 'INBOX'), 'Other Users/a:b@c.test/INBOX');
  });

  test('what is formatted reads back equal', () => {
    const level = fc.stringMatching(/^[a-z0-9.+ ]{1,8}$/);
    fc.assert(
      fc.property(level, fc.array(level, { minLength: 1, maxLength: 4 }), (local, levels) => {
        const path = ['Work', ...levels].join('/');
        const read = parseSharedName(formatSharedName(`${local}@a.test`, path));
        assert.deepEqual(read, { kind: 'other', owner: `${local}@a.test`, path });
      }),
    );
  });
});
