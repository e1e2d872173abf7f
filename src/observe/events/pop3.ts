/** What happens in POP3 sessions. */
export const POP3_EVENTS = {
  subject: 'pop3',
  description: 'What happens in POP3 sessions.',
  events: {
    'pop3.session.started': {
      level: 'debug',
      text: 'A client connected',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        tls: { type: 'boolean', description: 'Whether TLS came first.' },
      },
      metrics: [
        { name: 'postrider_pop3_sessions_total', help: 'POP3 sessions that began.', labels: ['tls'] },
      ],
    },
    'pop3.session.ended': {
      level: 'info',
      text: 'A session ended',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        account: { type: 'number', description: 'Who was signed in.', optional: true },
        reason: { type: 'text', description: 'Who or what ended it.' },
        commands: { type: 'number', description: 'How many commands were read.' },
        retrieved: { type: 'number', description: 'How many messages were sent whole.' },
        removed: { type: 'number', description: 'How many messages were removed at the end.' },
        durationMs: { type: 'number', description: 'How long it lasted.' },
      },
      metrics: [
        {
          name: 'postrider_pop3_sessions_ended_total',
          help: 'POP3 sessions that ended.',
          labels: ['reason'],
        },
        { name: 'postrider_pop3_commands_total', help: 'POP3 commands read.', add: 'commands' },
        { name: 'postrider_pop3_messages_sent_total', help: 'Messages sent whole.', add: 'retrieved' },
        { name: 'postrider_pop3_messages_removed_total', help: 'Messages removed.', add: 'removed' },
      ],
    },
    'pop3.tls.started': {
      level: 'debug',
      text: 'TLS began',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        protocol: { type: 'text', description: 'The version of TLS.' },
        cipher: { type: 'text', description: 'The cipher suite.' },
      },
    },
    'pop3.tls.failed': {
      level: 'info',
      text: 'TLS did not come about',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        reason: { type: 'text', description: 'What the TLS library said.' },
      },
      metrics: [{ name: 'postrider_pop3_tls_failures_total', help: 'TLS handshakes that failed.' }],
    },
    'pop3.auth.succeeded': {
      level: 'info',
      text: 'A client signed in',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        account: { type: 'number', description: 'The account.' },
        mechanism: { type: 'text', description: '`USER` or the SASL mechanism.' },
      },
      metrics: [
        { name: 'postrider_pop3_logins_total', help: 'Clients that signed in.', labels: ['mechanism'] },
      ],
    },
    'pop3.auth.failed': {
      level: 'warn',
      text: 'A client was not let in',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        mechanism: { type: 'text', description: '`USER` or the SASL mechanism.' },
        reason: { type: 'text', description: 'Why not.' },
      },
      metrics: [{ name: 'postrider_pop3_login_failures_total', help: 'Logins refused.', labels: ['reason'] }],
    },
    'pop3.maildrop.in-use': {
      level: 'info',
      text: 'A client found another session at its mailbox',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        account: { type: 'number', description: 'The account.' },
      },
      metrics: [
        {
          name: 'postrider_pop3_in_use_total',
          help: 'Sign-ins refused since another session had the mailbox.',
        },
      ],
    },
    'pop3.command.refused': {
      level: 'debug',
      text: 'A command was refused',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        text: { type: 'text', description: 'What was answered.' },
      },
      metrics: [{ name: 'postrider_pop3_refusals_total', help: 'Commands answered -ERR.' }],
    },
    'pop3.fault': {
      level: 'error',
      text: 'A command could not be done for a fault outside it',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        doing: { type: 'text', description: 'What was being done.' },
        cause: { type: 'text', description: 'What failed.' },
      },
      metrics: [{ name: 'postrider_pop3_faults_total', help: 'Commands refused for a fault.' }],
    },
    'pop3.blob.unreadable': {
      level: 'error',
      text: 'The octets of a message cannot be read',
      fields: {
        blob: { type: 'text', description: 'The SHA-256 of the octets.' },
        problem: { type: 'text', description: '`missing` or `damaged`.' },
      },
      metrics: [{ name: 'postrider_pop3_unreadable_blobs_total', help: 'Messages that could not be read.' }],
    },
    'pop3.bug': {
      level: 'error',
      text: 'A session ended for a mistake in Postrider',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        error: { type: 'text', description: 'The stack.' },
      },
      metrics: [{ name: 'postrider_pop3_bugs_total', help: 'Sessions ended by a bug.' }],
    },
  },
} as const;
