/** The one way from events to log lines and counters, for one thread. Here the servers' events meet the catalogues. */
import type { Config } from '../config/config.ts';
import type { DeliveryEventSink } from '../delivery/event.ts';
import type { ImapEvent } from '../imap/server/event.ts';
import type { EventOf } from '../observe/definition.ts';
import { DELIVERY_EVENTS } from '../observe/events/delivery.ts';
import { IMAP_EVENTS } from '../observe/events/imap.ts';
import { POLICY_EVENTS } from '../observe/events/policy.ts';
import { QUEUE_EVENTS } from '../observe/events/queue.ts';
import { SERVER_EVENTS } from '../observe/events/server.ts';
import { SMTP_EVENTS } from '../observe/events/smtp.ts';
import { createLog } from '../observe/log.ts';
import { Counters } from '../observe/metrics.ts';
import { createObserver } from '../observe/observer.ts';
import type { PolicyEventSink } from '../policy/event.ts';
import type { SmtpEventSink } from '../smtp/server/event.ts';

export type ServerEvent = EventOf<typeof SERVER_EVENTS>;

export type Observers = {
  readonly server: (event: ServerEvent) => void;
  readonly smtp: SmtpEventSink;
  readonly imap: (event: ImapEvent) => void;
  readonly policy: PolicyEventSink;
  readonly delivery: DeliveryEventSink;
  readonly queue: (event: EventOf<typeof QUEUE_EVENTS>) => void;
  readonly counters: Counters;
};

/** @param thread `main`, `session1` … */
export function createObservers({ level, format }: Config['log'], thread: string): Observers {
  const isTerminal = process.stderr.isTTY;
  const text = format === 'text' || (format === 'auto' && isTerminal);
  const counters = new Counters();
  const sink = { log: createLog({ level, format: text ? 'text' : 'json', thread }), counters };
  const smtp = createObserver(SMTP_EVENTS, sink);
  return {
    server: createObserver(SERVER_EVENTS, sink),
    smtp: (event) =>
      smtp(event.name === 'smtp.tls-failed' ? { ...event, problem: event.problem.text } : event),
    imap: createObserver(IMAP_EVENTS, sink),
    policy: createObserver(POLICY_EVENTS, sink),
    delivery: createObserver(DELIVERY_EVENTS, sink),
    queue: createObserver(QUEUE_EVENTS, sink),
    counters,
  };
}
