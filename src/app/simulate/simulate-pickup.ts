/**
 * Runs one message of a local program through the real taking from the maildrop and the real checks, and tells what each
 * stage said. As in a simulated session nothing is kept, sent or counted.
 */
import { Pickup } from '../../delivery/pickup.ts';
import type { PickupPorts } from '../../delivery/pickup.ts';
import type { MessagePolicy } from '../../delivery/pickup-checks.ts';
import type { IntakeMessage } from '../../delivery/intake.ts';
import type { CheckEvent } from '../../policy/event.ts';
import { Pipeline } from '../../policy/pipeline.ts';
import type { SessionChecks, StageAnswer } from '../../policy/session-checks.ts';
import { sessionChecks } from '../../policy/session-checks.ts';
import type { SendmailEvent } from '../../sendmail/event.ts';
import type { Maildrop } from '../../sendmail/maildrop.ts';
import { formatEnvelopeAddress } from '../../smtp/wire/path.ts';
import { pickupRules, sendmailDomain } from '../pickup.ts';
import type { UnixUsers } from '../unix-users.ts';
import { madeUp } from './script.ts';
import type { Simulation, SimulatedStep, SimulationPorts } from './simulate.ts';
import { simulatedChecks, toVerdict } from './simulate.ts';

export type PickupRequest = {
  /** Whose program it is. */
  readonly user: { readonly uid: number; readonly name: string };
  readonly users: Pick<UnixUsers, 'nameOf' | 'isUser'>;
  /** What it wants to send as; '' is the null reverse-path. */
  readonly from: string;
  readonly to: readonly string[];
  readonly message: string | undefined;
};

export async function simulatePickup(ports: SimulationPorts, request: PickupRequest): Promise<Simulation> {
  const { config, clock, directory } = ports;
  const steps: SimulatedStep[] = [];
  const verdicts: CheckEvent[] = [];
  const told: SendmailEvent[] = [];
  let taken: IntakeMessage | undefined;
  const pipeline = new Pipeline(simulatedChecks(ports), {
    clock,
    events: (event) => void verdicts.push(event),
  });
  const ask = sessionChecks(pipeline);
  const note = (step: Omit<SimulatedStep, 'verdicts'>): void =>
    void steps.push({ ...step, verdicts: verdicts.splice(0).map(toVerdict) });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const intake: PickupPorts['intake'] = {
    begin: () => ({
      write: () => undefined,
      commit: async (message) => {
        taken = message;
        return { kind: 'accepted' };
      },
      abort: () => undefined,
    }),
  };
  const pickup = new Pickup(
    {
      maildrop: maildropOf(completed(request, sendmailDomain(config)), clock.nowMs(), resolve),
      intake,
      directory,
      policy: () => shown(ask(), note),
      users: { nameOf: (uid) => request.users.nameOf(uid), isUser: (name) => request.users.isUser(name) },
      clock,
      events: (event) => {
        told.push(event);
        if (event.name === 'sendmail.fault') reject(event.cause);
        if (event.name === 'sendmail.deferred') resolve();
        if (event.name === 'sendmail.picked-up') note(pickedUp(event));
      },
    },
    pickupRules(config),
  );
  pickup.start();
  try {
    await promise;
  } finally {
    await pickup.stop();
  }
  const unknown = await noteUnknown(taken, ports, note);
  return { steps, ...outcomeOf(taken, unknown, told, steps) };
}

/** As `sendmail` does it: a name alone is at the domain of the machine's users. */
function completed(request: PickupRequest, domain: string): PickupRequest {
  const whole = (address: string): string =>
    address === '' || address.includes('@') || address.toLowerCase() === 'postmaster'
      ? address
      : `${address}@${domain}`;
  return { ...request, from: whole(request.from), to: request.to.map(whole) };
}

function maildropOf({ user, from, to, message }: PickupRequest, nowMs: number, done: () => void): Maildrop {
  const content = Buffer.from(message ?? madeUp({ from, to }), 'latin1');
  const envelope = {
    sender: from === '' ? null : from,
    recipients: to,
    notify: undefined,
    ret: undefined,
    envid: undefined,
    eightBit: content.some((octet) => octet > 0x7f),
  };
  return {
    list: async () => ['simulated'],
    open: async () => ({
      kind: 'message',
      message: {
        envelope,
        uid: user.uid,
        droppedAtMs: nowMs,
        octets: content.length,
        content: async function* () {
          yield content;
        },
        close: async () => undefined,
      },
    }),
    remove: async () => done(),
    setAside: async () => done(),
    watch: () => ({ close: () => undefined }),
  };
}

