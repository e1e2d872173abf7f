/**
 * LIST, LSUB and NAMESPACE. Source: RFC 9051 §6.3.9, §6.3.10; RFC 5258 (extended), RFC 5819 (STATUS), RFC 9590 (METADATA), RFC 6154
 * (special uses), RFC 8440 (MYRIGHTS), RFC 3501 §6.3.9 (LSUB); RFC 4314 §4 (who sees what), RFC 2342 §5 (other users).
 */
import type { Principal } from '../../../auth/principal.ts';
import { formatRights } from '../../../auth/rights.ts';
import type { AccountId, MailboxId } from '../../../store/ids.ts';
import type { MetadataEntry } from '../../../store/mail-store.ts';
import type { Command } from '../../wire/command.ts';
import { myRightsResponse } from '../../wire/command/acl.ts';
import { metadataResponse } from '../../wire/command/metadata.ts';
import { compileListPattern, matchesListPattern, type ListPattern } from '../../wire/list-pattern.ts';
import type { Untagged } from '../../wire/response.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import { accessOf, ownMail, sharedMails, type Access, type Mail } from '../mailbox-access.ts';
import { DELIMITER, specialUse } from '../mailbox-tree.ts';
import type { ImapDeps } from '../ports.ts';
import { isUpperLevel, normalName, OTHER_USERS } from '../shared-name.ts';
import type { SignedIn } from '../state.ts';
import { chosen, mayAnnotate } from './metadata.ts';
import { statusOf } from './status.ts';

type List = Extract<Command, { verb: 'LIST' }>;
type Lsub = Extract<Command, { verb: 'LSUB' }>;

/** What LIST says of a name, without subscription. What another's mailbox is for, it is for its owner. */
export function listAttributes({ node: { hasChildren, mailbox }, isOwn }: Access): readonly string[] {
  const use = isOwn ? specialUse(mailbox.role) : undefined;
  const children = hasChildren ? '\\HasChildren' : '\\HasNoChildren';
  return use === undefined ? [children] : [children, use];
}

/** The LIST response for one mailbox; `asked` is told where that is another form of its name (RFC 9051 §6.3.9.7). */
export function listOf(access: Access, asked: string): Untagged {
  return {
    kind: 'list',
    attributes: listAttributes(access),
    delimiter: DELIMITER,
    mailbox: access.name,
    ...(asked === access.name ? {} : { oldName: asked }),
  };
}

export async function* list({ principal }: SignedIn, command: List, { deps, enabled }: Context): Replies {
  const { reference, patterns, selection, returns, extended } = command;
  // RFC 9051 §6.3.9: an empty pattern asks for the delimiter and the root of the reference.
  if (!extended && patterns.length === 1 && patterns[0] === '') {
    const root = reference.includes(DELIMITER) ? reference.slice(0, reference.indexOf(DELIMITER) + 1) : '';
    yield { kind: 'list', attributes: ['\\Noselect'], delimiter: DELIMITER, mailbox: root };
    return done('Listed');
  }
  const compiled = patterns.map((pattern) => compile(reference, pattern));
  const mails = await mailsFor(principal, compiled.some(reachesOthers), deps);
  const found = visible(mails);
  const wantsSubscribed = selection.has('SUBSCRIBED');
  const subscribed =
    wantsSubscribed || returns.subscribed
      ? new Set(await deps.store.subscriptions(principal.account))
      : new Set<string>();
  // RFC 7162 §3.1.2: as with STATUS itself.
  if (returns.status.includes('HIGHESTMODSEQ')) enabled.condstore = true;
  const annotations =
    returns.metadata.length > 0 ? await annotationsOf(mails, principal.account, deps) : NONE;
  const matches = (path: string): boolean => compiled.some((pattern) => matchesListPattern(pattern, path));
  const selectsAll = !wantsSubscribed && !selection.has('SPECIAL-USE');
  const isChosen = (path: string): boolean =>
    (!wantsSubscribed || subscribed.has(path)) && (!selection.has('SPECIAL-USE') || hasUse(found.get(path)));

  const levels = selectsAll ? levelsOver(found, compiled) : [];
  const namesWhere = (own: boolean): readonly string[] =>
    [...found.values()].flatMap(({ isOwn, name }) => (isOwn === own ? [name] : []));
  const known = [...namesWhere(true), ...levels, ...namesWhere(false)];
  const names = namesOf(known, wantsSubscribed ? subscribed : []);
  const parents = selection.has('RECURSIVEMATCH')
    ? parentsOfUnseen(names, isChosen, matches)
    : new Set<string>();
  const onlyLevels = new Set(levels);
  for (const path of names) {
    if (!matches(path)) continue;
    const childInfo = parents.has(path);
    if (!isChosen(path) && !childInfo) continue;
    const access = found.get(path);
    const attributes = [
      ...(access !== undefined
        ? listAttributes(access)
        : onlyLevels.has(path)
          ? ['\\Noselect', '\\HasChildren']
          : ['\\NonExistent']),
      ...(subscribed.has(path) ? ['\\Subscribed'] : []),
    ];
    yield {
      kind: 'list',
      attributes,
      delimiter: DELIMITER,
      mailbox: path,
      ...(childInfo && wantsSubscribed ? { childInfo: ['SUBSCRIBED'] } : {}),
    };
    if (access === undefined) continue;
    // RFC 8440 §4: not where only what is below was selected.
    if (returns.myRights && isChosen(path))
      yield myRightsResponse(path, formatRights(access.rights), enabled.utf8);
    if (returns.metadata.length > 0 && mayAnnotate(access)) {
      const kept = annotations.get(access.owner)?.get(access.node.mailbox.id) ?? [];
      yield metadataResponse(path, chosen(kept, returns.metadata, 0), enabled.utf8);
    }
    // RFC 5819 §2: only for names that can be selected.
    if (returns.status.length > 0 && access.rights.includes('r'))
      yield await statusOf(access, returns.status, deps);
  }
  return done('Listed');
}

