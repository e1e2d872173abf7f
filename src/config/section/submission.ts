/** `[submission]`. */
export const SUBMISSION = {
  type: 'object',
  description: 'Rules for mail from signed-in people.',
  required: ['ownAddressesOnly', 'addMissingFields'],
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
  },
} as const;
