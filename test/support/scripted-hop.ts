/** A next hop in memory that answers line by line as a test says, and a message to bring it. */
import { fromLatin1, latin1 } from '../../src/base/bytes.ts';
import type { HopMessage } from '../../src/delivery/remote/hop.ts';
import type { MemoryConnection } from './memory-connection.ts';
import { newMessage, remoteRecipient } from './queued.ts';

/** What the peer answers to a line; undefined keeps silent, 'close' and 'reset' end the connection. */
export type Script = (line: string) => string | undefined;

export async function play(
  connection: MemoryConnection,
  greeting: string | undefined,
  script: Script,
): Promise<void> {
  const say = (text: string): boolean => {
    if (text === 'reset') connection.destroy();
    else if (text === 'close') void connection.close();
    else {
      void connection.write(fromLatin1(text));
      return true;
    }
    return false;
  };
  if (greeting !== undefined && !say(greeting)) return;
  let held = '';
  for (;;) {
    const chunk = await connection.read(1e9);
    if (typeof chunk === 'string') return;
    held += latin1(chunk);
    for (let end = held.indexOf('\r\n'); end !== -1; end = held.indexOf('\r\n')) {
      const line = held.slice(0, end);
      held = held.slice(end + 2);
      const answer = script(line);
      if (answer !== undefined && !say(answer)) return;
    }
  }
}

export const EHLO = '250-there\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n250 SIZE 1000\r\n';

/** A peer that takes everything, but for the lines that begin as told. */
export function obliging(
  answers: Readonly<Record<string, string | undefined>> = {},
  hello: string = EHLO,
): { script: Script; lines: string[] } {
  const lines: string[] = [];
  let inData = false;
  const script: Script = (line) => {
    lines.push(line);
    if (inData) {
      if (line !== '.') return undefined;
      inData = false;
    }
    const special = Object.keys(answers).find((start) => line.startsWith(start));
    if (special !== undefined) return answers[special];
    if (line.startsWith('EHLO')) return hello;
    if (line === 'DATA') {
      inData = true;
      return '354 go\r\n';
    }
    return line === 'QUIT' ? '221 bye\r\n' : '250 2.0.0 Ok\r\n';
  };
  return { script, lines };
}

export function hopMessage(
  more: Partial<HopMessage> = {},
  recipients: readonly string[] = ['bob@far.example'],
): HopMessage {
  const { id, reversePath, body, smtpUtf8, dsn, requireTls, deliverBy, priority } = newMessage([]);
  return {
    id,
    reversePath,
    body,
    smtpUtf8,
    dsn,
    requireTls,
    deliverBy,
    priority,
    octets: 20,
    recipients: recipients.map((path) => remoteRecipient(path)),
    content: async function* content() {
      yield fromLatin1('Subject: x\r\n\r\n.dot\r\n');
    },
    ...more,
  };
}
