/**
 * Leaves one message in the maildrop, as any user of the machine. It is there when `finish` resolves: whole, on stable
 * storage, and the server's to deliver, whether it runs or not. What is given up leaves nothing.
 */
import { constants } from 'node:fs';
import { open, readFile, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { isAscii } from 'node:buffer';
import { err, ok, type Result } from '../../base/result.ts';
import { encodeDropHead, type DropEnvelope } from '../wire/drop-file.ts';
import {
  FINISHED_MODE,
  infoPath,
  newDropName,
  parseInfo,
  UNFINISHED_MODE,
  type MaildropInfo,
} from './maildrop-folder.ts';

/** What the server said of itself; undefined where no server has been, or somebody else wrote it. */
export async function readMaildropInfo(folder: string): Promise<MaildropInfo | undefined> {
  try {
    const path = infoPath(folder);
    const [owner, file] = await Promise.all([stat(folder), stat(path)]);
    // Everybody may put files there: only the folder's owner speaks for it.
    return owner.uid === file.uid ? parseInfo(await readFile(path, 'utf8')) : undefined;
  } catch {
    return undefined;
  }
}

export class Drop {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #envelope: Omit<DropEnvelope, 'eightBit'>;
  readonly #octetsMax: number;
  #octets = 0;
  #eightBit = false;

  private constructor(
    path: string,
    file: FileHandle,
    envelope: Omit<DropEnvelope, 'eightBit'>,
    octetsMax: number,
  ) {
    this.#path = path;
    this.#file = file;
    this.#envelope = envelope;
    this.#octetsMax = octetsMax;
  }

  /** Throws the system's error. */
  static async begin(
    folder: string,
    envelope: Omit<DropEnvelope, 'eightBit'>,
    octetsMax: number,
    nowMs: number,
  ): Promise<Drop> {
    const path = join(folder, newDropName(nowMs));
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, UNFINISHED_MODE);
    const drop = new Drop(path, file, envelope, octetsMax);
    try {
      await file.write(encodeDropHead({ ...envelope, eightBit: false }));
      return drop;
    } catch (cause) {
      await drop.abort();
      throw cause;
    }
  }

  async write(octets: Uint8Array): Promise<Result<void, 'too-large'>> {
    this.#octets += octets.length;
    if (this.#octets > this.#octetsMax) return err('too-large');
    this.#eightBit ||= !isAscii(octets);
    for (let at = 0; at < octets.length;) at += (await this.#file.write(octets, at)).bytesWritten;
    return ok(undefined);
  }

  async finish(): Promise<void> {
    // The line is as long for either.
    if (this.#eightBit) {
      const head = encodeDropHead({ ...this.#envelope, eightBit: true });
      await this.#file.write(head, 0, head.length, 0);
    }
    await this.#file.sync();
    await this.#file.chmod(FINISHED_MODE);
    await this.#file.sync();
    await this.#file.close();
  }

  async abort(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await rm(this.#path, { force: true });
  }
}
