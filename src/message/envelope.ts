/**
 * The envelope structure of IMAP: the fields that a list of messages shows. Values are raw (one octet, one code unit),
 * unfolded, encoded words left as they are. Source: RFC 9051 §7.5.2.
 */
import { LIMITS } from '../base/limits.ts';
import type { Address } from './address.ts';
import { parseAddresses } from './address.ts';
import type { Field } from './header.ts';
import { unfold } from './header.ts';

export type Envelope = {
  /** Undefined if the field is absent, '' if it is empty. */
  readonly date: string | undefined;
  readonly subject: string | undefined;
  readonly from: readonly Address[];
  /** The same as `from` if absent or empty; so is `replyTo`. */
  readonly sender: readonly Address[];
  readonly replyTo: readonly Address[];
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly inReplyTo: string | undefined;
  readonly messageId: string | undefined;
};

const NONE: readonly Address[] = [];

/**
 * @param fields of the root of a message, as the scanner gives them. Of several equal fields the first counts, but
 * address fields are joined, as Dovecot does.
 */
export function toEnvelope(fields: readonly Field[]): Envelope {
  let date: string | undefined;
  let subject: string | undefined;
  let inReplyTo: string | undefined;
  let messageId: string | undefined;
  let from = NONE;
  let sender = NONE;
  let replyTo = NONE;
  let to = NONE;
  let cc = NONE;
  let bcc = NONE;
  for (const { key, raw } of fields) {
    switch (key) {
      case 'date':
        date ??= unfold(raw);
        break;
      case 'subject':
        subject ??= unfold(raw);
        break;
      case 'in-reply-to':
        inReplyTo ??= unfold(raw);
        break;
      case 'message-id':
        messageId ??= unfold(raw);
        break;
      case 'from':
        from = join(from, raw);
        break;
      case 'sender':
        sender = join(sender, raw);
        break;
      case 'reply-to':
        replyTo = join(replyTo, raw);
        break;
      case 'to':
        to = join(to, raw);
        break;
      case 'cc':
        cc = join(cc, raw);
        break;
      case 'bcc':
        bcc = join(bcc, raw);
        break;
      default:
        break;
    }
  }
  return {
    date,
    subject,
    from,
    sender: sender.length === 0 ? from : sender,
    replyTo: replyTo.length === 0 ? from : replyTo,
    to,
    cc,
    bcc,
    inReplyTo,
    messageId,
  };
}

/** Joining many equal fields stays linear: what is full takes no more. */
function join(known: readonly Address[], raw: string): readonly Address[] {
  if (known.length === 0) return parseAddresses(raw);
  const left = LIMITS.addressesMax - known.length;
  return left > 0 ? known.concat(parseAddresses(raw, left)) : known;
}
