/**
 * IMAP URLs of a message or a part of one. Those of a server, a mailbox or a search are undefined here, as is whatever
 * breaks the grammar. Nothing of the text is changed on the way: what a token was made of is {@link UrlAuth.rump}.
 *
 * Source: RFC 5092 §6, §7, §11; RFC 4467 §3, §9; RFC 3986 §5.2.4 (dot segments); RFC 3339 §5.6 (the date of EXPIRE).
 */
import { parseTimestamp } from '../../message/timestamp.ts';
import { parseSectionSpec, type Partial, type Section } from './command/fetch.ts';
import { decodeMailboxName, decodeUtf8 } from './mailbox-name.ts';
import { NUMBER_MAX } from './sequence-set.ts';

export type UrlServer = {
  /** Whose mailboxes the path names (RFC 5092 §3.1). */
  readonly user: string | undefined;
  /** In small letters, without the port. */
  readonly host: string;
  readonly port: number | undefined;
};

/** Who may use an authorized URL. RFC 4467 §3. */
export type UrlAccess =
  | { readonly kind: 'submit' | 'user'; readonly user: string }
  | { readonly kind: 'authuser' | 'anonymous' };

export type UrlAuth = {
  readonly access: UrlAccess;
  /** The URL up to the mechanism, to the octet (RFC 4467 §6). */
  readonly rump: string;
  /** None in a URL that is still to be authorized. */
  readonly token?: { readonly mechanism: string; readonly hex: string };
};

export type MessageUrl = {
  /** None in an absolute-path reference, which is relative to the session (RFC 5092 §7.1). */
  readonly server?: UrlServer;
  readonly mailbox: string;
  readonly uidValidity?: number;
  readonly uid: number;
  readonly section: Section;
  readonly partial?: Partial;
  /** Milliseconds since 1970: the last moment at which it is valid. */
  readonly expireMs?: number;
  readonly auth?: UrlAuth;
};

const WHOLE: Section = { part: [], text: { kind: 'whole' } };

/** RFC 5092 §11: everything between the delimiters of an IMAP URL is `bchar`; `;` parts the components. */
const BCHARS = "[A-Za-z0-9._~!$'()*+,&=:@/%-]+";
const SERVER =
  /^imap:\/\/(?:([^;@/]*)(?:;auth=([^;@/]+))?@)?([A-Za-z0-9._~!$&'()*+,=%-]+|\[[0-9A-Fa-f:.]+\])(?::(\d*))?(?=\/)/i;
const MESSAGE = new RegExp(
  `^/(${BCHARS})(?:;uidvalidity=(\\d+))?/;uid=(\\d+)(?:/;section=(${BCHARS}))?(?:/;partial=(\\d+)(?:\\.(\\d+))?)?` +
    `(?:;expire=(${BCHARS}))?(?:;urlauth=(${BCHARS}))?$`,
  'i',
);
const PERCENT = /%(?![0-9A-Fa-f]{2})/;

export function parseMessageUrl(url: string): MessageUrl | undefined {
  const server = parseServer(url);
  if (server === undefined) return undefined;
  const [, name, uidValidity, uid, section, offset, octets, expire, auth] =
    MESSAGE.exec(withoutDots(url.slice(server.end))) ?? [];
  if (name === undefined || PERCENT.test(url)) return undefined;
  const message = {
    mailbox: decodeMailboxName(decodePercent(name), true),
    uidValidity: uidValidity === undefined ? null : toNumber(uidValidity),
    uid: toNumber(uid),
    section: section === undefined ? WHOLE : parseSectionSpec(decodePercent(section)),
    partial: offset === undefined ? null : toPartial(offset, octets),
    expireMs: expire === undefined ? null : parseExpire(expire),
    auth: auth === undefined ? null : parseAuth(auth, url),
  };
  // RFC 5092 §11: EXPIRE is a part of the authorization.
  if (expire !== undefined && auth === undefined) return undefined;
  const { mailbox, uid: number, section: spec } = message;
  if (mailbox === undefined || number === undefined || spec === undefined) return undefined;
  if (message.uidValidity === undefined || message.partial === undefined) return undefined;
  if (message.expireMs === undefined || message.auth === undefined) return undefined;
  return {
    ...(server.value === undefined ? {} : { server: server.value }),
    mailbox,
    ...(message.uidValidity === null ? {} : { uidValidity: message.uidValidity }),
    uid: number,
    section: spec,
    ...(message.partial === null ? {} : { partial: message.partial }),
    ...(message.expireMs === null ? {} : { expireMs: message.expireMs }),
    ...(message.auth === null ? {} : { auth: message.auth }),
  };
}

/** RFC 5092 §7.2: a reference that begins with no slash is never taken. */
function parseServer(
  url: string,
): { readonly value: UrlServer | undefined; readonly end: number } | undefined {
  if (url.startsWith('/')) return url.startsWith('//') ? undefined : { value: undefined, end: 0 };
  const [all, user, , host, port] = SERVER.exec(url) ?? [];
  if (all === undefined || host === undefined) return undefined;
  const name = user === undefined || user === '' ? undefined : decodeUtf8(decodePercent(user));
  if (user !== undefined && user !== '' && name === undefined) return undefined;
  return {
    value: {
      user: name,
      host: host.toLowerCase(),
      port: port === undefined || port === '' ? undefined : Number(port),
    },
    end: all.length,
  };
}

/** RFC 3986 §5.2.4. A dot that is percent-encoded is a part of a name (RFC 5092 §7). */
function withoutDots(path: string): string {
  if (!path.includes('/.')) return path;
  const kept: string[] = [];
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') kept.pop();
    else if (segment !== '.') kept.push(segment);
  }
  return `/${kept.join('/')}`;
}

function decodePercent(text: string): Buffer {
  return Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );
}

