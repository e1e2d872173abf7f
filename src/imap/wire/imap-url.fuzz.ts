/** Any text is read or refused; what is read names a message, and its rump is a beginning of it. */
import assert from 'node:assert/strict';
import { latin1 } from '../../base/bytes.ts';
import { parseMessageUrl } from './imap-url.ts';

export const covers: RegExp = /imap-url\.ts/;
export const seeds: readonly Uint8Array[] = [
  '/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME/;PARTIAL=0.5',
  'imap://joe;AUTH=*@[::1]:143/a/../%E6%97%A5/;uid=2/;section=HEADER.FIELDS%20(a%20%22b%22);expire=2006-05-04T03:02:01.5+02:00;urlauth=user+joe',
  'imap://joe@example.com/INBOX/;uid=20/;section=1.2;urlauth=submit+fred:internal:91354a473744909de610943775f92038',
].map((text) => Buffer.from(text));

export function fuzz(octets: Uint8Array): void {
  const text = latin1(octets);
  const url = parseMessageUrl(text);
  if (url === undefined) return;
  assert.ok(url.uid >= 1 && url.uid <= 4_294_967_295);
  assert.ok(url.mailbox.isWellFormed() && url.mailbox !== '');
  if (url.auth === undefined) return;
  assert.ok(text.startsWith(url.auth.rump));
  if (url.auth.token === undefined) assert.equal(url.auth.rump, text);
  else {
    const { mechanism, hex } = url.auth.token;
    assert.equal(text.slice(url.auth.rump.length).toUpperCase(), `:${mechanism}:${hex}`.toUpperCase());
    assert.deepEqual(parseMessageUrl(url.auth.rump), {
      ...url,
      auth: { access: url.auth.access, rump: url.auth.rump },
    });
  }
}
