/**
 * Loaded before a post office (`--import`): on SIGUSR2 an error that nobody catches ends the session thread that is named
 * by `TORTURE_THREAD`, as a bug would.
 */
import { BroadcastChannel, isMainThread, threadName } from 'node:worker_threads';

const channel = new BroadcastChannel('thread killer');
if (isMainThread) process.on('SIGUSR2', () => channel.postMessage('die'));
else if (threadName === process.env['TORTURE_THREAD'])
  channel.addEventListener('message', () => {
    setImmediate(() => {
      throw new Error('Made by a test');
    });
  });
// A listener keeps the thread from its end.
channel.unref();
