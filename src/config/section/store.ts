/** `[store]`. */
export const STORE = {
  type: 'object',
  description: 'What keeps the mail.',
  required: ['backend', 'shards'],
  properties: {
    backend: {
      type: 'string',
      enum: ['embedded', 'postgres'],
      default: 'embedded',
      description:
        '`embedded`: files in the data directory, no other server. `postgres`: metadata in PostgreSQL.',
    },
    shards: {
      type: 'integer',
      minimum: 1,
      maximum: 64,
      default: 4,
      description:
        '`embedded`: how many files the accounts are spread over. Settled when the data directory is made.',
    },
    url: {
      type: 'string',
      format: 'postgres-url',
      description: '`postgres`: where it is, as `postgres://user@host/database`.',
    },
    segmentDirectory: {
      type: 'string',
      minLength: 1,
      description: 'Where the octets of messages are kept. Left out: `segments` in the data directory.',
    },
  },
} as const;
