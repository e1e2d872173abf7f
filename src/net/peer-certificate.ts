/**
 * Whether the certificate that a server showed is what the rule asks for. The handshake proved that the server has the key of
 * the first certificate; everything else is decided here.
 * Sources: RFC 6125 §6.4 and RFC 9525 §6.3 (names), RFC 5280 §6.1 (paths), RFC 6698 §2.1, RFC 7671 §5, RFC 7672 §3.
 */
import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type {
  CertificateProblem,
  CertificateRule,
  PkixRule,
  TlsaAssociation,
  TlsInfo,
  TlsProblem,
} from '../base/connection.ts';
import { LIMITS } from '../base/limits.ts';
import { err, ok, type Result } from '../base/result.ts';
import { readCertificateParts } from '../tls-policy/wire/certificate-parts.ts';
import { DANE_EE, DANE_TA } from '../tls-policy/wire/tlsa.ts';

export type Shown = {
  /** As the server sent them, its own first; at most {@link LIMITS.certificateChainMax}. */
  readonly chain: readonly X509Certificate[];
  /** OpenSSL's code for why they do not lead to a CA of the trust store; undefined: they do. */
  readonly trustProblem: string | undefined;
  readonly nowMs: number;
};

export type Verified = Pick<TlsInfo, 'verifiedBy' | 'shortfall'>;

/** All that the server sent. */
export function presentedChain(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next = socket.getPeerX509Certificate();
  while (next !== undefined && chain.length < LIMITS.certificateChainMax) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

export function checkPeer(rule: CertificateRule, shown: Shown): Result<Verified, TlsProblem> {
  if (rule.kind === 'any') return ok(rule.wanted === undefined ? {} : lookAt(rule.wanted, shown));
  const [leaf] = shown.chain;
  if (leaf === undefined) return refused('not-trusted', 'The server showed no certificate');
  switch (rule.kind) {
    case 'pkix':
      return checkPkix(leaf, rule.names, shown);
    case 'dane':
      return checkDane(leaf, rule, shown);
    case 'fingerprint':
      return [leaf.raw, publicKeyOf(leaf)].some(
        (octets) => octets !== undefined && rule.sha256.includes(sum('sha256', octets).toString('hex')),
      )
        ? ok({ verifiedBy: 'fingerprint' })
        : refused('other-fingerprint', 'The certificate has none of the fingerprints that are configured');
  }
}

function lookAt(wanted: PkixRule, shown: Shown): Verified {
  const checked = checkPeer(wanted, shown);
  if (checked.ok) return checked.value;
  const { error } = checked;
  return error.kind === 'certificate' ? { shortfall: { problem: error.problem, text: error.text } } : {};
}

function checkPkix(
  leaf: X509Certificate,
  names: readonly string[],
  { trustProblem }: Shown,
): Result<Verified, TlsProblem> {
  if (trustProblem !== undefined)
    return /EXPIRED|NOT_YET_VALID/.test(trustProblem)
      ? refused('expired', trustProblem)
      : refused('not-trusted', trustProblem);
  // RFC 9525 §6.3: names of hosts stand in subjectAltName, nowhere else.
  if (!names.some((name) => isNamed(leaf, name, 'never')))
    return refused('host-mismatch', `The certificate is not for ${names.join(', ')}`);
  return ok({ verifiedBy: 'pkix' });
}

function checkDane(
  leaf: X509Certificate,
  { records, names }: Extract<CertificateRule, { kind: 'dane' }>,
  { chain, nowMs }: Shown,
): Result<Verified, TlsProblem> {
  // RFC 7672 §3.1.1: neither its names nor its dates matter.
  if (records.some((record) => record.usage === DANE_EE && matches(record, leaf)))
    return ok({ verifiedBy: 'dane-ee' });
  const anchors = records.filter((record) => record.usage === DANE_TA);
  if (!leadsTo(leaf, anchors, chain, nowMs))
    return refused(
      hasExpired(leaf, nowMs) && anchors.length > 0 ? 'expired' : 'other-than-tlsa',
      `None of ${records.length} TLSA records vouches for the certificate`,
    );
  // RFC 7672 §3.2.3: the CN counts where there is no name of a host in subjectAltName.
  if (!names.some((name) => isNamed(leaf, name, 'default')))
    return refused('host-mismatch', `The certificate is not for ${names.join(', ')}`);
  return ok({ verifiedBy: 'dane-ta' });
}

/** One of the certificates of a path, and what of it OpenSSL's wrapper does not tell. */
type Issuer = { readonly certificate: X509Certificate; readonly isAnchor: boolean };

/**
 * Whether a path of valid certificates goes from the server's to one that a DANE-TA record names: among those that were sent
 * (RFC 7672 §3.1.2), or in the record itself.
 */
function leadsTo(
  leaf: X509Certificate,
  records: readonly TlsaAssociation[],
  [, ...others]: readonly X509Certificate[],
  nowMs: number,
): boolean {
  if (records.length === 0 || !isServers(leaf, nowMs)) return false;
  const issuers: Issuer[] = others.map((certificate) => ({
    certificate,
    isAnchor: records.some((record) => matches(record, certificate)),
  }));
  for (const { data, selector, matchingType } of records)
    if (matchingType === 0 && selector === 0) {
      const certificate = tryMake(() => new X509Certificate(data));
      if (certificate !== undefined) issuers.push({ certificate, isAnchor: true });
    }
  const keys = records
    .filter(({ matchingType, selector }) => matchingType === 0 && selector === 1)
    .map(({ data }) =>
      tryMake(() => createPublicKey({ key: Buffer.from(data), format: 'der', type: 'spki' })),
    )
    .filter((key) => key !== undefined);
  const seen = new Set<X509Certificate>([leaf]);
  /** Each certificate is come to once, so this ends, whatever was sent. */
  const search = (subject: X509Certificate, authoritiesBelow: number): boolean => {
    if (keys.some((key) => isSignedBy(subject, key))) return true;
    for (const { certificate, isAnchor } of issuers) {
      if (seen.has(certificate) || !isAuthority(certificate, authoritiesBelow, nowMs)) continue;
      if (!subject.checkIssued(certificate) || !isSignedBy(subject, certificate.publicKey)) continue;
      if (isAnchor) return true;
      seen.add(certificate);
      if (search(certificate, authoritiesBelow + 1)) return true;
    }
    return false;
  };
  return search(leaf, 0);
}

/** Critical extensions that are looked at, here or by OpenSSL; one of any other kind makes a certificate useless (RFC 5280 §4.2). */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  '2.5.29.15',
  '2.5.29.17',
  '2.5.29.19',
  '2.5.29.32',
  '2.5.29.33',
  '2.5.29.36',
  '2.5.29.37',
  '2.5.29.54',
]);
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const ANY_PURPOSE = '2.5.29.37.0';

