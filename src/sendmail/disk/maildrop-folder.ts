/**
 * The folder of the maildrop. Everybody may put files into it, and nobody but the server can list it or take them out
 * (mode 1733); a file's name holds 128 bits of chance, so nobody finds another's. A file is its writer's alone until it
 * is whole: then it becomes readable. See docs/sendmail.md.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';

export const FOLDER_MODE = 0o1733;
export const UNFINISHED_MODE = 0o600;
/** Whole, and never written again. */
export const FINISHED_MODE = 0o444;

/** What `sendmail` must know of the server, readable by everybody. */
export type MaildropInfo = {
  /** What is put behind addresses without a domain. */
  readonly domain: string;
  readonly messageOctetsMax: number;
  /** Where the server's control socket is found, by those whom the system lets use it. */
  readonly dataDirectory?: string | undefined;
};

export function infoPath(folder: string): string {
  return join(folder, 'postrider.json');
}

/** Sorts by time. */
export function newDropName(nowMs: number): string {
  return `${String(Math.trunc(nowMs)).padStart(14, '0')}-${randomBytes(16).toString('hex')}`;
}

export function isDropName(name: string): boolean {
  return /^\d{14}-[0-9a-f]{32}$/.test(name);
}

export function parseInfo(text: string): MaildropInfo | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(value));
  const domain = fields.get('domain');
  const messageOctetsMax = fields.get('messageOctetsMax');
  if (typeof domain !== 'string' || !/^[A-Za-z0-9.-]{1,255}$/.test(domain)) return undefined;
  if (typeof messageOctetsMax !== 'number') return undefined;
  const dataDirectory = fields.get('dataDirectory');
  return { domain, messageOctetsMax, ...(typeof dataDirectory === 'string' ? { dataDirectory } : {}) };
}
