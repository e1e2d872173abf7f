/** The port to the authority that gives out tokens. */

/**
 * The address of the person for whom the token was given, where it is good and meant for us; undefined for every token that
 * is not. Throws `Fault` where the authority cannot be asked.
 */
export type TokenVerifier = (token: string) => Promise<string | undefined>;
