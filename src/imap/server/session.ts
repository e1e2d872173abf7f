/**
 * The driver of one IMAP session: reads commands, runs their handlers, writes what they say. It alone knows the
 * connection. Source: RFC 9051 §3 (states), §5 (operation), §7 (responses); RFC 2177 (IDLE).
 */
import { toBuffer } from '../../base/bytes.ts';
import { sleep } from '../../base/clock.ts';
import type { CompressedConnection } from '../../base/compression.ts';
import { serveSession, type Connection } from '../../base/connection.ts';
import { Fault, stackOf } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { err, type Result } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { Principal } from '../../auth/principal.ts';
import { hasAll } from '../../auth/rights.ts';
import { contextOf, offeredOn } from '../../auth/sign-in.ts';
import { converse } from '../../sasl/converse.ts';
import type { SaslServerStep } from '../../sasl/mechanism.ts';
import { mechanismNamed } from '../../sasl/registry.ts';
import { BlobError } from '../../store/blob-store.ts';
import { decodeCharset, isKnownCharset } from '../../message/charset.ts';
import type { Command } from '../wire/command.ts';
import type { Untagged } from '../wire/response.ts';
import {
  COMMAND_LIMITS,
  createCommandReader,
  STRANGER_LIMITS,
  type CommandLimits,
  type CommandReader,
  type ReaderEvent,
} from '../wire/command-reader.ts';
import { Append } from './append.ts';
import { capabilities } from './capability.ts';
import { done, type Context, type Outcome } from './command-context.ts';
import { withModSeq } from './commands/copy.ts';
import { capability } from './commands/session.ts';
import { dispatch, type DriverCommand, type HandledCommand } from './dispatch.ts';
import type { ImapEvent } from './event.ts';
import { Output } from './output.ts';
import { MetadataWatch } from './metadata-watch.ts';
import { currentRights, NO_RIGHT } from './mailbox-access.ts';
import { accountNews } from './notify/account-news.ts';
import { Notifications } from './notify/notifications.ts';
import { selectedNews, type Occasion } from './notify/selected-news.ts';
import type { ImapDeps } from './ports.ts';
import { Progress } from './progress.ts';
import { placeToReplace } from './replace.ts';
import { NEEDS, NOTHING_ENABLED, type Enabled, type State } from './state.ts';
import { UID_REQUIRED, usesNumbers } from './uid-only.ts';

type EndReason = Extract<ImapEvent, { name: 'imap.session.ended' }>['reason'];
type SessionEvent = Exclude<ReaderEvent, { kind: 'need-more' }>;
type AppendEvent = Extract<
  ReaderEvent,
  { kind: 'append' | 'append-url' | 'append-text' | 'append-catenated' }
>;
/** What stops a sign-in on the wire: the session's end, `*`, or what is no response. */
type SaslStop = 'over' | 'cancelled' | Extract<ReaderEvent, { kind: 'bad' }>;

/** How often an idle client hears that we are there, and the mailbox is looked at though no hint came. */
const IDLE_KEEPALIVE_MS = 120_000;
const TLS_HANDSHAKE_MS = 30_000;
/** A client that has more to say all the time gives way to the others after this. */
const TURN_MS = 10;
/** A refused sign-in waits this long for each failure before it, so that guessing is slow. */
const FAILURE_DELAY_MS = 500;

/** Serves one connection to its end. Never throws. */
export async function serveImap(connection: Connection, deps: ImapDeps): Promise<void> {
  const session = new ImapSession(connection, deps);
  await serveSession(connection, deps.shutdown, async () => session.run());
}

class ImapSession {
  /** Compressed or plain; TLS is beneath either. */
  #connection: Connection;
  #compression: { readonly layer: CompressedConnection; readonly beneath: Connection } | undefined;
  readonly #deps: ImapDeps;
  readonly #reader: CommandReader;
  readonly #output: Output;
  readonly #startedMs: number;
  /** Since when a sign-in is waited for. */
  #signedOutMs: number;
  #state: State = { phase: 'not-authenticated' };
  #enabled: Enabled = { ...NOTHING_ENABLED };
  readonly #metadata = new MetadataWatch();
  readonly #notifications = new Notifications(() => this.#connection.wake());
  #append: Append | undefined;
  #commands = 0;
  #strangerCommands = 0;
  #turnStartMs: number;
  /** When the client last said something, or was last answered. */
  #heardMs: number;
  #errors = 0;
  #authFailures = 0;
  #verb = '';
  #end: EndReason | undefined;

