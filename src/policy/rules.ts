/**
 * The check of the operator's own rules: simple conditions, all of which must hold, and one action. A rule is asked at the
 * first stage where everything that it names is known: its network at connect, its name at hello, `signedIn`, local users and
 * senders at MAIL, recipients at RCPT, header and size when the message is complete. See docs/policy.md.
 */
import { toDomainKey } from '../auth/address-key.ts';
import type { IpNetwork } from '../base/ip-network.ts';
import { isInNetwork, parseIp, parseIpNetwork } from '../base/ip-network.ts';
import { unreachable } from '../base/unreachable.ts';
import { decodeText } from '../message/encoded-word.ts';
import type { Field } from '../message/header.ts';
import { unfold } from '../message/header.ts';
import type { EnvelopeAddress } from '../smtp/wire/path.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import type { Check } from './check.ts';
import type { MessageFacts, RecipientFacts, SessionFacts, TransactionFacts } from './facts.ts';
import type { Verdict } from './verdict.ts';
import { ACCEPT, defer, refuse } from './verdict.ts';

/** As the configuration has it; it has been checked. Empty lists and what is left out hold for everything. */
export type Rule = {
  readonly name: string;
  readonly clients: readonly string[];
  readonly signedIn?: 'yes' | 'no';
  /** Login names of this machine; `*` is any. */
  readonly localUsers: readonly string[];
  readonly helo: readonly string[];
  readonly senders: readonly string[];
  readonly recipients: readonly string[];
  readonly header?: string;
  readonly contains?: string;
  readonly equals?: string;
  readonly octetsMin?: number;
  readonly action: 'refuse' | 'defer' | 'hold' | 'discard' | 'add-field' | 'tag';
  readonly text: string;
  readonly field?: string;
  readonly tag?: string;
};

type Stage = 'connect' | 'hello' | 'mail' | 'recipient' | 'message';

/** What is known; what is not known yet is undefined, and no rule of that stage asks for it. */
type Known = {
  readonly session: SessionFacts;
  readonly transaction?: TransactionFacts;
  readonly recipients?: readonly RecipientFacts[];
  readonly message?: MessageFacts;
};

type Compiled = {
  readonly stage: Stage;
  readonly verdict: Verdict;
  readonly holds: (known: Known) => boolean;
};

/** Undefined: there are no rules, and no check is needed. */
export function rulesCheck(rules: readonly Rule[]): Check | undefined {
  if (rules.length === 0) return undefined;
  const compiled = rules.map(compile);
  const at = (stage: Stage): ((known: Known) => Verdict) | undefined => {
    const own = compiled.filter((rule) => rule.stage === stage);
    return own.length === 0 ? undefined : (known) => judged(own, known);
  };
  const [connect, hello, mail, recipient, message] = [
    at('connect'),
    at('hello'),
    at('mail'),
    at('recipient'),
    at('message'),
  ];
  return {
    name: 'rules',
    ...(connect === undefined ? {} : { connect: (session) => connect({ session }) }),
    ...(hello === undefined ? {} : { hello: (session) => hello({ session }) }),
    ...(mail === undefined ? {} : { mail: (transaction, session) => mail({ session, transaction }) }),
    ...(recipient === undefined
      ? {}
      : {
          recipient: (one, transaction, session) => recipient({ session, transaction, recipients: [one] }),
        }),
    ...(message === undefined
      ? {}
      : {
          message: (content, transaction, session) =>
            message({ session, transaction, recipients: transaction.recipients, message: content }),
        }),
  };
}

/** The first rule that decides ends it; fields and tags of those before it are gathered. */
function judged(rules: readonly Compiled[], known: Known): Verdict {
  let gathered: Extract<Verdict, { kind: 'accept' }> | undefined;
  for (const { verdict, holds } of rules) {
    if (!holds(known)) continue;
    if (verdict.kind !== 'accept') return verdict;
    const { fields = '', tags = [], reason = '' } = gathered ?? {};
    gathered = {
      kind: 'accept',
      fields: fields + (verdict.fields ?? ''),
      tags: [...tags, ...(verdict.tags ?? [])],
      reason: [reason, verdict.reason ?? ''].filter((one) => one !== '').join(' '),
    };
  }
  return gathered ?? ACCEPT;
}

function compile(rule: Rule): Compiled {
  const conditions = [
    clientCondition(rule.clients),
    signedInCondition(rule.signedIn),
    localUserCondition(rule.localUsers),
    heloCondition(rule.helo),
    senderCondition(rule.senders),
    recipientCondition(rule.recipients),
    headerCondition(rule),
    sizeCondition(rule.octetsMin),
  ].filter((condition) => condition !== undefined);
  return {
    stage: stageOf(rule),
    verdict: verdictOf(rule),
    holds: (known) => conditions.every((condition) => condition(known)),
  };
}