function pickedUp(
  event: Extract<SendmailEvent, { name: 'sendmail.picked-up' }>,
): Omit<SimulatedStep, 'verdicts'> {
  const { user, reversePath, wanted } = event;
  const not = wanted === undefined ? '' : `, as ${user} may not send as <${wanted}>`;
  return {
    stage: 'pickup',
    command: `(a program of ${user})`,
    code: 250,
    text: `Taken from the maildrop, from <${reversePath}>${not}`,
    reason: wanted === undefined ? null : 'sendmail.sender-changed',
  };
}

/** The checks of one message; each stage is noted as a client would hear it. */
function shown(checks: SessionChecks, note: (step: Omit<SimulatedStep, 'verdicts'>) => void): MessagePolicy {
  const told = async (
    stage: SimulatedStep['stage'],
    command: string,
    answer: StageAnswer | Promise<StageAnswer>,
  ): Promise<StageAnswer> => {
    const said = await answer;
    note({ stage, command, ...heard(said) });
    return said;
  };
  return {
    mail: (transaction, session) => {
      const { reversePath } = transaction;
      const from = reversePath === null ? '' : formatEnvelopeAddress(reversePath);
      return told('mail', `from <${from}>`, checks.mail(transaction, session));
    },
    recipient: (recipient, transaction, session) =>
      told(
        'recipient',
        `to <${formatEnvelopeAddress(recipient.forwardPath)}>`,
        checks.recipient(recipient, transaction, session),
      ),
    data: (transaction, session) => told('data', '', checks.data(transaction, session)),
    reader: (transaction, session) => checks.reader(transaction, session),
    message: (header, octets, transaction, session) =>
      told('message', `(${octets} octets)`, checks.message(header, octets, transaction, session)),
    disconnect: (session, activity) => checks.disconnect(session, activity),
  };
}

function heard(answer: StageAnswer): Pick<SimulatedStep, 'code' | 'text' | 'reason'> {
  if (answer.kind === 'refuse') {
    const { code, status, lines } = answer.reply;
    return { code, text: [status, ...lines].join(' ').trim(), reason: answer.reason };
  }
  return answer.kind === 'discard'
    ? { code: 250, text: 'Thrown away', reason: answer.reason }
    : { code: 250, text: 'Ok', reason: null };
}

/** Those of whom the intake finds that they are nobody's: the sender would get a report. */
async function noteUnknown(
  taken: IntakeMessage | undefined,
  { directory }: SimulationPorts,
  note: (step: Omit<SimulatedStep, 'verdicts'>) => void,
): Promise<ReadonlySet<string>> {
  const unknown = new Set<string>();
  for (const { forwardPath } of taken?.transaction.recipients ?? []) {
    const address = formatEnvelopeAddress(forwardPath);
    // oxlint-disable-next-line no-await-in-loop -- in the order that they are shown in
    const { kind } = await directory.resolve(address);
    if (kind !== 'unknown' && kind !== 'disabled') continue;
    unknown.add(address);
    note({
      stage: 'recipient',
      command: `to <${address}>`,
      code: 550,
      text: '5.1.1 No such mailbox here, its sender gets a report',
      reason: 'recipient.unknown',
    });
  }
  return unknown;
}

function outcomeOf(
  taken: IntakeMessage | undefined,
  unknown: ReadonlySet<string>,
  told: readonly SendmailEvent[],
  steps: readonly SimulatedStep[],
): Omit<Simulation, 'steps'> {
  const recipients = (taken?.transaction.recipients ?? [])
    .map(({ forwardPath }) => formatEnvelopeAddress(forwardPath))
    .filter((address) => !unknown.has(address));
  if (taken === undefined || recipients.length === 0) {
    const isDeferred = told.some(({ name }) => name === 'sendmail.deferred');
    const outcome = isDeferred ? 'deferred' : steps.some(({ code }) => code >= 500) ? 'refused' : 'discarded';
    return { outcome, hold: null, recipients: [], fields: '' };
  }
  const { hold, prefix } = taken;
  const fields = Buffer.from(prefix).toString('utf8');
  return {
    outcome: hold === undefined ? 'accepted' : 'held',
    hold: hold ?? null,
    recipients,
    fields: fields.slice(0, fields.lastIndexOf('Received:')),
  };
}
