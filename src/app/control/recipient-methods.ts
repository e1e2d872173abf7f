/** What can be asked about recipients before a message is taken. */
import type { Directory } from '../../auth/directory.ts';
import { LIMITS } from '../../base/limits.ts';
import { ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { ReturnPaths } from '../../delivery/return-paths.ts';
import { BadRequest, type Fields } from './fields.ts';
import type { ControlProblem } from './problem.ts';

export type RecipientMethods = {
  /** Which of these nobody here has, at domains of ours. At most {@link LIMITS.controlPageMax} at once. */
  'recipient.unknown': {
    params: { readonly addresses: readonly string[] };
    result: { readonly unknown: readonly string[] };
  };
};

type Run<Method extends keyof RecipientMethods> = (
  fields: Fields,
  ports: { readonly directory: Pick<Directory, 'resolve'>; readonly returnPaths: ReturnPaths },
) => Promise<Result<RecipientMethods[Method]['result'], ControlProblem>>;

export const RECIPIENT_METHODS: { readonly [Method in keyof RecipientMethods]: Run<Method> } = {
  'recipient.unknown': async (fields, { directory, returnPaths }) => {
    const addresses = fields.texts('addresses');
    fields.end();
    if (addresses.length > LIMITS.controlPageMax)
      throw new BadRequest(`More than ${LIMITS.controlPageMax} addresses`);
    const unknown: string[] = [];
    for (const address of addresses) {
      // A rewritten address stands for another.
      if ((await returnPaths.original(address)) !== undefined) continue;
      const { kind } = await directory.resolve(address);
      if (kind === 'unknown' || kind === 'disabled') unknown.push(address);
    }
    return ok({ unknown });
  },
};
