/** What happens in sessions that receive mail: SMTP, submission, LMTP. */
export const SMTP_EVENTS = {
  subject: 'smtp',
  description: 'What happens in sessions that receive mail: SMTP, submission, LMTP.',
  events: {
    'smtp.session-opened': {
      level: 'debug',
      text: 'A client connected',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        remotePort: { type: 'number', description: 'The port it came from.' },
        localAddress: { type: 'text', description: 'The address it came to.' },
        localPort: { type: 'number', description: 'The port it came to.' },
        implicitTls: { type: 'boolean', description: 'Whether TLS came first.' },
        protocol: { type: 'text', description: 'Then: the version of TLS.', optional: true },
        cipher: { type: 'text', description: 'Then: the cipher suite.', optional: true },
      },
      metrics: [
        { name: 'postrider_smtp_sessions_total', help: 'SMTP sessions that began.', labels: ['role'] },
      ],
    },
    'smtp.client-named': {
      level: 'debug',
      text: 'A trusted host speaks for another client from here on (XCLIENT)',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        client: { type: 'text', description: 'The IP address of the other client.' },
        hostname: { type: 'text', description: 'Its name, where it was said.', optional: true },
      },
    },
    'smtp.forwarded': {
      level: 'debug',
      text: 'A trusted host said where a message came from before (XFORWARD)',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        client: {
          type: 'text',
          description: 'The address that it came from; none where it began at that host.',
          optional: true,
        },
        hostname: { type: 'text', description: 'The name of that.', optional: true },
        helo: { type: 'text', description: 'What that called itself.', optional: true },
        ident: { type: 'text', description: 'The id that the message had there.', optional: true },
      },
    },
    'smtp.hello': {
      level: 'debug',
      text: 'A client said its name',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: '`EHLO`, `HELO` or `LHLO`.' },
        domain: { type: 'text', description: 'What it calls itself.' },
      },
    },
    'smtp.early-talker': {
      level: 'info',
      text: 'A client spoke before it was greeted',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
      },
      metrics: [{ name: 'postrider_smtp_early_talkers_total', help: 'Clients that spoke too early.' }],
    },
    'smtp.tls-started': {
      level: 'debug',
      text: 'TLS began',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        protocol: { type: 'text', description: 'The version of TLS.' },
        cipher: { type: 'text', description: 'The cipher suite.' },
      },
    },
    'smtp.tls-failed': {
      level: 'info',
      text: 'TLS did not come about',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        problem: { type: 'text', description: 'What the TLS library said.' },
      },
      metrics: [{ name: 'postrider_smtp_tls_failures_total', help: 'TLS handshakes that failed.' }],
    },
    'smtp.plaintext-behind-starttls': {
      level: 'warn',
      text: 'Commands came in plain text behind STARTTLS; the session was ended',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
      },
      metrics: [
        {
          name: 'postrider_smtp_starttls_injections_total',
          help: 'Sessions ended for commands behind STARTTLS.',
        },
      ],
    },
    'smtp.authenticated': {
      level: 'info',
      text: 'A client signed in',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        mechanism: { type: 'text', description: 'The SASL mechanism.' },
        accountId: { type: 'number', description: 'The account.' },
      },
      metrics: [
        { name: 'postrider_smtp_logins_total', help: 'Clients that signed in.', labels: ['mechanism'] },
      ],
    },
    'smtp.auth-failed': {
      level: 'warn',
      text: 'A client was not let in',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        mechanism: { type: 'text', description: 'The SASL mechanism.' },
        reason: { type: 'text', description: 'Why not.' },
      },
      metrics: [{ name: 'postrider_smtp_login_failures_total', help: 'Logins refused.', labels: ['reason'] }],
    },
    'smtp.mail': {
      level: 'debug',
      text: 'A client began a message',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        reversePath: {
          type: 'text',
          description: 'The reverse-path; empty for the null one.',
          sensitive: 'address',
        },
        declaredOctets: { type: 'number', description: 'What SIZE announced.', optional: true },
        body: { type: 'text', description: 'What BODY announced.', optional: true },
        smtpUtf8: { type: 'boolean', description: 'Whether SMTPUTF8 was asked for.' },
        priority: { type: 'number', description: 'MT-PRIORITY, as it was asked for.', optional: true },
        envelopeId: { type: 'text', description: 'ENVID.', optional: true, sensitive: 'detail' },
      },
    },
    'smtp.recipient': {
      level: 'debug',
      text: 'A recipient was accepted',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        recipient: { type: 'text', description: 'The forward-path.', sensitive: 'address' },
        notify: { type: 'text', description: 'NOTIFY.', optional: true },
      },
    },
    'smtp.command-refused': {
      level: 'info',
      text: 'A command was refused',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        verb: { type: 'text', description: 'The command.' },
        code: { type: 'number', description: 'The reply code.' },
        status: { type: 'text', description: 'The enhanced status code.', optional: true },
        reason: { type: 'text', description: 'The stable reason code.' },
        text: { type: 'text', description: 'What the client was told.', sensitive: 'detail' },
        traceId: { type: 'text', description: 'The id of the message, if one was begun.', optional: true },
        recipient: {
          type: 'text',
          description: 'Whom a RCPT was for.',
          optional: true,
          sensitive: 'address',
        },
      },
      metrics: [
        { name: 'postrider_smtp_refusals_total', help: 'Commands refused.', labels: ['role', 'reason'] },
      ],
    },
    'smtp.message-accepted': {
      level: 'info',
      text: 'A message was accepted',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        octets: { type: 'number', description: 'Octets of the content.' },
        recipients: { type: 'number', description: 'How many recipients.' },
        tookMs: { type: 'number', description: 'Milliseconds since MAIL.' },
      },
      metrics: [
        { name: 'postrider_smtp_messages_total', help: 'Messages accepted.', labels: ['role'] },
        { name: 'postrider_smtp_received_octets_total', help: 'Octets of accepted messages.', add: 'octets' },
      ],
    },
    'smtp.message-discarded': {
      level: 'info',
      text: 'A message was accepted and thrown away, by a rule',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        octets: { type: 'number', description: 'Octets that came.' },
        recipients: { type: 'number', description: 'How many recipients.' },
        reason: {
          type: 'text',
          description: 'The reason code of the check; `every-recipient`: of each one.',
        },
      },
      metrics: [
        {
          name: 'postrider_smtp_messages_discarded_total',
          help: 'Messages accepted and thrown away.',
          labels: ['role'],
        },
      ],
    },
    'smtp.message-refused': {
      level: 'info',
      text: 'A message was refused after its content',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        traceId: {
          type: 'text',
          description: 'The id of the message, from the first octet to the last report.',
        },
        octets: { type: 'number', description: 'Octets that came.' },
        recipients: { type: 'number', description: 'How many recipients.' },
        code: { type: 'number', description: 'The reply code.' },
        status: { type: 'text', description: 'The enhanced status code.', optional: true },
        reason: { type: 'text', description: 'The stable reason code.' },
        text: { type: 'text', description: 'What the client was told.', sensitive: 'detail' },
        messageId: {
          type: 'text',
          description: 'Its Message-ID, where the header had come.',
          optional: true,
          sensitive: 'detail',
        },
      },
      metrics: [
        {
          name: 'postrider_smtp_messages_refused_total',
          help: 'Messages refused.',
          labels: ['role', 'reason'],
        },
      ],
    },
    'smtp.fault': {
      level: 'error',
      text: 'A command could not be done for a fault outside it',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        doing: { type: 'text', description: 'What was being done.' },
        traceId: { type: 'text', description: 'The id of the message, if one was begun.', optional: true },
        cause: { type: 'cause', description: 'What failed.' },
      },
      metrics: [{ name: 'postrider_smtp_faults_total', help: 'Commands answered 451 for a fault.' }],
    },
    'smtp.bug': {
      level: 'error',
      text: 'A session ended for a mistake in Postrider',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        cause: { type: 'cause', description: 'What was thrown.' },
      },
      metrics: [{ name: 'postrider_smtp_bugs_total', help: 'Sessions ended by a bug.' }],
    },
    'smtp.session-closed': {
      level: 'debug',
      text: 'A session ended',
      fields: {
        sessionId: { type: 'text', description: 'The id of the session, in every event of it.' },
        role: { type: 'text', description: '`relay`, `submission` or `lmtp`.' },
        remoteAddress: { type: 'text', description: 'The IP address of the client.' },
        how: { type: 'text', description: 'Who or what ended it.' },
        durationMs: { type: 'number', description: 'How long it lasted.' },
        commands: { type: 'number', description: 'How many commands were read.' },
        messages: { type: 'number', description: 'How many messages were accepted.' },
        octetsReceived: { type: 'number', description: 'Octets of their contents.' },
      },
      metrics: [
        { name: 'postrider_smtp_sessions_ended_total', help: 'SMTP sessions that ended.', labels: ['how'] },
      ],
    },
  },
} as const;
