/** Clients that do everything a mailbox can be changed by, as fast as they are answered, and write it into the ledger. */
import {
  arrives,
  hasFlag,
  isCopied,
  isExpunged,
  isMade,
  isMarked,
  isMoved,
  isNamed,
  isRemoved,
} from './changes.ts';
import { LinkLost, seeMessages, uidsOf, type Answer, type ImapLink } from './imap-link.ts';
import {
  INBOX,
  type Act,
  type Change,
  type Ledger,
  type MailboxRecord,
  type MessageRecord,
  type MessageState,
} from './ledger.ts';
import { letterOf } from './letter.ts';
import type { Seeded } from './seeded.ts';
import type { SmtpLink } from './smtp-link.ts';

export type World = {
  readonly ledger: Ledger;
  readonly random: Seeded;
  /** A name that nobody had before. */
  readonly newToken: () => string;
  /** No more is begun once it is aborted. */
  readonly stop: AbortSignal;
};

const LARGE_OCTETS = 1_300_000;
const SET_MAX = 5;
const FOLDERS_MAX = 4;
const FLAGS = ['\\Seen', '\\Answered', '\\Flagged', '$Label1', 'project-x'];

export function sizeOf(random: Seeded): number {
  // Beyond 1 MiB octets go to the disk as they come, not as a batch.
  if (random.chance(0.03)) return LARGE_OCTETS;
  return 600 + random.below(random.chance(0.2) ? 60_000 : 6000);
}

/** Runs until the server is gone or the signal says so. Throws whatever else goes wrong. */
export async function untilLost(stop: AbortSignal, step: () => Promise<void>): Promise<void> {
  try {
    while (!stop.aborted) await step();
  } catch (cause) {
    if (!(cause instanceof LinkLost)) throw cause;
  }
}

/**
 * Hands a message over by SMTP; `accounts` are its recipients, and as many of the crowd as are asked for. With many
 * recipients it goes through the queue, as a whole; to a few it is delivered before the answer, to one after the other.
 */
export async function sendBySmtp(
  { ledger, random, newToken }: World,
  link: SmtpLink,
  accounts: readonly string[],
  crowd: number,
): Promise<void> {
  const token = newToken();
  const letter = letterOf(token, sizeOf(random));
  const crowded = Array.from({ length: crowd }, (_, index) => `crowd${index}`);
  const envelope = [
    'MAIL FROM:<torture@sender.example>',
    ...[...accounts, ...crowded].map((account) => `RCPT TO:<${account}@example.test>`),
  ];
  const begin = (): readonly Act[] => {
    const arriving = accounts.map((account) => {
      const inbox = ledger.mailbox(account, INBOX);
      return [ledger.newMessage(account, token), arrives(inbox)] as const;
    });
    if (crowd > 0) return [ledger.begin(`SMTP ${token}`, arriving)];
    return arriving.map((one) => ledger.begin(`SMTP ${token}`, [one]));
  };
  let acts: readonly Act[];
  if (random.chance(0.3)) {
    acts = begin();
    link.write(`${envelope.join('\r\n')}\r\nBDAT ${letter.length} LAST\r\n`);
    link.write(letter);
    for (const _ of envelope) await link.must(250);
  } else {
    link.write(`${envelope.join('\r\n')}\r\nDATA\r\n`);
    for (const _ of envelope) await link.must(250);
    await link.must(354);
    acts = begin();
    link.write(letter);
    link.write('.\r\n');
  }
  const { code } = await link.reply();
  for (const act of acts) answered(ledger, act, code);
}

/** RFC 2033 §4.2: each recipient has an answer of his own, and each is a promise of his own. */
export async function sendByLmtp(
  { ledger, random, newToken }: World,
  link: SmtpLink,
  accounts: readonly string[],
): Promise<void> {
  const token = newToken();
  const letter = letterOf(token, sizeOf(random));
  link.write('MAIL FROM:<torture@sender.example>\r\n');
  await link.must(250);
  for (const account of accounts) {
    link.write(`RCPT TO:<${account}@example.test>\r\n`);
    await link.must(250);
  }
  link.write('DATA\r\n');
  await link.must(354);
  const acts = accounts.map((account) => {
    const inbox = ledger.mailbox(account, INBOX);
    return ledger.begin(`LMTP ${token}`, [[ledger.newMessage(account, token), arrives(inbox)]]);
  });
  link.write(letter);
  link.write('.\r\n');
  for (const act of acts) answered(ledger, act, (await link.reply()).code);
}

function answered(ledger: Ledger, act: Act, code: number): void {
  if (code === 250) ledger.done(act);
  else if (code === 421) throw new LinkLost('421');
  else ledger.refused(act);
}

