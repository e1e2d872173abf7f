/**
 * One SMTP or LMTP command line, parsed. Input: the octets of a line without its CRLF. Never throws; what is wrong comes
 * back as a problem that says which reply it deserves. Whether a command is allowed now is not decided here.
 * Sources: RFC 5321 §4.1.1 and §4.1.2, RFC 2033 §4.1 (LHLO), 3030 §2 (BDAT), 3207 (STARTTLS), 4468 §3.5 (BURL), 4954 §4 (AUTH).
 */
import type { Buffer } from 'node:buffer';
import { isAscii, isUtf8 } from 'node:buffer';
import type { Result } from '../../base/result.ts';
import { err, ok } from '../../base/result.ts';
import type { XclientAttributes, XforwardAttributes } from './forwarding.ts';
import { parseAttributes, XCLIENT_NAMES, XFORWARD_NAMES } from './forwarding.ts';
import type { MailParameters, ParameterProblem, RcptParameters } from './parameter.ts';
import { parseMailParameters, parseRcptParameters } from './parameter.ts';
import type { EnvelopeAddress, PathProblem, ReversePath } from './path.ts';
import { scanPath } from './path.ts';

export type HelloVerb = 'EHLO' | 'HELO' | 'LHLO';

export type Command =
  | { readonly verb: HelloVerb; readonly domain: string }
  | { readonly verb: 'MAIL'; readonly reversePath: ReversePath; readonly parameters: MailParameters }
  | { readonly verb: 'RCPT'; readonly forwardPath: WrittenForwardPath; readonly parameters: RcptParameters }
  | { readonly verb: 'DATA' }
  | { readonly verb: 'RSET' }
  | { readonly verb: 'QUIT' }
  | { readonly verb: 'STARTTLS' }
  | { readonly verb: 'NOOP' | 'HELP' | 'VRFY' | 'EXPN'; readonly argument: string }
  | { readonly verb: 'XCLIENT'; readonly attributes: XclientAttributes }
  | { readonly verb: 'XFORWARD'; readonly attributes: XforwardAttributes }
  | { readonly verb: 'BDAT'; readonly octets: number; readonly last: boolean }
  | { readonly verb: 'BURL'; readonly url: string; readonly last: boolean }
  /** `initialResponse` is still base64; '=' stands for an empty one (RFC 4954 §4). */
  | { readonly verb: 'AUTH'; readonly mechanism: string; readonly initialResponse: string | undefined };

/** `domain` is null only for "<Postmaster>", which stands for the postmaster here (RFC 5321 §4.1.1.3). */
export type WrittenForwardPath = EnvelopeAddress | { readonly localPart: string; readonly domain: null };

export type CommandProblem =
  | { readonly kind: 'unknown-command'; readonly verb: string }
  /** Not ASCII and not UTF-8, or with a control character in it. */
  | { readonly kind: 'bad-octets' }
  | { readonly kind: 'syntax'; readonly verb: string; readonly usage: string }
  | { readonly kind: 'path'; readonly verb: 'MAIL' | 'RCPT'; readonly problem: PathProblem | 'null' }
  | { readonly kind: 'parameter'; readonly verb: 'MAIL' | 'RCPT'; readonly problem: ParameterProblem };

export function parseCommand(line: Buffer): Result<Command, CommandProblem> {
  const ascii = isAscii(line);
  if (!ascii && !isUtf8(line)) return err({ kind: 'bad-octets' });
  // RFC 5321 §4.1.1: white space before the CRLF is tolerated.
  const text = trimmedEnd(ascii ? line.toString('latin1') : line.toString('utf8'));
  if (hasControl(text)) return err({ kind: 'bad-octets' });
  const space = text.indexOf(' ');
  const verb = (space === -1 ? text : text.slice(0, space)).toUpperCase();
  const argument = space === -1 ? '' : text.slice(space + 1);
  switch (verb) {
    case 'EHLO':
    case 'HELO':
    case 'LHLO':
      return isHelloDomain(argument) ? ok({ verb, domain: argument }) : syntax(verb, `${verb} domain`);
    case 'MAIL':
      return mail(argument);
    case 'RCPT':
      return rcpt(argument);
    case 'DATA':
    case 'RSET':
    case 'QUIT':
    case 'STARTTLS':
      return argument === '' ? ok({ verb }) : syntax(verb, verb);
    case 'VRFY':
    case 'EXPN':
      return argument === '' ? syntax(verb, `${verb} string`) : ok({ verb, argument });
    case 'NOOP':
    case 'HELP':
      return ok({ verb, argument });
    case 'BDAT':
      return bdat(argument);
    case 'BURL':
      return burl(argument);
    case 'AUTH':
      return auth(argument);
    case 'XCLIENT': {
      const attributes = parseAttributes(argument, XCLIENT_NAMES);
      return attributes === undefined ? syntax(verb, 'XCLIENT name=value') : ok({ verb, attributes });
    }
    case 'XFORWARD': {
      const attributes = parseAttributes(argument, XFORWARD_NAMES);
      return attributes === undefined ? syntax(verb, 'XFORWARD name=value') : ok({ verb, attributes });
    }
    default:
      return err({ kind: 'unknown-command', verb });
  }
}

