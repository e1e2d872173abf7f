/** The one way from events to log lines and counters, for one thread. Here the servers' events meet the catalogues. */
import type { Config } from '../config/config.ts';
import type { DeliveryEventSink } from '../delivery/event.ts';
import type { ImapEvent } from '../imap/server/event.ts';
import type { EventOf } from '../observe/definition.ts';
import { DELIVERY_EVENTS } from '../observe/events/delivery.ts';
import { IMAP_EVENTS } from '../observe/events/imap.ts';
import { POLICY_EVENTS } from '../observe/events/policy.ts';
import { POP3_EVENTS } from '../observe/events/pop3.ts';
import { QUEUE_EVENTS } from '../observe/events/queue.ts';
import { SENDMAIL_EVENTS } from '../observe/events/sendmail.ts';
import { SERVER_EVENTS } from '../observe/events/server.ts';
import { SMTP_EVENTS } from '../observe/events/smtp.ts';
import { createLog } from '../observe/log.ts';
import { Counters } from '../observe/metrics.ts';
import { createObserver } from '../observe/observer.ts';
import type { PolicyEventSink } from '../policy/event.ts';
import type { Pop3Event } from '../pop3/server/event.ts';
import type { SendmailEventSink } from '../sendmail/event.ts';
import type { SmtpEventSink } from '../smtp/server/event.ts';
import { TraceCollector, type TracedEvent } from '../trace/collector.ts';
import { systemClock } from './system.ts';
import type { OpenedSink } from './traces.ts';

export type ServerEvent = EventOf<typeof SERVER_EVENTS>;

export type Observers = {
  readonly server: (event: ServerEvent) => void;
  readonly smtp: SmtpEventSink;
  readonly imap: (event: ImapEvent) => void;
  readonly pop3: (event: Pop3Event) => void;
  readonly policy: PolicyEventSink;
  readonly delivery: DeliveryEventSink;
  readonly sendmail: SendmailEventSink;
  readonly queue: (event: EventOf<typeof QUEUE_EVENTS>) => void;
  readonly counters: Counters;
  /** What was told is in the traces, or lost; nothing is told any more. */
  close(): Promise<void>;
};

export type ObserverOptions = Pick<Config, 'log' | 'trace'> & {
  /** `main`, `session1` … */
  readonly thread: string;
  /** Where traces go; undefined where nothing is kept. */
  readonly traces: OpenedSink | undefined;
};

export function createObservers({ log, trace, thread, traces }: ObserverOptions): Observers {
  const { level, format } = log;
  const isTerminal = process.stderr.isTTY;
  const text = format === 'text' || (format === 'auto' && isTerminal);
  const counters = new Counters();
  const sink = { log: createLog({ level, format: text ? 'text' : 'json', thread }), counters };
  const server = createObserver(SERVER_EVENTS, sink);
  const collector =
    traces &&
    new TraceCollector({
      sink: traces.sink,
      clock: systemClock,
      without: new Set(trace.subject ? [] : ['subject']),
      onDropped: (entries, cause) => server({ name: 'server.trace.dropped', entries, cause }),
    });
  /** What a subject tells goes to the log, the counters and the traces. */
  const traced = <Event extends TracedEvent>(emit: (event: Event) => void): ((event: Event) => void) => {
    if (collector === undefined) return emit;
    return (event) => {
      emit(event);
      collector.note(event);
    };
  };
  const smtp = traced(createObserver(SMTP_EVENTS, sink));
  return {
    server,
    smtp: (event) =>
      smtp(event.name === 'smtp.tls-failed' ? { ...event, problem: event.problem.text } : event),
    imap: createObserver(IMAP_EVENTS, sink),
    pop3: createObserver(POP3_EVENTS, sink),
    policy: traced(createObserver(POLICY_EVENTS, sink)),
    delivery: traced(createObserver(DELIVERY_EVENTS, sink)),
    sendmail: traced(createObserver(SENDMAIL_EVENTS, sink)),
    queue: traced(createObserver(QUEUE_EVENTS, sink)),
    counters,
    close: async () => {
      await collector?.flush();
      await traces?.close();
    },
  };
}
