/** A SOCKS 5 proxy on loopback for tests: connects on, looks names up in a table of its own, and misbehaves where told to. */
import { connect, createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

export type SocksServer = AsyncDisposable & {
  readonly port: number;
  /** What it was asked for: `name:port`. */
  readonly asked: readonly string[];
};

export type SocksServerOptions = {
  /** Asks for these. */
  readonly login?: { readonly username: string; readonly password: string };
  readonly names?: Readonly<Record<string, string>>;
  /** Says this instead of connecting on; hexadecimal. */
  readonly reply?: string;
  /** Says this to the first octets, and nothing more; hexadecimal, '' is silence. */
  readonly instead?: string;
  /** Cuts what it says into single octets. */
  readonly slowly?: boolean;
};

export async function startSocksServer(options: SocksServerOptions = {}): Promise<SocksServer> {
  const asked: string[] = [];
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => undefined).on('close', () => open.delete(socket));
    void serve(socket, options, asked, open).catch(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}

async function serve(
  socket: Socket,
  { login, names = {}, reply, instead, slowly }: SocksServerOptions,
  asked: string[],
  open: Set<Socket>,
): Promise<void> {
  const say = (...octets: readonly number[]): void => {
    if (slowly === true) for (const octet of octets) socket.write(Uint8Array.of(octet));
    else socket.write(Uint8Array.from(octets));
  };
  const read = exactly(socket);
  const [, count = 0] = await read(2);
  const methods = await read(count);
  if (instead !== undefined) {
    if (instead !== '') socket.write(Buffer.from(instead, 'hex'));
    return;
  }
  const wanted = login === undefined ? 0 : 2;
  if (!methods.includes(wanted)) return void socket.end(Uint8Array.of(5, 0xff));
  say(5, wanted);
  if (login !== undefined) {
    const [, nameOctets = 0] = await read(2);
    const name = (await read(nameOctets)).toString();
    const [passwordOctets = 0] = await read(1);
    const isRight = name === login.username && (await read(passwordOctets)).toString() === login.password;
    say(1, isRight ? 0 : 1);
    if (!isRight) return;
  }
  const [, , , type = 0] = await read(4);
  const host =
    type === 1
      ? (await read(4)).join('.')
      : type === 3
        ? (await read((await read(1))[0] ?? 0)).toString()
        : (await read(16)).toString('hex');
  const port = (await read(2)).readUInt16BE();
  asked.push(`${host}:${port}`);
  if (reply !== undefined) return void socket.write(Buffer.from(reply, 'hex'));
  const target = connect({ host: names[host] ?? host, port });
  open.add(target);
  target.on('close', () => open.delete(target)).on('error', () => say(5, 5, 0, 1, 0, 0, 0, 0, 0, 0));
  await once(target, 'connect');
  say(5, 0, 0, 1, 127, 0, 0, 1, 0, 0);
  socket.pipe(target).pipe(socket);
}

function exactly(socket: Socket): (count: number) => Promise<Buffer> {
  return async (count) => {
    if (count === 0) return Buffer.alloc(0);
    for (;;) {
      const octets = socket.read(count) as Buffer | null;
      if (octets !== null) return octets;
      await once(socket, 'readable');
    }
  };
}
