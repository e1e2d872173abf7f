/**
 * One POP3 session: reads commands, does them, writes what is to be said. It alone knows the connection.
 * Sources: RFC 1939, RFC 2449, RFC 2595 §4, RFC 3206, RFC 5034, RFC 6856.
 */
import { sleep } from '../../base/clock.ts';
import { serveSession, type Connection } from '../../base/connection.ts';
import { Fault, stackOf } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { Principal } from '../../auth/principal.ts';
import { contextOf, offeredOn } from '../../auth/sign-in.ts';
import { decodeBase64, encodeBase64 } from '../../sasl/base64.ts';
import { converse } from '../../sasl/converse.ts';
import type { SaslServerStep } from '../../sasl/mechanism.ts';
import { mechanismNamed } from '../../sasl/registry.ts';
import { BlobError } from '../../store/blob-store.ts';
import { parseCommand, type Command, type Verb } from '../wire/command.ts';
import { LineReader, type Line, type LineLimits } from '../wire/line-reader.ts';
import { listing, negative, positive, type Refusal } from '../wire/response.ts';
import { capabilities, takesPasswords } from './capability.ts';
import type { Pop3Event } from './event.ts';
import { Maildrop, type Listed } from './maildrop.ts';
import { MessageSender } from './message-sender.ts';
import { Output } from './output.ts';
import type { Pop3Deps } from './ports.ts';

type EndReason = Extract<Pop3Event, { name: 'pop3.session.ended' }>['reason'];
/** RFC 1939 §3. UPDATE is the end of QUIT, and no state in which anything is read. */
type State =
  /** `user`: whom USER named. */
  | { readonly phase: 'authorization'; readonly user: string | undefined }
  | {
      readonly phase: 'transaction';
      readonly principal: Principal;
      readonly maildrop: Maildrop;
      readonly unlock: () => void;
    };
type Transaction = Extract<State, { phase: 'transaction' }>;
type Authorization = Extract<State, { phase: 'authorization' }>;
type TransactionCommand = Extract<
  Command,
  { readonly verb: 'STAT' | 'LIST' | 'UIDL' | 'RETR' | 'TOP' | 'DELE' | 'RSET' | 'NOOP' }
>;
/** What stops a sign-in on the wire. */
type SaslStop = 'over' | 'cancelled' | 'too-long' | 'not-base64';

const TLS_HANDSHAKE_MS = 30_000;
/** A client that has more to say all the time gives way to the others after this. */
const TURN_MS = 10;
/** A refused sign-in waits this long for each failure before it, so that guessing is slow. */
const FAILURE_DELAY_MS = 500;
/** Lines of a listing that are made at once. */
const LISTED_AT_ONCE = 1000;

const NEEDS_TLS: Refusal = { text: 'TLS comes first' };
const NO_SUCH_MESSAGE: Refusal = { text: 'No such message' };
const NOT_NOW: Refusal = { code: 'SYS/TEMP', text: 'Not now; try again later' };

const LINES: LineLimits = {
  lineOctetsMax: LIMITS.pop3ResponseOctetsMax,
  skipOctetsMax: LIMITS.pop3SkipOctetsMax,
};

/** Serves one connection to its end. Never throws. */
export async function servePop3(connection: Connection, deps: Pop3Deps): Promise<void> {
  const session = new Pop3Session(connection, deps);
  await serveSession(connection, deps.shutdown, async () => session.run());
}

class Pop3Session {
  readonly #connection: Connection;
  readonly #deps: Pop3Deps;
  readonly #reader = new LineReader();
  readonly #output: Output;
  readonly #startedMs: number;
  #state: State = { phase: 'authorization', user: undefined };
  #utf8 = false;
  #commands = 0;
  #errors = 0;
  #authFailures = 0;
  #retrieved = 0;
  #removed = 0;
  #turnStartMs: number;
  #verb: Verb | '' = '';
  #end: EndReason | undefined;

  constructor(connection: Connection, deps: Pop3Deps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#output = new Output(connection);
    this.#startedMs = deps.clock.monotonicMs();
    this.#turnStartMs = this.#startedMs;
  }

