/** What happens in IMAP sessions, for logs and metrics. Addresses and names here are for debug level only. */
export type ImapEvent =
  | { readonly name: 'imap.session.started'; readonly remote: string; readonly tls: boolean }
  | {
      readonly name: 'imap.session.ended';
      readonly remote: string;
      readonly account?: number;
      readonly reason:
        | 'logout'
        | 'closed'
        | 'reset'
        | 'timeout'
        | 'errors'
        | 'shutdown'
        | 'tls'
        | 'bug'
        | 'sign-in'
        /** Of the selected mailbox, which the client may read no more. */
        | 'rights';
      readonly commands: number;
      readonly durationMs: number;
    }
  | {
      readonly name: 'imap.tls.started';
      readonly remote: string;
      readonly protocol: string;
      readonly cipher: string;
    }
  | { readonly name: 'imap.tls.failed'; readonly remote: string; readonly reason: string }
  | {
      readonly name: 'imap.auth.succeeded';
      readonly remote: string;
      readonly account: number;
      readonly mechanism: string;
    }
  | {
      readonly name: 'imap.auth.failed';
      readonly remote: string;
      readonly mechanism: string;
      readonly reason: string;
    }
  | {
      readonly name: 'imap.command.refused';
      readonly remote: string;
      readonly verb: string;
      readonly text: string;
    }
  | {
      readonly name: 'imap.fault';
      readonly remote: string;
      readonly verb: string;
      readonly doing: string;
      readonly cause: string;
    }
  | { readonly name: 'imap.compression.started'; readonly remote: string }
  /** RFC 5465 §5.8. */
  | { readonly name: 'imap.notify.overflowed'; readonly account: number }
  | { readonly name: 'imap.blob.unreadable'; readonly blob: string; readonly problem: string }
  | { readonly name: 'imap.bug'; readonly remote: string; readonly verb: string; readonly error: string };
