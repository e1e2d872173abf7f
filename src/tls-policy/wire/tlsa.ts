/**
 * Which of a host's TLSA records count, and how they are written down. Pure.
 * Sources: RFC 6698 §2.1, RFC 7671 §9 (digest agility), RFC 7672 §3.1 (usages of SMTP).
 */
import type { TlsaAssociation } from '../../base/connection.ts';

export const DANE_TA = 2;
export const DANE_EE = 3;

/** By matching type: how many octets a sum has. */
const SUM_OCTETS: ReadonlyMap<number, number> = new Map([
  [1, 32],
  [2, 64],
]);

/**
 * The records that a certificate may be held against. PKIX-TA(0) and PKIX-EE(1) are of no use here (RFC 7672 §3.1.3), nor is
 * what we do not know or what is malformed; of the sums for one usage and selector the strongest alone counts
 * (RFC 7671 §9). None left: the host promised TLS, and nobody can tell its certificate (RFC 7672 §2.2).
 */
export function usableTlsa(records: readonly TlsaAssociation[]): readonly TlsaAssociation[] {
  const known = records.filter(isKnown);
  return known.filter(
    (record) =>
      record.matchingType === 0 ||
      known.every(
        (other) =>
          other.usage !== record.usage ||
          other.selector !== record.selector ||
          other.matchingType <= record.matchingType,
      ),
  );
}

function isKnown({ usage, selector, matchingType, data }: TlsaAssociation): boolean {
  if ((usage !== DANE_TA && usage !== DANE_EE) || (selector !== 0 && selector !== 1)) return false;
  return matchingType === 0 ? data.length > 0 : SUM_OCTETS.get(matchingType) === data.length;
}

/** `3 1 1 1F85…` (RFC 6698 §2.2), as reports have it (RFC 8460 §4.5). */
export function formatTlsa({ usage, selector, matchingType, data }: TlsaAssociation): string {
  return `${usage} ${selector} ${matchingType} ${Buffer.from(data).toString('hex').toUpperCase()}`;
}
