/** The checker of the crash test must find what it is there to find: each kind of wrong is shown to it once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrives, hasFlag, isCopied, isExpunged, isMade, isMoved, isNamed, isRemoved } from './changes.ts';
import {
  Ledger,
  type Act,
  type MailboxRecord,
  type Seen,
  type SeenMailbox,
  type SeenMessage,
} from './ledger.ts';

type World = { readonly ledger: Ledger; readonly inbox: MailboxRecord; readonly work: MailboxRecord };

const ACCOUNT = 'alice';

function mailbox(
  name: string,
  messages: readonly SeenMessage[],
  others: Partial<SeenMailbox> = {},
): SeenMailbox {
  const uidNext = (messages.at(-1)?.uid ?? 0) + 1;
  return { name, uidValidity: name === 'INBOX' ? 1 : 2, uidNext, highestModSeq: 10, messages, ...others };
}

function message(uid: number, token: string, ...flags: readonly string[]): SeenMessage {
  return { uid, token, flags };
}

function seen(...mailboxes: readonly SeenMailbox[]): Seen {
  return new Map([[ACCOUNT, mailboxes]]);
}

function deliver(ledger: Ledger, inbox: MailboxRecord, token: string): Act {
  return ledger.begin(`SMTP ${token}`, [[ledger.newMessage(ACCOUNT, token), arrives(inbox)]]);
}

/** Two mailboxes; `kept` was delivered and acknowledged, and seen there as UID 1. */
function world(): World {
  const ledger = new Ledger();
  ledger.adopt(seen(mailbox('INBOX', []), mailbox('Work', [])));
  const inbox = ledger.mailbox(ACCOUNT, 'INBOX');
  ledger.done(deliver(ledger, inbox, 'kept'));
  assert.deepEqual(ledger.check(seen(mailbox('INBOX', [message(1, 'kept')]), mailbox('Work', []))), []);
  return { ledger, inbox, work: ledger.mailbox(ACCOUNT, 'Work') };
}

const KEPT = message(1, 'kept');
const EMPTY = mailbox('Work', []);

