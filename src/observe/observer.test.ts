import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Catalogue } from './definition.ts';
import { createLog, formatLine, gatherLines, lineWriter } from './log.ts';
import { Counters, addUp } from './metrics.ts';
import { createObserver } from './observer.ts';

const EVENTS = {
  subject: 'test',
  description: 'Events of this test.',
  events: {
    'test.accepted': {
      level: 'info',
      text: 'A message was accepted',
      fields: {
        trace: { type: 'text', description: 'The trace id.' },
        recipient: { type: 'text', description: 'Who gets it.', sensitive: 'address', optional: true },
        octets: { type: 'number', description: 'Its size.' },
        outcome: { type: 'text', description: 'What became of it.' },
        reply: { type: 'text', description: 'What was said.', sensitive: 'detail', optional: true },
        subject: { type: 'text', description: 'Its subject.', sensitive: 'content', optional: true },
      },
      metrics: [
        { name: 'postrider_test_messages_total', help: 'Messages.', labels: ['outcome'] },
        { name: 'postrider_test_octets_total', help: 'Octets.', add: 'octets' },
      ],
    },
    'test.broke': {
      level: 'error',
      text: 'Something broke',
      fields: { cause: { type: 'cause', description: 'What was thrown.' } },
    },
    'test.detail': { level: 'debug', text: 'A detail', fields: {} },
  },
} as const satisfies Catalogue;

function capture(level: 'debug' | 'info', format: 'json' | 'text' = 'json') {
  const lines: string[] = [];
  const counters = new Counters();
  const log = createLog({ level, format, thread: 'main', write: (line) => void lines.push(line) });
  return { emit: createObserver(EVENTS, { log, counters }), lines, counters };
}

test('one call writes the line and counts', () => {
  const { emit, lines, counters } = capture('info');
  emit({
    name: 'test.accepted',
    trace: 't1',
    octets: 10,
    outcome: 'delivered',
    recipient: 'bob@example.test',
  });
  emit({ name: 'test.accepted', trace: 't2', octets: 5, outcome: 'delivered' });
  const { time, ...line } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.deepEqual(line, {
    level: 'info',
    thread: 'main',
    event: 'test.accepted',
    trace: 't1',
    recipient: '…@example.test',
    octets: 10,
    outcome: 'delivered',
    text: 'A message was accepted',
  });
  assert.deepEqual(counters.snapshot(), [
    { name: 'postrider_test_messages_total', labels: { outcome: 'delivered' }, value: 2 },
    { name: 'postrider_test_octets_total', labels: {}, value: 15 },
  ]);
});

test('an address is written whole at debug only, and never when it has no domain', () => {
  const { emit, lines } = capture('debug');
  emit({ name: 'test.accepted', trace: 't', octets: 1, outcome: 'x', recipient: 'bob@example.test' });
  assert.match(lines[0] ?? '', /"recipient":"bob@example\.test"/);
  const above = capture('info');
  above.emit({ name: 'test.accepted', trace: 't', octets: 1, outcome: 'x', recipient: 'postmaster' });
  above.emit({ name: 'test.accepted', trace: 't', octets: 1, outcome: 'x', recipient: 'a\nb' });
  assert.match(above.lines[0] ?? '', /"recipient":"…"/);
  assert.match(above.lines[1] ?? '', /"recipient":"…"/);
});

test('a detail is written at debug only, content never, and the null reverse-path hides nobody', () => {
  const event = { name: 'test.accepted', trace: 't', octets: 1, outcome: 'x', reply: 'no', subject: 'Hi' };
  for (const level of ['debug', 'info'] as const) {
    const { emit, lines } = capture(level);
    emit({ ...event, name: 'test.accepted', recipient: '' });
    const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    assert.equal(line['reply'], level === 'debug' ? 'no' : undefined);
    assert.equal('subject' in line, false);
    assert.equal(line['recipient'], '');
  }
});

test('what the catalogue does not name is not written', () => {
  const { emit, lines } = capture('info');
  const event = { name: 'test.accepted', trace: 't', octets: 1, outcome: 'x', password: 'secret' } as const;
  emit(event);
  assert.doesNotMatch(lines.join(''), /secret/);
});

