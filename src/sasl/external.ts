/** EXTERNAL: who the certificate of the handshake says. The one message is an authorization identity. Source: RFC 4422 §A. */
import { isUtf8 } from 'node:buffer';
import { utf8 } from '../base/bytes.ts';
import { malformed, withInitial } from './mechanism.ts';
import type { ChannelCertificate, SaslMechanism, SaslServerStep } from './mechanism.ts';

const IDENTITY_OCTETS_MAX = 1024;

export const external: SaslMechanism = {
  name: 'EXTERNAL',
  // RFC 4422 §A.1: without credentials from outside the exchange can only fail.
  isPossible: ({ peerCertificate }) => peerCertificate !== undefined,
  server: ({ channel: { peerCertificate } }, initial) =>
    withInitial(initial, (response) =>
      peerCertificate === undefined
        ? { kind: 'refused', reason: 'no-certificate' }
        : parseExternal(response, peerCertificate),
    ),
};

export function parseExternal(octets: Uint8Array, certificate: ChannelCertificate): SaslServerStep {
  // RFC 4422 §A.1: UTF-8 without NUL; empty means the identity of the certificate.
  if (octets.length > IDENTITY_OCTETS_MAX) return malformed('the identity is too long');
  if (octets.includes(0) || !isUtf8(octets)) return malformed('NUL, or not UTF-8');
  return {
    kind: 'claim',
    claim: { kind: 'certificate', mechanism: 'EXTERNAL', authorizationId: utf8(octets), certificate },
  };
}
