/** Case of ASCII letters in raw text: other octets stay what they are ('µ' would become two octets, 'Ã' another). */

const EIGHT_BIT = /[\x80-\xff]/;

export function asciiLower(raw: string): string {
  return EIGHT_BIT.test(raw) ? raw.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : raw.toLowerCase();
}

export function asciiUpper(raw: string): string {
  return EIGHT_BIT.test(raw) ? raw.replace(/[a-z]+/g, (letters) => letters.toUpperCase()) : raw.toUpperCase();
}
