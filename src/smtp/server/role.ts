/** What a listener is for. One session serves all of them; they differ in this record alone. */
export type SmtpRole = {
  /** 'relay' takes mail from the world (port 25), 'submission' from our people (RFC 6409), 'lmtp' is RFC 2033. */
  readonly name: 'relay' | 'submission' | 'lmtp';
  /** AUTH is only ever offered under TLS. 'required': no mail without it (RFC 6409 §4.3). */
  readonly auth: 'none' | 'offered' | 'required';
  /** What becomes of a message with a CR or LF on its own. 'keep' still never ends the data at one. */
  readonly bareNewlines: 'refuse' | 'keep';
};

export const RELAY: SmtpRole = { name: 'relay', auth: 'none', bareNewlines: 'refuse' };
export const SUBMISSION: SmtpRole = { name: 'submission', auth: 'required', bareNewlines: 'refuse' };
export const LMTP: SmtpRole = { name: 'lmtp', auth: 'none', bareNewlines: 'refuse' };
