/** What happens to mail that programs of this machine leave by `sendmail`. */
export const SENDMAIL_EVENTS = {
  subject: 'sendmail',
  description: 'What happens to mail that programs of this machine leave by `sendmail` (docs/sendmail.md).',
  events: {
    'sendmail.picked-up': {
      level: 'info',
      text: 'Mail of a local user was taken from the maildrop',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        uid: { type: 'number', description: 'The user id of who left it.' },
        user: { type: 'text', description: 'The login name, or the number.' },
        reversePath: {
          type: 'text',
          description: 'The reverse-path; empty for the null one.',
          sensitive: 'address',
        },
        wanted: {
          type: 'text',
          description: 'What it wanted to be sent as, where it may not.',
          optional: true,
          sensitive: 'address',
        },
        octets: { type: 'number', description: 'Octets of its content.' },
      },
      metrics: [{ name: 'postrider_sendmail_messages_total', help: 'Messages taken from the maildrop.' }],
    },
    'sendmail.recipient': {
      level: 'debug',
      text: 'A recipient of such mail',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        recipient: { type: 'text', description: 'The recipient.', sensitive: 'address' },
        written: {
          type: 'text',
          description: 'What was written, where the postmaster gets it instead.',
          optional: true,
          sensitive: 'address',
        },
      },
    },
    'sendmail.deferred': {
      level: 'info',
      text: 'A check put such mail off: it stays in the maildrop',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        code: { type: 'number', description: 'The code of the reply that a session would have heard.' },
        status: { type: 'text', description: 'Its enhanced status.', optional: true },
        text: { type: 'text', description: 'Its text.', sensitive: 'detail' },
        reason: { type: 'text', description: 'The stable reason code.' },
        dueAtMs: { type: 'number', description: 'When it is tried again: milliseconds since 1970.' },
      },
      metrics: [{ name: 'postrider_sendmail_deferred_total', help: 'Times that checks put mail off.' }],
    },
    'sendmail.discarded': {
      level: 'info',
      text: 'A rule threw such mail away for a recipient',
      fields: {
        queueId: { type: 'text', description: 'The id of the message: its trace id.' },
        recipient: { type: 'text', description: 'Who does not get it.', sensitive: 'address' },
        reason: { type: 'text', description: 'The stable reason code.' },
      },
    },
    'sendmail.refused': {
      level: 'warn',
      text: 'What lay in the maildrop is no mail, and was set aside',
      fields: {
        uid: { type: 'number', description: 'The user id of who left it.' },
        text: { type: 'text', description: 'Why.' },
      },
      metrics: [{ name: 'postrider_sendmail_refused_total', help: 'Files of the maildrop set aside.' }],
    },
    'sendmail.fault': {
      level: 'error',
      text: 'The maildrop met a fault, and is looked into again',
      fields: {
        doing: { type: 'text', description: 'What was being done.' },
        cause: { type: 'cause', description: 'What failed.' },
      },
      metrics: [{ name: 'postrider_sendmail_faults_total', help: 'Faults of the maildrop.' }],
    },
  },
} as const;
