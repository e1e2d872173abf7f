/** The rule table, by example: what each ring may and may not import. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findCycle, importsOf, layerProblem } from './layers.ts';

const cases = [
  { from: 'src/base/bytes.ts', specifier: 'node:net', want: /may not use node:net/ },
  { from: 'src/imap/wire/command.ts', specifier: 'node:buffer', want: undefined },
  { from: 'src/imap/wire/command.ts', specifier: '../../store/mail-store.ts', want: /may not import/ },
  { from: 'src/imap/wire/command.ts', specifier: '../../store/ids.ts', want: undefined },
  { from: 'src/imap/server/session.ts', specifier: '../wire/command.ts', want: undefined },
  { from: 'src/imap/server/session.ts', specifier: '../../store/mail-store.ts', want: undefined },
  { from: 'src/imap/server/session.ts', specifier: '../../store/embedded/store.ts', want: /ring adapter/ },
  { from: 'src/imap/server/session.ts', specifier: '../../smtp/server/session.ts', want: /one session/ },
  { from: 'src/imap/server/session.ts', specifier: '../../config/config.ts', want: /ring config/ },
  { from: 'src/message/charset.ts', specifier: 'iconv-lite', want: undefined },
  { from: 'src/imap/wire/text.ts', specifier: 'iconv-lite', want: /package iconv-lite/ },
  { from: 'src/store/postgres/store.ts', specifier: 'pg', want: undefined },
  { from: 'src/store/embedded/store.ts', specifier: 'pg', want: /package pg/ },
  {
    from: 'src/dns/system/stub.ts',
    specifier: '@leichtgewicht/ip-codec/x',
    want: /package @leichtgewicht\/ip-codec$/,
  },
  { from: 'src/delivery/remote/relay.ts', specifier: '../../smtp/client/client.ts', want: undefined },
  { from: 'src/delivery/local/deliver.ts', specifier: '../../smtp/server/session.ts', want: /ring session/ },
  { from: 'src/app/compose.ts', specifier: '../store/embedded/store.ts', want: undefined },
  { from: 'src/app/compose.ts', specifier: '../store/mail-store.contract.ts', want: /only tests/ },
  { from: 'src/nowhere/x.ts', specifier: 'node:fs', want: /no ring covers this file/ },
  { from: 'src/imap/server/session.test.ts', specifier: '../../store/memory/store.ts', want: undefined },
] as const;

for (const { from, specifier, want } of cases) {
  test(`${from} imports ${specifier}: ${want === undefined ? 'allowed' : 'refused'}`, () => {
    const found = layerProblem({ from, specifier });
    if (want === undefined) assert.equal(found, undefined);
    else assert.match(found ?? '', want);
  });
}

test('every form of import is seen, comments and strings inside code are not', () => {
  const source = [
    "import { a } from './a.ts';",
    "import type {\n  B,\n} from './b.ts';",
    "export { c } from './c.ts';",
    "import './d.ts';",
    "const e = await import('./e.ts');",
    "  const text = 'import x from nowhere';",
  ].join('\n');
  assert.deepEqual(
    importsOf('src/x.ts', source).map(({ specifier }) => specifier),
    ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts'],
  );
});

test('a cycle is found and told in order', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', []],
    ['d', ['b']],
  ]);
  assert.deepEqual(findCycle(graph), ['b', 'd']);
  assert.equal(findCycle(new Map([['a', ['b']]])), undefined);
});
