/** What can be asked about mailboxes that accounts share: docs/sharing.md. */
import type { Account, Directory, DirectoryProblem } from '../../auth/directory.ts';
import { changeRights, formatRights } from '../../auth/rights.ts';
import { formatIdentifier, toIdentifier } from '../../auth/sharing.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { MailboxId } from '../../store/ids.ts';
import { pathOf, toMailboxPath } from '../../store/mailbox-name.ts';
import type { MailStore } from '../../store/mail-store.ts';
import { BadRequest } from './fields.ts';
import type { Fields } from './fields.ts';
import { directoryProblem } from './problem.ts';
import type { ControlProblem } from './problem.ts';

export type ShareView = {
  /** Its path; `null`: all mail of the account. */
  readonly mailbox: string | null;
  /** An account, an alias, or `anyone`; with a dash before it the rights are taken away. */
  readonly identifier: string;
  /** As RFC 4314 §2.1 spells them. */
  readonly rights: string;
};

type Named = { readonly address: string };
type Of = Named & {
  readonly identifier: string;
  /** Left out: all mail. */
  readonly mailbox?: string;
};
type Shown = { readonly shares: readonly ShareView[] };

export type ShareMethods = {
  'share.list': { params: Named; result: Shown };
  /** In the place of the rights that the identifier had there; `+` before them adds, `-` takes away. */
  'share.add': { params: Of & { readonly rights: string }; result: Shown };
  'share.remove': { params: Of; result: Shown };
};

type Ports = { readonly directory: Directory; mailStore(): Promise<MailStore> };
type Answer = Result<Shown, ControlProblem>;

export const SHARE_METHODS: {
  readonly [Method in keyof ShareMethods]: (fields: Fields, ports: Ports) => Promise<Answer>;
} = {
  'share.list': async (fields, ports) => {
    const address = fields.text('address');
    fields.end();
    const account = await ports.directory.accountByAddress(address);
    return account === undefined
      ? err(directoryProblem({ kind: 'not-found' }, address))
      : ok(await shown(account, ports));
  },
  'share.add': async (fields, ports) => {
    const rights = fields.text('rights');
    if (changeRights('', rights) === undefined)
      throw new BadRequest(`${JSON.stringify(rights)} are no rights: see docs/sharing.md`);
    return change(fields, ports, (before) => changeRights(before ?? '', rights) ?? '');
  },
  'share.remove': async (fields, ports) =>
    change(fields, ports, (before) => (before === undefined ? undefined : '')),
};

/** @param next from the rights that there were to those that shall be; undefined refuses with `not-found` */
async function change(
  fields: Fields,
  ports: Ports,
  next: (before: string | undefined) => string | undefined,
): Promise<Answer> {
  const address = fields.text('address');
  const identifier = fields.text('identifier');
  const path = fields.optionalText('mailbox');
  fields.end();
  const { directory } = ports;
  const account = await directory.accountByAddress(address);
  if (account === undefined) return err(directoryProblem({ kind: 'not-found' }, address));
  const paths = await pathsOf(account, ports);
  const wanted = path === undefined ? undefined : toMailboxPath(path);
  const mailbox = [...paths].find(([, one]) => one === wanted)?.[0];
  if (path !== undefined && mailbox === undefined) return err(directoryProblem({ kind: 'not-found' }, path));
  const name = toIdentifier(identifier);
  if (name === undefined) return err(directoryProblem({ kind: 'bad-address' }, identifier));
  const known = formatIdentifier(name);
  const before = (await directory.shares(account.id)).find(
    (share) => share.mailbox === mailbox && share.identifier === known,
  );
  const rights = next(before?.rights);
  if (rights === undefined) return err(directoryProblem({ kind: 'not-found' }, identifier));
  const set = await directory.setShare({ owner: account.id, mailbox, identifier: known, rights });
  return set.ok ? ok(await shown(account, ports)) : err(problemOf(set.error, identifier));
}

function problemOf({ kind }: DirectoryProblem, identifier: string): ControlProblem {
  const subject = JSON.stringify(identifier);
  if (kind === 'in-use') return { kind, message: `${subject} is the owner, who has all rights always` };
  if (kind === 'too-many') return { kind, message: `${subject} would be one too many to share with` };
  return directoryProblem({ kind }, identifier);
}

async function shown(account: Account, ports: Ports): Promise<Shown> {
  const paths = await pathsOf(account, ports);
  const shares = (await ports.directory.shares(account.id)).flatMap(({ mailbox, identifier, rights }) => {
    const path = mailbox === undefined ? null : paths.get(mailbox);
    // Rights on a mailbox that is gone let nobody do anything.
    return path === undefined ? [] : [{ mailbox: path, identifier, rights: formatRights(rights) }];
  });
  return { shares };
}

async function pathsOf({ id }: Account, ports: Ports): Promise<ReadonlyMap<MailboxId, string>> {
  const mailboxes = await (await ports.mailStore()).mailboxes(id);
  const nodes = new Map(mailboxes.map((mailbox) => [mailbox.id, mailbox] as const));
  return new Map(mailboxes.map((mailbox) => [mailbox.id, pathOf(nodes, mailbox.id).join('/')] as const));
}
