/**
 * A password as SCRAM's clients are to normalise it before it is hashed: SASLprep, the mappings of RFC 4013 §2.1 and
 * NFKC of §2.2. What that profile prohibits is left as it is: who cannot type such a password signs in another way.
 */

/** RFC 3454 §B.1: commonly mapped to nothing. */
const NOTHING =
  /\u{ad}|\u{34f}|\u{1806}|[\u{180b}-\u{180d}]|[\u{200b}-\u{200d}]|\u{2060}|[\u{fe00}-\u{fe0f}]|\u{feff}/gu;
/** RFC 3454 §C.1.2: spaces other than the ASCII one. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;

/** Undefined where nothing is left: such a password proves nothing. */
export function saslPrep(password: string): string | undefined {
  const prepared = password.replaceAll(NOTHING, '').replaceAll(SPACES, ' ').normalize('NFKC');
  return prepared === '' ? undefined : prepared;
}
