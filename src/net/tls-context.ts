/** The server's side of TLS: versions and suites of RFC 9325. */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import {
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TLSSocketOptions,
} from 'node:tls';
import type { ServerTls } from './socket-connection.ts';

export type Certificate = {
  /** PEM, the leaf first */ readonly chain: string;
  /** PEM */ readonly key: string;
  /** Present where people are asked for a certificate of theirs: who vouches for those, PEM; undefined: nobody. */
  readonly clients?: { readonly authorities: string | undefined };
};

/** A session of one kind of listener is not resumed at another: there it may have been asked for a certificate or not. */
const PEOPLE_CONTEXT = 'postrider people';

/** Throws `Error` where the certificate or the key cannot be read or do not belong together. */
export function secureContext(certificate: Certificate): SecureContext {
  return createSecureContext(contextOptions(certificate));
}

function contextOptions({ chain, key }: Certificate): SecureContextOptions {
  // OpenSSL has a place for each kind of key, and says nothing of a certificate in one and a key in another.
  if (!new X509Certificate(chain).checkPrivateKey(createPrivateKey(key)))
    throw new Error('The key is not the one of the certificate');
  return {
    cert: chain,
    key,
    minVersion: 'TLSv1.2',
    // RFC 9325 §4.2: forward secrecy and AEAD only. TLS 1.3 has no others.
    ciphers:
      'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:' +
      'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
      'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
    honorCipherOrder: true,
    // RFC 9325 §3.5: nothing here needs renegotiation, and each one costs the server a handshake.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}

/**
 * For listeners where people sign in: the client is asked for a certificate, and may come without one. Only authorities
 * that are named vouch for it; where none is, none does, and Node's list of the web's authorities least of all.
 */
function peopleOptions(certificate: Certificate, authorities: string | undefined): TLSSocketOptions {
  return {
    secureContext: createSecureContext({
      ...contextOptions(certificate),
      ca: authorities ?? [],
      sessionIdContext: PEOPLE_CONTEXT,
    }),
    requestCert: true,
    rejectUnauthorized: false,
  };
}

/** A holder whose contexts can be put in place while connections come. Throws as {@link secureContext}. */
export function serverTls(certificate: Certificate): {
  readonly tls: ServerTls;
  /** For listeners where people sign in. */
  readonly peopleTls: ServerTls;
  replace(next: Certificate): void;
} {
  const make = (of: Certificate): { tls: TLSSocketOptions; people: TLSSocketOptions } => {
    const tls = { secureContext: secureContext(of) };
    return { tls, people: of.clients === undefined ? tls : peopleOptions(of, of.clients.authorities) };
  };
  let options = make(certificate);
  return {
    tls: () => options.tls,
    peopleTls: () => options.people,
    replace: (next) => {
      options = make(next);
    },
  };
}
