/** What happens in POP3 sessions, for logs and metrics. Addresses here are for debug level only. */
export type Pop3Event =
  | { readonly name: 'pop3.session.started'; readonly remote: string; readonly tls: boolean }
  | {
      readonly name: 'pop3.session.ended';
      readonly remote: string;
      readonly account?: number;
      readonly reason:
        | 'quit'
        | 'closed'
        | 'reset'
        | 'timeout'
        | 'errors'
        | 'shutdown'
        | 'tls'
        | 'bug'
        | 'sign-in';
      readonly commands: number;
      /** Messages sent whole, and removed at the end. */
      readonly retrieved: number;
      readonly removed: number;
      readonly durationMs: number;
    }
  | {
      readonly name: 'pop3.tls.started';
      readonly remote: string;
      readonly protocol: string;
      readonly cipher: string;
    }
  | { readonly name: 'pop3.tls.failed'; readonly remote: string; readonly reason: string }
  | {
      readonly name: 'pop3.auth.succeeded';
      readonly remote: string;
      readonly account: number;
      readonly mechanism: string;
    }
  | {
      readonly name: 'pop3.auth.failed';
      readonly remote: string;
      readonly mechanism: string;
      readonly reason: string;
    }
  | { readonly name: 'pop3.maildrop.in-use'; readonly remote: string; readonly account: number }
  | {
      readonly name: 'pop3.command.refused';
      readonly remote: string;
      readonly verb: string;
      readonly text: string;
    }
  | {
      readonly name: 'pop3.fault';
      readonly remote: string;
      readonly verb: string;
      readonly doing: string;
      readonly cause: string;
    }
  | { readonly name: 'pop3.blob.unreadable'; readonly blob: string; readonly problem: string }
  | { readonly name: 'pop3.bug'; readonly remote: string; readonly verb: string; readonly error: string };
