/**
 * What a check says, and which of several verdicts counts: refuse before defer before discard before hold before accept.
 * A refusal is certain and final; a temporary one leaves the peer the message; discarding loses it, so it only comes where
 * nobody refused, and before a hold, since a rule that discards means what it says.
 */
import type { Hold } from '../queue/queue.ts';
import type { Reply } from '../smtp/wire/reply.ts';
import { reply } from '../smtp/wire/reply.ts';

/** Each but a plain accept carries a stable reason code, `subject.what`, for events, traces and metrics. */
export type Verdict =
  /** `fields`: whole header fields with CRLF, put before the message. `tags`: words for later checks and the trace. */
  | {
      readonly kind: 'accept';
      readonly fields?: string;
      readonly tags?: readonly string[];
      readonly reason?: string;
    }
  /** Kept back in the queue until an operator releases it. The client hears 250. */
  | ({ readonly kind: 'hold' } & Hold)
  /** The client hears 250 and nobody gets it. At stage `recipient` it is this recipient that gets nothing. */
  | { readonly kind: 'discard'; readonly reason: string }
  /** 4xx: the client may try again. */
  | { readonly kind: 'defer'; readonly reply: Reply; readonly reason: string }
  /** 5xx: it must not. */
  | { readonly kind: 'refuse'; readonly reply: Reply; readonly reason: string };

export type VerdictKind = Verdict['kind'];

export const ACCEPT: Verdict = { kind: 'accept' };

export function refuse(
  reason: string,
  code: 550 | 552 | 553 | 554,
  status: `5.${number}.${number}`,
  text: string,
): Verdict {
  return { kind: 'refuse', reason, reply: reply(code, status, text) };
}

export function defer(
  reason: string,
  code: 421 | 450 | 451 | 452,
  status: `4.${number}.${number}`,
  text: string,
): Verdict {
  return { kind: 'defer', reason, reply: reply(code, status, text) };
}

/** Whether the code of a verdict's reply is of its kind; a check that gets it wrong has a bug. */
export function isSound(verdict: Verdict): boolean {
  if (verdict.kind !== 'refuse' && verdict.kind !== 'defer') return true;
  const first = verdict.kind === 'refuse' ? 5 : 4;
  const { code, status } = verdict.reply;
  return Math.trunc(code / 100) === first && (status === undefined || status.startsWith(`${first}.`));
}

/** Nothing but a yes. */
export function isPlain(verdict: Verdict): boolean {
  return verdict.kind === 'accept' && (verdict.fields ?? '') === '' && (verdict.tags ?? []).length === 0;
}

/** What the checks of one stage, or of all stages so far, come to. */
export type Sum = {
  readonly refusal: Extract<Verdict, { kind: 'refuse' | 'defer' }> | undefined;
  readonly discard: string | undefined;
  readonly hold: Hold | undefined;
  readonly fields: string;
  readonly tags: readonly string[];
};

export const NOTHING: Sum = {
  refusal: undefined,
  discard: undefined,
  hold: undefined,
  fields: '',
  tags: [],
};

/** Of two of a kind the first counts; fields and tags add up. */
export function withVerdict(sum: Sum, verdict: Verdict): Sum {
  switch (verdict.kind) {
    case 'accept': {
      const { fields = '', tags = [] } = verdict;
      if (fields === '' && tags.length === 0) return sum;
      return { ...sum, fields: sum.fields + fields, tags: [...sum.tags, ...tags] };
    }
    case 'hold':
      return { ...sum, hold: sum.hold ?? { reason: verdict.reason, text: verdict.text } };
    case 'discard':
      return { ...sum, discard: sum.discard ?? verdict.reason };
    case 'defer':
      return { ...sum, refusal: sum.refusal ?? verdict };
    case 'refuse':
      return { ...sum, refusal: sum.refusal?.kind === 'refuse' ? sum.refusal : verdict };
  }
}

/** What earlier stages came to, and then this one. */
export function together(sums: readonly Sum[]): Sum {
  return sums.reduce(
    (all, one) => ({
      refusal: all.refusal ?? one.refusal,
      discard: all.discard ?? one.discard,
      hold: all.hold ?? one.hold,
      fields: all.fields + one.fields,
      tags: [...all.tags, ...one.tags],
    }),
    NOTHING,
  );
}
