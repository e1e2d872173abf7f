/** `[resolver]`. */
export const RESOLVER = {
  type: 'object',
  description: 'Who answers questions of DNS.',
  required: ['servers', 'trusted', 'anchors', 'timeoutMs', 'attempts'],
  properties: {
    servers: {
      type: 'array',
      items: { type: 'string', format: 'ip-port' },
      minItems: 0,
      default: [],
      description:
        'As `192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:53`. Empty: those of /etc/resolv.conf.',
    },
    trusted: {
      type: 'boolean',
      default: false,
      description:
        'Whether `servers` validate DNSSEC and nobody can change their answers on the way: what DANE needs. Servers on loopback are trusted in any case, and where one is trusted, the others are not asked.',
    },
    anchors: {
      type: 'array',
      items: { type: 'string', format: 'hostname' },
      minItems: 0,
      default: [],
      description:
        'Names that the resolver has trust anchors of its own for. Where there are any, `postrider check` asks for them instead of the root to see whether it validates.',
    },
    timeoutMs: {
      type: 'integer',
      minimum: 50,
      maximum: 60_000,
      default: 3000,
      description: 'How long one server is waited for.',
    },
    attempts: {
      type: 'integer',
      minimum: 1,
      maximum: 10,
      default: 3,
      description:
        'How often a question is asked before the answer is "not now"; from the third time on over TCP.',
    },
  },
} as const;
