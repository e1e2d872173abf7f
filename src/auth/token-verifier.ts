/** The port to the authority that gives out tokens. */
import type { Turn } from './turn.ts';

/**
 * The address of the person for whom the token was given, where it is good and meant for us; undefined for every token that
 * is not. Throws `Fault` where the authority cannot be asked.
 *
 * @param turn when, where others want to know of theirs
 */
export type TokenVerifier = (token: string, turn: Turn) => Promise<string | undefined>;
