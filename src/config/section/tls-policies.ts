/** `[[tlsPolicies]]`. */
export const TLS_POLICIES = {
  type: 'array',
  items: {
    type: 'object',
    required: ['domain', 'level', 'names', 'fingerprints', 'versionMin'],
    properties: {
      domain: {
        type: 'string',
        format: 'domain-pattern',
        description:
          'The domain of the recipients, or a host that a route names: `example.org`; `.example.org` for what is below it; `*` for all other domains. The closest decides. Names beyond ASCII as A-labels.',
      },
      level: {
        type: 'string',
        enum: ['none', 'default', 'encrypt', 'verify', 'dane-only', 'fingerprint'],
        default: 'default',
        description:
          '`default`: what the domain promises by DANE or MTA-STS, else TLS where it is offered. `encrypt`: never in plain. `verify`: with a valid certificate for one of `names`. `dane-only`: by DANE or not at all. `fingerprint`: one of `fingerprints`.',
      },
      names: {
        type: 'array',
        items: { type: 'string', format: 'host' },
        minItems: 0,
        default: [],
        description: 'For `verify`: what the certificate must be for. Empty: the name of each host.',
      },
      fingerprints: {
        type: 'array',
        items: { type: 'string', format: 'fingerprint' },
        minItems: 0,
        default: [],
        description:
          'For `fingerprint`: SHA-256 sums of the certificate or of its public key, hexadecimal, with or without colons.',
      },
      versionMin: {
        type: 'string',
        enum: ['TLSv1.2', 'TLSv1.3'],
        default: 'TLSv1.2',
        description: 'The oldest version of TLS that is spoken.',
      },
      certificateFile: {
        type: 'string',
        minLength: 1,
        description:
          'With `keyFile`: the certificate that is shown to hosts that ask for one, PEM, and its chain.',
      },
      keyFile: { type: 'string', minLength: 1, description: 'The private key of that certificate, PEM.' },
    },
  },
  minItems: 0,
  default: [],
  description:
    'What is asked of TLS with the hosts that the MX of some domains name, and with hosts that routes name, whatever these promise themselves (docs/tls.md).',
} as const;
