/** `[sendmail]`. */
export const SENDMAIL = {
  type: 'object',
  description: 'Mail that programs of this machine leave by `sendmail` (docs/sendmail.md).',
  required: ['enabled', 'senders', 'trustedUsers'],
  properties: {
    enabled: { type: 'boolean', default: true, description: 'Whether the maildrop is looked into.' },
    directory: {
      type: 'string',
      minLength: 1,
      description:
        'Where `sendmail` leaves mail. For other users of the machine: `/var/spool/postrider/maildrop`. Left out: `maildrop` in the data directory, for the user of the server alone.',
    },
    domain: {
      type: 'string',
      format: 'hostname',
      description: 'What is put behind addresses without a domain. Left out: `hostname`.',
    },
    senders: {
      type: 'string',
      enum: ['own', 'local', 'any'],
      default: 'local',
      description:
        'Whose name a user may send in by `-f`: only `login@domain`, any address at our domains, or any. What is not allowed is replaced by `login@domain`.',
    },
    trustedUsers: {
      type: 'array',
      items: { type: 'string', minLength: 1 },
      minItems: 0,
      default: ['root'],
      description: 'Login names that may send in anybody’s name.',
    },
  },
} as const;
