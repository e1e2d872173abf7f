/** What can be asked about the ways of mail from outside the protocols. */
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { RouteExplanation, RouteQuestion } from '../../delivery/remote/explain.ts';
import type { Fields } from './fields.ts';
import type { ControlProblem } from './problem.ts';

export type RouteMethods = {
  'route.explain': {
    /** `from`: `null` is the null reverse-path. `account`: the address of who hands the mail in. */
    params: { readonly address: string; readonly from?: string | null; readonly account?: string };
    result: RouteExplanation;
  };
};

export type RouteControlPorts = {
  explainRoute(question: RouteQuestion): Promise<RouteExplanation | 'no-such-account'>;
};

export const ROUTE_METHODS: {
  readonly 'route.explain': (
    fields: Fields,
    ports: RouteControlPorts,
  ) => Promise<Result<RouteExplanation, ControlProblem>>;
} = {
  'route.explain': async (fields, ports) => {
    const address = fields.text('address');
    const from = fields.textOrNull('from');
    const account = fields.optionalText('account');
    fields.end();
    const sender = from === undefined ? (account ?? null) : from;
    const found = await ports.explainRoute({ address, sender, account });
    return found === 'no-such-account'
      ? err({ kind: 'not-found', message: `There is no account ${JSON.stringify(account)}` })
      : ok(found);
  },
};
