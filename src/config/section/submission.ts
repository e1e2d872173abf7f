/** `[submission]`. */
export const SUBMISSION = {
  type: 'object',
  description: 'Rules for mail from signed-in people.',
  required: ['ownAddressesOnly', 'addMissingFields', 'holdSecondsMax', 'priorityMax'],
  properties: {
    ownAddressesOnly: {
      type: 'boolean',
      default: true,
      description: 'The reverse-path and From must be addresses of the account.',
    },
    addMissingFields: {
      type: 'boolean',
      default: true,
      description: 'Date, Message-ID and From are added where they are missing (RFC 6409 §8).',
    },
    holdSecondsMax: {
      type: 'integer',
      minimum: 0,
      maximum: 999_999_999,
      default: 2_592_000,
      description:
        'How long a message may be held for its release at the most (FUTURERELEASE, RFC 4865). 0: not at all.',
    },
    holdUntilMax: {
      type: 'string',
      format: 'timestamp',
      description: 'A date until which messages are held at the most, however near it is.',
    },
    priorityMax: {
      type: 'integer',
      minimum: 0,
      maximum: 9,
      default: 9,
      description:
        'The highest priority that signed-in people and `trust.peers` may give to mail (MT-PRIORITY).',
    },
  },
} as const;
