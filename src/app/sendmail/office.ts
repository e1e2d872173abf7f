/** Which post office `sendmail` belongs to, and who runs it. */
import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { readMaildropInfo } from '../../sendmail/disk/drop.ts';
import type { MaildropInfo } from '../../sendmail/disk/maildrop-folder.ts';
import { defaultDirectory } from '../default-directory.ts';
import { UnixUsers } from '../unix-users.ts';
import { SendmailProblem, SYSEXITS } from './exit-code.ts';

/** Where a server for the whole machine has its maildrop. */
const SYSTEM_FOLDER = '/var/spool/postrider/maildrop';

export type Office = MaildropInfo & { readonly folder: string };
export type Caller = { readonly login: string; readonly fullName: string };

/** The one that `POSTRIDER_MAILDROP` names, else the machine's, else that of this user's `localserve`. */
export async function findOffice(environment: NodeJS.ProcessEnv): Promise<Office> {
  const named = environment['POSTRIDER_MAILDROP'];
  const own = join(defaultDirectory(), 'maildrop');
  const folder = named ?? (existsSync(SYSTEM_FOLDER) ? SYSTEM_FOLDER : own);
  const info = await readMaildropInfo(folder);
  if (info !== undefined) return { folder, ...info };
  throw new SendmailProblem(
    SYSEXITS.tempFail,
    `no Postrider has been at ${folder}; start it once, or name its maildrop in POSTRIDER_MAILDROP`,
  );
}

export function findCaller(environment: NodeJS.ProcessEnv): Caller {
  const uid = process.getuid?.();
  const user = uid === undefined ? undefined : new UnixUsers().byUid(uid);
  const login = user?.name ?? (uid === undefined ? userInfo().username : String(uid));
  const named = environment['NAME'];
  return { login, fullName: named === undefined || named === '' ? (user?.fullName ?? '') : named };
}
