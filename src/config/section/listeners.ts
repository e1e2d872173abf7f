import type { ListNode, SwitchNode, TextNode, WholeNumberNode } from '../schema-node.ts';

/** When TLS begins. */
type TlsNode<Choice extends string> = TextNode & { readonly enum: readonly Choice[] };

type ListenerNode<Choice extends string> = {
  readonly type: 'object';
  readonly description: string;
  readonly required: readonly ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'];
  readonly properties: {
    readonly enabled: SwitchNode;
    readonly addresses: ListNode & { readonly items: { readonly type: 'string'; readonly format: 'ip' } };
    readonly port: WholeNumberNode;
    readonly tls: TlsNode<Choice>;
    readonly proxyProtocol: SwitchNode;
  };
};

const EVERYWHERE = ['0.0.0.0', '::'];

function listener<Choice extends string>(
  description: string,
  port: number,
  tls: TlsNode<Choice>,
  { enabled = true, addresses = EVERYWHERE }: { enabled?: boolean; addresses?: readonly string[] } = {},
): ListenerNode<Choice> {
  return {
    type: 'object',
    description,
    required: ['enabled', 'addresses', 'port', 'tls', 'proxyProtocol'],
    properties: {
      enabled: { type: 'boolean', default: enabled, description: 'Whether it listens at all.' },
      addresses: {
        type: 'array',
        items: { type: 'string', format: 'ip' },
        minItems: 1,
        default: addresses,
        description: 'The IP addresses it listens on.',
      },
      port: {
        type: 'integer',
        minimum: 1,
        maximum: 65_535,
        default: port,
        description: 'The TCP port.',
      },
      tls,
      proxyProtocol: {
        type: 'boolean',
        default: false,
        description:
          'Connections from `trust.proxies` begin with a PROXY header (version 1 or 2) that names the client.',
      },
    },
  };
}

type AnyTls = 'none' | 'starttls' | 'implicit';
type SomeTls = Exclude<AnyTls, 'none'>;

/** For mail between hosts. */
function anyTls(usual: AnyTls): TlsNode<AnyTls> {
  return {
    type: 'string',
    enum: ['none', 'starttls', 'implicit'],
    default: usual,
    description: 'Never, when the client asks for it, or from the first octet.',
  };
}

/** For people. */
function someTls(usual: SomeTls): TlsNode<SomeTls> {
  return {
    type: 'string',
    enum: ['starttls', 'implicit'],
    default: usual,
    description: 'When the client asks for it, or from the first octet. Nobody signs in without TLS.',
  };
}

/** `[listeners]`. */
export const LISTENERS: {
  readonly type: 'object';
  readonly description: string;
  readonly required: readonly ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s'];
  readonly properties: {
    readonly smtp: ListenerNode<AnyTls>;
    readonly submission: ListenerNode<SomeTls>;
    readonly submissions: ListenerNode<SomeTls>;
    readonly lmtp: ListenerNode<AnyTls>;
    readonly imap: ListenerNode<SomeTls>;
    readonly imaps: ListenerNode<SomeTls>;
    readonly pop3: ListenerNode<SomeTls>;
    readonly pop3s: ListenerNode<SomeTls>;
  };
} = {
  type: 'object',
  description: 'Where each service listens.',
  required: ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s'],
  properties: {
    smtp: listener('Mail from other hosts (RFC 5321).', 25, anyTls('starttls')),
    submission: listener('Mail from signed-in people, after STARTTLS (RFC 6409).', 587, someTls('starttls')),
    submissions: listener(
      'Mail from signed-in people, under TLS from the first octet (RFC 8314).',
      465,
      someTls('implicit'),
    ),
    lmtp: listener(
      'Mail from a transfer agent beside this one (RFC 2033). Whoever reaches it may deliver to any account: keep it on loopback.',
      24,
      anyTls('none'),
      { enabled: false, addresses: ['127.0.0.1', '::1'] },
    ),
    imap: listener('Reading mail, after STARTTLS (RFC 9051).', 143, someTls('starttls')),
    imaps: listener('Reading mail, under TLS from the first octet (RFC 8314).', 993, someTls('implicit')),
    pop3: listener('Fetching mail, after STLS (RFC 1939).', 110, someTls('starttls')),
    pop3s: listener('Fetching mail, under TLS from the first octet (RFC 8314).', 995, someTls('implicit')),
  },
};
