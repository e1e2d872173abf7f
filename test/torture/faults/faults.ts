/**
 * The fault test: single calls of a running server to its disk fail, one after the other, each in every way it can; and
 * now and then all calls for a while. Whatever a client asks meanwhile is answered; what is acknowledged is there; what is
 * refused is not; and soon after the last fault everything works again.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { fetchItems } from '../../../src/imap/wire/response-reader.ts';
import { startPostrider, type RunningPostrider } from '../../support/postrider.ts';
import { arrives, hasFlag, isExpunged, isMade, isMarked, isMoved } from '../changes.ts';
import { ACCOUNTS, addCrowd, CROWD, queueEmpties } from '../clients.ts';
import { ImapLink, LinkLost, readOctets, seeAll, uidsOf, type Answer } from '../imap-link.ts';
import { INBOX, Ledger, type Act, type MailboxRecord } from '../ledger.ts';
import { isLetter, letterOf } from '../letter.ts';
import { Seeded } from '../seeded.ts';
import { SmtpLink, type Reply } from '../smtp-link.ts';
import { FAULTS, Injector, type Fault } from './injector.ts';

export type FaultOptions = {
  readonly seed: number;
  /** Faults that are made. */
  readonly points: number;
  /** By name; all that a disk can have, where they are left out. */
  readonly faults?: Readonly<Record<string, Fault>>;
  readonly tell?: (line: string) => void;
  /** Whether the data stay where something was found; they do where it is left out. */
  readonly isKept?: boolean;
};

export type FaultReport = {
  readonly points: number;
  /** Of them, those that met a call. */
  readonly met: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Connections that ended without an answer. */
  readonly lost: number;
  readonly verified: number;
  /** From the end of a fault until everything worked, at most. */
  readonly recoveryMs: number;
};

const MAIN = fileURLToPath(new URL('../../../src/app/main.ts', import.meta.url));
/** An answer that takes longer never comes. */
const ANSWER_MS_MAX = 20_000;
/** From the end of the fault on. */
const RECOVERY_MS_MAX = 5000;
const VERIFY_EVERY = 40;
/** Of the calls that one turn makes, about. */
const CALLS_MAX = 160;
const OCTETS_MAX = 8000;
const LARGE_OCTETS = 1_300_000;
const FLAG = '\\Flagged';
const NAMES = ['Work', 'Done'];

/** Throws what it finds, with the seed that leads there. */
export async function injectFaults(options: FaultOptions): Promise<FaultReport> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'postrider-faults-')));
  const data = join(folder, 'data');
  const injector = await Injector.make(folder, data);
  const run = new Faults(options, injector);
  try {
    const report = await run.all(data);
    await rm(folder, { recursive: true });
    return report;
  } catch (cause) {
    if (options.isKept === false) await rm(folder, { recursive: true, force: true });
    else writeFileSync(join(folder, 'output'), run.said());
    throw new Error(`${run.doing}, seed ${options.seed}; its data and what it said are in ${folder}`, {
      cause,
    });
  } finally {
    injector.close();
  }
}

class Faults {
  /** For whoever reads what was found. */
  doing = 'at the start';
  said: () => string = () => '';
  readonly #options: FaultOptions;
  readonly #injector: Injector;
  readonly #random: Seeded;
  readonly #ledger = new Ledger();
  readonly #counts = { met: 0, refused: 0, lost: 0 };
  #tokens = 0;
  #recoveryMs = 0;
  #smtp: SmtpLink | undefined;
  #lmtp: SmtpLink | undefined;
  #imap: ImapLink | undefined;
  #folders: readonly MailboxRecord[] = [];

  constructor(options: FaultOptions, injector: Injector) {
    this.#options = options;
    this.#injector = injector;
    this.#random = new Seeded(options.seed);
  }