/** 1 to 4294967295. */
function toNumber(digits: string | undefined): number | undefined {
  const value = Number(digits);
  return value >= 1 && value <= NUMBER_MAX ? value : undefined;
}

/** RFC 5092 §6: without a count, to the end. */
function toPartial(offset: string, octets: string | undefined): Partial | undefined {
  const partial = { offset: Number(offset), octets: octets === undefined ? NUMBER_MAX : Number(octets) };
  return partial.offset <= NUMBER_MAX && partial.octets >= 1 && partial.octets <= NUMBER_MAX
    ? partial
    : undefined;
}

const ZONE = /([+-])(\d\d):(\d\d)$/;

/** RFC 3339 §5.6: the local time and how far it is from UTC. */
function parseExpire(text: string): number | undefined {
  const [zone, sign, hours, minutes] = ZONE.exec(text) ?? [];
  if (zone === undefined) return parseTimestamp(text);
  const [h, m] = [Number(hours), Number(minutes)];
  const localMs = parseTimestamp(`${text.slice(0, -zone.length)}Z`);
  if (localMs === undefined || h > 23 || m > 59) return undefined;
  return localMs - (sign === '-' ? -1 : 1) * (h * 60 + m) * 60_000;
}

/** RFC 4467 §6: the rump is the URL, cut before the mechanism and changed in nothing else. */
function parseAuth(text: string, url: string): UrlAuth | undefined {
  const [who = '', mechanism, hex, ...more] = text.split(':');
  const access = parseAccess(who);
  if (access === undefined || more.length > 0) return undefined;
  if (mechanism === undefined) return { access, rump: url };
  if (hex === undefined || !/^[A-Za-z0-9.-]+$/.test(mechanism) || !/^[0-9A-Fa-f]{32,}$/.test(hex))
    return undefined;
  const rump = url.slice(0, -(mechanism.length + hex.length + 2));
  return { access, rump, token: { mechanism: mechanism.toUpperCase(), hex } };
}

function parseAccess(text: string): UrlAccess | undefined {
  const lower = text.toLowerCase();
  if (lower === 'authuser' || lower === 'anonymous') return { kind: lower };
  const [prefix = ''] = lower.split('+', 1);
  if (prefix !== 'submit' && prefix !== 'user') return undefined;
  const user = decodeUtf8(decodePercent(text.slice(prefix.length + 1)));
  return user === undefined || user === '' ? undefined : { kind: prefix, user };
}
