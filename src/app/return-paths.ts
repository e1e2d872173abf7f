/** The reverse-paths of a post office, as its configuration wants them. */
import type { Config } from '../config/config.ts';
import { FORWARDING } from '../config/section/forwarding.ts';
import type { ReturnPathOptions } from '../delivery/return-paths.ts';

const { srs, srsHashCharacters, srsAgeDaysMax } = FORWARDING.properties;
const DEFAULTS: Config['forwarding'] = {
  srs: srs.default,
  srsHashCharacters: srsHashCharacters.default,
  srsAgeDaysMax: srsAgeDaysMax.default,
};

/** @param config undefined: that of `localserve` */
export function returnPathOptions(config: Config | undefined): ReturnPathOptions {
  const forwarding = config?.forwarding ?? DEFAULTS;
  return { srsDomain: undefined, ...forwarding, detailSeparator: config?.subaddressSeparator ?? '+' };
}
