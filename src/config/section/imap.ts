/** `[imap]`. */
export const IMAP = {
  type: 'object',
  description: 'What IMAP clients are offered: docs/imap.md.',
  required: ['compress'],
  properties: {
    compress: {
      type: 'boolean',
      default: true,
      description:
        'Whether clients may have the conversation compressed (COMPRESS=DEFLATE): fewer octets, for about 100 KiB of memory a session that does.',
    },
  },
} as const;
