/** The life of the process and its threads. */
export const SERVER_EVENTS = {
  subject: 'server',
  description: 'The life of the process and its threads.',
  events: {
    'server.ready': {
      level: 'info',
      text: 'Every listener answers',
      fields: {
        version: { type: 'text', description: 'The version of Postrider.' },
        tookMs: { type: 'number', description: 'Milliseconds since the start.' },
      },
    },
    'server.listening': {
      level: 'info',
      text: 'A service listens',
      fields: {
        service: { type: 'text', description: 'Such as `smtp` or `imaps`.' },
        address: { type: 'text', description: 'The IP address.' },
        port: { type: 'number', description: 'The TCP port.' },
      },
    },
    'server.stopping': {
      level: 'info',
      text: 'The server ends what is in flight',
      fields: { signal: { type: 'text', description: 'What asked for it.' } },
    },
    'server.stopped': { level: 'info', text: 'The server has ended', fields: {} },
    'server.thread.died': {
      level: 'error',
      text: 'A thread died and is replaced',
      fields: {
        thread: { type: 'text', description: 'Which thread.' },
        cause: { type: 'cause', description: 'What it died of.' },
      },
      metrics: [{ name: 'postrider_threads_died_total', help: 'Threads that died.', labels: ['thread'] }],
    },
    'server.rates.lost': {
      level: 'warn',
      text: 'What was counted of accounts and sign-ins before the start cannot be read, and begins anew',
      fields: { cause: { type: 'cause', description: 'What is wrong with the file.' } },
    },
    'server.connection.refused': {
      level: 'warn',
      text: 'Connections were refused',
      fields: {
        service: { type: 'text', description: 'Such as `smtp` or `imaps`.' },
        remote: { type: 'text', description: 'The IP address of the last client.' },
        reason: {
          type: 'text',
          description: '`too-many` in all, `too-many-from-address` or `too-many-from-network`.',
        },
        connections: {
          type: 'number',
          description: 'How many since the last such line; at most one a second.',
        },
      },
      metrics: [
        {
          name: 'postrider_connections_refused_total',
          help: 'Connections refused.',
          labels: ['service', 'reason'],
          add: 'connections',
        },
      ],
    },
    'server.connections.lowered': {
      level: 'info',
      text: 'The system allows fewer open files than the configured connections need',
      fields: {
        configured: { type: 'number', description: '`limits.connectionsMax`.' },
        connections: { type: 'number', description: 'What is let in at once.' },
        descriptors: { type: 'number', description: 'The limit of open files (`ulimit -n`).' },
      },
    },
    'server.proxy.failed': {
      level: 'warn',
      text: 'A trusted proxy did not say who its client is',
      fields: {
        service: { type: 'text', description: 'Such as `smtp` or `imaps`.' },
        remote: { type: 'text', description: 'The IP address of the proxy.' },
        reason: {
          type: 'text',
          description:
            'What is wrong with its PROXY header: `no-header`, `too-long`, `syntax`, `version`, `command`, `family`, `checksum`, or `timeout`.',
        },
      },
      metrics: [
        {
          name: 'postrider_proxy_failures_total',
          help: 'Connections of trusted proxies without a PROXY header.',
          labels: ['service', 'reason'],
        },
      ],
    },
    'server.tls.failed': {
      level: 'info',
      text: 'TLS did not come about on a port that begins with it',
      fields: {
        service: { type: 'text', description: 'Such as `submissions` or `imaps`.' },
        remote: { type: 'text', description: 'The IP address of the client.' },
        reason: { type: 'text', description: 'What the TLS library said.' },
      },
      metrics: [
        { name: 'postrider_tls_failures_total', help: 'Handshakes that failed.', labels: ['service'] },
      ],
    },
    'server.trace.dropped': {
      level: 'warn',
      text: 'Some of what happened is not in the traces',
      fields: {
        entries: { type: 'number', description: 'Entries that were lost; at most one such line a second.' },
        cause: { type: 'cause', description: 'Why; absent where too many waited.', optional: true },
      },
      metrics: [
        { name: 'postrider_trace_entries_dropped_total', help: 'Entries of traces lost.', add: 'entries' },
      ],
    },
    'server.fault': {
      level: 'error',
      text: 'Something went wrong outside any session',
      fields: { cause: { type: 'cause', description: 'What was thrown.' } },
      metrics: [{ name: 'postrider_faults_total', help: 'Faults outside sessions.' }],
    },
  },
} as const;
