/** `[search]`. */
export const SEARCH = {
  type: 'object',
  description: 'The index that makes searches fast: docs/search.md. With PostgreSQL there is none yet.',
  required: ['enabled'],
  properties: {
    enabled: {
      type: 'boolean',
      default: true,
      description:
        'Whether what comes is indexed, in the background. Without it a search reads the messages.',
    },
  },
} as const;
