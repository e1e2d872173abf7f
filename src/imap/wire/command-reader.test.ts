import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import {
  COMMAND_LIMITS,
  createCommandReader,
  type CommandLimits,
  type CommandReader,
  type ReaderEvent,
} from './command-reader.ts';
import type { Announcement } from './cursor.ts';

const limits: CommandLimits = {
  ...COMMAND_LIMITS,
  lineOctetsMax: 100,
  literalOctetsMax: 50,
  literalTotalOctetsMax: 80,
  skipOctetsMax: 1000,
  nonSyncOctetsMax: 500,
  saslLineOctetsMax: 40,
};

function answer(reader: CommandReader, accepted: boolean): boolean {
  if (accepted) reader.acceptAppend();
  else reader.refuseAppend();
  return accepted;
}

function sizeOf({ octets, sync }: Announcement): string {
  return `${octets}${sync ? '' : '+'}`;
}

/** Events in short; an accepted message's octets are joined, since cuts may part them. */
function drain(reader: CommandReader, accept: (event: ReaderEvent) => boolean = () => true): string[] {
  const out: string[] = [];
  let message: Buffer[] = [];
  for (;;) {
    const event = reader.next();
    switch (event.kind) {
      case 'need-more':
        if (message.length > 0) out.push(`part ${Buffer.concat(message).toString('latin1')}`);
        return out;
      case 'continue':
      case 'idle-done':
        out.push(event.kind);
        break;
      case 'command':
        out.push(`${event.tag} ${event.command.verb}`);
        if (event.command.verb === 'IDLE') reader.expect('idle-done');
        if (event.command.verb === 'AUTHENTICATE') reader.expect('sasl');
        break;
      case 'append': {
        const { flags, literal } = event.message;
        const { replaced } = event;
        const verb =
          replaced === undefined ? 'append' : `replace ${replaced.byUid ? 'UID ' : ''}${replaced.number}`;
        const accepted = answer(reader, accept(event));
        const size = literal === undefined ? 'parts' : sizeOf(literal);
        out.push(`${event.tag} ${verb} ${event.mailbox} [${flags.join(' ')}] ${size} ${accepted}`);
        break;
      }
      case 'append-url':
        out.push(`url ${event.url} ${answer(reader, accept(event))}`);
        break;
      case 'append-text':
        out.push(`text ${sizeOf(event.literal)} ${answer(reader, accept(event))}`);
        break;
      case 'append-catenated':
        out.push(`catenated ${answer(reader, accept(event))}`);
        break;
      case 'append-octets':
        message.push(Buffer.from(event.octets));
        if (event.left > 0) break;
        out.push(`message ${Buffer.concat(message).toString('latin1')}`);
        message = [];
        break;
      case 'append-end':
        out.push(`${event.tag} append-end`);
        break;
      case 'sasl':
        out.push(`sasl ${event.response?.toString('latin1') ?? '*'}`);
        break;
      case 'bad': {
        const code = typeof event.code === 'string' ? ` [${event.code}]` : '';
        out.push(`${event.fatal ? 'fatal ' : ''}${event.tag ?? '*'} ${event.status}${code}`);
        break;
      }
    }
  }
}

function run(pieces: readonly Buffer[], accept?: (event: ReaderEvent) => boolean): string[] {
  const reader = createCommandReader(limits);
  const out: string[] = [];
  for (const piece of pieces) {
    reader.push(piece);
    for (const line of drain(reader, accept)) {
      const last = out.at(-1);
      // A message in parts reads as one.
      if (last?.startsWith('part ') === true && /^(part|message) /.test(line)) out.pop();
      const rest =
        last?.startsWith('part ') === true ? line.replace(/^(part|message) /, `$1 ${last.slice(5)}`) : line;
      out.push(rest);
    }
  }
  return out;
}

const x = (count: number): string => 'x'.repeat(count);
const refuse = (): boolean => false;

