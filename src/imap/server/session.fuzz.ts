/**
 * Three sessions on one mailbox take any commands: nothing throws or hangs, each command is answered once and with its own
 * tag, and what they are told of the mailbox adds up (RFC 9051 §7.4, §7.5). Lines that begin with `>` are the second
 * session's, those with `<` of another user, with whom all is shared (RFC 4314).
 */
import assert from 'node:assert/strict';
import {
  ACCOUNT,
  Conversation,
  ImapOffice,
  letter,
  OTHER_ACCOUNT,
} from '../../../test/support/imap-conversation.ts';
import { addUsers, ALICE } from '../../../test/support/imap-sharing.ts';
import { ALL_RIGHTS } from '../../auth/rights.ts';
import { latin1 } from '../../base/bytes.ts';
import { FLAG } from '../../store/mail-store.ts';
import { announcementAtEnd } from '../wire/cursor.ts';
import { countOf, parseSequenceSet, resolveRanges } from '../wire/sequence-set.ts';
import { ResponseReader, type ServerResponse } from '../wire/response-reader.ts';

const LINES_MAX = 40;

export const covers: RegExp = /src\/imap\/server\//;
export const seeds: readonly Uint8Array[] = [
  'NOOP\n>STORE 2 +FLAGS (\\Deleted)\n>EXPUNGE\nFETCH 1:* (UID FLAGS)\nNOOP\nFETCH 1:* (FLAGS ENVELOPE BODY[1]<0.3>)',
  'ENABLE QRESYNC IMAP4rev2\nSELECT INBOX (QRESYNC (1 1 1:3))\nUID FETCH 1:* (FLAGS) (CHANGEDSINCE 1 VANISHED)\n>MOVE 1:2 Sent\nIDLE',
  'CREATE a/b (USE (\\Important))\nRENAME a x/y\nLIST (SUBSCRIBED RECURSIVEMATCH) "" (% x/*) RETURN (CHILDREN STATUS (MESSAGES))\nLSUB "" %\n>SELECT x/y\nDELETE x/y/b\nSUBSCRIBE z',
  'APPEND INBOX (\\Seen $Work) {5}\n>NOOP\nAPPEND INBOX {5+} \nSTATUS INBOX (MESSAGES UIDNEXT)\nCOPY 1:* INBOX\nUID EXPUNGE 1:*\nCLOSE\nEXAMINE Sent\nUNSELECT',
  'SEARCH RETURN (SAVE COUNT) OR NOT SEEN TEXT "hello"\nFETCH $ BODY.PEEK[HEADER.FIELDS (SUBJECT)]\nSORT (REVERSE SUBJECT DATE) UTF-8 ALL\nTHREAD REFERENCES UTF-8 ALL\nTHREAD ORDEREDSUBJECT UTF-8 1\nSTORE 1:* (UNCHANGEDSINCE 7) FLAGS.SILENT (a)',
  'UNAUTHENTICATE\nAUTHENTICATE PLAIN\nLOGIN alice secret\nSELECT Trash\nCHECK\nID NIL\nNAMESPACE\nCAPABILITY\nSTARTTLS\nBINARY\nFETCH 1 BINARY[1]\n>DELETE INBOX\n>LOGOUT\nLOGOUT',
  '>STORE 1 +FLAGS (\\Deleted)\nREPLACE 1 INBOX (\\Draft) {5}\n>EXPUNGE\n>UID REPLACE 2 Drafts {9+}\nREPLACE * INBOX {4} {4}\nREPLACE 1 INBOX {7}\nNOOP',
  'APPEND INBOX CATENATE (URL /INBOX/;UID=1 URL "/INBOX/;UID=2/;section=HEADER/;partial=0.9")\nAPPEND INBOX (\\Seen) CATENATE (URL /INBOX/;UID=9 TEXT {5}\n>REPLACE 1 INBOX CATENATE (URL /INBOX/;UID=1)\nAPPEND Sent CATENATE (URL {5}\nNOOP',
  'ENABLE UIDONLY\nFETCH 1 FLAGS\nUID FETCH 1:* (UID FLAGS BODY[1])\n>STORE 1 +FLAGS (\\Deleted)\n>EXPUNGE\nUID STORE 2:3 FLAGS ($x)\nUID SEARCH 1\nUID REPLACE 2 INBOX {5}\nUID MOVE 3 Sent\nSELECT INBOX (QRESYNC (1 1 1:3 (1 2)))\nIDLE',
  'GENURLAUTH "imap://alice%40example.test@mail.example.test/INBOX/;UID=1/;section=1;urlauth=anonymous" INTERNAL\nRESETKEY INBOX\n>URLFETCH x ("imap://alice%40example.test@mail.example.test/INBOX/;UID=1;urlauth=anonymous:internal:01020304050607080910111213141516" BINARY BODYPARTSTRUCTURE)\nRESETKEY',
  'ENABLE METADATA\n>SETMETADATA INBOX (/shared/a "x" /private/b "y")\nNOOP\nGETMETADATA INBOX (DEPTH infinity) /shared\nLIST "" * RETURN (METADATA (/shared/a))\nRENAME INBOX b\n>DELETE b\nGETQUOTAROOT b\nSTATUS INBOX (DELETED-STORAGE)',
  '<LIST "" "Other Users/%" RETURN (MYRIGHTS)\n<STORE 1 FLAGS (\\Seen $Work)\nSETACL INBOX bob@example.test -swt\n<STORE 1 FLAGS ()\n<FETCH 2 BODY[TEXT]\n<MOVE 1:2 INBOX\nGETACL INBOX\nDELETEACL INBOX anyone\n<CLOSE',
  '<COPY 1:* Sent\n<CREATE "Other Users/alice@example.test/a/b"\n<RENAME "Other Users/alice@example.test/a" "Other Users/alice@example.test/Sent/a"\n<LISTRIGHTS "Other Users/alice@example.test/Sent/a" bob@example.test\n<SUBSCRIBE "Other Users/alice@example.test/INBOX"\n<LSUB "" *\n<GETQUOTAROOT "Other Users/alice@example.test/INBOX"\n<MYRIGHTS INBOX\n<EXPUNGE\nNOOP',
  'NOTIFY SET STATUS (selected (MessageNew (UID FLAGS ENVELOPE) MessageExpunge FlagChange)) (personal (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))\n>STORE 1 +FLAGS (\\Deleted \\Seen)\n>EXPUNGE\n>APPEND INBOX {5}\n>COPY 1 Sent\n>CREATE q/r\n>SELECT Sent\nNOOP\nSELECT Sent\n>RENAME q s\nNOTIFY NONE\nUID FETCH 1:* FLAGS',
  'NOTIFY SET (selected-delayed (MessageNew MessageExpunge)) (mailboxes (Sent Trash) (MessageNew MessageExpunge)) (subtree a NONE) (subscribed (MailboxMetadataChange ServerMetadataChange))\n>MOVE 1 Sent\n>SETMETADATA Sent (/shared/a "x")\nFETCH 1:* FLAGS\nIDLE\nEXPUNGE\nNOTIFY SET (selected NONE)\n>UID EXPUNGE 1:*\nCLOSE',
  '<NOTIFY SET STATUS (subtree "Other Users" (MessageNew MessageExpunge FlagChange MailboxName)) (selected (MessageNew (UID) MessageExpunge))\n>APPEND INBOX {5}\nSETACL INBOX bob@example.test -r\n<NOOP',
].map((text) => Buffer.from(text));

