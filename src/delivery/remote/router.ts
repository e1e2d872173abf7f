/**
 * Which way a recipient's mail goes. Pure and without a question to anybody: the queue's worker groups recipients by the
 * `key` of their route before it looks anything up.
 */
import type { SocksProxy } from '../../base/connection.ts';
import type { QueuedMessage, QueuedRecipient } from '../../queue/queue.ts';
import type { SaslCredentials } from '../../sasl/mechanism.ts';
import type { Pool } from './pool.ts';
import type { Problem } from './problem.ts';

export type HopProtocol = 'smtp' | 'lmtp';

export type RouteHost = { readonly host: string; readonly port: number };

/**
 * What the route says of TLS. 'policy': nothing. 'none' and 'verified' (for the name of the host) are the last word; of the others the
 * stricter holds, they or what is found. 'authenticated': by a CA for the name of the host, or as its TLSA records have it.
 */
export type RouteTls = 'policy' | 'none' | 'opportunistic' | 'encrypt' | 'authenticated' | 'verified';

/** How the hosts of a route are spoken with. */
export type HopSpeech = {
  readonly protocol: HopProtocol;
  /** TLS from the first octet (RFC 8314 §3). */
  readonly implicitTls: boolean;
  readonly tls: RouteTls;
  readonly credentials: SaslCredentials | undefined;
  /** It connects on, and looks up the names of hosts that the route names. */
  readonly proxy: SocksProxy | undefined;
};

/** Where a route leads. */
export type NextHop =
  | { readonly kind: 'domain'; readonly domain: string; readonly port: number }
  /** In this order, each by its addresses. */
  | { readonly kind: 'hosts'; readonly hosts: readonly RouteHost[] }
  /** Nowhere: a rule keeps such mail back, or has it fail. */
  | ({ readonly kind: 'held' | 'failed' } & Problem);

export type RemoteRoute = {
  /**
   * Names the next hop, for grouping, bounds and the operator: `example.org` for the hosts of a domain,
   * `smtp:[relay.example]:587` for one that is named, `hop:smtp:example.org:2525` for an operator's. Two routes with one key lead to the same hosts in the same way.
   */
  readonly key: string;
  /** The rule that chose it; undefined where none did. */
  readonly rule: string | undefined;
  readonly next: NextHop;
  readonly speech: HopSpeech;
  readonly pool: Pool;
  /** Pauses between the tries, the last one repeats; undefined: as for all mail. */
  readonly retryMs?: readonly number[] | undefined;
  /** The way to go where no host of this one answers. */
  readonly fallback: RemoteRoute | undefined;
};

/** What is known of a message when it is routed. */
export type RoutedMessage = Pick<QueuedMessage, 'reversePath' | 'source' | 'arrivedAtMs'>;

export type RoutedRecipient = Pick<QueuedRecipient, 'forwardPath' | 'reversePath'> & {
  /** As it is in the queue; left out before it is there. */
  readonly route?: QueuedRecipient['route'];
  /** Left out before there is one: at RCPT. */
  readonly state?: QueuedRecipient['state'];
};

export type Router = {
  /** @param domain of the recipient: A-labels, lower case, or an address literal in brackets */
  plan(message: RoutedMessage, recipient: RoutedRecipient, domain: string, nowMs: number): RemoteRoute;
};
