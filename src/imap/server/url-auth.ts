/**
 * URLs that give what they name to whoever may use them. The proof is of the URL's own octets, with a secret of the account
 * and the mailbox; what the account itself may not read any more, the URL does not give either.
 *
 * Source: RFC 4467 §2.4.1, §3, §5, §6.
 */
import type { Principal } from '../../auth/principal.ts';
import { isSameMac, macOf } from '../../base/mac.ts';
import { err, ok, type Result } from '../../base/result.ts';
import { parseMessageUrl, type MessageUrl, type UrlAccess } from '../wire/imap-url.ts';
import type { Outcome } from './command-context.ts';
import { openUrl } from './fetch/url-part.ts';
import type { OpenMessage, ScanCache } from './fetch/section.ts';
import { allowed } from './mailbox-access.ts';
import type { ImapDeps } from './ports.ts';

export type UrlPorts = Pick<
  ImapDeps,
  'hostname' | 'clock' | 'random' | 'store' | 'blobs' | 'sharing' | 'accounts'
>;

/** Who presents a URL. */
export type UrlUser = {
  readonly principal: Principal;
  /** For whom it submits mail: an entity that others trust to ask, for all; a session of submission, for itself. */
  readonly submitsFor: 'all' | 'itself' | 'nobody';
};

/** The only mechanism. RFC 4467 §2.4.1. */
export const MECHANISM = 'INTERNAL';
/** Which algorithm made the rest of the token, so that another can come beside it (RFC 4467 §10). */
const ALGORITHM = '01';
const KEY_OCTETS = 32;

function tokenOf(key: Uint8Array, rump: string): Buffer {
  return Buffer.concat([Buffer.from(ALGORITHM, 'hex'), macOf(key, rump)]);
}

/** @param text the URL up to its access, which becomes the beginning of the answer, to the octet */
export async function authorizeUrl(
  text: string,
  mechanism: string,
  principal: Principal,
  ports: UrlPorts,
): Promise<Result<string, Outcome>> {
  const url = parseMessageUrl(text);
  // RFC 4467 §7: what is wrong with the URL itself is BAD.
  const problem = problemOf(url, principal, ports);
  if (url === undefined || problem !== undefined) return err({ status: 'BAD', text: problem ?? '' });
  if (mechanism !== MECHANISM)
    return err({ status: 'NO', code: 'CANNOT', text: `There is only ${MECHANISM}` });
  const access = await allowed(principal, url.mailbox, 'r', ports);
  if (!access.ok) return err({ status: 'BAD', text: access.error.text });
  const of = { owner: access.value.owner, mailbox: access.value.node.mailbox.id };
  const fresh = ports.random.octets(KEY_OCTETS);
  const key = await ports.store.setUrlKey(principal.account, of, fresh, 'keep');
  if (!key.ok) return err(TOO_MANY_KEYS);
  return ok(`${text}:${MECHANISM}:${tokenOf(key.value, text).toString('hex')}`);
}

const TOO_MANY_KEYS: Outcome = {
  status: 'NO',
  code: 'LIMIT',
  text: 'There are URLs of too many mailboxes; RESETKEY takes them back',
};

function problemOf(
  url: MessageUrl | undefined,
  principal: Principal,
  { hostname }: UrlPorts,
): string | undefined {
  if (url === undefined) return 'That is no URL of a message';
  if (url.auth === undefined) return 'The URL does not say who may use it';
  if (url.auth.token !== undefined) return 'The URL is authorized already';
  if (url.server === undefined || url.server.host !== hostname.toLowerCase())
    return `The URL does not begin with imap://you@${hostname}`;
  if (url.server.user === undefined || !isName(url.server.user, principal))
    return 'The URL does not name your address as its owner';
  return undefined;
}

function isName(user: string, { address }: Principal): boolean {
  return user.toLowerCase() === address.toLowerCase();
}

/** A new secret for one mailbox: what was authorized before is worth nothing from then on. */
export async function resetKey(
  principal: Principal,
  mailbox: string,
  ports: UrlPorts,
): Promise<Outcome | undefined> {
  const access = await allowed(principal, mailbox, 'r', ports);
  if (!access.ok) return access.error;
  const of = { owner: access.value.owner, mailbox: access.value.node.mailbox.id };
  const key = await ports.store.setUrlKey(principal.account, of, ports.random.octets(KEY_OCTETS), 'replace');
  return key.ok ? undefined : TOO_MANY_KEYS;
}

/** Undefined for whatever is wrong with it; how long that takes says nothing of whether there is such a mailbox (RFC 4467 §6). */
export async function openAuthorized(
  text: string,
  user: UrlUser,
  ports: UrlPorts,
  scans: ScanCache,
): Promise<{ readonly url: MessageUrl; readonly open: OpenMessage } | undefined> {
  const url = parseMessageUrl(text);
  const { auth, server } = url ?? {};
  if (url === undefined || auth?.token === undefined || server?.user === undefined) return undefined;
  const { token, rump, access } = auth;
  const owner = await userNamed(server.user, user.principal, ports);
  const found = owner && (await allowed(owner, url.mailbox, 'r', ports));
  const key =
    owner !== undefined && found?.ok === true
      ? await ports.store.urlKey(owner.account, {
          owner: found.value.owner,
          mailbox: found.value.node.mailbox.id,
        })
      : undefined;
  const made = tokenOf(key ?? ports.random.octets(KEY_OCTETS), rump);
  const isProven = isSameMac(made, Buffer.from(token.hex, 'hex')) && key !== undefined;
  if (!isProven || token.mechanism !== MECHANISM || owner === undefined) return undefined;
  if (server.host !== ports.hostname.toLowerCase()) return undefined;
  // RFC 4467 §3: it is valid up to then, and no longer.
  if (url.expireMs !== undefined && ports.clock.nowMs() > url.expireMs) return undefined;
  if (!(await mayUse(access, user, ports))) return undefined;
  const open = await openUrl(url, owner, ports, scans);
  return open && { url, open };
}

/** RFC 4467 §3. There are no anonymous sessions. */
async function mayUse(
  access: UrlAccess,
  { principal, submitsFor }: UrlUser,
  ports: UrlPorts,
): Promise<boolean> {
  if (!('user' in access)) return true;
  // RFC 4467 §3: whom an entity of submission asks for is its own to validate.
  if (access.kind === 'submit' && submitsFor !== 'itself') return submitsFor === 'all';
  return (await userNamed(access.user, principal, ports))?.account === principal.account;
}

/** An account by an address that leads to it alone. */
async function userNamed(
  user: string,
  principal: Principal,
  { accounts }: UrlPorts,
): Promise<Principal | undefined> {
  if (isName(user, principal)) return principal;
  const found = await accounts.resolve(user);
  if (found.kind !== 'local' || found.accounts.length !== 1 || (found.lists ?? []).length > 0)
    return undefined;
  const [one] = found.accounts;
  return (
    one && { address: one.address, account: one.account, authenticationId: user, appPassword: undefined }
  );
}
