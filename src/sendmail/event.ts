/** What happens to mail that programs of this machine leave, for logs, metrics and traces. */
import type { QueueId } from '../queue/queue.ts';

export type SendmailEvent =
  | {
      readonly name: 'sendmail.picked-up';
      readonly queueId: QueueId;
      readonly uid: number;
      /** The login name; its number where it has none. */
      readonly user: string;
      /** '' is the null reverse-path. */
      readonly reversePath: string;
      /** What it wanted to be sent as, where it may not. */
      readonly wanted: string | undefined;
      readonly octets: number;
    }
  | {
      readonly name: 'sendmail.recipient';
      readonly queueId: QueueId;
      readonly recipient: string;
      /** What was written, where the postmaster gets it instead. */
      readonly written: string | undefined;
    }
  /** Checks put it off: it stays in the maildrop. */
  | {
      readonly name: 'sendmail.deferred';
      readonly queueId: QueueId;
      readonly code: number;
      readonly status: string | undefined;
      readonly text: string;
      readonly reason: string;
      readonly dueAtMs: number;
    }
  /** A rule threw it away. */
  | {
      readonly name: 'sendmail.discarded';
      readonly queueId: QueueId;
      readonly recipient: string;
      readonly reason: string;
    }
  /** It lies aside in the maildrop. */
  | { readonly name: 'sendmail.refused'; readonly uid: number; readonly text: string }
  /** It stays where it is, and is tried again. */
  | { readonly name: 'sendmail.fault'; readonly doing: string; readonly cause: unknown };

export type SendmailEventSink = (event: SendmailEvent) => void;
