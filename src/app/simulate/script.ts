/** What a simulated client says, step by step, and when it gives up: as a client would (RFC 5321 §4.1.4). */
import { encodeBase64 } from '../../sasl/base64.ts';

export type SimulatedStage = 'connect' | 'hello' | 'auth' | 'mail' | 'recipient' | 'data' | 'message';

export type Said = {
  readonly stage: SimulatedStage;
  /** As it is shown. */
  readonly command: string;
  /** As it is sent: Latin-1, one character for each octet. */
  readonly octets: string;
};

export type ScriptRequest = {
  readonly helo: string;
  readonly from: string;
  readonly to: readonly string[];
  readonly message: string | undefined;
  readonly service: 'smtp' | 'submission' | 'lmtp';
  readonly principal: { readonly address: string } | undefined;
};

/** Yields what it says, and is told what the server answered. */
export function* script(request: ScriptRequest): Generator<Said, void, string> {
  const { helo, from, to, service, principal } = request;
  const heard = yield said('hello', `${service === 'lmtp' ? 'LHLO' : 'EHLO'} ${helo}`);
  if (isRefusal(heard)) return;
  if (principal !== undefined) {
    const response = encodeBase64(Buffer.from(`\0${principal.address}\0-`));
    const auth = { ...said('auth', `AUTH PLAIN ${response}`), command: `AUTH PLAIN (${principal.address})` };
    if (isRefusal(yield auth)) return;
  }
  const isUtf8 = [from, ...to].some((address) => /[^\x00-\x7f]/.test(address));
  if (isRefusal(yield said('mail', `MAIL FROM:<${from}>${isUtf8 ? ' SMTPUTF8' : ''}`))) return;
  let accepted = 0;
  for (const address of to) if (!isRefusal(yield said('recipient', `RCPT TO:<${address}>`))) accepted += 1;
  if (accepted === 0 || isRefusal(yield said('data', 'DATA'))) return;
  const message = request.message ?? madeUp(request);
  const stuffed = message.replace(/^\./gm, '..');
  const end = stuffed === '' || stuffed.endsWith('\r\n') ? '.\r\n' : '\r\n.\r\n';
  yield { stage: 'message', command: `(${message.length} octets)`, octets: stuffed + end };
}

function said(stage: SimulatedStage, command: string): Said {
  // Octets of UTF-8, one to a character.
  return { stage, command, octets: `${Buffer.from(command, 'utf8').toString('latin1')}\r\n` };
}

function isRefusal(heard: string): boolean {
  return Number((heard.trimEnd().split('\r\n').at(-1) ?? '').slice(0, 3)) >= 400;
}

export function madeUp({ from, to }: Pick<ScriptRequest, 'from' | 'to'>): string {
  const text = [
    ...(from === '' ? [] : [`From: <${from}>`]),
    `To: ${to.map((address) => `<${address}>`).join(', ')}`,
    'Subject: A simulated message',
    'Date: Thu, 01 Jan 2026 00:00:00 +0000',
    'Message-ID: <simulated@localhost>',
    '',
    'This message is simulated.',
    '',
  ].join('\r\n');
  return Buffer.from(text, 'utf8').toString('latin1');
}
