/** What the configuration says of SMTP sessions, in their own words. */
import type { Config } from '../config/config.ts';
import type { SmtpExtensions } from '../smtp/server/extensions.ts';
import { SMTP_LIMITS, type SmtpLimits } from '../smtp/server/limits.ts';

export function smtpLimitsOf({ limits }: Config): SmtpLimits {
  return {
    ...SMTP_LIMITS,
    messageOctetsMax: limits.messageOctetsMax,
    recipientsMax: limits.recipientsMax,
    transactionsMax: limits.smtpMessagesMax,
    recipientDomainsMax: limits.recipientDomainsMax === 0 ? undefined : limits.recipientDomainsMax,
    errorsMax: limits.smtpErrorsMax,
    idleMs: limits.smtpIdleSeconds * 1000,
    unauthenticatedMs: limits.signInSeconds * 1000,
    withoutMessageMs: Math.max(SMTP_LIMITS.withoutMessageMs, 2000 * limits.smtpIdleSeconds),
  };
}

export function extensionsOf({ smtp, submission }: Config): SmtpExtensions {
  const { holdSecondsMax, holdUntilMax, priorityMax } = submission;
  return {
    hold:
      holdSecondsMax === 0
        ? undefined
        : {
            secondsMax: holdSecondsMax,
            untilMaxMs: holdUntilMax === undefined ? undefined : Date.parse(holdUntilMax),
          },
    deliverBy: { secondsMin: smtp.deliverByMinSeconds },
    priority: { policy: smtp.priorityPolicy, max: priorityMax },
    binaryMime: true,
    vrfy: smtp.vrfy,
    expn: smtp.expn,
  };
}
