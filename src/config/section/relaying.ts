/** `[relaying]`. */
export const RELAYING = {
  type: 'object',
  description: 'For whom mail goes on to other hosts without anybody signing in.',
  required: ['networks', 'domains'],
  properties: {
    networks: {
      type: 'array',
      items: { type: 'string', format: 'network' },
      minItems: 0,
      default: [],
      description:
        'Clients that may send to anywhere by the service `smtp`, as `192.0.2.0/24`: machines of yours that cannot sign in. Not a check whose name they send in.',
    },
    domains: {
      type: 'array',
      items: { type: 'string', format: 'recipient-pattern' },
      minItems: 0,
      default: [],
      description:
        'Domains of other hosts for which mail is taken from anybody, and sent on by a route or their MX: `example.org`, `.example.org` for what is below it, `someone@example.org`. Whether a recipient exists is not known here.',
    },
  },
} as const;
