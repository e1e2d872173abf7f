/** How long a client waits at each step. Milliseconds, for the whole of a reply. Source: RFC 5321 §4.5.3.2. */
export type SmtpTimeouts = {
  readonly greetingMs: number;
  /** EHLO, STARTTLS, AUTH, RSET; RFC 5321 is silent and MAIL's time is taken. */
  readonly commandMs: number;
  readonly mailMs: number;
  readonly rcptMs: number;
  readonly dataMs: number;
  /** For the peer to take one block of content. */
  readonly blockMs: number;
  /** From the final dot to the reply. */
  readonly finalMs: number;
  readonly quitMs: number;
  readonly handshakeMs: number;
};

export const SMTP_TIMEOUTS: SmtpTimeouts = {
  greetingMs: 300_000,
  commandMs: 300_000,
  mailMs: 300_000,
  rcptMs: 300_000,
  dataMs: 120_000,
  blockMs: 180_000,
  finalMs: 600_000,
  quitMs: 5_000,
  handshakeMs: 60_000,
};
