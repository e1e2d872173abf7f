/** The ports of a receiving session, in memory: what a test wants answered goes in, what was taken comes out. */
import type { Principal } from '../../src/auth/principal.ts';
import type { SmtpServerDeps } from '../../src/smtp/server/deps.ts';
import type { SmtpEvent } from '../../src/smtp/server/event.ts';
import { SMTP_EXTENSIONS } from '../../src/smtp/server/extensions.ts';
import { SMTP_LIMITS } from '../../src/smtp/server/limits.ts';
import type { AddressAnswer, CommitOutcome, CompleteMessage } from '../../src/smtp/server/ports.ts';
import { RELAY } from '../../src/smtp/server/role.ts';
import { reply } from '../../src/smtp/wire/reply.ts';
import { toAccountId } from '../../src/store/ids.ts';
import { FakeClock } from './fake-clock.ts';
import { signInWith } from './sign-in.ts';
import { memoryPair } from './memory-connection.ts';
import type { MemoryConnection, MemoryOptions } from './memory-connection.ts';
import { serveSmtp } from '../../src/smtp/server/session.ts';

export type TakenMessage = CompleteMessage & { readonly content: string };

export type Office = {
  readonly deps: SmtpServerDeps;
  readonly clock: FakeClock;
  readonly taken: TakenMessage[];
  readonly events: SmtpEvent[];
  readonly shutdown: AbortController;
  /** Sinks begun and neither committed nor aborted. */
  open: number;
};

/** Recipients at example.test exist, except `nobody`; `full` is over quota; all else is relaying, for the authenticated. */
export function office(
  change: Partial<Omit<SmtpServerDeps, 'clock'>> & {
    commit?: (message: CompleteMessage) => CommitOutcome;
  } = {},
): Office {
  const clock = new FakeClock();
  const shutdown = new AbortController();
  const taken: TakenMessage[] = [];
  const events: SmtpEvent[] = [];
  let ids = 0;
  const { commit, ...deps } = change;
  const here: Office = {
    clock,
    taken,
    events,
    shutdown,
    open: 0,
    deps: {
      role: RELAY,
      limits: SMTP_LIMITS,
      extensions: SMTP_EXTENSIONS,
      trust: {
        isPeer: (address) => address === PEER_ADDRESS,
        isForwarder: (address) => address === FORWARDER_ADDRESS,
      },
      addresses: { find: (address) => ADDRESSES[address.toLowerCase()] ?? { kind: 'unknown' } },
      hostname: 'mail.example.test',
      startTls: true,
      clock,
      traceId: () => `trace${String((ids += 1)).padStart(3, '0')}`,
      signIn: signInWith({ password: 'secret', principals: new Map([['alice', ALICE]]) }),
      recipients: {
        verify(path, _transaction, session) {
          const refuse = (reason: string, answer: ReturnType<typeof reply>) =>
            ({ kind: 'refuse', reason, reply: answer }) as const;
          if (path.domain !== '' && path.domain.toLowerCase() !== 'example.test') {
            return session.principal === undefined
              ? refuse('relay-denied', reply(550, '5.7.1', 'Relaying denied'))
              : { kind: 'accept' };
          }
          if (path.localPart === 'nobody') return refuse('unknown-user', reply(550, '5.1.1', 'No such user'));
          if (path.localPart === 'full')
            return Promise.resolve(refuse('over-quota', reply(452, '4.2.2', 'Mailbox full')));
          if (path.localPart === 'fault') throw new Error('directory away');
          return path.localPart === 'slow' ? Promise.resolve({ kind: 'accept' }) : { kind: 'accept' };
        },
      },
      intake: {
        begin() {
          here.open += 1;
          const pieces: Uint8Array[] = [];
          return {
            write(octets) {
              pieces.push(octets);
              return undefined;
            },
            commit(message) {
              here.open -= 1;
              const outcome = commit?.(message) ?? { kind: 'accepted' };
              if (outcome.kind !== 'refuse')
                taken.push({ ...message, content: Buffer.concat(pieces).toString('latin1') });
              return Promise.resolve(outcome);
            },
            abort() {
              here.open -= 1;
            },
          };
        },
      },
      policy: {},
      events: (event) => void events.push(event),
      shutdown: shutdown.signal,
      ...deps,
    },
  };
  return here;
}

/** Whom {@link office} trusts. */
export const PEER_ADDRESS = '198.51.100.9';
export const FORWARDER_ADDRESS = '198.51.100.7';

/** What {@link office} answers to VRFY and EXPN. */
const ADDRESSES: Readonly<Record<string, AddressAnswer>> = {
  'alice@example.test': { kind: 'found', addresses: ['alice@example.test'] },
  'team@example.test': { kind: 'found', addresses: ['alice@example.test', 'x@away.test'] },
  'jörg@example.test': { kind: 'found', addresses: ['jörg@example.test'] },
  'x@away.test': { kind: 'unverifiable' },
  postmaster: { kind: 'found', addresses: ['alice@example.test'] },
};

const account = toAccountId(1);
if (account === undefined) throw new TypeError('1 is an account id');
export const ALICE: Principal = {
  address: 'alice@example.test',
  account,
  authenticationId: 'alice',
  appPassword: undefined,
};

/** Talks to a session: what is sent, and everything that came back until the session waits for more or is over. */
export class Talk {
  readonly office: Office;
  readonly client: MemoryConnection;
  readonly server: MemoryConnection;
  readonly done: Promise<void>;
  over = false;

  constructor(here: Office, options: MemoryOptions = {}, early = '') {
    const pair = memoryPair({ clock: here.clock, ...options });
    this.office = here;
    this.client = pair.client;
    this.server = pair.server;
    if (early !== '') void this.client.write(Buffer.from(early, 'latin1'));
    this.done = serveSmtp(pair.server, here.deps).then(() => {
      this.over = true;
    });
  }

  /** Sends octets (Latin-1), gives what the server says to them. */
  async say(text: string): Promise<string> {
    if (text !== '') void this.client.write(Buffer.from(text, 'latin1'));
    return this.hear();
  }

  async hear(): Promise<string> {
    let heard = '';
    for (let quiet = 0; quiet < 3; quiet += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      for (let chunk = this.client.tryRead(); chunk !== undefined; chunk = this.client.tryRead()) {
        heard += Buffer.from(chunk).toString('utf8');
        quiet = 0;
      }
    }
    return heard;
  }

  /** The codes and statuses of the replies' last lines: '250 2.1.0'. */
  async codes(text: string): Promise<string[]> {
    return toCodes(await this.say(text));
  }
}

export function toCodes(heard: string): string[] {
  return [...heard.matchAll(/^(\d{3}) (?:(\d\.\d+\.\d+) )?/gm)].map(([, code = '', status]) =>
    status === undefined ? code : `${code} ${status}`,
  );
}
