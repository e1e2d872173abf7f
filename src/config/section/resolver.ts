/** `[resolver]`. */
export const RESOLVER = {
  type: 'object',
  description: 'Who answers questions of DNS.',
  required: ['servers', 'timeoutMs', 'attempts'],
  properties: {
    servers: {
      type: 'array',
      items: { type: 'string', format: 'ip-port' },
      minItems: 0,
      default: [],
      description:
        'As `192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:53`. Empty: those of /etc/resolv.conf.',
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
      description: 'How often a question is asked before the answer is "not now".',
    },
  },
} as const;
