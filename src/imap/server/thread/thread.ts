/**
 * The two threading algorithms of RFC 5256 §3, on plain data. Without recursion and linear but for sorting: senders
 * decide how long a chain of references is.
 */
import type { Thread } from '../../wire/response.ts';
import { sortInTurns, type Pace } from '../../../base/pace.ts';
import { compareText } from '../search/order.ts';

/** What threading looks at in a message. */
export type Threadable = {
  /** Sequence number or UID; ascending in the mailbox. */
  readonly number: number;
  readonly sentMs: number;
  /** Without brackets. */
  readonly messageId: string | undefined;
  /** Ancestors, the oldest first. */
  readonly references: readonly string[];
  /** The collation key of the base subject; equal keys are equal subjects. */
  readonly subject: string;
  readonly isReply: boolean;
};

/** RFC 5256 §2.2: equal dates are told apart by the place in the mailbox. */
function bySentDate(a: Threadable, b: Threadable): number {
  return a.sentMs - b.sentMs || a.number - b.number;
}

/** ORDEREDSUBJECT: a thread is a base subject; all but its first message are children of that. */
export async function threadBySubject(
  messages: readonly Threadable[],
  pace: Pace,
): Promise<readonly Thread[]> {
  const sorted = await sortInTurns(
    messages,
    (a, b) => compareText(a.subject, b.subject) || bySentDate(a, b),
    pace,
  );
  const groups: Threadable[][] = [];
  for (const message of sorted) {
    const group = groups.at(-1);
    if (group?.[0]?.subject === message.subject) group.push(message);
    else groups.push([message]);
  }
  return groups
    .flatMap(([first, ...rest]) => (first === undefined ? [] : [{ first, rest }]))
    .toSorted((a, b) => bySentDate(a.first, b.first))
    .map(({ first, rest }) => ({
      members: [first.number],
      branches: rest.map(({ number }) => ({ members: [number], branches: [] })),
    }));
}

/** A message, or a dummy that stands for one that is not here. */
type Node = {
  readonly message: Threadable | undefined;
  parent: Node | undefined;
  /** While links are made: those that were ever linked, and may have another parent since. */
  children: Node[];
};

function newNode(message: Threadable | undefined): Node {
  return { message, parent: undefined, children: [] };
}

/** REFERENCES; the comments carry the step numbers. */
export async function threadByReferences(
  messages: readonly Threadable[],
  pace: Pace,
): Promise<readonly Thread[]> {
  const linked = await link(messages, pace);
  const pruned = prune(linked);
  await pace.give();
  const merged = mergeBySubject(await sortRoots(pruned, pace));
  await pace.give();
  const sorted = await sortAll(merged, pace);
  return toThreads(sorted);
}

const LINKED_AT_ONCE = 1000;

/** (1) and (2): parents and children; gives those without a parent. */
async function link(messages: readonly Threadable[], pace: Pace): Promise<readonly Node[]> {
  const byId = new Map<string, Node>();
  const nodes: Node[] = [];
  // A node of its own for each message; a second one of the same id is known by no id.
  const own = messages.map((message) => {
    const node = newNode(message);
    nodes.push(node);
    if (message.messageId !== undefined && !byId.has(message.messageId)) byId.set(message.messageId, node);
    return node;
  });
  const forest = new Forest();
  for (const [index, message] of messages.entries()) {
    const node = own[index];
    if (node === undefined) continue;
    let before: Node | undefined;
    for (const id of message.references) {
      let referred = byId.get(id);
      if (referred === undefined) {
        referred = newNode(undefined);
        byId.set(id, referred);
        nodes.push(referred);
      }
      // (1.A): an existing link stays.
      if (before !== undefined && referred.parent === undefined) forest.link(before, referred);
      before = referred;
    }
    // (1.B): the last reference is the parent, whatever others said.
    node.parent = undefined;
    if (before !== undefined) forest.link(before, node);
    // oxlint-disable-next-line no-await-in-loop -- others have their turn
    if (index % LINKED_AT_ONCE === 0) await pace.give();
  }
  for (const node of nodes) if (node.children.length > 0) node.children = [];
  for (const node of nodes) node.parent?.children.push(node);
  return nodes.filter(({ parent }) => parent === undefined);
}

/** Steps upwards that the search for loops may take for all links together, per link; see {@link Forest}. */
const STEPS_PER_LINK = 200;

/**
 * Links that never make a loop. Going up to the root costs the depth; in a mailbox that was built to be a chain of
 * thousands that is quadratic, so the steps are counted, and where they run out a link that cannot be checked cheaply is
 * not made: the thread then falls into two, which a reader hardly minds.
 */
