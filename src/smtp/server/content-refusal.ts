/** What a client hears of content that did not pass. */
import { unreachable } from '../../base/unreachable.ts';
import { reply } from '../wire/reply.ts';
import type { ContentProblem } from './incoming-message.ts';
import type { SmtpLimits } from './limits.ts';
import type { Outcome } from './outcome.ts';
import { FAULT } from './outcome.ts';

/** The reply to a message whose content did not pass. */
export function contentRefusal(problem: ContentProblem, limits: SmtpLimits): Outcome {
  switch (problem) {
    case 'too-large':
      // RFC 1870 §6.1 (3); RFC 3463 §3.4.
      return {
        reply: reply(552, '5.3.4', `Message is larger than ${limits.messageOctetsMax} octets`),
        reason: 'message-too-large',
      };
    case 'bare-newline':
      // RFC 5321 §2.3.8: such octets must not be sent; taking them for line ends is how one message smuggles another.
      return {
        reply: reply(550, '5.6.11', 'Message has a CR or LF on its own, only CRLF ends a line'),
        reason: 'bare-newline',
      };
    case 'fault':
      return FAULT;
    default:
      return unreachable(problem);
  }
}
