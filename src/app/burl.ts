/**
 * What submission takes from mailboxes here by URL: what was authorized for the submitter, and where the operator says so
 * the submitter's own mail. No other server is asked for anything. Source: RFC 4468 §3.3.
 */
import { err, ok, type Result } from '../base/result.ts';
import { openUrl } from '../imap/server/fetch/url-part.ts';
import { readSection, type SectionValue } from '../imap/server/fetch/section.ts';
import { openAuthorized, type UrlPorts } from '../imap/server/url-auth.ts';
import { parseMessageUrl } from '../imap/wire/imap-url.ts';
import type { Principal } from '../auth/principal.ts';
import type { UrlContent, UrlContents, UrlProblem } from '../smtp/server/ports.ts';
import { BlobError } from '../store/blob-store.ts';

export function urlContents(takes: 'none' | 'authorized' | 'own', ports: UrlPorts): UrlContents | undefined {
  if (takes === 'none') return undefined;
  return {
    offer: ['imap', ...(takes === 'own' ? [`imap://${ports.hostname}`] : [])],
    async open(url, principal) {
      try {
        return await openContent(url, principal, takes === 'own', ports);
      } catch (cause) {
        if (cause instanceof BlobError) return err({ kind: 'not-found' });
        throw cause;
      }
    },
  };
}

async function openContent(
  text: string,
  principal: Principal,
  takesOwn: boolean,
  ports: UrlPorts,
): Promise<Result<UrlContent, UrlProblem>> {
  const url = parseMessageUrl(text);
  if (url?.server === undefined) return err({ kind: 'not-found' });
  const { server, auth, section, partial } = url;
  if (server.host !== ports.hostname.toLowerCase()) return err({ kind: 'not-trusted' });
  if (auth === undefined && !takesOwn) return err({ kind: 'not-trusted' });
  // A URL of another's mail that nobody authorized.
  if (auth === undefined && server.user?.toLowerCase() !== principal.address.toLowerCase())
    return err({ kind: 'not-authorized' });
  const open =
    auth === undefined
      ? await openUrl(url, principal, ports, {})
      : (await openAuthorized(text, { principal, submitsFor: 'itself' }, ports, {}))?.open;
  if (open === undefined) return err({ kind: auth === undefined ? 'not-found' : 'not-authorized' });
  const value = await readSection(open, section, partial);
  return value === null ? err({ kind: 'not-found' }) : ok(contentOf(value));
}

function contentOf(value: NonNullable<SectionValue>): UrlContent {
  if (!Buffer.isBuffer(value)) return { octets: value.octets, read: () => value.open() };
  return {
    octets: value.length,
    async *read() {
      if (value.length > 0) yield value;
    },
  };
}