const cases: readonly {
  readonly name: string;
  readonly act: (world: World) => void;
  readonly seen: Seen;
  /** What is said; nothing when all is well. */
  readonly found?: RegExp;
}[] = [
  { name: 'nothing happened', act: () => undefined, seen: seen(mailbox('INBOX', [KEPT]), EMPTY) },
  {
    name: 'an acknowledged message is lost',
    act: ({ ledger, inbox }) => ledger.done(deliver(ledger, inbox, 'new')),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice new is lost: nowhere, not \[INBOX \?\]/,
  },
  {
    name: 'an old message is lost',
    act: () => undefined,
    seen: seen(mailbox('INBOX', [], { uidNext: 2 }), EMPTY),
    found: /^alice kept is lost/,
  },
  {
    name: 'an acknowledged message is there twice',
    act: ({ ledger, inbox }) => ledger.done(deliver(ledger, inbox, 'new')),
    seen: seen(mailbox('INBOX', [KEPT, message(2, 'new'), message(3, 'new')]), EMPTY),
    found: /^alice new is there too often/,
  },
  {
    name: 'an unanswered message may be there',
    act: ({ ledger, inbox }) => void deliver(ledger, inbox, 'new'),
    seen: seen(mailbox('INBOX', [KEPT, message(2, 'new')]), EMPTY),
  },
  {
    name: 'an unanswered message may not be there',
    act: ({ ledger, inbox }) => void deliver(ledger, inbox, 'new'),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
  },
  {
    name: 'an unanswered message is never there twice',
    act: ({ ledger, inbox }) => void deliver(ledger, inbox, 'new'),
    seen: seen(mailbox('INBOX', [KEPT, message(2, 'new'), message(3, 'new')]), EMPTY),
    found: /^alice new is there too often \(during SMTP new\)/,
  },
  {
    name: 'a refused message is there',
    act: ({ ledger, inbox }) => ledger.refused(deliver(ledger, inbox, 'new')),
    seen: seen(mailbox('INBOX', [KEPT, message(2, 'new')]), EMPTY),
    found: /^alice new is there too often/,
  },
  {
    name: 'a message that nobody sent',
    act: () => undefined,
    seen: seen(mailbox('INBOX', [KEPT, message(2, 'stranger')]), EMPTY),
    found: /^alice stranger: nobody sent it/,
  },
  {
    name: 'half of a MULTIAPPEND',
    act: ({ ledger, work }) =>
      void ledger.begin(
        'APPEND',
        ['a', 'b'].map((token) => [ledger.newMessage(ACCOUNT, token), arrives(work)]),
      ),
    seen: seen(mailbox('INBOX', [KEPT]), mailbox('Work', [message(1, 'a')])),
    found: /^APPEND was done in part/,
  },
  {
    name: 'an expunged message is back',
    act: ({ ledger, inbox }) => change(ledger, 'EXPUNGE', isExpunged(inbox)),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice kept is there too often/,
  },
  {
    name: 'a moved message is in both places',
    act: ({ ledger, inbox, work }) => change(ledger, 'MOVE', isMoved(inbox, work)),
    seen: seen(mailbox('INBOX', [KEPT]), mailbox('Work', [message(1, 'kept')])),
    found: /^alice kept is there too often/,
  },
  {
    name: 'an unanswered move leaves neither',
    act: ({ ledger, inbox, work }) => change(ledger, 'MOVE', isMoved(inbox, work), false),
    seen: seen(mailbox('INBOX', [], { uidNext: 2 }), EMPTY),
    found: /^alice kept is lost \(during MOVE\)/,
  },
  {
    name: 'a copy is missing',
    act: ({ ledger, inbox, work }) => change(ledger, 'COPY', isCopied(inbox, work)),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice kept is lost: \[INBOX 1\]/,
  },
  {
    name: 'a flag is lost',
    act: ({ ledger }) => change(ledger, 'STORE', hasFlag('\\Seen', true)),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice kept is not as it was left/,
  },
  {
    name: 'UIDVALIDITY changed',
    act: () => undefined,
    seen: seen(mailbox('INBOX', [KEPT], { uidValidity: 7 }), EMPTY),
    found: /^alice INBOX is lost/,
  },
  {
    name: 'a UID was used again',
    act: ({ ledger, inbox }) => {
      change(ledger, 'EXPUNGE', isExpunged(inbox));
      ledger.done(deliver(ledger, inbox, 'new'));
    },
    seen: seen(mailbox('INBOX', [message(1, 'new')]), EMPTY),
    found: /^alice INBOX: UID 1 was kept and is now new/,
  },
  {
    name: 'UIDNEXT went back',
    act: ({ ledger, inbox }) => change(ledger, 'EXPUNGE', isExpunged(inbox)),
    seen: seen(mailbox('INBOX', []), EMPTY),
    found: /^alice INBOX: UIDNEXT went back from 2 to 1/,
  },
  {
    name: 'HIGHESTMODSEQ went back',
    act: () => undefined,
    seen: seen(mailbox('INBOX', [KEPT], { highestModSeq: 9 }), EMPTY),
    found: /^alice INBOX: HIGHESTMODSEQ went back from 10 to 9/,
  },
  {
    name: 'a mailbox is lost',
    act: () => undefined,
    seen: seen(mailbox('INBOX', [KEPT])),
    found: /^alice Work is lost/,
  },
  {
    name: 'a mailbox was not made',
    act: ({ ledger }) => {
      const made = ledger.newMailbox(ACCOUNT, 'Made');
      ledger.done(ledger.begin('CREATE', [], [made, isMade()]));
    },
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice Made is lost/,
  },
  {
    name: 'a mailbox has two names',
    act: ({ ledger, work }) => void ledger.begin('RENAME', [], [work, isNamed('Play')]),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY, mailbox('Play', [], { uidValidity: 2 })),
    found: /^alice Work is there twice, also as Play/,
  },
  {
    name: 'an unanswered rename may have been done',
    act: ({ ledger, work }) => void ledger.begin('RENAME', [], [work, isNamed('Play')]),
    seen: seen(mailbox('INBOX', [KEPT]), mailbox('Play', [], { uidValidity: 2 })),
  },
  {
    name: 'a removed mailbox is back',
    act: ({ ledger, work }) => ledger.done(ledger.begin('DELETE', [], [work, isRemoved()])),
    seen: seen(mailbox('INBOX', [KEPT]), EMPTY),
    found: /^alice Work: nobody made it/,
  },
];

function change(
  ledger: Ledger,
  what: string,
  how: Parameters<Ledger['begin']>[1][number][1],
  isAnswered = true,
): void {
  const record = ledger.message(ACCOUNT, 'kept') ?? assert.fail('no message');
  const act = ledger.begin(what, [[record, how]]);
  if (isAnswered) ledger.done(act);
}

for (const { name, act, seen: view, found } of cases)
  test(`the ledger: ${name}`, () => {
    const one = world();
    act(one);
    const [first, ...others] = one.ledger.check(view);
    if (found === undefined) assert.equal(first, undefined);
    else assert.match([first, ...others].join('\n'), new RegExp(found.source, 'm'));
  });
