/**
 * Variable envelope return paths: the recipient of a copy written into the reverse-path that it leaves with, so that a bounce
 * says by its own address whom it is about, whatever the host wrote into it. Pure. There is no RFC; the form is that of
 * Postfix's `XVERP` with its usual delimiters, `owner+user=domain@list.example`.
 */
import { LIMITS } from '../../base/limits.ts';
import { formatEnvelopeAddress, parseEnvelopeAddress } from '../../smtp/wire/path.ts';

/**
 * Undefined where it would be longer than a local part may be.
 *
 * @param separator what divides local part and detail at the owner's domain: a bounce reaches the owner as any subaddress does
 * @param at what stands for the recipient's `@`
 */
export function encodeVerp(
  owner: string,
  recipient: string,
  separator: string,
  at = '=',
): string | undefined {
  const to = parseEnvelopeAddress(recipient);
  const from = parseEnvelopeAddress(owner);
  if (from === undefined || to === undefined || separator === '') return undefined;
  const localPart = `${from.localPart}${separator}${to.localPart}${at}${to.domain}`;
  const tagged = formatEnvelopeAddress({ localPart, domain: from.domain });
  const written = tagged.slice(0, tagged.lastIndexOf('@'));
  return Buffer.byteLength(written) > LIMITS.smtpLocalPartOctetsMax ? undefined : tagged;
}

/** The recipient that a detail is the tag of: `user=domain`. Nothing proves it: whoever writes to the list sees the form. */
export function decodeVerp(detail: string): string | undefined {
  const equals = detail.lastIndexOf('=');
  if (equals < 1) return undefined;
  const address = formatEnvelopeAddress({
    localPart: detail.slice(0, equals),
    domain: detail.slice(equals + 1),
  });
  return parseEnvelopeAddress(address) === undefined ? undefined : address;
}
