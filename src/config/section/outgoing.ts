/** `[outgoing]`. */
export const OUTGOING = {
  type: 'object',
  description: 'How this host speaks to others.',
  required: [
    'port',
    'addressFamily',
    'tls',
    'dane',
    'mtaSts',
    'policyPort',
    'brokenTlsSeconds',
    'messagesPerConnectionMax',
    'idleConnectionSeconds',
  ],
  properties: {
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      default: 25,
      description: 'The port of other hosts; anything but 25 is for test networks.',
    },
    addressFamily: {
      type: 'string',
      enum: ['auto', 'ipv6-first', 'ipv4-first', 'ipv6-only', 'ipv4-only'],
      default: 'auto',
      description:
        'Which addresses of a host are gone to, and which first. `auto`: IPv6 first where this host has a global IPv6 address, else IPv4 (RFC 6724).',
    },
    tls: {
      type: 'string',
      enum: ['none', 'opportunistic'],
      default: 'opportunistic',
      description:
        'Whether there is TLS with hosts of domains that `tlsPolicies` does not name: as the domain promises, else where it is offered (RFC 7435).',
    },
    dane: {
      type: 'boolean',
      default: true,
      description: 'Whether TLSA records are held to (RFC 7672). That needs a resolver that validates.',
    },
    mtaSts: {
      type: 'boolean',
      default: true,
      description: 'Whether the policies of MTA-STS are fetched and held to (RFC 8461).',
    },
    caFile: {
      type: 'string',
      minLength: 1,
      description: 'CA certificates, PEM, that are trusted beside those of Node.',
    },
    policyPort: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      default: 443,
      description: 'The port of the hosts of MTA-STS policies; anything but 443 is for test networks.',
    },
    brokenTlsSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 86_400,
      default: 900,
      description:
        'How long the address of a host that failed at TLS, and took mail in plain text, is gone to without it, where TLS is only opportunistic. 0: TLS is tried each time.',
    },
    messagesPerConnectionMax: {
      type: 'integer',
      minimum: 1,
      maximum: 100_000,
      default: 100,
      description: 'Messages over one connection to another host before a new one is made.',
    },
    idleConnectionSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 300,
      default: 3,
      description:
        'How long a connection waits for the next message to the same host. 0: each carries one message.',
    },
  },
} as const;
