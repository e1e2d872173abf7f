/**
 * What happens in delivery, for logs, metrics and traces. Addresses, subjects and what peers said are marked as such in the
 * catalogue: logs show them at debug level only, or not at all.
 */
import type { QueueId } from '../queue/queue.ts';

export type DeliveryEvent =
  /** The message is safe: in the queue, or in all its mailboxes. */
  | {
      readonly name: 'delivery.accepted';
      readonly queueId: QueueId;
      /** Without brackets. */
      readonly messageId: string | undefined;
      /** Decoded. */
      readonly subject: string;
      readonly octets: number;
      readonly recipients: number;
    }
  /** An alias, a group or a forwarding led somewhere else than the sender wrote; one for each target. */
  | {
      readonly name: 'delivery.expanded';
      readonly queueId: QueueId;
      readonly address: string;
      readonly target: string;
    }
  /** A list's copies are a message of their own, from the list's owner; it may be the only one. */
  | {
      readonly name: 'delivery.redistributed';
      readonly queueId: QueueId;
      readonly copyId: QueueId;
      readonly address: string;
      readonly owner: string;
      readonly recipients: number;
    }
  /** A report came to an address that is tagged with the recipient of a list's copy. */
  | {
      readonly name: 'delivery.list-bounced';
      readonly queueId: QueueId;
      readonly address: string;
      readonly member: string;
    }
  | {
      readonly name: 'delivery.settled';
      readonly queueId: QueueId;
      readonly recipient: number;
      readonly address: string;
      readonly outcome: 'delivered' | 'relayed' | 'expanded' | 'failed' | 'delayed' | 'held' | 'dropped';
      readonly status: string | undefined;
      readonly reason: string | undefined;
      readonly host: string | undefined;
      /** What was said, word for word. */
      readonly text: string | undefined;
      /** Of the session: `plain`, or version, cipher and by what the certificate was verified. */
      readonly tls?: string | undefined;
      /** The mailbox of ours that has it. */
      readonly mailbox: string | undefined;
      /** How often it was tried, where it is tried again. */
      readonly attempts: number | undefined;
      /** When it is tried again. */
      readonly dueAtMs: number | undefined;
    }
  | {
      readonly name: 'delivery.dsn-queued';
      readonly queueId: QueueId;
      readonly dsnId: QueueId;
      /** Whom it goes to. */
      readonly address: string;
    }
  /** It failed, and nobody is told: it was a report itself, or its sender is at a domain of ours and not there. */
  | {
      readonly name: 'delivery.unreported';
      readonly queueId: QueueId;
      /** The recipient that failed, or the sender who is not there. */
      readonly address: string;
      readonly reason: 'null-reverse-path' | 'nobody-there';
    }
  /** The lease ran out or was taken while we worked: nothing was written down by us. */
  | { readonly name: 'delivery.lease-lost'; readonly queueId: QueueId }
  /** A destination answers from none of its hosts, or takes nothing of ours; its mail waits until then. */
  | {
      readonly name: 'delivery.destination-down';
      readonly destination: string;
      readonly untilMs: number;
      /** Which mail waits: where only TLS failed, what wants the same of TLS. */
      readonly mail: 'all' | 'without-wish' | 'requiretls' | 'tls-required-no';
    }
  /** It takes mail again; what waits for it is sent, a few messages at a time. */
  | {
      readonly name: 'delivery.destination-back';
      readonly destination: string;
      readonly mail: 'all' | 'without-wish' | 'requiretls' | 'tls-required-no';
    }
  /** What a host cannot carry was converted for it; signatures by others over the body do not hold there any more. */
  | {
      readonly name: 'delivery.converted';
      readonly queueId: QueueId;
      readonly host: string;
      readonly to: '7bit' | '8bitmime' | 'binarymime';
    }
  /** A host says that our address or name is on a list, or has a bad name: nothing of ours is taken there. */
  | {
      readonly name: 'delivery.blocked';
      readonly queueId: QueueId;
      readonly destination: string;
      readonly host: string | undefined;
      readonly status: string;
    }
  /** An address of a pool cannot be used on this machine; the next of the pool is. */
  | {
      readonly name: 'delivery.source-unusable';
      readonly pool: string;
      readonly address: string;
      readonly problem: string;
    }
  /** What came of going to one address of a host: one for each recipient that it had a word for. */
  | {
      readonly name: 'delivery.attempted';
      readonly queueId: QueueId;
      readonly host: string;
      readonly address: string;
      readonly port: number;
      /** Undefined: the word is about all of them. */
      readonly recipient: string | undefined;
      readonly status: string;
      readonly reason: string;
      /** Word for word, where the host said it. */
      readonly text: string;
      readonly tls: string | undefined;
    }
  /** A connection to another host stands, or failed of its TLS. */
  | {
      readonly name: 'delivery.tls';
      readonly queueId: QueueId;
      readonly host: string;
      readonly address: string;
      /** What had to be. */
      readonly required: string;
      /** What it came to. */
      readonly reached: string;
      readonly level: 'plain' | 'tls' | 'verified' | 'failed';
    }
  | {
      readonly name: 'delivery.sts-fetched';
      readonly domain: string;
      readonly mode: string;
      readonly expiresAtMs: number;
    }
  /** There is a policy, and it cannot be had; one that was fetched before goes on to hold. */
  | {
      readonly name: 'delivery.sts-fetch-failed';
      readonly domain: string;
      readonly reason: string;
      readonly text: string;
    }
  /** Outcomes of sessions were too many to be counted. */
  | { readonly name: 'delivery.tls-results-lost'; readonly sessions: number }
  /** A fault of the world; the work is done again later. */
  | {
      readonly name: 'delivery.fault';
      readonly queueId: QueueId | undefined;
      readonly doing: string;
      readonly cause: unknown;
    };

export type DeliveryEventSink = (event: DeliveryEvent) => void;