function stageOf({ helo, signedIn, localUsers, senders, recipients, header, octetsMin }: Rule): Stage {
  if (header !== undefined || octetsMin !== undefined) return 'message';
  if (recipients.length > 0) return 'recipient';
  // Mail of a local program has no stage before.
  if (senders.length + localUsers.length > 0 || signedIn !== undefined) return 'mail';
  return helo.length > 0 ? 'hello' : 'connect';
}

function verdictOf({ name, action, text, field, tag }: Rule): Verdict {
  const reason = `rule.${name}`;
  switch (action) {
    case 'refuse':
      return refuse(reason, 550, '5.7.1', text);
    case 'defer':
      return defer(reason, 451, '4.7.1', text);
    case 'hold':
      return { kind: 'hold', reason, text };
    case 'discard':
      return { kind: 'discard', reason };
    case 'add-field':
      return { kind: 'accept', reason, fields: `${field ?? ''}\r\n` };
    case 'tag':
      return { kind: 'accept', reason, tags: [tag ?? ''] };
    default:
      return unreachable(action);
  }
}

type Condition = ((known: Known) => boolean) | undefined;

function clientCondition(clients: readonly string[]): Condition {
  const networks = clients.map(toNetwork);
  if (networks.length === 0) return undefined;
  return ({ session }) => {
    const address = parseIp(session.remote.address);
    return address !== undefined && networks.some((network) => isInNetwork(address, network));
  };
}

function toNetwork(text: string): IpNetwork {
  const network = parseIpNetwork(text);
  if (network === undefined) throw new TypeError(`${JSON.stringify(text)} is no network`);
  return network;
}

function signedInCondition(signedIn: Rule['signedIn']): Condition {
  if (signedIn === undefined) return undefined;
  // Whose program it is, the system says: its user is no stranger.
  return ({ session: { principal, localUser } }) =>
    (principal !== undefined || localUser !== undefined) === (signedIn === 'yes');
}

function localUserCondition(users: readonly string[]): Condition {
  if (users.length === 0) return undefined;
  return ({ session: { localUser } }) =>
    localUser !== undefined && (users.includes('*') || users.includes(localUser.name));
}

function heloCondition(helo: readonly string[]): Condition {
  if (helo.length === 0) return undefined;
  const patterns = helo.map((one) => one.toLowerCase());
  return ({ session }) => {
    if (session.hello === undefined) return false;
    const name = toComparable(session.hello.domain);
    return patterns.some((pattern) => isName(name, pattern));
  };
}

function senderCondition(senders: readonly string[]): Condition {
  if (senders.length === 0) return undefined;
  const patterns = senders.map((one) => one.toLowerCase());
  return ({ transaction }) => {
    const path = transaction?.reversePath;
    if (path === undefined) return false;
    return path === null ? patterns.includes('<>') : isAddress(path, patterns);
  };
}

/** Of a whole message: one of its recipients. */
function recipientCondition(wanted: readonly string[]): Condition {
  if (wanted.length === 0) return undefined;
  const patterns = wanted.map((one) => one.toLowerCase());
  return ({ recipients = [] }) => recipients.some(({ forwardPath }) => isAddress(forwardPath, patterns));
}

function headerCondition({ header, contains, equals }: Rule): Condition {
  if (header === undefined) return undefined;
  const key = header.toLowerCase();
  const wanted = (equals ?? contains ?? '').toLowerCase();
  const isMeant = ({ raw }: Field): boolean => {
    if (wanted === '') return true;
    const text = decodeText(unfold(raw)).toLowerCase();
    return equals === undefined ? text.includes(wanted) : text === wanted;
  };
  return ({ message }) => message?.fields.some((field) => field.key === key && isMeant(field)) ?? false;
}

function sizeCondition(octetsMin: number | undefined): Condition {
  if (octetsMin === undefined) return undefined;
  return ({ message }) => message !== undefined && message.octets >= octetsMin;
}

/** A name has many spellings, and one in A-labels (RFC 5891 §5.3): who writes it otherwise passes no rule by. */
function toComparable(domain: string): string {
  const name = domain.endsWith('.') ? domain.slice(0, -1) : domain;
  return toDomainKey(name) ?? name.toLowerCase();
}

function isName(name: string, pattern: string): boolean {
  return pattern.startsWith('.') ? name.endsWith(pattern) : name === pattern;
}

function isAddress(address: EnvelopeAddress, patterns: readonly string[]): boolean {
  const domain = toComparable(address.domain);
  const text = formatEnvelopeAddress({ ...address, domain }).toLowerCase();
  return patterns.some((pattern) => {
    if (pattern === '*') return true;
    return pattern.includes('@') ? text === pattern : isName(domain, pattern);
  });
}
