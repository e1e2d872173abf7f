/** `postrider check` on a resolver with a trust anchor of its own, and on domains with and without a postmaster that somebody reads. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { postrider } from '../support/postrider.ts';
import { startUnbound, unboundSkip } from '../support/unbound.ts';

test('check says what is wrong of DANE and of postmasters, and no more', { skip: unboundSkip }, async () => {
  await using dns = await startUnbound([
    { name: 'corp.test', dnssec: 'signed', records: [] },
    { name: 'plain.test', dnssec: 'unsigned', records: [] },
  ]);
  const directory = await mkdtemp(join(tmpdir(), 'postrider-check-'));
  const file = join(directory, 'postrider.toml');
  const check = async (more: string): Promise<unknown> => {
    await writeFile(
      file,
      [
        'hostname = "mail.one.test"',
        `dataDirectory = ${JSON.stringify(join(directory, 'data'))}`,
        'tls.selfSigned = true',
        more,
      ].join('\n'),
    );
    const said: { readonly found: readonly { readonly kind: string; readonly text: string }[] } = JSON.parse(
      await postrider(['check', '--config', file, '--json']),
    );
    assert.ok(said.found.every(({ kind }) => kind === 'warning'));
    return said.found.map(({ text }) => text.replaceAll(/127\.0\.0\.1:?\d*/g, 'DNS'));
  };
  const resolver = (anchors: readonly string[]): string =>
    `[resolver]\nservers = ["127.0.0.1:${dns.port}"]\nanchors = ${JSON.stringify(anchors)}`;
  try {
    assert.deepEqual(await check(resolver([])), [
      'DANE is off: the resolver (DNS) does not validate DNSSEC. If it has trust anchors of its own, name them (resolver.anchors)',
    ]);
    assert.deepEqual(await check(resolver(['corp.test'])), []);
    assert.deepEqual(await check(resolver(['corp.test', 'plain.test'])), [
      'DANE is off for plain.test and what is below it: the resolver (DNS) does not validate it',
    ]);
    const anchored = resolver(['corp.test']);
    for (const domain of ['one.test', 'two.test'])
      await postrider(['domain', 'add', domain, '--config', file]);
    const nobodyAt = (domain: string): string =>
      `Nobody has the address postmaster@${domain} (RFC 5321 §4.5.1): set 'postmaster', or add an account or an alias`;
    assert.deepEqual(await check(anchored), [nobodyAt('one.test'), nobodyAt('two.test')]);
    await postrider([
      'account',
      'add',
      'op@one.test',
      '--password',
      'a long enough secret',
      '--config',
      file,
    ]);
    await postrider(['alias', 'set', 'postmaster@one.test', 'op@one.test', '--config', file]);
    assert.deepEqual(await check(anchored), [nobodyAt('two.test')]);
    assert.deepEqual(await check(`postmaster = "op@one.test"\n${anchored}`), []);
  } finally {
    await rm(directory, { recursive: true });
  }
});
