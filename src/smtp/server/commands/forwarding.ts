/**
 * XCLIENT and XFORWARD, from trusted hosts alone: the first makes the session another client's, the second names, for one
 * message, where it came from before. Sources: Postfix's XCLIENT_README and XFORWARD_README.
 */
import type { SignIn } from '../../../auth/sign-in.ts';
import type { Endpoint } from '../../../base/connection.ts';
import { formatIp, parseIp } from '../../../base/ip-network.ts';
import type { Result } from '../../../base/result.ts';
import { err, ok } from '../../../base/result.ts';
import type { XclientAttributes, XforwardAttributes } from '../../wire/forwarding.ts';
import { reply } from '../../wire/reply.ts';
import type { Outcome } from '../outcome.ts';
import { badSequence, refused } from '../outcome.ts';
import type { ForwardedClient, SessionFacts } from '../ports.ts';
import type { State } from '../state.ts';

/**
 * What the session knows from now on. It begins anew, but for its TLS. Who is signed in by `LOGIN` stays until another
 * client is named, or `LOGIN` is said again.
 */
export async function xclient(
  attributes: XclientAttributes,
  state: State,
  session: SessionFacts,
  signIn: SignIn | undefined,
): Promise<Result<SessionFacts, Outcome>> {
  const problem = forwarderProblem(state, session);
  if (problem !== undefined) return err(problem);
  const remote = toEndpoint(session.remote, attributes.get('ADDR'), attributes.get('PORT'));
  const local = toEndpoint(session.local, attributes.get('DESTADDR'), attributes.get('DESTPORT'));
  const protocol = attributes.get('PROTO')?.toUpperCase();
  if (remote === undefined || local === undefined || (protocol !== undefined && !PROTOCOL.test(protocol)))
    return err(SYNTAX);
  // What earlier ones said and this one does not, stays.
  const said = { ...session.standsFor };
  if (attributes.has('NAME')) said.name = attributes.get('NAME') ?? undefined;
  if (attributes.has('HELO')) said.helo = attributes.get('HELO') ?? undefined;
  if (protocol !== undefined) said.isExtended = protocol === 'ESMTP';
  if (attributes.has('ADDR')) said.principal = undefined;
  const login = attributes.get('LOGIN');
  if (login === null) said.principal = undefined;
  if (typeof login === 'string') {
    if (session.role.auth === 'none' || signIn === undefined) return err(NO_LOGIN);
    const vouched = await signIn.vouchedFor(login);
    if (!vouched.ok) return err(refused(vouched.error.kind, NOBODY));
    said.principal = vouched.value;
  }
  return ok({
    ...session,
    remote,
    local,
    standsFor: said,
    hello: undefined,
    principal: said.principal,
    earlyTalker: false,
    forwarded: undefined,
  });
}

/** What is known of where the next message came from; what is not said stays as it was said before. */
export function xforward(
  attributes: XforwardAttributes,
  state: State,
  session: SessionFacts,
): Result<ForwardedClient, Outcome> {
  const problem = forwarderProblem(state, session);
  if (problem !== undefined) return err(problem);
  const { forwarded } = session;
  const of = (name: 'NAME' | 'ADDR' | 'HELO' | 'IDENT', before: string | undefined): string | undefined =>
    attributes.has(name) ? (attributes.get(name) ?? undefined) : before;
  return ok({
    name: of('NAME', forwarded?.name),
    address: plainAddress(of('ADDR', forwarded?.address)),
    helo: of('HELO', forwarded?.helo),
    ident: of('IDENT', forwarded?.ident),
  });
}

function forwarderProblem(state: State, session: SessionFacts): Outcome | undefined {
  if (!session.isForwarder)
    return refused('not-a-forwarder', reply(550, '5.7.0', 'You may not speak for other clients'));
  return state.phase === 'start' || state.phase === 'ready'
    ? undefined
    : badSequence('Not inside a transaction');
}

function toEndpoint(
  now: Endpoint,
  address: string | null | undefined,
  port: string | null | undefined,
): Endpoint | undefined {
  const known = address === undefined ? now.address : address === null ? NOWHERE : toAddress(address);
  if (known === undefined) return undefined;
  if (port === undefined) return { address: known, port: address === undefined ? now.port : 0 };
  if (port === null) return { address: known, port: 0 };
  return PORT.test(port) && Number(port) <= 65_535 ? { address: known, port: Number(port) } : undefined;
}

/** An IPv4 address, or an IPv6 address behind `IPV6:`. */
function toAddress(written: string): string | undefined {
  const octets = parseIp(written.replace(/^IPV6:/i, ''));
  return octets === undefined ? undefined : formatIp(octets);
}

/** Of a forwarded client it may also be no address of IP. */
function plainAddress(written: string | undefined): string | undefined {
  return written === undefined ? undefined : (toAddress(written) ?? written);
}

const PROTOCOL = /^E?SMTP$/;
const PORT = /^(?:0|[1-9]\d{0,4})$/;
/** Where the client's address is not known. */
const NOWHERE = '0.0.0.0';
const NO_LOGIN: Outcome = refused('no-login', reply(501, '5.5.4', 'Nobody signs in at this port'));
const NOBODY = reply(550, '5.7.8', 'No such account may sign in here');
const SYNTAX: Outcome = refused('bad-attribute', reply(501, '5.5.4', 'Bad attribute value'));
