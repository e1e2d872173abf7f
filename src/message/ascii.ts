/** Case and blanks of ASCII in raw text: other octets stay what they are ("µ" would become two octets, "Ã" another). */

const EIGHT_BIT = /[\x80-\xff]/;

export function asciiLower(raw: string): string {
  return EIGHT_BIT.test(raw) ? raw.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : raw.toLowerCase();
}

export function asciiUpper(raw: string): string {
  return EIGHT_BIT.test(raw) ? raw.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : raw.toUpperCase();
}

/** Without ASCII white space at both ends. `trim` would take 0xA0 for a blank, which ends many characters in UTF-8. */
export function asciiTrim(raw: string): string {
  let start = 0;
  let end = raw.length;
  while (start < end && isAsciiBlank(raw.charCodeAt(start))) start += 1;
  while (end > start && isAsciiBlank(raw.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === raw.length ? raw : raw.slice(start, end);
}

function isAsciiBlank(code: number): boolean {
  return code === 0x20 || (code >= 0x09 && code <= 0x0d);
}
