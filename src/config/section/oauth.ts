/** `[oauth]`. */
export const OAUTH = {
  type: 'object',
  description:
    'An authority whose tokens let people in, by OAUTHBEARER and XOAUTH2. It is asked about each token (RFC 7662): docs/sign-in.md.',
  required: ['introspectionUrl', 'clientId', 'clientSecretFile', 'addressField'],
  properties: {
    introspectionUrl: {
      type: 'string',
      format: 'https-url',
      description: 'Where it is asked. HTTPS, or HTTP on this machine.',
    },
    clientId: { type: 'string', minLength: 1, description: 'Who we are to it.' },
    clientSecretFile: {
      type: 'string',
      minLength: 1,
      description: 'A file with our secret as its first line.',
    },
    scope: { type: 'string', minLength: 1, description: 'A scope that a token must have.' },
    audience: { type: 'string', minLength: 1, description: 'Whom a token must be for.' },
    addressField: {
      type: 'string',
      minLength: 1,
      default: 'username',
      description: 'What of its answer is the address of the account: `username`, `email`, `sub` ….',
    },
    openidConfiguration: {
      type: 'string',
      format: 'https-url',
      description: 'Where it describes itself; told to clients whose token does not do (RFC 7628 §3.2.2).',
    },
  },
} as const;
