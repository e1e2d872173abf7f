/** What an operator sees and does while next hops take mail, put it off and hang up; on a running server and a stopped one. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { peer } from '../support/peer.ts';
import { ALICE, postrider, startPostrider } from '../support/postrider.ts';
import { startSink } from '../support/smtp-sink.ts';

const { skip } = peer('smtp-sink');
const { skip: skipSource } = peer('smtp-source');

type Group = {
  readonly domain: string;
  readonly state: string;
  readonly hold: string | null;
  readonly recipients: number;
  readonly lastAnswer: { readonly text: string; readonly reason: string } | null;
};
type Summary = {
  readonly groups: readonly Group[];
  readonly suspensions: readonly { readonly scope: string }[];
  readonly count: { readonly messages: number; readonly held: number };
};

function routeTo(domain: string, port: number): string {
  return `[[routes]]\nname = "${domain.replace('.', '-')}"\nrecipients = ["${domain}"]\nhosts = ["127.0.0.1:${port}"]\n`;
}

test(
  'an operator finds out, suspends, reroutes and expires',
  { skip: skip ?? skipSource, timeout: 180_000 },
  async () => {
    await using good = await startSink(await freePort());
    await using busy = await startSink(await freePort(), ['-r', 'RCPT']);
    const config = [
      '[queue]\nretryAfterSeconds = [3600]',
      routeTo('good.test', good.port),
      routeTo('busy.test', busy.port),
    ].join('\n');
    await using first = await startPostrider({ config });
    const at = ['--config', join(first.directory, 'postrider.toml')];
    const queue = (...words: readonly string[]): Promise<string> => postrider(['queue', ...words, ...at]);
    const summary = async (...words: readonly string[]): Promise<Summary> =>
      JSON.parse(await queue('summary', '--json', ...words)) as Summary;
    const until = async (what: string, holds: (found: Summary) => boolean): Promise<Summary> => {
      for (let tries = 0; tries < 200; tries += 1) {
        const found = await summary();
        if (holds(found)) return found;
        await pause(50);
      }
      return assert.fail(`${what}: ${JSON.stringify(await summary())}\n${first.output()}`);
    };
    const send = async (port: number, count: number, to: string, from: string): Promise<void> => {
      const words = [
        '-c',
        '-s',
        '5',
        '-m',
        String(count),
        '-l',
        '2000',
        '-f',
        from,
        '-t',
        to,
        `127.0.0.1:${port}`,
      ];
      const { code, stderr } = await run('smtp-source', words);
      assert.equal(code, 0, stderr);
    };
    for (const domain of ['good', 'busy'])
      await postrider(['alias', 'add', `${domain}@example.test`, `someone@${domain}.test`, ...at]);

    await send(first.port('smtp'), 5, 'good@example.test', 'a@elsewhere.test');
    await good.reach(5);
    await send(first.port('smtp'), 20, 'busy@example.test', 'a@elsewhere.test');
    const put = await until(
      'twenty are put off',
      ({ groups }) => groups[0]?.lastAnswer !== null && groups[0]?.recipients === 20,
    );
    assert.deepEqual(
      [put.groups.length, put.groups[0]?.domain, put.groups[0]?.state],
      [1, 'busy.test', 'waiting'],
    );
    assert.match(put.groups[0]?.lastAnswer?.text ?? '', /^4\d\d /);
    assert.match(await queue('summary'), /20 messages.*\n\nRECIPIENTS {2}DOMAIN[^]*20 +busy\.test/);

    await queue('suspend', 'good.test');
    await send(first.port('smtp'), 3, 'good@example.test', 'a@elsewhere.test');
    await until('three are held', ({ count }) => count.held === 3);

    await first.stop();
    const stopped = await summary('--hold', 'suspended:domain:good.test');
    assert.deepEqual([stopped.groups[0]?.recipients, stopped.suspensions[0]?.scope], [3, 'domain:good.test']);
    const reroute = ['reroute', '--domain', 'busy.test', '--text', '4', '--to-hop', 'good.test', '--json'];
    const rehearsed: unknown = JSON.parse(await queue(...reroute, '--dry-run'));
    assert.partialDeepStrictEqual(rehearsed, { messages: 20, recipients: 20, busy: 0, unknown: 0 });
    assert.equal(
      (await summary('--domain', 'busy.test')).groups[0]?.recipients,
      20,
      'a dry run changes nothing',
    );
    assert.deepEqual(JSON.parse(await queue(...reroute)), {
      messages: 20,
      recipients: 20,
      busy: 0,
      unknown: 0,
    });

    await using second = await startPostrider({
      config,
      directory: first.directory,
      basePort: first.basePort,
    });
    await until('all are held', ({ count }) => count.held === 23);
    assert.equal(good.messages, 5, 'the suspension outlived the restart');
    assert.match(await queue('resume', 'good.test'), /23 recipients of 23 messages/);
    await good.reach(28);
    await until('the queue is empty', ({ count }) => count.messages === 0);

    await send(second.port('smtp'), 1, 'busy@example.test', ALICE.address);
    await until('one is put off', ({ groups }) => groups[0]?.lastAnswer !== null && groups.length === 1);
    assert.match(await queue('expire', '--older', '0s', '--sender', 'nobody@x.test'), /^0 recipients/);
    assert.match(await queue('expire', '--domain', 'busy.test'), /^1 recipient of 1 message/);
    await until('it is gone', ({ count }) => count.messages === 0);
    const shown = JSON.parse(await postrider(['account', 'show', ALICE.address, '--json', ...at])) as {
      readonly messagesUsed: number;
    };
    assert.equal(shown.messagesUsed, 1, 'alice is told');
  },
);

test(
  'mail is rerouted to another port, by SMTP and by LMTP, whatever the routes say; on a stopped server too',
  { skip: skip ?? skipSource, timeout: 180_000 },
  async () => {
    await using usual = await startSink(await freePort(), ['-r', 'RCPT']);
    await using other = await startSink(await freePort());
    await using lmtp = await startSink(await freePort(), ['-L']);
    const config = `[queue]\nretryAfterSeconds = [3600]\n[[routes]]\nname = "all"\nhosts = ["127.0.0.1:${usual.port}"]\n`;
    await using first = await startPostrider({ config });
    const at = ['--config', join(first.directory, 'postrider.toml')];
    const queue = (...words: readonly string[]): Promise<string> => postrider(['queue', ...words, ...at]);
    for (const name of ['one', 'two']) {
      await postrider(['alias', 'add', `${name}@example.test`, `someone@${name}.test`, ...at]);
      const words = ['-f', 'a@elsewhere.test', '-t', `${name}@example.test`];
      const { code, stderr } = await run('smtp-source', [...words, `127.0.0.1:${first.port('smtp')}`]);
      assert.equal(code, 0, stderr);
    }
    const until = async (holds: (summary: string) => boolean): Promise<void> => {
      for (let tries = 0; tries < 200; tries += 1) {
        if (holds(await queue('summary'))) return;
        await pause(50);
      }
      assert.fail(await queue('summary'));
    };
    await until((summary) => /one\.test.*4\d\d /.test(summary) && /two\.test.*4\d\d /.test(summary));

    const to = (hop: string) => ['--to-hop', hop, '--json'];
    await queue('reroute', '--domain', 'one.test', ...to(`[127.0.0.1]:${other.port}`));
    await other.reach(1);
    await first.stop();
    await queue('reroute', '--domain', 'two.test', ...to(`lmtp:[127.0.0.1]:${lmtp.port}`));
    const listed = await queue('list', '--json');
    assert.match(listed, new RegExp(`"domain":"\\[127.0.0.1\\]","port":${lmtp.port},"speech":"lmtp"`));

    await using second = await startPostrider({
      config,
      directory: first.directory,
      basePort: first.basePort,
    });
    await lmtp.reach(1);
    await until((summary) => summary.startsWith('0 messages'));
    assert.equal(await second.stop(), 0);
  },
);
