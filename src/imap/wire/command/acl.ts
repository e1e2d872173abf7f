/** SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS, and the responses to them. Source: RFC 4314 §3, §7. */
import type { Cursor } from '../cursor.ts';
import type { Untagged } from '../response.ts';
import { encodeAstring, encodeMailbox } from '../string.ts';

export type AclCommand =
  | {
      readonly verb: 'SETACL';
      readonly mailbox: string;
      readonly identifier: string;
      /** With `+` or `-` before it where it adds or removes. */
      readonly rights: string;
    }
  | { readonly verb: 'DELETEACL' | 'LISTRIGHTS'; readonly mailbox: string; readonly identifier: string }
  | { readonly verb: 'GETACL' | 'MYRIGHTS'; readonly mailbox: string };

/** Rights that somebody has. */
export type AclEntry = { readonly identifier: string; readonly rights: string };

export function parseSetAcl(cursor: Cursor): AclCommand | undefined {
  const named = parseNamed(cursor);
  const rights = named && cursor.space('rights') && cursor.text('rights');
  return named && rights !== undefined ? { verb: 'SETACL', ...named, rights } : undefined;
}

export function parseAclOf(verb: 'DELETEACL' | 'LISTRIGHTS'): (cursor: Cursor) => AclCommand | undefined {
  return (cursor) => {
    const named = parseNamed(cursor);
    return named && { verb, ...named };
  };
}

export function parseAcl(verb: 'GETACL' | 'MYRIGHTS'): (cursor: Cursor) => AclCommand | undefined {
  return (cursor) => {
    const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
    return mailbox === undefined ? undefined : { verb, mailbox };
  };
}

function parseNamed(cursor: Cursor): { readonly mailbox: string; readonly identifier: string } | undefined {
  const mailbox = cursor.space('a mailbox name') && cursor.mailbox();
  if (mailbox === undefined) return undefined;
  const identifier = cursor.space('an identifier') && cursor.text('an identifier');
  return identifier === undefined ? undefined : { mailbox, identifier };
}

export function aclResponse(mailbox: string, entries: readonly AclEntry[], utf8: boolean): Untagged {
  const pairs = entries.flatMap(({ identifier, rights }) => [identifier, rights]);
  return response('ACL', mailbox, pairs, utf8);
}

/** @param optional rights of one string are granted together or not at all */
export function listRightsResponse(
  mailbox: string,
  identifier: string,
  rights: { readonly required: string; readonly optional: readonly string[] },
  utf8: boolean,
): Untagged {
  return response('LISTRIGHTS', mailbox, [identifier, rights.required, ...rights.optional], utf8);
}

export function myRightsResponse(mailbox: string, rights: string, utf8: boolean): Untagged {
  return response('MYRIGHTS', mailbox, [rights], utf8);
}

function response(name: string, mailbox: string, strings: readonly string[], utf8: boolean): Untagged {
  const tail = strings.flatMap((one) => [Buffer.from(' '), encodeAstring(one, utf8)]);
  return {
    kind: 'extension',
    octets: Buffer.concat([Buffer.from(`${name} `), encodeMailbox(mailbox, utf8), ...tail]),
  };
}
