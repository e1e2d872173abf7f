/**
 * One APPEND under way: octets go to the blob store as they come, scanned in passing; nothing is in the mailbox before
 * the last one is there. Source: RFC 9051 §6.3.12, RFC 3502 (several messages), RFC 7889 §3 (TOOBIG), RFC 4469 (CATENATE).
 */
import type { Principal } from '../../auth/principal.ts';
import { toBuffer } from '../../base/bytes.ts';
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import { LIMITS } from '../../base/limits.ts';
import { unreachable } from '../../base/unreachable.ts';
import { digestMessage } from '../../message/digest.ts';
import { createScanner, type Scanner } from '../../message/scan.ts';
import { BlobError, type BlobRef, type BlobWriter } from '../../store/blob-store.ts';
import { hasAll } from '../../auth/rights.ts';
import type { AccountId, MailboxId } from '../../store/ids.ts';
import type {
  Appended,
  KeywordProblem,
  Mailbox,
  NewMessage,
  NoSuchMailbox,
  NoSuchMessage,
  OverQuota,
} from '../../store/mail-store.ts';
import type { AppendMessage } from '../wire/command/append.ts';
import { parseMessageUrl } from '../wire/imap-url.ts';
import type { ImapDeps } from './ports.ts';
import { done, type Outcome } from './command-context.ts';
import { openUrl } from './fetch/url-part.ts';
import { readSection, type ScanCache, type SectionValue } from './fetch/section.ts';
import { flagsOf, permitted, TOO_LONG, type FlagNames } from './flags.ts';
import { lacking, NO_RIGHT, rightsNow, target, type Access } from './mailbox-access.ts';
import { tooMany } from './message-limit.ts';
import type { Replaced } from './replace.ts';
import { rangesOf } from '../wire/sequence-set.ts';

type Arriving = {
  readonly blob: BlobWriter;
  readonly scanner: Scanner;
  /** So far announced. */
  octets: number;
  /** For this message and those before it. */
  readonly octetsLeft: number;
  /** Parts of a message that is catenated, so far; undefined where one literal is the message. */
  parts: number | undefined;
  readonly names: FlagNames;
  readonly receivedAtMs: number;
};

/** A message whose octets have all come; several wait for one sync of the disk. */
type Finishing = Omit<NewMessage, 'blob'> & { readonly blob: Promise<BlobRef> };

/** Above so many octets on their way to the disk the client waits. */
const UNSYNCED_OCTETS_MAX = 4_194_304;

function overQuota(octetsLeft: number): Outcome {
  return { status: 'NO', code: 'OVERQUOTA', text: `Only ${octetsLeft} octets are left` };
}

const EMPTY: Outcome = { status: 'NO', code: 'CANNOT', text: 'A message is not empty' };

export class Append {
  readonly #deps: ImapDeps;
  readonly #principal: Principal;
  readonly #owner: AccountId;
  readonly #name: string;
  readonly #rights: string;
  readonly #mailbox: Mailbox;
  readonly #replaced: Replaced | undefined;
  readonly #messages: Finishing[] = [];
  /** Octets of those whose blobs may not be on the disk yet. */
  #unsynced = 0;
  #announced = 0;
  #octets = 0;
  readonly #scans: ScanCache = {};
  #arriving: Arriving | undefined;

  private constructor(
    deps: ImapDeps,
    principal: Principal,
    { owner, name, rights, node }: Access,
    replaced: Replaced | undefined,
  ) {
    this.#deps = deps;
    this.#principal = principal;
    this.#owner = owner;
    this.#name = name;
    this.#rights = rights;
    this.#mailbox = node.mailbox;
    this.#replaced = replaced;
  }

  /** @param replaced what goes when the message comes (RFC 8508) */
  static async open(
    deps: ImapDeps,
    principal: Principal,
    name: string,
    replaced?: Replaced,
  ): Promise<Result<Append, Outcome>> {
    const access = await target(principal, name, deps);
    if (!access.ok) return access;
    // No transaction spans two accounts.
    if (replaced !== undefined && replaced.account !== access.value.owner)
      return err({
        status: 'NO',
        code: 'CANNOT',
        text: 'The replacement would be in the mail of somebody else',
      });
    return ok(new Append(deps, principal, access.value, replaced));
  }