function compile(reference: string, pattern: string): ListPattern {
  return compileListPattern(normalName(`${reference}${pattern}`), DELIMITER);
}

/** Whether a name of another's mailbox could match. */
function reachesOthers({ prefix, rest }: ListPattern): boolean {
  return prefix.startsWith(OTHER_USERS) || (rest.length > 0 && OTHER_USERS.startsWith(prefix));
}

async function mailsFor(principal: Principal, others: boolean, deps: ImapDeps): Promise<readonly Mail[]> {
  return [await ownMail(principal, deps), ...(others ? await sharedMails(principal, deps) : [])];
}

/** What the client may see, by name; its own first. */
function visible(mails: readonly Mail[]): ReadonlyMap<string, Access> {
  const found = new Map<string, Access>();
  for (const mail of mails)
    for (const node of mail.tree.nodes) {
      const access = accessOf(mail, node);
      if (access.rights.includes('l') && !found.has(access.name)) found.set(access.name, access);
    }
  return found;
}

type Annotations = ReadonlyMap<AccountId, ReadonlyMap<MailboxId | undefined, readonly MetadataEntry[]>>;
const NONE: Annotations = new Map();

async function annotationsOf(
  mails: readonly Mail[],
  reader: AccountId,
  { store }: ImapDeps,
): Promise<Annotations> {
  const found = new Map<AccountId, ReadonlyMap<MailboxId | undefined, readonly MetadataEntry[]>>();
  for (const { owner } of mails)
    found.set(
      owner,
      Map.groupBy(await store.mailboxMetadata(owner, reader), ({ mailbox }) => mailbox),
    );
  return found;
}

function hasUse(access: Access | undefined): boolean {
  return access?.isOwn === true && specialUse(access.node.mailbox.role) !== undefined;
}

/**
 * Names above others' mailboxes that are none, or none that the client may see: those of the namespace, and where `%` ends
 * a pattern every one (RFC 9051 §6.3.9). RFC 4314 §4: otherwise what may not be seen does not exist.
 */
function levelsOver(found: ReadonlyMap<string, Access>, patterns: readonly ListPattern[]): readonly string[] {
  const byLevel = patterns.filter(({ rest }) => rest.at(-1) === '%');
  const levels = new Set<string>();
  for (const { name, isOwn } of found.values()) {
    if (isOwn) continue;
    for (const level of ancestorsOf(name))
      if (
        !found.has(level) &&
        (isUpperLevel(level) || byLevel.some((pattern) => matchesListPattern(pattern, level)))
      )
        levels.add(level);
  }
  return [...levels].toSorted();
}

/** RFC 3501 §6.3.9: with `%`, a parent of a subscribed name stands for what is below it. */
export async function* lsub({ principal }: SignedIn, command: Lsub, { deps }: Context): Replies {
  const pattern = compile(command.reference, command.pattern);
  const subscribed = await deps.store.subscriptions(principal.account);
  const others = subscribed.some((path) => path.startsWith(OTHER_USERS));
  const found = visible(await mailsFor(principal, others, deps));
  const told = new Set<string>();
  for (const path of subscribed) {
    if (matchesListPattern(pattern, path)) {
      const access = found.get(path);
      if (!told.has(path)) yield lsubOf(path, access === undefined ? ['\\Noselect'] : listAttributes(access));
      told.add(path);
    } else if (command.pattern.includes('%')) {
      const parent = matchingAncestor(path, pattern);
      if (parent === undefined || told.has(parent)) continue;
      told.add(parent);
      yield lsubOf(parent, ['\\Noselect']);
    }
  }
  return done('Listed');
}

function lsubOf(mailbox: string, attributes: readonly string[]): Untagged {
  return { kind: 'lsub', attributes, delimiter: DELIMITER, mailbox };
}

function matchingAncestor(path: string, pattern: ListPattern): string | undefined {
  return ancestorsOf(path).find((ancestor) => matchesListPattern(pattern, ancestor));
}

/** Nearest first. */
export function ancestorsOf(path: string): readonly string[] {
  const ancestors: string[] = [];
  for (let end = path.lastIndexOf(DELIMITER); end > 0; end = path.lastIndexOf(DELIMITER, end - 1))
    ancestors.push(path.slice(0, end));
  return ancestors;
}

/** Names that are there, then subscribed ones that are not and the parents they imply, each once. */
function namesOf(known: readonly string[], subscribed: Iterable<string>): readonly string[] {
  const names = new Set(known);
  for (const path of subscribed)
    for (const name of [...ancestorsOf(path).toReversed(), path]) names.add(name);
  return [...names];
}

/** RFC 9051 §6.3.9.6: the names above something that is chosen and that the pattern itself does not show. */
function parentsOfUnseen(
  names: readonly string[],
  isChosen: (path: string) => boolean,
  matches: (path: string) => boolean,
): ReadonlySet<string> {
  return new Set(names.filter((name) => isChosen(name) && !matches(name)).flatMap(ancestorsOf));
}

export async function* namespace(): Replies {
  yield {
    kind: 'namespace',
    personal: [{ prefix: '', delimiter: DELIMITER }],
    otherUsers: [{ prefix: `${OTHER_USERS}${DELIMITER}`, delimiter: DELIMITER }],
    shared: [],
  };
  return done('Here they are');
}
