/**
 * What SORT and THREAD look at, made of a digest, and the form in which stores keep it beside the digest: two texts of JSON,
 * since addresses and ids may hold any character.
 */
import type { MessageDigest } from '../message/digest.ts';
import { isReplySubject } from '../message/subject.ts';
import type { Uid } from './ids.ts';
import type { Sortable, SortPart, StoredMessage } from './mail-store.ts';

export function toSortable(
  { uid, receivedAtMs, octets, digest }: Pick<StoredMessage, 'uid' | 'receivedAtMs' | 'octets' | 'digest'>,
  part: SortPart | undefined,
): Sortable {
  const { sentAtMs, sortKeys, messageId, references, subject } = digest;
  return {
    uid,
    receivedAtMs,
    octets,
    sentAtMs,
    subject: sortKeys.subject,
    ...(part === 'addresses' ? { addresses: sortKeys } : {}),
    ...(part === 'thread' ? { thread: { messageId, references, isReply: isReplySubject(subject) } } : {}),
  };
}

export type SortColumns = {
  readonly sentAtMs: number | null;
  readonly subject: string;
  readonly addresses: string;
  readonly thread: string;
};

export function toSortColumns({
  sentAtMs,
  sortKeys,
  messageId,
  references,
  subject,
}: MessageDigest): SortColumns {
  const { from, to, cc, displayFrom, displayTo } = sortKeys;
  return {
    sentAtMs: sentAtMs ?? null,
    subject: sortKeys.subject,
    addresses: JSON.stringify([from, to, cc, displayFrom, displayTo]),
    thread: JSON.stringify([isReplySubject(subject) ? 'R' : '', messageId ?? '', ...references]),
  };
}

/** The lists of many rows, read at one go. Undefined: one of them is damaged. */
export function parseSortTexts(texts: readonly string[]): readonly (readonly string[])[] | undefined {
  try {
    const lists: unknown = JSON.parse(`[${texts.join(',')}]`);
    return isTextLists(lists) && lists.length === texts.length ? lists : undefined;
  } catch {
    return undefined;
  }
}

function isTextLists(value: unknown): value is readonly (readonly string[])[] {
  return Array.isArray(value) && value.every((list) => Array.isArray(list) && typeof list[0] === 'string');
}

export function partOf(
  part: SortPart,
  [first = '', second = '', ...rest]: readonly string[],
): Pick<Sortable, SortPart> {
  if (part === 'thread')
    return {
      thread: {
        isReply: first !== '',
        messageId: second === '' ? undefined : second,
        references: rest,
      },
    };
  const [cc = '', displayFrom = '', displayTo = ''] = rest;
  return { addresses: { from: first, to: second, cc, displayFrom, displayTo } };
}

/** Rows of earlier versions are told by their UIDs: what their digests say takes the place of those. */
export async function withOlder(
  found: readonly (Sortable | Uid)[],
  part: SortPart | undefined,
  read: (uids: readonly Uid[]) => Promise<readonly StoredMessage[]>,
): Promise<readonly Sortable[]> {
  const older = found.filter((one) => typeof one === 'number');
  const messages = older.length === 0 ? [] : await read(older);
  const byUid = new Map(messages.map((message) => [message.uid, message] as const));
  return found.flatMap((one) => {
    if (typeof one !== 'number') return one;
    const message = byUid.get(one);
    return message === undefined ? [] : toSortable(message, part);
  });
}
