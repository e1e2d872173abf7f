/** What happens in IMAP sessions. */
export const IMAP_EVENTS = {
  subject: 'imap',
  description: 'What happens in IMAP sessions.',
  events: {
    'imap.session.started': {
      level: 'debug',
      text: 'A client connected',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        tls: { type: 'boolean', description: 'Whether TLS came first.' },
      },
      metrics: [
        { name: 'postrider_imap_sessions_total', help: 'IMAP sessions that began.', labels: ['tls'] },
      ],
    },
    'imap.session.ended': {
      level: 'info',
      text: 'A session ended',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        account: { type: 'number', description: 'Who was signed in.', optional: true },
        reason: { type: 'text', description: 'Who or what ended it.' },
        commands: { type: 'number', description: 'How many commands were read.' },
        durationMs: { type: 'number', description: 'How long it lasted.' },
      },
      metrics: [
        {
          name: 'postrider_imap_sessions_ended_total',
          help: 'IMAP sessions that ended.',
          labels: ['reason'],
        },
        { name: 'postrider_imap_commands_total', help: 'IMAP commands read.', add: 'commands' },
      ],
    },
    'imap.tls.started': {
      level: 'debug',
      text: 'TLS began',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        protocol: { type: 'text', description: 'The version of TLS.' },
        cipher: { type: 'text', description: 'The cipher suite.' },
      },
    },
    'imap.tls.failed': {
      level: 'info',
      text: 'TLS did not come about',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        reason: { type: 'text', description: 'What the TLS library said.' },
      },
      metrics: [{ name: 'postrider_imap_tls_failures_total', help: 'TLS handshakes that failed.' }],
    },
    'imap.auth.succeeded': {
      level: 'info',
      text: 'A client signed in',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        account: { type: 'number', description: 'The account.' },
        mechanism: { type: 'text', description: 'LOGIN or the SASL mechanism.' },
      },
      metrics: [
        { name: 'postrider_imap_logins_total', help: 'Clients that signed in.', labels: ['mechanism'] },
      ],
    },
    'imap.auth.failed': {
      level: 'warn',
      text: 'A client was not let in',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        mechanism: { type: 'text', description: 'LOGIN or the SASL mechanism.' },
        reason: { type: 'text', description: 'Why not.' },
      },
      metrics: [{ name: 'postrider_imap_login_failures_total', help: 'Logins refused.', labels: ['reason'] }],
    },
    'imap.command.refused': {
      level: 'debug',
      text: 'A command was refused',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        text: { type: 'text', description: 'What was answered.' },
      },
      metrics: [{ name: 'postrider_imap_refusals_total', help: 'Commands answered NO or BAD.' }],
    },
    'imap.fault': {
      level: 'error',
      text: 'A command could not be done for a fault outside it',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        doing: { type: 'text', description: 'What was being done.' },
        cause: { type: 'text', description: 'What failed.' },
      },
      metrics: [{ name: 'postrider_imap_faults_total', help: 'Commands answered NO for a fault.' }],
    },
    'imap.compression.started': {
      level: 'debug',
      text: 'The conversation is compressed from here on',
      fields: { remote: { type: 'text', description: 'The IP address of the client.' } },
      metrics: [{ name: 'postrider_imap_compressions_total', help: 'Sessions that were compressed.' }],
    },
    'imap.notify.overflowed': {
      level: 'info',
      text: 'A client that asked for news of mailboxes gets none any more: there are too many',
      fields: { account: { type: 'number', description: 'The account.' } },
      metrics: [
        { name: 'postrider_imap_notify_overflows_total', help: 'Clients that are no longer notified.' },
      ],
    },
    'imap.blob.unreadable': {
      level: 'error',
      text: 'The octets of a message cannot be read',
      fields: {
        blob: { type: 'text', description: 'The SHA-256 of the octets.' },
        problem: { type: 'text', description: '`missing` or `damaged`.' },
      },
      metrics: [{ name: 'postrider_imap_unreadable_blobs_total', help: 'Messages that could not be read.' }],
    },
    'imap.bug': {
      level: 'error',
      text: 'A session ended for a mistake in Postrider',
      fields: {
        remote: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        error: { type: 'text', description: 'The stack.' },
      },
      metrics: [{ name: 'postrider_imap_bugs_total', help: 'Sessions ended by a bug.' }],
    },
  },
} as const;
