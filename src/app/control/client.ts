/** Asks a post office: a running one over its control socket, a stopped one by opening its data. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { err, ok } from '../../base/result.ts';
import type { Result } from '../../base/result.ts';
import { isObject } from './fields.ts';
import type { ControlMethod, ControlParams, ControlResult } from './methods.ts';
import type { ControlProblem } from './problem.ts';
import { findSocketPath } from './socket-path.ts';

export type ControlClient = {
  /** Throws `ControlLost` when a running server goes away before it has answered. */
  readonly call: <Method extends ControlMethod>(
    method: Method,
    params: ControlParams<Method>,
  ) => Promise<Result<ControlResult<Method>, ControlProblem>>;
  close(): Promise<void>;
};

export class ControlLost extends Error {
  override readonly name = 'ControlLost';
}

/** Undefined: no server listens for this data directory. */
export async function connectControl(dataDirectory: string): Promise<ControlClient | undefined> {
  const path = await findSocketPath(dataDirectory);
  if (path === undefined) return undefined;
  const socket = connect(path);
  try {
    await once(socket, 'connect');
  } catch {
    // ENOENT: never started, or ended in good order. ECONNREFUSED: died. EACCES: of another user, as is the data.
    return undefined;
  }
  return overSocket(socket);
}

function overSocket(socket: Socket): ControlClient {
  // Shows as the end of the lines.
  socket.on('error', () => undefined);
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  let lastId = 0;
  const call: ControlClient['call'] = async <Method extends ControlMethod>(
    method: Method,
    params: ControlParams<Method>,
  ) => {
    lastId += 1;
    socket.write(`${JSON.stringify({ id: lastId, method, params })}\n`);
    const { value: line } = await lines.next();
    if (line === undefined) throw new ControlLost('The server went away without an answer');
    return readReply<ControlResult<Method>>(line);
  };
  return {
    call,
    close: async () => {
      socket.destroy();
    },
  };
}

function readReply<Value>(line: string): Result<Value, ControlProblem> {
  const reply: unknown = JSON.parse(line);
  if (!isObject(reply)) throw new ControlLost('The server gave an answer that is none');
  const error = reply['error'];
  // Written by this program's own server, of this version or one near it.
  return error === undefined ? ok(reply['result'] as Value) : err(error as ControlProblem);
}
