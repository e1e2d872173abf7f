/** Drives one SASL exchange over AUTH. The lines hold secrets: nothing of them goes into events. Source: RFC 4954 §4. */
import { LIMITS } from '../../base/limits.ts';
import { unreachable } from '../../base/unreachable.ts';
import { decodeBase64, encodeBase64 } from '../../sasl/base64.ts';
import type { SaslClaim, SaslMechanism, SaslServerStep } from '../../sasl/mechanism.ts';
import { reply } from '../wire/reply.ts';
import type { Channel } from './channel.ts';
import type { Outcome } from './outcome.ts';
import { refused } from './outcome.ts';
import { TOO_MUCH } from './message-receiver.ts';

/** A claim to be verified, a refusal, or the end of the session. */
export type ExchangeEnd =
  | { readonly kind: 'claim'; readonly claim: SaslClaim }
  | { readonly kind: 'refused'; readonly outcome: Outcome }
  | { readonly kind: 'over' };

/** @param initialResponse as the command had it: base64, '=' for an empty one, undefined for none */
export async function exchange(
  mechanism: SaslMechanism,
  initialResponse: string | undefined,
  channel: Channel,
): Promise<ExchangeEnd> {
  const server = mechanism.server();
  let response: Uint8Array | undefined;
  if (initialResponse !== undefined) {
    response = initialResponse === '=' ? new Uint8Array() : decodeBase64(initialResponse);
    if (response === undefined) return { kind: 'refused', outcome: NOT_BASE64 };
  }
  for (;;) {
    const step: SaslServerStep = server.step(response);
    switch (step.kind) {
      case 'claim':
        return step;
      case 'malformed':
        return { kind: 'refused', outcome: MALFORMED };
      case 'challenge': {
        channel.say(reply(334, undefined, encodeBase64(step.octets)));
        const line = await nextLine(channel);
        if (typeof line === 'object') return line;
        // RFC 4954 §4: "*" takes the exchange back.
        if (line === '*') return { kind: 'refused', outcome: CANCELLED };
        response = decodeBase64(line);
        if (response === undefined) return { kind: 'refused', outcome: NOT_BASE64 };
        break;
      }
      default:
        return unreachable(step);
    }
  }
}

async function nextLine(channel: Channel): Promise<string | Exclude<ExchangeEnd, { kind: 'claim' }>> {
  for (;;) {
    const next = channel.input.nextLine(LIMITS.smtpAuthLineOctetsMax);
    switch (next.kind) {
      case 'line':
        return next.line.toString('latin1');
      case 'need-more':
        if ((await channel.more('command')) === 'over') return { kind: 'over' };
        break;
      case 'too-long':
        return { kind: 'refused', outcome: TOO_LONG };
      case 'bare-newline':
        return { kind: 'refused', outcome: NOT_BASE64 };
      case 'endless':
        channel.end('limit', TOO_MUCH);
        return { kind: 'over' };
      default:
        return unreachable(next);
    }
  }
}

const NOT_BASE64: Outcome = refused('not-base64', reply(501, '5.5.2', 'Not base64'));
const MALFORMED: Outcome = refused('malformed-response', reply(501, '5.5.2', 'Malformed response'));
const CANCELLED: Outcome = refused('cancelled', reply(501, '5.7.0', 'Authentication cancelled'));
/** RFC 4954 §6: X.5.6 authentication exchange line is too long. */
const TOO_LONG: Outcome = refused('line-too-long', reply(500, '5.5.6', 'Authentication line too long'));
