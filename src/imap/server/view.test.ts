/** The view of a mailbox against the plainest one: a list of UIDs that the client changes as it is told (RFC 9051 §7.5.1). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { known, toEmailId, toModSeq, toUid } from '../../store/ids.ts';
import type { Entry } from '../../store/mail-store.ts';
import { MailboxView, type Notice } from './view.ts';

function entry(uid: number, modSeq: number): Entry {
  return {
    uid: known(toUid(uid)),
    emailId: known(toEmailId(uid)),
    flags: 0,
    keywords: [],
    modSeq: known(toModSeq(modSeq)),
  };
}

/** The mailbox as it is in the store. */
class Mailbox {
  readonly modSeqs = new Map<number, number>();
  readonly vanished: { readonly uid: number; readonly modSeq: number }[] = [];
  modSeq = 1;
  uidNext = 1;

  deliver(): void {
    this.modSeq += 1;
    this.modSeqs.set(this.uidNext, this.modSeq);
    this.uidNext += 1;
  }

  change(pick: number, isExpunge: boolean): void {
    const uid = [...this.modSeqs.keys()][pick % Math.max(1, this.modSeqs.size)];
    if (uid === undefined) return;
    this.modSeq += 1;
    if (!isExpunge) this.modSeqs.set(uid, this.modSeq);
    else {
      this.modSeqs.delete(uid);
      this.vanished.push({ uid, modSeq: this.modSeq });
    }
  }

  changes(since: number): Parameters<MailboxView['take']>[0] {
    return {
      highestModSeq: known(toModSeq(this.modSeq)),
      uidNext: this.uidNext,
      changed: [...this.modSeqs]
        .filter(([, modSeq]) => modSeq > since)
        .map(([uid, modSeq]) => entry(uid, modSeq)),
      vanished: this.vanished
        .filter(({ modSeq }) => modSeq > since)
        .map(({ uid }) => known(toUid(uid)))
        .toSorted((a, b) => a - b),
    };
  }
}

/** Does to a list what the client does; `uids` of messages it has not asked for are told by the view. */
function tell(client: number[], notices: readonly Notice[], view: MailboxView): void {
  for (const notice of notices) {
    if (notice.kind === 'expunge') {
      assert.equal(client[notice.seq - 1], notice.uid, 'EXPUNGE of another message');
      client.splice(notice.seq - 1, 1);
    } else if (notice.kind === 'exists') {
      assert(notice.count > client.length, 'EXISTS without anything new');
      for (let seq = client.length + 1; seq <= notice.count; seq += 1) client.push(view.uidAt(seq) ?? 0);
    } else assert.equal(client[notice.seq - 1], notice.entry.uid, 'FETCH of another message');
  }
}

const step = fc.oneof(
  fc.constant({ kind: 'deliver' } as const),
  fc.record(
    { kind: fc.constant('change' as const), pick: fc.nat(50), isExpunge: fc.boolean() },
    { noNullPrototype: true },
  ),
  fc.record({ kind: fc.constant('tell' as const), mayExpunge: fc.boolean() }, { noNullPrototype: true }),
);

test('whatever happens, the client counts as the view does, and in the end as the store does', () => {
  fc.assert(
    fc.property(fc.nat(20), fc.array(step, { maxLength: 80 }), (count, steps) => {
      const mailbox = new Mailbox();
      for (let at = 0; at < count; at += 1) mailbox.deliver();
      const client = [...mailbox.modSeqs.keys()];
      const view = new MailboxView(
        client.map((uid) => known(toUid(uid))),
        known(toModSeq(mailbox.modSeq)),
      );
      for (const one of [...steps, { kind: 'tell', mayExpunge: true } as const]) {
        if (one.kind === 'deliver') mailbox.deliver();
        else if (one.kind === 'change') mailbox.change(one.pick, one.isExpunge);
        else {
          const before = client.length;
          const notices = view.take(mailbox.changes(view.modSeq), one.mayExpunge);
          tell(client, notices, view);
          assert(one.mayExpunge || client.length >= before);
          assert.deepEqual([...view.all()], client);
          for (const [index, uid] of client.entries()) assert.equal(view.seqOf(uid), index + 1);
        }
      }
      assert.deepEqual(client, [...mailbox.modSeqs.keys()]);
      assert.deepEqual(view.take(mailbox.changes(view.modSeq), true), []);
    }),
  );
});

test('what the session did itself is not told again, unless others changed it since', () => {
  const view = new MailboxView([known(toUid(1)), known(toUid(2))], known(toModSeq(5)));
  view.toldOf([entry(1, 6), entry(2, 6)]);
  const notices = view.take(
    { highestModSeq: known(toModSeq(7)), uidNext: 3, changed: [entry(1, 6), entry(2, 7)], vanished: [] },
    true,
  );
  assert.deepEqual(notices, [{ kind: 'flags', seq: 2, entry: entry(2, 7) }]);
});

test('a mailbox that is gone: every message, the last first', () => {
  const view = new MailboxView([known(toUid(3)), known(toUid(9))], known(toModSeq(5)));
  assert.deepEqual(view.takeAllGone(false), []);
  assert.equal(view.exists, 2);
  assert.deepEqual(
    view.takeAllGone(true).map((notice) => notice.kind === 'expunge' && notice.seq),
    [2, 1],
  );
  assert.equal(view.exists, 0);
});