const conversations: readonly {
  readonly name: string;
  readonly rfc: string;
  readonly input: string;
  readonly want: readonly string[];
  readonly accept?: (event: ReaderEvent) => boolean;
}[] = [
  {
    name: 'commands in one piece',
    rfc: '9051 §5.5',
    input: 'a NOOP\r\nb CHECK\r\nc CLO',
    want: ['a NOOP', 'b CHECK'],
  },
  { name: 'LF alone ends a line', rfc: '9051 §2.2', input: 'a NOOP\nb NOOP\r\n', want: ['a NOOP', 'b NOOP'] },
  { name: 'CR alone does not', rfc: '9051 §2.2', input: 'a NOOP\rb NOOP\r\n', want: ['a BAD'] },
  { name: 'an empty line', rfc: '9051 §2.2.1', input: '\r\na NOOP\r\n', want: ['* BAD', 'a NOOP'] },
  { name: 'NUL', rfc: '9051 §9', input: 'a NOOP\0\r\nb NOOP\r\n', want: ['a BAD', 'b NOOP'] },
  { name: 'a literal', rfc: '9051 §4.3', input: 'a LOGIN {1}\r\nu p\r\n', want: ['continue', 'a LOGIN'] },
  {
    name: 'a literal without waiting',
    rfc: '7888 §3',
    input: 'a LOGIN {1+}\r\nu {1+}\r\np\r\n',
    want: ['a LOGIN'],
  },
  {
    name: 'an empty literal',
    rfc: '9051 §4.3',
    input: 'a LOGIN u {0}\r\n\r\n',
    want: ['continue', 'a LOGIN'],
  },
  { name: 'LF after the announcement', rfc: '9051 §2.2', input: 'a LOGIN u {1+}\np\n', want: ['a LOGIN'] },
  {
    name: 'line ends in a literal',
    rfc: '9051 §4.3',
    input: 'a LOGIN u {4+}\r\n\r\n\r\n\r\n',
    want: ['a LOGIN'],
  },
  {
    name: 'a literal that looks like one',
    rfc: '9051 §4.3',
    input: 'a LOGIN u {3+}\r\n{5}\r\nb NOOP\r\n',
    want: ['a LOGIN', 'b NOOP'],
  },
  {
    name: 'an announcement made of a literal and a line',
    rfc: '9051 §4.3',
    input: 'a LOGIN u {4+}\r\np{1 +}\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'an unknown verb is refused before its literal',
    rfc: '9051 §4.3',
    input: 'a FOO {5}\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'and after one that is sent anyway',
    rfc: '7888 §4',
    input: 'a FOO {8+}\r\nx NOOP\r\n y {1+}\r\nz\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'a literal of 64 bits',
    rfc: '9051 §4.3',
    input: 'a LOGIN {9223372036854775807}\r\nb NOOP\r\n',
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'more digits than that',
    rfc: '9051 §4.3',
    input: 'a LOGIN {99999999999999999999999}\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'no number',
    rfc: '9051 §4.3',
    input: 'a LOGIN {}\r\nb LOGIN {-1}\r\nc LOGIN {+}\r\n',
    want: ['a BAD', 'b BAD', 'c BAD'],
  },
  {
    name: 'a literal at its limit',
    rfc: '7888 §4',
    input: `a LOGIN u {50+}\r\n${x(50)}\r\n`,
    want: ['a LOGIN'],
  },
  {
    name: 'a literal over its limit',
    rfc: '7888 §4',
    input: `a LOGIN u {51}\r\nb NOOP\r\n`,
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'over its limit, sent anyway',
    rfc: '7888 §4',
    input: `a LOGIN u {51+}\r\n${x(51)}\r\nb NOOP\r\n`,
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'literals over their limit together',
    rfc: '7888 §4',
    input: `a LOGIN {45+}\r\n${x(45)} {45+}\r\n${x(45)}\r\nb NOOP\r\n`,
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'too much to skip',
    rfc: '7888 §4',
    input: 'a LOGIN u {1001+}\r\nb NOOP\r\n',
    want: ['fatal a BAD [TOOBIG]'],
  },
  {
    name: 'too much to skip in pieces',
    rfc: '7888 §4',
    input: `a FOO {900+}\r\n${x(900)} {900+}\r\n`,
    want: ['a BAD', 'fatal * BAD [TOOBIG]'],
  },
  { name: 'a line at its limit', rfc: '7162 §4', input: `a LOGIN u ${x(90)}\r\n`, want: ['a LOGIN'] },
  {
    name: 'a line over its limit',
    rfc: '7162 §4',
    input: `a LOGIN u ${x(92)}\r\nb NOOP\r\n`,
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'a long line that ends in a literal',
    rfc: '7888 §4',
    input: `a LOGIN u ${x(150)} {9+}\r\nb NOOP\r\n\r\r\nc NOOP\r\n`,
    want: ['a BAD', 'c NOOP'],
  },
  {
    name: 'a long line that waits with one',
    rfc: '9051 §4.3',
    input: `a LOGIN u ${x(150)} {9}\r\nc NOOP\r\n`,
    want: ['a BAD', 'c NOOP'],
  },
  {
    name: 'lines and literals count as one line',
    rfc: '7162 §4',
    input: `a LOGIN {1+}\r\nu ${x(95)}\r\nb NOOP\r\n`,
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'APPEND',
    rfc: '9051 §6.3.12',
    input: 'a APPEND inbox (\\seen x) " 1-Jan-2000 00:00:00 +0000" {5}\r\nhello\r\nb NOOP\r\n',
    want: ['a append INBOX [\\Seen x] 5 true', 'message hello', 'a append-end', 'b NOOP'],
  },
  {
    name: 'APPEND to a name in a literal',
    rfc: '9051 §6.3.12',
    input: 'a APPEND {3}\r\nx y {5+}\r\nhello\r\n',
    want: ['continue', 'a append x y [] 5+ true', 'message hello', 'a append-end'],
  },
  {
    name: 'APPEND to no name at all',
    rfc: '9051 §6.3.12',
    input: 'a APPEND {0+}\r\n {5+}\r\nhello\r\n',
    want: ['a append  [] 5+ true', 'message hello', 'a append-end'],
  },
  {
    name: 'APPEND larger than other literals',
    rfc: '9051 §6.3.12',
    input: `a APPEND x {200+}\r\n${x(200)}\r\n`,
    want: ['a append x [] 200+ true', `message ${x(200)}`, 'a append-end'],
  },
  {
    name: 'APPEND of nothing',
    rfc: '3502 §6',
    input: 'a APPEND x {0}\r\n\r\n',
    want: ['a append x [] 0 true', 'message ', 'a append-end'],
  },
  {
    name: 'MULTIAPPEND',
    rfc: '3502 §6',
    input: 'a APPEND x {1+}\r\nA (\\Draft) {1}\r\nB {2}\r\n{3\r\n',
    want: [
      'a append x [] 1+ true',
      'message A',
      'a append x [\\Draft] 1 true',
      'message B',
      'a append x [] 2 true',
      'message {3',
      'a append-end',
    ],
  },
  {
    name: 'REPLACE',
    rfc: '8508 §5',
    input: 'a replace 4 inbox (\\seen) " 1-Jan-2000 00:00:00 +0000" {5}\r\nhello\r\nb NOOP\r\n',
    want: ['a replace 4 INBOX [\\Seen] 5 true', 'message hello', 'a append-end', 'b NOOP'],
  },
  {
    name: 'REPLACE of the last message, by a literal8',
    rfc: '8508 §5',
    input: 'a REPLACE * x UTF8 (~{1+}\r\nA)\r\n',
    want: ['a replace Infinity x [] 1+ true', 'message A', 'a append-end'],
  },
  {
    name: 'UID REPLACE, the name in a literal',
    rfc: '8508 §3.3',
    input: 'a UID REPLACE 2000 {3}\r\nx y {5+}\r\nhello\r\n',
    want: ['continue', 'a replace UID 2000 x y [] 5+ true', 'message hello', 'a append-end'],
  },
  ...['', '0', '1:2', '4294967296', '$', 'x', '1,2'].map((number) => ({
    name: `REPLACE of ${number || 'nothing'}`,
    rfc: '8508 §5',
    input: `a REPLACE ${number} x {1+}\r\nA\r\nb NOOP\r\n`,
    want: ['a BAD', 'b NOOP'],
  })),
  {
    name: 'UID REPLACE of *, which is no UID',
    rfc: '8508 §5',
    input: 'a UID REPLACE * x {1+}\r\nA\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'REPLACE by several messages',
    rfc: '8508 §4.7',
    input: 'a REPLACE 1 x {1+}\r\nA {2+}\r\nBB\r\nb NOOP\r\n',
    want: ['a replace 1 x [] 1+ true', 'message A', 'a BAD', 'b NOOP'],
  },
  {
    name: 'REPLACE without a message, and UID APPEND',
    rfc: '8508 §5',
    input: 'a REPLACE 1 x\r\nb UID APPEND x {1}\r\nc NOOP\r\n',
    want: ['a BAD', 'b BAD', 'c NOOP'],
  },
  {
    name: 'APPEND UTF8',
    rfc: '6855 §4',
    input: 'a APPEND x UTF8 (~{1+}\r\nA)\r\n',
    want: ['a append x [] 1+ true', 'message A', 'a append-end'],
  },
  {
    name: 'APPEND UTF8 left open',
    rfc: '6855 §4',
    input: 'a APPEND x UTF8 (~{1+}\r\nA\r\nb NOOP\r\n',
    want: ['a append x [] 1+ true', 'message A', 'a BAD', 'b NOOP'],
  },
  {
    name: 'CATENATE, as in Appendix A',
    rfc: '4469 §5',
    input:
      'a APPEND d (\\Seen) CATENATE (URL "/d;UIDVALIDITY=3/;UID=20" TEXT {2}\r\nab URL /d/;UID=1 URL /d/;UID=2 text {1}\r\nc)\r\nb NOOP\r\n',
    want: [
      'a append d [\\Seen] parts true',
      'url /d;UIDVALIDITY=3/;UID=20 true',
      'text 2 true',
      'message ab',
      'url /d/;UID=1 true',
      'url /d/;UID=2 true',
      'text 1 true',
      'message c',
      'catenated true',
      'a append-end',
      'b NOOP',
    ],
  },
  {
    name: 'CATENATE of URLs alone, without a literal',
    rfc: '4469 §5',
    input: 'a append d CATENATE (url u)  \r\nb NOOP\r\n',
    want: ['a append d [] parts true', 'url u true', 'catenated true', 'a append-end', 'b NOOP'],
  },
  {
    name: 'CATENATE with URLs that are literals',
    rfc: '4469 §5',
    input: 'a APPEND {1+}\r\nd CATENATE (URL {2}\r\nu1 URL {2+}\r\nu2 TEXT {1+}\r\nx URL {0+}\r\n)\r\n',
    want: [
      'a append d [] parts true',
      'continue',
      'url u1 true',
      'url u2 true',
      'text 1+ true',
      'message x',
      'url  true',
      'catenated true',
      'a append-end',
    ],
  },
  {
    name: 'CATENATE with UTF8 parts',
    rfc: '6855 §4',
    input: 'a APPEND d CATENATE (UTF8 (~{1+}\r\nA) UTF8 (~{1+}\r\nB))\r\n',
    want: [
      'a append d [] parts true',
      'text 1+ true',
      'message A',
      'text 1+ true',
      'message B',
      'catenated true',
      'a append-end',
    ],
  },
  {
    name: 'CATENATE and literals in one MULTIAPPEND, several on a line',
    rfc: '4469 §1',
    input: 'a APPEND d {1+}\r\nA (\\Draft) CATENATE (URL u) CATENATE (URL v TEXT {1+}\r\nx) {1+}\r\nB\r\n',
    want: [
      'a append d [] 1+ true',
      'message A',
      'a append d [\\Draft] parts true',
      'url u true',
      'catenated true',
      'a append d [] parts true',
      'url v true',
      'text 1+ true',
      'message x',
      'catenated true',
      'a append d [] 1+ true',
      'message B',
      'a append-end',
    ],
  },
  {
    name: 'REPLACE with CATENATE',
    rfc: '8508 §4.2',
    input: 'a UID REPLACE 7 d CATENATE (URL u)\r\na REPLACE 7 d CATENATE (URL u) CATENATE (URL v)\r\n',
    want: ['a replace UID 7 d [] parts true', 'url u true', 'catenated true', 'a append-end', 'a BAD'],
  },
  {
    name: 'a URL refused: what follows on the line is passed over',
    rfc: '4469 §4.1',
    input:
      'a APPEND d CATENATE (URL u URL v TEXT {9+}\r\nb NOOP\r\n)\r\nc APPEND d CATENATE (URL u)\r\nd NOOP\r\n',
    accept: (event) => event.kind !== 'append-url',
    want: ['a append d [] parts true', 'url u false', 'c append d [] parts true', 'url u false', 'd NOOP'],
  },
  {
    name: 'a URL refused while the client waits with a text',
    rfc: '4469 Appendix A',
    input: 'a APPEND d CATENATE (URL u TEXT {9}\r\nb NOOP\r\n',
    accept: (event) => event.kind !== 'append-url',
    want: ['a append d [] parts true', 'url u false', 'b NOOP'],
  },
  {
    name: 'a text refused, the whole refused at its end',
    rfc: '4469 §4.2',
    input: 'a APPEND d CATENATE (TEXT {2+}\r\nab)\r\nb APPEND d CATENATE (URL u)\r\nc NOOP\r\n',
    accept: (event) => event.kind === 'append' || event.kind === 'append-url',
    want: [
      'a append d [] parts true',
      'text 2+ false',
      'b append d [] parts true',
      'url u true',
      'catenated false',
      'c NOOP',
    ],
  },
  ...[
    '',
    '()',
    '( URL u)',
    '(URL u )',
    '(URL u',
    '(URL u) x',
    '(URL u URL)',
    '(URL ""',
    '(URL ]] TEXT)',
    '(URL u  URL v)',
    '(FOO u)',
    '(TEXT "x")',
    '(URL (u))',
    '(UTF8 "x")',
    'URL u',
  ].map((parts) => ({
    name: `CATENATE ${parts}`,
    rfc: '4469 §5',
    input: `a APPEND d CATENATE ${parts}\r\nb NOOP\r\n`,
    want: ['a BAD', 'b NOOP'],
  })),
  {
    name: 'CATENATE that ends within a URL',
    rfc: '4469 §5',
    input: 'a APPEND d CATENATE (URL {0+}\r\n\r\nb APPEND d CATENATE (URL {1+}\r\nu\r\nc NOOP\r\n',
    want: ['a append d [] parts true', 'a BAD', 'b append d [] parts true', 'b BAD', 'c NOOP'],
  },
  {
    name: 'CATENATE with a text too large to come unasked',
    rfc: '7888 §5',
    input: `a APPEND d CATENATE (URL u TEXT {501+}\r\n${x(501)})\r\nb NOOP\r\n`,
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'CATENATE with a URL larger than literals are kept',
    rfc: '4469 §5',
    input: `a APPEND d CATENATE (URL v URL {101+}\r\n${x(101)})\r\nb NOOP\r\n`,
    want: ['a append d [] parts true', 'url v true', 'a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'CATENATE with UTF8 left open',
    rfc: '6855 §4',
    input: 'a APPEND d CATENATE (UTF8 (~{1+}\r\nA URL u)\r\nb NOOP\r\n',
    want: ['a append d [] parts true', 'text 1+ true', 'message A', 'a BAD', 'b NOOP'],
  },
  {
    name: 'APPEND refused while the client waits',
    rfc: '9051 §4.3',
    input: 'a APPEND x {5}\r\nb NOOP\r\n',
    accept: refuse,
    want: ['a append x [] 5 false', 'b NOOP'],
  },
  {
    name: 'APPEND refused, sent anyway',
    rfc: '7888 §4',
    input: 'a APPEND x {8+}\r\nx NOOP\r\n {2+}\r\nyz\r\nb NOOP\r\n',
    accept: refuse,
    want: ['a append x [] 8+ false', 'b NOOP'],
  },
  {
    name: 'the second message refused',
    rfc: '3502 §6',
    input: 'a APPEND x {1+}\r\nA {2+}\r\nBB\r\nb NOOP\r\n',
    accept: (event) => event.kind === 'append' && event.first,
    want: ['a append x [] 1+ true', 'message A', 'a append x [] 2+ false', 'b NOOP'],
  },
  {
    name: 'APPEND with garbage after the message',
    rfc: '9051 §9',
    input: 'a APPEND x {1+}\r\nAgarbage\r\nb NOOP\r\n',
    want: ['a append x [] 1+ true', 'message A', 'a BAD', 'b NOOP'],
  },
  {
    name: 'APPEND over LITERAL-',
    rfc: '7888 §5',
    input: `a APPEND x {501+}\r\n${x(501)}\r\nb NOOP\r\n`,
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'APPEND larger than can be',
    rfc: '9051 §4.3',
    input: 'a APPEND x {9223372036854775807}\r\nb NOOP\r\n',
    want: ['a BAD [TOOBIG]', 'b NOOP'],
  },
  {
    name: 'APPEND with a bad flag',
    rfc: '9051 §6.3.12',
    input: 'a APPEND x (\\Foo) {5}\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'APPEND with a bad date',
    rfc: '9051 §6.3.12',
    input: 'a APPEND x "now" {5+}\r\nhello\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'APPEND to a name that cannot be',
    rfc: '9051 §5.1',
    input: 'a APPEND R&D {5}\r\nb NOOP\r\n',
    want: ['a NO [CANNOT]', 'b NOOP'],
  },
  {
    name: 'APPEND without a message',
    rfc: '9051 §6.3.12',
    input: 'a APPEND x\r\nb APPEND {1+}\r\nx\r\n',
    want: ['a BAD', 'b BAD'],
  },
  {
    name: 'UID APPEND',
    rfc: '9051 §6.4.9',
    input: 'a UID APPEND x {5}\r\nb NOOP\r\n',
    want: ['a BAD', 'b NOOP'],
  },
  {
    name: 'IDLE',
    rfc: '2177 §3',
    input: 'a IDLE\r\ndone\r\nb NOOP\r\n',
    want: ['a IDLE', 'idle-done', 'b NOOP'],
  },
  {
    name: 'IDLE ended by a command',
    rfc: '2177 §3',
    input: 'a IDLE\r\nb NOOP\r\nc NOOP\r\n',
    want: ['a IDLE', '* BAD', 'c NOOP'],
  },
  {
    name: 'SASL',
    rfc: '9051 §6.2.2',
    input: 'a AUTHENTICATE PLAIN\r\nAGEAYg==\r\nb NOOP\r\n',
    want: ['a AUTHENTICATE', 'sasl \0a\0b', 'b NOOP'],
  },
  {
    name: 'SASL cancelled',
    rfc: '9051 §6.2.2',
    input: 'a AUTHENTICATE PLAIN\r\n*\r\nb NOOP\r\n',
    want: ['a AUTHENTICATE', 'sasl *', 'b NOOP'],
  },
  {
    name: 'SASL empty',
    rfc: '9051 §6.2.2',
    input: 'a AUTHENTICATE PLAIN\r\n\r\nb NOOP\r\n',
    want: ['a AUTHENTICATE', 'sasl ', 'b NOOP'],
  },
  {
    name: 'SASL not base64',
    rfc: '9051 §6.2.2',
    input: 'a AUTHENTICATE PLAIN\r\n!!!!\r\nb NOOP\r\n',
    want: ['a AUTHENTICATE', '* BAD', 'b NOOP'],
  },
  {
    name: 'SASL too long',
    rfc: '9051 §6.2.2',
    input: `a AUTHENTICATE PLAIN\r\n${x(44)}\r\nb NOOP\r\n`,
    want: ['a AUTHENTICATE', '* BAD', 'b NOOP'],
  },
];

suite('command reader', () => {
  for (const { name, rfc, input, want, accept } of conversations) {
    test(`${name} (RFC ${rfc})`, () => assert.deepEqual(run([Buffer.from(input, 'latin1')], accept), want));
    test(`${name}, octet by octet`, () => {
      const octets = Buffer.from(input, 'latin1');
      assert.deepEqual(
        run(
          Array.from(octets, (_, at) => octets.subarray(at, at + 1)),
          accept,
        ),
        want,
      );
    });
  }

  test('gives the same answer however the network cut the octets', () => {
    const all = conversations.filter(({ want }) => !want.some((line) => line.startsWith('fatal')));
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...all.map(({ input }) => input)), { minLength: 1, maxLength: 5 }),
        fc.array(fc.nat(300), { maxLength: 20 }),
        fc.boolean(),
        (inputs, cuts, accepted) => {
          const octets = Buffer.from(inputs.join(''), 'latin1');
          const places = [...cuts.map((cut) => cut % (octets.length + 1)), 0, octets.length].toSorted(
            (a, b) => a - b,
          );
          const pieces = places.slice(1).map((end, at) => octets.subarray(places[at], end));
          assert.deepEqual(
            run(pieces, () => accepted),
            run([octets], () => accepted),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('octets without sense are answered', () => {
    const unit = fc.constantFrom(
      'a',
      ' ',
      '{',
      '}',
      '1',
      '+',
      '~',
      '\r\n',
      '\n',
      '"',
      '(',
      ')',
      '\\',
      '\0',
      'NOOP',
      'APPEND',
      'x',
    );
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 60 }), (text) => {
        const octets = Buffer.from(text, 'latin1');
        const whole = run([octets]);
        assert.deepEqual(run(Array.from(octets, (_, at) => octets.subarray(at, at + 1))), whole);
      }),
      { numRuns: 3000 },
    );
  });

  test('a line of 64 KB octet by octet stays linear', () => {
    const time = (size: number): number => {
      const octets = Buffer.from(`a LOGIN u ${x(size)}\r\n`);
      const reader = createCommandReader({ ...COMMAND_LIMITS, lineOctetsMax: size * 2 });
      const start = performance.now();
      let events = 0;
      for (let at = 0; at < octets.length; at += 1) {
        reader.push(octets.subarray(at, at + 1));
        if (reader.next().kind === 'command') events += 1;
      }
      assert.equal(events, 1);
      return performance.now() - start;
    };
    time(10_000);
    assert.ok(time(64_000) < 1000);
    assert.ok(time(512_000) < 4000);
  });

  test('many literals in a command stay linear', () => {
    const count = 10_000;
    const reader = createCommandReader({ ...COMMAND_LIMITS, lineOctetsMax: 1_000_000 });
    reader.push(Buffer.from(`a LOGIN${' {1+}\r\nx'.repeat(count)}\r\n`));
    const start = performance.now();
    assert.equal(reader.next().kind, 'bad');
    assert.ok(performance.now() - start < 1000);
  });

  test('what waits behind STARTTLS is seen and can be forgotten (RFC 9051 §6.2.1)', () => {
    const reader = createCommandReader();
    reader.push(Buffer.from('a STARTTLS\r\nb LOG'));
    reader.push(Buffer.from('IN u p\r\n'));
    assert.equal(reader.next().kind, 'command');
    assert.equal(reader.pending(), 'b LOGIN u p\r\n'.length);
    reader.discardPending();
    assert.equal(reader.pending(), 0);
    assert.equal(reader.next().kind, 'need-more');
  });

  test('a half line counts as pending', () => {
    const reader = createCommandReader();
    reader.push(Buffer.from('a NO'));
    assert.equal(reader.next().kind, 'need-more');
    assert.equal(reader.pending(), 4);
    reader.discardPending();
    reader.push(Buffer.from('b NOOP\r\n'));
    const event = reader.next();
    assert.ok(event.kind === 'command' && event.tag === 'b');
  });

  test('the octets of a message are views of what was pushed', () => {
    const reader = createCommandReader();
    const octets = Buffer.from('a APPEND x {5+}\r\nhello\r\n');
    reader.push(octets);
    assert.equal(reader.next().kind, 'append');
    reader.acceptAppend();
    const event = reader.next();
    assert.ok(event.kind === 'append-octets');
    assert.equal(event.octets.buffer, octets.buffer);
  });

  test('the wrong call at the wrong time is a bug, and thrown', () => {
    const reader = createCommandReader();
    assert.throws(() => reader.acceptAppend(), TypeError);
    reader.push(Buffer.from('a APPEND x {5+}\r\nhello\r\n'));
    reader.next();
    assert.throws(() => reader.next(), TypeError);
  });
});
