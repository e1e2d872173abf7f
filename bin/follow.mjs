/**
 * Preloaded into a child of the launcher: ends the program in good order when the launcher is gone, however it went.
 * The launcher holds the other end of a pipe and never writes.
 */
import { Socket } from 'node:net';
import { isMainThread } from 'node:worker_threads';

const { POSTRIDER_FOLLOW: fd } = process.env;
delete process.env.POSTRIDER_FOLLOW;

if (isMainThread && fd !== undefined) {
  const launcher = new Socket({ fd: Number(fd), readable: true, writable: false });
  launcher.on('close', () => process.kill(process.pid, 'SIGTERM'));
  launcher.on('error', () => undefined);
  launcher.resume();
  launcher.unref();
}
