/**
 * LIST, LSUB and NAMESPACE. Source: RFC 9051 §6.3.9, §6.3.10; RFC 5258 (extended), RFC 5819 (STATUS), RFC 9590 (METADATA), RFC 6154
 * (special uses), RFC 3501 §6.3.9 (LSUB).
 */
import type { Command } from '../../wire/command.ts';
import { metadataResponse } from '../../wire/command/metadata.ts';
import { compileListPattern, matchesListPattern, type ListPattern } from '../../wire/list-pattern.ts';
import type { Untagged } from '../../wire/response.ts';
import { done, type Context, type Replies } from '../command-context.ts';
import {
  DELIMITER,
  mailboxTree,
  normalPath,
  specialUse,
  type MailboxNode,
  type MailboxTree,
} from '../mailbox-tree.ts';
import type { SignedIn } from '../state.ts';
import { chosen } from './metadata.ts';
import { statusOf } from './status.ts';

type List = Extract<Command, { verb: 'LIST' }>;
type Lsub = Extract<Command, { verb: 'LSUB' }>;

/** What LIST says of a name, without subscription. */
export function listAttributes({ hasChildren, mailbox }: MailboxNode): readonly string[] {
  const use = specialUse(mailbox.role);
  const children = hasChildren ? '\\HasChildren' : '\\HasNoChildren';
  return use === undefined ? [children] : [children, use];
}

/** The LIST response for one mailbox; `asked` is told where that is another form of its name (RFC 9051 §6.3.9.7). */
export function listOf(node: MailboxNode, asked: string): Untagged {
  return {
    kind: 'list',
    attributes: listAttributes(node),
    delimiter: DELIMITER,
    mailbox: node.path,
    ...(asked === node.path ? {} : { oldName: asked }),
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
  const tree = mailboxTree(await deps.store.mailboxes(principal.account));
  const wantsSubscribed = selection.has('SUBSCRIBED');
  const subscribed =
    wantsSubscribed || returns.subscribed
      ? new Set(await deps.store.subscriptions(principal.account))
      : new Set<string>();
  // RFC 7162 §3.1.2: as with STATUS itself.
  if (returns.status.includes('HIGHESTMODSEQ')) enabled.condstore = true;
  const annotations = Map.groupBy(
    returns.metadata.length > 0 ? await deps.store.mailboxMetadata(principal.account, principal.account) : [],
    ({ mailbox }) => mailbox,
  );
  const compiled = patterns.map((pattern) =>
    compileListPattern(normalPath(`${reference}${pattern}`), DELIMITER),
  );
  const matches = (path: string): boolean => compiled.some((pattern) => matchesListPattern(pattern, path));
  const isChosen = (path: string): boolean =>
    (!wantsSubscribed || subscribed.has(path)) &&
    (!selection.has('SPECIAL-USE') || specialUse(tree.find(path)?.mailbox.role) !== undefined);

  const names = namesOf(tree, wantsSubscribed ? subscribed : []);
  const parents = selection.has('RECURSIVEMATCH')
    ? parentsOfUnseen(names, isChosen, matches)
    : new Set<string>();
  for (const path of names) {
    if (!matches(path)) continue;
    const childInfo = parents.has(path);
    if (!isChosen(path) && !childInfo) continue;
    const node = tree.find(path);
    const attributes = [
      ...(node === undefined ? ['\\NonExistent'] : listAttributes(node)),
      ...(subscribed.has(path) ? ['\\Subscribed'] : []),
    ];
    yield {
      kind: 'list',
      attributes,
      delimiter: DELIMITER,
      mailbox: path,
      ...(childInfo && wantsSubscribed ? { childInfo: ['SUBSCRIBED'] } : {}),
    };
    if (returns.metadata.length > 0 && node !== undefined)
      yield metadataResponse(
        path,
        chosen(annotations.get(node.mailbox.id) ?? [], returns.metadata, 0),
        enabled.utf8,
      );
    // RFC 5819 §2: only for names that can be selected.
    if (returns.status.length > 0 && node !== undefined)
      yield await statusOf(principal.account, node, returns.status, deps);
  }
  return done('Listed');
}

/** RFC 3501 §6.3.9: with `%`, a parent of a subscribed name stands for what is below it. */
export async function* lsub({ principal }: SignedIn, command: Lsub, { deps }: Context): Replies {
  const pattern = compileListPattern(normalPath(`${command.reference}${command.pattern}`), DELIMITER);
  const tree = mailboxTree(await deps.store.mailboxes(principal.account));
  const told = new Set<string>();
  for (const path of await deps.store.subscriptions(principal.account)) {
    if (matchesListPattern(pattern, path)) {
      const node = tree.find(path);
      if (!told.has(path)) yield lsubOf(path, node === undefined ? ['\\Noselect'] : listAttributes(node));
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
function ancestorsOf(path: string): readonly string[] {
  const ancestors: string[] = [];
  for (let end = path.lastIndexOf(DELIMITER); end > 0; end = path.lastIndexOf(DELIMITER, end - 1))
    ancestors.push(path.slice(0, end));
  return ancestors;
}

/** Mailboxes, then subscribed names without one and the parents they imply, each once. */
function namesOf(tree: MailboxTree, subscribed: Iterable<string>): readonly string[] {
  const names = new Set(tree.nodes.map(({ path }) => path));
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
  yield { kind: 'namespace', personal: [{ prefix: '', delimiter: DELIMITER }], otherUsers: [], shared: [] };
  return done('Here they are');
}
