/** GENURLAUTH, RESETKEY and URLFETCH. Source: RFC 4467 §7, RFC 5524 §3. */
import { fromLatin1 } from '../../../base/bytes.ts';
import { unreachable } from '../../../base/unreachable.ts';
import { formatBody } from '../../../message/imap-form.ts';
import { findPart } from '../../../message/part.ts';
import { BlobError } from '../../../store/blob-store.ts';
import type { Command } from '../../wire/command.ts';
import type { UrlItem } from '../../wire/command/url-auth.ts';
import type { MessageUrl } from '../../wire/imap-url.ts';
import type { UrlDatum, Untagged } from '../../wire/response.ts';
import type { ResponseCode } from '../../wire/response-code.ts';
import { done, type Context, type Outcome, type Replies } from '../command-context.ts';
import { readBinary, readSection, type OpenMessage } from '../fetch/section.ts';
import type { SignedIn } from '../state.ts';
import { authorizeUrl, MECHANISM, openAuthorized, resetKey as resetOne, type UrlUser } from '../url-auth.ts';

type GenUrlAuth = Extract<Command, { verb: 'GENURLAUTH' }>;
type ResetKey = Extract<Command, { verb: 'RESETKEY' }>;
type UrlFetch = Extract<Command, { verb: 'URLFETCH' }>;

export async function* genUrlAuth(
  { principal }: SignedIn,
  { requests }: GenUrlAuth,
  { deps }: Context,
): Replies {
  const urls: string[] = [];
  for (const { url, mechanism } of requests) {
    const made = await authorizeUrl(url, mechanism, principal, deps);
    if (!made.ok) return made.error;
    urls.push(made.value);
  }
  yield { kind: 'genurlauth', urls };
  return done('Authorized');
}

export async function resetKey(
  { principal }: SignedIn,
  { mailbox, mechanisms }: ResetKey,
  { deps }: Context,
): Promise<Outcome> {
  if (mailbox === undefined) {
    await deps.store.removeUrlKeys(principal.account);
    return done('Nothing is authorized any more');
  }
  if (mechanisms.some((mechanism) => mechanism !== MECHANISM))
    return { status: 'NO', code: 'CANNOT', text: `There is only ${MECHANISM}` };
  return (
    (await resetOne(principal, mailbox, deps)) ?? {
      status: 'OK',
      code: URL_MECHANISMS,
      text: 'The key is new',
    }
  );
}

/** RFC 4467 §8: after SELECT and EXAMINE too. */
export const URL_MECHANISMS: ResponseCode = { kind: 'EXTENSION', text: `URLMECH ${MECHANISM}` };

/** Each URL is answered for itself; one that is not good for any reason is NIL, and the command is OK all the same. */
export async function* urlFetch({ principal }: SignedIn, { requests }: UrlFetch, context: Context): Replies {
  const { deps, progress } = context;
  const user: UrlUser = { principal, submitsFor: deps.isSubmitter(principal.address) ? 'all' : 'nobody' };
  for (const { url: text, items } of requests) {
    yield (await answerOf(text, items, user, context)) ?? { kind: 'urlfetch', url: text, value: null };
    progress.of(1, requests.length);
  }
  return done('Fetched');
}

async function answerOf(
  text: string,
  items: readonly UrlItem[] | undefined,
  user: UrlUser,
  { deps }: Context,
): Promise<Untagged | undefined> {
  const found = await openAuthorized(text, user, deps, {});
  if (found === undefined) return undefined;
  const { url, open } = found;
  try {
    if (items === undefined) {
      const value = await readSection(open, url.section, url.partial);
      return value === null ? undefined : { kind: 'urlfetch', url: text, value };
    }
    const data: UrlDatum[] = [];
    for (const item of items) {
      const datum = await datumOf(item, url, open);
      // A part that is not there makes the URL one that names nothing.
      if (datum === undefined) return undefined;
      data.push(datum);
    }
    return { kind: 'urlfetch-items', url: text, data };
  } catch (cause) {
    if (!(cause instanceof BlobError)) throw cause;
    deps.emit({ name: 'imap.blob.unreadable', blob: open.message.blob.id, problem: cause.problem.kind });
    return undefined;
  }
}

async function datumOf(
  item: UrlItem,
  { section, partial }: MessageUrl,
  open: OpenMessage,
): Promise<UrlDatum | undefined> {
  switch (item) {
    case 'BODYPARTSTRUCTURE': {
      const part = findPart((await open.scanned()).root, section.part);
      return part && { item, octets: fromLatin1(formatBody(part).bodyStructure) };
    }
    case 'BODY': {
      const value = await readSection(open, section, partial);
      return value === null ? undefined : { item, value };
    }
    case 'BINARY': {
      // What is no body has no encoding to be undone.
      if (section.text.kind !== 'whole') {
        const value = await readSection(open, section, partial);
        return value === null ? undefined : { item, value };
      }
      const read = await readBinary(open, section.part, partial);
      // RFC 5524 §3.2: NIL where the encoding cannot be undone.
      if (read.kind === 'unknown-encoding') return { item, value: null };
      return read.value === null ? undefined : { item, value: read.value };
    }
    default:
      return unreachable(item);
  }
}
