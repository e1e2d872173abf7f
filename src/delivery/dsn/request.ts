/** What a report is made from. */
import type { LastAnswer, NewRecipient, QueuedMessage } from '../../queue/queue.ts';

/** RFC 3464 §2.3.3. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export type DsnRecipient = {
  readonly recipient: Pick<NewRecipient, 'forwardPath' | 'originalRecipient' | 'notify'> & {
    readonly reversePath?: string | undefined;
  };
  readonly action: DsnAction;
  readonly answer: LastAnswer | undefined;
};

/** What the original's header says of it. */
export type DsnOriginal = {
  /** Decoded; '' where it has none. */
  readonly subject: string;
  /** Without brackets. */
  readonly messageId: string | undefined;
  readonly references: readonly string[];
};

export type DsnRequest = {
  readonly message: Pick<
    QueuedMessage,
    | 'id'
    | 'reversePath'
    | 'smtpUtf8'
    | 'body'
    | 'dsn'
    | 'source'
    | 'deliverBy'
    | 'releaseRequest'
    | 'arrivedAtMs'
    | 'expiresAtMs'
  >;
  readonly original: DsnOriginal;
  /** At least one. */
  readonly recipients: readonly DsnRecipient[];
  /** RFC 3464 §2.2.2: our name. */
  readonly hostname: string;
  /** Of the DSN itself. */
  readonly id: string;
  readonly nowMs: number;
  /** Letters and digits that the returned message cannot contain but by design. */
  readonly boundary: string;
  /** The original has octets beyond ASCII where it is returned. */
  readonly eightBit: boolean;
  /** What of the original follows the report's own octets. */
  readonly returned: 'message' | 'header';
};
