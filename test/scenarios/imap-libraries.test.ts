/** Libraries that web clients and migration tools are made of: Roundcube's in PHP, and Mail::IMAPClient in Perl. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from '../support/command.ts';
import { peer } from '../support/peer.ts';
import { ALICE, startPostrider } from '../support/postrider.ts';

/** Where Debian's package has it, and where CI unpacks that package beside what is installed. */
const ROUNDCUBE = ['/usr/share', '/usr/local/lib/postrider-roundcube/usr/share']
  .map((share) => `${share}/roundcube/program/lib/Roundcube`)
  .find((folder) => existsSync(folder));
const php = peer('php');
const perl = peer('perl');

async function steps(program: string, args: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
  const ran = await run(program, args);
  assert.equal(ran.code, 0, ran.stdout + ran.stderr);
  const lines = ran.stdout.trim().split('\n');
  return new Map(lines.map((line): [string, unknown] => JSON.parse(line)));
}

function supportFile(name: string): string {
  return fileURLToPath(new URL(`../support/${name}`, import.meta.url));
}

function whyNoRoundcube(): string | undefined {
  if (php.skip !== undefined || ROUNDCUBE !== undefined) return php.skip;
  if ((process.env['CI'] ?? '') !== '')
    throw new Error('roundcube-core is not there, and nothing is skipped under CI');
  return 'roundcube-core is not there';
}

test(
  "Roundcube's library looks around, writes, files and tidies up",
  { skip: whyNoRoundcube() },
  async () => {
    await using server = await startPostrider();
    const told = await steps('php', [
      supportFile('roundcube.php'),
      ROUNDCUBE ?? '',
      String(server.port('imaps')),
      ALICE.address,
      ALICE.password,
    ]);
    assert.deepEqual([...told].slice(0, 5), [
      ['namespace', [['', '/']]],
      ['create', true],
      ['append', '1'],
      ['append a reply', '2'],
      ['select', true],
    ]);
    assert.deepEqual(told.get('header 1'), ['Grüße', 'a@b.example', ['SEEN'], 7]);
    assert.deepEqual(told.get('header 2'), ['Re: Grüße', 'a@b.example', [], 7]);
    assert.deepEqual(told.get('sort'), ['1', '2']);
    assert.deepEqual(told.get('thread'), { '1': { '2': [] } });
    assert.deepEqual(told.get('search'), ['1', '2']);
    assert.equal(told.get('part'), 'Grüße an alle');
    assert.deepEqual(told.get('counts'), [1, 1, 1]);
    assert.deepEqual(told.get('annotation'), { Web: { '/private/comment': 'mine' } });
    for (const step of ['flag', 'move', 'rights', 'rename', 'subscribe', 'clear', 'delete'])
      assert.equal(told.get(step), true, step);
  },
);

test('Mail::IMAPClient, as imapsync uses it', { skip: perl.skip }, async (t) => {
  const there = await run('perl', ['-MMail::IMAPClient', '-e', '1']);
  if (there.code !== 0) {
    assert.equal(process.env['CI'] ?? '', '', 'Mail::IMAPClient is not installed');
    return t.skip('Mail::IMAPClient is not installed');
  }
  await using server = await startPostrider();
  const args = [
    supportFile('mail-imapclient.pl'),
    String(server.port('imaps')),
    ALICE.address,
    ALICE.password,
  ];
  const told = await steps('perl', args);
  assert.deepEqual(Object.fromEntries(told), {
    folders: ['Archive', 'Drafts', 'INBOX', 'Junk', 'Sent', 'Trash'],
    create: 1,
    append: '1',
    search: ['1'],
    fetch: { FLAGS: '\\Flagged', INTERNALDATE: ' 2-Feb-2026 10:00:00 +0000', 'RFC822.SIZE': '19' },
    octets: 'Subject: one\r\n\r\nx\r\n',
    copy: '1',
    expunge: 1,
    count: '0',
    idle: 1,
    delete: 1,
  });
});
