/** `[queue]`. */
export const QUEUE = {
  type: 'object',
  description: 'Mail that is accepted and not yet delivered.',
  required: [
    'retryAfterSeconds',
    'delayNoticeAfterSeconds',
    'expireAfterSeconds',
    'lostReportsToPostmaster',
    'deliveriesMax',
    'deliveriesPerHostMax',
  ],
  properties: {
    retryAfterSeconds: {
      type: 'array',
      items: { type: 'integer', minimum: 1, maximum: 604_800 },
      minItems: 1,
      default: [300, 900, 1800, 3600, 7200, 14_400],
      description:
        'The pauses between attempts; the last one repeats. RFC 5321 §4.5.4.1 wants 1800 in the long run.',
    },
    delayNoticeAfterSeconds: {
      type: 'integer',
      minimum: 0,
      maximum: 2_592_000,
      default: 14_400,
      description: 'When the author is told that delivery is late. 0: never.',
    },
    expireAfterSeconds: {
      type: 'integer',
      minimum: 60,
      maximum: 2_592_000,
      default: 432_000,
      description:
        'When delivery is given up and the author told. RFC 5321 §4.5.4.1 wants four to five days.',
    },
    lostReportsToPostmaster: {
      type: 'boolean',
      default: false,
      description:
        'Whether the postmaster is told of reports that reached nobody (double bounces). Most are answers to forged senders.',
    },
    deliveriesMax: {
      type: 'integer',
      minimum: 1,
      maximum: 10_000,
      default: 500,
      description:
        'Messages that are being delivered at once. Those to destinations that have taken nothing yet, and those that have been stuck for some seconds, do not count, up to four times as many in all.',
    },
    deliveriesPerHostMax: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: 20,
      description:
        'Deliveries at once to one host, and to one route or domain. They begin with 2; each success allows one more, a failure half.',
    },
  },
} as const;
