/** What can be asked about rewritten addresses. */
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Fields } from './fields.ts';
import type { QueueControlPorts } from './queue-methods.ts';
import type { ControlProblem } from './problem.ts';
import { directoryProblem } from './problem.ts';

export type SrsView = {
  readonly address: string;
  /** What a report to it would meet. */
  readonly state: 'valid' | 'expired' | 'bad-hash';
  /** Whom it stands for; `null` where it is not valid. */
  readonly original: string | null;
};

export type SrsMethods = {
  /** `not-found` where the address is none of ours that was rewritten. */
  'srs.show': { params: { readonly address: string }; result: { readonly srs: SrsView } };
  'srs.rotate': {
    params: {
      /** Left out: a random one. */
      readonly secret?: string;
      /** Addresses that were made with others are refused from now on. */
      readonly only?: boolean;
    };
    /** How many prove now. */
    result: { readonly secrets: number };
  };
};

type Run<Method extends keyof SrsMethods> = (
  fields: Fields,
  ports: Pick<QueueControlPorts, 'directory' | 'returnPaths'>,
) => Promise<Result<SrsMethods[Method]['result'], ControlProblem>>;

export const SRS_METHODS: { readonly [Method in keyof SrsMethods]: Run<Method> } = {
  'srs.show': async (fields, { returnPaths }) => {
    const address = fields.text('address');
    fields.end();
    const found = await returnPaths.original(address);
    if (found === undefined) return err(directoryProblem({ kind: 'not-found' }, address));
    return found.kind === 'address'
      ? ok({ srs: { address, state: 'valid', original: found.address } })
      : ok({ srs: { address, state: found.kind, original: null } });
  },
  'srs.rotate': async (fields, { directory }) => {
    const secret = fields.optionalText('secret');
    const only = fields.flag('only') ?? false;
    fields.end();
    const added = await directory.addSecret('srs', secret, only);
    if (!added.ok) return err(directoryProblem(added.error, 'srs'));
    return ok({ secrets: (await directory.secrets('srs')).length });
  },
};
