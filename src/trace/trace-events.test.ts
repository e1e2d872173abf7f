import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOGUES } from '../observe/catalogues.ts';
import { Story } from './story.ts';
import { SESSION_ENTRY, saidOf, TRACE_EVENTS } from './trace-events.ts';

const catalogue = new Map(CATALOGUES.flatMap(({ events }) => Object.entries(events)));

for (const [name, row] of Object.entries(TRACE_EVENTS)) {
  if (name === SESSION_ENTRY) continue;
  test(`${name} is in the catalogue, with the fields that its row reads`, () => {
    const fields = catalogue.get(name)?.fields;
    assert.ok(fields !== undefined, 'no such event');
    const named = [
      ...row.of,
      ...row.keeps,
      ...Object.keys(row.keys ?? {}),
      ...(row.also === undefined ? [] : [row.also]),
    ];
    for (const field of named) assert.ok(Object.hasOwn(fields, field), `no field ${field}`);
    for (const field of row.keeps)
      assert.notEqual(fields[field]?.type, 'cause', `${field} is a cause, which is not kept`);
    const id = row.of.findLast(() => true);
    assert.notEqual(fields[id ?? '']?.type, 'number');
  });
}

/** Told by another event, to the word. */
const LEFT_OUT = new Set(['smtp.message-accepted']);

test('every event of a message is in its trace, or left out knowingly', () => {
  for (const [name, { fields }] of catalogue) {
    if (name.startsWith('imap.') || LEFT_OUT.has(name)) continue;
    const isOfMessage = ['traceId', 'queueId', 'sessionId'].some((field) => Object.hasOwn(fields, field));
    assert.equal(
      Object.hasOwn(TRACE_EVENTS, name),
      isOfMessage,
      `${name}: CONTRIBUTING.md, Events and traces`,
    );
  }
});

test('a message that lists alone redistribute is delivered where its copies are', () => {
  const story = new Story('MAIN');
  const redistributed = { queueId: 'MAIN', copyId: 'COPY', address: 'list@x.test', owner: 'owner@x.test' };
  TRACE_EVENTS['delivery.redistributed']?.sums?.(story, saidOf(redistributed));
  assert.equal(story.outcome, 'delivered');
});

test('content is kept only where the operator may take it out: the subject', () => {
  for (const [name, { keeps }] of Object.entries(TRACE_EVENTS))
    for (const field of keeps)
      assert.equal(
        catalogue.get(name)?.fields[field]?.sensitive === 'content',
        field === 'subject',
        `${name} ${field}`,
      );
});

for (const [meant, want] of [
  [{}, ['held', 'held', 'delivered']],
  [{ address: 'A@x.test' }, ['held', 'delayed', 'delivered']],
  [{ domain: 'y.test' }, ['delayed', 'held', 'delivered']],
  [{ domain: 'z.test' }, ['delayed', 'delayed', 'delivered']],
] as const)
  test(`an operator's act on ${JSON.stringify(meant)} changes those that were meant and are open`, () => {
    const story = new Story('X');
    for (const [address, outcome] of [
      ['a@X.test', 'delayed'],
      ['b@y.test', 'delayed'],
      ['c@y.test', 'delivered'],
    ] as const)
      TRACE_EVENTS['delivery.settled']?.sums?.(story, saidOf({ address, outcome }));
    TRACE_EVENTS['queue.acted']?.sums?.(story, saidOf({ act: 'hold', ...meant }));
    assert.deepEqual([...story.recipients.values()], want);
  });

test('every row tells something of whatever fields there are, and of none', () => {
  for (const [name, { keeps, tells, sums, outcome }] of Object.entries(TRACE_EVENTS)) {
    for (const fields of [{}, Object.fromEntries(keeps.map((field) => [field, '1']))]) {
      const line = tells(saidOf(fields));
      assert.ok(line.length > 0 && !line.includes('undefined') && !line.includes('\n'), `${name}: ${line}`);
      const story = new Story('X');
      sums?.(story, saidOf(fields));
      outcome?.(saidOf(fields));
      assert.equal(typeof story.outcome, 'string');
    }
  }
});

/** [the fates of its recipients, whether it was accepted, whether something was refused, what it comes to] */
const outcomes: readonly (readonly [readonly string[], boolean, boolean, string])[] = [
  [[], false, false, 'unfinished'],
  [[], false, true, 'refused'],
  [['offered'], false, false, 'unfinished'],
  [['offered', 'refused'], false, true, 'refused'],
  [['offered'], true, false, 'queued'],
  [['delivered'], true, false, 'delivered'],
  [['delivered', 'refused'], true, true, 'delivered'],
  [['expanded', 'relayed'], true, false, 'delivered'],
  [['delivered', 'offered'], true, false, 'queued'],
  [['delivered', 'delayed'], true, false, 'delayed'],
  [['failed', 'delayed', 'held'], true, false, 'failed'],
  [['held', 'delivered'], true, false, 'held'],
  [['dropped'], true, false, 'dropped'],
  // The beginning is no longer kept.
  [['relayed'], false, false, 'delivered'],
];
for (const [fates, isAccepted, isRefused, want] of outcomes)
  test(`${fates.join(', ') || 'nobody'}${isAccepted ? ', accepted' : ''}${isRefused ? ', refused' : ''}: ${want}`, () => {
    const story = new Story('X');
    for (const [index, fate] of fates.entries()) {
      const settled = { address: `r${index}@x.test`, outcome: fate };
      TRACE_EVENTS['delivery.settled']?.sums?.(story, saidOf(settled));
    }
    if (isRefused) story.refuse('no');
    if (isAccepted) story.accept();
    assert.equal(story.outcome, want);
  });
