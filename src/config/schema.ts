/**
 * Every key of the configuration file, once: JSON Schema as plain data. The types (`config.ts`), the checks
 * (`read.ts`), the defaults and the manual (docs/config.md) all come from here.
 *
 * A key with a default is always present in the result. A key without one is asked for if `required` names it, and
 * may be left out if not. Units are in the names. `format` names a check of `format.ts`.
 */
export const SCHEMA = {
  type: 'object',
  description: 'The host and where it keeps its data.',
  required: [
    'hostname',
    'dataDirectory',
    'subaddressSeparator',
    'tls',
    'listeners',
    'store',
    'threads',
    'limits',
    'submission',
    'queue',
    'resolver',
    'outgoing',
    'log',
  ],
  properties: {
    hostname: {
      type: 'string',
      format: 'hostname',
      description:
        'The name of this host as the world knows it: in greetings, in Received fields and in the certificate.',
    },
    dataDirectory: {
      type: 'string',
      minLength: 1,
      description: 'Where everything is kept. Made, with access for its owner only, if it is missing.',
    },
    postmaster: {
      type: 'string',
      format: 'address',
      description:
        'Who reads what is sent to `postmaster` at this host and what the server itself has to say. Left out: `postmaster` of each domain.',
    },
    subaddressSeparator: {
      type: 'string',
      enum: ['+', '-', ''],
      default: '+',
      description:
        'What divides `user+detail` in local parts. With the empty text there are no subaddresses.',
    },
    tls: {
      type: 'object',
      description: 'The certificate that every listener shows. Either both files or `selfSigned`.',
      required: ['selfSigned', 'versionMin'],
      properties: {
        certificateFile: {
          type: 'string',
          minLength: 1,
          description: 'The certificate and its chain, PEM. Read again on SIGHUP.',
        },
        keyFile: { type: 'string', minLength: 1, description: 'The private key of the certificate, PEM.' },
        selfSigned: {
          type: 'boolean',
          default: false,
          description: 'Make a self-signed certificate in the data directory: for trying, not for the world.',
        },
        versionMin: {
          type: 'string',
          enum: ['TLSv1.2', 'TLSv1.3'],
          default: 'TLSv1.2',
          description: 'The oldest version of TLS that is spoken.',
        },
      },
    },
    listeners: {
      type: 'object',
      description: 'Where each service listens.',
      required: ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps'],
      properties: {
        smtp: {
          type: 'object',
          description: 'Mail from other hosts (RFC 5321).',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['0.0.0.0', '::'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 25,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['none', 'starttls', 'implicit'],
              default: 'starttls',
              description: 'Never, when the client asks for it, or from the first octet.',
            },
          },
        },
        submission: {
          type: 'object',
          description: 'Mail from signed-in people, after STARTTLS (RFC 6409).',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['0.0.0.0', '::'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 587,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['starttls', 'implicit'],
              default: 'starttls',
              description:
                'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
            },
          },
        },
        submissions: {
          type: 'object',
          description: 'Mail from signed-in people, under TLS from the first octet (RFC 8314).',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['0.0.0.0', '::'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 465,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['starttls', 'implicit'],
              default: 'implicit',
              description:
                'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
            },
          },
        },
        lmtp: {
          type: 'object',
          description:
            'Mail from a transfer agent beside this one (RFC 2033). Whoever reaches it may deliver to any account: keep it on loopback.',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: false, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['127.0.0.1', '::1'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 24,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['none', 'starttls', 'implicit'],
              default: 'none',
              description: 'Never, when the client asks for it, or from the first octet.',
            },
          },
        },
        imap: {
          type: 'object',
          description: 'Reading mail, after STARTTLS (RFC 9051).',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['0.0.0.0', '::'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 143,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['starttls', 'implicit'],
              default: 'starttls',
              description:
                'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
            },
          },
        },
        imaps: {
          type: 'object',
          description: 'Reading mail, under TLS from the first octet (RFC 8314).',
          required: ['enabled', 'addresses', 'port', 'tls'],
          properties: {
            enabled: { type: 'boolean', default: true, description: 'Whether it listens at all.' },
            addresses: {
              type: 'array',
              items: { type: 'string', format: 'ip' },
              minItems: 1,
              default: ['0.0.0.0', '::'],
              description: 'The IP addresses it listens on.',
            },
            port: {
              type: 'integer',
              minimum: 1,
              maximum: 65_535,
              default: 993,
              description: 'The TCP port.',
            },
            tls: {
              type: 'string',
              enum: ['starttls', 'implicit'],
              default: 'implicit',
              description:
                'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
            },
          },
        },
      },
    },
    store: {
      type: 'object',
      description: 'What keeps the mail.',
      required: ['backend', 'shards'],
      properties: {
        backend: {
          type: 'string',
          enum: ['embedded', 'postgres'],
          default: 'embedded',
          description:
            '`embedded`: files in the data directory, no other server. `postgres`: metadata in PostgreSQL.',
        },
        shards: {
          type: 'integer',
          minimum: 1,
          maximum: 64,
          default: 4,
          description:
            '`embedded`: how many files the accounts are spread over. Settled when the data directory is made.',
        },
        url: {
          type: 'string',
          format: 'postgres-url',
          description: '`postgres`: where it is, as `postgres://user@host/database`.',
        },
        segmentDirectory: {
          type: 'string',
          minLength: 1,
          description: 'Where the octets of messages are kept. Left out: `segments` in the data directory.',
        },
      },
    },
    threads: {
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
    },
    limits: {
      type: 'object',
      description: 'What a client may ask for. Reaching a limit is answered in the terms of the protocol.',
      required: [
        'messageOctetsMax',
        'recipientsMax',
        'connectionsMax',
        'connectionsPerAddressMax',
        'smtpErrorsMax',
        'imapErrorsMax',
        'smtpIdleSeconds',
        'imapIdleSeconds',
        'signInSeconds',
      ],
      properties: {
        messageOctetsMax: {
          type: 'integer',
          minimum: 65_536,
          maximum: 2_147_483_647,
          default: 52_428_800,
          description: 'The largest message, as SIZE (RFC 1870) and APPENDLIMIT say it.',
        },
        recipientsMax: {
          type: 'integer',
          minimum: 100,
          maximum: 100_000,
          default: 1000,
          description: 'Recipients of one message in one transaction. RFC 5321 §4.5.3.1.8 wants 100 or more.',
        },
        connectionsMax: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000_000,
          default: 20_000,
          description: 'Connections at once, over all services.',
        },
        connectionsPerAddressMax: {
          type: 'integer',
          minimum: 1,
          maximum: 1_000_000,
          default: 100,
          description:
            'Connections at once to one service from one IPv4 address or IPv6 /64. Loopback is exempt.',
        },
        smtpErrorsMax: {
          type: 'integer',
          minimum: 1,
          maximum: 10_000,
          default: 20,
          description: 'Refused commands before an SMTP or LMTP session is ended.',
        },
        imapErrorsMax: {
          type: 'integer',
          minimum: 1,
          maximum: 10_000,
          default: 25,
          description: 'Bad commands in a row before an IMAP session is ended.',
        },
        smtpIdleSeconds: {
          type: 'integer',
          minimum: 1,
          maximum: 86_400,
          default: 300,
          description: 'Silence before an SMTP session is ended. RFC 5321 §4.5.3.2.7 wants 300 or more.',
        },
        imapIdleSeconds: {
          type: 'integer',
          minimum: 1,
          maximum: 86_400,
          default: 1800,
          description: 'Silence before a signed-in IMAP session is ended. RFC 9051 §5.4 wants 1800 or more.',
        },
        signInSeconds: {
          type: 'integer',
          minimum: 1,
          maximum: 3600,
          default: 60,
          description: 'Time to sign in before an IMAP or submission session is ended.',
        },
      },
    },
    submission: {
      type: 'object',
      description: 'Rules for mail from signed-in people.',
      required: ['ownAddressesOnly', 'addMissingFields'],
      properties: {
        ownAddressesOnly: {
          type: 'boolean',
          default: true,
          description: 'The reverse-path and From must be addresses of the account.',
        },
        addMissingFields: {
          type: 'boolean',
          default: true,
          description: 'Date, Message-ID and From are added where they are missing (RFC 6409 §8).',
        },
      },
    },
    queue: {
      type: 'object',
      description: 'Mail that is accepted and not yet delivered.',
      required: [
        'retryAfterSeconds',
        'delayNoticeAfterSeconds',
        'expireAfterSeconds',
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
        deliveriesMax: {
          type: 'integer',
          minimum: 1,
          maximum: 10_000,
          default: 100,
          description: 'Deliveries to other hosts at once.',
        },
        deliveriesPerHostMax: {
          type: 'integer',
          minimum: 1,
          maximum: 1000,
          default: 10,
          description: 'Deliveries to one host at once.',
        },
      },
    },
    resolver: {
      type: 'object',
      description: 'Who answers questions of DNS.',
      required: ['servers', 'timeoutMs', 'attempts'],
      properties: {
        servers: {
          type: 'array',
          items: { type: 'string', format: 'ip-port' },
          minItems: 0,
          default: [],
          description:
            'As `192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:53`. Empty: those of /etc/resolv.conf.',
        },
        timeoutMs: {
          type: 'integer',
          minimum: 50,
          maximum: 60_000,
          default: 3000,
          description: 'How long one server is waited for.',
        },
        attempts: {
          type: 'integer',
          minimum: 1,
          maximum: 10,
          default: 3,
          description: 'How often a question is asked before the answer is "not now".',
        },
      },
    },
    outgoing: {
      type: 'object',
      description: 'How this host speaks to others.',
      required: ['port', 'tls'],
      properties: {
        port: {
          type: 'integer',
          minimum: 1,
          maximum: 65_535,
          default: 25,
          description: 'The port of other hosts; anything but 25 is for test networks.',
        },
        tls: {
          type: 'string',
          enum: ['none', 'opportunistic'],
          default: 'opportunistic',
          description: 'Whether STARTTLS is used where it is offered (RFC 7435).',
        },
      },
    },
    relay: {
      type: 'object',
      description: 'One host that takes all mail for the world instead of the hosts that MX names.',
      required: ['host', 'port', 'tls'],
      properties: {
        host: { type: 'string', format: 'host', description: 'Its name or IP address.' },
        port: {
          type: 'integer',
          minimum: 1,
          maximum: 65_535,
          default: 587,
          description: 'Its port.',
        },
        tls: {
          type: 'string',
          enum: ['none', 'starttls', 'implicit'],
          default: 'starttls',
          description: 'With anything but `none`, its certificate must be valid for its name.',
        },
        username: { type: 'string', minLength: 1, description: 'With `passwordFile`: who we sign in as.' },
        passwordFile: {
          type: 'string',
          minLength: 1,
          description: 'A file with the password as its first line.',
        },
      },
    },
    log: {
      type: 'object',
      description: 'What is written to standard error.',
      required: ['level', 'format'],
      properties: {
        level: {
          type: 'string',
          enum: ['error', 'warn', 'info', 'debug'],
          default: 'info',
          description: 'The least important events that are written. Only `debug` shows full addresses.',
        },
        format: {
          type: 'string',
          enum: ['auto', 'json', 'text'],
          default: 'auto',
          description: 'One JSON object a line, or text for people. `auto`: text on a terminal.',
        },
      },
    },
  },
} as const;
