/** `postrider trace`: what an operator sees of mail that came, was refused, went on, failed, and of connections turned away. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, postrider, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import type { TraceSummaryView, TraceView } from '../../src/app/control/trace-view.ts';

const swaks = peer('swaks');

async function found(
  server: RunningPostrider,
  words: readonly string[],
  enough: (traces: readonly TraceSummaryView[]) => boolean = (traces) => traces.length > 0,
): Promise<readonly TraceSummaryView[]> {
  for (;;) {
    const text = await postrider(['trace', ...words, '--dir', server.directory, '--json']);
    const { traces } = JSON.parse(text) as { traces: readonly TraceSummaryView[] };
    // Entries are written twice a second.
    if (enough(traces)) return traces;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function story(
  server: RunningPostrider,
  id: string,
  enough: (trace: TraceView) => boolean = () => true,
): Promise<TraceView> {
  for (;;) {
    const text = await postrider(['trace', id, '--dir', server.directory, '--json']);
    const { trace } = JSON.parse(text) as { trace: TraceView };
    if (enough(trace)) return trace;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const lines = ({ entries }: TraceView): readonly string[] => entries.map(({ text }) => text);

test('the story of every message, running and stopped, and after a crash', { skip: swaks.skip }, async () => {
  await using server = await startPostrider();
  const from = (port: 'smtp' | 'submission', ...words: readonly string[]) =>
    run('swaks', ['--server', `127.0.0.1:${server.port(port)}`, ...words]);
  const signedIn = ['-tls', '-a', 'PLAIN', '-au', BOB.address];

  // Delivered here.
  await from(
    'smtp',
    '--to',
    ALICE.address,
    '--from',
    'eve@away.test',
    '--ehlo',
    'mx.away.test',
    '--header',
    'Message-Id: <1@away.test>',
  );
  await waitForMessages(server, ALICE, 1);
  const [here] = await found(server, [ALICE.address], ([first]) => first?.outcome === 'delivered');
  assert.deepEqual(
    [here?.direction, here?.client, here?.sender, here?.messageId, here?.recipients],
    ['in', '127.0.0.1', 'eve@away.test', '1@away.test', [{ address: ALICE.address, fate: 'delivered' }]],
  );
  const delivered = lines(await story(server, here?.id ?? ''));
  assert.match(
    delivered[0] ?? '',
    /^Session \w+ from 127\.0\.0\.1:\d+ to 127\.0\.0\.1:\d+ \(relay\), EHLO mx\.away\.test, no TLS$/,
  );
  assert.deepEqual(delivered.slice(1, 3), [
    'MAIL FROM:<eve@away.test>',
    `RCPT TO:<${ALICE.address}>: accepted`,
  ]);
  assert.ok(delivered.includes(`${ALICE.address} delivered into INBOX`));

  // Refused at RCPT; and at AUTH, before there was a message.
  await from('smtp', '--to', 'nobody@example.test', '--from', 'eve@away.test');
  const [refused] = await found(server, ['nobody@example.test']);
  assert.equal(refused?.outcome, 'refused');
  assert.match(refused.lastText ?? '', /^550 5\.1\.1 .*\(recipient\.unknown\)$/);
  await from('submission', '--to', ALICE.address, '--from', BOB.address, ...signedIn, '-ap', 'wrong');
  const turnedAway = await found(
    server,
    ['--client', '127.0.0.1', '--outcome', 'refused'],
    (all) => all.length > 1,
  );
  assert.deepEqual(
    turnedAway.map(({ sender }) => sender),
    [null, 'eve@away.test'],
  );

  // Failed for good: the report has a trace of its own, and each names the other.
  await from(
    'submission',
    '--to',
    'x@nowhere.invalid',
    '--from',
    BOB.address,
    ...signedIn,
    '-ap',
    BOB.password,
  );
  await waitForMessages(server, BOB, 1);
  const [failed] = await found(server, ['--outcome', 'failed', '--direction', 'out']);
  const isReported = (trace: TraceView): boolean => lines(trace).some((line) => line.startsWith('Report '));
  const told = lines(await story(server, failed?.id ?? '', isReported));
  const report = told.flatMap((line) => /^Report (\w+) about/.exec(line)?.[1] ?? []);
  assert.equal(report.length, 1, told.join('\n'));
  const [about = ''] = lines(await story(server, report[0] ?? ''));
  assert.equal(about, `Report ${report[0]} about ${failed?.id} goes to ${BOB.address}`);

  // By Message-ID, by the beginning of an id, by time; nothing of another time.
  assert.equal((await found(server, ['--message-id', '<1@away.test>']))[0]?.id, here?.id);
  assert.equal((await story(server, here?.id.slice(0, 16) ?? '')).id, here?.id);
  assert.deepEqual(await found(server, [ALICE.address, '--until', '1d'], () => true), []);

  // A crash loses half a second at most; what a command shows of a stopped server is the same.
  await server.kill();
  assert.equal((await story(server, here?.id ?? '')).outcome, 'delivered');
});

test('without traces mail goes on, and nothing is kept', { skip: swaks.skip }, async () => {
  await using server = await startPostrider({ config: '[trace]\nenabled = false\n' });
  await run('swaks', [
    '--server',
    `127.0.0.1:${server.port('smtp')}`,
    '--to',
    ALICE.address,
    '--from',
    'eve@away.test',
  ]);
  await waitForMessages(server, ALICE, 1);
  const file = `${server.directory}/postrider.toml`;
  assert.match(await postrider(['trace', ALICE.address, '--config', file]), /^Nothing matches/);
});

test(
  'what an operator does on a stopped server is in the story, as on a running one',
  { skip: swaks.skip },
  async () => {
    const config = `[queue]\nretryAfterSeconds = [3600]\n[[routes]]\nname = "all"\nhosts = ["127.0.0.1:${await freePort()}"]\n`;
    await using server = await startPostrider({ config });
    const sent = await run('swaks', [
      '--server',
      `127.0.0.1:${server.port('submission')}`,
      '-tls',
      '-a',
      'PLAIN',
      '-au',
      BOB.address,
      '-ap',
      BOB.password,
      '--from',
      BOB.address,
      '--to',
      'one@far.test,two@far.test',
    ]);
    assert.equal(sent.code, 0, sent.stdout);
    const at = ['--config', join(server.directory, 'postrider.toml')];
    const traced = async (word: string): Promise<readonly TraceSummaryView[]> => {
      const text = await postrider(['trace', word, '--json', ...at]);
      return (JSON.parse(text) as { traces: readonly TraceSummaryView[] }).traces;
    };
    let [before] = await traced('one@far.test');
    for (let tries = 0; before?.outcome !== 'delayed' && tries < 100; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      [before] = await traced('one@far.test');
    }
    const id = before?.id ?? '';
    await server.stop();
    const queue = (...words: readonly string[]): Promise<string> => postrider(['queue', ...words, ...at]);
    const shown = await queue('show', id, '--content');
    assert.match(shown, /\nReceived: from \S+[^]*\nSubject: test [^]*\n\nThis is a test mailing\n/);
    await queue('hold', id, '--recipient', 'two@far.test');
    await queue('release', id);
    await queue('retry', '--all');
    await queue('drop', '--recipient', 'one@far.test');
    await queue('expire', id);
    const { trace } = JSON.parse(await postrider(['trace', id, '--json', ...at])) as { trace: TraceView };
    const acts = lines(trace).filter((text) => text.startsWith('The operator'));
    assert.deepEqual(acts, [
      'The operator: hold (1 of its recipients: two@far.test)',
      'The operator: release (1 of its recipients)',
      'The operator: retry (2 of its recipients)',
      'The operator: drop (1 of its recipients: one@far.test)',
      'The operator: expire (1 of its recipients)',
    ]);
    const [after] = await traced('one@far.test');
    assert.deepEqual(
      after?.recipients.map(({ address, fate }) => [address, fate]),
      [
        ['one@far.test', 'dropped'],
        ['two@far.test', 'queued'],
      ],
    );
  },
);
