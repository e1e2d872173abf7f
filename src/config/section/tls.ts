/** `[tls]`. */
export const TLS = {
  type: 'object',
  description: 'The certificate that every listener shows. Either both files or `selfSigned`.',
  required: ['selfSigned', 'versionMin'],
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
    versionMin: {
      type: 'string',
      enum: ['TLSv1.2', 'TLSv1.3'],
      default: 'TLSv1.2',
      description: 'The oldest version of TLS that is spoken.',
    },
  },
} as const;
