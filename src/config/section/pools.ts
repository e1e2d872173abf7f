/** `[[pools]]`. */
export const POOLS = {
  type: 'array',
  items: {
    type: 'object',
    required: ['name', 'sources', 'senders', 'accounts'],
    properties: {
      name: { type: 'string', format: 'name', description: 'Letters, digits and hyphens.' },
      sources: {
        type: 'array',
        items: {
          type: 'object',
          required: ['address'],
          properties: {
            address: { type: 'string', format: 'ip', description: 'An address of this machine.' },
            helloName: {
              type: 'string',
              format: 'hostname',
              description:
                'Our name in EHLO from there: one that leads back to the address. Left out: `hostname`.',
            },
          },
        },
        minItems: 1,
        default: [],
        description:
          'Where connections come from. A message keeps its source while it is tried; messages are spread over all. Hosts are gone to by IPv4, IPv6 or both, as there are addresses here.',
      },
      senders: {
        type: 'array',
        items: { type: 'string', format: 'sender-pattern' },
        minItems: 0,
        default: [],
        description:
          'Mail from these takes the pool, unless a route names another. As in `routes.senders`. With `accounts`, both must hold; with neither, the pool is for the routes that name it.',
      },
      accounts: {
        type: 'array',
        items: { type: 'string', format: 'address' },
        minItems: 0,
        default: [],
        description: 'Mail handed in by these accounts takes it. As in `routes.accounts`.',
      },
    },
  },
  minItems: 0,
  default: [],
  description:
    'Sets of source addresses with their names, for mail that is to be told apart. The first pool that mail belongs to is taken; mail of none goes out as the system chooses.',
} as const;
