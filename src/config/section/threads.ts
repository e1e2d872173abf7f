/** `[threads]`. */
export const THREADS = {
  type: 'object',
  description: 'How the work is spread over processors.',
  required: [],
  properties: {
    sessions: {
      type: 'integer',
      minimum: 1,
      maximum: 256,
      description: 'Threads that speak with clients. Left out: one per processor, at most 8.',
    },
  },
} as const;
