/** Says at RCPT who is here, who has room, and who may send to others through us. */
import type { Directory, Resolution } from '../auth/directory.ts';
import type { Clock } from '../base/clock.ts';
import type { ForwardPath } from '../smtp/wire/path.ts';
import { formatEnvelopeAddress } from '../smtp/wire/path.ts';
import { reply } from '../smtp/wire/reply.ts';
import type { MailStore } from '../store/mail-store.ts';
import type { IntakeRefusal, IntakeSession, IntakeTransaction } from './intake-facts.ts';
import { refuse, reversePathOf, sourceOf } from './intake-facts.ts';
import type { Relaying } from './relaying.ts';
import type { Router } from './remote/router.ts';
import type { SrsOriginal } from './return-path/srs.ts';
import type { ReturnPaths } from './return-paths.ts';

export type RecipientVerifierPorts = {
  readonly directory: Pick<Directory, 'resolve'>;
  readonly router: Router;
  readonly mail: Pick<MailStore, 'quota'>;
  readonly returnPaths: ReturnPaths;
  readonly clock: Clock;
  readonly relaying: Pick<Relaying, 'allows'>;
};

export class RecipientVerifier {
  readonly #ports: RecipientVerifierPorts;

  constructor(ports: RecipientVerifierPorts) {
    this.#ports = ports;
  }

  /** At RCPT. */
  async verify(
    forwardPath: ForwardPath,
    transaction: IntakeTransaction,
    session: IntakeSession,
  ): Promise<{ readonly kind: 'accept' } | IntakeRefusal> {
    const address = formatEnvelopeAddress(forwardPath);
    const original = await this.#ports.returnPaths.original(address);
    if (original !== undefined) return verdictOnRewritten(original, transaction, session);
    const resolution = await this.#ports.directory.resolve(address);
    switch (resolution.kind) {
      case 'local':
        return session.role.name === 'relay' ? this.#roomFor(resolution, transaction) : { kind: 'accept' };
      case 'unknown':
        return refuse(reply(550, '5.1.1', 'No such mailbox here'), 'recipient.unknown');
      case 'disabled':
        return refuse(reply(550, '5.2.1', 'This mailbox is closed'), 'recipient.disabled');
      case 'remote':
        return this.#ports.relaying.allows(address, resolution.domain, session)
          ? this.#routable(address, resolution.domain, transaction, session)
          : refuse(reply(550, '5.7.1', 'Relaying is not permitted'), 'recipient.relay-denied');
    }
  }

  /**
   * A mailbox that cannot take the message is told of before it comes, where it is the only one that the address leads to:
   * a stranger's message would have to be answered by a report. RFC 1870 §6.1, RFC 3463 §3.3.
   */
  async #roomFor(
    { accounts: [only, ...others], forwards, lists = [] }: Extract<Resolution, { kind: 'local' }>,
    { parameters }: IntakeTransaction,
  ): Promise<{ readonly kind: 'accept' } | IntakeRefusal> {
    if (only?.quotaOctets === undefined || others.length + forwards.length + lists.length > 0)
      return { kind: 'accept' };
    const { octetsUsed, octetsMax = Infinity } = await this.#ports.mail.quota(only.account);
    const { declaredOctets = 0 } = parameters;
    if (declaredOctets > octetsMax) return TOO_LARGE;
    return octetsUsed >= octetsMax || octetsUsed + declaredOctets > octetsMax ? FULL : { kind: 'accept' };
  }

  /** What a route refuses is refused here: later, its sender would have to be told by a report. */
  #routable(
    address: string,
    domain: string,
    transaction: IntakeTransaction,
    session: IntakeSession,
  ): { readonly kind: 'accept' } | IntakeRefusal {
    const { clock, router } = this.#ports;
    const nowMs = clock.nowMs();
    const { next } = router.plan(
      {
        reversePath: reversePathOf(transaction),
        source: sourceOf(session),
        arrivedAtMs: nowMs,
      },
      { forwardPath: address },
      domain,
      nowMs,
    );
    return next.kind === 'failed' ? refuse(reply(550, '5.7.1', next.text), next.reason) : { kind: 'accept' };
  }
}

const FULL: IntakeRefusal = refuse(reply(452, '4.2.2', 'The mailbox is full'), 'mailbox.over-quota');
const TOO_LARGE: IntakeRefusal = refuse(
  reply(552, '5.2.3', 'The message is larger than the whole mailbox may be'),
  'mailbox.too-large',
);

/**
 * A rewritten address of ours stands for a stranger's, and whoever has seen one could send there through us: so only
 * reports get through, which is what it was made for. Exim's manual has the same rule (`senders = :`); beside the null
 * reverse-path the names stay that hosts without it give their reports, and that those who verify addresses call with.
 */
function verdictOnRewritten(
  original: SrsOriginal,
  { reversePath }: IntakeTransaction,
  session: IntakeSession,
): { readonly kind: 'accept' } | IntakeRefusal {
  if (original.kind === 'bad-hash')
    return refuse(
      reply(550, '5.1.1', 'This SRS address was not made here, or was changed since'),
      'srs.bad-hash',
    );
  if (original.kind === 'expired')
    return refuse(reply(550, '5.1.1', 'This SRS address is too old'), 'srs.expired');
  const reports = reversePath === null || REPORTERS.has(reversePath.localPart.toLowerCase());
  return reports || session.principal !== undefined
    ? { kind: 'accept' }
    : refuse(
        reply(550, '5.7.1', 'Only reports about forwarded mail are taken for this address'),
        'srs.no-report',
      );
}

const REPORTERS: ReadonlySet<string> = new Set(['mailer-daemon', 'postmaster']);
