/** `[smtp]`. */
export const SMTP = {
  type: 'object',
  description: 'What SMTP and LMTP sessions offer: docs/smtp.md.',
  required: ['vrfy', 'expn', 'deliverByMinSeconds', 'priorityPolicy'],
  properties: {
    vrfy: {
      type: 'string',
      enum: ['nobody', 'trusted', 'everybody'],
      default: 'trusted',
      description:
        'Who is told by VRFY whether an address exists. `trusted`: who has signed in, `trust.peers`, and clients of LMTP.',
    },
    expn: {
      type: 'string',
      enum: ['nobody', 'trusted', 'everybody'],
      default: 'trusted',
      description: 'Who is told by EXPN whom an address stands for.',
    },
    deliverByMinSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 999_999_999,
      default: 60,
      description:
        'The least time within which a message may be asked to be delivered or returned (DELIVERBY, RFC 2852 §3).',
    },
    priorityPolicy: {
      type: 'string',
      format: 'priority-policy',
      default: 'MIXER',
      description: 'The name of the policy of priorities that MT-PRIORITY announces (RFC 6710 §9.2).',
    },
  },
} as const;
