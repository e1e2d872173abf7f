/**
 * The check of limits and rates: how much comes from one address, its network, an account, a reverse-path, and to one
 * recipient. What is counted when, what a client hears, and the figures' meaning: docs/policy.md.
 *
 * Clients that have signed in are counted by their account and not by where they come from; exempt ones, and LMTP's, not at
 * all. Memory: a little for each session, beside the table of rates, which is bounded.
 */
import type { Clock } from '../base/clock.ts';
import { LIMITS } from '../base/limits.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import type { AccountId } from '../store/ids.ts';
import type { Check } from './check.ts';
import type { RecipientFacts, SessionFacts, TransactionFacts } from './facts.ts';
import { addressName, networkName } from './peer-name.ts';
import type { Bucket, Gauge, Rates, RateSubject } from './rate.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, defer, refuse } from './verdict.ts';

/** The limits of one subject, as the configuration names them. Left out or 0: none. */
export type RateLimits = {
  readonly connectionsPerHour?: number;
  readonly commandsPerHour?: number;
  readonly errorsPerHour?: number;
  readonly messagesPerHour?: number;
  readonly messagesPerDay?: number;
  readonly recipientsPerHour?: number;
  readonly recipientsPerDay?: number;
  readonly octetsPerHour?: number;
  readonly octetsPerDay?: number;
};

export type RatesRules = {
  readonly ipv4NetworkBits: number;
  readonly ipv6NetworkBits: number;
  readonly slowAfterErrors: number;
  readonly slowSeconds: number;
  readonly address: RateLimits;
  readonly network: RateLimits;
  readonly account: RateLimits & { readonly connectionsAtOnce: number };
  /** A user of this machine, by `sendmail`. */
  readonly localUser: RateLimits;
  readonly sender: RateLimits;
  readonly recipient: RateLimits;
};

export type RatesPorts = {
  readonly rates: Rates;
  readonly gauge: Gauge;
  readonly clock: Clock;
  readonly isExempt: (address: string) => boolean;
  /** What an account may send, where it is not what all may. */
  readonly limitsOf: (account: AccountId) => Promise<RateLimits | undefined>;
  /** An account wanted to send more than it may. */
  readonly onExcess: (account: AccountId) => void;
};

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

type Kind = 'address' | 'network' | 'account' | 'local-user' | 'sender' | 'recipient';
type Limit = keyof RateLimits;
const MESSAGES: readonly Limit[] = ['messagesPerHour', 'messagesPerDay'];
const RECIPIENTS: readonly Limit[] = ['recipientsPerHour', 'recipientsPerDay'];
const OCTETS: readonly Limit[] = ['octetsPerHour', 'octetsPerDay'];

/** One of whom, or to whom, something comes, and what of it is limited. */
class Counted {
  readonly kind: Kind;
  readonly limits: RateLimits;
  readonly #subject: RateSubject;
  readonly #buckets = new Map<Limit, Bucket>();

  constructor(kind: Kind, name: string, limits: RateLimits, rates: Rates) {
    this.kind = kind;
    this.#subject = rates.subject(isOurs(kind) ? 'account' : 'peer', `${kind} ${name}`);
    this.limits = limits;
  }

  bucket(limit: Limit): Bucket {
    let bucket = this.#buckets.get(limit);
    if (bucket === undefined) {
      const intervalMs = limit.endsWith('PerDay') ? DAY_MS : HOUR_MS;
      bucket = this.#subject.bucket(limit, { count: this.limits[limit] ?? 0, intervalMs });
      this.#buckets.set(limit, bucket);
    }
    return bucket;
  }
}

/** What is counted of a session. */
type Counts = {
  /** Its address and network; nobody where it is exempt. */
  readonly peers: readonly Counted[];
  /** Or the local user whose program left the message. */
  account: Counted | undefined;
  /** Commands that are counted already. */
  commands: number;
  /** Counts the session out of those that the account has. */
  leave: (() => void) | undefined;
  /** Of the transaction. */
  sender: Counted | undefined;
  recipients: Counted[];
};

export function ratesCheck(ports: RatesPorts, rules: RatesRules): Check {
  const checks = new RatesCheck(ports, rules);
  return {
    name: 'rates',
    connect: (session) => checks.connect(session),
    auth: (session) => checks.auth(session),
    mail: (transaction, session) => checks.mail(transaction, session),
    recipient: (recipient, _transaction, session) => checks.recipient(recipient, session),
    message: ({ octets }, { recipients }, session) => checks.message(octets, recipients.length, session),
    commands: (count, session) => checks.commands(count, session),
    refused: ({ code }, session) => checks.refused(code, session),
    disconnect: (session, { commands }) => checks.disconnect(session, commands),
  };
}

class RatesCheck {
  readonly #ports: RatesPorts;
  readonly #rules: RatesRules;
  readonly #sessions = new Map<string, Counts>();
  /** Sessions whose refusals are being kept back. */
  #slowed = 0;

