/**
 * Which way a recipient's mail goes. Pure and without a question to anybody: the queue's worker groups recipients by the
 * `key` of their route before it looks anything up.
 */
import type { QueuedMessage, QueuedRecipient } from '../../queue/queue.ts';
import type { SaslCredentials } from '../../sasl/mechanism.ts';

export type HopProtocol = 'smtp' | 'lmtp';

export type RouteHost = { readonly host: string; readonly port: number };

/** How the hosts of a route are spoken with. */
export type HopSpeech = {
  readonly protocol: HopProtocol;
  /** TLS from the first octet (RFC 8314 §3). */
  readonly implicitTls: boolean;
  /** 'policy': what the {@link TlsPolicy} says of the domain. 'verified': for the name of the host. */
  readonly tls: 'policy' | 'none' | 'opportunistic' | 'encrypt' | 'verified';
  readonly credentials: SaslCredentials | undefined;
  /** Our name in EHLO: one that leads back to us (RFC 5321 §4.1.4). */
  readonly helloName: string;
};

export type RemoteRoute = {
  /**
   * Names the next hop, for grouping, bounds and the operator: `example.org` for the hosts of a domain,
   * `smtp:[relay.example]:587` for one that is named. Two routes with one key lead to the same hosts in the same way.
   */
  readonly key: string;
  readonly next:
    | { readonly kind: 'domain'; readonly domain: string; readonly port: number }
    /** In this order, each by its addresses. */
    | { readonly kind: 'hosts'; readonly hosts: readonly RouteHost[] };
  readonly speech: HopSpeech;
};

export type Router = {
  /** @param domain of the recipient: A-labels, lower case, or an address literal in brackets */
  plan(message: QueuedMessage, recipient: QueuedRecipient, domain: string): RemoteRoute;
};

/** To the hosts that the domain's MX records name. */
export function directRouter(port: number, speech: HopSpeech): Router {
  return { plan: (_message, _recipient, domain) => directRoute(domain, port, speech) };
}

export function directRoute(domain: string, port: number, speech: HopSpeech): RemoteRoute {
  return { key: domain, next: { kind: 'domain', domain, port }, speech };
}

/** Everything to one host. */
export function relayRouter({ host, port }: RouteHost, speech: HopSpeech): Router {
  const route: RemoteRoute = {
    key: `${speech.protocol}:[${host}]:${port}`,
    next: { kind: 'hosts', hosts: [{ host, port }] },
    speech,
  };
  return { plan: () => route };
}
