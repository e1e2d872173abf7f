/** What a server says. Sources: RFC 1939 §3, RFC 2449 §8, RFC 3206 §4 and §5, RFC 6856 §5. */

/** Codes of refusals, as clients understand them. */
export type ResponseCode = 'IN-USE' | 'SYS/TEMP' | 'SYS/PERM' | 'AUTH' | 'UTF8';

export type Refusal = { readonly code?: ResponseCode; readonly text: string };

export function positive(text: string): string {
  return `+OK ${text}\r\n`;
}

export function negative({ code, text }: Refusal): string {
  return code === undefined ? `-ERR ${text}\r\n` : `-ERR [${code}] ${text}\r\n`;
}

/** @param lines none begins with a dot */
export function listing(text: string, lines: readonly string[]): string {
  return `+OK ${text}\r\n${lines.map((line) => `${line}\r\n`).join('')}.\r\n`;
}
