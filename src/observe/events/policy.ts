/** What checks say about sessions, messages and deliveries. */
export const POLICY_EVENTS = {
  subject: 'policy',
  description: 'What checks say about sessions, messages and deliveries (docs/policy.md).',
  events: {
    'policy.verdict': {
      level: 'info',
      text: 'A check had something to say',
      fields: {
        check: { type: 'text', description: 'The name of the check.' },
        stage: { type: 'text', description: '`connect`, `hello`, `auth`, `mail` … `after-delivery`.' },
        sessionId: { type: 'text', description: 'The id of the session, if there is one.', optional: true },
        traceId: { type: 'text', description: 'The id of the message, if one was begun.', optional: true },
        verdict: { type: 'text', description: '`accept`, `hold`, `discard`, `defer` or `refuse`.' },
        reason: { type: 'text', description: 'The stable reason code.' },
        code: { type: 'number', description: 'The reply code that it asks for.', optional: true },
        status: { type: 'text', description: 'The enhanced status code.', optional: true },
        tags: { type: 'text', description: 'What it tagged the message with.', optional: true },
      },
      metrics: [
        {
          name: 'postrider_policy_verdicts_total',
          help: 'Verdicts that were more than a yes.',
          labels: ['check', 'stage', 'verdict'],
        },
      ],
    },
    'policy.account-suspended': {
      level: 'warn',
      text: 'An account was suspended from sending; somebody else may have its password',
      fields: {
        accountId: { type: 'number', description: 'The account.' },
        reason: {
          type: 'text',
          description: '`guard.excess`, `guard.refused-recipients` or `guard.networks`.',
        },
        heldRecipients: { type: 'number', description: 'Recipients in the queue that are held with it.' },
      },
      metrics: [
        {
          name: 'postrider_policy_accounts_suspended_total',
          help: 'Accounts suspended from sending.',
          labels: ['reason'],
        },
      ],
    },
    'policy.check-failed': {
      level: 'error',
      text: 'A check could not do its work',
      fields: {
        check: { type: 'text', description: 'The name of the check.' },
        stage: { type: 'text', description: '`connect`, `hello`, `auth`, `mail` … `after-delivery`.' },
        sessionId: { type: 'text', description: 'The id of the session, if there is one.', optional: true },
        traceId: { type: 'text', description: 'The id of the message, if one was begun.', optional: true },
        outcome: { type: 'text', description: 'What it counted as: `passed` or `deferred`.' },
        cause: { type: 'cause', description: 'What was thrown, or that it took too long.' },
      },
      metrics: [
        {
          name: 'postrider_policy_failures_total',
          help: 'Checks that failed or took too long.',
          labels: ['check', 'stage'],
        },
      ],
    },
  },
} as const;