test('below its level an event is counted and not written', () => {
  const { emit, lines } = capture('info');
  emit({ name: 'test.detail' });
  assert.deepEqual(lines, []);
});

test('causes are told to the innermost', () => {
  const { emit, lines } = capture('info');
  emit({ name: 'test.broke', cause: new Error('outer', { cause: new Error('inner') }) });
  assert.match((JSON.parse(lines[0] ?? '') as { cause: string }).cause, /outer[^]*caused by: Error: inner/);
});

test('text for people cannot be forged by a value', () => {
  const line = formatLine(new Date(0), 'info', 'smtp.helo', 'Said', {
    name: 'a\n12:00 error \u001b[2J',
    n: 3,
  });
  assert.equal(line, '00:00:00.000 info  smtp.helo Said  name="a\\n12:00 error \\u001b[2J" n=3\n');
});

test('snapshots of threads add up', () => {
  const one = new Counters();
  const two = new Counters();
  one.add('postrider_x_total', { a: '1', b: '2' }, 2);
  two.add('postrider_x_total', { b: '2', a: '1' }, 3);
  assert.deepEqual(addUp([one.snapshot(), two.snapshot()]), [
    { name: 'postrider_x_total', labels: { a: '1', b: '2' }, value: 5 },
  ]);
});

test('the compiler compares a server’s events with the catalogue', () => {
  type Emit = (event: { readonly name: 'test.detail' }) => void;
  const emit: Emit = capture('info').emit;
  emit({ name: 'test.detail' });
  // @ts-expect-error a name that the catalogue does not have
  const wrong: (event: { readonly name: 'test.unknown' }) => void = capture('info').emit;
  assert.throws(() => wrong({ name: 'test.unknown' }), /No event "test\.unknown"/);
});

test('a log that cannot be written to loses lines, and nothing else', (context) => {
  if (!existsSync('/dev/full')) return context.skip('There is no /dev/full here');
  const full = openSync('/dev/full', 'w');
  const write = lineWriter(full);
  write('one\n');
  write('two\n');
  closeSync(full);
  write('three\n');
});

test('lines of one turn of the event loop are one write, those of the next another', async () => {
  const written: string[] = [];
  const { write, flush } = gatherLines((lines) => void written.push(lines));
  write('one\n');
  write('two\n');
  assert.equal(written.length, 0);
  await new Promise((resolve) => void setImmediate(resolve));
  write('three\n');
  flush();
  flush();
  write(`${'x'.repeat(70_000)}\n`);
  assert.deepEqual(
    written.map((lines) => lines.length),
    ['one\ntwo\n'.length, 'three\n'.length, 70_001],
  );
});

for (const end of ['', 'process.exit(0);', "throw new Error('broke');"])
  test(`the last line of a thread is there, however it ends: ${end === '' ? 'by itself' : end}`, async () => {
    const log = new URL('./log.ts', import.meta.url).href;
    const program = `
      const { createLog } = await import(${JSON.stringify(log)});
      const { isMainThread, Worker } = await import('node:worker_threads');
      if (isMainThread) new Worker(new URL(import.meta.url)).on('error', () => undefined);
      else {
        createLog({ level: 'info', format: 'json', thread: 'worker' }).write('info', 'test.last', 'The last one', {});
        ${end}
      }`;
    const folder = await mkdtemp(join(tmpdir(), 'postrider-test-'));
    try {
      const file = join(folder, 'program.mjs');
      await writeFile(file, program);
      const { stderr } = await promisify(execFile)(process.execPath, [file]);
      assert.match(stderr, /"event":"test.last"/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

test('lines go out whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-test-'));
  try {
    const file = openSync(join(folder, 'log'), 'w');
    const write = lineWriter(file);
    for (const line of ['one\n', 'ü\n']) write(line);
    closeSync(file);
    assert.equal(readFileSync(join(folder, 'log'), 'utf8'), 'one\nü\n');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
