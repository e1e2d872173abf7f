/** The users of this machine, as `/etc/passwd` has them; read again when it has changed. Elsewhere a user is a number. */
import { readFileSync, statSync } from 'node:fs';

export type UnixUser = {
  readonly name: string;
  readonly uid: number;
  /** The person's name, from the first field of GECOS; `&` there stands for the login name. */
  readonly fullName: string;
};

export class UnixUsers {
  readonly #file: string;
  #readAtMs = -1;
  #users: readonly UnixUser[] = [];

  constructor(file = '/etc/passwd') {
    this.#file = file;
  }

  byUid(uid: number): UnixUser | undefined {
    return this.#all().find((user) => user.uid === uid);
  }

  byName(name: string): UnixUser | undefined {
    return this.#all().find((user) => user.name === name);
  }

  nameOf(uid: number): string | undefined {
    return this.byUid(uid)?.name;
  }

  isUser(name: string): boolean {
    return this.#all().some((user) => user.name === name.toLowerCase());
  }

  #all(): readonly UnixUser[] {
    const changedMs = statSync(this.#file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (changedMs === this.#readAtMs) return this.#users;
    this.#readAtMs = changedMs;
    try {
      this.#users = readFileSync(this.#file, 'utf8').split('\n').flatMap(toUser);
    } catch {
      this.#users = [];
    }
    return this.#users;
  }
}

function toUser(line: string): readonly UnixUser[] {
  const [name = '', , uid = '', , gecos = ''] = line.split(':');
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_.-]*\$?$/.test(name) || !/^\d{1,10}$/.test(uid)) return [];
  const [first = ''] = gecos.split(',');
  const fullName = first.replaceAll('&', name.charAt(0).toUpperCase() + name.slice(1)).trim();
  return [{ name, uid: Number(uid), fullName }];
}
