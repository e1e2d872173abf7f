/**
 * What a session is told unasked once it has used NOTIFY. What is kept for it is one record a mailbox, of an account that
 * has no more of them than `LIMITS.imapNotifyMailboxesMax`; news that a client does not take is not made, but found again
 * later by comparing. Source: RFC 5465.
 */
import { LIMITS } from '../../../base/limits.ts';
import type { AccountId } from '../../../store/ids.ts';
import type { Command } from '../../wire/command.ts';
import type { FetchItem } from '../../wire/command/fetch.ts';
import type { NotifyRequest } from '../../wire/command/notify.ts';
import type { ResponseCode } from '../../wire/response-code.ts';
import type { SequenceRange } from '../../wire/sequence-set.ts';
import { DELIMITER } from '../mailbox-tree.ts';
import { normalName } from '../shared-name.ts';
import type { SelectedMailbox } from '../state.ts';
import {
  keyOf,
  placeKey,
  readVisible,
  snapshotOf,
  withCounters,
  type Snapshot,
  type Visible,
  type Situation,
} from './account-snapshot.ts';
import { coverageOf, NOTHING, withAncestors, type Coverage } from './coverage.ts';

/** What of the selected mailbox is told. */
export type SelectedRule = {
  readonly messages: boolean;
  readonly flags: boolean;
  /** Sent of each new message. */
  readonly items: readonly FetchItem[];
  /** `now`: told while no command is in progress too; `but-expunges`: then without what would renumber. */
  readonly unasked: 'never' | 'now' | 'but-expunges';
};

/** Before the first NOTIFY: with commands, and all of it. */
const DEFAULT: SelectedRule = { messages: true, flags: true, items: [], unasked: 'never' };
/** RFC 5465 §3.1: SELECTED that is not named is SELECTED NONE. */
const SILENT: SelectedRule = { messages: false, flags: false, items: [], unasked: 'never' };

/** After a look at an account nobody looks again for so many times as long: busy mail must not take all of a thread. */
const REST_TIMES = 19;

type Mode =
  | { readonly kind: 'default' }
  | {
      readonly kind: 'set';
      readonly selected: SelectedRule;
      readonly coverage: Coverage;
      /** Undefined: nothing is asked of other mailboxes. */
      snapshot: Snapshot | undefined;
    };

export type Comparison = {
  readonly before: Snapshot;
  readonly now: Visible;
  readonly coverage: Coverage;
  /** What the session did itself. */
  readonly own: {
    readonly names: ReadonlySet<string>;
    /** By {@link placeKey}. */
    readonly messages: ReadonlyMap<string, readonly SequenceRange[]>;
  };
};

export class Notifications {
  readonly #wake: () => void;
  #mode: Mode = { kind: 'default' };
  /** By the owner of what is watched. */
  readonly #watches = new Map<AccountId, { close(): void }>();
  /** Something was hinted since {@link Notifications.look}. */
  #isStale = false;
  /** Something was hinted before it, and was not compared yet. */
  #isDue = false;
  #restUntilMs = 0;
  /** What was selected at the last look: what the client knows of it, its view was told. */
  #selected: SelectedMailbox | undefined;
  /** Names that the session itself made, took away or subscribed to, with those above them. */
  readonly #ownNames = new Set<string>();
  /** UIDs of messages that it has put into mailboxes itself, by {@link placeKey}. */
  readonly #ownMessages = new Map<string, readonly SequenceRange[]>();

  /** @param wake called when there may be news */
  constructor(wake: () => void) {
    this.#wake = wake;
  }

  get selected(): SelectedRule {
    return this.#mode.kind === 'default' ? DEFAULT : this.#mode.selected;
  }

  /** Whether news may come while the client says nothing. */
  get isOn(): boolean {
    return this.#watches.size > 0;
  }

  /** Whether something has changed since news was last looked for. */
  get isStale(): boolean {
    return this.isOn && this.#isStale;
  }

  /** Before anything is read: what is hinted from here on may not be in it. */
  look(): void {
    this.#isDue ||= this.#isStale;
    this.#isStale = false;
  }

