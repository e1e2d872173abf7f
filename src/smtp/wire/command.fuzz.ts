/** Command lines, paths and parameters: never throw, and what parses as a path is written back as the same path. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { parseCommand } from './command.ts';
import { formatPath, scanPath } from './path.ts';

export const covers: RegExp =
  /src\/smtp\/wire\/(?:command|path|domain|forwarding|original-recipient|parameter|xtext)\.ts$/;

export const seeds: readonly Uint8Array[] = [
  'EHLO mail.example.test',
  'MAIL FROM:<a.b+c@example.test> SIZE=1 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=QQ+2B AUTH=<>',
  'RCPT TO:<@a.test,@b.test:"x\\"y z"@[IPv6:2001:db8::1]> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bb@c',
  'MAIL FROM:<a@b> REQUIRETLS HOLDFOR=60 BY=+120;RT MT-PRIORITY=-3 BODY=BINARYMIME',
  'MAIL FROM:<a@b> HOLDUNTIL=2026-01-02T03:04:05Z',
  'XCLIENT NAME=spike.test ADDR=IPV6:2001:db8::1 PORT=25 PROTO=ESMTP HELO=[UNAVAILABLE]',
  'XFORWARD ADDR=[unavailable] IDENT=3CF6B2AAE8 SOURCE=LOCAL NAME=a+2Bb',
  'RCPT TO:<Postmaster>',
  'MAIL FROM:<>',
  'BDAT 86000 LAST',
  'BURL imap://a@b.test/INBOX/;UID=1;URLAUTH=submit+a:internal:91354a473744909de610943775f92038 LAST',
  'AUTH PLAIN AGEAYg==',
  'MAIL FROM:<用户@例え.test> SMTPUTF8',
  'RCPT TO:<a@[192.0.2.1]>',
].map((text) => Buffer.from(text));

export function fuzz(octets: Uint8Array): void {
  const parsed = parseCommand(Buffer.from(octets));
  if (!parsed.ok || (parsed.value.verb !== 'MAIL' && parsed.value.verb !== 'RCPT')) return;
  const path = parsed.value.verb === 'MAIL' ? parsed.value.reversePath : parsed.value.forwardPath;
  if (path === null || path.domain === null) return;
  const written = formatPath(path);
  assert.ok(!/[\r\n\0]/.test(written));
  const again = scanPath(written, 0);
  // Quoting may make a local part longer than the limit; nothing else may change.
  if (again.kind === 'malformed') assert.equal(again.problem, 'local-part-too-long');
  else assert.deepEqual(again, { kind: 'address', address: path, end: written.length });
}