function isServers(certificate: X509Certificate, nowMs: number): boolean {
  // RFC 5280 §4.2.1.12: purposes, where some are named. Node calls them keyUsage.
  const purposes: readonly string[] | undefined = certificate.keyUsage;
  return (
    isInTime(certificate, nowMs) &&
    isUnderstood(certificate) &&
    (purposes === undefined || purposes.includes(SERVER_AUTH) || purposes.includes(ANY_PURPOSE))
  );
}

/** @param authoritiesBelow how many certificates of CAs stand between it and the server's (RFC 5280 §4.2.1.9) */
function isAuthority(certificate: X509Certificate, authoritiesBelow: number, nowMs: number): boolean {
  const pathLengthMax = readCertificateParts(certificate.raw)?.pathLengthMax ?? Number.POSITIVE_INFINITY;
  return (
    certificate.ca &&
    authoritiesBelow <= pathLengthMax &&
    isInTime(certificate, nowMs) &&
    isUnderstood(certificate)
  );
}

function isUnderstood(certificate: X509Certificate): boolean {
  return readCertificateParts(certificate.raw)?.critical.every((oid) => UNDERSTOOD.has(oid)) === true;
}

function isInTime(certificate: X509Certificate, nowMs: number): boolean {
  return Date.parse(certificate.validFrom) <= nowMs && !hasExpired(certificate, nowMs);
}

function hasExpired(certificate: X509Certificate, nowMs: number): boolean {
  return Date.parse(certificate.validTo) < nowMs;
}

function isSignedBy(certificate: X509Certificate, key: KeyObject): boolean {
  return tryMake(() => certificate.verify(key)) === true;
}

/** RFC 6125 §6.4.3: a wildcard is the whole leftmost label and stands for one. */
function isNamed(certificate: X509Certificate, name: string, subject: 'never' | 'default'): boolean {
  if (isIP(name) !== 0) return certificate.checkIP(name) !== undefined;
  return certificate.checkHost(name, { subject, partialWildcards: false }) !== undefined;
}

function matches({ selector, matchingType, data }: TlsaAssociation, certificate: X509Certificate): boolean {
  const selected = selector === 0 ? certificate.raw : publicKeyOf(certificate);
  if (selected === undefined) return false;
  const wanted = Buffer.from(data);
  switch (matchingType) {
    case 0:
      return wanted.equals(selected);
    case 1:
      return wanted.equals(sum('sha256', selected));
    case 2:
      return wanted.equals(sum('sha512', selected));
    default:
      return false;
  }
}

function publicKeyOf(certificate: X509Certificate): Uint8Array | undefined {
  return readCertificateParts(certificate.raw)?.publicKey;
}

function sum(algorithm: 'sha256' | 'sha512', octets: Uint8Array): Buffer {
  return createHash(algorithm).update(octets).digest();
}

function refused(problem: CertificateProblem, text: string): Result<never, TlsProblem> {
  return err({ kind: 'certificate', problem, text });
}

/** OpenSSL throws on octets it does not like. */
function tryMake<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch {
    return undefined;
  }
}