  async run(): Promise<void> {
    const { emit, hostname, clock } = this.#deps;
    const remote = this.#connection.remote.address;
    emit({ name: 'pop3.session.started', remote, tls: this.#connection.tls !== undefined });
    try {
      this.#output.say(positive(`${hostname} Postrider is ready`));
      await this.#serve();
    } catch (cause) {
      this.#end = 'bug';
      emit({ name: 'pop3.bug', remote, verb: this.#verb, error: stackOf(cause) });
      // What was gathered may be half a response.
      this.#connection.destroy();
    } finally {
      const account = this.#state.phase === 'transaction' ? this.#state.principal.account : undefined;
      if (this.#state.phase === 'transaction') this.#state.unlock();
      emit({
        name: 'pop3.session.ended',
        remote,
        ...(account === undefined ? {} : { account }),
        reason: this.#end ?? 'closed',
        commands: this.#commands,
        retrieved: this.#retrieved,
        removed: this.#removed,
        durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
      });
    }
  }

  async #serve(): Promise<void> {
    for (let line = await this.#nextLine(); line !== undefined; line = await this.#nextLine()) {
      this.#verb = '';
      if (line.kind === 'too-long') this.#bad('The line is too long');
      else await this.#line(line.octets);
      if (this.#output.isFull) await this.#flush();
      if (this.#end !== undefined) break;
      await this.#giveWay();
    }
    await this.#flush();
  }

  /** Undefined when the session has ended. */
  async #nextLine(): Promise<Extract<Line, { kind: 'line' | 'too-long' }> | undefined> {
    while (this.#end === undefined) {
      const line = this.#reader.next(LINES);
      switch (line.kind) {
        case 'line':
        case 'too-long':
          return line;
        case 'need-more':
          await this.#fill();
          break;
        case 'endless':
          this.#output.say(negative({ text: 'That cannot be read any further' }));
          this.#end = 'errors';
          break;
        default:
          return unreachable(line);
      }
    }
    return undefined;
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
    if (this.#state.phase === 'transaction') return this.#output.flush();
    const cut = this.#deps.clock.after(Math.max(1, this.#patienceMs()), () => this.#connection.destroy());
    try {
      await this.#output.flush();
    } finally {
      cut.cancel();
    }
  }

  /** Writes what was said, then waits for the client. Sets `#end` when there is nothing to wait for. */
  async #fill(): Promise<void> {
    if (this.#deps.shutdown.aborted) {
      this.#output.say(negative({ code: 'SYS/TEMP', text: 'The server is going down' }));
      this.#end = 'shutdown';
      return;
    }
    const left = this.#patienceMs();
    if (left <= 0) {
      this.#timedOut();
      return;
    }
    const had = this.#connection.tryRead();
    if (had !== undefined) {
      this.#reader.push(had);
      return;
    }
    await this.#flush();
    const got = await this.#connection.read(left);
    this.#turnStartMs = this.#deps.clock.monotonicMs();
    if (typeof got !== 'string') this.#reader.push(got);
    else if (got === 'timeout') this.#timedOut();
    else if (got !== 'woken') this.#end = got === 'end' ? 'closed' : 'reset';
  }

  #patienceMs(): number {
    const { limits, clock } = this.#deps;
    return this.#state.phase === 'authorization'
      ? limits.signInMs - (clock.monotonicMs() - this.#startedMs)
      : limits.idleMs;
  }

  /** RFC 1939 §3: nothing is removed and nothing is said. */
  #timedOut(): void {
    this.#end = this.#state.phase === 'transaction' ? 'timeout' : 'sign-in';
  }

  async #line(octets: Buffer): Promise<void> {
    this.#commands += 1;
    if (this.#state.phase === 'authorization' && this.#commands > LIMITS.pop3StrangerCommandsMax) {
      this.#refuse({ text: 'Too many commands before signing in' });
      this.#end = 'errors';
      return;
    }
    const parsed = parseCommand(octets);
    if (!parsed.ok) {
      this.#verb = parsed.error.verb ?? '';
      this.#bad(parsed.error.text);
      return;
    }
    const command = parsed.value;
    this.#verb = command.verb;
    try {
      await this.#command(command);
    } catch (cause) {
      if (!(cause instanceof Fault) && !(cause instanceof BlobError)) throw cause;
      this.#fault(cause);
      this.#refuse(NOT_NOW);
    }
  }

  #fault({ message, cause }: Fault | BlobError): void {
    this.#deps.emit({
      name: 'pop3.fault',
      remote: this.#connection.remote.address,
      verb: this.#verb,
      doing: message,
      cause: cause instanceof Error ? cause.message : '',
    });
  }

