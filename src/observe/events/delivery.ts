/** What becomes of accepted mail. A recipient is a number: its address is in the queue, not in the log. */
export const DELIVERY_EVENTS = {
  subject: 'delivery',
  description:
    'What becomes of accepted mail. A recipient is a number: its address is in the queue, not in the log.',
  events: {
    'delivery.settled': {
      level: 'info',
      text: 'An attempt to deliver ended',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        recipient: { type: 'number', description: "The recipient's number, counted from 0." },
        outcome: {
          type: 'text',
          description: '`delivered`, `relayed`, `expanded`, `failed`, `delayed`, `held` or `dropped`.',
        },
        status: { type: 'text', description: 'The enhanced status code.', optional: true },
        reason: { type: 'text', description: 'The stable reason code.', optional: true },
        host: { type: 'text', description: 'The next hop that answered.', optional: true },
      },
      metrics: [{ name: 'postrider_deliveries_total', help: 'Attempts that ended.', labels: ['outcome'] }],
    },
    'delivery.dsn-queued': {
      level: 'info',
      text: 'A report to the sender was queued',
      fields: {
        queueId: { type: 'text', description: 'The id of the message it is about.' },
        dsnId: { type: 'text', description: 'The id of the report.' },
      },
      metrics: [{ name: 'postrider_dsns_total', help: 'Delivery status notifications sent.' }],
    },
    'delivery.lease-lost': {
      level: 'warn',
      text: 'Another took the message over while it was being delivered',
      fields: { queueId: { type: 'text', description: 'The id of the message.' } },
      metrics: [{ name: 'postrider_leases_lost_total', help: 'Leases that ran out under work.' }],
    },
    'delivery.destination-down': {
      level: 'warn',
      text: 'No host of a destination answers; its mail waits',
      fields: {
        destination: {
          type: 'text',
          description: 'The domain, or the host that a route names: `smtp:[relay.example]:587`.',
        },
        untilMs: { type: 'number', description: 'When it is tried again, milliseconds since 1970.' },
      },
      metrics: [{ name: 'postrider_destinations_down_total', help: 'Times a destination was found down.' }],
    },
    'delivery.fault': {
      level: 'error',
      text: 'A delivery met a fault outside it and is tried again',
      fields: {
        queueId: { type: 'text', description: 'The id of the message.', optional: true },
        doing: { type: 'text', description: 'What was being done.' },
        cause: { type: 'cause', description: 'What failed.' },
      },
      metrics: [{ name: 'postrider_delivery_faults_total', help: 'Deliveries that met a fault.' }],
    },
  },
} as const;
