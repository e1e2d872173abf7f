/**
 * Bounds the visits to one host, whichever domains' mail they bring: a thousand domains with one MX set are one host to us.
 * Who finds it full waits; when it does not answer, those that wait learn so without finding out by themselves.
 */
import type { Clock } from '../../base/clock.ts';
import type { ConnectProblem } from '../../base/connection.ts';
import type { Finding } from '../destination.ts';
import { Destinations } from '../destination.ts';
import type { HopMessage, HopTarget, HopVisit, RemoteHop } from './hop.ts';

export class HostGate implements RemoteHop {
  readonly #hop: RemoteHop;
  readonly #hosts: Destinations<ConnectProblem>;

  /** @param visitsMax to one host at once */
  constructor(hop: RemoteHop, clock: Clock, visitsMax: number) {
    this.#hop = hop;
    this.#hosts = new Destinations(clock, { visitsMax, waitingMax: Number.POSITIVE_INFINITY });
  }

  async visit(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopVisit> {
    const key = `${target.address} ${target.port} ${target.localAddress ?? ''}`;
    const admission = await this.#hosts.enterPatiently(key, {
      sender: message.reversePath ?? '',
      wish: undefined,
      askedAtMs: message.askedAtMs,
    });
    if (admission.kind === 'down') return { kind: 'no-connection', problem: admission.answer };
    let finding: Finding<ConnectProblem> = { kind: 'unknown' };
    try {
      const visit = await this.#hop.visit(target, message, signal);
      if (!signal.aborted) finding = findingOf(visit);
      return visit;
    } finally {
      this.#hosts.leave(key, finding, undefined);
    }
  }
}

function findingOf(visit: HopVisit): Finding<ConnectProblem> {
  // Our own source address says nothing of the host.
  if (visit.kind === 'no-connection' && visit.problem.kind === 'source') return { kind: 'unknown' };
  const answer = failureOf(visit);
  return answer === undefined ? { kind: 'open' } : { kind: 'closed', to: 'all', answer };
}

/** Why this host is not to be gone to for a while; undefined where it speaks with us, whatever becomes of TLS. */
function failureOf(visit: HopVisit): ConnectProblem | undefined {
  if (visit.kind === 'no-connection') return visit.problem;
  if (visit.kind !== 'session') return undefined;
  const [answer] = visit.answers;
  if (answer === undefined || answer.kind === 'unfit') return undefined;
  if (answer.at !== 'greeting' && answer.at !== 'hello') return undefined;
  if (answer.kind === 'lost')
    return { kind: answer.how === 'timeout' ? 'timeout' : 'reset', text: answer.text };
  // RFC 5321 §3.8: it closes for us all.
  return answer.reply.code === 421
    ? { kind: 'refused', text: `421 ${answer.reply.lines.join(' ')}` }
    : undefined;
}
