/** Every catalogue, in the order of docs/events.md. */
import type { Catalogue } from './definition.ts';
import { DELIVERY_EVENTS } from './events/delivery.ts';
import { IMAP_EVENTS } from './events/imap.ts';
import { POP3_EVENTS } from './events/pop3.ts';
import { POLICY_EVENTS } from './events/policy.ts';
import { QUEUE_EVENTS } from './events/queue.ts';
import { SENDMAIL_EVENTS } from './events/sendmail.ts';
import { SERVER_EVENTS } from './events/server.ts';
import { SMTP_EVENTS } from './events/smtp.ts';

export const CATALOGUES: readonly Catalogue[] = [
  SERVER_EVENTS,
  SMTP_EVENTS,
  POLICY_EVENTS,
  DELIVERY_EVENTS,
  SENDMAIL_EVENTS,
  QUEUE_EVENTS,
  IMAP_EVENTS,
  POP3_EVENTS,
];
