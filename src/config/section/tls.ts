/** `[tls]`. */
export const TLS = {
  type: 'object',
  description: 'The certificate that every listener shows. Either both files or `selfSigned`.',
  required: ['selfSigned', 'clientCertificates', 'versionMin'],
  properties: {
    certificateFile: {
      type: 'string',
      minLength: 1,
      description: 'The certificate and its chain, PEM. Read again on SIGHUP.',
    },
    keyFile: { type: 'string', minLength: 1, description: 'The private key of the certificate, PEM.' },
    selfSigned: {
      type: 'boolean',
      default: false,
      description: 'Make a self-signed certificate in the data directory: for trying, not for the world.',
    },
    clientCertificates: {
      type: 'boolean',
      default: false,
      description:
        'Ask clients for a certificate where people sign in, and let its holder in by SASL EXTERNAL: docs/sign-in.md. Some programs then ask their user for one.',
    },
    clientCaFile: {
      type: 'string',
      minLength: 1,
      description:
        "Authorities whose word is taken for the addresses in clients' certificates, PEM. Left out: only certificates kept with an account let in. Read again on SIGHUP.",
    },
    versionMin: {
      type: 'string',
      enum: ['TLSv1.2', 'TLSv1.3'],
      default: 'TLSv1.2',
      description: 'The oldest version of TLS that is spoken.',
    },
  },
} as const;