  constructor(ports: RatesPorts, rules: RatesRules) {
    this.#ports = ports;
    this.#rules = rules;
  }

  connect(session: SessionFacts): Verdict {
    // A session that turns out to be another client's begins anew.
    this.disconnect(session, 0);
    const counts = this.#countsOf(session);
    // What has run out for another reason shuts the door too: so a flood costs a greeting, not a session.
    return (
      without(counts.peers, ['errorsPerHour', 'commandsPerHour'], 421) ??
      taken(counts.peers, ['connectionsPerHour'], 421) ??
      ACCEPT
    );
  }

  auth(session: SessionFacts): Verdict {
    const { principal } = session;
    if (principal === undefined) return ACCEPT;
    const counts = this.#countsOf(session);
    const { connectionsAtOnce, ...limits } = this.#rules.account;
    const account = this.#account(principal.account, limits);
    counts.leave ??=
      connectionsAtOnce === 0
        ? () => undefined
        : this.#ports.gauge.enter(`account ${principal.account}`, connectionsAtOnce);
    if (counts.leave === undefined) return excess('account', 'sessions', 421);
    counts.account = account;
    return (
      without([account], ['errorsPerHour'], 421) ?? taken([account], ['connectionsPerHour'], 421) ?? ACCEPT
    );
  }

  async #ownLimits(account: AccountId): Promise<RateLimits> {
    const { connectionsAtOnce: _sessions, ...limits } = this.#rules.account;
    return { ...limits, ...(await this.#ports.limitsOf(account)) };
  }

  mail(transaction: TransactionFacts, session: SessionFacts): Verdict | Promise<Verdict> {
    const counts = this.#countsOf(session);
    counts.recipients = [];
    counts.sender = undefined;
    const { principal } = session;
    if (principal !== undefined)
      return this.#ownLimits(principal.account).then((limits) => {
        counts.account = this.#account(principal.account, limits);
        return this.#told(principal.account, without([counts.account], [...MESSAGES, ...OCTETS], 450));
      });
    const { reversePath } = transaction;
    if (counts.peers.length > 0 && reversePath !== null) {
      // Anybody may write any reverse-path: what is sent in a name elsewhere must not stop who bears it.
      const name = `${this.#networkOf(session)} ${keyOf(formatEnvelopeAddress(reversePath))}`;
      counts.sender = this.#counted('sender', name, this.#rules.sender);
    }
    return without(senders(counts), [...MESSAGES, ...OCTETS], 450) ?? ACCEPT;
  }

  recipient({ forwardPath }: RecipientFacts, session: SessionFacts): Verdict {
    // A program that has gone sends the rest no later: the message is counted as a whole.
    if (session.localUser !== undefined) return ACCEPT;
    const counts = this.#countsOf(session);
    let own: Counted | undefined;
    if (counts.account === undefined && counts.peers.length > 0) {
      own = this.#counted('recipient', keyOf(formatEnvelopeAddress(forwardPath)), this.#rules.recipient);
      const full = without([own], [...MESSAGES, ...OCTETS], 450);
      if (full !== undefined) return full;
    }
    // RFC 5321 §4.5.3.1.10: 452 where it is the number of recipients.
    const refusal = taken(senders(counts), RECIPIENTS, 452);
    if (refusal === undefined && own !== undefined) counts.recipients.push(own);
    return this.#told(session.principal?.account, refusal);
  }

  message(octets: number, recipients: number, session: SessionFacts): Verdict {
    const counts = this.#countsOf(session);
    const all = [...senders(counts), ...counts.recipients];
    const refusal =
      (session.localUser === undefined ? undefined : takenAtOnce(all, recipients)) ??
      taken(all, MESSAGES, 451);
    if (refusal !== undefined) return this.#told(session.principal?.account, refusal);
    // The message is here: it may overdraw what is left, and the next one waits.
    for (const counted of all) for (const limit of OCTETS) counted.bucket(limit).charge(octets);
    return ACCEPT;
  }

  commands(count: number, session: SessionFacts): Verdict {
    const counts = this.#countsOf(session);
    counts.commands += count;
    if (counts.account !== undefined) return ACCEPT;
    for (const counted of counts.peers) counted.bucket('commandsPerHour').charge(count);
    return without(counts.peers, ['commandsPerHour'], 421) ?? ACCEPT;
  }

  /** RFC 5321 §7.8: a client that goes on making mistakes may be slowed. Temporary refusals are no mistakes. */
  refused(code: number, session: SessionFacts): number {
    if (code < 500) return 0;
    const { peers, account } = this.#countsOf(session);
    for (const counted of account === undefined ? peers : [account])
      counted.bucket('errorsPerHour').charge(1);
    const { slowAfterErrors, slowSeconds } = this.#rules;
    const [address] = peers;
    if (account !== undefined || address === undefined || slowAfterErrors === 0) return 0;
    if (this.#slowed >= LIMITS.smtpSlowedSessionsMax) return 0;
    if (address.bucket('errorsPerHour').used() <= slowAfterErrors) return 0;
    this.#slowed += 1;
    this.#ports.clock.after(slowSeconds * 1000, () => {
      this.#slowed -= 1;
    });
    return slowSeconds * 1000;
  }

  disconnect(session: SessionFacts, commands: number): void {
    const counts = this.#sessions.get(session.sessionId);
    if (counts === undefined) return;
    this.#sessions.delete(session.sessionId);
    counts.leave?.();
    if (counts.account !== undefined) return;
    const left = Math.max(0, commands - counts.commands);
    for (const counted of counts.peers) counted.bucket('commandsPerHour').charge(left);
  }

  #countsOf(session: SessionFacts): Counts {
    const known = this.#sessions.get(session.sessionId);
    if (known !== undefined) return known;
    const counts = {
      peers: this.#peersOf(session),
      account: this.#localUserOf(session),
      commands: 0,
      leave: undefined,
      sender: undefined,
      recipients: [],
    };
    this.#sessions.set(session.sessionId, counts);
    return counts;
  }

  #localUserOf({ localUser }: SessionFacts): Counted | undefined {
    return localUser && this.#counted('local-user', String(localUser.uid), this.#rules.localUser);
  }

  #peersOf(session: SessionFacts): readonly Counted[] {
    const { role, localUser, remote } = session;
    const { address } = remote;
    // The clients of LMTP are servers of ours, wherever they are.
    if (role.name === 'lmtp' || localUser !== undefined || this.#ports.isExempt(address)) return [];
    return [
      this.#counted('address', addressName(address), this.#rules.address),
      this.#counted('network', this.#networkOf(session), this.#rules.network),
    ];
  }

  #networkOf({ remote: { address } }: SessionFacts): string {
    return networkName(address, { ipv4: this.#rules.ipv4NetworkBits, ipv6: this.#rules.ipv6NetworkBits });
  }

  #account(account: AccountId, limits: RateLimits): Counted {
    return this.#counted('account', String(account), limits);
  }

  #counted(kind: Kind, name: string, limits: RateLimits): Counted {
    return new Counted(kind, name, limits, this.#ports.rates);
  }

  #told(account: AccountId | undefined, verdict: Verdict | undefined): Verdict {
    if (verdict !== undefined && account !== undefined) this.#ports.onExcess(account);
    return verdict ?? ACCEPT;
  }
}

