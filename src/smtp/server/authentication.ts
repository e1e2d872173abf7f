/** Carries one SASL exchange over AUTH. The lines hold secrets: nothing of them goes into events. Source: RFC 4954 §4. */
import type { AuthProblem, Principal } from '../../auth/principal.ts';
import type { SignIn } from '../../auth/sign-in.ts';
import { contextOf } from '../../auth/sign-in.ts';
import { unreachable } from '../../base/unreachable.ts';
import { decodeBase64, encodeBase64 } from '../../sasl/base64.ts';
import { converse } from '../../sasl/converse.ts';
import type { SaslEnd } from '../../sasl/converse.ts';
import type { SaslMechanism } from '../../sasl/mechanism.ts';
import { reply } from '../wire/reply.ts';
import type { Channel } from './channel.ts';
import { AUTH_LINE_TOO_LONG } from './commands/problem.ts';
import type { Outcome } from './outcome.ts';
import { refused } from './outcome.ts';
import type { SessionFacts } from './ports.ts';
import { TOO_MUCH } from './message-receiver.ts';

/** Somebody, a refusal, or the end of the session. */
export type ExchangeEnd =
  | { readonly kind: 'accepted'; readonly principal: Principal }
  | { readonly kind: 'refused'; readonly outcome: Outcome }
  | { readonly kind: 'over' };

/** What stops an exchange on the wire. */
type Stop = Exclude<ExchangeEnd, { kind: 'accepted' }>;

/**
 * Throws what the directory throws.
 *
 * @param initialResponse as the command had it: base64, '=' for an empty one, undefined for none
 */
export async function exchange(
  mechanism: SaslMechanism,
  initialResponse: string | undefined,
  session: SessionFacts,
  { channel, signIn, lineOctetsMax }: ExchangeDeps,
): Promise<ExchangeEnd> {
  let initial: Uint8Array | undefined;
  if (initialResponse !== undefined) {
    initial = initialResponse === '=' ? new Uint8Array() : decodeBase64(initialResponse);
    if (initial === undefined) return NOT_BASE64;
  }
  const talk = async (challenge: Uint8Array): Promise<Uint8Array | { readonly stop: Stop }> => {
    channel.say(reply(334, undefined, encodeBase64(challenge)));
    const line = await nextLine(channel, lineOctetsMax);
    if (typeof line !== 'string') return { stop: line };
    // RFC 4954 §4: "*" takes the exchange back.
    if (line === '*') return { stop: CANCELLED };
    return decodeBase64(line) ?? { stop: NOT_BASE64 };
  };
  return toEnd(
    await converse(
      mechanism.server(contextOf(signIn, session.tls), initial),
      talk,
      signIn.verifier(session.remote),
    ),
  );
}

type ExchangeDeps = {
  readonly channel: Channel;
  readonly signIn: SignIn;
  /** Of one response, its CRLF included. */
  readonly lineOctetsMax: number;
};

function toEnd(end: SaslEnd<Principal, AuthProblem, Stop>): ExchangeEnd {
  switch (end.kind) {
    case 'accepted':
      return { kind: 'accepted', principal: end.identity };
    case 'stopped':
      return end.stop;
    case 'malformed':
      return MALFORMED;
    case 'refused':
      return badCredentials(end.reason);
    case 'problem':
      return end.problem.kind === 'throttled'
        ? { kind: 'refused', outcome: authUnavailable('throttled') }
        : badCredentials(end.problem.kind);
    default:
      return unreachable(end);
  }
}

async function nextLine(channel: Channel, lineOctetsMax: number): Promise<string | Stop> {
  for (;;) {
    const next = channel.input.nextLine(lineOctetsMax);
    switch (next.kind) {
      case 'line':
        return next.line.toString('latin1');
      case 'need-more':
        if ((await channel.more('command')) === 'over') return { kind: 'over' };
        break;
      case 'too-long':
        return TOO_LONG;
      case 'bare-newline':
        return NOT_BASE64;
      case 'endless':
        channel.end('limit', TOO_MUCH);
        return { kind: 'over' };
      default:
        return unreachable(next);
    }
  }
}

/** RFC 4954 §6: 535 5.7.8 for every reason, which is for events alone. */
function badCredentials(reason: string): Stop {
  return stop(refused(reason, reply(535, '5.7.8', 'Authentication credentials invalid')));
}

/** RFC 4954 §6: 454 4.7.0, nobody was judged. */
export function authUnavailable(reason: string): Outcome {
  return refused(reason, reply(454, '4.7.0', 'Authentication not possible now, try again later'));
}

function stop(outcome: Outcome): Stop {
  return { kind: 'refused', outcome };
}

const NOT_BASE64 = stop(refused('not-base64', reply(501, '5.5.2', 'Not base64')));
const MALFORMED = stop(refused('malformed-response', reply(501, '5.5.2', 'Malformed response')));
const CANCELLED = stop(refused('cancelled', reply(501, '5.7.0', 'Authentication cancelled')));
const TOO_LONG = stop(AUTH_LINE_TOO_LONG);
