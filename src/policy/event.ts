/** What checks say, for logs, metrics and traces. No content and no address. */
import type { Stage } from './check.ts';
import type { VerdictKind } from './verdict.ts';

type OfCheck = {
  readonly check: string;
  readonly stage: Stage;
  /** Of the session; of a delivery it is not known any more. */
  readonly sessionId: string | undefined;
  /** Of the message, where a transaction is open. */
  readonly traceId: string | undefined;
};

/** Of the pipeline. */
export type CheckEvent =
  /** Any verdict but a plain accept. */
  | (OfCheck & {
      readonly name: 'policy.verdict';
      readonly verdict: VerdictKind;
      readonly reason: string;
      readonly code: number | undefined;
      readonly status: string | undefined;
      /** With spaces between them. */
      readonly tags: string | undefined;
    })
  | (OfCheck & {
      readonly name: 'policy.check-failed';
      /** What it counted as. */
      readonly outcome: 'passed' | 'deferred';
      readonly cause: unknown;
    });

export type PolicyEvent =
  | CheckEvent
  /** It looks as if somebody else had its password. */
  | {
      readonly name: 'policy.account-suspended';
      readonly accountId: number;
      readonly reason: string;
      readonly heldRecipients: number;
    };

export type PolicyEventSink = (event: PolicyEvent) => void;
