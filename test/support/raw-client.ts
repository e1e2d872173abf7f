/** A client that says whatever octets it is told, well or badly: for attacks over real sockets. */
import { connect, type Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { connect as connectTls, TLSSocket, type ConnectionOptions } from 'node:tls';
import { constants, createDeflateRaw, createInflateRaw } from 'node:zlib';

const PATIENCE_MS = 10_000;

export class RawClient implements Disposable {
  /** All that came and was not taken yet, as Latin-1. */
  heard = '';
  /** The server has closed its side, or the connection broke. */
  isOver = false;
  #socket: Socket;
  /** Where to say something: the socket, or what compresses for it. */
  #out: Writable;
  /** What is under TLS. */
  readonly #raw: Socket;
  #changed: () => void = () => undefined;

  constructor(socket: Socket, raw: Socket = socket) {
    this.#socket = socket;
    this.#out = socket;
    this.#raw = raw;
    this.#attach(socket);
  }

  static async open(port: number, host = '127.0.0.1'): Promise<RawClient> {
    const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
    await settled(socket, 'connect');
    return new RawClient(socket);
  }

  /** A Unix socket. */
  static async openPath(path: string): Promise<RawClient> {
    const socket = connect({ path });
    await settled(socket, 'connect');
    return new RawClient(socket);
  }

  static async openTls(port: number, options: ConnectionOptions = {}): Promise<RawClient> {
    const raw = connect({ port, host: '127.0.0.1', noDelay: true });
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, ...options });
    await settled(socket, 'secureConnect');
    return new RawClient(socket, raw);
  }

  /** Of the certificate that the server shows. */
  certificateSerial(): string {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerCertificate().serialNumber : '';
  }

  get socket(): Socket {
    return this.#socket;
  }

  send(text: string | Uint8Array): void {
    this.#out.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text);
  }

  /** As `send`; resolves when the kernel has taken it. False where the server takes no more. */
  async push(text: string | Uint8Array): Promise<boolean> {
    if (this.#socket.destroyed || !this.#socket.writable) return false;
    return new Promise((resolve) => {
      const closed = (): void => resolve(false);
      this.#socket.once('close', closed);
      this.#out.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text, (problem) => {
        this.#socket.off('close', closed);
        resolve(problem === undefined || problem === null);
      });
    });
  }

  /** Waits until what was heard matches, and takes everything up to the end of the match. */
  async hear(pattern: RegExp, patienceMs: number = PATIENCE_MS): Promise<string> {
    const endMs = performance.now() + patienceMs;
    for (;;) {
      const match = pattern.exec(this.heard);
      if (match !== null) {
        const taken = this.heard.slice(0, match.index + match[0].length);
        this.heard = this.heard.slice(taken.length);
        return taken;
      }
      const leftMs = endMs - performance.now();
      if (this.isOver || leftMs <= 0)
        throw new Error(
          `${this.isOver ? 'Closed' : 'Silent'} before ${pattern}; heard ${JSON.stringify(this.heard)}`,
        );
      await this.#change(leftMs);
    }
  }

  /** One reply of SMTP, all its lines. */
  async reply(patienceMs?: number): Promise<string> {
    return this.hear(/^(?:\d{3}-[^\n]*\n)*\d{3}(?: [^\n]*)?\r\n/, patienceMs);
  }

  /** One command of SMTP and its reply. */
  async smtp(command: string): Promise<string> {
    this.send(`${command}\r\n`);
    return this.reply();
  }

  /** One command of IMAP and all up to its tagged answer. */
  async imap(command: string, patienceMs?: number): Promise<string> {
    const tag = `a${Math.trunc(Math.random() * 1e9)}`;
    this.send(`${tag} ${command}\r\n`);
    return this.hear(new RegExp(`(?:^|\\n)${tag} [^\\n]*\\r\\n`), patienceMs);
  }

  /** Everything until the server closes. */
  async rest(patienceMs: number = PATIENCE_MS): Promise<string> {
    const endMs = performance.now() + patienceMs;
    while (!this.isOver) {
      const leftMs = endMs - performance.now();
      if (leftMs <= 0) throw new Error(`Still open; heard ${JSON.stringify(this.heard.slice(-500))}`);
      await this.#change(leftMs);
    }
    return this.heard;
  }

  /** Puts TLS under the connection. */
  async startTls(options: ConnectionOptions = {}): Promise<TLSSocket> {
    const raw = this.#socket;
    raw.removeAllListeners('data').removeAllListeners('end').removeAllListeners('close');
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, ...options });
    this.#socket = socket;
    this.#out = socket;
    await settled(socket, 'secureConnect');
    this.#attach(socket);
    return socket;
  }

  /** All that is said and heard from here on is compressed: COMPRESS=DEFLATE (RFC 4978) was answered with OK. */
  compress(): void {
    const deflate = createDeflateRaw({ flush: constants.Z_SYNC_FLUSH });
    deflate.pipe(this.#socket);
    this.#out = deflate;
    const inflate = createInflateRaw();
    this.#socket.removeAllListeners('data').pipe(inflate);
    this.#attach(inflate);
  }

  /** A TCP reset. */
  reset(): void {
    this.#raw.on('error', () => undefined).resetAndDestroy();
  }

  /** Says no more, and goes on listening. */
  endInput(): void {
    this.#socket.end();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #attach(socket: Readable): void {
    const over = (): void => {
      this.isOver = true;
      this.#changed();
    };
    socket.on('data', (chunk: Buffer) => {
      this.heard += chunk.toString('latin1');
      this.#changed();
    });
    socket
      .on('end', over)
      .on('close', over)
      .on('error', () => undefined);
  }

  async #change(patienceMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, patienceMs);
      this.#changed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

async function settled(socket: Socket, event: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    socket.once(event, () => {
      socket.off('error', reject);
      resolve();
    });
    socket.once('error', reject);
  });
}