  async all(data: string): Promise<FaultReport> {
    const { points, tell } = this.#options;
    {
      await using server = await startPostrider({ directory: data, env: this.#injector.env });
      this.said = () => server.output();
      await addCrowd(server);
      await this.#begin(server);
      for (let point = 1; point <= points; point += 1) {
        await this.#point(server, point);
        if (point % VERIFY_EVERY === 0) {
          await this.#verify(server);
          tell?.(
            `${point} faults: ${this.#ledger.acknowledged} acknowledged, ${this.#counts.refused} refused`,
          );
        }
      }
      this.doing = 'at the end';
      await this.#verify(server);
      await server.kill();
    }
    this.doing = 'after the last restart';
    await using server = await startPostrider({ directory: data });
    await this.#verify(server);
    await server.stop();
    const fsck = spawnSync(process.execPath, [MAIN, 'fsck', '--dir', data], { encoding: 'utf8' });
    if (fsck.status !== 0) throw new Error(`fsck ended with ${fsck.status}:\n${fsck.stdout}${fsck.stderr}`);
    return {
      points,
      ...this.#counts,
      acknowledged: this.#ledger.acknowledged,
      verified: this.#ledger.checkedMessages,
      recoveryMs: this.#recoveryMs,
    };
  }

  async #begin(server: RunningPostrider): Promise<void> {
    const seen = new Map<string, Awaited<ReturnType<typeof seeAll>>>();
    for (const { name, login } of ACCOUNTS) {
      const link = await ImapLink.open(server.port('imaps'), login);
      seen.set(name, await seeAll(link));
      link.close();
    }
    this.#ledger.adopt(seen);
    this.#folders = NAMES.map((name) => this.#ledger.newMailbox('alice', name));
    for (const folder of this.#folders) {
      const act = this.#ledger.begin(`CREATE ${folder.state.name}`, [], [folder, isMade()]);
      await (await this.#imapOf(server)).must(`CREATE ${folder.state.name}`);
      this.#ledger.done(act);
    }
  }

  /** One fault, while everybody does one thing after the other; then all must work again. */
  async #point(server: RunningPostrider, point: number): Promise<void> {
    const random = this.#random;
    const [name, fault] = random.pick(Object.entries(this.#options.faults ?? FAULTS)) ?? [];
    if (fault === undefined) throw new TypeError('No fault to make');
    const from = 1 + random.below(CALLS_MAX);
    // One call, a few, or all that come.
    const count = random.pick([1, 1, 1, 3, name === 'slow' ? 3 : 1_000_000]) ?? 1;
    this.doing = `Fault ${point} (${name} from call ${from} on, ${count} of them)`;
    this.#injector.arm(fault, from, count);
    await this.#turn(server);
    const { hits, last } = this.#injector.disarm();
    if (hits > 0) this.#counts.met += 1;
    this.doing += `, ${hits} met, the last ${last}`;
    const endedMs = performance.now();
    for (;;) {
      if (await this.#works(server)) break;
      const tookMs = performance.now() - endedMs;
      if (tookMs > RECOVERY_MS_MAX) throw new Error(`Does not work ${tookMs} ms after the fault`);
      await pause(20);
    }
    this.#recoveryMs = Math.max(this.#recoveryMs, performance.now() - endedMs);
  }

  async #turn(server: RunningPostrider): Promise<void> {
    const acts: readonly (() => Promise<boolean>)[] = [
      () => this.#sendBySmtp(server, ['alice'], 0),
      () => this.#append(server),
      () => this.#sendByLmtp(server, 'bob'),
      () => this.#sendBySmtp(server, ['bob', 'alice'], 0),
      () => this.#store(server),
      () => this.#move(server),
      () => this.#read(server),
      () => this.#expunge(server),
      () => this.#sendBySmtp(server, ['alice'], CROWD),
    ];
    // Which of them the fault meets is chance: a turn begins anywhere.
    const first = this.#random.below(acts.length);
    for (const act of [...acts.slice(first), ...acts.slice(0, first)]) await act();
  }

  /** What everybody does all day. */
  async #works(server: RunningPostrider): Promise<boolean> {
    return (
      (await this.#sendBySmtp(server, ['alice'], 0)) &&
      (await this.#sendByLmtp(server, 'bob')) &&
      (await this.#append(server)) &&
      (await this.#store(server)) &&
      (await this.#read(server))
    );
  }

  async #smtpOf(server: RunningPostrider): Promise<SmtpLink> {
    return (this.#smtp ??= await SmtpLink.open(server.port('smtp'), 'EHLO'));
  }

  async #lmtpOf(server: RunningPostrider): Promise<SmtpLink> {
    return (this.#lmtp ??= await SmtpLink.open(server.port('lmtp'), 'LHLO'));
  }

  async #imapOf(server: RunningPostrider): Promise<ImapLink> {
    const [alice] = ACCOUNTS;
    if (alice === undefined) throw new TypeError('Nobody is here');
    return (this.#imap ??= await ImapLink.open(server.port('imaps'), alice.login));
  }

  /** Whether it was done. A connection that is lost is made anew for the next act. */
  async #attempt(what: string, act: () => Promise<boolean>): Promise<boolean> {
    const late = new AbortController();
    const hangs = pause(ANSWER_MS_MAX, undefined, { signal: late.signal }).then(
      () => {
        throw new Error(`${what} has no answer after ${ANSWER_MS_MAX} ms`);
      },
      () => false,
    );
    try {
      const isDone = await Promise.race([act(), hangs]);
      if (!isDone) this.#counts.refused += 1;
      return isDone;
    } catch (cause) {
      if (!(cause instanceof LinkLost)) throw cause;
      this.#counts.lost += 1;
      for (const link of [this.#smtp, this.#lmtp, this.#imap]) link?.close();
      this.#smtp = this.#lmtp = this.#imap = undefined;
      return false;
    } finally {
      late.abort();
    }
  }

  #sendBySmtp(server: RunningPostrider, accounts: readonly string[], crowd: number): Promise<boolean> {
    return this.#attempt('SMTP', async () => {
      const link = await this.#smtpOf(server);
      const token = this.#newToken();
      const crowded = Array.from({ length: crowd }, (_, index) => `crowd${index}`);
      const envelope = [
        'MAIL FROM:<torture@sender.example>',
        ...[...accounts, ...crowded].map(toRcpt),
        'DATA',
      ];
      if (!(await isTaken(link, envelope))) return false;
      const arriving = accounts.map(
        (account) =>
          [this.#ledger.newMessage(account, token), arrives(this.#ledger.mailbox(account, INBOX))] as const,
      );
      // With the crowd it goes through the queue, as one; else to one after the other.
      const acts =
        crowd > 0
          ? [this.#ledger.begin(`SMTP ${token}`, arriving)]
          : arriving.map((one) => this.#ledger.begin(`SMTP ${token}`, [one]));
      link.write(this.#letter(token));
      link.write('.\r\n');
      const reply = await link.reply();
      return acts.map((act) => this.#answered(act, reply)).every(Boolean);
    });
  }

  #sendByLmtp(server: RunningPostrider, account: string): Promise<boolean> {
    return this.#attempt('LMTP', async () => {
      const link = await this.#lmtpOf(server);
      const token = this.#newToken();
      if (!(await isTaken(link, ['MAIL FROM:<torture@sender.example>', toRcpt(account), 'DATA'])))
        return false;
      const inbox = this.#ledger.mailbox(account, INBOX);
      const act = this.#ledger.begin(`LMTP ${token}`, [
        [this.#ledger.newMessage(account, token), arrives(inbox)],
      ]);
      link.write(this.#letter(token));
      link.write('.\r\n');
      return this.#answered(act, await link.reply());
    });
  }

  #answered(act: Act, { code, text }: Reply): boolean {
    if (code === 421) throw new LinkLost(text);
    if (code === 250) this.#ledger.done(act);
    else if (code === 451 || code === 452) this.#ledger.refused(act);
    // A fault of ours is never the sender's.
    else throw new Error(`${act.what} was answered ${text}`);
    return code === 250;
  }

  #append(server: RunningPostrider): Promise<boolean> {
    return this.#attempt('APPEND', async () => {
      const link = await this.#imapOf(server);
      const folder = this.#folder(0);
      const token = this.#newToken();
      const record = this.#ledger.newMessage('alice', token);
      const act = this.#ledger.begin(`APPEND of ${token}`, [[record, arrives(folder)]]);
      const answer = await link.run([`APPEND ${folder.state.name} `, this.#letter(token)]);
      if (!this.#isOk(answer, act)) return false;
      const [uid] = uidsOf(/^APPENDUID \d+ (\S+)$/.exec(answer.code ?? '')?.[1] ?? '');
      this.#ledger.placed(record, folder, uid ?? 0);
      return true;
    });
  }

  #store(server: RunningPostrider): Promise<boolean> {
    return this.#attempt('STORE', async () => {
      const folder = this.#folder(0);
      const one = this.#random.pick(this.#ledger.within(folder));
      if (one === undefined) return true;
      if (!(await this.#select(server, folder))) return false;
      const isSet = this.#random.chance(0.7);
      const act = this.#ledger.begin(`STORE ${one.uid}`, [[one.record, hasFlag(FLAG, isSet)]]);
      const link = await this.#imapOf(server);
      return this.#isOk(await link.run(`UID STORE ${one.uid} ${isSet ? '+' : '-'}FLAGS (${FLAG})`), act);
    });
  }

  #move(server: RunningPostrider): Promise<boolean> {
    return this.#attempt('MOVE', async () => {
      const [from, to] = [this.#folder(0), this.#folder(1)];
      const one = this.#random.pick(this.#ledger.within(from));
      if (one === undefined) return true;
      if (!(await this.#select(server, from))) return false;
      const act = this.#ledger.begin(`MOVE ${one.uid}`, [[one.record, isMoved(from, to)]]);
      const link = await this.#imapOf(server);
      return this.#isOk(await link.run(`UID MOVE ${one.uid} ${to.state.name}`), act);
    });
  }

  #expunge(server: RunningPostrider): Promise<boolean> {
    return this.#attempt('EXPUNGE', async () => {
      const folder = this.#folder(0);
      const one = this.#random.pick(this.#ledger.within(folder));
      if (one === undefined) return true;
      if (!(await this.#select(server, folder))) return false;
      const link = await this.#imapOf(server);
      const marking = this.#ledger.begin(`STORE ${one.uid}`, [[one.record, isMarked(folder, true)]]);
      if (!this.#isOk(await link.run(`UID STORE ${one.uid} +FLAGS (\\Deleted)`), marking)) return false;
      const act = this.#ledger.begin(`EXPUNGE ${one.uid}`, [[one.record, isExpunged(folder)]]);
      return this.#isOk(await link.run(`UID EXPUNGE ${one.uid}`), act);
    });
  }

  /** Octets that are given are those of the message, or none. */
  #read(server: RunningPostrider): Promise<boolean> {
    return this.#attempt('FETCH', async () => {
      const folder = this.#folder(0);
      const one = this.#random.pick(this.#ledger.within(folder));
      if (one === undefined) return true;
      if (!(await this.#select(server, folder))) return false;
      const answer = await (await this.#imapOf(server)).run(`UID FETCH ${one.uid} (UID BODY.PEEK[])`);
      const octets = octetsIn(answer);
      if (octets !== undefined && !isLetter(octets, one.record.token))
        throw new Error(`${one.record.token} has other octets`);
      return answer.status === 'OK' && octets !== undefined;
    });
  }

  async #select(server: RunningPostrider, folder: MailboxRecord): Promise<boolean> {
    const answer = await (await this.#imapOf(server)).run(`SELECT ${folder.state.name}`);
    return this.#isOk(answer);
  }

  #isOk({ status, code, text }: Answer, act?: Act): boolean {
    if (status === 'OK') {
      if (act !== undefined) this.#ledger.done(act);
      return true;
    }
    if (status !== 'NO' || code !== 'UNAVAILABLE')
      throw new Error(`${act?.what ?? 'SELECT'}: ${status} [${code}] ${text}`);
    if (act !== undefined) this.#ledger.refused(act);
    return false;
  }

  async #verify(server: RunningPostrider): Promise<void> {
    this.doing += ', looking at everything';
    await queueEmpties(server);
    const seen = new Map<string, Awaited<ReturnType<typeof seeAll>>>();
    const findings: string[] = [];
    for (const { name, login } of ACCOUNTS) {
      const link = await ImapLink.open(server.port('imaps'), login);
      const mailboxes = await seeAll(link);
      seen.set(name, mailboxes);
      for (const { name: mailbox, messages } of mailboxes) {
        if (messages.length === 0) continue;
        await link.must(`EXAMINE "${mailbox}"`);
        const octets = await readOctets(link, '1:*');
        for (const { uid, token } of messages)
          if (!isLetter(octets.get(uid) ?? Buffer.alloc(0), token))
            findings.push(`${name} ${token}: other octets`);
      }
      link.close();
    }
    findings.push(...this.#ledger.check(seen));
    if (findings.length > 0)
      throw new Error(
        `${findings.length} findings:\n${findings.slice(0, 30).join('\n')}\n${server.output().slice(-3000)}`,
      );
  }

  #folder(index: number): MailboxRecord {
    const folder = this.#folders[index];
    if (folder === undefined) throw new TypeError('No such folder');
    return folder;
  }

  #newToken(): string {
    return `f${(this.#tokens += 1)}`;
  }

  #letter(token: string): Buffer {
    // Beyond 1 MiB octets go to the disk as they come.
    return letterOf(token, this.#random.chance(0.1) ? LARGE_OCTETS : 600 + this.#random.below(OCTETS_MAX));
  }
}

function toRcpt(account: string): string {
  return `RCPT TO:<${account}@example.test>`;
}

/** Whether the transaction may go on; what was begun of it is taken back where it may not. */
async function isTaken(link: SmtpLink, envelope: readonly string[]): Promise<boolean> {
  for (const command of envelope) {
    link.write(`${command}\r\n`);
    const { code, text } = await link.reply();
    if (code === 250 || code === 354) continue;
    if (code === 421) throw new LinkLost(text);
    if (code !== 451 && code !== 452) throw new Error(`${command} was answered ${text}`);
    link.write('RSET\r\n');
    await link.must(250);
    return false;
  }
  return true;
}

function octetsIn(answer: Answer): Buffer | undefined {
  for (const response of answer.responses) {
    const body = fetchItems(response).get('BODY[]');
    if (body?.kind === 'string') return body.octets;
  }
  return undefined;
}