  get replaced(): Replaced | undefined {
    return this.#replaced;
  }

  /** As the client knows it. */
  get name(): string {
    return this.#name;
  }

  get mailbox(): Mailbox {
    return this.#mailbox;
  }

  /** Whether the announced message is taken; before the client has sent it, where the literal is synchronizing. */
  async begin({ flags, internalDate, literal }: AppendMessage): Promise<Outcome | undefined> {
    const { limits, store, blobs, clock } = this.#deps;
    const names = flagsOf(flags);
    if (names === undefined) return TOO_LONG;
    this.#announced += 1;
    if (this.#announced > limits.savedMessagesMax) return tooMany(limits.savedMessagesMax);
    if (this.#announced > limits.appendMessagesMax)
      return { status: 'NO', code: 'LIMIT', text: `At most ${limits.appendMessagesMax} messages at once` };
    const { octetsMax, octetsUsed } = await store.quota(this.#owner);
    const arriving: Omit<Arriving, 'blob'> = {
      scanner: createScanner(),
      octets: 0,
      octetsLeft:
        octetsMax === undefined
          ? Infinity
          : Math.max(0, octetsMax - octetsUsed) + (await this.#octetsFreed()),
      parts: literal === undefined ? 0 : undefined,
      names: permitted(names, this.#rights),
      receivedAtMs: internalDate?.epochMs ?? clock.nowMs(),
    };
    const refused = literal === undefined ? undefined : this.#announce(arriving, literal.octets);
    if (refused !== undefined) return refused;
    if (literal?.octets === 0) return EMPTY;
    this.#arriving = { ...arriving, blob: blobs.create(literal?.octets) };
    return undefined;
  }

  /** So many octets more of the message are to come. */
  #announce(arriving: Omit<Arriving, 'blob'>, octets: number): Outcome | undefined {
    const { messageOctetsMax } = this.#deps.limits;
    arriving.octets += octets;
    this.#octets += octets;
    if (arriving.octets > messageOctetsMax)
      return { status: 'NO', code: 'TOOBIG', text: `A message has ${messageOctetsMax} octets at most` };
    return this.#octets > arriving.octetsLeft ? overQuota(arriving.octetsLeft) : undefined;
  }

  #current(): Arriving {
    if (this.#arriving === undefined) throw new TypeError('No message of this APPEND is arriving');
    return this.#arriving;
  }

  #countPart(arriving: Arriving): Outcome | undefined {
    arriving.parts = (arriving.parts ?? 0) + 1;
    return arriving.parts > LIMITS.imapCatenatePartsMax
      ? { status: 'NO', code: 'LIMIT', text: `At most ${LIMITS.imapCatenatePartsMax} parts of one message` }
      : undefined;
  }

  /** A part that the client sends. */
  addText(octets: number): Outcome | undefined {
    const arriving = this.#current();
    return this.#countPart(arriving) ?? this.#announce(arriving, octets);
  }

  /** A part that is here already; one of another server is outside RFC 4469 §3. */
  async addUrl(text: string): Promise<Outcome | undefined> {
    const arriving = this.#current();
    const refused = this.#countPart(arriving);
    if (refused !== undefined) return refused;
    try {
      const value = await this.#read(text);
      if (value === undefined || value === null)
        return { status: 'NO', code: { kind: 'BADURL', url: text }, text: 'That is no message or part here' };
      const tooMuch = this.#announce(arriving, Buffer.isBuffer(value) ? value.length : value.octets);
      if (tooMuch !== undefined) return tooMuch;
      if (Buffer.isBuffer(value)) await this.write(value);
      else for await (const octets of value.open()) await this.write(toBuffer(octets));
      return undefined;
    } catch (cause) {
      if (!(cause instanceof BlobError)) throw cause;
      return { status: 'NO', code: { kind: 'BADURL', url: text }, text: 'That message cannot be read' };
    }
  }

  async #read(text: string): Promise<SectionValue | undefined> {
    const url = parseMessageUrl(text);
    if (url === undefined || url.server !== undefined || url.auth !== undefined) return undefined;
    const open = await openUrl(url, this.#principal, this.#deps, this.#scans);
    return open && readSection(open, url.section, url.partial);
  }

  /** At most; the store knows whether the message stays in another mailbox. */
  async #octetsFreed(): Promise<number> {
    if (this.#replaced === undefined) return 0;
    const { mailbox, uid } = this.#replaced;
    const [placed] = await this.#deps.store.placed(this.#owner, mailbox, [uid]);
    return placed?.octets ?? 0;
  }

  /** A promise: the disk is slower than the client. */
  write(octets: Buffer): Promise<void> | undefined {
    const arriving = this.#current();
    arriving.scanner.push(octets);
    return arriving.blob.write(octets);
  }

  /** After the last octet of a literal. */
  async endLiteral(): Promise<void> {
    if (this.#current().parts === undefined) await this.#end();
  }

  /** After the last part of a message. */
  async endParts(): Promise<Outcome | undefined> {
    if (this.#current().octets === 0) return EMPTY;
    await this.#end();
    return undefined;
  }

  async #end(): Promise<void> {
    const arriving = this.#current();
    const blob = arriving.blob.finish();
    // Whoever waits for it hears of a fault; until then it is nobody's.
    blob.catch(() => undefined);
    this.#arriving = undefined;
    const digest = digestMessage(arriving.scanner.end());
    const { names, receivedAtMs } = arriving;
    this.#messages.push({ blob, prefix: new Uint8Array(0), digest, ...names, receivedAtMs });
    this.#unsynced += arriving.octets;
    if (this.#unsynced < UNSYNCED_OCTETS_MAX) return;
    await this.#finished();
    this.#unsynced = 0;
  }

  /** Rejects with the first fault of the disk. */
  async #finished(): Promise<readonly NewMessage[]> {
    return Promise.all(this.#messages.map(async (message) => ({ ...message, blob: await message.blob })));
  }

  async #place(
    messages: readonly NewMessage[],
  ): Promise<Result<Appended, NoSuchMailbox | NoSuchMessage | OverQuota | KeywordProblem>> {
    const { store } = this.#deps;
    const [message] = messages;
    if (this.#replaced === undefined || message === undefined)
      return store.append(this.#owner, this.#mailbox.id, messages);
    return store.replace(this.#owner, this.#replaced, this.#mailbox.id, message);
  }

  /** A client may take its time for the octets: what it had a right for when it began it may have none for now. */
  async #refusedNow(): Promise<Outcome | undefined> {
    if (this.#owner === this.#principal.account) return undefined;
    const rights = async (id: MailboxId): Promise<string> =>
      rightsNow(this.#principal, this.#owner, id, this.#deps);
    if (this.#replaced !== undefined && !hasAll(await rights(this.#replaced.mailbox), 'te')) return NO_RIGHT;
    return lacking({ rights: await rights(this.#mailbox.id) }, 'i');
  }

  async commit(): Promise<Outcome> {
    const messages = await this.#finished();
    const refused = await this.#refusedNow();
    if (refused !== undefined) return refused;
    const appended = await this.#place(messages);
    if (appended.ok) {
      const { uidValidity, uids } = appended.value;
      // RFC 9051 §6.3.12: who may not read the mailbox learns nothing of it.
      if (!this.#rights.includes('r')) return done('Appended');
      return {
        status: 'OK',
        code: { kind: 'APPENDUID', uidValidity, uids: rangesOf(uids) },
        text: 'Appended',
      };
    }
    switch (appended.error.kind) {
      case 'no-such-mailbox':
        return { status: 'NO', code: 'TRYCREATE', text: 'No such mailbox' };
      case 'no-such-message':
        // RFC 5530 §3: another session was faster.
        return { status: 'NO', code: 'EXPUNGEISSUED', text: 'That message is gone' };
      case 'over-quota':
        return overQuota(appended.error.octetsLeft);
      case 'too-many-keywords':
        return { status: 'NO', code: 'LIMIT', text: 'There are too many keywords' };
      default:
        return unreachable(appended.error);
    }
  }

  /** Nothing of it is kept. Idempotent. */
  abort(): void {
    this.#arriving?.blob.abort();
    this.#arriving = undefined;
  }
}
