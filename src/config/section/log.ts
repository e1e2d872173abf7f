/** `[log]`. */
export const LOG = {
  type: 'object',
  description: 'What is written to standard error.',
  required: ['level', 'format'],
  properties: {
    level: {
      type: 'string',
      enum: ['error', 'warn', 'info', 'debug'],
      default: 'info',
      description: 'The least important events that are written. Only `debug` shows full addresses.',
    },
    format: {
      type: 'string',
      enum: ['auto', 'json', 'text'],
      default: 'auto',
      description: 'One JSON object a line, or text for people. `auto`: text on a terminal.',
    },
  },
} as const;
