/** What the control socket and `--json` show. These shapes are documented in docs/cli.md and only ever grow. */
import type { Account, Alias, AppPassword, Domain } from '../../auth/directory.ts';
import type { QueueFilter, QueuedMessage, QueuedRecipient } from '../../queue/queue.ts';

export type { Alias as AliasView, AppPassword as AppPasswordView, Domain as DomainView };

export type AccountView = {
  readonly id: number;
  readonly address: string;
  readonly displayName: string;
  readonly disabled: boolean;
  /** `null`: no limit. */
  readonly quotaOctets: number | null;
  readonly createdAtMs: number;
};

export type AnswerView = {
  readonly atMs: number;
  /** `null`: ours. */
  readonly host: string | null;
  readonly status: string;
  readonly text: string;
  readonly reason: string;
};

export type RecipientView = {
  readonly number: number;
  readonly address: string;
  /** Where it goes: an account here, or another domain. */
  readonly route:
    | { readonly kind: 'local'; readonly account: number }
    | { readonly kind: 'remote'; readonly domain: string };
  readonly state: 'waiting' | 'held' | 'delivered' | 'relayed' | 'expanded' | 'failed' | 'dropped';
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
  readonly source: { readonly kind: string; readonly remote: string | null; readonly account: number | null };
  /** Being delivered at this moment. */
  readonly leased: boolean;
  readonly recipients: readonly RecipientView[];
};

/** What a running server says of itself. */
export type ServerStatus = {
  readonly version: string;
  readonly pid: number;
  readonly hostname: string;
  readonly startedAtMs: number;
  readonly listeners: readonly {
    readonly service: string;
    readonly address: string;
    readonly port: number;
  }[];
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
};

export function viewAccount({
  id,
  address,
  displayName,
  disabled,
  quotaOctets,
  createdAtMs,
}: Account): AccountView {
  return { id, address, displayName, disabled, quotaOctets: quotaOctets ?? null, createdAtMs };
}

export function viewMessage(message: QueuedMessage): QueuedMessageView {
  const { id, reversePath, arrivedAtMs, expiresAtMs, source } = message;
  return {
    id,
    sender: reversePath,
    octets: message.prefix.length + message.blob.octets,
    arrivedAtMs,
    expiresAtMs,
    source: { kind: source.kind, remote: source.remote ?? null, account: source.account ?? null },
    leased: message.lease !== undefined,
    recipients: message.recipients.map(viewRecipient),
  };
}

function viewRecipient({ number, forwardPath, route, state }: QueuedRecipient): RecipientView {
  const answer = state.lastAnswer;
  return {
    number,
    address: forwardPath,
    route: route.kind === 'local' ? { kind: 'local', account: route.account } : route,
    state: state.kind === 'settled' ? state.outcome : state.kind,
    attempts: state.kind === 'settled' ? null : state.attempts,
    dueAtMs: state.kind === 'waiting' ? state.dueAtMs : null,
    lastAnswer: answer === undefined ? null : { ...answer, host: answer.host ?? null },
  };
}
