/**
 * GETMETADATA and SETMETADATA. Source: RFC 5464 §3, §4. Annotations of the server are each account's own, but for
 * `/shared/admin`, which is made up and cannot be set (§3.2.1.1): shared ones of the whole server nobody may write.
 */
import type { Principal } from '../../../auth/principal.ts';
import { hasOneOf } from '../../../auth/rights.ts';
import { LIMITS } from '../../../base/limits.ts';
import { err, ok, type Result } from '../../../base/result.ts';
import { unreachable } from '../../../base/unreachable.ts';
import type { AccountId, MailboxId } from '../../../store/ids.ts';
import type { MetadataEntry } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import {
  canBeSet,
  metadataResponse,
  type MetadataDepth,
  type MetadataValue,
} from '../../wire/command/metadata.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { allowed, NO_RIGHT, NO_SUCH_MAILBOX, type Access } from '../mailbox-access.ts';
import type { ImapDeps } from '../ports.ts';
import { isGoodFilter } from '../search/filter.ts';
import type { SignedIn } from '../state.ts';

type GetMetadata = Extract<Command, { verb: 'GETMETADATA' }>;
type SetMetadata = Extract<Command, { verb: 'SETMETADATA' }>;

/** `mailbox` undefined: of the account as a whole. */
type Place = {
  readonly owner: AccountId;
  readonly mailbox: MailboxId | undefined;
  readonly name: string;
};

export async function* getMetadata(
  { principal }: SignedIn,
  command: GetMetadata,
  { deps, enabled }: Context,
): Replies {
  const place = await placeToAnnotate(principal, command.mailbox, deps);
  if (!place.ok) return place.error;
  const { owner, mailbox, name } = place.value;
  const kept = await deps.store.metadata(owner, principal.account, mailbox);
  const all = mailbox === undefined ? [...kept, adminOf(principal)] : kept;
  const found = chosen(all, command.entries, command.depth);
  const { maxSize = Infinity } = command;
  const fitting = found.filter(({ value }) => (value?.length ?? 0) <= maxSize);
  if (fitting.length > 0) yield metadataResponse(name, fitting, enabled.utf8);
  if (fitting.length === found.length) return done('These are the annotations');
  // RFC 5464 §4.2.1: the size of the largest that was left out.
  const largest = found.reduce((size, { value }) => Math.max(size, value?.length ?? 0), 0);
  return {
    status: 'OK',
    code: { kind: 'EXTENSION', text: `METADATA LONGENTRIES ${largest}` },
    text: 'Some are longer',
  };
}

/** Each name once: those asked for and, with DEPTH, those below them. Of a name without anything it is said so. */
export function chosen(
  kept: readonly Pick<MetadataEntry, 'name' | 'value'>[],
  names: readonly string[],
  depth: MetadataDepth,
): readonly MetadataValue[] {
  const found = new Map<string, Uint8Array | null>();
  for (const name of names) {
    const below = kept.filter((entry) => isWithin(entry.name, name, depth));
    for (const entry of below) found.set(entry.name, entry.value);
    if (below.length === 0) found.set(name, null);
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

/** RFC 5464 §4.2.2. */
function isWithin(entry: string, name: string, depth: MetadataDepth): boolean {
  if (entry === name) return true;
  if (depth === 0 || !entry.startsWith(`${name}/`)) return false;
  return depth === 'infinity' || !entry.slice(name.length + 1).includes('/');
}

/** RFC 5464 §3.2.1.1: a URI. RFC 5321 §4.5.1: every domain has a postmaster. */
function adminOf({ address }: Principal): Pick<MetadataEntry, 'name' | 'value'> {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  return { name: '/shared/admin', value: Buffer.from(`mailto:postmaster@${domain}`) };
}

export async function setMetadata(
  { principal }: SignedIn,
  command: SetMetadata,
  { deps, metadata }: Context,
): Promise<Outcome> {
  const { changes } = command;
  if (!changes.every(({ name }) => canBeSet(name)))
    return { status: 'BAD', text: 'Entries have two levels at least, those of vendors four' };
  if (changes.some(({ value }) => (value?.length ?? 0) > LIMITS.metadataValueOctetsMax))
    return {
      status: 'NO',
      code: { kind: 'EXTENSION', text: `METADATA MAXSIZE ${LIMITS.metadataValueOctetsMax}` },
      text: 'A value is too long',
    };
  const place = await placeToAnnotate(principal, command.mailbox, deps);
  if (!place.ok) return place.error;
  const { owner, mailbox } = place.value;
  if (mailbox === undefined && changes.some(({ name }) => name.startsWith('/shared/')))
    return { status: 'NO', code: 'NOPERM', text: 'Shared annotations of the server cannot be set' };
  // RFC 5466 §3.2.
  if (mailbox === undefined && !changes.every(({ name, value }) => isGoodFilter(name, value)))
    return { status: 'NO', code: 'CANNOT', text: 'A filter is a search' };
  const set = await deps.store.setMetadata(owner, principal.account, mailbox, changes);
  if (set.ok) {
    metadata.changedHere(owner, set.value);
    return done('Annotated');
  }
  switch (set.error.kind) {
    case 'no-such-mailbox':
      return NO_SUCH_MAILBOX;
    case 'too-many-entries':
      return {
        status: 'NO',
        code: { kind: 'EXTENSION', text: 'METADATA TOOMANY' },
        text: 'There are too many annotations',
      };
    default:
      return unreachable(set.error);
  }
}

async function placeToAnnotate(
  principal: Principal,
  name: string,
  deps: ImapDeps,
): Promise<Result<Place, Outcome>> {
  if (name === '') return ok({ owner: principal.account, mailbox: undefined, name });
  const access = await allowed(principal, name, 'l', deps);
  if (!access.ok) return access;
  if (!mayAnnotate(access.value)) return err(NO_RIGHT);
  const { owner, node, name: told } = access.value;
  return ok({ owner, mailbox: node.mailbox.id, name: told });
}

/** RFC 5464 §3.3. */
export function mayAnnotate({ rights }: Access): boolean {
  return rights.includes('l') && hasOneOf(rights, 'rswip');
}
