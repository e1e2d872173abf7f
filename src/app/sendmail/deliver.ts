/** `sendmail [-t] …`: one message from standard input into the maildrop. */
import { randomBytes } from 'node:crypto';
import { fromLatin1, latin1 } from '../../base/bytes.ts';
import { LIMITS } from '../../base/limits.ts';
import { flattenAddresses, formatAddrSpec, parseAddresses } from '../../message/address.ts';
import { Drop } from '../../sendmail/disk/drop.ts';
import { toDropAddress, type NewEnvelope } from '../../sendmail/wire/drop-file.ts';
import { LineEnds } from '../../sendmail/wire/line-ends.ts';
import type { SendmailOptions } from '../../sendmail/wire/option.ts';
import {
  recipientsOf,
  repairHeader,
  splitHeader,
  type SubmittedFacts,
} from '../../sendmail/wire/submitted-header.ts';
import { SendmailProblem, SYSEXITS } from './exit-code.ts';
import type { Caller, Office } from './office.ts';
import { unknownRecipients } from './recipients.ts';

export type DeliverOptions = {
  readonly options: SendmailOptions;
  readonly office: Office;
  readonly caller: Caller;
  readonly input: AsyncIterable<Uint8Array>;
  readonly nowMs: number;
};

/** Resolves when the message is on stable storage. Throws {@link SendmailProblem}, and the system's errors. */
export async function deliver({ options, office, caller, input, nowMs }: DeliverOptions): Promise<void> {
  const { domain } = office;
  const own = `${caller.login}@${domain}`;
  const sender = options.sender === undefined ? own : toSender(options.sender, domain);
  const { notify, ret, envid, verp, fullName } = options;
  await drop(office, contentOf(input, options.dotEnds), {
    envelope: async (header) => {
      const recipients = toRecipients(options, header, domain);
      await mustBeSomebody(office, recipients);
      return { sender, recipients, notify, ret, envid, verp };
    },
    facts: factsOf(office, { ...caller, fullName: fullName ?? caller.fullName }, sender, nowMs),
  });
}

export function factsOf(
  { domain }: Office,
  { login, fullName }: Caller,
  sender: string | null,
  nowMs: number,
): SubmittedFacts {
  return {
    domain,
    // Fields are octets (RFC 6532 §3.2).
    sender: sender === null ? null : fromUtf8AsLatin1(sender),
    address: `${login}@${domain}`,
    fullName,
    nowMs,
    zoneMinutes: -new Date(nowMs).getTimezoneOffset(),
    id: `${nowMs.toString(36)}.${randomBytes(9).toString('base64url')}`,
  };
}

/** @param lines the message, each line with its CRLF */
export async function drop(
  { folder, messageOctetsMax }: Office,
  lines: AsyncIterable<Uint8Array>,
  {
    envelope,
    facts,
  }: {
    readonly envelope: (header: string) => Promise<NewEnvelope>;
    readonly facts: SubmittedFacts;
  },
): Promise<void> {
  const chunks = lines[Symbol.asyncIterator]();
  const { header, rest } = await readHeader(chunks);
  const file = await Drop.begin(folder, await envelope(header), messageOctetsMax, facts.nowMs);
  const write = async (octets: Uint8Array): Promise<void> => {
    const written = await file.write(octets);
    if (!written.ok)
      throw new SendmailProblem(SYSEXITS.dataError, `the message is larger than ${messageOctetsMax} octets`);
  };
  try {
    await write(fromLatin1(repairHeader(header, facts) + rest));
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next())
      await write(next.value);
    await file.finish();
  } catch (cause) {
    await file.abort();
    throw cause;
  }
}

async function* contentOf(
  input: AsyncIterable<Uint8Array>,
  dotEnds: boolean,
): AsyncGenerator<Uint8Array, void> {
  const lines = new LineEnds(dotEnds);
  for await (const chunk of input) {
    const octets = lines.push(chunk);
    if (octets.length > 0) yield octets;
    if (lines.isOver) return;
  }
  yield lines.end();
}

async function readHeader(
  chunks: AsyncIterator<Uint8Array, unknown>,
): Promise<{ readonly header: string; readonly rest: string }> {
  let text = '';
  for (;;) {
    const next = await chunks.next();
    if (next.done !== true) text += latin1(next.value);
    const split = splitHeader(text, next.done === true);
    if (split.kind === 'split') return { header: split.header, rest: split.body };
    if (text.length > LIMITS.headerOctetsMax)
      throw new SendmailProblem(SYSEXITS.dataError, 'the header of the message does not end');
  }
}

/** Of several, those who are somebody get it, and the sender hears of the others by mail: nobody gets it twice by a second try. */
async function mustBeSomebody(office: Office, recipients: readonly string[]): Promise<void> {
  const unknown = await unknownRecipients(office, recipients);
  if (unknown.length > 0 && unknown.length === recipients.length)
    throw new SendmailProblem(SYSEXITS.noUser, `${unknown.join(', ')}: no such mailbox`);
}

/** Recipients of `-t` are added to those of the command line, as Postfix's sendmail(1) has it. */
function toRecipients(
  { recipients, fromHeader }: SendmailOptions,
  header: string,
  domain: string,
): readonly string[] {
  const named = recipients.flatMap((word) => toAddresses(word, domain));
  const all = [...new Set([...named, ...(fromHeader ? recipientsOf(header, domain).map(toUnicode) : [])])];
  if (all.length === 0)
    throw new SendmailProblem(
      SYSEXITS.usage,
      fromHeader
        ? 'the header names no recipient'
        : 'name the recipients on the command line, or use -t to take them from the header',
    );
  if (all.length > LIMITS.dropRecipientsMax)
    throw new SendmailProblem(SYSEXITS.usage, `at most ${LIMITS.dropRecipientsMax} recipients`);
  for (const address of all)
    if (toDropAddress(address) === undefined)
      throw new SendmailProblem(SYSEXITS.dataError, `${JSON.stringify(address)} is no address`);
  return all;
}

/** A word may hold several, with commas between, and names beside them: so `mail` gives them. */
function toAddresses(word: string, domain: string): readonly string[] {
  const found = flattenAddresses(parseAddresses(fromUtf8AsLatin1(word)));
  if (found.length === 0)
    throw new SendmailProblem(SYSEXITS.dataError, `${JSON.stringify(word)} is no address`);
  return found.map((one) =>
    toUnicode(formatAddrSpec(one.localPart, one.domain === '' ? domain : one.domain)),
  );
}

function toSender(text: string, domain: string): string | null {
  if (text === '') return null;
  const [address] = toAddresses(text, domain);
  if (address === undefined || toDropAddress(address) === undefined)
    throw new SendmailProblem(SYSEXITS.usage, `${JSON.stringify(text)} is no address for -f`);
  return address;
}

/** Fields and words are read alike: as octets. */
function fromUtf8AsLatin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

function toUnicode(raw: string): string {
  return Buffer.from(raw, 'latin1').toString('utf8');
}
