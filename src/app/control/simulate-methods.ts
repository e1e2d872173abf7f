/** What can be asked about a session that does not take place. */
import { isIP } from 'node:net';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Config } from '../../config/config.ts';
import type { Rates } from '../../policy/rate.ts';
import type { MailStore } from '../../store/mail-store.ts';
import type { Simulation, SimulationRequest } from '../simulate/simulate.ts';
import type { Fields } from './fields.ts';
import { BadRequest } from './fields.ts';
import type { ControlProblem } from './problem.ts';
import { directoryProblem } from './problem.ts';
import type { QueueControlPorts } from './queue-methods.ts';

export type SimulateMethods = {
  simulate: {
    params: {
      /** An IP address. */
      readonly client: string;
      readonly helo: string;
      /** '' is the null reverse-path. */
      readonly from: string;
      readonly to: readonly string[];
      /** One character for each octet; left out: a short one is made up. */
      readonly message?: string;
      /** Left out: `submission` where somebody signs in, else `smtp`. */
      readonly service?: 'smtp' | 'submission' | 'lmtp';
      /** The account that signs in. */
      readonly account?: string;
      /** Whether TLS is under it; where somebody signs in it is. */
      readonly tls?: boolean;
    };
    result: { readonly simulation: Simulation };
  };
};

export type SimulateControlPorts = Pick<QueueControlPorts, 'clock' | 'directory' | 'returnPaths'> & {
  mailStore(): Promise<MailStore>;
  /** What the post office runs, or would run, with. */
  simulation(): Promise<{ readonly config: Config; readonly rates: Rates }>;
};

type Run = (
  fields: Fields,
  ports: SimulateControlPorts,
) => Promise<Result<SimulateMethods['simulate']['result'], ControlProblem>>;

export const SIMULATE_METHODS: { readonly simulate: Run } = {
  simulate: async (fields, ports) => {
    const client = fields.text('client');
    const helo = fields.text('helo');
    const from = fields.text('from');
    const to = fields.texts('to');
    const message = fields.optionalText('message');
    const wanted = fields.oneOf('service', ['smtp', 'submission', 'lmtp'] as const);
    const address = fields.optionalText('account');
    const tls = fields.flag('tls') ?? false;
    fields.end();
    if (isIP(client) === 0) throw new BadRequest(`${JSON.stringify(client.slice(0, 60))} is no IP address`);
    if (to.length === 0) throw new BadRequest('to is empty');
    if ([helo, from, ...to].some((text) => /[\r\n]/.test(text)))
      throw new BadRequest('A line ends within a value');
    const principal = address === undefined ? undefined : await principalOf(ports, address);
    if (address !== undefined && principal === undefined)
      return err(directoryProblem({ kind: 'not-found' }, address));
    const service = wanted ?? (principal === undefined ? 'smtp' : 'submission');
    if (principal !== undefined && service !== 'submission')
      throw new BadRequest('Nobody signs in there: an account goes with the service submission');
    // Loaded only now: nothing else here needs a whole session.
    const { simulate } = await import('../simulate/simulate.ts');
    const { config, rates } = await ports.simulation();
    const { clock, directory, returnPaths } = ports;
    const mail = await ports.mailStore();
    const isTls = tls || principal !== undefined;
    const request = { client, helo, from, to, message, service, principal, isTls };
    return ok({
      simulation: await simulate({ config, rates, clock, directory, returnPaths, mail }, request),
    });
  },
};

async function principalOf(
  { directory }: SimulateControlPorts,
  address: string,
): Promise<SimulationRequest['principal']> {
  const account = await directory.accountByAddress(address);
  if (account === undefined) return undefined;
  const { id, disabled } = account;
  return {
    address: account.address,
    account: id,
    authenticationId: address,
    appPassword: undefined,
    isDisabled: disabled,
  };
}
