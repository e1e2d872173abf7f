/** `[[rules]]`. */
export const RULES = {
  type: 'array',
  description:
    'Rules of your own for mail that comes in, asked in this order. All conditions of a rule must hold; of a list of values, one: docs/policy.md.',
  items: {
    type: 'object',
    required: ['name', 'clients', 'localUsers', 'helo', 'senders', 'recipients', 'action', 'text'],
    properties: {
      name: {
        type: 'string',
        format: 'name',
        description: 'Letters, digits and hyphens; its reason code is `rule.NAME`.',
      },
      clients: {
        type: 'array',
        items: { type: 'string', format: 'network' },
        minItems: 0,
        default: [],
        description: 'Where the client connects from, as `192.0.2.0/24`. Empty: anywhere.',
      },
      signedIn: {
        type: 'string',
        enum: ['yes', 'no'],
        description: 'Whether the client has signed in. Left out: either.',
      },
      localUsers: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        minItems: 0,
        default: [],
        description:
          'Login names of this machine whose programs left the mail by `sendmail`; `*` for any of them. Empty: mail of programs and of clients.',
      },
      helo: {
        type: 'array',
        items: { type: 'string', minLength: 1 },
        minItems: 0,
        default: [],
        description:
          'The name that the client calls itself, in any case; `.example.org` for what is below it. Empty: any.',
      },
      senders: {
        type: 'array',
        items: { type: 'string', format: 'sender-pattern' },
        minItems: 0,
        default: [],
        description:
          'Reverse-paths: `example.org`; `.example.org` for what is below it; `someone@example.org`; `<>` for the null path; `*` for all but that. Empty: any.',
      },
      recipients: {
        type: 'array',
        items: { type: 'string', format: 'recipient-pattern' },
        minItems: 0,
        default: [],
        description: 'Recipients, as senders are written. Empty: any.',
      },
      header: {
        type: 'string',
        minLength: 1,
        description: 'The name of a header field that is to be there.',
      },
      contains: {
        type: 'string',
        minLength: 1,
        description: 'What one such field has in it, decoded, in any case.',
      },
      equals: {
        type: 'string',
        minLength: 1,
        description: 'What one such field is, decoded, in any case.',
      },
      octetsMin: {
        type: 'integer',
        minimum: 1,
        maximum: 2_147_483_647,
        description: 'Octets of the message from which on the rule holds.',
      },
      action: {
        type: 'string',
        enum: ['refuse', 'defer', 'hold', 'discard', 'add-field', 'tag'],
        description:
          'What is done: 550; 451; held in the queue; accepted and thrown away; `field` is put before the message; the trace gets `tag`.',
      },
      text: {
        type: 'string',
        minLength: 1,
        default: 'Not accepted here',
        description: 'What the client hears, or why the message is held.',
      },
      field: {
        type: 'string',
        minLength: 1,
        description: 'For `add-field`: a whole field, as `X-Checked: yes`.',
      },
      tag: {
        type: 'string',
        format: 'name',
        description: 'For `tag`: a word of letters, digits and hyphens.',
      },
    },
  },
  minItems: 0,
  default: [],
} as const;
