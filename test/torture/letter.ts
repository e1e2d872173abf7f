/** Messages whose octets follow from their token, so that anybody can say what they must be. */
import { createHash } from 'node:crypto';

const LINE = 76;

/** @param octets about how many, at least a few hundred */
export function letterOf(token: string, octets: number): Buffer {
  const head = [
    'From: Torture <torture@sender.example>',
    'To: somebody@example.test',
    `Subject: ${token}`,
    `Message-ID: <${token}@torture.example>`,
    'Date: Mon, 02 Feb 2026 10:00:00 +0000',
    `X-Octets: ${octets}`,
    '',
    '',
  ].join('\r\n');
  const seed = createHash('sha512').update(token).digest('base64').slice(0, LINE);
  const line = `${seed}\r\n`;
  return Buffer.from(head + line.repeat(Math.max(1, Math.round((octets - head.length) / line.length))));
}

/** Whether these octets are the letter whole, behind whatever trace fields a delivery put before it. */
export function isLetter(octets: Buffer, token: string): boolean {
  const size = /^X-Octets: (\d+)\r$/m.exec(octets.toString('latin1', 0, 4096))?.[1];
  if (size === undefined) return false;
  const letter = letterOf(token, Number(size));
  return octets.length >= letter.length && octets.subarray(octets.length - letter.length).equals(letter);
}