  /** How long news waits before it is looked for unasked. */
  restMs(nowMs: number): number {
    return Math.max(0, this.#restUntilMs - nowMs);
  }

  /** Nothing was hinted for a while, and a hint may be lost. */
  suspect(): void {
    this.#isStale = true;
  }

  /** RFC 5464 §4.1: without NOTIFY, whoever enabled METADATA hears of all of it. */
  wantsMetadata(path: string): boolean {
    if (this.#mode.kind === 'default') return true;
    const { coverage, snapshot } = this.#mode;
    if (path === '') return coverage.has('ServerMetadataChange');
    return coverage.covers('MailboxMetadataChange', path, snapshot?.subscribed.has(path) ?? false);
  }

  /** Whose mail it may be asked of, besides the own. */
  get metadataOwners(): ReadonlySet<AccountId> {
    return new Set(this.mayWantMetadata ? this.#watches.keys() : []);
  }

  get mayWantMetadata(): boolean {
    if (this.#mode.kind === 'default') return false;
    const { coverage } = this.#mode;
    return coverage.has('ServerMetadataChange') || coverage.has('MailboxMetadataChange');
  }

  /** NOTIFY NONE. */
  silence(): void {
    this.#leave({ kind: 'set', selected: SILENT, coverage: NOTHING, snapshot: undefined });
  }

  /** As if NOTIFY had never been used. */
  forget(): void {
    this.#leave({ kind: 'default' });
  }

  /** NOTIFY SET. `too-many`: mailboxes, and then nothing is different. Undefined: nothing is asked of other mailboxes. */
  async set(
    request: NotifyRequest,
    situation: Situation,
  ): Promise<{ readonly now: Visible; readonly coverage: Coverage } | 'too-many' | undefined> {
    const coverage = coverageOf(request.groups);
    const wantsOthers = request.groups.some(({ events }) => events.size > 0);
    const now = wantsOthers ? await readNow(situation, coverage) : undefined;
    if (wantsOthers && now === undefined) return 'too-many';
    this.#leave({ kind: 'set', selected: ruleOf(request), coverage, snapshot: now && snapshotOf(now) });
    this.#selected = situation.selected;
    this.#watch(situation, now);
    return now && { now, coverage };
  }

  /** What is watched is what the client can see of it, and what it has selected. */
  #watch({ deps, principal, selected }: Situation, now: Visible | undefined): void {
    const owners = new Set<AccountId>();
    if (this.selected.unasked !== 'never') owners.add(selected?.account ?? principal.account);
    if (now !== undefined) owners.add(principal.account);
    for (const { owner } of now?.found.values() ?? []) owners.add(owner);
    for (const [owner, watch] of this.#watches) {
      if (owners.has(owner)) continue;
      watch.close();
      this.#watches.delete(owner);
    }
    for (const owner of owners) {
      if (this.#watches.has(owner)) continue;
      const hinted = (): void => {
        this.#isStale = true;
        this.#wake();
      };
      this.#watches.set(owner, deps.store.watch(owner, hinted));
      // What changed since it was read, and before it was watched, was not hinted.
      this.#isStale = true;
    }
  }

  /** What the session has done itself (RFC 5465 §5): a command that was carried out. */
  did(command: Command): void {
    const names = this.isOn ? namesIn(command) : [];
    for (const name of names)
      for (const one of withAncestors(withoutEnd(normalName(name)))) this.#ownNames.add(one);
    if (names.length > 0) this.#isStale = true;
  }

  /**
   * The session has put messages somewhere: what the client was answered says how many.
   *
   * @param mailbox as the client named it
   */
  putHere(mailbox: string, code: ResponseCode | undefined): void {
    if (!this.isOn || typeof code !== 'object' || (code.kind !== 'APPENDUID' && code.kind !== 'COPYUID'))
      return;
    const uids = code.kind === 'APPENDUID' ? code.uids : code.to;
    const place = placeKey(normalName(mailbox), code.uidValidity);
    this.#ownMessages.set(place, [...(this.#ownMessages.get(place) ?? []), ...uids]);
    this.#isStale = true;
  }

  /** UIDs of what the session has put there since news was last looked for. */
  ownIn(mailbox: string, uidValidity: number): readonly SequenceRange[] {
    return this.#ownMessages.get(placeKey(mailbox, uidValidity)) ?? [];
  }

  /**
   * What the account was when the client was last told, and what it is; undefined where nothing was hinted since. Whoever
   * takes it tells it.
   */
  async compare(situation: Situation): Promise<Comparison | 'overflow' | undefined> {
    const mode = this.#mode;
    if (mode.kind === 'default' || (!this.#isDue && situation.selected === this.#selected)) return undefined;
    const { clock } = situation.deps;
    const beganMs = clock.monotonicMs();
    let now: Visible | undefined;
    try {
      now = mode.snapshot && (await readNow(situation, mode.coverage));
      this.#isDue = false;
    } finally {
      const endedMs = clock.monotonicMs();
      this.#restUntilMs = endedMs + REST_TIMES * (endedMs - beganMs);
    }
    if (mode.snapshot !== undefined && now === undefined) {
      this.silence();
      return 'overflow';
    }
    const before = mode.snapshot && now && this.#before(mode.snapshot, now, situation.selected);
    this.#selected = situation.selected;
    const own = { names: new Set(this.#ownNames), messages: new Map(this.#ownMessages) };
    this.#ownNames.clear();
    this.#ownMessages.clear();
    this.#watch(situation, now);
    if (before === undefined || now === undefined) return undefined;
    mode.snapshot = snapshotOf(now);
    if (situation.selected !== undefined) mode.snapshot = keeping(mode.snapshot, before, situation.selected);
    return { before, now, coverage: mode.coverage, own };
  }

  /** Of a mailbox that was selected the client knows what it was told there. */
  #before(snapshot: Snapshot, { found }: Visible, selected: SelectedMailbox | undefined): Snapshot {
    const left = this.#selected;
    if (left === undefined || left === selected) return snapshot;
    const { view, id, account } = left;
    const key = keyOf(account, id);
    const known = snapshot.mailboxes.get(key);
    if (known === undefined) return snapshot;
    const now = found.get(known.name)?.node.mailbox;
    if (now?.id === id && now.highestModSeq <= view.modSeq) return withCounters(snapshot, key, now);
    return withCounters(snapshot, key, {
      total: view.exists,
      unseen: known.unseen,
      uidNext: Math.max(known.uidNext, view.lastUid + 1),
      highestModSeq: view.modSeq,
    });
  }

  #leave(mode: Mode): void {
    for (const watch of this.#watches.values()) watch.close();
    this.#watches.clear();
    this.#mode = mode;
    this.#isStale = false;
    this.#isDue = false;
    this.#restUntilMs = 0;
    this.#selected = undefined;
    this.#ownNames.clear();
    this.#ownMessages.clear();
  }
}

/** Of mailboxes that the command makes, takes away or subscribes to. */
function namesIn(command: Command): readonly string[] {
  const { verb } = command;
  if (verb === 'RENAME') return [command.from, command.to];
  if (verb === 'CREATE' || verb === 'DELETE' || verb === 'SUBSCRIBE' || verb === 'UNSUBSCRIBE')
    return [command.mailbox];
  return [];
}

async function readNow(situation: Situation, { reachesOthers }: Coverage): Promise<Visible | undefined> {
  return readVisible(situation, reachesOthers, LIMITS.imapNotifyMailboxesMax);
}

/** While a mailbox is selected its messages are its view's: what was known of them before stays. */
function keeping(snapshot: Snapshot, before: Snapshot, { account, id }: SelectedMailbox): Snapshot {
  const key = keyOf(account, id);
  const known = before.mailboxes.get(key);
  return known === undefined ? snapshot : withCounters(snapshot, key, known);
}

/** A delimiter at the end only says that there will be children (RFC 9051 §6.3.4). */
function withoutEnd(name: string): string {
  return name.endsWith(DELIMITER) ? name.slice(0, -1) : name;
}

function ruleOf({ selected }: NotifyRequest): SelectedRule {
  if (selected === undefined || selected.events.size === 0) return SILENT;
  return {
    messages: selected.events.has('MessageNew'),
    flags: selected.events.has('FlagChange'),
    items: selected.items,
    unasked: selected.isDelayed ? 'but-expunges' : 'now',
  };
}
