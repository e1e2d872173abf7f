import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeEntries, encodeEntries } from './entry-form.ts';

test('entries read back, whatever peers have said', () => {
  const value = fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.boolean());
  const entry = fc.record(
    {
      atMs: fc.nat(),
      event: fc.constantFrom('smtp.mail', 'session'),
      fields: fc.dictionary(fc.string(), value),
    },
    { noNullPrototype: true },
  );
  fc.assert(
    fc.property(fc.array(entry), (entries) => {
      assert.deepEqual(
        decodeEntries(encodeEntries(entries)).map(({ fields, ...rest }) => ({
          ...rest,
          fields: { ...fields },
        })),
        entries.map(({ fields, ...rest }) => ({ ...rest, fields: { ...fields } })),
      );
    }),
  );
});

for (const text of [
  '',
  '{',
  '{}',
  '7',
  '[7]',
  '[[1]]',
  '[["1","e",{}]]',
  '[[1,2,{}]]',
  '[[1,"e",null]]',
  '[[1,"e",[]]]',
])
  test(`what is no entry is left out: ${text}`, () => assert.deepEqual(decodeEntries(text), []));
