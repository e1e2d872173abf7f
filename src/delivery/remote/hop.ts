/** One visit to one next hop, as delivery sees it. The SMTP client is adapted to this in `smtp-hop.ts`. */
import type { ConnectProblem, SocksProxy } from '../../base/connection.ts';
import type { NewQueuedMessage, NewRecipient } from '../../queue/queue.ts';
import type { SaslCredentials } from '../../sasl/mechanism.ts';
import type { PeerReply } from '../../smtp/wire/reply.ts';
import type { HopProtocol } from './router.ts';
import type { TlsFailure, TlsLevel, TlsRequirement } from './tls-requirement.ts';

/** Everything about how to speak with a next hop: visits with equal targets may share a connection. */
export type HopTarget = {
  /** The name for TLS and logs. */
  readonly host: string;
  /** An IP literal; with a proxy it may be a name, which the proxy looks up. */
  readonly address: string;
  readonly port: number;
  readonly protocol: HopProtocol;
  /** TLS from the first octet (RFC 8314 §3); `tls` says what of it must hold. */
  readonly implicitTls: boolean;
  readonly tls: TlsRequirement;
  /** Never given away in plain. */
  readonly credentials: SaslCredentials | undefined;
  /** The IP literal of this host that the connection comes from; undefined leaves it to the system. */
  readonly localAddress: string | undefined;
  /** Our name in EHLO: one that leads back to us (RFC 5321 §4.1.4). */
  readonly helloName: string;
  readonly proxy: SocksProxy | undefined;
  /** No other address of the host is left to go to; says nothing of the session. */
  readonly isLast: boolean;
};

export type HopMessage = Pick<
  NewQueuedMessage,
  'id' | 'reversePath' | 'body' | 'smtpUtf8' | 'dsn' | 'requireTls' | 'deliverBy' | 'priority'
> & {
  /** Of all that `content` gives. */
  readonly octets: number;
  readonly recipients: readonly Pick<NewRecipient, 'forwardPath' | 'notify' | 'originalRecipient'>[];
  /** When the operator asked for this visit, although the host has not answered before. */
  readonly askedAtMs?: number | undefined;
  /** The message from its first octet; may be asked for again. */
  content(): AsyncIterable<Uint8Array>;
};

/** Where in the session an answer was given or missed. `content`: nothing of it was confirmed or refused before. */
export type HopStage = 'greeting' | 'hello' | 'tls' | 'mail' | 'rcpt' | 'content';

export type HopAnswer =
  | { readonly kind: 'replied'; readonly reply: PeerReply; readonly at: HopStage }
  /** The connection was lost, or was useless, before an answer. After `content` the message may have arrived all the same. */
  | {
      readonly kind: 'lost';
      /** `session-limit`: the hop takes it in another session. */
      readonly how: 'timeout' | 'reset' | 'garbage' | 'stopped' | 'session-limit';
      readonly at: HopStage;
      readonly text: string;
    }
  /** It was not even tried: no host could take this recipient. */
  | { readonly kind: 'unfit'; readonly status: string; readonly reason: string; readonly text: string };

export type HopVisit =
  | { readonly kind: 'no-connection'; readonly problem: ConnectProblem }
  /** TLS as the target requires it did not come about; nothing was sent. */
  | {
      readonly kind: 'tls-failed';
      readonly failure: TlsFailure;
      /** Of ours; undefined where no connection stood. */
      readonly localAddress: string | undefined;
    }
  /** The hop cannot carry such a message; nothing was sent. */
  | {
      readonly kind: 'cannot';
      readonly what: 'smtputf8' | '8bitmime' | 'binarymime' | 'size' | 'requiretls' | 'deliverby';
    }
  | {
      readonly kind: 'session';
      /** One for each recipient, in order. */
      readonly answers: readonly HopAnswer[];
      /** The hop announced DSN: it reports what it was asked to (RFC 3461 §5.2.1). */
      readonly speaksDsn: boolean;
      /** The hop announced DELIVERBY: it keeps to the time that the message has (RFC 2852 §4.1.4). */
      readonly speaksDeliverBy?: boolean;
      /** Undefined where the session ended before that was settled. */
      readonly opened?: OpenedSession;
    };

/** The session that a message went by. */
export type OpenedSession = {
  readonly tls: TlsLevel;
  readonly localAddress: string;
  /** False where an earlier message opened it. */
  readonly isNew: boolean;
};

export type RemoteHop = {
  /** Never rejects for what the peer or the network does; throws `Fault` where `content` does. */
  visit(target: HopTarget, message: HopMessage, signal: AbortSignal): Promise<HopVisit>;
};