/** What a client knows of its mailbox. */
class Model {
  readonly conversation: Conversation;
  readonly #reader = new ResponseReader();
  #exists = 0;
  #tags = 0;
  isOver = false;

  constructor(conversation: Conversation) {
    this.conversation = conversation;
  }

  async run(line: string): Promise<void> {
    const { conversation } = this;
    this.#tags += 1;
    const tag = `t${this.#tags}`;
    // What NOTIFY brought since the last command came before this one.
    this.#hear(await conversation.hear(), false, false);
    let heard = await conversation.say(`${tag} ${whole(line)}\r\n`);
    // Who was not let into IDLE says no DONE.
    if (/^idle *$/i.test(line) && /^\+ /m.test(heard)) heard += await conversation.say('DONE\r\n');
    if (/^(login|authenticate) /i.test(line)) {
      // A failed sign-in is answered late.
      await conversation.office.clock.advance(2000);
      heard += await conversation.hear();
    }
    const byNumber = /^(fetch|store|search|sort|thread) /i.test(line);
    const isSelecting = /^(select|examine) /i.test(line);
    const answers = this.#hear(heard, byNumber, isSelecting);
    if (!this.isOver) assert.deepEqual(answers, [tag], line);
    else assert(answers.length <= 1, line);
  }

  /** Gives the tags of what was answered. */
  #hear(heard: string, byNumber: boolean, isSelecting: boolean): readonly string[] {
    this.#reader.push(Buffer.from(heard, 'latin1'));
    const answers: string[] = [];
    for (let said = this.#reader.next(); said !== undefined; said = this.#reader.next()) {
      if (said.kind === 'tagged') answers.push(said.tag);
      else if (said.kind === 'status' && said.status === 'BYE') this.isOver = true;
      else if (said.kind === 'data') this.#data(said, byNumber, isSelecting);
    }
    return answers;
  }

  #data(
    { name, number, values }: Extract<ServerResponse, { kind: 'data' }>,
    byNumber: boolean,
    isSelecting: boolean,
  ): void {
    const [first] = values;
    if (name === 'VANISHED' && first?.kind === 'atom') {
      // RFC 7162 §3.2.10.2: without EARLIER each stands for an EXPUNGE. (EARLIER is a list.)
      const gone = parseSequenceSet(first.text, 1000);
      assert(gone !== undefined && gone.kind === 'ranges', 'VANISHED without UIDs');
      assert(!byNumber, 'VANISHED while numbers were in use');
      this.#exists -= countOf(resolveRanges(gone.ranges, 0));
      assert(this.#exists >= 0, 'VANISHED of more than there were');
    }
    if (number === undefined) return;
    if (name === 'EXISTS') {
      assert(isSelecting || number >= this.#exists, 'EXISTS went back');
      this.#exists = number;
    } else if (name === 'EXPUNGE') {
      assert(!byNumber, 'EXPUNGE while numbers were in use');
      assert(number >= 1 && number <= this.#exists, `EXPUNGE ${number} of ${this.#exists}`);
      this.#exists -= 1;
    } else if (name === 'FETCH')
      assert(number >= 1 && number <= Math.max(this.#exists, 1), `FETCH ${number} of ${this.#exists}`);
  }
}

/** The line with what must follow it: literals, the cancellation of a SASL exchange. */
function whole(line: string): string {
  const literal = announcementAtEnd(Buffer.from(line, 'latin1'));
  if (literal !== undefined) {
    const octets = Math.min(literal.octets, 100);
    return `${line.replace(/~?\{\d+\+?\}$/, `{${octets}+}`)}\r\n${'x'.repeat(octets)}`;
  }
  return /^authenticate +(plain|login|scram-sha-(1|256)(-plus)?) *$/i.test(line) ? `${line}\r\n*` : line;
}

async function office(): Promise<ImapOffice> {
  const made = new ImapOffice({ limits: { errorsMax: 1000 } });
  for (let at = 1; at <= 3; at += 1)
    await made.deliver(letter(`m${at}`, `Message-ID: <m${at}>\n`), { flags: at === 3 ? FLAG.deleted : 0 });
  // Else a few lines of COPY double the mailbox until it is everything.
  for (const owner of [ACCOUNT, OTHER_ACCOUNT]) await made.store.setQuota(owner, 10_000);
  await addUsers(made);
  const identifier = 'bob@example.test';
  await made.directory.setShare({ owner: ACCOUNT, mailbox: undefined, identifier, rights: ALL_RIGHTS });
  return made;
}

export async function fuzz(octets: Uint8Array): Promise<void> {
  const shared = await office();
  const [first, second, third] = [
    new Model(await Conversation.signedIn({ office: shared })),
    new Model(await Conversation.signedIn({ office: shared })),
    new Model(await Conversation.signedIn({ office: shared, user: 'bob' })),
  ];
  await first.run('SELECT INBOX');
  await second.run('SELECT INBOX');
  await third.run(`SELECT "${ALICE}/INBOX"`);
  for (const line of latin1(octets)
    .split(/[\r\n]+/)
    .slice(0, LINES_MAX)) {
    const model = line.startsWith('>') ? second : line.startsWith('<') ? third : first;
    const command = line.replace(/^[<>]/, '');
    if (!model.isOver && command.trim() !== '') await model.run(command);
  }
  for (const { conversation } of [first, second, third]) {
    await conversation.client.close();
    await conversation.done;
  }
  const bug = shared.events.find(({ name }) => name === 'imap.bug');
  assert.equal(bug, undefined, bug && 'error' in bug ? bug.error : '');
}
