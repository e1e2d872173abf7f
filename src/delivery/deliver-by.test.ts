import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeliverBy, LastAnswer, NotifyOn } from '../queue/queue.ts';
import {
  delayAnswer,
  delayReportAtMs,
  isOverdue,
  overdueOutcome,
  tellsHandOver,
  withinTime,
} from './deliver-by.ts';

const by = (mode: DeliverBy['mode'], trace = false): { deliverBy: DeliverBy } => ({
  deliverBy: { byMs: 1000, mode, trace },
});
const NONE = { deliverBy: undefined };
const ANSWER: LastAnswer = {
  atMs: 500,
  host: 'mx.test',
  status: '4.2.2',
  text: '452 full',
  reason: 'smtp.x',
};

test('only what is to be returned is overdue, from the instant on (RFC 2852 §4.1.3)', () => {
  assert.equal(isOverdue(by('return'), 999), false);
  assert.equal(isOverdue(by('return'), 1000), true);
  assert.equal(isOverdue(by('notify'), 9999), false);
  assert.equal(isOverdue(NONE, 9999), false);
});

test('what is overdue has failed with 5.4.7, and says what it met last (RFC 2852 §4.1.3)', () => {
  assert.equal(overdueOutcome(7).answer.status, '5.4.7');
  assert.match(overdueOutcome(7, ANSWER).answer.text, /; last: 452 full$/);
});

test('who named a time hears of the delay then, as 4.4.7 (RFC 2852 §4.1.3)', () => {
  const arrived = { arrivedAtMs: 100, releaseAtMs: undefined };
  assert.equal(delayReportAtMs({ ...arrived, ...by('notify') }, 5), 1000);
  assert.equal(delayReportAtMs({ ...arrived, ...by('return') }, 5), 105);
  assert.equal(delayReportAtMs({ ...arrived, ...NONE }, 5), 105);
  assert.equal(delayReportAtMs({ arrivedAtMs: 100, releaseAtMs: 300, ...NONE }, 5), 305);
  assert.deepEqual(delayAnswer(by('notify'), ANSWER), { ...ANSWER, status: '4.4.7' });
  assert.equal(delayAnswer(by('return'), ANSWER), ANSWER);
});

test('an attempt is not put off beyond the time, while it is ahead', () => {
  assert.equal(withinTime(by('notify'), 5000, 10), 1000);
  assert.equal(withinTime(by('return'), 500, 10), 500);
  assert.equal(withinTime(by('notify'), 5000, 1000), 5000);
  assert.equal(withinTime(NONE, 5000, 10), 5000);
});

/** [what was asked for, NOTIFY, the next hop keeps time, when it took it, whether the sender hears of it] */
const handOvers: readonly (readonly [
  DeliverBy['mode'],
  boolean,
  NotifyOn | undefined,
  boolean,
  number,
  boolean,
])[] = [
  ['notify', false, undefined, true, 500, false],
  ['notify', false, undefined, false, 500, true],
  ['notify', false, undefined, false, 1000, false],
  ['notify', false, ['failure'], false, 500, true],
  ['notify', false, [], false, 500, false],
  ['return', false, undefined, true, 500, false],
  ['return', true, undefined, true, 500, true],
  ['notify', true, ['failure'], true, 2000, true],
  ['notify', true, [], true, 500, false],
];
for (const [mode, trace, notify, keepsTime, atMs, want] of handOvers)
  test(`hand-over, ${mode}${trace ? ' with trace' : ''}, NOTIFY ${String(notify)}, at ${atMs}: ${want ? 'told' : 'not told'} (RFC 2852 §4.1.4)`, () => {
    const outcome = { kind: 'relayed', answer: { ...ANSWER, atMs }, reportsItself: true, keepsTime } as const;
    assert.equal(tellsHandOver({ ...by(mode, trace), reversePath: 'a@b.test' }, { notify }, outcome), want);
    assert.equal(tellsHandOver({ ...by(mode, trace), reversePath: null }, { notify }, outcome), false);
    assert.equal(tellsHandOver({ ...NONE, reversePath: 'a@b.test' }, { notify }, outcome), false);
  });
