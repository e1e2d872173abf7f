import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../../test/support/command.ts';
import type { Maildrop, OpenedDrop } from '../maildrop.ts';
import { encodeDropHead } from '../wire/drop-file.ts';
import { Drop, readMaildropInfo } from './drop.ts';
import { openMaildrop } from './maildrop.ts';
import { FINISHED_MODE, infoPath, newDropName } from './maildrop-folder.ts';

const ENVELOPE = {
  sender: 'bob@here.test',
  recipients: ['alice@here.test'],
  notify: undefined,
  ret: undefined,
  envid: undefined,
};
const MAX = 1000;
const INFO = { domain: 'here.test', messageOctetsMax: MAX };

async function inFolder(work: (folder: string, maildrop: Maildrop) => Promise<void>): Promise<void> {
  const parent = await mkdtemp(join(tmpdir(), 'postrider-drop-'));
  const folder = join(parent, 'maildrop');
  try {
    await work(folder, await openMaildrop({ folder, ...INFO, nowMs: () => Date.now() }));
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
}

async function dropped(folder: string, ...pieces: readonly string[]): Promise<void> {
  const drop = await Drop.begin(folder, ENVELOPE, MAX, Date.now());
  for (const piece of pieces) assert.ok((await drop.write(Buffer.from(piece, 'latin1'))).ok);
  await drop.finish();
}

async function contentOf(opened: OpenedDrop): Promise<string> {
  if (opened.kind !== 'message') assert.fail(opened.kind);
  const pieces: Uint8Array[] = [];
  for await (const piece of opened.message.content()) pieces.push(piece);
  await opened.message.close();
  return Buffer.concat(pieces).toString('latin1');
}

test('what was dropped is taken as it was, with who left it', () =>
  inFolder(async (folder, maildrop) => {
    await dropped(folder, 'Subject: hi\r\n\r\n', '\xff\0\r\n');
    const [name = '', ...others] = await maildrop.list();
    assert.deepEqual(others, []);
    const opened = await maildrop.open(name);
    assert.equal(opened.kind, 'message');
    if (opened.kind === 'message') {
      assert.equal(opened.message.uid, process.getuid?.());
      assert.deepEqual(opened.message.envelope, { ...ENVELOPE, eightBit: true });
      assert.equal(opened.message.octets, 19);
    }
    assert.equal(await contentOf(opened), 'Subject: hi\r\n\r\n\xff\0\r\n');
    await maildrop.remove(name);
    assert.deepEqual(await maildrop.list(), []);
  }));

test('anybody may put files there, and nobody else list it; what the server says of itself is its own', () =>
  inFolder(async (folder) => {
    assert.equal((await stat(folder)).mode & 0o7777, 0o1733);
    assert.deepEqual(await readMaildropInfo(folder), INFO);
    await chmod(infoPath(folder), 0o644);
    await writeFile(infoPath(folder), '{"domain":"a b","messageOctetsMax":1}');
    assert.equal(await readMaildropInfo(folder), undefined);
    assert.equal(await readMaildropInfo(join(folder, 'none')), undefined);
  }));

test('a message is nobody’s to see until it is whole, and nothing when it was given up', () =>
  inFolder(async (folder, maildrop) => {
    const drop = await Drop.begin(folder, ENVELOPE, MAX, Date.now());
    await drop.write(Buffer.from('x'));
    const [name = ''] = await maildrop.list();
    assert.equal((await stat(join(folder, name))).mode & 0o777, 0o600);
    assert.equal((await maildrop.open(name)).kind, 'unfinished');
    await drop.abort();
    assert.deepEqual(await maildrop.list(), []);
    assert.equal((await maildrop.open(name)).kind, 'unfinished');
  }));

test('more than is allowed is told while it comes', () =>
  inFolder(async (folder) => {
    const drop = await Drop.begin(folder, ENVELOPE, MAX, Date.now());
    assert.ok((await drop.write(Buffer.alloc(MAX))).ok);
    assert.deepEqual(await drop.write(Buffer.alloc(1)), { ok: false, error: 'too-large' });
    await drop.abort();
  }));

async function plant(folder: string, text: string, mode = FINISHED_MODE): Promise<string> {
  const name = newDropName(Date.now());
  await writeFile(join(folder, name), text);
  await chmod(join(folder, name), mode);
  return name;
}

const head = encodeDropHead({ ...ENVELOPE, eightBit: false }).toString();

test('what others plant is not taken: no envelope, too large, a second name', () =>
  inFolder(async (folder, maildrop) => {
    const hers = await plant(folder, `${head}x`);
    const name = newDropName(Date.now());
    await link(join(folder, hers), join(folder, name));
    for (const [planted, text] of [
      [await plant(folder, 'hello'), 'It has no envelope'],
      [await plant(folder, ''), 'It has no envelope'],
      [await plant(folder, head + 'x'.repeat(MAX + 1)), 'It is too large'],
      [name, 'It has more than one name'],
    ] as const) {
      const opened = await maildrop.open(planted);
      assert.deepEqual(opened, { kind: 'refused', uid: process.getuid?.(), text });
      const asides = async () => (await readdir(folder)).filter((one) => one.startsWith('refused-')).length;
      const before = await asides();
      await maildrop.setAside(planted);
      assert.ok(!(await readdir(folder)).includes(planted));
      assert.equal(await asides(), before + 1);
    }
  }));

test('a folder in the way of what is set aside keeps it from nothing', () =>
  inFolder(async (folder, maildrop) => {
    const planted = await plant(folder, 'hello');
    await mkdir(join(folder, `refused-${planted}`, 'x'), { recursive: true });
    await maildrop.setAside(planted);
    assert.deepEqual(await maildrop.list(), []);
  }));

test('when it was left is what the system says, whatever time its owner gave it', () =>
  inFolder(async (folder, maildrop) => {
    const before = Date.now() - 1000;
    for (const time of [4e10, 0]) {
      const planted = await plant(folder, head);
      await utimes(join(folder, planted), time, time);
      const opened = await maildrop.open(planted);
      if (opened.kind !== 'message') assert.fail(opened.kind);
      assert.ok(opened.message.droppedAtMs > before && opened.message.droppedAtMs < Date.now() + 1000);
      await opened.message.close();
    }
  }));

test('links are not followed, pipes not waited for, folders not read, other files not looked at', () =>
  inFolder(async (folder, maildrop) => {
    const secret = join(folder, '..', 'secret');
    await writeFile(secret, `${head}x`);
    await chmod(secret, FINISHED_MODE);
    const [linked, piped, made] = [newDropName(1e12), newDropName(1e12), newDropName(1e12)];
    await symlink(secret, join(folder, linked));
    assert.equal((await run('mkfifo', ['-m', '444', join(folder, piped)])).code, 0);
    await mkdir(join(folder, made), { mode: 0o444 });
    await writeFile(join(folder, 'note.txt'), 'x');
    for (const name of [linked, piped, made])
      assert.equal((await maildrop.open(name)).kind, 'unfinished', name);
    assert.deepEqual(await maildrop.list(), []);
    assert.equal(await readFile(secret, 'utf8'), `${head}x`);
  }));

test('what was begun and given up long ago goes, what is whole stays', () =>
  inFolder(async (folder, maildrop) => {
    const longAgo = Date.now() - 2 * 86_400_000;
    const names = [];
    for (const mode of [0o600, FINISHED_MODE]) {
      const name = newDropName(longAgo);
      await writeFile(join(folder, name), head);
      await utimes(join(folder, name), longAgo / 1000, longAgo / 1000);
      await chmod(join(folder, name), mode);
      names.push(name);
    }
    await plant(folder, head, 0o600);
    await maildrop.list();
    const left = await maildrop.list();
    assert.equal(left.length, 2);
    assert.ok(!left.includes(names[0] ?? '') && left.includes(names[1] ?? ''));
  }));

test('the oldest comes first, and whoever watches hears of a new one', () =>
  inFolder(async (folder, maildrop) => {
    const late = newDropName(Date.now());
    const early = newDropName(Date.now() - 1000);
    for (const name of [late, early]) await writeFile(join(folder, name), head);
    assert.deepEqual(await maildrop.list(), [early, late]);
    const heard = new EventTarget();
    const watching = maildrop.watch(() => heard.dispatchEvent(new Event('heard')));
    const hears = once(heard, 'heard');
    await dropped(folder, 'x');
    await hears;
    watching.close();
  }));
