/**
 * What one session may still carry by the peer's own account of its limits. Source: RFC 9422 §4: MAILMAX counts transactions
 * of a session, RCPTMAX recipients of a transaction, RCPTDOMAINMAX domains of recipients in a session.
 */
import type { PeerLimits } from './features.ts';
import type { OutgoingRecipient } from './message.ts';

export class SessionBudget {
  #transactions = 0;
  readonly #domains = new Set<string>();

  /** Whether the session has room for another message. */
  hasRoom({ transactionsMax, recipientDomainsMax }: PeerLimits): boolean {
    return this.#transactions < transactionsMax && this.#domains.size < recipientDomainsMax;
  }

  /**
   * The recipients of the next transaction, by their place in the list, taken from those that are left; they count as sent
   * to from now on. None: for these it takes another session.
   */
  take(
    recipients: readonly OutgoingRecipient[],
    left: readonly number[],
    limits: PeerLimits,
  ): readonly number[] {
    if (this.#transactions >= limits.transactionsMax) return [];
    const taken: number[] = [];
    for (const index of left) {
      if (taken.length >= limits.recipientsMax) break;
      const domain = recipients[index]?.forwardPath.domain.toLowerCase() ?? '';
      if (!this.#domains.has(domain)) {
        if (this.#domains.size >= limits.recipientDomainsMax) continue;
        this.#domains.add(domain);
      }
      taken.push(index);
    }
    if (taken.length > 0) this.#transactions += 1;
    return taken;
  }
}
