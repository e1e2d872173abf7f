import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { known, toAccountId, toMailboxId } from '../store/ids.ts';
import { ALL_RIGHTS, RIGHTS, changeRights, formatRights, parseRights, rightsOn } from './rights.ts';

const owner = known(toAccountId(1));
const inbox = known(toMailboxId(1));
const sent = known(toMailboxId(3));

suite('rights (RFC 4314)', () => {
  const spelled = [
    { name: 'in any order, each once', rfc: '4314 §2', text: 'srlrs', want: 'lrs' },
    { name: 'none', rfc: '4314 §2', text: '', want: '' },
    { name: 'c is k and x, d is e and t', rfc: '4314 §2.1.1', text: 'lrswida', want: 'lrswitea' },
    { name: 'c beside its members', rfc: '4314 §2.1.1', text: 'ck', want: 'kx' },
    { name: 'an upper-case letter', rfc: '4314 §3.1', text: 'lrQ', want: undefined },
    { name: 'a letter that is no right', rfc: '4314 §3.1', text: 'lrq', want: undefined },
    { name: 'a digit, of which there are none here', rfc: '4314 §2', text: 'l0', want: undefined },
  ];
  for (const { name, rfc, text, want } of spelled)
    test(`${name} (RFC ${rfc})`, () => assert.equal(parseRights(text), want));

  test('c and d are shown where a member is there (RFC 4314 §2.1.1)', () => {
    assert.equal(formatRights('lrk'), 'lrkc');
    assert.equal(formatRights('lre'), 'lred');
    assert.equal(formatRights(ALL_RIGHTS), `${ALL_RIGHTS}cd`);
    assert.equal(formatRights('lr'), 'lr');
  });

  test('plus adds, minus removes, neither replaces (RFC 4314 §3.1)', () => {
    assert.equal(changeRights('lr', '+sd'), 'lrste');
    assert.equal(changeRights('lrste', '-d'), 'lrs');
    assert.equal(changeRights('lrs', 'a'), 'a');
    assert.equal(changeRights('lrs', '+'), 'lrs');
    assert.equal(changeRights('lrs', ''), '');
    assert.equal(changeRights('lrs', '+q'), undefined);
    assert.equal(changeRights('lrs', '+-r'), undefined);
  });

  test('of a mailbox and of all mail together, less what is taken away, and of no other mailbox (RFC 4314 §2)', () => {
    const shares = [
      { owner, mailbox: undefined, identifier: 'anyone', rights: 'lrs' },
      { owner, mailbox: inbox, identifier: 'bob@a.test', rights: 'wi' },
      { owner, mailbox: inbox, identifier: '-bob@a.test', rights: 'rw' },
    ];
    assert.equal(rightsOn(inbox, shares), 'lsi');
    assert.equal(rightsOn(sent, shares), 'lrs');
    assert.equal(rightsOn(inbox, []), '');
  });

  const rights = fc.subarray([...RIGHTS], { minLength: 0 }).map((letters) => letters.join(''));
  test('what is shown reads back equal', () => {
    fc.assert(
      fc.property(rights, (some) => {
        // `c` and `d` stand for all their members: only where all are there does the text say no more than it did.
        const whole = parseRights(`${some.replaceAll(/[kx]/g, '')}${/[kx]/.test(some) ? 'kx' : ''}`) ?? '';
        const both = /[et]/.test(whole) ? (changeRights(whole, '+et') ?? '') : whole;
        assert.equal(parseRights(formatRights(both)), both);
      }),
    );
  });
  test('what is added and removed again is gone, and nothing else', () => {
    fc.assert(
      fc.property(rights, rights, (some, more) => {
        const added = changeRights(some, `+${more}`) ?? '';
        assert.equal(changeRights(added, `-${more}`), changeRights(some, `-${more}`));
      }),
    );
  });
});
