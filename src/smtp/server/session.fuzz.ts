/** Whole sessions of every role on ports in memory: octets of any kind are answered, and leave nothing open behind. */
import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { FORWARDER_ADDRESS, office, Talk } from '../../../test/support/smtp-ports.ts';
import { err, ok } from '../../base/result.ts';
import type { UrlContents } from './ports.ts';
import { LMTP, RELAY, SUBMISSION } from './role.ts';

export const covers: RegExp = /src\/(?:smtp\/(?:server|wire)|sasl)\/.*\.ts$/;

const ROLES = [RELAY, SUBMISSION, LMTP];

/** The first octet picks role, TLS, the cut, and whether a trusted forwarder speaks. */
export const seeds: readonly Uint8Array[] = [
  '\x00EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nx\r\n..\r\n.\r\nQUIT\r\n',
  '\x04EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nMAIL FROM:<>\r\nRCPT TO:<x@y>\r\nBDAT 3\r\nabcBDAT 0 LAST\r\n',
  '\x04EHLO x\r\nAUTH LOGIN\r\nYWxpY2U=\r\nc2VjcmV0\r\nRSET\r\nNOOP\r\nHELP\r\nVRFY x\r\nEXPN x\r\n',
  '\x02LHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<full@example.test>\r\nRCPT TO:<a@example.test>\r\nDATA\r\n.\r\n',
  '\x00HELO x\r\nSTARTTLS\r\n',
  '\x80EHLO x\r\nXCLIENT NAME=a.test ADDR=IPV6:2001:db8::9 PORT=1 PROTO=SMTP HELO=[UNAVAILABLE] LOGIN=alice\r\nEHLO y\r\nMAIL FROM:<a@b.test>\r\n',
  '\x80EHLO x\r\nXFORWARD ADDR=192.0.2.9 IDENT=1\r\nMAIL FROM:<a@b.test> BODY=BINARYMIME BY=60;RT MT-PRIORITY=9\r\nRCPT TO:<alice@example.test>\r\nBDAT 2 LAST\r\n\n.',
  '\x04EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nMAIL FROM:<> HOLDFOR=60 REQUIRETLS\r\nVRFY alice@example.test\r\nEXPN team@example.test SMTPUTF8\r\nHELP MAIL\r\n',
  '\x04EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\nMAIL FROM:<>\r\nRCPT TO:<alice@example.test>\r\nBURL imap://a/b\r\nBDAT 2\r\nxyBURL imap://none/ LAST\r\nBURL imap://fault/ LAST\r\n',
].map((text) => Buffer.from(text, 'latin1'));

const URLS: UrlContents = {
  offer: ['imap'],
  open(url) {
    if (url.includes('fault')) return Promise.reject(new Error('away'));
    if (url.includes('none')) return Promise.resolve(err({ kind: 'not-found' }));
    return Promise.resolve(
      ok({
        octets: url.length,
        async *read() {
          yield Buffer.from(url);
        },
      }),
    );
  },
};

export async function fuzz(octets: Uint8Array): Promise<void> {
  const [choice = 0] = octets;
  const input = octets.subarray(1);
  const cut = input.length === 0 ? 0 : (choice >> 3) % input.length;
  const here = office({ role: ROLES[choice % 3] ?? RELAY, urls: URLS });
  const talk = new Talk(here, {
    tls: (choice & 4) !== 0,
    ...((choice & 128) === 0 ? {} : { clientAddress: FORWARDER_ADDRESS }),
  });
  void talk.client.write(input.subarray(0, cut));
  void talk.client.write(input.subarray(cut));
  await talk.hear();
  talk.client.destroy();
  await talk.done;
  assert.equal(here.open, 0, 'a sink was left open');
  for (const event of here.events) assert.notEqual(event.name, 'smtp.bug');
}
