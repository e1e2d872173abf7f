/**
 * The control socket of a running server: a Unix socket for its owner only. One JSON object a line each way:
 * `{"id":1,"method":"domain.list","params":{}}` is answered by `{"id":1,"result":{…}}` or `{"id":1,"error":{"kind","message"}}`.
 * Requests of one connection are answered one after the other, in order.
 *
 * Whoever can open the socket may do everything. Bad input is answered; a line beyond the limit ends the connection.
 */
import { chmod, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { once } from 'node:events';
import { LF } from '../../base/bytes.ts';
import type { Timer } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { LIMITS } from '../../base/limits.ts';
import { answer } from './answer.ts';
import { isObject } from './fields.ts';
import type { ControlPorts } from './methods.ts';
import type { ControlProblem } from './problem.ts';
import { makeSocketPath, removeSocket } from './socket-path.ts';

export type ControlServer = {
  readonly path: string;
  /** Answers what has been asked, then closes; whoever does not take its answer is cut in the end. Idempotent. */
  close(): Promise<void>;
};

/**
 * Call with the lock of the data directory held: a socket that is there already is of a server that died.
 *
 * @param onBug told of errors that should not have been
 * @param closeMs how long answers may take to be taken when the server closes
 */
export async function openControlServer(
  dataDirectory: string,
  ports: ControlPorts,
  onBug: (error: unknown) => void,
  closeMs: number = LIMITS.controlCloseMs,
): Promise<ControlServer> {
  const path = await makeSocketPath(dataDirectory);
  await rm(path, { force: true });
  const sessions = new Set<Session>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    if (sessions.size >= LIMITS.controlConnectionsMax) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const session: Session = { socket, isBusy: false, isClosing: false };
    sessions.add(session);
    serve(session, ports, onBug)
      .catch(onBug)
      .finally(() => {
        socket.destroySoon();
        sessions.delete(session);
      });
  });
  await listening(server, path);
  await chmod(path, 0o600);
  const close = async (): Promise<void> => {
    const closed = once(server, 'close');
    server.close();
    for (const session of sessions) {
      session.isClosing = true;
      if (!session.isBusy) session.socket.destroy();
    }
    // What is still being worked out is waited for; again and again, for its answer may not be taken either.
    let timer: Timer | undefined;
    const cutLater = (): void => {
      timer = ports.clock.after(closeMs, () => {
        for (const socket of sockets) if (socket.writableLength > 0) socket.destroy();
        cutLater();
      });
    };
    cutLater();
    await closed;
    timer?.cancel();
    await removeSocket(dataDirectory, path);
  };
  let closing: Promise<void> | undefined;
  return { path, close: async () => (closing ??= close()) };
}

type Session = {
  readonly socket: Socket;
  /** A request is being answered. */
  isBusy: boolean;
  /** Ends once what is being answered is answered. */
  isClosing: boolean;
};

async function listening(server: Server, path: string): Promise<void> {
  server.listen(path);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new Fault(`Listening on the control socket ${path}`, cause);
  }
  // Nothing that happens to the listening socket later may end the process.
  server.on('error', () => undefined);
}

async function serve(session: Session, ports: ControlPorts, onBug: (error: unknown) => void): Promise<void> {
  const { socket } = session;
  for await (const line of linesOf(socket)) {
    session.isBusy = true;
    const reply = line === undefined ? TOO_LONG : await replyTo(line, ports, onBug);
    if (!socket.writable) return;
    const isTaken = socket.write(`${JSON.stringify(reply)}\n`);
    if (!isTaken)
      await new Promise<void>((resolve) => {
        for (const event of ['drain', 'close'] as const) socket.once(event, () => resolve());
      });
    session.isBusy = false;
    if (session.isClosing) return;
  }
}

const TOO_LONG = { id: null, error: { kind: 'bad-request', message: 'The request is too long' } } as const;

type Reply =
  | { readonly id: unknown; readonly result: unknown }
  | { readonly id: unknown; readonly error: ControlProblem };

async function replyTo(line: Buffer, ports: ControlPorts, onBug: (error: unknown) => void): Promise<Reply> {
  let request: unknown;
  try {
    request = JSON.parse(line.toString('utf8'));
  } catch {
    return { id: null, error: { kind: 'bad-request', message: 'The request is not JSON' } };
  }
  if (!isObject(request))
    return { id: null, error: { kind: 'bad-request', message: 'The request is no object' } };
  const id = typeof request['id'] === 'number' || typeof request['id'] === 'string' ? request['id'] : null;
  const answered = await answer(request['method'], request['params'], ports, onBug);
  return answered.ok ? { id, result: answered.value } : { id, error: answered.error };
}

/** Lines as they come, without their ends; empty ones are passed over. Undefined: a line beyond the limit, and the end. */
async function* linesOf(socket: Socket): AsyncGenerator<Buffer | undefined, void> {
  let pieces: Buffer[] = [];
  let pending = 0;
  for await (const chunk of chunksOf(socket)) {
    let from = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, from)) {
      const line = Buffer.concat([...pieces, chunk.subarray(from, end)]);
      pieces = [];
      pending = 0;
      from = end + 1;
      if (line.length > LIMITS.controlRequestOctetsMax) return yield undefined;
      if (line.length > 0) yield line;
    }
    pieces.push(chunk.subarray(from));
    pending += chunk.length - from;
    if (pending > LIMITS.controlRequestOctetsMax) return yield undefined;
  }
}

async function* chunksOf(socket: Socket): AsyncGenerator<Buffer, void> {
  try {
    for await (const chunk of socket) if (Buffer.isBuffer(chunk)) yield chunk;
  } catch {
    // The asker is gone, or the server closes: either way nothing more is asked.
  }
}
