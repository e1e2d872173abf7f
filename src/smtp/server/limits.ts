/** The limits of one receiving session; units in the names. Defaults and sources: base/limits. */
import { LIMITS } from '../../base/limits.ts';

export type SmtpLimits = {
  readonly commandOctetsMax: number;
  readonly authLineOctetsMax: number;
  readonly recipientsMax: number;
  /** Messages of one session (MAILMAX of RFC 9422 §4.1). */
  readonly transactionsMax: number;
  /** Domains of recipients in one session (RCPTDOMAINMAX of RFC 9422 §4.3); undefined: any number. */
  readonly recipientDomainsMax: number | undefined;
  readonly errorsMax: number;
  readonly refusedRecipientsMax: number;
  readonly idleCommandsMax: number;
  readonly authFailuresMax: number;
  readonly messageOctetsMax: number;
  readonly discardOctetsMax: number;
  readonly skipLineOctetsMax: number;
  readonly headerOctetsMax: number;
  readonly receivedFieldsMax: number;
  readonly idleMs: number;
  /** For STARTTLS. */
  readonly handshakeMs: number;
  readonly unauthenticatedMs: number;
  readonly messageMs: number;
  readonly withoutMessageMs: number;
  readonly shutdownMs: number;
};

export const SMTP_LIMITS: SmtpLimits = {
  commandOctetsMax: LIMITS.smtpCommandOctetsMax,
  authLineOctetsMax: LIMITS.smtpAuthLineOctetsMax,
  recipientsMax: LIMITS.smtpRecipientsMax,
  transactionsMax: LIMITS.smtpTransactionsMax,
  recipientDomainsMax: undefined,
  errorsMax: LIMITS.smtpErrorsMax,
  refusedRecipientsMax: LIMITS.smtpRefusedRecipientsMax,
  idleCommandsMax: LIMITS.smtpIdleCommandsMax,
  authFailuresMax: LIMITS.smtpAuthFailuresMax,
  messageOctetsMax: LIMITS.messageOctetsMax,
  discardOctetsMax: LIMITS.smtpDiscardOctetsMax,
  skipLineOctetsMax: LIMITS.smtpSkipLineOctetsMax,
  headerOctetsMax: LIMITS.headerOctetsMax,
  receivedFieldsMax: LIMITS.receivedFieldsMax,
  idleMs: LIMITS.smtpIdleMs,
  handshakeMs: LIMITS.smtpHandshakeMs,
  unauthenticatedMs: LIMITS.smtpUnauthenticatedMs,
  messageMs: LIMITS.smtpMessageMs,
  withoutMessageMs: LIMITS.smtpWithoutMessageMs,
  shutdownMs: LIMITS.smtpShutdownMs,
};
