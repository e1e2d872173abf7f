/** A disk that is full: what comes is refused for now, what is there can be read, and all goes on once there is room. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ALICE, startPostrider } from '../support/postrider.ts';
import { ImapLink, readOctets, seeMailbox } from './imap-link.ts';
import { isLetter, letterOf } from './letter.ts';
import { SmtpLink } from './smtp-link.ts';

const MAIN = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const TRIES_MAX = 400;
/** Lets the logs of the databases and the first messages in. */
const ROOM_LEFT = 3_000_000;

/** A disk of our own, so small that it can be filled; only root may have one. */
function mountSmall(): (Disposable & { readonly path: string }) | undefined {
  const path = mkdtempSync(join(tmpdir(), 'postrider-disk-'));
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', path]).status !== 0) {
    rmdirSync(path);
    return undefined;
  }
  return {
    path,
    [Symbol.dispose]: () => {
      execFileSync('umount', [path]);
      rmdirSync(path);
    },
  };
}

function freeOctets(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

async function send(link: SmtpLink, token: string, octets: number): Promise<number> {
  link.write('MAIL FROM:<torture@sender.example>\r\n');
  const { code } = await link.reply();
  if (code !== 250) return code;
  link.write('RCPT TO:<alice@example.test>\r\n');
  const rcpt = await link.reply();
  if (rcpt.code !== 250) {
    link.write('RSET\r\n');
    await link.must(250);
    return rcpt.code;
  }
  link.write('DATA\r\n');
  await link.must(354);
  link.write(letterOf(token, octets));
  link.write('.\r\n');
  return (await link.reply()).code;
}

test('a full disk refuses for now, and nothing else', async (t) => {
  using disk = mountSmall();
  if (disk === undefined) return t.skip('only root can mount a small disk');
  const directory = join(disk.path, 'data');
  const ballast = join(disk.path, 'ballast');
  await using server = await startPostrider({ directory });
  const smtp = await SmtpLink.open(server.port('smtp'), 'EHLO');
  const imap = await ImapLink.open(server.port('imaps'), ALICE);
  const accepted: string[] = [];
  const deliver = async (token: string, octets: number): Promise<number> => {
    const code = await send(smtp, token, octets);
    if (code === 250) accepted.push(token);
    return code;
  };
  for (let count = 0; count < 10; count += 1) assert.equal(await deliver(`first${count}`, 5000), 250);

  // A file of somebody else fills the disk up.
  writeFileSync(ballast, Buffer.alloc(Math.max(0, freeOctets(disk.path) - ROOM_LEFT)));
  const refusals = new Set<number>();
  for (let count = 0; count < TRIES_MAX && refusals.size === 0; count += 1) {
    // Small and large ones go to the disk on two ways.
    const code = await deliver(`full${count}`, count % 5 === 4 ? 1_300_000 : 60_000);
    if (code !== 250) refusals.add(code);
  }
  writeFileSync(join(disk.path, 'rest'), Buffer.alloc(Math.max(0, freeOctets(disk.path))));
  for (let count = 0; count < 20; count += 1) refusals.add(await deliver(`over${count}`, 60_000));
  refusals.delete(250);
  assert.ok(refusals.size > 0, 'nothing was refused');
  // RFC 5321 §4.2.3: 452 insufficient system storage, 451 local error in processing.
  for (const code of refusals) assert.ok(code === 451 || code === 452, `refused with ${code}`);
  const append = await imap.run(['APPEND INBOX ', letterOf('append', 200_000)]);
  assert.equal(append.status, 'NO', `${append.code} ${append.text}`);
  assert.equal(append.code, 'UNAVAILABLE', append.text);

  // Reading goes on, for those who are there and for those who come.
  const reader = await ImapLink.open(server.port('imaps'), ALICE);
  const there = await seeMailbox(reader, 'INBOX');
  assert.deepEqual(new Set(there.messages.map(({ token }) => token)), new Set(accepted));
  const octets = await readOctets(reader, '1:*');
  for (const { uid, token } of there.messages)
    assert.ok(isLetter(octets.get(uid) ?? Buffer.alloc(0), token), `${token} has other octets`);

  rmSync(ballast);
  rmSync(join(disk.path, 'rest'));
  for (let count = 0; count < 10; count += 1) assert.equal(await deliver(`after${count}`, 20_000), 250);
  assert.equal((await imap.run(['APPEND INBOX ', letterOf('appended', 20_000)])).status, 'OK');
  const after = await seeMailbox(reader, 'INBOX');
  assert.deepEqual(after.messages.map(({ token }) => token).toSorted(), [...accepted, 'appended'].toSorted());
  for (const link of [smtp, imap, reader]) link.close();
  assert.equal(await server.stop(), 0, server.output());
  const checked = spawnSync(process.execPath, [MAIN, 'fsck', '--dir', directory], { encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
});
