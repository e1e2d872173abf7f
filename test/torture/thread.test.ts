/** A session thread that dies of a bug: it is replaced, nothing is lost, and the others go on meanwhile. */
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connectControl } from '../../src/app/control/client.ts';
import { ALICE, startPostrider, type RunningPostrider } from '../support/postrider.ts';
import { ImapLink, LinkLost, seeMailbox } from './imap-link.ts';
import { letterOf } from './letter.ts';
import { SmtpLink } from './smtp-link.ts';

const KILLER = new URL('thread-killer.ts', import.meta.url).href;
const PATIENCE_MS = 20_000;

async function send(link: SmtpLink, token: string): Promise<void> {
  link.write('MAIL FROM:<torture@sender.example>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n');
  await link.must(250);
  await link.must(250);
  await link.must(354);
  link.write(letterOf(token, 3000));
  link.write('.\r\n');
  await link.must(250);
}

/** Sends over one connection until it breaks, with a new one then; gives the tokens that were acknowledged. */
async function sendUntil(server: RunningPostrider, name: string, stop: AbortSignal): Promise<string[]> {
  const sent: string[] = [];
  for (let count = 0; !stop.aborted;) {
    try {
      const link = await SmtpLink.open(server.port('smtp'), 'EHLO');
      for (; !stop.aborted; count += 1) {
        await send(link, `${name}n${count}`);
        sent.push(`${name}n${count}`);
      }
      link.close();
    } catch (cause) {
      if (!(cause instanceof LinkLost)) throw cause;
      count += 1;
    }
  }
  return sent;
}

async function tokensOf(server: RunningPostrider): Promise<readonly string[]> {
  const link = await ImapLink.open(server.port('imaps'), ALICE);
  const { messages } = await seeMailbox(link, 'INBOX');
  link.close();
  return messages.map(({ token }) => token);
}

async function queueIsEmpty(server: RunningPostrider): Promise<void> {
  const control = await connectControl(server.directory);
  const endMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const count = await control?.call('queue.count', {});
    if (count?.ok === true && count.value.messages === 0) break;
    assert.ok(performance.now() < endMs, `The queue does not empty: ${JSON.stringify(count)}`);
    await pause(50);
  }
  await control?.close();
}

suite('a session thread that dies', () => {
  // There are as many as processors.
  for (const thread of ['session1', 'session2'].slice(0, availableParallelism()))
    test(`${thread} is replaced, and nothing that was acknowledged is lost`, async () => {
      await using server = await startPostrider({
        env: { NODE_OPTIONS: `--import=${KILLER}`, TORTURE_THREAD: thread },
      });
      const stop = new AbortController();
      const senders = Array.from({ length: 6 }, (_, index) => sendUntil(server, `s${index}`, stop.signal));
      for (let death = 0; death < 2; death += 1) {
        await pause(700);
        process.kill(server.pid, 'SIGUSR2');
        const endMs = performance.now() + PATIENCE_MS;
        const deaths = (): number => server.output().split('Made by a test').length - 1;
        while (deaths() <= death && performance.now() < endMs) await pause(20);
        assert.ok(deaths() > death, `${thread} does not die: ${server.output()}`);
        // Its successor is started after a second.
        await pause(1800);
      }
      stop.abort();
      const sent = (await Promise.all(senders)).flat();
      assert.ok(sent.length > 0);
      await queueIsEmpty(server);
      const found = await tokensOf(server);
      for (const token of sent)
        assert.equal(found.filter((other) => other === token).length, 1, `${token} in ${found.length}`);
      assert.equal(new Set(found).size, found.length, 'something is there twice');
      // All connections of a new client are served again, whichever thread the kernel gives them to.
      for (let count = 0; count < 12; count += 1) {
        const link = await SmtpLink.open(server.port('smtp'), 'EHLO');
        await send(link, `after${count}`);
        link.close();
      }
      assert.equal(await server.stop(), 0, server.output());
    });
});
