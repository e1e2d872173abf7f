/** What can be asked about a session that does not take place. */
import { isIP } from 'node:net';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import type { Config } from '../../config/config.ts';
import type { Rates } from '../../policy/rate.ts';
import type { MailStore } from '../../store/mail-store.ts';
import type { Simulation, SimulationPorts, SimulationRequest } from '../simulate/simulate.ts';
import { UnixUsers } from '../unix-users.ts';
import type { Fields } from './fields.ts';
import { BadRequest } from './fields.ts';
import type { ControlProblem } from './problem.ts';
import { directoryProblem } from './problem.ts';
import type { QueueControlPorts } from './queue-methods.ts';

export type SimulateMethods = {
  simulate: {
    params: {
      /** An IP address; left out with `user`. */
      readonly client?: string;
      /** Left out: `client.invalid`. */
      readonly helo?: string;
      /** '' is the null reverse-path. */
      readonly from: string;
      readonly to: readonly string[];
      /** One character for each octet; left out: a short one is made up. */
      readonly message?: string;
      /** Left out: `submission` where somebody signs in, else `smtp`. */
      readonly service?: 'smtp' | 'submission' | 'lmtp';
      /** The account that signs in. */
      readonly account?: string;
      /** A login name of the machine: one of its programs leaves the message by `sendmail`, and there is no session. */
      readonly user?: string;
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
    const client = fields.optionalText('client');
    const user = fields.optionalText('user');
    const helo = fields.optionalText('helo');
    const from = fields.text('from');
    const to = fields.texts('to');
    const message = fields.optionalText('message');
    const service = fields.oneOf('service', ['smtp', 'submission', 'lmtp'] as const);
    const account = fields.optionalText('account');
    const tls = fields.flag('tls');
    fields.end();
    if (to.length === 0) throw new BadRequest('to is empty');
    if ([helo ?? '', from, ...to].some((text) => /[\r\n]/.test(text)))
      throw new BadRequest('A line ends within a value');
    if (user === undefined) {
      if (client === undefined) throw new BadRequest('One of client and user is needed');
      return inSession(ports, { client, helo, from, to, message, service, account, tls: tls ?? false });
    }
    if ([client, helo, service, account, tls].some((one) => one !== undefined))
      throw new BadRequest('A program of this machine has no session: user stands alone');
    return fromProgram(ports, user, { from, to, message });
  },
};

type Envelope = {
  readonly from: string;
  readonly to: readonly string[];
  readonly message: string | undefined;
};

async function inSession(
  ports: SimulateControlPorts,
  asked: Envelope & {
    readonly client: string;
    readonly helo: string | undefined;
    readonly service: SimulationRequest['service'] | undefined;
    readonly account: string | undefined;
    readonly tls: boolean;
  },
): ReturnType<Run> {
  const { client, helo = 'client.invalid', from, to, message, account, tls } = asked;
  if (isIP(client) === 0) throw new BadRequest(`${JSON.stringify(client.slice(0, 60))} is no IP address`);
  const principal = account === undefined ? undefined : await principalOf(ports, account);
  if (account !== undefined && principal === undefined)
    return err(directoryProblem({ kind: 'not-found' }, account));
  const service = asked.service ?? (principal === undefined ? 'smtp' : 'submission');
  if (principal !== undefined && service !== 'submission')
    throw new BadRequest('Nobody signs in there: an account goes with the service submission');
  // Loaded only now: nothing else here needs a whole session.
  const { simulate } = await import('../simulate/simulate.ts');
  const isTls = tls || principal !== undefined;
  const request = { client, helo, from, to, message, service, principal, isTls };
  return ok({ simulation: await simulate(await simulationPorts(ports), request) });
}

async function fromProgram(ports: SimulateControlPorts, name: string, envelope: Envelope): ReturnType<Run> {
  const users = new UnixUsers();
  const user = users.byName(name);
  if (user === undefined)
    throw new BadRequest(`${JSON.stringify(name.slice(0, 60))} is no user of this machine`);
  const simulation = await simulationPorts(ports);
  if (!simulation.config.sendmail.enabled)
    throw new BadRequest('Mail of programs is not taken: sendmail.enabled is false');
  const { simulatePickup } = await import('../simulate/simulate-pickup.ts');
  return ok({
    simulation: await simulatePickup(simulation, { ...envelope, user, users }),
  });
}

async function simulationPorts(ports: SimulateControlPorts): Promise<SimulationPorts> {
  const { clock, directory, returnPaths } = ports;
  const { config, rates } = await ports.simulation();
  return { config, rates, clock, directory, returnPaths, mail: await ports.mailStore() };
}

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
