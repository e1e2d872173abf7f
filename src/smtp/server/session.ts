/**
 * The driver of one receiving session: reads lines, calls the command handlers, writes down what they say, and runs the
 * commands that read for themselves (DATA, BDAT, AUTH, STARTTLS). While octets are in hand and the ports answer at once,
 * nothing is awaited; all replies to a pipelined group leave in one write (RFC 2920 §3.2).
 *
 * {@link serveSmtp} never rejects. Faults of ports are answered 451; a bug ends this session only, and is an event.
 */
import type { Buffer } from 'node:buffer';
import type { Connection } from '../../base/connection.ts';
import { LIMITS } from '../../base/limits.ts';
import { err } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { Command } from '../wire/command.ts';
import { parseCommand } from '../wire/command.ts';
import type { XclientAttributes, XforwardAttributes } from '../wire/forwarding.ts';
import { reply } from '../wire/reply.ts';
import type { ExchangeEnd } from './authentication.ts';
import { authUnavailable, exchange } from './authentication.ts';
import { Channel } from './channel.ts';
import { admitAuth } from './commands/auth.ts';
import { xclient, xforward } from './commands/forwarding.ts';
import { hello } from './commands/hello.ts';
import { mail } from './commands/mail.ts';
import { AUTH_LINE_TOO_LONG, BARE_NEWLINE, LINE_TOO_LONG, problemOutcome } from './commands/problem.ts';
import { rcpt } from './commands/rcpt.ts';
import { expn, vrfy } from './commands/address-query.ts';
import { help, noop, rset } from './commands/simple.ts';
import type { SmtpServerDeps } from './deps.ts';
import type { SmtpEvent } from './event.ts';
import { contentRefusal } from './content-refusal.ts';
import { IncomingMessage } from './incoming-message.ts';
import { MessageReceiver, TOO_MUCH } from './message-receiver.ts';
import type { Outcome } from './outcome.ts';
import { badSequence, FAULT, refused } from './outcome.ts';
import type { MaybePromise, SessionFacts } from './ports.ts';
import type { State, Transaction } from './state.ts';
import { withoutTransaction } from './state.ts';
import { refusalOutcome } from './verdict.ts';

/** Serves one connection to its end. Resolves when it is closed; never rejects. */
export async function serveSmtp(connection: Connection, deps: SmtpServerDeps): Promise<void> {
  await new SmtpSession(connection, deps).run();
}

type SimpleCommand = Exclude<
  Command,
  { verb: 'QUIT' | 'STARTTLS' | 'AUTH' | 'DATA' | 'BDAT' | 'BURL' | 'XCLIENT' | 'XFORWARD' }
>;

class SmtpSession {
  readonly #connection: Connection;
  readonly #deps: SmtpServerDeps;
  readonly #channel: Channel;
  readonly #receiver: MessageReceiver;
  #facts: SessionFacts;
  #state: State = { phase: 'start' };
  #errors = 0;
  #refusedRecipients = 0;
  #idleCommands = 0;
  #authFailures = 0;
  #commands = 0;
  #messages = 0;
  /** How long the answer to the last command is to be kept back. */
  #delayMs = 0;
  #transactions = 0;
  /** Of recipients, in lower case; kept where they are limited. */
  readonly #domains = new Set<string>();

