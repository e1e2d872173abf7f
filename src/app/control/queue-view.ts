/** The queue as the control socket and `--json` show it. These shapes are documented in docs/cli.md and only ever grow. */
import type {
  LastAnswer,
  QueueFilter,
  QueueGroup,
  QueuedMessage,
  QueuedRecipient,
} from '../../queue/queue.ts';

export type AnswerView = {
  readonly atMs: number;
  /** `null`: ours. */
  readonly host: string | null;
  readonly status: string;
  readonly text: string;
  readonly reason: string;
  /** Of the session: `plain`, or version, cipher and by what its certificate was verified; `null` where there was none. */
  readonly tls: string | null;
};

export type RecipientView = {
  readonly number: number;
  readonly address: string;
  /** Where it goes: an account here, or another domain. */
  readonly route:
    | { readonly kind: 'local'; readonly account: number }
    | {
        readonly kind: 'remote';
        readonly domain: string;
        /** Where an operator named it (`reroute`), and how it is spoken with there: SMTP where nothing is said. */
        readonly port?: number;
        readonly speech?: 'smtps' | 'lmtp';
      };
  readonly state: 'waiting' | 'held' | 'delivered' | 'relayed' | 'expanded' | 'failed' | 'dropped';
  /** Of a held one: `operator`, `suspended:…` or the reason code of a rule. */
  readonly hold: string | null;
  readonly attempts: number | null;
  readonly dueAtMs: number | null;
  readonly lastAnswer: AnswerView | null;
};

export type QueuedMessageView = {
  readonly id: string;
  /** `null`: the null reverse-path (RFC 5321 §4.5.5). */
  readonly sender: string | null;
  readonly octets: number;
  readonly arrivedAtMs: number;
  readonly expiresAtMs: number;
  /** -9 to 9 (RFC 6710). */
  readonly priority: number;
  /** REQUIRETLS (RFC 8689). */
  readonly requireTls: boolean;
  /** FUTURERELEASE (RFC 4865): not before. */
  readonly releaseAtMs: number | null;
  /** DELIVERBY (RFC 2852). */
  readonly deliverBy: { readonly byMs: number; readonly mode: string; readonly trace: boolean } | null;
  readonly source: { readonly kind: string; readonly remote: string | null; readonly account: number | null };
  /** Being delivered at this moment. */
  readonly leased: boolean;
  readonly recipients: readonly RecipientView[];
};

export type QueueCount = { readonly messages: number; readonly recipients: number; readonly held: number };

/** Which recipients of queued messages; several fields must all hold. */
export type QueueFilterView = {
  readonly id?: string;
  readonly state?: NonNullable<QueueFilter['state']>;
  readonly domain?: string;
  readonly recipient?: string;
  /** '' is the null reverse-path. */
  readonly sender?: string;
  /** Why it is held. */
  readonly hold?: string;
  /** The address or the number of the account that submitted it. */
  readonly account?: string;
  /** The address of the client that gave it to us. */
  readonly source?: string;
  readonly arrivedBeforeMs?: number;
  readonly arrivedAfterMs?: number;
  readonly octetsMin?: number;
  readonly octetsMax?: number;
  readonly priorityMin?: number;
  readonly priorityMax?: number;
  /** Of the last answer: its reason code, the host that said it, a part of its text. */
  readonly reason?: string;
  readonly host?: string;
  readonly text?: string;
};

/** Recipients of one domain in the same state for the same reason. */
export type QueueGroupView = {
  readonly domain: string;
  readonly state: 'waiting' | 'held';
  readonly hold: string | null;
  readonly recipients: number;
  readonly oldestAtMs: number;
  readonly dueAtMs: number | null;
  /** Of one of them; all have its reason and its status. */
  readonly lastAnswer: AnswerView | null;
};

export function viewMessage(message: QueuedMessage): QueuedMessageView {
  const { id, reversePath, arrivedAtMs, expiresAtMs, priority, requireTls, source } = message;
  return {
    id,
    sender: reversePath,
    octets: message.prefix.length + message.blob.octets,
    arrivedAtMs,
    expiresAtMs,
    priority,
    requireTls,
    releaseAtMs: message.releaseAtMs ?? null,
    deliverBy: message.deliverBy ?? null,
    source: { kind: source.kind, remote: source.remote ?? null, account: source.account ?? null },
    leased: message.lease !== undefined,
    recipients: message.recipients.map(viewRecipient),
  };
}

function viewRecipient({ number, forwardPath, route, state }: QueuedRecipient): RecipientView {
  return {
    number,
    address: forwardPath,
    route: route.kind === 'local' ? { kind: 'local', account: route.account } : route,
    state: state.kind === 'settled' ? state.outcome : state.kind,
    hold: state.kind === 'held' ? state.reason : null,
    attempts: state.kind === 'settled' ? null : state.attempts,
    dueAtMs: state.kind === 'waiting' ? state.dueAtMs : null,
    lastAnswer: viewAnswer(state.lastAnswer),
  };
}

function viewAnswer(answer: LastAnswer | undefined): AnswerView | null {
  return answer === undefined ? null : { ...answer, host: answer.host ?? null, tls: answer.tls ?? null };
}

export function viewGroup({
  domain,
  state,
  hold,
  recipients,
  oldestAtMs,
  dueAtMs,
  lastAnswer,
}: QueueGroup): QueueGroupView {
  return {
    domain,
    state,
    hold: hold ?? null,
    recipients,
    oldestAtMs,
    dueAtMs: dueAtMs ?? null,
    lastAnswer: viewAnswer(lastAnswer),
  };
}
