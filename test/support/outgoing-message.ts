/** A message for tests of the SMTP client, with everything that a test does not care about filled in. */
import type { OutgoingMessage } from '../../src/smtp/client/message.ts';
import type { EnvelopeAddress } from '../../src/smtp/wire/path.ts';
import { parseEnvelopeAddress } from '../../src/smtp/wire/path.ts';

/** Throws for what is no address. */
export function envelopeAddress(text: string): EnvelopeAddress {
  const parsed = parseEnvelopeAddress(text);
  if (parsed === undefined) throw new TypeError(`${text} is no address`);
  return parsed;
}

/** @param content one code unit for each octet */
export function outgoingMessage(
  to: readonly string[],
  content = 'Subject: x\r\n\r\nbody\r\n',
  change: Partial<OutgoingMessage> = {},
): OutgoingMessage {
  const octets = Buffer.from(content, 'latin1');
  return {
    reversePath: envelopeAddress('bob@away.test'),
    recipients: to.map((text) => ({ forwardPath: envelopeAddress(text) })),
    body: '7BIT',
    smtpUtf8: false,
    octets: octets.length,
    content: () => [octets],
    ...change,
  };
}
