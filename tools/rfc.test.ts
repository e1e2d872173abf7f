import assert from 'node:assert/strict';
import { test } from 'node:test';
import { citationsOf } from './rfc.ts';

const cases = [
  { name: 'one section', source: '// RFC 9051 §6.3.12 says', want: ['9051 6.3.12'] },
  { name: 'the end of a sentence', source: '// by RFC 5321 §4.1.1.', want: ['5321 4.1.1'] },
  {
    name: 'several sections',
    source: '/** RFC 9051 §7.1, §7.2 and §8. */',
    want: ['9051 7.1', '9051 7.2', '9051 8'],
  },
  { name: 'several standards', source: '(RFC 2045 §5.1, RFC 2231 §3)', want: ['2045 5.1', '2231 3'] },
  { name: 'the whole', source: 'RFC 1870 and more', want: ['1870 '] },
  { name: 'an appendix', source: 'RFC 4648 §A.1', want: ['4648 A.1'] },
  { name: 'a broken line', source: ' * as RFC\n * 5322 §3.4 has it', want: ['5322 3.4'] },
  { name: 'a table of tests', source: "{ rfc: '5321 §2.3.8', x }", want: ['5321 2.3.8'] },
  { name: 'no citation', source: 'the RFC says', want: [] },
] as const;

for (const { name, source, want } of cases) {
  test(`citations: ${name}`, () => {
    const found = citationsOf('x.ts', source).map(({ rfc, section }) => `${rfc} ${section}`);
    assert.deepEqual(found, want);
  });
}
