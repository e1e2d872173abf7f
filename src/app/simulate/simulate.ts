/**
 * Runs one session on given facts through the real session, recipients and checks, and tells what each stage said. Nothing
 * is kept, sent, counted, slowed or suspended: rates are looked at, the message goes nowhere.
 */
import type { Directory } from '../../auth/directory.ts';
import type { Principal } from '../../auth/principal.ts';
import type { SignIn } from '../../auth/sign-in.ts';
import type { Clock } from '../../base/clock.ts';
import type { TlsInfo } from '../../base/connection.ts';
import { err, ok } from '../../base/result.ts';
import type { Config } from '../../config/config.ts';
import { RecipientVerifier } from '../../delivery/recipient-verifier.ts';
import { Relaying } from '../../delivery/relaying.ts';
import type { ReturnPaths } from '../../delivery/return-paths.ts';
import type { CheckEvent } from '../../policy/event.ts';
import { Pipeline } from '../../policy/pipeline.ts';
import { withoutCounting, type Rates } from '../../policy/rate.ts';
import { sessionChecks } from '../../policy/session-checks.ts';
import { createQueueIds } from '../../queue/queue-id.ts';
import type { SmtpEvent } from '../../smtp/server/event.ts';
import type { CompleteMessage, Intake } from '../../smtp/server/ports.ts';
import { LMTP, RELAY, SUBMISSION } from '../../smtp/server/role.ts';
import { formatEnvelopeAddress } from '../../smtp/wire/path.ts';
import { serveSmtp } from '../../smtp/server/session.ts';
import { encodeBase64 } from '../../sasl/base64.ts';
import type { MailStore } from '../../store/mail-store.ts';
import { addressQueries } from '../address-queries.ts';
import { withoutBlindCopies } from '../blind-copies.ts';
import { composeChecks } from '../compose-policy.ts';
import { createRouter, RouteAccounts } from '../routes.ts';
import { extensionsOf, smtpLimitsOf } from '../smtp-settings.ts';
import { systemRandom } from '../system.ts';
import { createTrust } from '../trust.ts';
import { ScriptedConnection } from './scripted-connection.ts';
import { script, type Said, type SimulatedStage } from './script.ts';

export type SimulationPorts = {
  readonly config: Config;
  /** Those of the running server; or fresh ones. */
  readonly rates: Rates;
  readonly clock: Clock;
  readonly directory: Directory;
  readonly returnPaths: ReturnPaths;
  readonly mail: Pick<MailStore, 'quota'>;
};

export type SimulationRequest = {
  readonly client: string;
  readonly helo: string;
  /** '' is the null reverse-path. */
  readonly from: string;
  readonly to: readonly string[];
  /** With CRLF; undefined: a short one is made up. */
  readonly message: string | undefined;
  readonly service: 'smtp' | 'submission' | 'lmtp';
  /** Who has signed in. */
  readonly principal: (Principal & { readonly isDisabled: boolean }) | undefined;
  readonly isTls: boolean;
};

export type SimulatedVerdict = {
  readonly check: string;
  readonly verdict: string;
  readonly reason: string;
  readonly tags: readonly string[];
};

export type SimulatedStep = {
  readonly stage: SimulatedStage | 'pickup';
  /** What the client said, secrets apart. */
  readonly command: string;
  readonly code: number;
  readonly text: string;
  /** Of the session's own refusal, or of the check's. */
  readonly reason: string | null;
  readonly verdicts: readonly SimulatedVerdict[];
};

export type Simulation = {
  readonly steps: readonly SimulatedStep[];
  readonly outcome: 'accepted' | 'held' | 'discarded' | 'deferred' | 'refused';
  /** Why it is held. */
  readonly hold: { readonly reason: string; readonly text: string } | null;
  /** Those who would get it. */
  readonly recipients: readonly string[];
  /** Fields that would be put before it. */
  readonly fields: string;
};

const ROLES = { smtp: RELAY, submission: SUBMISSION, lmtp: LMTP };

