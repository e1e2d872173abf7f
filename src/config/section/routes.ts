/** `[[routes]]`. */
export const ROUTES = {
  type: 'array',
  items: {
    type: 'object',
    required: [
      'name',
      'recipients',
      'senders',
      'accounts',
      'networks',
      'pools',
      'action',
      'text',
      'hosts',
      'protocol',
      'tls',
      'implicitTls',
      'fallbackAfterSeconds',
      'retryAfterSeconds',
    ],
    properties: {
      name: { type: 'string', format: 'name', description: 'Letters, digits and hyphens.' },
      recipients: {
        type: 'array',
        items: { type: 'string', format: 'recipient-pattern' },
        minItems: 0,
        default: ['*'],
        description:
          '`example.org`; `.example.org` for what is below it; `someone@example.org`; `*` for all. Names beyond ASCII as A-labels. An empty list is for nobody: a route that is a fallback only.',
      },
      senders: {
        type: 'array',
        items: { type: 'string', format: 'sender-pattern' },
        minItems: 0,
        default: [],
        description: 'Reverse-paths: as for recipients, and `<>` for the null path. Empty: any.',
      },
      accounts: {
        type: 'array',
        items: { type: 'string', format: 'address' },
        minItems: 0,
        default: [],
        description:
          'Addresses of the accounts that handed the mail in. Empty: any, and mail that came in otherwise. A new account is known here within half a minute.',
      },
      networks: {
        type: 'array',
        items: { type: 'string', format: 'network' },
        minItems: 0,
        default: [],
        description: 'Where the mail came in from, as `192.0.2.0/24`. Empty: anywhere.',
      },
      pools: {
        type: 'array',
        items: { type: 'string', format: 'name' },
        minItems: 0,
        default: [],
        description: 'Pools that the mail belongs to by its sender or account. Empty: any or none.',
      },
      action: {
        type: 'string',
        enum: ['deliver', 'hold', 'refuse'],
        default: 'deliver',
        description:
          '`hold` keeps mail in the queue until it is released. `refuse` says no at `RCPT`, and has mail fail that is found so later.',
      },
      text: {
        type: 'string',
        default: 'Mail to this address is not taken',
        description: 'What is said by `refuse`, and noted by `hold`.',
      },
      hosts: {
        type: 'array',
        items: { type: 'string', format: 'host-port' },
        minItems: 0,
        default: [],
        description:
          'Hosts that take the mail instead of those that MX names, tried in this order: `relay.example.net:587`. Without a port: 24 for LMTP, 465 with `implicitTls`, 587 with `username`, else 25. Empty: those of the domain.',
      },
      protocol: {
        type: 'string',
        enum: ['smtp', 'lmtp'],
        default: 'smtp',
        description: 'LMTP is for a host that delivers itself; it needs `hosts`.',
      },
      tls: {
        type: 'string',
        enum: ['auto', 'none', 'opportunistic', 'encrypt', 'verified'],
        default: 'auto',
        description:
          '`opportunistic`: where it is offered. `encrypt`: never in plain. Of these and of what the host or domain promises by DANE and MTA-STS, or `tlsPolicies` ask for, the stricter holds. `verified`: with a valid certificate for the name of the host, whatever else is found. `none`: never. `auto`: what is found; with `username` a certificate that its TLSA records or a CA vouch for.',
      },
      implicitTls: { type: 'boolean', default: false, description: 'TLS from the first octet (RFC 8314).' },
      username: { type: 'string', minLength: 1, description: 'With `passwordFile`: who we sign in as.' },
      passwordFile: {
        type: 'string',
        minLength: 1,
        description: 'A file with the password as its first line.',
      },
      proxy: {
        type: 'string',
        format: 'proxy',
        description:
          'A SOCKS 5 proxy (RFC 1928) to connect through, as `192.0.2.1` or `192.0.2.1:1080`. It looks up the names of `hosts`; those that MX names are looked up here.',
      },
      proxyUsername: {
        type: 'string',
        minLength: 1,
        description: 'With `proxyPasswordFile`: our login there.',
      },
      proxyPasswordFile: {
        type: 'string',
        minLength: 1,
        description: 'A file with its password as its first line.',
      },
      pool: {
        type: 'string',
        format: 'name',
        description: 'The pool it goes out from. Left out: the one the mail belongs to.',
      },
      fallback: {
        type: 'string',
        format: 'name',
        description: 'The route to take where no host of this one answers.',
      },
      fallbackAfterSeconds: {
        type: 'integer',
        minimum: 0,
        maximum: 2_592_000,
        default: 0,
        description:
          'How long mail waits before it takes the fallback in any case. 0: never only for waiting.',
      },
      retryAfterSeconds: {
        type: 'array',
        items: { type: 'integer', minimum: 1, maximum: 604_800 },
        minItems: 0,
        default: [],
        description: 'The pauses between attempts; the last one repeats. Empty: those of `queue`.',
      },
    },
  },
  minItems: 0,
  default: [],
  description:
    'Which way mail for the world goes; the first that matches decides (docs/delivery.md). Everything that is given must hold. Mail that none matches goes to the hosts that MX names.',
} as const;
