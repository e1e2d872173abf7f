/** `[submission]`. */
export const SUBMISSION = {
  type: 'object',
  description: 'Rules for mail from signed-in people.',
  required: [
    'ownAddressesOnly',
    'addMissingFields',
    'holdSecondsMax',
    'scheduledMessagesMax',
    'scheduledOctetsMax',
    'priorityMax',
    'addSender',
    'suspend',
    'burl',
    'submitters',
  ],
  properties: {
    ownAddressesOnly: {
      type: 'boolean',
      default: true,
      description:
        'The reverse-path, From and Sender must be addresses of the account, or ones that it was granted (`postrider account grant`).',
    },
    addMissingFields: {
      type: 'boolean',
      default: true,
      description: 'Date, Message-ID and From are added where they are missing (RFC 6409 §8).',
    },
    addSender: {
      type: 'boolean',
      default: false,
      description:
        'Sender with the address of the account is added where From holds only addresses that it was granted (RFC 6409 §8.1).',
    },
    suspend: {
      type: 'object',
      description:
        'What makes an account look as if somebody else had its password. Beyond a figure its sending is suspended until `postrider account resume`: docs/policy.md. 0: not a sign.',
      required: ['excessesPerHour', 'refusedRecipientsPerHour', 'networksPerHour'],
      properties: {
        excessesPerHour: {
          type: 'integer',
          minimum: 0,
          maximum: 1_000_000,
          default: 100,
          description: 'How often it may run into its own limits (`[rates.account]`).',
        },
        refusedRecipientsPerHour: {
          type: 'integer',
          minimum: 0,
          maximum: 1_000_000,
          default: 200,
          description: 'Recipients that were refused, here or by other hosts.',
        },
        networksPerHour: {
          type: 'integer',
          minimum: 0,
          maximum: 1_000_000,
          default: 20,
          description: 'Networks that it signs in from to submit.',
        },
      },
    },
    burl: {
      type: 'string',
      enum: ['none', 'authorized', 'own'],
      default: 'own',
      description:
        'Content from mailboxes here (BURL, RFC 4468): by URLs that were authorized for submission (URLAUTH), or by plain URLs of the own mail too.',
    },
    submitters: {
      type: 'array',
      items: { type: 'string', format: 'address' },
      minItems: 0,
      default: [],
      description:
        'Accounts of other submission servers: they may fetch by IMAP what URLs give to submission (`submit+`, RFC 4467), for anybody.',
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
    scheduledMessagesMax: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000_000,
      default: 1000,
      description: 'Messages of one account that wait for their release at the same time.',
    },
    scheduledOctetsMax: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000_000_000_000,
      default: 1_073_741_824,
      description: 'The octets of these messages together.',
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