  constructor(connection: Connection, deps: SmtpServerDeps) {
    this.#connection = connection;
    this.#deps = deps;
    this.#channel = new Channel(connection, deps);
    this.#receiver = new MessageReceiver(this.#channel, deps, (doing, cause) => this.#faulted(doing, cause));
    this.#facts = {
      sessionId: deps.traceId(),
      role: deps.role,
      remote: connection.remote,
      local: connection.local,
      hello: undefined,
      tls: connection.tls,
      principal: undefined,
      earlyTalker: false,
      isForwarder: deps.trust.isForwarder(connection.remote.address),
      standsFor: undefined,
      forwarded: undefined,
    };
  }

  async run(): Promise<void> {
    const openedAtMs = this.#deps.clock.monotonicMs();
    const { remote, local, tls } = this.#connection;
    this.#emit({
      ...this.#named('smtp.session-opened'),
      remotePort: remote.port,
      localAddress: local.address,
      localPort: local.port,
      implicitTls: tls !== undefined,
      protocol: tls?.protocol,
      cipher: tls?.cipher,
    });
    try {
      await this.#greet();
      while (this.#channel.closed === undefined) await this.#work();
      await this.#channel.close();
    } catch (cause) {
      this.#channel.closed = 'bug';
      this.#emit({ ...this.#named('smtp.bug'), cause });
      this.#connection.destroy();
    } finally {
      this.#channel.dispose();
      this.#enter({ phase: 'refused' });
      this.#disconnected();
      this.#emit({
        ...this.#named('smtp.session-closed'),
        how: this.#channel.closed ?? 'client-closed',
        durationMs: this.#deps.clock.monotonicMs() - openedAtMs,
        commands: this.#commands,
        messages: this.#messages,
        octetsReceived: this.#channel.octetsReceived,
      });
    }
  }

  #disconnected(): void {
    const { octetsReceived } = this.#channel;
    try {
      this.#deps.policy.disconnect?.(this.#facts, {
        commands: this.#commands,
        messages: this.#messages,
        octetsReceived,
      });
    } catch (cause) {
      this.#faulted('Ending the checks', cause);
    }
  }

  async #greet(): Promise<void> {
    if (this.#channel.takeWaiting()) {
      this.#facts = { ...this.#facts, earlyTalker: true };
      this.#emit(this.#named('smtp.early-talker'));
    }
    await this.#admit();
  }

  /** The greeting, or what the checks have against this client. */
  async #admit(): Promise<void> {
    const { hostname, role } = this.#deps;
    let refusal: Outcome | undefined;
    try {
      const verdict = await this.#deps.policy.connect?.(this.#facts);
      if (verdict?.kind === 'refuse') refusal = refusalOutcome(verdict);
    } catch (cause) {
      this.#faulted('Checking a connection', cause);
      refusal = { ...FAULT, reply: reply(421, undefined, ...FAULT.reply.lines) };
    }
    if (refusal === undefined) {
      this.#channel.say(
        reply(220, undefined, `${hostname} ${role.name === 'lmtp' ? 'LMTP' : 'ESMTP'} Postrider`),
      );
      return;
    }
    this.#refusedEvent('', refusal);
    // RFC 2034 §4: no status in a greeting. RFC 5321 §3.1: after 554 the session waits for QUIT; 421 ends it.
    const { code, lines } = refusal.reply;
    if (code >= 500) {
      this.#state = { phase: 'refused' };
      this.#channel.say(reply(554, undefined, ...lines));
    } else this.#channel.end('refused', reply(421, undefined, ...lines));
  }

  /** Answers all the commands in hand, then waits for more. */
  async #work(): Promise<void> {
    const { commandOctetsMax, authLineOctetsMax } = this.#deps.limits;
    while (this.#channel.closed === undefined) {
      const isAuth = this.#channel.input.beginsWith('AUTH ');
      const lineMax = isAuth ? Math.max(authLineOctetsMax, commandOctetsMax) : commandOctetsMax;
      const next = this.#channel.input.nextLine(lineMax);
      switch (next.kind) {
        case 'line': {
          this.#channel.commandCame();
          const pending = this.#command(next.line);
          if (pending !== undefined) await pending;
          if (this.#delayMs > 0) await this.#keepBack();
          const relieved = this.#channel.relieve();
          if (relieved !== undefined) await relieved;
          break;
        }
        case 'need-more':
          await this.#channel.more('command');
          break;
        case 'bare-newline':
          this.#answer('', BARE_NEWLINE);
          break;
        case 'too-long':
          this.#answer(isAuth ? 'AUTH' : '', isAuth ? AUTH_LINE_TOO_LONG : LINE_TOO_LONG);
          break;
        case 'endless':
          this.#channel.end('limit', TOO_MUCH);
          break;
        default:
          unreachable(next);
      }
    }
  }

  /** A client that makes trouble hears of it late. */
  async #keepBack(): Promise<void> {
    const delayMs = this.#delayMs;
    this.#delayMs = 0;
    if (this.#channel.closed === undefined) await this.#channel.pause(delayMs);
  }

  /** One command. Undefined where it was answered at once. */
  #command(line: Buffer): Promise<void> | undefined {
    this.#commands += 1;
    if (this.#commands % LIMITS.smtpCommandsCounted === 0 && this.#deps.policy.commands !== undefined)
      return this.#counted().then((isOver) => (isOver ? undefined : this.#perform(line)));
    return this.#perform(line);
  }

  /** Whether the checks end the session for the number of its commands. */
  async #counted(): Promise<boolean> {
    try {
      const verdict = await this.#deps.policy.commands?.(LIMITS.smtpCommandsCounted, this.#facts);
      if (verdict?.kind !== 'refuse') return false;
      const refusal = refusalOutcome(verdict);
      this.#refusedEvent('', refusal);
      this.#channel.end('refused', reply(421, '4.7.0', ...refusal.reply.lines));
      return true;
    } catch (cause) {
      this.#faulted('Counting commands', cause);
      return false;
    }
  }

  #perform(line: Buffer): Promise<void> | undefined {
    const parsed = parseCommand(line);
    if (this.#state.phase === 'refused' && !(parsed.ok && parsed.value.verb === 'QUIT')) {
      this.#answer('', ONLY_QUIT);
      return undefined;
    }
    if (!parsed.ok) {
      this.#answer('verb' in parsed.error ? parsed.error.verb : '', problemOutcome(parsed.error));
      return undefined;
    }
    const command = parsed.value;
    switch (command.verb) {
      case 'QUIT':
        this.#channel.end('quit', reply(221, '2.0.0', 'Bye'));
        return undefined;
      case 'STARTTLS':
        return this.#startTls();
      case 'AUTH':
        return this.#auth(command.mechanism, command.initialResponse);
      case 'DATA':
        return this.#data();
      case 'BDAT':
        return this.#bdat(command.octets, command.last);
      case 'BURL':
        return this.#burl(command.url, command.last);
      case 'XCLIENT':
        return this.#xclient(command.attributes);
      case 'XFORWARD':
        return this.#xforward(command.attributes);
      case 'EHLO':
      case 'HELO':
      case 'LHLO':
      case 'MAIL':
      case 'RCPT':
      case 'RSET':
      case 'NOOP':
      case 'HELP':
      case 'VRFY':
      case 'EXPN':
        return this.#settle(command);
      default:
        return unreachable(command);
    }
  }

  #settle(command: SimpleCommand): Promise<void> | undefined {
    const { verb } = command;
    const failed = (cause: unknown): void => {
      this.#faulted(`Answering ${verb}`, cause);
      this.#answer(verb, FAULT);
    };
    try {
      const outcome = this.#handle(command);
      if (outcome instanceof Promise) return outcome.then((settled) => this.#answer(verb, settled), failed);
      this.#answer(verb, outcome);
    } catch (cause) {
      failed(cause);
    }
    return undefined;
  }

  #handle(command: SimpleCommand): MaybePromise<Outcome> {
    switch (command.verb) {
      case 'MAIL':
        return this.#tooManyMessages() ?? mail(command, this.#state, this.#facts, this.#deps);
      case 'RCPT':
        return this.#tooManyDomains(command) ?? rcpt(command, this.#state, this.#facts, this.#deps);
      case 'EHLO':
      case 'HELO':
      case 'LHLO':
        return hello(command, this.#facts, this.#deps);
      case 'RSET':
        return rset(this.#state);
      case 'NOOP':
        return noop();
      case 'HELP':
        return help(command.argument, this.#facts, this.#deps);
      case 'VRFY':
        return vrfy(command.argument, this.#facts, this.#deps);
      case 'EXPN':
        return expn(command.argument, this.#facts, this.#deps);
      default:
        return unreachable(command);
    }
  }

  /** RFC 9422 §4.1: beyond MAILMAX, on a connection of its own. */
  #tooManyMessages(): Outcome | undefined {
    const { limits, hostname } = this.#deps;
    return this.#transactions < limits.transactionsMax
      ? undefined
      : refused('too-many-messages', reply(421, '4.7.0', `${hostname} Enough messages, connect again`));
  }

  /** RFC 9422 §4.3: beyond RCPTDOMAINMAX, as beyond RCPTMAX. */
  #tooManyDomains({ forwardPath }: Extract<Command, { verb: 'RCPT' }>): Outcome | undefined {
    const { recipientDomainsMax } = this.#deps.limits;
    if (recipientDomainsMax === undefined || this.#state.phase !== 'transaction') return undefined;
    const domain = forwardPath.domain?.toLowerCase() ?? '';
    if (!this.#domains.has(domain) && this.#domains.size >= recipientDomainsMax)
      return refused('too-many-domains', reply(452, '4.5.3', 'Too many domains, connect again'));
    this.#domains.add(domain);
    return undefined;
  }

  /** DATA. Source: RFC 5321 §4.1.1.4. */
  async #data(): Promise<void> {
    const state = this.#state;
    if (state.phase === 'chunking') return this.#answer('DATA', badSequence('The message goes on with BDAT'));
    if (state.phase !== 'transaction') return this.#answer('DATA', badSequence('Say MAIL and RCPT first'));
    const { transaction } = state;
    if (transaction.recipients.length === 0) return this.#answer('DATA', NO_RECIPIENTS);
    // RFC 3030 §3.
    if (transaction.parameters.body === 'BINARYMIME') return this.#answer('DATA', BINARY_NEEDS_BDAT);
    const message = await this.#receiver.begin('DATA', transaction, this.#facts);
    if (!(message instanceof IncomingMessage)) return this.#answer('DATA', message);
    this.#channel.say(GO_AHEAD);
    if ((await this.#receiver.readData(message, transaction)) === 'over') return message.abort();
    return this.#finish('DATA', message, transaction);
  }

  /** BDAT: the chunk is read whatever the answer will be. Source: RFC 3030 §2. */
  async #bdat(octets: number, last: boolean): Promise<void> {
    const target = await this.#chunkTarget(last);
    const message = target instanceof IncomingMessage ? target : undefined;
    const transaction = this.#state.phase === 'chunking' ? this.#state.transaction : undefined;
    if ((await this.#receiver.readChunk(octets, message, transaction)) === 'over') return message?.abort();
    if (!(target instanceof IncomingMessage) || transaction === undefined)
      return this.#answer('BDAT', target instanceof IncomingMessage ? FAULT : target);
    return this.#afterContent('BDAT', target, transaction, octets, last);
  }

  /** BURL: a chunk that is here already. Source: RFC 4468 §3.2. */
  async #burl(url: string, last: boolean): Promise<void> {
    const { urls, role } = this.#deps;
    const { principal } = this.#facts;
    if (urls === undefined || role.name !== 'submission') return this.#answer('BURL', NO_BURL);
    if (principal === undefined) return this.#answer('BURL', URLS_NEED_AUTH);
    const target = await this.#chunkTarget(last);
    if (!(target instanceof IncomingMessage)) return this.#answer('BURL', target);
    const state = this.#state;
    if (state.phase !== 'chunking') return this.#answer('BURL', FAULT);
    const before = target.octets;
    const problem = await this.#receiver.readUrl(() => urls.open(url, principal), target);
    if (problem === undefined)
      return this.#afterContent('BURL', target, state.transaction, target.octets - before, last);
    // RFC 4468 §3.2: without this part there is no message.
    target.abort();
    this.#messageRefused(target, state.transaction, problem);
    return this.#answer('BURL', { ...problem, state: this.#afterChunk(last) });
  }

  async #afterContent(
    verb: 'BDAT' | 'BURL',
    message: IncomingMessage,
    transaction: Transaction,
    octets: number,
    last: boolean,
  ): Promise<void> {
    if (last) {
      message.endRaw();
      return this.#finish(verb, message, transaction);
    }
    if (message.problem === undefined)
      return this.#channel.say(reply(250, '2.0.0', `${octets} octets received`));
    if (message.problem === 'fault') this.#faulted('Taking in content', message.cause);
    const refusal = contentRefusal(message.problem, this.#deps.limits);
    this.#messageRefused(message, transaction, refusal);
    return this.#answer(verb, { ...refusal, state: this.#afterChunk(false) });
  }

  /** The message that a chunk belongs to, opened by the first one; or why there is none. */
  async #chunkTarget(last: boolean): Promise<IncomingMessage | Outcome> {
    const state = this.#state;
    switch (state.phase) {
      case 'chunking':
        return state.message;
      case 'transaction': {
        const { transaction, hello: greeted } = state;
        // Without this the chunks behind it could make a message that has lost its beginning.
        if (transaction.recipients.length === 0)
          return last ? NO_RECIPIENTS : { ...NO_RECIPIENTS, state: this.#afterChunk(last) };
        const begun = await this.#receiver.begin('BDAT', transaction, this.#facts);
        if (!(begun instanceof IncomingMessage)) return { ...begun, state: this.#afterChunk(last) };
        this.#state = { phase: 'chunking', hello: greeted, transaction, message: begun };
        return begun;
      }
      case 'chunk-failed':
        return badSequence('The message has failed, say RSET');
      case 'refused':
      case 'start':
      case 'ready':
        return badSequence('Say MAIL and RCPT first');
      default:
        return unreachable(state);
    }
  }

  /** Where a failed chunk leaves the session. After LAST the transaction is over, before it RSET must end it. */
  #afterChunk(last: boolean): State {
    const ready = withoutTransaction(this.#state);
    return last || ready.phase !== 'ready' ? ready : { phase: 'chunk-failed', hello: ready.hello };
  }

  async #finish(
    verb: 'DATA' | 'BDAT' | 'BURL',
    message: IncomingMessage,
    transaction: Transaction,
  ): Promise<void> {
    const { outcomes, discarded } = await this.#receiver.finish(message, transaction, this.#facts);
    const refusals = outcomes.filter(({ reply: { code } }) => code >= 400);
    for (const outcome of outcomes) this.#say(outcome);
    this.#enter(withoutTransaction(this.#state));
    const [worst] = refusals;
    if (worst !== undefined) this.#messageRefused(message, transaction, worst);
    if (refusals.length === outcomes.length) {
      this.#delay(verb, worst?.reply.code ?? 0);
      return this.#count(verb, worst?.reply.code ?? 0);
    }
    this.#messages += 1;
    this.#channel.messageCame();
    this.#errors = 0;
    this.#idleCommands = 0;
    if (discarded !== undefined) {
      const { traceId, recipients } = transaction;
      const { octets } = message;
      const facts = { traceId, octets, recipients: recipients.length, reason: discarded };
      return this.#emit({ ...this.#named('smtp.message-discarded'), ...facts });
    }
    this.#emit({
      ...this.#named('smtp.message-accepted'),
      traceId: transaction.traceId,
      octets: message.octets,
      recipients: transaction.recipients.length,
      tookMs: this.#deps.clock.monotonicMs() - transaction.startedMonotonicMs,
    });
  }

  /** The session is another client's from here on, and begins with the greeting that this one gets. */
  async #xclient(attributes: XclientAttributes): Promise<void> {
    const changed = await this.#client(attributes);
    if (!changed.ok) return this.#answer('XCLIENT', changed.error);
    const { remote, standsFor, principal } = changed.value;
    // Who was let in before, and only has more said of, was asked about before.
    const signsIn = principal !== undefined && principal !== this.#facts.principal;
    const refusal = signsIn ? await this.#authRefusal(changed.value) : undefined;
    if (refusal !== undefined) return this.#answer('XCLIENT', refusal);
    this.#emit({ ...this.#named('smtp.client-named'), client: remote.address, hostname: standsFor?.name });
    this.#facts = changed.value;
    if (signsIn) {
      this.#channel.authenticated();
      this.#emit({
        ...this.#named('smtp.authenticated'),
        mechanism: 'XCLIENT',
        accountId: principal.account,
      });
    }
    this.#enter({ phase: 'start' });
    return this.#admit();
  }

  async #client(attributes: XclientAttributes): ReturnType<typeof xclient> {
    try {
      return await xclient(attributes, this.#state, this.#facts, this.#deps.signIn);
    } catch (cause) {
      this.#faulted('Looking up whom a host has let in', cause);
      return err(FAULT);
    }
  }

  #xforward(attributes: XforwardAttributes): undefined {
    const forwarded = xforward(attributes, this.#state, this.#facts);
    if (forwarded.ok) this.#facts = { ...this.#facts, forwarded: forwarded.value };
    this.#answer('XFORWARD', forwarded.ok ? FORWARDED : forwarded.error);
  }

  /** STARTTLS. Source: RFC 3207 §4. */
  async #startTls(): Promise<void> {
    if (this.#facts.tls !== undefined) return this.#answer('STARTTLS', badSequence('TLS is active already'));
    if (!this.#deps.startTls) return this.#answer('STARTTLS', NO_STARTTLS);
    // RFC 3207 §5: what a stranger put behind STARTTLS in plain must never be taken for what came under TLS.
    if (!this.#channel.input.empty || this.#connection.tryRead() !== undefined) {
      this.#emit(this.#named('smtp.plaintext-behind-starttls'));
      return this.#channel.end('tls-failed', PLAINTEXT_BEHIND_STARTTLS);
    }
    this.#channel.say(reply(220, '2.0.0', 'Ready to start TLS'));
    await this.#channel.flush();
    const started = await this.#connection.startTls({
      side: 'server',
      timeoutMs: this.#deps.limits.handshakeMs,
    });
    if (!started.ok) {
      this.#emit({ ...this.#named('smtp.tls-failed'), problem: started.error });
      this.#channel.closed ??= 'tls-failed';
      this.#connection.destroy();
      return undefined;
    }
    const { protocol, cipher } = started.value;
    this.#emit({ ...this.#named('smtp.tls-started'), protocol, cipher });
    // RFC 3207 §4.2: all that the client said before is forgotten.
    this.#facts = { ...this.#facts, tls: started.value };
    this.#enter({ phase: 'start' });
    return undefined;
  }

  /** AUTH. Source: RFC 4954 §4. */
  async #auth(name: string, initialResponse: string | undefined): Promise<void> {
    const admitted = admitAuth(name, this.#state, this.#facts, this.#deps.signIn);
    if (!admitted.ok) return this.#answer('AUTH', admitted.error);
    const { mechanism, signIn } = admitted.value;
    const { authLineOctetsMax: lineOctetsMax } = this.#deps.limits;
    let ended: ExchangeEnd;
    try {
      const deps = { channel: this.#channel, signIn, lineOctetsMax };
      ended = await exchange(mechanism, initialResponse, this.#facts, deps);
    } catch (cause) {
      this.#faulted('Authenticating', cause);
      ended = { kind: 'refused', outcome: authUnavailable('fault') };
    }
    switch (ended.kind) {
      case 'accepted': {
        const { principal } = ended;
        const facts = { ...this.#facts, principal };
        const refusal = await this.#authRefusal(facts);
        if (refusal !== undefined) return this.#authFailed(name, refusal);
        this.#channel.authenticated();
        this.#facts = facts;
        this.#emit({ ...this.#named('smtp.authenticated'), mechanism: name, accountId: principal.account });
        return this.#answer('AUTH', AUTHENTICATED);
      }
      case 'refused':
        return this.#authFailed(name, ended.outcome);
      case 'over':
        return undefined;
      default:
        return unreachable(ended);
    }
  }

  /** What the checks have against a client that has proved who it is. */
  async #authRefusal(facts: SessionFacts): Promise<Outcome | undefined> {
    try {
      const verdict = await this.#deps.policy.auth?.(facts);
      return verdict?.kind === 'refuse' ? refusalOutcome(verdict) : undefined;
    } catch (cause) {
      this.#faulted('Checking a login', cause);
      return authUnavailable('fault');
    }
  }

  #authFailed(mechanism: string, outcome: Outcome): void {
    this.#emit({ ...this.#named('smtp.auth-failed'), mechanism, reason: outcome.reason ?? '' });
    this.#answer('AUTH', outcome);
    this.#authFailures += 1;
    if (this.#authFailures >= this.#deps.limits.authFailuresMax) this.#endForErrors();
  }

  #say(outcome: Outcome): void {
    this.#channel.say(outcome.reply);
    // RFC 5321 §3.8: 421, whoever asked for it, ends the session.
    if (outcome.reply.code === 421) this.#channel.closed ??= 'refused';
  }

  /** Writes an outcome down: reply, state, event, counts. */
  #answer(verb: string, outcome: Outcome): void {
    this.#say(outcome);
    if (outcome.reply.code >= 400) this.#refusedEvent(verb, outcome);
    this.#count(verb, outcome.reply.code);
    if (outcome.state !== undefined) this.#enter(outcome.state);
  }

  #enter(state: State): void {
    if (this.#state.phase === 'chunking') this.#state.message.abort();
    if (state.phase === 'transaction') this.#transactions += 1;
    // What XFORWARD said holds for one message.
    else if (state.phase !== 'chunking' && this.#facts.forwarded !== undefined)
      this.#facts = { ...this.#facts, forwarded: undefined };
    this.#state = state;
    const greeted = 'hello' in state ? state.hello : undefined;
    if (greeted === this.#facts.hello) return;
    this.#facts = { ...this.#facts, hello: greeted };
    if (greeted !== undefined) this.#emit({ ...this.#named('smtp.hello'), ...greeted });
  }

  /** RFC 5321 §7.8: a session that only makes trouble may be ended, with 421. */
  #count(verb: string, code: number): void {
    const { errorsMax, refusedRecipientsMax, idleCommandsMax } = this.#deps.limits;
    if (code >= 500 && verb === 'RCPT' && this.#state.phase === 'transaction') this.#refusedRecipients += 1;
    else if (code >= 500) this.#errors += 1;
    else if (verb !== 'MAIL' && verb !== 'RCPT') this.#idleCommands += 1;
    if (
      this.#errors >= errorsMax ||
      this.#refusedRecipients >= refusedRecipientsMax ||
      this.#idleCommands >= idleCommandsMax
    )
      this.#endForErrors();
  }

  #endForErrors(): void {
    const text = `${this.#deps.hostname} Too many errors, closing`;
    this.#channel.end('too-many-errors', reply(421, '4.7.0', text));
  }

  #faulted(doing: string, cause: unknown): void {
    this.#emit({ ...this.#named('smtp.fault'), doing, cause, traceId: this.#openTraceId() });
  }

  #openTraceId(): string | undefined {
    return 'transaction' in this.#state ? this.#state.transaction.traceId : undefined;
  }

  #refusedEvent(verb: string, { reply: { code, status, lines }, reason = '', about }: Outcome): void {
    this.#delay(verb, code);
    this.#emit({
      ...this.#named('smtp.command-refused'),
      verb,
      code,
      status,
      reason,
      text: lines.join(' '),
      traceId: about?.traceId ?? this.#openTraceId(),
      recipient: about?.recipient,
    });
  }

  #delay(verb: string, code: number): void {
    const delayMs = this.#deps.policy.refused?.({ verb, code }, this.#facts) ?? 0;
    this.#delayMs = Math.max(this.#delayMs, delayMs);
  }

  #messageRefused(message: IncomingMessage, transaction: Transaction, outcome: Outcome): void {
    const { traceId, recipients } = transaction;
    this.#emit({
      ...this.#named('smtp.message-refused'),
      traceId,
      octets: message.octets,
      recipients: recipients.length,
      code: outcome.reply.code,
      status: outcome.reply.status,
      reason: outcome.reason ?? '',
      text: outcome.reply.lines.join(' '),
      messageId: message.messageId,
    });
  }

  #named<Name extends SmtpEvent['name']>(name: Name): EventHead<Name> {
    const { sessionId, role, remote } = this.#facts;
    return { name, sessionId, role: role.name, remoteAddress: remote.address };
  }

  #emit(event: SmtpEvent): void {
    this.#deps.events(event);
  }
}

type EventHead<Name> = Pick<SmtpEvent, 'sessionId' | 'role' | 'remoteAddress'> & { readonly name: Name };

const GO_AHEAD = reply(354, undefined, 'Go ahead, end with a dot on a line of its own');
const NO_RECIPIENTS = badSequence('No valid recipients');
const BINARY_NEEDS_BDAT = badSequence('BODY=BINARYMIME goes with BDAT');
const NO_BURL = refused('not-implemented', reply(502, '5.5.1', 'BURL is not offered here'));
const URLS_NEED_AUTH = refused('auth-required', reply(530, '5.7.0', 'Sign in first'));
const ONLY_QUIT = badSequence('This connection was refused, say QUIT');
const NO_STARTTLS = refused('not-implemented', reply(502, '5.5.1', 'STARTTLS is not offered here'));
const PLAINTEXT_BEHIND_STARTTLS = reply(554, '5.5.1', 'Commands in plain text behind STARTTLS, closing');
const FORWARDED: Outcome = { reply: reply(250, '2.0.0', 'Ok') };
const AUTHENTICATED: Outcome = { reply: reply(235, '2.7.0', 'Authenticated') };
