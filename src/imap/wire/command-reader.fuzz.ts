/** The command reader answers any octets, alike however they are cut. */
import assert from 'node:assert/strict';
import { toBuffer } from '../../base/bytes.ts';
import { COMMAND_LIMITS, createCommandReader, type CommandReader } from './command-reader.ts';

const limits = {
  ...COMMAND_LIMITS,
  lineOctetsMax: 200,
  literalOctetsMax: 50,
  literalTotalOctetsMax: 80,
  skipOctetsMax: 100,
};

export const covers: RegExp = /src\/imap\/wire\//;
export const seeds: readonly Uint8Array[] = [
  'a LOGIN {4}\r\nfred {3+}\r\na b\r\n',
  'a APPEND x (\\Seen) "17-Jul-1996 02:44:25 -0700" {5+}\r\nhello UTF8 (~{1+}\r\nx)\r\nb NOOP\r\n',
  'a REPLACE 4 x (\\Draft) {5}\r\nhello\r\na UID REPLACE 7 {1+}\r\nx {2+}\r\nab\r\na REPLACE * x ~{1+}\r\nA {1}\r\n',
  'a APPEND x (\\Seen) CATENATE (URL "/a/;UID=1" TEXT {3}\r\nabc URL {9+}\r\n/a/;UID=1 UTF8 (~{1}\r\nx)) CATENATE (URL abc)\r\nb NOOP\r\n',
  'a SELECT &AOk- (QRESYNC (1 2 1:3 (1 2)) CONDSTORE)\r\n',
  'a UID FETCH 1:* (BODY.PEEK[1.HEADER.FIELDS (A "B")]<0.9> BINARY.SIZE[1] PREVIEW (LAZY)) (CHANGEDSINCE 5 VANISHED)\r\n',
  'a SEARCH RETURN (MIN COUNT SAVE) CHARSET UTF-8 OR NOT (SEEN 1:*) SINCE 1-Feb-1994 HEADER a "b"\r\n',
  'a LIST (SUBSCRIBED) "" (a% "b*") RETURN (CHILDREN STATUS (MESSAGES))\r\na IDLE\r\nDONE\r\n',
  'a AUTHENTICATE PLAIN =\r\n*\r\na ID ("a" NIL)\r\na STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\\Seen x)\r\n',
  'a SORT (REVERSE DATE) UTF-8 ALL\r\na THREAD REFERENCES UTF-8 UNSEEN\r\na CREATE x (USE (\\Sent))\r\n',
  'a SETACL x "bob@a.test" +lr\r\na DELETEACL x -b\r\na GETACL x\r\na LISTRIGHTS x b\r\na MYRIGHTS x\r\n',
  'a GENURLAUTH "imap://a@b/c/;UID=1;URLAUTH=anonymous" INTERNAL x y\r\na RESETKEY x INTERNAL\r\na URLFETCH a ("b" BODY BODYPARTSTRUCTURE) (c) {1+}\r\nd\r\n',
  'a GETQUOTAROOT x\r\na SETQUOTA "" (STORAGE 5 MAILBOX 1)\r\na GETMETADATA (DEPTH 1) x (/shared/a /private/b)\r\n',
  'a NOTIFY SET STATUS (selected-delayed (MessageNew (UID BODY.PEEK[]) MessageExpunge)) (subtree (a {1}\r\nb) NONE)\r\na NOTIFY NONE\r\na LANGUAGE de-AT "*" {2+}\r\nen\r\n',
  'a GETMETADATA "" (MAXSIZE 5 DEPTH infinity) /shared\r\na SETMETADATA x (/shared/a {1+}\r\nb /private/c NIL /shared/d ~{1+}\r\n\0)\r\n',
].map((text) => Buffer.from(text));

function answer(reader: CommandReader, number: number): void {
  if (number % 2 === 0) reader.refuseAppend();
  else reader.acceptAppend();
}

/** What the octets of messages are joined to, so that cuts do not show. */
function events(pieces: readonly Buffer[]): string {
  const reader = createCommandReader(limits);
  let out = '';
  for (const piece of pieces) {
    reader.push(piece);
    for (let event = reader.next(); event.kind !== 'need-more'; event = reader.next()) {
      if (event.kind === 'append-octets') {
        out += event.octets.toString('latin1');
        if (event.left === 0) out += '\nmessage ends\n';
        continue;
      }
      out += `${JSON.stringify(event)}\n`;
      if (event.kind === 'append') answer(reader, event.message.literal?.octets ?? 1);
      else if (event.kind === 'append-text') answer(reader, event.literal.octets);
      else if (event.kind === 'append-url') answer(reader, event.url.length);
      else if (event.kind === 'append-catenated') reader.acceptAppend();
      else if (event.kind === 'command' && event.command.verb === 'IDLE') reader.expect('idle-done');
      else if (event.kind === 'command' && event.command.verb === 'AUTHENTICATE') reader.expect('sasl');
    }
  }
  return out;
}

export function fuzz(octets: Uint8Array): void {
  const whole = toBuffer(octets);
  const single = Array.from(whole, (_, at) => whole.subarray(at, at + 1));
  assert.equal(events(single), events([whole]));
}
