/**
 * Commands about the session itself. Sources: RFC 9051 §6.1 to §6.3.2 and §6.3.10 to §6.3.13, RFC 2971 (ID),
 * RFC 4959 (SASL-IR), RFC 8437 (UNAUTHENTICATE), RFC 3501 §6.4.1 (CHECK), RFC 4978 (COMPRESS).
 */
import type { SequenceSet } from '../sequence-set.ts';
import type { Cursor } from '../cursor.ts';

/** Verbs without arguments. */
export type PlainVerb =
  | 'CAPABILITY'
  | 'NOOP'
  | 'LOGOUT'
  | 'STARTTLS'
  | 'UNAUTHENTICATE'
  | 'NAMESPACE'
  | 'IDLE'
  | 'CHECK'
  | 'CLOSE'
  | 'UNSELECT';

export type SessionCommand =
  | { readonly [Verb in PlainVerb]: { readonly verb: Verb } }[PlainVerb]
  | {
      readonly verb: 'AUTHENTICATE';
      /** In capitals. */
      readonly mechanism: string;
      /** Decoded; no octets for `=`. */
      readonly initialResponse?: Buffer;
    }
  /** In capitals. */
  | { readonly verb: 'COMPRESS'; readonly algorithm: string }
  | { readonly verb: 'LOGIN'; readonly user: string; readonly password: string }
  /** In capitals. */
  | { readonly verb: 'ENABLE'; readonly capabilities: readonly string[] }
  /** Names in lower case; null for `ID NIL`. */
  | { readonly verb: 'ID'; readonly parameters: ReadonlyMap<string, string | null> | null }
  | { readonly verb: 'EXPUNGE'; readonly uid: false }
  /** RFC 9051 §6.4.9 and RFC 4315 §2.1. */
  | { readonly verb: 'EXPUNGE'; readonly uid: true; readonly set: SequenceSet };

/** RFC 2971 §3.3: at most 30 pairs, names of 30 octets, values of 1024. */
const ID_PAIRS_MAX = 30;
const ID_NAME_OCTETS_MAX = 30;
const ID_VALUE_OCTETS_MAX = 1024;

export function parsePlain<Verb extends PlainVerb>(verb: Verb): () => { readonly verb: Verb } {
  return () => ({ verb });
}

export function parseAuthenticate(cursor: Cursor): SessionCommand | undefined {
  if (!cursor.space('a mechanism')) return undefined;
  const mechanism = cursor.atom('a mechanism')?.toUpperCase();
  if (mechanism === undefined) return undefined;
  if (!cursor.takeSpace() || cursor.done()) return { verb: 'AUTHENTICATE', mechanism };
  if (cursor.take(0x3d)) return { verb: 'AUTHENTICATE', mechanism, initialResponse: Buffer.alloc(0) };
  const initialResponse = cursor.base64('the initial response');
  return initialResponse && { verb: 'AUTHENTICATE', mechanism, initialResponse };
}

export function parseCompress(cursor: Cursor): SessionCommand | undefined {
  const algorithm = cursor.space('an algorithm') ? cursor.atom('an algorithm') : undefined;
  return algorithm === undefined ? undefined : { verb: 'COMPRESS', algorithm: algorithm.toUpperCase() };
}

export function parseLogin(cursor: Cursor): SessionCommand | undefined {
  if (!cursor.space('a user name')) return undefined;
  const user = cursor.text('a user name');
  if (user === undefined || !cursor.space('a password')) return undefined;
  const password = cursor.text('a password');
  return password === undefined ? undefined : { verb: 'LOGIN', user, password };
}

export function parseEnable(cursor: Cursor): SessionCommand | undefined {
  const capabilities: string[] = [];
  if (!cursor.space('a capability')) return undefined;
  do {
    const capability = cursor.atom('a capability');
    if (capability === undefined) return undefined;
    capabilities.push(capability.toUpperCase());
  } while (cursor.takeSpace());
  return { verb: 'ENABLE', capabilities };
}

export function parseId(cursor: Cursor): SessionCommand | undefined {
  if (!cursor.space('a list or NIL')) return undefined;
  if (cursor.takeLabel('NIL')) return { verb: 'ID', parameters: null };
  if (!cursor.takeLeft()) return cursor.fail('Expected a list or NIL');
  const parameters = new Map<string, string | null>();
  if (cursor.takeRight()) return { verb: 'ID', parameters };
  do {
    const name = cursor.string('a name');
    if (name === undefined || !cursor.space('a value')) return undefined;
    const value = cursor.nstring('a value');
    if (value === undefined) return undefined;
    if (parameters.size === ID_PAIRS_MAX || name.length > ID_NAME_OCTETS_MAX)
      return cursor.fail(`ID takes ${ID_PAIRS_MAX} names of ${ID_NAME_OCTETS_MAX} octets at most`);
    if (value !== null && value.length > ID_VALUE_OCTETS_MAX)
      return cursor.fail(`ID takes values of ${ID_VALUE_OCTETS_MAX} octets at most`);
    parameters.set(name.toString('utf8').toLowerCase(), value === null ? null : value.toString('utf8'));
  } while (cursor.takeSpace());
  return cursor.right('the names and values') && { verb: 'ID', parameters };
}

export function parseExpunge(cursor: Cursor, uid: boolean): SessionCommand | undefined {
  if (!uid) return { verb: 'EXPUNGE', uid };
  const set = cursor.space('a sequence set') && cursor.sequenceSet();
  return set && { verb: 'EXPUNGE', uid, set };
}
