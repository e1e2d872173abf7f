/** `[outgoing]`. */
export const OUTGOING = {
  type: 'object',
  description: 'How this host speaks to others.',
  required: ['port', 'tls'],
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
  },
} as const;