  #ok(text: string): void {
    this.#errors = 0;
    this.#output.say(positive(text));
  }

  #refuse(refusal: Refusal): void {
    this.#output.say(negative(refusal));
    const { text } = refusal;
    const remote = this.#connection.remote.address;
    this.#deps.emit({ name: 'pop3.command.refused', remote, verb: this.#verb, text });
  }

  /** What no client should say. */
  #bad(text: string): void {
    this.#refuse({ text });
    this.#errors += 1;
    if (this.#errors <= this.#deps.limits.errorsMax) return;
    this.#output.say(negative({ text: 'Too many bad commands' }));
    this.#end = 'errors';
  }

  async #command(command: Command): Promise<void> {
    const state = this.#state;
    switch (command.verb) {
      case 'CAPA':
        this.#errors = 0;
        this.#output.say(
          listing(
            'Capabilities follow',
            capabilities(state.phase === 'transaction', this.#connection.tls, this.#deps),
          ),
        );
        return undefined;
      case 'LANG':
        return this.#language(command.tag);
      case 'QUIT':
        return this.#quit();
      case 'STLS':
      case 'UTF8':
      case 'USER':
      case 'PASS':
      case 'AUTH':
        if (state.phase === 'transaction') return this.#bad('You are signed in already');
        return this.#signingIn(command, state);
      case 'STAT':
      case 'LIST':
      case 'UIDL':
      case 'RETR':
      case 'TOP':
      case 'DELE':
      case 'RSET':
      case 'NOOP':
        if (state.phase === 'authorization') return this.#bad('Sign in first');
        return this.#transact(command, state);
      default:
        return unreachable(command);
    }
  }

  async #signingIn(
    command: Extract<Command, { verb: 'STLS' | 'UTF8' | 'USER' | 'PASS' | 'AUTH' }>,
    { user }: Authorization,
  ): Promise<void> {
    switch (command.verb) {
      case 'STLS':
        return this.#startTls();
      case 'UTF8':
        this.#utf8 = true;
        return this.#ok('UTF-8 from here on');
      case 'AUTH':
        return this.#authenticate(command.mechanism, command.initial);
      case 'USER':
      case 'PASS':
        return this.#password(command, user);
      default:
        return unreachable(command);
    }
  }

  async #password(
    command: Extract<Command, { verb: 'USER' | 'PASS' }>,
    user: string | undefined,
  ): Promise<void> {
    const { tls } = this.#connection;
    if (tls === undefined) return this.#refuse(NEEDS_TLS);
    if (!takesPasswords(this.#deps, tls)) return this.#refuse({ text: 'USER and PASS are disabled' });
    if (command.verb === 'USER') {
      // RFC 1939 §7: whether there is such a mailbox is nobody's business before the password.
      this.#state = { phase: 'authorization', user: command.name };
      return this.#ok('Now the password');
    }
    if (user === undefined) return this.#bad('USER comes before PASS');
    this.#state = { phase: 'authorization', user: undefined };
    const claim = {
      kind: 'password',
      mechanism: 'PLAIN',
      authorizationId: '',
      authenticationId: user,
      password: command.password,
    } as const;
    return this.#exchange({ kind: 'claim', claim }, 'USER');
  }

  /** RFC 2595 §4. Commands sent behind STLS in plain text end the session: somebody put them there. */
  async #startTls(): Promise<void> {
    if (this.#connection.tls !== undefined) return this.#bad('TLS is on already');
    if (!this.#deps.tlsAvailable) return this.#bad('There is no TLS');
    // RFC 6856 §2.1.
    if (this.#utf8) return this.#bad('STLS comes before UTF8');
    const remote = this.#connection.remote.address;
    if (this.#reader.pending > 0 || this.#connection.tryRead() !== undefined) {
      this.#reader.discard();
      this.#refuse({ text: 'Nothing may follow STLS before TLS' });
      this.#deps.emit({ name: 'pop3.tls.failed', remote, reason: 'commands behind STLS' });
      this.#end = 'tls';
      return;
    }
    this.#ok('Begin TLS');
    await this.#flush();
    const started = await this.#connection.startTls({ side: 'server', timeoutMs: TLS_HANDSHAKE_MS });
    if (!started.ok) {
      this.#deps.emit({ name: 'pop3.tls.failed', remote, reason: started.error.text });
      this.#end = 'tls';
      return;
    }
    // What was said in plain is forgotten.
    this.#state = { phase: 'authorization', user: undefined };
    const { protocol, cipher } = started.value;
    this.#deps.emit({ name: 'pop3.tls.started', remote, protocol, cipher });
  }

  /** RFC 5034 §4. */
  async #authenticate(name: string | undefined, initial: string | undefined): Promise<void> {
    const { signIn } = this.#deps;
    const { tls } = this.#connection;
    if (tls === undefined) return this.#refuse(NEEDS_TLS);
    const offered = offeredOn(signIn, tls);
    if (name === undefined) {
      // Clients older than CAPA ask so.
      const names = offered.map((one) => one.name);
      this.#output.say(listing('Mechanisms follow', names));
      return;
    }
    const mechanism = mechanismNamed(name);
    if (mechanism === undefined || !offered.includes(mechanism))
      return this.#refuse({ text: 'That mechanism is not offered' });
    const octets = initial === undefined ? undefined : decodeResponse(initial);
    if (initial !== undefined && octets === undefined) return this.#bad('Not base64');
    return this.#exchange(mechanism.server(contextOf(signIn, tls), octets), mechanism.name);
  }

  async #exchange(begin: SaslServerStep, mechanism: string): Promise<void> {
    const end = await converse(
      begin,
      async (octets) => this.#challenge(octets),
      this.#deps.signIn.verifier(this.#connection.remote),
    );
    switch (end.kind) {
      case 'accepted':
        return this.#signedIn(end.identity, mechanism);
      case 'stopped':
        return this.#stopped(end.stop);
      case 'malformed':
        return this.#bad('Not a response of that mechanism');
      case 'refused':
        return this.#authFailed(mechanism, end.reason);
      case 'problem':
        return this.#authFailed(mechanism, end.problem.kind);
      default:
        return unreachable(end);
    }
  }

  #stopped(stop: SaslStop): void {
    switch (stop) {
      case 'over':
        return;
      case 'cancelled':
        this.#refuse({ text: 'Cancelled' });
        return;
      case 'too-long':
        this.#bad('The line is too long');
        return;
      case 'not-base64':
        this.#bad('Not base64');
        return;
      default:
        unreachable(stop);
    }
  }

  async #challenge(octets: Uint8Array): Promise<Uint8Array | { readonly stop: SaslStop }> {
    this.#output.say(`+ ${encodeBase64(octets)}\r\n`);
    const line = await this.#nextLine();
    if (line === undefined) return { stop: 'over' };
    if (line.kind === 'too-long') return { stop: 'too-long' };
    const text = line.octets.toString('latin1');
    if (text === '*') return { stop: 'cancelled' };
    return decodeBase64(text) ?? { stop: 'not-base64' };
  }

  async #authFailed(mechanism: string, reason: string): Promise<void> {
    const { emit, limits, clock, shutdown } = this.#deps;
    emit({ name: 'pop3.auth.failed', remote: this.#connection.remote.address, mechanism, reason });
    // Nobody was judged: a program that hears [AUTH] would ask its owner for another password (RFC 3206 §4).
    if (reason === 'throttled') return this.#refuse(NOT_NOW);
    this.#authFailures += 1;
    await this.#flush();
    await sleep(clock, FAILURE_DELAY_MS * this.#authFailures, shutdown);
    this.#refuse({ code: 'AUTH', text: 'Wrong name or password' });
    if (this.#authFailures >= limits.authFailuresMax) this.#end = 'errors';
  }

  async #signedIn(principal: Principal, mechanism: string): Promise<void> {
    const { emit, locks, store } = this.#deps;
    const { account } = principal;
    const remote = this.#connection.remote.address;
    emit({ name: 'pop3.auth.succeeded', remote, account, mechanism });
    const unlock = locks.take(account);
    if (unlock === undefined) {
      emit({ name: 'pop3.maildrop.in-use', remote, account });
      // RFC 2449 §8.1.2: the name and the password were right.
      return this.#refuse({ code: 'IN-USE', text: 'Another POP3 session has this mailbox' });
    }
    try {
      const maildrop = await Maildrop.open(store, account);
      this.#state = { phase: 'transaction', principal, maildrop, unlock };
    } catch (cause) {
      unlock();
      throw cause;
    }
    const { count, octets } = this.#state.maildrop.stat();
    return this.#ok(`${count} messages (${octets} octets)`);
  }

  /** RFC 6856 §3.2. There is one language to choose. */
  #language(tag: string | undefined): void {
    if (tag === undefined) this.#output.say(listing('Languages follow', ['en English']));
    else if (tag === '*' || /^en(-|$)/i.test(tag)) this.#ok('en English it is');
    else this.#refuse({ text: 'That language is not spoken here' });
  }

  /** RFC 1939 §6: the only place where messages are removed. */
  async #quit(): Promise<void> {
    this.#end = 'quit';
    const state = this.#state;
    if (state.phase === 'transaction') {
      try {
        this.#removed = await state.maildrop.update();
      } catch (cause) {
        if (!(cause instanceof Fault)) throw cause;
        this.#fault(cause);
        return this.#refuse({ code: 'SYS/TEMP', text: 'Some deleted messages were not removed' });
      }
    }
    return this.#ok('Good bye');
  }

  async #transact(command: TransactionCommand, { maildrop }: Transaction): Promise<void> {
    switch (command.verb) {
      case 'NOOP':
        return this.#ok('Nothing done');
      case 'STAT': {
        const { count, octets } = maildrop.stat();
        return this.#ok(`${count} ${octets}`);
      }
      case 'RSET':
        maildrop.unmark();
        return this.#ok('Nothing is marked as deleted');
      case 'LIST':
        return this.#list(maildrop, command.number, ({ octets }) => octets);
      case 'UIDL':
        return this.#list(maildrop, command.number, (one) => maildrop.uniqueId(one));
      case 'DELE': {
        const listed = maildrop.at(command.number);
        if (listed === undefined) return this.#refuse(NO_SUCH_MESSAGE);
        maildrop.mark(listed);
        return this.#ok('Marked as deleted');
      }
      case 'RETR':
        return this.#send(maildrop, command.number, undefined);
      case 'TOP':
        return this.#send(maildrop, command.number, command.lines);
      default:
        return unreachable(command);
    }
  }

  async #list(
    maildrop: Maildrop,
    number: number | undefined,
    of: (listed: Listed) => number | string,
  ): Promise<void> {
    if (number !== undefined) {
      const listed = maildrop.at(number);
      return listed === undefined ? this.#refuse(NO_SUCH_MESSAGE) : this.#ok(`${number} ${of(listed)}`);
    }
    this.#ok('The list follows');
    let lines = '';
    let count = 0;
    for (const listed of maildrop.listed()) {
      lines += `${listed.number} ${of(listed)}\r\n`;
      count += 1;
      if (count % LISTED_AT_ONCE !== 0) continue;
      this.#output.say(lines);
      lines = '';
      if (this.#output.isFull) await this.#flush();
      if (this.#connection.gone !== undefined) return undefined;
    }
    this.#output.say(`${lines}.\r\n`);
    return undefined;
  }

  /** @param lines of the body; undefined: all of it */
  async #send(maildrop: Maildrop, number: number, lines: number | undefined): Promise<void> {
    const listed = maildrop.at(number);
    if (listed === undefined) return this.#refuse(NO_SUCH_MESSAGE);
    const message = await maildrop.read(listed);
    if (message === undefined)
      return this.#refuse({ code: 'SYS/TEMP', text: 'Another session has removed this message' });
    const sender = new MessageSender(this.#output, this.#connection, this.#deps.blobs);
    try {
      const sent = await sender.send(message, lines, this.#utf8);
      if (sent === 'needs-utf8')
        return this.#refuse({ code: 'UTF8', text: 'This message is only for clients that said UTF8' });
      if (lines === undefined) this.#retrieved += 1;
      this.#errors = 0;
    } catch (cause) {
      if (cause instanceof BlobError) {
        const { problem } = cause;
        this.#deps.emit({ name: 'pop3.blob.unreadable', blob: message.blob.id, problem: problem.kind });
      }
      if (sender.hasBegun) {
        // Half a message must not look like a whole one.
        this.#connection.destroy();
        this.#end = 'reset';
        if (cause instanceof BlobError) return undefined;
      } else if (cause instanceof BlobError)
        return this.#refuse({ code: 'SYS/PERM', text: 'This message cannot be read' });
      throw cause;
    }
    return undefined;
  }
}

/** RFC 5034 §4: `=` stands for nothing. */
function decodeResponse(text: string): Uint8Array | undefined {
  return text === '=' ? new Uint8Array() : decodeBase64(text);
}
