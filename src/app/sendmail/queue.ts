/** `mailq`, `sendmail -bp` and `sendmail -q…`: for who may ask the server, its own user and the superuser. */
import { existsSync } from 'node:fs';
import { allPages } from '../cli/page.ts';
import { CliError } from '../cli/exit-code.ts';
import { withPostOffice, type PostOfficeOptions } from '../cli/post-office.ts';
import { plainText } from '../cli/terminal.ts';
import type { QueuedMessageView } from '../control/queue-view.ts';
import type { FlushWhat } from '../../sendmail/wire/option.ts';
import { SendmailProblem, SYSEXITS } from './exit-code.ts';

const SYSTEM_CONFIG = '/etc/postrider/postrider.toml';

/** The one that `POSTRIDER_CONFIG` names, else the machine's, else that of this user's `localserve`. */
function officeOf(environment: NodeJS.ProcessEnv): PostOfficeOptions {
  const named = environment['POSTRIDER_CONFIG'];
  if (named !== undefined) return { config: named };
  return existsSync(SYSTEM_CONFIG) ? { config: SYSTEM_CONFIG } : {};
}

export async function listQueue(environment: NodeJS.ProcessEnv): Promise<string> {
  const messages = await asked(() =>
    withPostOffice('mailq', officeOf(environment), (office) =>
      allPages(
        async (page) => (await office.call('queue.list', page)).messages,
        (one) => one.id,
      ),
    ),
  );
  return formatQueue(messages);
}

/** Gives a word for the person who asked. */
export async function flushQueue(what: FlushWhat, environment: NodeJS.ProcessEnv): Promise<string> {
  const filter = what.kind === 'id' ? { id: what.id } : what.kind === 'site' ? { domain: what.site } : {};
  const { recipients } = await asked(() =>
    withPostOffice('sendmail -q', officeOf(environment), (office) => office.call('queue.retry', filter)),
  );
  return `${recipients} recipients are tried again\n`;
}

async function asked<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof CliError)) throw cause;
    const code = cause.kind === 'not-reachable' ? SYSEXITS.tempFail : SYSEXITS.unavailable;
    throw new SendmailProblem(code, cause.message);
  }
}

/** As Postfix's `mailq` has it, which programs read: `*` is being delivered, `!` is held. */
export function formatQueue(messages: readonly QueuedMessageView[]): string {
  if (messages.length === 0) return 'Mail queue is empty\n';
  const kib = Math.ceil(messages.reduce((sum, { octets }) => sum + octets, 0) / 1024);
  const parts = messages.map((message) => {
    const open = message.recipients.filter(({ state }) => state === 'waiting' || state === 'held');
    const mark = message.leased ? '*' : open.some(({ state }) => state === 'held') ? '!' : ' ';
    const arrived = new Date(message.arrivedAtMs).toString().replace(/ \d{4} (\d\d:\d\d:\d\d) .*/, ' $1');
    const head = `${message.id}${mark} ${String(message.octets).padStart(8)} ${arrived}  ${plainText(message.sender ?? 'MAILER-DAEMON')}`;
    const lines = open.flatMap(({ address, lastAnswer }) => [
      ...(lastAnswer === null ? [] : [plainText(`(${lastAnswer.text})`).padStart(78)]),
      `${' '.repeat(41)}${plainText(address)}`,
    ]);
    return [head, ...lines].join('\n');
  });
  const requests = messages.length === 1 ? 'Request' : 'Requests';
  return `-Queue ID-            --Size-- ----Arrival Time---- -Sender/Recipient-------\n${parts.join('\n\n')}\n\n-- ${kib} Kbytes in ${messages.length} ${requests}.\n`;
}
