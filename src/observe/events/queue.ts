/** What an operator did to the queue. */
export const QUEUE_EVENTS = {
  subject: 'queue',
  description: 'What an operator did to the queue.',
  events: {
    'queue.acted': {
      level: 'info',
      text: 'An operator changed recipients of a queued message',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        act: {
          type: 'text',
          description:
            '`retry`, `hold`, `release`, `expire`, `drop`, `requeue` (the directory was asked anew) or `reroute`.',
        },
        recipients: { type: 'number', description: 'How many of its recipients.' },
        address: {
          type: 'text',
          description: 'The recipient, where one was meant by its address.',
          optional: true,
          sensitive: 'address',
        },
        domain: {
          type: 'text',
          description: 'The domain, where the recipients of one were meant.',
          optional: true,
        },
      },
      metrics: [
        { name: 'postrider_queue_acts_total', help: 'Messages changed by operators.', labels: ['act'] },
      ],
    },
    'queue.suspended': {
      level: 'warn',
      text: 'An operator suspended a destination',
      fields: {
        scope: { type: 'text', description: '`*`, `domain:NAME` or `route:KEY`.' },
      },
      metrics: [{ name: 'postrider_queue_suspensions_total', help: 'Suspensions of destinations.' }],
    },
    'queue.resumed': {
      level: 'info',
      text: 'An operator ended the suspension of a destination',
      fields: {
        scope: { type: 'text', description: '`*`, `domain:NAME` or `route:KEY`.' },
        recipients: { type: 'number', description: 'How many recipients it had held.' },
      },
      metrics: [{ name: 'postrider_queue_resumptions_total', help: 'Suspensions that were ended.' }],
    },
  },
} as const;
