/**
 * A command as data, and the table from verb to the parser of its arguments. A new command is one file and one row.
 * APPEND is not here: its message is streamed, see `command-reader.ts`.
 *
 * Source: RFC 9051 §6, RFC 3501 §6.
 */
import { err, ok, type Result } from '../../base/result.ts';
import { TAG } from './character.ts';
import { parseAcl, parseAclOf, parseSetAcl, type AclCommand } from './command/acl.ts';
import { parseFetch, type FetchCommand } from './command/fetch.ts';
import { parseList, parseLsub, type ListCommand } from './command/list.ts';
import {
  parseCopy,
  parseCreate,
  parseOneMailbox,
  parseRename,
  parseSelect,
  parseStatus,
  type MailboxCommand,
} from './command/mailbox.ts';
import { parseLanguage, type LanguageCommand } from './command/language.ts';
import { parseGetMetadata, parseSetMetadata, type MetadataCommand } from './command/metadata.ts';
import { parseNotify, type NotifyCommand } from './command/notify.ts';
import { parseGetQuota, parseGetQuotaRoot, parseSetQuota, type QuotaCommand } from './command/quota.ts';
import {
  parseCancelUpdate,
  parseEsearch,
  parseSearch,
  parseSort,
  parseThread,
  type SearchCommand,
} from './command/search.ts';
import {
  parseAuthenticate,
  parseCompress,
  parseEnable,
  parseExpunge,
  parseId,
  parseLogin,
  parsePlain,
  type SessionCommand,
} from './command/session.ts';
import { parseStore, type StoreCommand } from './command/store.ts';
import { parseGenUrlAuth, parseResetKey, parseUrlFetch, type UrlAuthCommand } from './command/url-auth.ts';
import { Cursor, type ParseContext, type Problem } from './cursor.ts';

export type Command =
  | SessionCommand
  | MailboxCommand
  | ListCommand
  | FetchCommand
  | StoreCommand
  | SearchCommand
  | QuotaCommand
  | NotifyCommand
  | LanguageCommand
  | UrlAuthCommand
  | MetadataCommand
  | AclCommand;
export type Verb = Command['verb'];

/** A command that cannot be carried out as sent. Without a tag it is answered untagged. */
export type BadCommand = Problem & { readonly tag: string | undefined };
export type TaggedCommand = { readonly tag: string; readonly command: Command };

type Row = {
  readonly parse: (cursor: Cursor, uid: boolean) => Command | undefined;
  /** May follow `UID`. RFC 9051 §6.4.9. */
  readonly uid?: true;
};

