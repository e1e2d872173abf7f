/** `[trust]`. */
export const TRUST = {
  type: 'object',
  description:
    'Whom this server trusts by address. This machine itself and the proxies and forwarders named here are never banned, throttled or limited: docs/smtp.md.',
  required: ['loopback', 'proxies', 'forwarders', 'peers'],
  properties: {
    loopback: {
      type: 'boolean',
      default: true,
      description:
        'Whether programs on this machine itself are exempt as well. `false` is for trying limits out on loopback.',
    },
    proxies: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      minItems: 0,
      default: [],
      description:
        'Proxies whose PROXY header says who the client is, on listeners with `proxyProtocol`. IP addresses or networks.',
    },
    forwarders: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      minItems: 0,
      default: [],
      description:
        'Hosts that may speak for other clients by XCLIENT and XFORWARD, and for accounts by `LOGIN` of XCLIENT: content filters, submission proxies, fetchers.',
    },
    peers: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      minItems: 0,
      default: [],
      description:
        'Hosts of our own or of friends: they may raise the priority of mail (MT-PRIORITY, RFC 6710 §4.1) without signing in.',
    },
  },
} as const;
