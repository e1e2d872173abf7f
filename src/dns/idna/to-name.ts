/** Names as people write them, U-labels too, as the DNS knows them. Source: RFC 5890 §2.3.2.1, mapped by UTS 46. */
import { domainToASCII } from 'node:url';
import { toDnsName } from '../wire/question.ts';

/** Lower case A-labels without the final dot; undefined for what is no name. */
export function toName(text: string): string | undefined {
  // What is ASCII already is no business of a function that also reads addresses and percent signs.
  return toDnsName(/^[\0-\x7f]*$/.test(text) ? text : domainToASCII(text));
}