/** "FROM:" Reverse-path [SP Mail-parameters]. Source: RFC 5321 §4.1.1.2. */
function mail(argument: string): Result<Command, CommandProblem> {
  const start = pathStart(argument, 'FROM:');
  if (start === undefined) return syntax('MAIL', 'MAIL FROM:<address>');
  const path = scanPath(argument, start);
  switch (path.kind) {
    case 'malformed':
      return err({ kind: 'path', verb: 'MAIL', problem: path.problem });
    case 'postmaster':
      return err({ kind: 'path', verb: 'MAIL', problem: 'domain' });
    case 'address':
    case 'null': {
      const parameters = afterPath(argument, path.end);
      if (parameters === undefined) return syntax('MAIL', 'MAIL FROM:<address> [parameters]');
      const parsed = parseMailParameters(parameters);
      if (!parsed.ok) return err({ kind: 'parameter', verb: 'MAIL', problem: parsed.error });
      const reversePath = path.kind === 'null' ? null : path.address;
      return ok({ verb: 'MAIL', reversePath, parameters: parsed.value });
    }
  }
}

/** "TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters]. Source: RFC 5321 §4.1.1.3. */
function rcpt(argument: string): Result<Command, CommandProblem> {
  const start = pathStart(argument, 'TO:');
  if (start === undefined) return syntax('RCPT', 'RCPT TO:<address>');
  const path = scanPath(argument, start);
  switch (path.kind) {
    case 'malformed':
      return err({ kind: 'path', verb: 'RCPT', problem: path.problem });
    case 'null':
      return err({ kind: 'path', verb: 'RCPT', problem: 'null' });
    case 'address':
    case 'postmaster': {
      const parameters = afterPath(argument, path.end);
      if (parameters === undefined) return syntax('RCPT', 'RCPT TO:<address> [parameters]');
      const parsed = parseRcptParameters(parameters);
      if (!parsed.ok) return err({ kind: 'parameter', verb: 'RCPT', problem: parsed.error });
      const forwardPath =
        path.kind === 'address' ? path.address : { localPart: path.localPart, domain: null };
      return ok({ verb: 'RCPT', forwardPath, parameters: parsed.value });
    }
  }
}

/**
 * Departs from RFC 5321 §3.3: one or more spaces after the colon are let pass, as many old clients send one; a space
 * before the colon is not.
 */
function pathStart(argument: string, keyword: 'FROM:' | 'TO:'): number | undefined {
  if (argument.slice(0, keyword.length).toUpperCase() !== keyword) return undefined;
  let at = keyword.length;
  while (argument.charCodeAt(at) === SPACE) at += 1;
  return at;
}

/** The parameters' text; undefined where something other than a space follows the path. */
function afterPath(argument: string, end: number): string | undefined {
  if (end === argument.length) return '';
  return argument.charCodeAt(end) === SPACE ? argument.slice(end + 1) : undefined;
}

/** BDAT SP chunk-size [SP "LAST"]. Source: RFC 3030 §2. */
function bdat(argument: string): Result<Command, CommandProblem> {
  const found = BDAT.exec(argument);
  const octets = Number(found?.[1]);
  if (found === null || !Number.isSafeInteger(octets)) return syntax('BDAT', 'BDAT size [LAST]');
  return ok({ verb: 'BDAT', octets, last: found[2] !== undefined });
}

/** BURL SP absolute-URI [SP "LAST"]. Source: RFC 4468 §3.5. */
function burl(argument: string): Result<Command, CommandProblem> {
  const [, url, last] = BURL.exec(argument) ?? [];
  return url === undefined
    ? syntax('BURL', 'BURL url [LAST]')
    : ok({ verb: 'BURL', url, last: last !== undefined });
}

/** AUTH SP mechanism [SP initial-response]. Source: RFC 4954 §4. */
function auth(argument: string): Result<Command, CommandProblem> {
  const words = argument.split(' ');
  const [mechanism = '', initialResponse] = words;
  if (words.length > 2 || !MECHANISM.test(mechanism))
    return syntax('AUTH', 'AUTH mechanism [initial-response]');
  return ok({ verb: 'AUTH', mechanism: mechanism.toUpperCase(), initialResponse });
}

/**
 * Departs from RFC 5321 §4.1.1.1: any word of printable characters is taken as a domain. What clients say there is wrong so
 * often (underscores, "localhost", a bare address) that only policy should judge it; it decides nothing here. What could
 * be mistaken for syntax in the Received field is refused.
 */
function isHelloDomain(text: string): boolean {
  return text.length <= HELLO_CHARACTERS_MAX && HELLO.test(text);
}

function trimmedEnd(text: string): string {
  let end = text.length;
  while (end > 0 && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === TAB)) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}

function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code < 0x20 || code === 0x7f) return true;
  }
  return false;
}

function syntax(verb: string, usage: string): Result<Command, CommandProblem> {
  return err({ kind: 'syntax', verb, usage });
}

const SPACE = 0x20;
const TAB = 0x09;
const HELLO_CHARACTERS_MAX = 255;
const HELLO = /^[^\s()<>@,;"\\]+$/;
const BDAT = /^(\d{1,20})(?: +(LAST))?$/i;
/** RFC 3986 §4.3: a scheme, and no octets that no URL has. */
const BURL = /^([A-Za-z][A-Za-z0-9+.-]*:[!-~]+)(?: +(LAST))?$/i;
const MECHANISM = /^[A-Za-z0-9_-]{1,20}$/;