const PARSERS: Readonly<Record<Verb, Row>> = {
  CAPABILITY: { parse: parsePlain('CAPABILITY') },
  NOOP: { parse: parsePlain('NOOP') },
  LOGOUT: { parse: parsePlain('LOGOUT') },
  ID: { parse: parseId },
  LANGUAGE: { parse: parseLanguage },
  STARTTLS: { parse: parsePlain('STARTTLS') },
  AUTHENTICATE: { parse: parseAuthenticate },
  LOGIN: { parse: parseLogin },
  COMPRESS: { parse: parseCompress },
  UNAUTHENTICATE: { parse: parsePlain('UNAUTHENTICATE') },
  ENABLE: { parse: parseEnable },
  SELECT: { parse: parseSelect('SELECT') },
  EXAMINE: { parse: parseSelect('EXAMINE') },
  CREATE: { parse: parseCreate },
  DELETE: { parse: parseOneMailbox('DELETE') },
  RENAME: { parse: parseRename },
  SUBSCRIBE: { parse: parseOneMailbox('SUBSCRIBE') },
  UNSUBSCRIBE: { parse: parseOneMailbox('UNSUBSCRIBE') },
  LIST: { parse: parseList },
  LSUB: { parse: parseLsub },
  NAMESPACE: { parse: parsePlain('NAMESPACE') },
  STATUS: { parse: parseStatus },
  GETMETADATA: { parse: parseGetMetadata },
  SETMETADATA: { parse: parseSetMetadata },
  GETQUOTA: { parse: parseGetQuota },
  GETQUOTAROOT: { parse: parseGetQuotaRoot },
  SETQUOTA: { parse: parseSetQuota },
  SETACL: { parse: parseSetAcl },
  DELETEACL: { parse: parseAclOf('DELETEACL') },
  GETACL: { parse: parseAcl('GETACL') },
  LISTRIGHTS: { parse: parseAclOf('LISTRIGHTS') },
  MYRIGHTS: { parse: parseAcl('MYRIGHTS') },
  GENURLAUTH: { parse: parseGenUrlAuth },
  RESETKEY: { parse: parseResetKey },
  URLFETCH: { parse: parseUrlFetch },
  IDLE: { parse: parsePlain('IDLE') },
  NOTIFY: { parse: parseNotify },
  CHECK: { parse: parsePlain('CHECK') },
  CLOSE: { parse: parsePlain('CLOSE') },
  UNSELECT: { parse: parsePlain('UNSELECT') },
  EXPUNGE: { parse: parseExpunge, uid: true },
  SEARCH: { parse: parseSearch, uid: true },
  SORT: { parse: parseSort, uid: true },
  ESEARCH: { parse: parseEsearch, uid: true },
  CANCELUPDATE: { parse: parseCancelUpdate },
  THREAD: { parse: parseThread, uid: true },
  FETCH: { parse: parseFetch, uid: true },
  STORE: { parse: parseStore, uid: true },
  COPY: { parse: parseCopy('COPY'), uid: true },
  MOVE: { parse: parseCopy('MOVE'), uid: true },
};
const ROWS: ReadonlyMap<string, Row> = new Map(Object.entries(PARSERS));

/** No verb is longer; what is longer is not repeated in a reply. */
const VERB_OCTETS_MAX = 40;

export type Opening =
  /** REPLACE is an APPEND that says first, by number or UID, what it takes the place of (RFC 8508 §5). */
  | {
      readonly kind: 'append';
      readonly tag: string;
      readonly verb: 'APPEND' | 'REPLACE';
      readonly uid: boolean;
    }
  | { readonly kind: 'other'; readonly tag: string; readonly row: Row; readonly uid: boolean }
  | { readonly kind: 'bad'; readonly tag: string | undefined };

/** Tag and verb; the cursor stands after them, or has the problem. */
export function parseOpening(cursor: Cursor): Opening {
  const tag = cursor.run(TAG);
  if (tag === '' || !cursor.takeSpace()) {
    cursor.fail(tag === '' ? 'Expected a tag' : 'Expected a command after the tag');
    return { kind: 'bad', tag: tag === '' || !cursor.done() ? undefined : tag };
  }
  let verb = cursor.label('a command');
  const uid = verb === 'UID';
  if (uid) verb = cursor.space('a command') && cursor.label('a command');
  if (verb === undefined) return { kind: 'bad', tag };
  if (verb === 'REPLACE' || (verb === 'APPEND' && !uid)) return { kind: 'append', tag, verb, uid };
  const row = ROWS.get(verb);
  if (row !== undefined && (!uid || row.uid === true)) return { kind: 'other', tag, row, uid };
  cursor.fail(`Unknown command: ${uid ? 'UID ' : ''}${verb.slice(0, VERB_OCTETS_MAX)}`);
  return { kind: 'bad', tag };
}

/**
 * One whole command other than APPEND, its literals in place.
 * @param octets without the CRLF at the end
 */
export function decodeCommand(octets: Buffer, context: ParseContext): Result<TaggedCommand, BadCommand> {
  const cursor = new Cursor(octets, context);
  return decodeOpened(cursor, parseOpening(cursor));
}

/** The same, from behind its verb. */
export function decodeOpened(cursor: Cursor, opening: Opening): Result<TaggedCommand, BadCommand> {
  if (opening.kind === 'append') {
    cursor.fail(`${opening.verb} needs a message`);
  } else if (opening.kind === 'other') {
    const command = opening.row.parse(cursor, opening.uid);
    if (command !== undefined && cursor.end()) return ok({ tag: opening.tag, command });
  }
  return err({ tag: opening.tag, ...(cursor.problem ?? { status: 'BAD', text: 'Bad command' }) });
}
