/** What can be asked about the indexes of words. */
import type { Directory } from '../../auth/directory.ts';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { AccountId } from '../../store/ids.ts';
import type { Fields } from './fields.ts';
import type { ControlProblem } from './problem.ts';
import { directoryProblem } from './problem.ts';

export type SearchStatusView = {
  readonly address: string;
  /** Messages in the index. */
  readonly indexed: number;
  /** Messages that it has not come to; a search reads them. */
  readonly pending: number;
  /** Of those in it, the ones that a search reads all the same. */
  readonly unread: number;
};

export type SearchMethods = {
  'search.status': {
    params: { readonly address: string };
    result: { readonly search: SearchStatusView };
  };
  /** Of a running server it returns when the index is forgotten; of a stopped one when it is made again. */
  'search.reindex': {
    params: { readonly address: string };
    result: { readonly search: SearchStatusView };
  };
};

type Status = Omit<SearchStatusView, 'address'>;

export type SearchControl = {
  status(account: AccountId): Status;
  reindex(account: AccountId): Promise<void>;
};

/** Undefined where there is no index. */
export type SearchControlPorts = { readonly search: () => Promise<SearchControl | undefined> };

type Ports = SearchControlPorts & { readonly directory: Directory };
type Answer = Result<{ readonly search: SearchStatusView }, ControlProblem>;

export const SEARCH_METHODS: {
  readonly [Method in keyof SearchMethods]: (fields: Fields, ports: Ports) => Promise<Answer>;
} = {
  'search.status': async (fields, ports) => run(fields, ports, async () => undefined),
  'search.reindex': async (fields, ports) =>
    run(fields, ports, async (control, account) => control.reindex(account)),
};

async function run(
  fields: Fields,
  { directory, search }: Ports,
  act: (control: SearchControl, account: AccountId) => Promise<void>,
): Promise<Answer> {
  const address = fields.text('address');
  fields.end();
  const account = await directory.accountByAddress(address);
  if (account === undefined) return err(directoryProblem({ kind: 'not-found' }, address));
  const control = await search();
  if (control === undefined)
    return err({
      kind: 'bad-request',
      message: 'There is no search index: search.enabled is false, or the mail is in PostgreSQL',
    });
  await act(control, account.id);
  return ok({ search: { address: account.address, ...control.status(account.id) } });
}
