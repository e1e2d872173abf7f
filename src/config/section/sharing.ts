/** `[sharing]`. */
export const SHARING = {
  type: 'object',
  description: 'What accounts let others do with their mailboxes: docs/sharing.md.',
  required: ['anyone'],
  properties: {
    anyone: {
      type: 'boolean',
      default: false,
      description:
        'Whether an account may share with everybody here at once, of all domains (SETACL for `anyone`). The operator always may.',
    },
  },
} as const;
