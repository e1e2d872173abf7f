/** `[signIn]`. */
export const SIGN_IN = {
  type: 'object',
  description: 'How people sign in, over every protocol: docs/sign-in.md. Always under TLS.',
  required: ['scram', 'channelBinding', 'plain'],
  properties: {
    scram: {
      type: 'string',
      enum: ['when-ready', 'always', 'never'],
      default: 'when-ready',
      description:
        'SCRAM-SHA-256 and SCRAM-SHA-1, with channel binding: offered once everybody who has a password has keys for it; in any case; or not at all, and no keys are made.',
    },
    channelBinding: {
      type: 'boolean',
      default: true,
      description:
        'The -PLUS forms of SCRAM, which bind a sign-in to its TLS channel. Off behind a proxy that ends TLS, and for programs that choose them and cannot: docs/sign-in.md.',
    },
    plain: {
      type: 'boolean',
      default: true,
      description:
        'PLAIN and LOGIN, which show the password to the server. Passwords from before SCRAM, and programs without it, need them.',
    },
  },
} as const;
