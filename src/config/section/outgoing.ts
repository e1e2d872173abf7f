/** `[outgoing]`. */
export const OUTGOING = {
  type: 'object',
  description: 'How this host speaks to others.',
  required: ['port', 'tls', 'messagesPerConnectionMax', 'idleConnectionSeconds'],
  properties: {
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      default: 25,
      description: 'The port of other hosts; anything but 25 is for test networks.',
    },
    tls: {
      type: 'string',
      enum: ['none', 'opportunistic'],
      default: 'opportunistic',
      description: 'Whether STARTTLS is used where it is offered (RFC 7435).',
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
