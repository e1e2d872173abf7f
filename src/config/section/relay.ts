/** `[relay]`. */
export const RELAY = {
  type: 'object',
  description: 'One host that takes all mail for the world instead of the hosts that MX names.',
  required: ['host', 'port', 'tls'],
  properties: {
    host: { type: 'string', format: 'host', description: 'Its name or IP address.' },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      default: 587,
      description: 'Its port.',
    },
    tls: {
      type: 'string',
      enum: ['none', 'starttls', 'implicit'],
      default: 'starttls',
      description: 'With anything but `none`, its certificate must be valid for its name.',
    },
    username: { type: 'string', minLength: 1, description: 'With `passwordFile`: who we sign in as.' },
    passwordFile: {
      type: 'string',
      minLength: 1,
      description: 'A file with the password as its first line.',
    },
  },
} as const;
