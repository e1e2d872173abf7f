/** `[listeners]`. */
export const LISTENERS = {
  type: 'object',
  description: 'Where each service listens.',
  required: ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s'],
  properties: {
    smtp: {
      type: 'object',
      description: 'Mail from other hosts (RFC 5321).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    submission: {
      type: 'object',
      description: 'Mail from signed-in people, after STARTTLS (RFC 6409).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    submissions: {
      type: 'object',
      description: 'Mail from signed-in people, under TLS from the first octet (RFC 8314).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    lmtp: {
      type: 'object',
      description:
        'Mail from a transfer agent beside this one (RFC 2033). Whoever reaches it may deliver to any account: keep it on loopback.',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    imap: {
      type: 'object',
      description: 'Reading mail, after STARTTLS (RFC 9051).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    imaps: {
      type: 'object',
      description: 'Reading mail, under TLS from the first octet (RFC 8314).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    pop3: {
      type: 'object',
      description: 'Fetching mail, after STLS (RFC 1939).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          default: 110,
          description: 'The TCP port.',
        },
        tls: {
          type: 'string',
          enum: ['starttls', 'implicit'],
          default: 'starttls',
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
    pop3s: {
      type: 'object',
      description: 'Fetching mail, under TLS from the first octet (RFC 8314).',
      required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
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
          default: 995,
          description: 'The TCP port.',
        },
        tls: {
          type: 'string',
          enum: ['starttls', 'implicit'],
          default: 'implicit',
          description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
        },
        proxyProtocol: {
          type: 'boolean',
          default: false,
          description:
            'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
        },
      },
    },
  },
} as const;
