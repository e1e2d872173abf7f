/** GETQUOTA, GETQUOTAROOT and SETQUOTA, and the responses to them. Source: RFC 9208 §4, §7. */
import type { Cursor } from '../cursor.ts';
import type { Untagged } from '../response.ts';
import { encodeAstring, encodeMailbox } from '../string.ts';

/** A resource that has a limit. STORAGE counts units of 1024 octets (RFC 9208 §5.1). */
export type QuotaResource = {
  readonly name: 'STORAGE' | 'MAILBOX';
  readonly usage: number;
  readonly limit: number;
};

export type QuotaCommand =
  | { readonly verb: 'GETQUOTA'; readonly root: string }
  | { readonly verb: 'GETQUOTAROOT'; readonly mailbox: string }
  | {
      readonly verb: 'SETQUOTA';
      readonly root: string;
      readonly limits: readonly { readonly name: string; readonly limit: number }[];
    };

export function parseGetQuota(cursor: Cursor): QuotaCommand | undefined {
  const root = parseRoot(cursor);
  return root === undefined ? undefined : { verb: 'GETQUOTA', root };
}

export function parseGetQuotaRoot(cursor: Cursor): QuotaCommand | undefined {
  const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
  return mailbox === undefined ? undefined : { verb: 'GETQUOTAROOT', mailbox };
}

export function parseSetQuota(cursor: Cursor): QuotaCommand | undefined {
  const root = parseRoot(cursor);
  if (root === undefined) return undefined;
  if (!cursor.takeSpaceLeft()) return cursor.fail('SETQUOTA takes a list of limits');
  if (cursor.takeRight()) return { verb: 'SETQUOTA', root, limits: [] };
  const limits = cursor.listToRight('the limits', () => {
    const name = cursor.atom('a resource');
    const limit = name && cursor.space('a limit') && cursor.number64('a limit');
    return name === undefined || limit === undefined || limit === ''
      ? undefined
      : { name: name.toUpperCase(), limit };
  });
  return limits && { verb: 'SETQUOTA', root, limits };
}

function parseRoot(cursor: Cursor): string | undefined {
  return cursor.space('a quota root') && cursor.text('a quota root');
}

export function quotaResponse(root: string, resources: readonly QuotaResource[], utf8: boolean): Untagged {
  const list = resources.map(({ name, usage, limit }) => `${name} ${usage} ${limit}`).join(' ');
  return extension('QUOTA ', encodeAstring(root, utf8), ` (${list})`);
}

export function quotaRootResponse(mailbox: string, roots: readonly string[], utf8: boolean): Untagged {
  const named = roots.flatMap((root) => [' ', encodeAstring(root, utf8)]);
  return extension('QUOTAROOT ', encodeMailbox(mailbox, utf8), ...named);
}

function extension(...pieces: readonly (string | Buffer)[]): Untagged {
  const octets = pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece));
  return { kind: 'extension', octets: Buffer.concat(octets) };
}
