/** `[trace]`. */
export const TRACE = {
  type: 'object',
  description:
    "What is kept of every message's story, refused ones included: `postrider trace`, docs/trace.md.",
  required: ['enabled', 'keepDays', 'octetsMax', 'subject'],
  properties: {
    enabled: { type: 'boolean', default: true, description: 'Whether anything is kept.' },
    keepDays: {
      type: 'integer',
      minimum: 1,
      maximum: 3650,
      default: 30,
      description: 'What is older is deleted.',
    },
    octetsMax: {
      type: 'integer',
      minimum: 16_777_216,
      maximum: 1_099_511_627_776,
      default: 1_073_741_824,
      description: 'What is oldest is deleted while all of it together is larger.',
    },
    subject: {
      type: 'boolean',
      default: false,
      description: 'Whether subjects are kept too. They are content: ask those whose mail it is.',
    },
  },
} as const;
