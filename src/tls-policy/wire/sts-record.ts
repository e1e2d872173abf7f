/**
 * The TXT record at `_mta-sts.DOMAIN`, which says that there is an MTA-STS policy and which. Pure; linear; never throws.
 * Source: RFC 8461 §3.1.
 */

/** Changes with the policy; the order of two ids means nothing. */
export type StsId = string;

const BEGINNING = 'v=STSv1;';
const ID = /^id=([A-Za-z0-9]{1,32})$/;
const FIELD = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,31}=[!-:<>-~]+$/;

/** @param texts all TXT records of the name @returns undefined where they are no sign of a policy */
export function parseStsRecords(texts: readonly string[]): StsId | undefined {
  const [text, ...others] = texts.filter((one) => one.startsWith(BEGINNING));
  if (text === undefined || others.length > 0) return undefined;
  const fields = text.slice(BEGINNING.length).split(';').map(trimBlanks);
  // One delimiter may stand at the end.
  if (fields.at(-1) === '') fields.pop();
  if (!fields.every((field) => FIELD.test(field))) return undefined;
  // RFC 8461 §3.2: of a field that comes twice the first counts.
  const id = fields.find((field) => field.startsWith('id='));
  return id === undefined ? undefined : ID.exec(id)?.[1];
}

/** A regular expression for this looks again from every blank. */
function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && ' \t'.includes(text.charAt(start))) start += 1;
  while (end > start && ' \t'.includes(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}
