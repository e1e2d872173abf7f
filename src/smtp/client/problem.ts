/** What can go wrong with a next hop. Everything that it does comes back as one of these, never as a throw. */
import type { TlsProblem } from '../../base/connection.ts';
import { unreachable } from '../../base/unreachable.ts';
import type { EnhancedStatus } from '../wire/enhanced-status.ts';
import { parseEnhancedStatus } from '../wire/enhanced-status.ts';
import type { PeerReply } from '../wire/reply.ts';
import { formatPeerReply } from '../wire/reply.ts';

export type Stage =
  | 'greeting'
  | 'hello'
  | 'starttls'
  | 'auth'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'content'
  /** After the final dot: the peer may have the message although we do not know it. */
  | 'final'
  | 'reset';

export type ClientProblem =
  /** The peer said no, word for word. */
  | { readonly kind: 'reply'; readonly stage: Stage; readonly reply: PeerReply }
  /** What it said is no reply, or not one that belongs here; `line` is its beginning. */
  | { readonly kind: 'garbage'; readonly stage: Stage; readonly detail: string; readonly line: string }
  | { readonly kind: 'closed'; readonly stage: Stage }
  | { readonly kind: 'timeout'; readonly stage: Stage }
  /** The connection is of no more use; opportunistic senders may try again without TLS. */
  | { readonly kind: 'tls'; readonly stage: 'starttls'; readonly problem: TlsProblem }
  /** The peer could not show that it knows our password: it may be another. */
  | { readonly kind: 'unproven'; readonly stage: 'auth' }
  /** The peer lacks what this message or our settings need. */
  | {
      readonly kind: 'not-offered';
      readonly stage: Stage;
      readonly feature:
        | 'STARTTLS'
        | 'AUTH'
        | '8BITMIME'
        | 'SMTPUTF8'
        | 'SIZE'
        | 'REQUIRETLS'
        | 'BINARYMIME'
        | 'DELIVERBY'
        | 'plain-auth-without-tls';
    }
  /** By its own limits the peer takes no more recipients in this session; in another it may (RFC 9422 §4). */
  | { readonly kind: 'session-limit'; readonly stage: 'rcpt' }
  /** An address that no SMTP path can carry. */
  | { readonly kind: 'bad-path'; readonly stage: 'mail' | 'rcpt' };

/** What became of one recipient at this hop. */
export type RecipientOutcome =
  | { readonly kind: 'relayed'; readonly stage: 'final'; readonly reply: PeerReply }
  | {
      readonly kind: 'temporary' | 'permanent';
      readonly problem: ClientProblem;
      /** For the DSN: the peer's own status, or what stands for the problem (RFC 3463). */
      readonly status: EnhancedStatus;
    };

export function refusalOf(problem: ClientProblem): RecipientOutcome {
  const kind = isPermanent(problem) ? 'permanent' : 'temporary';
  return { kind, problem, status: statusOf(problem) };
}

export function isPermanent(problem: ClientProblem): boolean {
  switch (problem.kind) {
    case 'reply':
      // RFC 5321 §4.5.3.1.10: 552 to RCPT means too many recipients, and is to be treated as 452.
      return problem.reply.code >= 500 && !(problem.stage === 'rcpt' && problem.reply.code === 552);
    case 'not-offered':
      return !PASSING.has(problem.feature);
    case 'bad-path':
      return true;
    case 'garbage':
    case 'closed':
    case 'timeout':
    case 'tls':
    case 'session-limit':
    case 'unproven':
      return false;
    default:
      return unreachable(problem);
  }
}

/** RFC 3463 §3. A status of the peer counts only where its class agrees with the reply's code. */
export function statusOf(problem: ClientProblem): EnhancedStatus {
  switch (problem.kind) {
    case 'reply': {
      const own = parseEnhancedStatus(problem.reply.lines[0] ?? '');
      const permanent = isPermanent(problem);
      if (own !== undefined && own.startsWith(permanent ? '5' : '4')) return own;
      return permanent ? '5.0.0' : '4.0.0';
    }
    case 'garbage':
      return '4.5.0';
    case 'closed':
    case 'timeout':
      return '4.4.2';
    case 'tls':
      return '4.7.5';
    case 'unproven':
      return '4.7.0';
    case 'not-offered':
      return NOT_OFFERED_STATUS[problem.feature];
    case 'session-limit':
      // RFC 3463 §3.6: X.5.3 too many recipients.
      return '4.5.3';
    case 'bad-path':
      return problem.stage === 'mail' ? '5.1.7' : '5.1.3';
    default:
      return unreachable(problem);
  }
}

/** One line for traces and DSNs; the peer's words stay as they are. */
export function formatProblem(problem: ClientProblem): string {
  switch (problem.kind) {
    case 'reply':
      return formatPeerReply(problem.reply);
    case 'garbage':
      return `Not an SMTP reply (${problem.detail}) at ${problem.stage}: ${JSON.stringify(problem.line)}`;
    case 'closed':
      return `Connection lost at ${problem.stage}`;
    case 'timeout':
      return `No answer in time at ${problem.stage}`;
    case 'tls':
      return `TLS failed: ${problem.problem.text}`;
    case 'unproven':
      return 'The next hop did not prove that it knows the password we sign in with';
    case 'not-offered':
      return `The next hop does not offer what is needed: ${problem.feature}`;
    case 'session-limit':
      return 'The next hop takes no more recipients in this session';
    case 'bad-path':
      return 'The address cannot be written as an SMTP path';
    default:
      return unreachable(problem);
  }
}

/** What a peer may well offer another time. */
const PASSING: ReadonlySet<string> = new Set(['STARTTLS', 'AUTH', 'plain-auth-without-tls']);

const NOT_OFFERED_STATUS = {
  STARTTLS: '4.7.10',
  AUTH: '4.7.0',
  'plain-auth-without-tls': '4.7.11',
  // RFC 3463 §3.7: conversion required but not supported.
  '8BITMIME': '5.6.3',
  BINARYMIME: '5.6.3',
  // RFC 3463 §3.4: system not capable of selected features.
  DELIVERBY: '5.3.3',
  // RFC 6531 §4.5.
  SMTPUTF8: '5.6.7',
  SIZE: '5.3.4',
  // RFC 8689 §4.2.1.
  REQUIRETLS: '5.7.30',
} as const satisfies Record<Extract<ClientProblem, { kind: 'not-offered' }>['feature'], EnhancedStatus>;