class Forest {
  #credit = 1_000_000;

  link(parent: Node, child: Node): void {
    this.#credit += STEPS_PER_LINK;
    if (child.children.length > 0 || parent === child) {
      for (let at: Node | undefined = parent; at !== undefined; at = at.parent) {
        if (at === child) return;
        this.#credit -= 1;
        if (this.#credit <= 0) return;
      }
    }
    child.parent = parent;
    parent.children.push(child);
  }
}

/** (3): dummies go; their children take their place, unless that made several of them roots. */
function prune(roots: readonly Node[]): readonly Node[] {
  // Deepest first, so that a dummy's children are pruned before it.
  for (const node of deepestFirst(roots)) {
    if (node.children.every(({ message }) => message !== undefined)) continue;
    const kept: Node[] = [];
    for (const child of node.children) {
      if (child.message !== undefined) kept.push(child);
      else
        for (const grandchild of child.children) {
          grandchild.parent = node;
          kept.push(grandchild);
        }
    }
    node.children = kept;
  }
  return roots.flatMap((root) => {
    if (root.message !== undefined || root.children.length > 1) return root;
    for (const child of root.children) child.parent = undefined;
    return root.children;
  });
}

function deepestFirst(roots: readonly Node[]): readonly Node[] {
  const order: Node[] = [];
  const open = [...roots];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    order.push(node);
    for (const child of node.children) open.push(child);
  }
  return order.toReversed();
}

/** The message that a node is sorted by: its own, or its first child's. Dummies are roots and have children here. */
function face({ message, children }: Node): Threadable | undefined {
  return message ?? children[0]?.message;
}

function byFace(a: Node, b: Node): number {
  const [left, right] = [face(a), face(b)];
  return left === undefined || right === undefined ? 0 : bySentDate(left, right);
}

/** (4) */
async function sortRoots(roots: readonly Node[], pace: Pace): Promise<readonly Node[]> {
  for (const root of roots) if (root.message === undefined) root.children = root.children.toSorted(byFace);
  return sortInTurns(roots, byFace, pace);
}

/** (5): roots of one base subject become one thread. */
function mergeBySubject(roots: readonly Node[]): readonly Node[] {
  const bySubject = new Map<string, Node>();
  for (const root of roots) {
    const subject = face(root)?.subject ?? '';
    if (subject === '') continue;
    const held = bySubject.get(subject);
    // (5.B.iv)
    if (
      held === undefined ||
      (held.message !== undefined &&
        (root.message === undefined || (held.message.isReply && !root.message.isReply)))
    )
      bySubject.set(subject, root);
  }
  const merged = new Set(roots);
  for (const root of roots) {
    const subject = face(root)?.subject ?? '';
    const held = bySubject.get(subject);
    if (subject === '' || held === undefined || held === root) continue;
    // (5.C.iv)
    merged.delete(root);
    if (held.message === undefined && root.message === undefined)
      for (const child of root.children) adopt(held, child);
    else if (held.message === undefined || (root.message?.isReply === true && !held.message.isReply))
      adopt(held, root);
    else {
      const dummy = newNode(undefined);
      merged.delete(held);
      merged.add(dummy);
      adopt(dummy, held);
      adopt(dummy, root);
      bySubject.set(subject, dummy);
    }
  }
  return [...merged];
}

function adopt(parent: Node, child: Node): void {
  child.parent = parent;
  parent.children.push(child);
}

/** (6): the youngest siblings first, so that a dummy is sorted by its first child. */
async function sortAll(roots: readonly Node[], pace: Pace): Promise<readonly Node[]> {
  for (const node of deepestFirst(roots))
    if (node.children.length > 1) node.children = node.children.toSorted(byFace);
  await pace.give();
  return sortInTurns(roots, byFace, pace);
}

/** A line of messages with one child each is one list of members. */
function toThreads(roots: readonly Node[]): readonly Thread[] {
  type Open = { readonly members: number[]; readonly branches: Open[] };
  const threads: Open[] = [];
  const open: { readonly node: Node; readonly into: Open[] }[] = [];
  const push = (nodes: readonly Node[], into: Open[]): void => {
    for (let at = nodes.length - 1; at >= 0; at -= 1) {
      const node = nodes[at];
      if (node !== undefined) open.push({ node, into });
    }
  };
  push(roots, threads);
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const thread: Open = { members: [], branches: [] };
    next.into.push(thread);
    let { node } = next;
    for (;;) {
      if (node.message !== undefined) thread.members.push(node.message.number);
      const [only] = node.children;
      if (node.children.length !== 1 || only === undefined) break;
      node = only;
    }
    push(node.children, thread.branches);
  }
  return threads;
}
