/** What becomes of accepted mail. */
export const DELIVERY_EVENTS = {
  subject: 'delivery',
  description: 'What becomes of accepted mail.',
  events: {
    'delivery.accepted': {
      level: 'debug',
      text: 'The queue, or every mailbox, has a message',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        messageId: { type: 'text', description: 'Its Message-ID.', optional: true, sensitive: 'detail' },
        subject: { type: 'text', description: 'Its subject.', sensitive: 'content' },
        octets: { type: 'number', description: 'Octets of its content.' },
        recipients: { type: 'number', description: 'How many recipients, aliases followed.' },
      },
    },
    'delivery.expanded': {
      level: 'debug',
      text: 'An alias, a group or a forwarding led on',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        address: { type: 'text', description: 'Whom the sender wrote to.', sensitive: 'address' },
        target: { type: 'text', description: 'Who gets it.', sensitive: 'address' },
      },
    },
    'delivery.redistributed': {
      level: 'info',
      text: 'A list redistributed a message',
      fields: {
        queueId: { type: 'text', description: 'The id of the message that came: its trace id.' },
        copyId: {
          type: 'text',
          description: 'The id of the copies; the same where there is no other message.',
        },
        address: { type: 'text', description: "The list's address.", sensitive: 'address' },
        owner: { type: 'text', description: 'Whom the copies come from.', sensitive: 'address' },
        recipients: { type: 'number', description: 'How many get one.' },
      },
      metrics: [{ name: 'postrider_lists_total', help: 'Messages that lists redistributed.' }],
    },
    'delivery.list-bounced': {
      level: 'info',
      text: "A report about a list's copy came for its owner",
      fields: {
        queueId: { type: 'text', description: 'The id of the report.' },
        address: { type: 'text', description: "The owner's address, tagged.", sensitive: 'address' },
        member: { type: 'text', description: 'Whom the tag names.', sensitive: 'address' },
      },
      metrics: [{ name: 'postrider_list_bounces_total', help: "Reports about lists' copies." }],
    },
    'delivery.settled': {
      level: 'info',
      text: 'An attempt to deliver ended',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        recipient: { type: 'number', description: "The recipient's number, counted from 0." },
        address: { type: 'text', description: 'The recipient.', sensitive: 'address' },
        outcome: {
          type: 'text',
          description: '`delivered`, `relayed`, `expanded`, `failed`, `delayed`, `held` or `dropped`.',
        },
        status: { type: 'text', description: 'The enhanced status code.', optional: true },
        reason: { type: 'text', description: 'The stable reason code.', optional: true },
        host: { type: 'text', description: 'The next hop that answered.', optional: true },
        text: {
          type: 'text',
          description: 'What was said, word for word.',
          optional: true,
          sensitive: 'detail',
        },
        tls: {
          type: 'text',
          description:
            'Of the session with the next hop: `plain`, or version, cipher and by what its certificate was verified.',
          optional: true,
        },
        mailbox: {
          type: 'text',
          description: 'The mailbox of ours that has it.',
          optional: true,
          sensitive: 'detail',
        },
        attempts: {
          type: 'number',
          description: 'How often it was tried, where it is tried again.',
          optional: true,
        },
        dueAtMs: {
          type: 'number',
          description: 'When it is tried again, milliseconds since 1970.',
          optional: true,
        },
      },
      metrics: [{ name: 'postrider_deliveries_total', help: 'Attempts that ended.', labels: ['outcome'] }],
    },
    'delivery.dsn-queued': {
      level: 'info',
      text: 'A report to the sender was queued',
      fields: {
        queueId: { type: 'text', description: 'The id of the message it is about.' },
        dsnId: { type: 'text', description: 'The id of the report.' },
        address: { type: 'text', description: 'Whom it goes to.', sensitive: 'address' },
      },
      metrics: [{ name: 'postrider_dsns_total', help: 'Delivery status notifications sent.' }],
    },
    'delivery.unreported': {
      level: 'info',
      text: 'Mail failed, and there is nobody to report it to',
      fields: {
        queueId: { type: 'text', description: 'The id of the message.' },
        address: {
          type: 'text',
          description: 'The recipient of a report that failed, or the sender who is not there.',
          sensitive: 'address',
        },
        reason: {
          type: 'text',
          description:
            '`null-reverse-path`: it was a report itself. `nobody-there`: its sender is not there.',
        },
      },
      metrics: [
        {
          name: 'postrider_unreported_total',
          help: 'Failures that nobody could be told of.',
          labels: ['reason'],
        },
      ],
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
        mail: {
          type: 'text',
          description:
            'Which mail waits: `all`, or where only TLS failed `without-wish`, `requiretls` or `tls-required-no` (RFC 8689).',
        },
      },
      metrics: [{ name: 'postrider_destinations_down_total', help: 'Times a destination was found down.' }],
    },
    'delivery.destination-back': {
      level: 'info',
      text: 'A destination takes mail again; what waits for it is sent',
      fields: {
        destination: { type: 'text', description: 'As in `delivery.destination-down`.' },
        mail: { type: 'text', description: 'As in `delivery.destination-down`.' },
      },
      metrics: [{ name: 'postrider_destinations_back_total', help: 'Times a destination took mail again.' }],
    },
    'delivery.converted': {
      level: 'info',
      text: 'Content was converted for a host that cannot carry it',
      fields: {
        queueId: { type: 'text', description: 'The id of the message.' },
        host: { type: 'text', description: 'The host.' },
        to: { type: 'text', description: 'What it can carry: `7bit` or `8bitmime`.' },
      },
      metrics: [{ name: 'postrider_conversions_total', help: 'Messages converted for a host.' }],
    },
    'delivery.blocked': {
      level: 'warn',
      text: 'A host takes nothing from us: it has our address or name on a list',
      fields: {
        queueId: { type: 'text', description: 'The id of the message; its last answer has the words.' },
        destination: { type: 'text', description: 'As in `delivery.destination-down`.' },
        host: { type: 'text', description: 'The host.', optional: true },
        status: { type: 'text', description: 'The enhanced status code.' },
      },
      metrics: [{ name: 'postrider_blocked_total', help: 'Answers that we are on a list.' }],
    },
    'delivery.source-unusable': {
      level: 'error',
      text: 'A source address cannot be used on this machine; the next of its pool is',
      fields: {
        pool: { type: 'text', description: 'The pool.' },
        address: { type: 'text', description: 'The address.' },
        problem: { type: 'text', description: 'What the system said.' },
      },
      metrics: [
        { name: 'postrider_sources_unusable_total', help: 'Visits that a source address was no use for.' },
      ],
    },
    'delivery.attempted': {
      level: 'debug',
      text: 'A host was gone to with a message',
      fields: {
        queueId: { type: 'text', description: 'The id of the message.' },
        host: { type: 'text', description: 'The host.' },
        address: { type: 'text', description: 'Its address.' },
        port: { type: 'number', description: 'Its port.' },
        recipient: {
          type: 'text',
          description: 'Whom its word is about; absent: all of them.',
          optional: true,
          sensitive: 'address',
        },
        status: { type: 'text', description: 'The enhanced status code.' },
        reason: { type: 'text', description: 'The stable reason code.' },
        text: { type: 'text', description: 'What was said, word for word.', sensitive: 'detail' },
        tls: { type: 'text', description: 'The TLS of the session.', optional: true },
      },
      metrics: [
        {
          name: 'postrider_delivery_attempts_total',
          help: 'Words of next hops about recipients, and why there were none.',
          labels: ['reason'],
        },
      ],
    },
    'delivery.tls': {
      level: 'debug',
      text: 'A connection to another host stands, or failed of its TLS',
      fields: {
        queueId: { type: 'text', description: 'The id of the message that it was opened for.' },
        host: { type: 'text', description: 'The host.' },
        address: { type: 'text', description: 'Its address.' },
        required: {
          type: 'text',
          description:
            'What had to be: `none`, `opportunistic`, `encrypt`, `verified`, `dane` or `fingerprint`.',
        },
        reached: {
          type: 'text',
          description:
            'What it came to: `plain`; version, cipher and by what the certificate was verified; or why it failed.',
        },
        level: { type: 'text', description: '`plain`, `tls`, `verified` or `failed`.' },
      },
      metrics: [
        {
          name: 'postrider_outgoing_tls_total',
          help: 'Connections to other hosts, by what was required of TLS and what it came to.',
          labels: ['required', 'level'],
        },
      ],
    },
    'delivery.sts-fetched': {
      level: 'info',
      text: 'The MTA-STS policy of a domain was fetched',
      fields: {
        domain: { type: 'text', description: 'The domain.' },
        mode: { type: 'text', description: '`enforce`, `testing` or `none`.' },
        expiresAtMs: { type: 'number', description: 'Until when it holds, milliseconds since 1970.' },
      },
    },
    'delivery.sts-fetch-failed': {
      level: 'warn',
      text: 'A domain has an MTA-STS policy that cannot be had; one that was fetched before goes on to hold',
      fields: {
        domain: { type: 'text', description: 'The domain.' },
        reason: { type: 'text', description: 'As RFC 8460 §4.3.2.2 has it.' },
        text: { type: 'text', description: 'What was wrong.' },
      },
      metrics: [
        {
          name: 'postrider_sts_fetches_failed_total',
          help: 'MTA-STS policies that could not be fetched.',
          labels: ['reason'],
        },
      ],
    },
    'delivery.tls-results-lost': {
      level: 'warn',
      text: 'Outcomes of sessions were too many to be counted for TLS reports',
      fields: { sessions: { type: 'number', description: 'How many were not counted.' } },
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
