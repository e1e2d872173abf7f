/** `[forwarding]`. */
export const FORWARDING = {
  type: 'object',
  description:
    'Mail that an alias, a group or a catch-all here sends on to another host, and the reverse-path that it leaves with.',
  required: ['srs', 'srsHashCharacters', 'srsAgeDaysMax'],
  properties: {
    srs: {
      type: 'boolean',
      default: true,
      description:
        "Other domains' reverse-paths are rewritten to addresses of ours (SRS), which the next host's SPF check finds right, and undone when a report comes back. Addresses that were rewritten before are undone with `false` too.",
    },
    srsDomain: {
      type: 'string',
      format: 'hostname',
      description:
        'The domain of rewritten addresses: its MX must lead here, its SPF record name us. Left out: that of the address which forwards.',
    },
    srsHashCharacters: {
      type: 'integer',
      minimum: 4,
      maximum: 20,
      default: 4,
      description:
        'How much of the proof is in a rewritten address; less is refused, also in those made before a change of this.',
    },
    srsAgeDaysMax: {
      type: 'integer',
      minimum: 1,
      maximum: 1000,
      default: 21,
      description: 'How long reports are taken for a rewritten address.',
    },
  },
} as const;
