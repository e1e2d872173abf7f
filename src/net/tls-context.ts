/** The server's side of TLS: versions and suites of RFC 9325. */
import { constants } from 'node:crypto';
import { createSecureContext, type SecureContext, type TLSSocketOptions } from 'node:tls';
import type { ServerTls } from './socket-connection.ts';

export type Certificate = {
  /** PEM, the leaf first */ readonly chain: string;
  /** PEM */ readonly key: string;
};

/** Throws `Error` of node:crypto where the certificate or the key cannot be read or do not belong together. */
export function secureContext(certificate: Certificate): SecureContext {
  return createSecureContext({
    cert: certificate.chain,
    key: certificate.key,
    minVersion: 'TLSv1.2',
    // RFC 9325 §4.2: forward secrecy and AEAD only. TLS 1.3 has no others.
    ciphers:
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:' +
      'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
      'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
    honorCipherOrder: true,
    // RFC 9325 §3.5: nothing here needs renegotiation, and each one costs the server a handshake.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  });
}

/** A holder whose context can be put in place while connections come. */
export function serverTls(certificate: Certificate): {
  readonly tls: ServerTls;
  replace(next: Certificate): void;
} {
  let options: TLSSocketOptions = { secureContext: secureContext(certificate) };
  return {
    tls: () => options,
    replace: (next) => {
      options = { secureContext: secureContext(next) };
    },
  };
}