export async function simulate(ports: SimulationPorts, request: SimulationRequest): Promise<Simulation> {
  const { config, clock, directory, returnPaths, mail } = ports;
  const said: Said[] = [];
  const verdicts: CheckEvent[] = [];
  const refusals: SmtpEvent[] = [];
  const steps: SimulatedStep[] = [];
  let taken: CompleteMessage | undefined;
  let isDiscarded = false;
  const pipeline = new Pipeline(simulatedChecks(ports), {
    clock,
    events: (event) => void verdicts.push(event),
  });
  const dialogue = script(request);
  const connection = new ScriptedConnection({
    remote: { address: request.client, port: 0 },
    local: { address: '127.0.0.1', port: config.listeners[request.service].port },
    tls: request.isTls ? SIMULATED_TLS : undefined,
    next: (heard) => {
      const last = said.at(-1);
      if (heard !== '') steps.push(toStep(last ?? CONNECTED, heard, verdicts.splice(0), refusals.splice(0)));
      const next = dialogue.next(heard);
      if (next.done === true) return undefined;
      said.push(next.value);
      return next.value.octets;
    },
  });
  const accounts = new RouteAccounts(config, directory, clock, () => undefined);
  await accounts.start();
  try {
    const recipients = new RecipientVerifier({
      directory,
      router: createRouter(config, new Map(), (address) => accounts.idOf(address)),
      mail,
      returnPaths,
      clock,
      relaying: new Relaying(config.relaying),
    });
    const intake: Intake = {
      begin: () => ({
        write: () => undefined,
        commit: (message) => {
          taken = message;
          return { kind: 'accepted' };
        },
        abort: () => undefined,
      }),
    };
    await serveSmtp(connection, {
      role: ROLES[request.service],
      limits: smtpLimitsOf(config),
      extensions: extensionsOf(config),
      trust: createTrust(config),
      hostname: config.hostname,
      startTls: false,
      clock,
      traceId: createQueueIds(clock, systemRandom),
      signIn: request.principal === undefined ? undefined : signInAs(request.principal),
      recipients,
      addresses: addressQueries(directory),
      intake: request.service === 'submission' ? withoutBlindCopies(intake) : intake,
      policy: sessionChecks(pipeline)(),
      events: (event) => {
        if (event.name === 'smtp.command-refused' || event.name === 'smtp.message-refused')
          refusals.push(event);
        if (event.name === 'smtp.message-discarded') isDiscarded = true;
      },
      shutdown: new AbortController().signal,
    });
  } finally {
    accounts.stop();
  }
  return { steps, ...outcomeOf(steps, taken, isDiscarded) };
}

/** The real ones, over rates that are not counted. */
export function simulatedChecks({
  config,
  rates,
  clock,
  directory,
}: SimulationPorts): ReturnType<typeof composeChecks> {
  return composeChecks({
    // Nobody waits for an answer here.
    config: { ...config, rates: { ...config.rates, slowAfterErrors: 0 } },
    directory,
    // No simulated MAIL asks for a later release.
    queue: { scheduled: async () => ({ messages: 0, octets: 0 }) },
    clock,
    newId: createQueueIds(clock, systemRandom),
    rates: withoutCounting(rates),
    gauge: { enter: () => () => undefined },
    trust: createTrust(config),
    suspend: () => undefined,
  });
}

function toStep(
  { stage, command }: Pick<Said, 'stage' | 'command'>,
  heard: string,
  verdicts: readonly CheckEvent[],
  refusals: readonly SmtpEvent[],
): SimulatedStep {
  const lines = heard.trimEnd().split('\r\n');
  const last = lines.at(-1) ?? '';
  const [refusal] = refusals;
  return {
    stage,
    command,
    code: Number(last.slice(0, 3)),
    text: last.slice(4),
    reason: refusal !== undefined && 'reason' in refusal ? refusal.reason : null,
    verdicts: verdicts.map(toVerdict),
  };
}

export function toVerdict(event: CheckEvent): SimulatedVerdict {
  const { check } = event;
  if (event.name === 'policy.check-failed')
    return {
      check,
      verdict: event.outcome === 'deferred' ? 'defer' : 'accept',
      reason: 'policy.check-failed',
      tags: [],
    };
  const { verdict, reason, tags = '' } = event;
  return { check, verdict, reason, tags: tags === '' ? [] : tags.split(' ') };
}

function outcomeOf(
  steps: readonly SimulatedStep[],
  taken: CompleteMessage | undefined,
  isDiscarded: boolean,
): Omit<Simulation, 'steps'> {
  if (taken !== undefined) {
    const { hold, transaction, prefix } = taken;
    const fields = Buffer.from(prefix).toString('utf8');
    return {
      outcome: hold === undefined ? 'accepted' : 'held',
      hold: hold ?? null,
      recipients: transaction.recipients.map(({ forwardPath }) => formatEnvelopeAddress(forwardPath)),
      // The trace field is of a session that was none.
      fields: fields.slice(0, fields.lastIndexOf('Received:')),
    };
  }
  const refusal = steps.findLast(({ code }) => code >= 400);
  const outcome = isDiscarded ? 'discarded' : (refusal?.code ?? 0) >= 500 ? 'refused' : 'deferred';
  return { outcome, hold: null, recipients: [], fields: '' };
}

/** Lets in whoever the simulation is about, by any password. */
function signInAs({ isDisabled, ...principal }: NonNullable<SimulationRequest['principal']>): SignIn {
  return {
    allowed: () => new Set(['PLAIN']),
    nonce: () => encodeBase64(systemRandom.octets(18)),
    tokenHints: {},
    vouchedFor: async () => err({ kind: 'refused' }),
    verifier: () => ({
      isWithClaim: () => true,
      salt: () => Promise.reject(new TypeError('PLAIN asks for no salt')),
      verify: async () =>
        isDisabled ? err({ kind: 'disabled' }) : ok({ identity: principal, serverSignature: undefined }),
    }),
  };
}

const CONNECTED = { stage: 'connect', command: '' } as const;

const SIMULATED_TLS: TlsInfo = {
  protocol: 'TLSv1.3',
  cipher: 'TLS_AES_256_GCM_SHA384',
  servername: undefined,
  peerVerified: false,
  channelBindings: () => new Map(),
};