  constructor(connection: Connection, deps: ImapDeps) {
    this.#connection = connection;
    this.#deps = deps;
    const decode = (charset: string, octets: Buffer): string | undefined =>
      isKnownCharset(charset) ? decodeCharset(octets, charset) : undefined;
    this.#reader = createCommandReader(
      { ...STRANGER_LIMITS, nonSyncOctetsMax: Infinity },
      { decodeCharset: decode },
    );
    this.#output = new Output(connection);
    this.#startedMs = deps.clock.monotonicMs();
    this.#signedOutMs = this.#startedMs;
    this.#turnStartMs = this.#startedMs;
    this.#heardMs = this.#startedMs;
  }

  async run(): Promise<void> {
    const { emit } = this.#deps;
    const remote = this.#connection.remote.address;
    emit({ name: 'imap.session.started', remote, tls: this.#connection.tls !== undefined });
    try {
      this.#greet();
      await this.#converse();
    } catch (cause) {
      this.#end = 'bug';
      emit({ name: 'imap.bug', remote, verb: this.#verb, error: stackOf(cause) });
      // What was gathered may be half a response: only whole ones and this one go out.
      await this.#bye('Something went wrong here', 'SERVERBUG').catch(() => this.#connection.destroy());
    } finally {
      this.#append?.abort();
      this.#notifications.forget();
      this.#compression?.layer.release();
      const account = this.#principal?.account;
      emit({
        name: 'imap.session.ended',
        remote,
        ...(account === undefined ? {} : { account }),
        reason: this.#end ?? 'closed',
        commands: this.#commands,
        durationMs: Math.round(this.#deps.clock.monotonicMs() - this.#startedMs),
      });
    }
  }

  get #principal(): Principal | undefined {
    return this.#state.phase === 'authenticated' || this.#state.phase === 'selected'
      ? this.#state.principal
      : undefined;
  }

  #readerLimits(): CommandLimits {
    // LITERAL+ is offered: a literal of any size that is accepted may come unasked (RFC 7888 §4). What is somewhat
    // larger is read past, so that the client hears TOOBIG and not only that the connection is gone.
    const skipOctetsMax = 2 * this.#deps.limits.messageOctetsMax;
    return { ...COMMAND_LIMITS, nonSyncOctetsMax: Infinity, skipOctetsMax };
  }

  get #isSecure(): boolean {
    return this.#connection.tls !== undefined;
  }

  #greet(): void {
    this.#output.writer.untagged({
      kind: 'status',
      status: 'OK',
      code: { kind: 'CAPABILITY', capabilities: capabilities(this.#state, this.#connection.tls, this.#deps) },
      text: `${this.#deps.hostname} Postrider is ready`,
    });
  }

  async #converse(): Promise<void> {
    while (this.#end === undefined) {
      const event = this.#reader.next();
      if (event.kind === 'need-more') await this.#fill();
      else {
        await this.#handle(event);
        this.#heardMs = this.#deps.clock.monotonicMs();
        await this.#giveWay();
      }
    }
    if (this.#end === 'rights') await this.#flush();
  }

  /** RFC 4314 §5.1.1: who may no longer read what is selected is let go, so that nothing more of it is told. */
  async #mayStay(): Promise<boolean> {
    const state = this.#state;
    if (state.phase !== 'selected' || (await currentRights(state, this.#deps)).includes('r')) return true;
    if (this.#end !== undefined) return false;
    const text = 'You may not read the selected mailbox any more';
    this.#output.writer.untagged({ kind: 'status', status: 'BYE', text });
    this.#end = 'rights';
    return false;
  }

  /** Commands that are there already are answered without a pause; thousands of them must not hold up everybody else. */
  async #giveWay(): Promise<void> {
    const { clock } = this.#deps;
    if (clock.monotonicMs() - this.#turnStartMs < TURN_MS) return;
    await sleep(clock, 0);
    this.#turnStartMs = clock.monotonicMs();
  }

  /** Sends what was gathered. A stranger who does not read has no more time for it than to sign in. */
  async #flush(): Promise<void> {
    if (this.#principal !== undefined) return this.#output.flush();
    const cut = this.#deps.clock.after(Math.max(1, this.#patienceMs()), () => this.#connection.destroy());
    try {
      await this.#output.flush();
    } finally {
      cut.cancel();
    }
  }

  /** Writes what was said, then waits for the client. Sets `#end` when there is nothing to wait for. */
  async #fill(): Promise<void> {
    if (this.#deps.shutdown.aborted) return this.#shutDown();
    // One who talks on without signing in is let go too.
    const left = this.#patienceMs();
    if (left <= 0) return this.#timedOut();
    const had = this.#connection.tryRead();
    if (had !== undefined) {
      this.#reader.push(toBuffer(had));
      return;
    }
    const waitMs = await this.#beforeWaiting(left);
    if (this.#end !== undefined) return;
    await this.#flush();
    const got = await this.#connection.read(waitMs);
    this.#turnStartMs = this.#deps.clock.monotonicMs();
    if (typeof got !== 'string') {
      this.#heardMs = this.#turnStartMs;
      this.#reader.push(toBuffer(got));
    } else if (got === 'timeout' && waitMs < left) this.#notifications.suspect();
    else if (got === 'timeout') await this.#timedOut();
    else if (got !== 'woken') this.#end = got === 'end' ? 'closed' : 'reset';
  }

  /** Tells what NOTIFY asked for. Gives how long to wait for the client before there is more to look at. */
  async #beforeWaiting(left: number): Promise<number> {
    const notifications = this.#notifications;
    if (!notifications.isOn) return left;
    const restMs = notifications.isStale ? notifications.restMs(this.#deps.clock.monotonicMs()) : 0;
    if (restMs > 0) return Math.min(restMs, left);
    if (notifications.isStale) await this.#update(notifications.selected.unasked === 'now', 'unasked');
    return Math.min(IDLE_KEEPALIVE_MS, left);
  }

  #patienceMs(): number {
    const { limits, clock } = this.#deps;
    return this.#principal === undefined
      ? limits.signInMs - (clock.monotonicMs() - this.#signedOutMs)
      : limits.idleMs - (clock.monotonicMs() - this.#heardMs);
  }

  async #timedOut(): Promise<void> {
    const signedIn = this.#principal !== undefined;
    await this.#bye(signedIn ? 'You were silent too long' : 'You did not sign in');
    this.#end = signedIn ? 'timeout' : 'sign-in';
  }

  async #shutDown(): Promise<void> {
    await this.#bye('The server is going down', 'UNAVAILABLE');
    this.#end = 'shutdown';
  }

  async #bye(text: string, code?: 'UNAVAILABLE' | 'SERVERBUG'): Promise<void> {
    this.#output.writer.untagged({
      kind: 'status',
      status: 'BYE',
      ...(code === undefined ? {} : { code }),
      text,
    });
    await this.#flush();
  }

  async #handle(event: SessionEvent): Promise<void> {
    switch (event.kind) {
      case 'continue':
        this.#output.writer.continuation();
        return this.#flush();
      case 'command':
        return this.#command(event.tag, event.command);
      case 'append':
        this.#verb = event.replaced === undefined ? 'APPEND' : 'REPLACE';
        return this.#guard(event.tag, this.#verb, () => this.#appendStep(event));
      case 'append-url':
      case 'append-text':
      case 'append-catenated':
        return this.#guard(event.tag, this.#verb, () => this.#appendStep(event));
      case 'append-octets':
        return this.#appendOctets(event.octets, event.left);
      case 'append-end':
        return this.#guard(event.tag, this.#verb, () => this.#appendEnd(event.tag));
      case 'bad':
        return this.#bad(event);
      case 'idle-done':
      case 'sasl':
        // The reader gives these only where IDLE and AUTHENTICATE wait for them.
        throw new TypeError(`Unexpected ${event.kind}`);
      default:
        return unreachable(event);
    }
  }

  async #bad(event: Extract<SessionEvent, { kind: 'bad' }>): Promise<void> {
    const { tag, status, code, text, fatal, emptiesSaved } = event;
    if (emptiesSaved === true && this.#state.phase === 'selected') this.#state.selected.saved = [];
    this.#append?.abort();
    this.#append = undefined;
    this.#verb = '';
    this.#output.writer.completion(tag ?? null, { status, text, ...(code === undefined ? {} : { code }) });
    this.#refused(status, text);
    if (fatal || this.#errors > this.#deps.limits.errorsMax) {
      await this.#bye(fatal ? 'That cannot be read any further' : 'Too many bad commands');
      this.#end = 'errors';
    }
  }

  #refused(status: Outcome['status'], text: string): void {
    if (status === 'OK') {
      this.#errors = 0;
      return;
    }
    if (status === 'BAD') this.#errors += 1;
    this.#deps.emit({
      name: 'imap.command.refused',
      remote: this.#connection.remote.address,
      verb: this.#verb,
      text,
    });
  }

  async #command(tag: string, command: Command): Promise<void> {
    this.#commands += 1;
    this.#verb = command.verb;
    if (this.#principal === undefined) {
      this.#strangerCommands += 1;
      if (this.#strangerCommands > LIMITS.imapStrangerCommandsMax) {
        await this.#bye('Too many commands before signing in');
        this.#end = 'errors';
        return;
      }
    }
    const needs = NEEDS[command.verb];
    if (!needs.includes(this.#state.phase)) {
      await this.#complete(tag, { status: 'BAD', text: wrongState(this.#state, needs) });
      return;
    }
    if (this.#enabled.uidonly && usesNumbers(command)) return this.#complete(tag, UID_REQUIRED);
    await this.#guard(tag, command.verb, async () => {
      if (!needs.includes('authenticated') && !(await this.#mayStay())) return this.#complete(tag, NO_RIGHT);
      return isDriverCommand(command) ? this.#drive(tag, command) : this.#run(tag, command);
    });
  }

  /** Faults of the world are answered NO; everything else that is thrown is a bug and ends the session. */
  async #guard(tag: string, verb: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!(cause instanceof Fault) && !(cause instanceof BlobError)) throw cause;
      this.#append?.abort();
      this.#append = undefined;
      this.#fault(verb, cause);
      await this.#complete(tag, { status: 'NO', code: 'UNAVAILABLE', text: 'Not now; try again later' });
    }
  }

  #fault(verb: string, { message, cause }: Fault | BlobError): void {
    this.#deps.emit({
      name: 'imap.fault',
      remote: this.#connection.remote.address,
      verb,
      doing: message,
      cause: cause instanceof Error ? cause.message : '',
    });
  }

  async #run(tag: string, command: HandledCommand): Promise<void> {
    const progress = new Progress(this.#deps.clock, async (made) => {
      const code = { kind: 'INPROGRESS', tag, ...(made === undefined ? {} : { progress: made }) } as const;
      this.#say({ kind: 'status', status: 'OK', code, text: 'Still at it' });
      await this.#flush();
    });
    try {
      await this.#answer(tag, command, progress);
    } finally {
      await progress.end();
    }
  }

  async #answer(tag: string, command: HandledCommand, progress: Progress): Promise<void> {
    const replies = dispatch(this.#state, command, { ...this.#context(tag), progress });
    for (;;) {
      progress.wait();
      const step = await replies.next();
      const told = progress.go();
      if (told !== undefined) await told;
      if (step.done === true) {
        if (step.value.next !== undefined) this.#state = step.value.next;
        if (command.verb === 'ENABLE') this.#setUtf8(this.#enabled.utf8);
        // RFC 9051 §7.1.3: a command that is BAD was not carried out.
        if (step.value.status !== 'BAD') {
          if (step.value.status === 'OK') this.#notifications.did(command);
          if (command.verb === 'COPY') this.#notifications.putHere(command.mailbox, step.value.code);
          await this.#update(mayExpunge(command), command.verb);
        }
        return this.#complete(tag, step.value);
      }
      // RFC 9051 §6.4.8: MOVE says it before it ends.
      if (command.verb === 'MOVE' && 'kind' in step.value && step.value.kind === 'status')
        this.#notifications.putHere(command.mailbox, step.value.code);
      this.#say(step.value);
      if (this.#output.isFull) await this.#flush();
      if (this.#connection.gone !== undefined) {
        this.#end = 'reset';
        await replies.return({ status: 'NO', text: 'Nobody listens' });
        return;
      }
    }
  }

  #context(tag: string): Omit<Context, 'progress'> {
    return {
      deps: this.#deps,
      enabled: this.#enabled,
      metadata: this.#metadata,
      notifications: this.#notifications,
      tag,
      fault: (verb, fault) => this.#fault(verb, fault),
    };
  }

  #say(said: Untagged | readonly Untagged[]): void {
    const { writer } = this.#output;
    if ('kind' in said) writer.untagged(said);
    else for (const one of said) writer.untagged(one);
  }

  #setUtf8(utf8: boolean): void {
    this.#reader.setUtf8(utf8);
    this.#output.writer.setUtf8(utf8);
  }

  /** What others did, as far as the client wants to hear of it; of a mailbox that was just selected there is nothing to add. */
  async #update(expunges: boolean, occasion: Occasion): Promise<void> {
    const principal = this.#principal;
    if (principal === undefined) return;
    const state = this.#state;
    const context = this.#context('');
    this.#notifications.look();
    try {
      if (!(await this.#mayStay())) return;
      await this.#updateMetadata(principal);
      if (state.phase === 'selected' && occasion !== 'SELECT' && occasion !== 'EXAMINE')
        for await (const said of selectedNews(state, expunges, occasion, context)) {
          this.#say(said);
          if (this.#output.isFull) await this.#flush();
          if (this.#connection.gone !== undefined) return;
        }
      const selected = state.phase === 'selected' ? state.selected : undefined;
      this.#say(await accountNews(this.#notifications, { ...context, principal, selected }));
      if (this.#metadata.isOn)
        await this.#metadata.follow(principal, this.#notifications.metadataOwners, this.#deps.store);
    } catch (cause) {
      // What the command did stays done; the news comes with a later command.
      if (!(cause instanceof Fault) && !(cause instanceof BlobError)) throw cause;
      this.#notifications.suspect();
      this.#fault(this.#verb, cause);
    }
  }

  async #updateMetadata(principal: Principal): Promise<void> {
    if (!this.#metadata.isOn) return;
    const wants = (path: string): boolean => this.#notifications.wantsMetadata(path);
    this.#say(await this.#metadata.news(principal, this.#deps, this.#enabled.utf8, wants));
  }

  async #complete(tag: string, { status, code, text }: Outcome): Promise<void> {
    this.#output.writer.completion(tag, { status, text, ...(code === undefined ? {} : { code }) });
    this.#refused(status, text);
    if (this.#errors > this.#deps.limits.errorsMax) {
      await this.#bye('Too many bad commands');
      this.#end = 'errors';
    }
    // More commands may be waiting; what is said to them goes out together.
    else if (this.#output.isFull) await this.#flush();
  }

  async #drive(tag: string, command: DriverCommand): Promise<void> {
    switch (command.verb) {
      case 'CAPABILITY':
        return this.#capability(tag);
      case 'LOGOUT':
        this.#output.writer.untagged({ kind: 'status', status: 'BYE', text: 'Good bye' });
        await this.#complete(tag, { status: 'OK', text: 'Logged out' });
        await this.#flush();
        this.#end = 'logout';
        return;
      case 'STARTTLS':
        return this.#startTls(tag);
      case 'LOGIN':
        return this.#login(tag, command.user, command.password);
      case 'AUTHENTICATE':
        return this.#authenticate(tag, command.mechanism, command.initialResponse);
      case 'COMPRESS':
        return this.#compress(tag, command.algorithm);
      case 'UNAUTHENTICATE':
        return this.#unauthenticate(tag);
      case 'IDLE':
        return this.#idle(tag);
      default:
        return unreachable(command);
    }
  }

  async #capability(tag: string): Promise<void> {
    const replies = capability(this.#state, this.#connection.tls, this.#context(tag));
    for (;;) {
      const step = await replies.next();
      if (step.done === true) return this.#complete(tag, step.value);
      this.#say(step.value);
    }
  }

  /** RFC 9051 §6.2.1. Commands sent behind STARTTLS in plain text end the session: somebody put them there. */
  async #startTls(tag: string): Promise<void> {
    if (this.#isSecure || !this.#deps.tlsAvailable)
      return this.#complete(tag, {
        status: 'BAD',
        text: this.#isSecure ? 'TLS is on already' : 'There is no TLS',
      });
    const { remote } = this.#connection;
    if (this.#reader.pending() > 0 || this.#connection.tryRead() !== undefined) {
      this.#reader.discardPending();
      await this.#complete(tag, { status: 'BAD', text: 'Nothing may follow STARTTLS before TLS' });
      await this.#bye('Nothing may follow STARTTLS before TLS');
      this.#deps.emit({
        name: 'imap.tls.failed',
        remote: remote.address,
        reason: 'commands behind STARTTLS',
      });
      this.#end = 'tls';
      return;
    }
    await this.#complete(tag, { status: 'OK', text: 'Begin TLS' });
    await this.#flush();
    const started = await this.#connection.startTls({ side: 'server', timeoutMs: TLS_HANDSHAKE_MS });
    if (!started.ok) {
      this.#deps.emit({ name: 'imap.tls.failed', remote: remote.address, reason: started.error.text });
      this.#end = 'tls';
      return;
    }
    const { protocol, cipher } = started.value;
    this.#deps.emit({ name: 'imap.tls.started', remote: remote.address, protocol, cipher });
  }

  async #login(tag: string, user: string, password: string): Promise<void> {
    // RFC 9051 §6.2.3: LOGINDISABLED.
    if (!this.#isSecure) return this.#complete(tag, NEEDS_TLS);
    if (!this.#deps.signIn.allowed().has('PLAIN'))
      return this.#complete(tag, { status: 'NO', text: 'LOGIN is disabled' });
    const claim = {
      kind: 'password',
      mechanism: 'PLAIN',
      authorizationId: '',
      authenticationId: user,
      password,
    } as const;
    return this.#exchange(tag, { kind: 'claim', claim }, 'LOGIN');
  }

  /** RFC 9051 §6.2.2, RFC 4959 (initial response). */
  async #authenticate(tag: string, name: string, initial: Buffer | undefined): Promise<void> {
    const { signIn } = this.#deps;
    const mechanism = mechanismNamed(name);
    if (mechanism === undefined)
      return this.#complete(tag, { status: 'NO', code: 'CANNOT', text: 'No such mechanism' });
    if (!this.#isSecure) return this.#complete(tag, NEEDS_TLS);
    if (!offeredOn(signIn, this.#connection.tls).includes(mechanism))
      return this.#complete(tag, { status: 'NO', code: 'CANNOT', text: 'That mechanism is not offered' });
    const context = contextOf(signIn, this.#connection.tls);
    return this.#exchange(tag, mechanism.server(context, initial), mechanism.name);
  }

  async #exchange(tag: string, begin: SaslServerStep, mechanism: string): Promise<void> {
    const { remote } = this.#connection;
    const { emit, signIn } = this.#deps;
    const end = await converse(begin, async (octets) => this.#challenge(octets), signIn.verifier(remote));
    switch (end.kind) {
      case 'accepted':
        this.#state = { phase: 'authenticated', principal: end.identity };
        this.#reader.setLimits(this.#readerLimits());
        emit({
          name: 'imap.auth.succeeded',
          remote: remote.address,
          account: end.identity.account,
          mechanism,
        });
        return this.#complete(tag, {
          status: 'OK',
          code: {
            kind: 'CAPABILITY',
            capabilities: capabilities(this.#state, this.#connection.tls, this.#deps),
          },
          text: 'Signed in',
        });
      case 'stopped':
        if (end.stop === 'over') return undefined;
        if (end.stop === 'cancelled') return this.#complete(tag, { status: 'BAD', text: 'Cancelled' });
        return this.#bad({ ...end.stop, tag });
      case 'malformed':
        return this.#complete(tag, { status: 'BAD', text: 'Not a response of that mechanism' });
      case 'refused':
        return this.#authFailed(tag, mechanism, end.reason);
      case 'problem':
        return this.#authFailed(tag, mechanism, end.problem.kind);
      default:
        return unreachable(end);
    }
  }

  async #challenge(octets: Uint8Array): Promise<Uint8Array | { readonly stop: SaslStop }> {
    this.#output.writer.challenge(toBuffer(octets));
    this.#reader.expect('sasl');
    const answer = await this.#nextEvent();
    if (answer === undefined) return { stop: 'over' };
    if (answer.kind === 'bad') return { stop: answer };
    if (answer.kind !== 'sasl') throw new TypeError(`Expected a SASL response, got ${answer.kind}`);
    return answer.response ?? { stop: 'cancelled' };
  }

  async #authFailed(tag: string, mechanism: string, reason: string): Promise<void> {
    const { emit, limits, clock, shutdown } = this.#deps;
    emit({ name: 'imap.auth.failed', remote: this.#connection.remote.address, mechanism, reason });
    // Nobody was judged: a program that hears "wrong password" would ask its owner for another one.
    if (reason === 'throttled')
      return this.#complete(tag, { status: 'NO', code: 'UNAVAILABLE', text: 'Not now; try again later' });
    this.#authFailures += 1;
    await sleep(clock, FAILURE_DELAY_MS * this.#authFailures, shutdown);
    // RFC 5530 §3: one code and one text for all reasons.
    await this.#complete(tag, { status: 'NO', code: 'AUTHENTICATIONFAILED', text: 'Wrong name or password' });
    if (this.#authFailures < limits.authFailuresMax) return;
    await this.#bye('Too many failed attempts');
    this.#end = 'errors';
  }

  /** RFC 4978 §3. */
  async #compress(tag: string, algorithm: string): Promise<void> {
    const { compress, emit } = this.#deps;
    if (compress === undefined)
      return this.#complete(tag, { status: 'NO', code: 'CANNOT', text: 'Nothing is compressed here' });
    const problem =
      algorithm !== 'DEFLATE'
        ? 'There is only DEFLATE'
        : this.#compression !== undefined
          ? 'DEFLATE is active already'
          : this.#hasMore()
            ? 'Nothing may follow COMPRESS before its answer'
            : undefined;
    if (problem !== undefined) return this.#complete(tag, { status: 'BAD', text: problem });
    await this.#complete(tag, { status: 'OK', text: 'DEFLATE is active' });
    await this.#flush();
    const beneath = this.#connection;
    const layer = compress(beneath);
    this.#compression = { layer, beneath };
    this.#use(layer);
    emit({ name: 'imap.compression.started', remote: beneath.remote.address });
  }

  /** Behind the OK of UNAUTHENTICATE, and what the client sent behind the end of its stream (RFC 8437 §2). */
  async #endCompression(): Promise<void> {
    if (this.#compression === undefined) return;
    const { layer, beneath } = this.#compression;
    await this.#flush();
    this.#reader.push(toBuffer(await layer.end()));
    this.#compression = undefined;
    this.#use(beneath);
  }

  #use(connection: Connection): void {
    this.#connection = connection;
    this.#output.use(connection);
  }

  /** Whether the client has sent more than the command in progress. */
  #hasMore(): boolean {
    const more = this.#connection.tryRead();
    if (more !== undefined) this.#reader.push(toBuffer(more));
    return this.#reader.pending() > 0;
  }

  /** RFC 8437: as if the session had just begun, but under the same TLS. */
  async #unauthenticate(tag: string): Promise<void> {
    // RFC 8437 §2: the client ends its compression behind the command.
    if (this.#compression !== undefined && this.#hasMore())
      return this.#complete(tag, { status: 'BAD', text: 'Nothing compressed may follow UNAUTHENTICATE' });
    this.#state = { phase: 'not-authenticated' };
    this.#strangerCommands = 0;
    this.#reader.setLimits({ ...STRANGER_LIMITS, nonSyncOctetsMax: Infinity });
    this.#signedOutMs = this.#deps.clock.monotonicMs();
    this.#enabled = { ...NOTHING_ENABLED };
    this.#metadata.turnOff();
    this.#notifications.forget();
    this.#setUtf8(false);
    await this.#complete(tag, { status: 'OK', text: 'Signed out' });
    await this.#endCompression();
  }

  /** RFC 2177. Between hints from the store and octets from the client, whichever comes first. */
  async #idle(tag: string): Promise<void> {
    const account = this.#principal?.account;
    if (account === undefined) throw new TypeError('IDLE without an account');
    let changed = true;
    const hinted = (): void => {
      changed = true;
      this.#connection.wake();
    };
    // Annotations are news of the own mail, messages of whoever has the selected mailbox.
    const owners = new Set([
      account,
      ...(this.#state.phase === 'selected' ? [this.#state.selected.account] : []),
    ]);
    const watches = [...owners].map((owner) => this.#deps.store.watch(owner, hinted));
    try {
      this.#output.writer.continuation('idling');
      this.#reader.expect('idle-done');
      const endMs = this.#deps.clock.monotonicMs() + this.#deps.limits.idleMs;
      for (;;) {
        if (this.#deps.shutdown.aborted) return await this.#shutDown();
        if (changed) {
          changed = false;
          await this.#update(true, 'IDLE');
          if (this.#end !== undefined) return await this.#complete(tag, NO_RIGHT);
        }
        const event = this.#reader.next();
        if (event.kind === 'idle-done') {
          await this.#update(true, 'IDLE');
          return await this.#complete(tag, { status: 'OK', text: 'No longer idle' });
        }
        if (event.kind === 'bad') return await this.#bad({ ...event, tag });
        if (event.kind !== 'need-more') throw new TypeError(`Unexpected ${event.kind} in IDLE`);
        await this.#flush();
        const leftMs = Math.max(1, endMs - this.#deps.clock.monotonicMs());
        const got = await this.#connection.read(Math.min(IDLE_KEEPALIVE_MS, leftMs));
        if (typeof got !== 'string') this.#reader.push(toBuffer(got));
        else if (got === 'timeout') {
          // RFC 9051 §5.4: a silent client is let go, also one that idles.
          if (this.#deps.clock.monotonicMs() >= endMs) return await this.#timedOut();
          changed = true;
          this.#notifications.suspect();
          this.#output.writer.untagged({ kind: 'status', status: 'OK', text: 'Still here' });
        } else if (got !== 'woken') {
          this.#end = got === 'end' ? 'closed' : 'reset';
          return;
        }
      }
    } finally {
      for (const watch of watches) watch.close();
    }
  }

  /** The next event of an exchange inside a command; undefined when the session ended first. */
  async #nextEvent(): Promise<SessionEvent | undefined> {
    while (this.#end === undefined) {
      const event = this.#reader.next();
      if (event.kind !== 'need-more') return event;
      await this.#fill();
    }
    return undefined;
  }

  /** Asks whether a message, or a part of one, is taken, and tells reader and client. */
  async #appendStep(event: AppendEvent): Promise<void> {
    if (event.kind === 'append' && event.first) this.#commands += 1;
    let refusal: Outcome | undefined;
    try {
      refusal = await this.#appendRefusal(event);
    } catch (cause) {
      this.#reader.refuseAppend();
      throw cause;
    }
    if (refusal !== undefined) {
      this.#append?.abort();
      this.#append = undefined;
      this.#reader.refuseAppend();
      return this.#complete(event.tag, refusal);
    }
    this.#reader.acceptAppend();
    const literal = event.kind === 'append' ? event.message.literal : 'literal' in event && event.literal;
    if (!literal || !literal.sync) return;
    this.#output.writer.continuation();
    await this.#flush();
  }

  async #appendRefusal(event: AppendEvent): Promise<Outcome | undefined> {
    switch (event.kind) {
      case 'append': {
        const needs = NEEDS[event.replaced === undefined ? 'APPEND' : 'REPLACE'];
        const principal = this.#principal;
        if (principal === undefined || !needs.includes(this.#state.phase))
          return { status: 'BAD', text: wrongState(this.#state, needs) };
        if (this.#enabled.uidonly && event.replaced?.byUid === false) return UID_REQUIRED;
        if (event.first) {
          const opened = await this.#openAppend(principal, event);
          if (!opened.ok) return opened.error;
          this.#append = opened.value;
        }
        return this.#append?.begin(event.message);
      }
      // Without an APPEND a fault has ended it, which is told when the command ends.
      case 'append-url':
        return this.#append?.addUrl(event.url);
      case 'append-text':
        return this.#append?.addText(event.literal.octets);
      case 'append-catenated':
        return this.#append?.endParts();
      default:
        return unreachable(event);
    }
  }

  async #openAppend(
    principal: Principal,
    { mailbox, replaced }: Extract<SessionEvent, { kind: 'append' }>,
  ): Promise<Result<Append, Outcome>> {
    if (replaced === undefined) return Append.open(this.#deps, principal, mailbox);
    if (this.#state.phase !== 'selected') throw new TypeError('REPLACE without a selected mailbox');
    const place = placeToReplace(this.#state.selected, replaced);
    if (!place.ok) return place;
    // RFC 8508 §4.1: as to mark it and to expunge it.
    if (!hasAll(await currentRights(this.#state, this.#deps), 'te')) return err(NO_RIGHT);
    return Append.open(this.#deps, principal, mailbox, place.value);
  }

  /** A fault here is told when the APPEND ends: its octets come in any case. */
  async #appendOctets(octets: Buffer, left: number): Promise<void> {
    const append = this.#append;
    if (append === undefined) return;
    try {
      await append.write(octets);
      if (left === 0) await append.endLiteral();
    } catch (cause) {
      if (!(cause instanceof Fault)) throw cause;
      append.abort();
      this.#append = undefined;
      this.#fault(this.#verb, cause);
    }
  }

  async #appendEnd(tag: string): Promise<void> {
    const append = this.#append;
    this.#append = undefined;
    if (append === undefined)
      return this.#complete(tag, { status: 'NO', code: 'UNAVAILABLE', text: 'Not now; try again later' });
    const outcome = await append.commit();
    this.#notifications.putHere(append.name, outcome.code);
    if (append.replaced === undefined || outcome.status !== 'OK') {
      await this.#update(true, 'APPEND');
      return this.#complete(tag, outcome);
    }
    // RFC 8508 §4.3: the client hears of the new message before the old one goes.
    this.#say({ kind: 'status', ...outcome, status: 'OK', text: 'The replacement is there' });
    await this.#update(true, 'REPLACE');
    const { account, mailbox } = append.replaced;
    // RFC 8508 §4.5: as after a UID EXPUNGE.
    await this.#complete(tag, await withModSeq(done('Replaced'), account, mailbox, this.#context(tag)));
  }
}

const NEEDS_TLS: Outcome = { status: 'NO', code: 'PRIVACYREQUIRED', text: 'TLS comes first' };

/** RFC 9051 §7.5.1, RFC 5256 §3: while these run by sequence numbers, numbers must not change. */
const BY_NUMBER: ReadonlySet<string> = new Set(['FETCH', 'STORE', 'SEARCH', 'SORT', 'THREAD']);

function mayExpunge(command: HandledCommand): boolean {
  return !BY_NUMBER.has(command.verb) || ('uid' in command && command.uid);
}

const DRIVER_VERBS: ReadonlySet<string> = new Set<DriverCommand['verb']>([
  'STARTTLS',
  'AUTHENTICATE',
  'LOGIN',
  'LOGOUT',
  'IDLE',
  'COMPRESS',
  'UNAUTHENTICATE',
  'CAPABILITY',
]);

function isDriverCommand(command: Command): command is DriverCommand {
  return DRIVER_VERBS.has(command.verb);
}

function wrongState(state: State, needs: readonly State['phase'][]): string {
  if (state.phase === 'not-authenticated') return 'Sign in first';
  return needs.includes('not-authenticated') ? 'You are signed in already' : 'Select a mailbox first';
}
