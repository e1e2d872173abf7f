/** Who answers for tokens, as the configuration names it. */
import { readFile } from 'node:fs/promises';
import { introspection } from '../auth/oauth/introspection.ts';
import type { TokenVerifier } from '../auth/token-verifier.ts';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import type { Config } from '../config/config.ts';

/** Undefined: nobody. Throws `Fault` where our secret cannot be read. */
export async function createTokenVerifier(
  { oauth }: Pick<Config, 'oauth'>,
  clock: Clock,
): Promise<TokenVerifier | undefined> {
  if (oauth === undefined) return undefined;
  const { introspectionUrl, clientId, clientSecretFile, scope, audience, addressField } = oauth;
  let text: string;
  try {
    text = await readFile(clientSecretFile, 'utf8');
  } catch (cause) {
    throw new Fault(`Reading ${clientSecretFile}`, cause);
  }
  const [clientSecret = ''] = text.split(/\r?\n/);
  return introspection({
    url: introspectionUrl,
    clientId,
    clientSecret,
    addressField,
    clock,
    ...(scope === undefined ? {} : { scope }),
    ...(audience === undefined ? {} : { audience }),
  });
}
