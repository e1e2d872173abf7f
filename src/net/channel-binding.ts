/**
 * What authentication can be bound to a TLS channel by, of what Node tells. Sources: RFC 9266, RFC 5929, RFC 7677 §4.
 *
 * 'tls-exporter' is given under TLS 1.3 alone: before, it needs the extended master secret (RFC 7627), and Node does not
 * say whether that was agreed on. 'tls-unique' is of TLS 1.2, and without that secret is safe in a session that was not
 * resumed. Nothing here is renegotiated: the server forbids it, and the client's side never asks.
 *
 * Departs from RFC 9266 §4.1: who failed may try again on the same connection, bound to the same octets. Each attempt has
 * nonces of its own, and a session ends after a few.
 */
import type { X509Certificate } from 'node:crypto';
import { createHash } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ChannelBindingType } from '../base/connection.ts';

/** RFC 9266 §2. */
const EXPORTER_LABEL = 'EXPORTER-Channel-Binding';
const EXPORTER_OCTETS = 32;

export function channelBindings(
  socket: TLSSocket,
  side: 'client' | 'server',
): ReadonlyMap<ChannelBindingType, Uint8Array> {
  const found = new Map<ChannelBindingType, Uint8Array>();
  const protocol = socket.destroyed ? undefined : socket.getProtocol();
  if (protocol === 'TLSv1.3')
    found.set('tls-exporter', socket.exportKeyingMaterial(EXPORTER_OCTETS, EXPORTER_LABEL, Buffer.alloc(0)));
  if (protocol === 'TLSv1.2' && !socket.isSessionReused()) {
    // RFC 5929 §3.1: the first Finished message, which in a full handshake is the client's.
    const finished = side === 'client' ? socket.getFinished() : socket.getPeerFinished();
    if (finished !== undefined) found.set('tls-unique', finished);
  }
  const certificate =
    protocol === undefined
      ? undefined
      : side === 'client'
        ? socket.getPeerX509Certificate()
        : socket.getX509Certificate();
  const endPoint = certificate === undefined ? undefined : serverEndPoint(certificate);
  if (endPoint !== undefined) found.set('tls-server-end-point', endPoint);
  return found;
}

/**
 * RFC 5929 §4.1: the certificate's hash by the hash function of its signature, but SHA-256 for those that are broken.
 * Undefined where the signature has none of its own (Ed25519) or does not name it (RSASSA-PSS).
 */
export function serverEndPoint(
  certificate: Pick<X509Certificate, 'raw'> & { readonly signatureAlgorithm?: string | undefined },
): Uint8Array | undefined {
  const [, bits] =
    /(?:^|[^a-z0-9])sha(1|224|256|384|512)(?![0-9-])/i.exec(certificate.signatureAlgorithm ?? '') ?? [];
  return bits === undefined
    ? undefined
    : createHash(bits === '1' ? 'sha256' : `sha${bits}`)
        .update(certificate.raw)
        .digest();
}
