/** The reverse-paths of tests: rewritten, at the domain that forwards. */
import type { ReturnPathOptions } from '../../src/delivery/return-paths.ts';

export const RETURN_PATHS: ReturnPathOptions = {
  srs: true,
  srsDomain: undefined,
  srsHashCharacters: 4,
  srsAgeDaysMax: 21,
  detailSeparator: '+',
};
