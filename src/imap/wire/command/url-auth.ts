/** GENURLAUTH, RESETKEY and URLFETCH. Sources: RFC 4467 §7, §9; RFC 5524 §3.1, §5 (extended URLFETCH). */
import { latin1 } from '../../../base/bytes.ts';
import type { Cursor } from '../cursor.ts';

/** What of a URL is wanted; none in a plain URLFETCH, which answers with the octets alone. */
export type UrlItem = 'BODYPARTSTRUCTURE' | 'BODY' | 'BINARY';

/** URLs as they were sent, one character an octet: proofs are of their octets. */
export type UrlAuthCommand =
  | {
      readonly verb: 'GENURLAUTH';
      readonly requests: readonly { readonly url: string; readonly mechanism: string }[];
    }
  | {
      readonly verb: 'RESETKEY';
      /** Undefined: of all mailboxes. */
      readonly mailbox?: string;
      readonly mechanisms: readonly string[];
    }
  | {
      readonly verb: 'URLFETCH';
      readonly requests: readonly { readonly url: string; readonly items?: readonly UrlItem[] }[];
    };

export function parseGenUrlAuth(cursor: Cursor): UrlAuthCommand | undefined {
  const requests: { url: string; mechanism: string }[] = [];
  do {
    const url = cursor.space('a URL') && cursor.astring('a URL');
    const mechanism = url && cursor.space('a mechanism') && cursor.label('a mechanism');
    if (url === undefined || mechanism === undefined) return undefined;
    requests.push({ url: latin1(url), mechanism });
  } while (!cursor.isOnlySpaces());
  return { verb: 'GENURLAUTH', requests };
}

export function parseResetKey(cursor: Cursor): UrlAuthCommand | undefined {
  if (cursor.isOnlySpaces()) return { verb: 'RESETKEY', mechanisms: [] };
  const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
  if (mailbox === undefined) return undefined;
  const mechanisms: string[] = [];
  while (!cursor.isOnlySpaces()) {
    const mechanism = cursor.space('a mechanism') && cursor.label('a mechanism');
    if (mechanism === undefined) return undefined;
    mechanisms.push(mechanism);
  }
  return { verb: 'RESETKEY', mailbox, mechanisms };
}

export function parseUrlFetch(cursor: Cursor): UrlAuthCommand | undefined {
  const requests: { url: string; items?: readonly UrlItem[] }[] = [];
  do {
    if (!cursor.space('a URL')) return undefined;
    const request = cursor.takeLeft() ? parseExtended(cursor) : parseUrl(cursor);
    if (request === undefined) return undefined;
    requests.push(request);
  } while (!cursor.isOnlySpaces());
  return { verb: 'URLFETCH', requests };
}

function parseUrl(cursor: Cursor): { url: string } | undefined {
  const url = cursor.astring('a URL');
  return url && { url: latin1(url) };
}

/** RFC 5524 §3: in parentheses without items it is as without parentheses. */
function parseExtended(cursor: Cursor): { url: string; items?: readonly UrlItem[] } | undefined {
  const request = parseUrl(cursor);
  if (request === undefined) return undefined;
  const items = new Set<UrlItem>();
  while (cursor.takeSpace()) {
    const item = cursor.label('an item');
    if (item !== 'BODYPARTSTRUCTURE' && item !== 'BODY' && item !== 'BINARY')
      return cursor.fail('Expected BODYPARTSTRUCTURE, BODY or BINARY');
    // RFC 5524 §3.1: each once, and one form of the octets.
    if (items.has(item)) return cursor.fail(`${item} was said already`);
    items.add(item);
  }
  if (items.has('BODY') && items.has('BINARY')) return cursor.fail('BODY or BINARY, not both');
  return cursor.right('the items') && { ...request, ...(items.size === 0 ? {} : { items: [...items] }) };
}