/** By whom a session's mail is counted. */
function senders({ account, peers, sender }: Counts): readonly Counted[] {
  if (account !== undefined) return [account];
  return sender === undefined ? peers : [...peers, sender];
}

/** The first that has nothing left of one of these. */
function without(
  counteds: readonly Counted[],
  limits: readonly Limit[],
  code: Parameters<typeof defer>[1],
): Verdict | undefined {
  for (const counted of counteds)
    for (const limit of limits) if (!counted.bucket(limit).has()) return excess(counted.kind, limit, code);
  return undefined;
}

/** Takes one of each from all; the first that has nothing left. Nothing is taken where that is so already. */
function taken(
  counteds: readonly Counted[],
  limits: readonly Limit[],
  code: Parameters<typeof defer>[1],
): Verdict | undefined {
  const missing = without(counteds, limits, code);
  if (missing !== undefined) return missing;
  for (const counted of counteds)
    for (const limit of limits) if (!counted.bucket(limit).take()) return excess(counted.kind, limit, code);
  return undefined;
}

/** The recipients of one message, all of them or none. Who could never have so many is told so (RFC 3463 §3.6, X.5.3). */
function takenAtOnce(counteds: readonly Counted[], recipients: number): Verdict | undefined {
  for (const { kind, limits } of counteds)
    for (const limit of RECIPIENTS) {
      const most = limits[limit] ?? 0;
      if (most > 0 && recipients > most)
        return refuse(`rates.${kind}.recipients`, 550, '5.5.3', `At most ${most} recipients for one message`);
    }
  for (const counted of counteds)
    for (const limit of RECIPIENTS)
      if (!counted.bucket(limit).has(recipients)) return excess(counted.kind, limit, 452);
  for (const counted of counteds) for (const limit of RECIPIENTS) counted.bucket(limit).charge(recipients);
  return undefined;
}

/** RFC 3463 §3.8: X.7.0 of a session, X.7.1 of a message or recipient that is not let in now. */
function excess(kind: Kind, limit: Limit | 'sessions', code: Parameters<typeof defer>[1]): Verdict {
  const what = limit.replace(/Per.*/, '');
  const text = `Too many ${what} ${kind === 'recipient' ? 'for' : 'from'} this ${kind.replace('-', ' ')}, try again later`;
  return defer(`rates.${kind}.${what}`, code, code === 421 ? '4.7.0' : '4.7.1', text);
}

/** Strangers cannot make up such names. */
function isOurs(kind: Kind): boolean {
  return kind === 'account' || kind === 'local-user';
}

/** Upper and lower case are one here, so that nobody gets more by writing an address in several ways. */
function keyOf(address: string): string {
  return address.toLowerCase();
}
