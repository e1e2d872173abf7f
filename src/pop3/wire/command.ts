/** One command line as a value. Sources: RFC 1939 §5 to §7, RFC 2449 §4, RFC 2595 §4, RFC 5034 §4, RFC 6856 §2 and §3. */
import type { Buffer } from 'node:buffer';
import { LIMITS } from '../../base/limits.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { unreachable } from '../../base/unreachable.ts';

export type Command =
  | { readonly verb: 'CAPA' | 'QUIT' }
  | { readonly verb: 'STLS' | 'UTF8' }
  | { readonly verb: 'STAT' | 'NOOP' | 'RSET' }
  | { readonly verb: 'USER'; readonly name: string }
  | { readonly verb: 'PASS'; readonly password: string }
  /** `initial` as it came: base64, or `=` for an empty one. Without a mechanism: which ones are there? */
  | { readonly verb: 'AUTH'; readonly mechanism: string | undefined; readonly initial: string | undefined }
  /** Without a tag: which ones are there? */
  | { readonly verb: 'LANG'; readonly tag: string | undefined }
  | { readonly verb: 'LIST' | 'UIDL'; readonly number: number | undefined }
  | { readonly verb: 'RETR' | 'DELE'; readonly number: number }
  | { readonly verb: 'TOP'; readonly number: number; readonly lines: number };

export type Verb = Command['verb'];

/** For the client. */
export type CommandProblem = { readonly verb: Verb | undefined; readonly text: string };

const VERBS: ReadonlySet<string> = new Set<Verb>([
  'CAPA',
  'STLS',
  'UTF8',
  'QUIT',
  'STAT',
  'NOOP',
  'RSET',
  'USER',
  'PASS',
  'AUTH',
  'LANG',
  'LIST',
  'UIDL',
  'RETR',
  'DELE',
  'TOP',
]);

/** @param line without its end */
export function parseCommand(line: Buffer): Result<Command, CommandProblem> {
  const space = line.indexOf(' ');
  const verb = line.toString('latin1', 0, space === -1 ? line.length : space).toUpperCase();
  if (!isVerb(verb)) return err({ verb: undefined, text: 'No such command' });
  // RFC 2449 §4: 255 octets with CRLF. Mechanisms with long responses are let have them in the command too.
  if (verb !== 'AUTH' && line.length > LIMITS.pop3LineOctetsMax - 2)
    return err({ verb, text: 'The line is too long' });
  return parseArguments(verb, space === -1 ? undefined : line.subarray(space + 1));
}

function isVerb(verb: string): verb is Verb {
  return VERBS.has(verb);
}

function parseArguments(verb: Verb, rest: Buffer | undefined): Result<Command, CommandProblem> {
  const bad = (text: string): Result<never, CommandProblem> => err({ verb, text });
  const words = wordsOf(rest);
  const [first, second] = words;
  switch (verb) {
    case 'USER': {
      const name = toText(rest);
      return name === undefined ? bad('Expected a name in UTF-8') : ok({ verb, name });
    }
    case 'PASS': {
      // RFC 1939 §7: spaces are part of the password.
      const password = toText(rest);
      return password === undefined ? bad('Expected a password in UTF-8') : ok({ verb, password });
    }
    case 'AUTH':
      return words.length > 2 ? bad('Expected a mechanism') : ok({ verb, mechanism: first, initial: second });
    case 'LANG':
      return words.length > 1 ? bad('Expected one language') : ok({ verb, tag: first });
    case 'LIST':
    case 'UIDL': {
      if (first === undefined) return ok({ verb, number: undefined });
      const number = toNumber(first);
      return number === undefined || words.length > 1 ? bad('Expected a number') : ok({ verb, number });
    }
    case 'RETR':
    case 'DELE': {
      const number = toNumber(first);
      return number === undefined || words.length > 1 ? bad('Expected a number') : ok({ verb, number });
    }
    case 'TOP': {
      const number = toNumber(first);
      const lines = toNumber(second);
      if (number === undefined || lines === undefined || words.length > 2)
        return bad('Expected a number and how many lines');
      return ok({ verb, number, lines });
    }
    case 'CAPA':
    case 'QUIT':
    case 'STLS':
    case 'UTF8':
    case 'STAT':
    case 'NOOP':
    case 'RSET':
      return words.length > 0 ? bad('Expected the end of the command') : ok({ verb });
    default:
      return unreachable(verb);
  }
}

function wordsOf(rest: Buffer | undefined): readonly string[] {
  return rest === undefined
    ? []
    : rest
        .toString('latin1')
        .split(' ')
        .filter((word) => word !== '');
}

/** Undefined where there is nothing, or what is not UTF-8 (RFC 6856 §2.2), or has a NUL. */
function toText(octets: Buffer | undefined): string | undefined {
  if (octets === undefined || octets.length === 0) return undefined;
  const text = octets.toString('utf8');
  return text.includes('\u{FFFD}') || text.includes('\0') ? undefined : text;
}

/** Ten digits hold all that there can be. */
function toNumber(word: string | undefined): number | undefined {
  return word !== undefined && /^\d{1,10}$/.test(word) ? Number(word) : undefined;
}
