/** What happens in delivery, for logs, metrics and traces. No content and no address: a recipient is a number. */
import type { QueueId } from '../queue/queue.ts';

export type DeliveryEvent =
  | {
      readonly name: 'delivery.settled';
      readonly queueId: QueueId;
      readonly recipient: number;
      readonly outcome: 'delivered' | 'relayed' | 'expanded' | 'failed' | 'delayed' | 'held' | 'dropped';
      readonly status: string | undefined;
      readonly reason: string | undefined;
      readonly host: string | undefined;
    }
  | { readonly name: 'delivery.dsn-queued'; readonly queueId: QueueId; readonly dsnId: QueueId }
  /** The lease ran out or was taken while we worked: nothing was written down by us. */
  | { readonly name: 'delivery.lease-lost'; readonly queueId: QueueId }
  /** A destination answers from none of its hosts; its mail waits until then. */
  | { readonly name: 'delivery.destination-down'; readonly destination: string; readonly untilMs: number }
  /** A fault of the world; the work is done again later. */
  | {
      readonly name: 'delivery.fault';
      readonly queueId: QueueId | undefined;
      readonly doing: string;
      readonly cause: unknown;
    };

export type DeliveryEventSink = (event: DeliveryEvent) => void;