/** One IMAP session that changes mailboxes whose names begin with its own, and may take messages out of the inbox. */
export class Reader {
  readonly #world: World;
  readonly #link: ImapLink;
  readonly #account: string;
  readonly #name: string;
  readonly #takesInbox: boolean;
  #selected: MailboxRecord | undefined;
  #inboxSeen = 0;

  constructor(world: World, link: ImapLink, account: string, name: string, takesInbox: boolean) {
    this.#world = world;
    this.#link = link;
    this.#account = account;
    this.#name = name;
    this.#takesInbox = takesInbox;
  }

  async step(): Promise<void> {
    const { random, ledger } = this.#world;
    const folders = this.#folders();
    const [folder] = folders;
    const source =
      this.#takesInbox && random.chance(0.6) ? ledger.mailbox(this.#account, INBOX) : random.pick(folders);
    if (folder === undefined || source === undefined) return this.#create();
    if (source.state.name === INBOX) await this.#lookIntoInbox(source);
    const acts: readonly (() => Promise<void>)[] = [
      () => this.#append(random.pick(folders) ?? folder, 1),
      () => this.#append(random.pick(folders) ?? folder, 2 + random.below(3)),
      () => this.#flag(source),
      () => this.#flag(source),
      () => this.#copyOrMove('COPY', source),
      () => this.#copyOrMove('MOVE', source),
      () => this.#copyOrMove('MOVE', source),
      () => this.#expunge(source),
      () => this.#expunge(source),
      () => (folders.length < FOLDERS_MAX ? this.#create() : this.#remove(random.pick(folders) ?? folder)),
      () => this.#rename(random.pick(folders) ?? folder),
    ];
    await random.pick(acts)?.();
  }

  #folders(): readonly MailboxRecord[] {
    return this.#world.ledger
      .mailboxes(this.#account)
      .filter(({ state }) => state.name.startsWith(this.#name));
  }

  async #select(mailbox: MailboxRecord): Promise<void> {
    if (this.#selected === mailbox) return;
    await this.#link.must(`SELECT "${mailbox.state.name}"`);
    this.#selected = mailbox;
    if (mailbox.state.name === INBOX) this.#inboxSeen = 0;
  }

  async #lookIntoInbox(inbox: MailboxRecord): Promise<void> {
    await this.#select(inbox);
    const { ledger } = this.#world;
    for (const { uid, token } of await seeMessages(this.#link, `${this.#inboxSeen + 1}:*`)) {
      this.#inboxSeen = Math.max(this.#inboxSeen, uid);
      const record = ledger.message(this.#account, token);
      if (record === undefined) throw new Error(`${this.#account} ${token}: nobody sent it`);
      ledger.saw(record, inbox, uid);
    }
  }

  async #run(act: Act, command: string | readonly (string | Buffer)[]): Promise<Answer | undefined> {
    const { ledger } = this.#world;
    const answer = await this.#link.run(command);
    if (answer.status === 'OK') {
      ledger.done(act);
      return answer;
    }
    // A server that shuts down may say NO; anything else is a fault of this test or of the server.
    if (answer.code !== 'UNAVAILABLE' && answer.code !== 'SERVERBUG')
      throw new Error(`${act.what}: ${answer.status} [${answer.code}] ${answer.text}`);
    ledger.refused(act);
    return undefined;
  }

  /** Some messages of a mailbox, selected, with what is to become of them. */
  async #take(
    what: string,
    mailbox: MailboxRecord,
    change: Change<MessageState>,
    fits: (record: MessageRecord) => boolean = () => true,
  ): Promise<{ readonly act: Act; readonly set: string } | undefined> {
    const { ledger, random } = this.#world;
    await this.#select(mailbox);
    const there = ledger.within(mailbox).filter(({ record }) => fits(record));
    const chosen = random.some(there, 1 + random.below(SET_MAX));
    if (chosen.length === 0) return undefined;
    const set = chosen.map(({ uid }) => uid).join(',');
    const act = ledger.begin(
      `${what} ${set} in ${mailbox.state.name}`,
      chosen.map(({ record }) => [record, change]),
    );
    return { act, set };
  }

  async #append(mailbox: MailboxRecord, count: number): Promise<void> {
    const { ledger, random, newToken } = this.#world;
    const flag = random.pick(FLAGS) ?? '\\Seen';
    const records = Array.from({ length: count }, () => ledger.newMessage(this.#account, newToken()));
    const command: (string | Buffer)[] = [`APPEND "${mailbox.state.name}"`];
    for (const { token } of records) command.push(` (${flag}) `, letterOf(token, sizeOf(random)));
    const act = ledger.begin(
      `APPEND of ${records.map(({ token }) => token).join(', ')}`,
      records.map((record) => [record, arrives(mailbox, [flag])]),
    );
    const answer = await this.#run(act, command);
    const uids = uidsOf(/^APPENDUID \d+ (\S+)$/.exec(answer?.code ?? '')?.[1] ?? '');
    for (const [index, record] of records.entries()) ledger.placed(record, mailbox, uids[index] ?? 0);
  }

  async #flag(mailbox: MailboxRecord): Promise<void> {
    const { random } = this.#world;
    const flag = random.pick(FLAGS) ?? '\\Seen';
    const isSet = random.chance(0.7);
    const taken = await this.#take(`STORE ${isSet ? '+' : '-'}${flag}`, mailbox, hasFlag(flag, isSet));
    if (taken === undefined) return;
    const answer = await this.#run(taken.act, `UID STORE ${taken.set} ${isSet ? '+' : '-'}FLAGS (${flag})`);
    for (const response of answer?.responses ?? []) {
      const modSeq = /"MODSEQ"[^]*?"text":"(\d+)"/.exec(JSON.stringify(response))?.[1];
      if (modSeq !== undefined) mailbox.modSeqMin = Math.max(mailbox.modSeqMin, Number(modSeq));
    }
  }

  async #copyOrMove(verb: 'COPY' | 'MOVE', from: MailboxRecord): Promise<void> {
    const { ledger, random } = this.#world;
    const to = random.pick(this.#folders().filter((folder) => folder !== from));
    if (to === undefined) return;
    const isElsewhere = ({ state }: MessageRecord): boolean =>
      state.places.every(({ mailbox }) => mailbox !== to);
    const change = verb === 'COPY' ? isCopied(from, to) : isMoved(from, to);
    const taken = await this.#take(`${verb} to ${to.state.name} of`, from, change, isElsewhere);
    if (taken === undefined) return;
    const answer = await this.#run(taken.act, `UID ${verb} ${taken.set} "${to.state.name}"`);
    if (answer === undefined) return;
    // MOVE says it before the EXPUNGEs (RFC 6851 §4.3), COPY in its completion.
    const codes = answer.responses.map((response) =>
      response.kind === 'status' ? response.code : undefined,
    );
    const code = [answer.code, ...codes].find((one) => one?.startsWith('COPYUID ') === true);
    const [, sources = '', targets = ''] = /^COPYUID \d+ (\S+) (\S+)$/.exec(code ?? '') ?? [];
    const target = new Map(uidsOf(sources).map((uid, index) => [uid, uidsOf(targets)[index] ?? 0]));
    for (const record of taken.act.messages) {
      const uid = taken.set.split(',')[taken.act.messages.indexOf(record)];
      ledger.placed(record, to, target.get(Number(uid)) ?? 0);
    }
  }

  async #expunge(mailbox: MailboxRecord): Promise<void> {
    const { ledger } = this.#world;
    const marking = await this.#take('STORE +\\Deleted', mailbox, isMarked(mailbox, true));
    if (marking === undefined) return;
    if ((await this.#run(marking.act, `UID STORE ${marking.set} +FLAGS.SILENT (\\Deleted)`)) === undefined)
      return;
    if (this.#world.stop.aborted) return;
    const act = ledger.begin(
      `EXPUNGE ${marking.set} in ${mailbox.state.name}`,
      marking.act.messages.map((record) => [record, isExpunged(mailbox)]),
    );
    await this.#run(act, `UID EXPUNGE ${marking.set}`);
  }

  async #create(): Promise<void> {
    const { ledger, newToken } = this.#world;
    const mailbox = ledger.newMailbox(this.#account, `${this.#name}-${newToken()}`);
    const act = ledger.begin(`CREATE ${mailbox.state.name}`, [], [mailbox, isMade()]);
    await this.#run(act, `CREATE "${mailbox.state.name}"`);
  }

  async #rename(mailbox: MailboxRecord): Promise<void> {
    const { ledger, newToken } = this.#world;
    const from = mailbox.state.name;
    const to = `${this.#name}-${newToken()}`;
    const act = ledger.begin(`RENAME ${from}`, [], [mailbox, isNamed(to)]);
    await this.#run(act, `RENAME "${from}" "${to}"`);
  }

  async #remove(mailbox: MailboxRecord): Promise<void> {
    const { ledger } = this.#world;
    if (this.#selected === mailbox) {
      await this.#link.must('UNSELECT');
      this.#selected = undefined;
    }
    const messages = ledger.within(mailbox).map(({ record }) => [record, isExpunged(mailbox)] as const);
    const act = ledger.begin(`DELETE ${mailbox.state.name}`, messages, [mailbox, isRemoved()]);
    await this.#run(act, `DELETE "${mailbox.state.name}"`);
  }
}
