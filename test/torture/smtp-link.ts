/** An SMTP or LMTP client that says what it is told and notices when the server is gone. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { LinkLost } from './imap-link.ts';

export type Reply = { readonly code: number; readonly text: string };

export class SmtpLink {
  readonly #socket: Socket;
  #text = '';
  #isLost = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.#socket = connect({ host: '127.0.0.1', port });
    this.#socket.setEncoding('latin1').on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('close', () => {
      this.#isLost = true;
      this.#wake();
    });
  }

  static async open(port: number, greeting: 'EHLO' | 'LHLO'): Promise<SmtpLink> {
    const link = new SmtpLink(port);
    await link.must(220);
    link.write(`${greeting} torture.example.test\r\n`);
    await link.must(250);
    return link;
  }

  write(octets: string | Buffer): void {
    if (this.#isLost) throw new LinkLost('SMTP');
    this.#socket.write(octets);
  }

  /** The next reply, its lines as one. Throws `LinkLost`. */
  async reply(): Promise<Reply> {
    for (;;) {
      const match = /^(?:\d{3}-[^\n]*\n)*(\d{3})(?: [^\n]*)?\n/.exec(this.#text);
      if (match !== null) {
        const [text, code] = match;
        this.#text = this.#text.slice(text.length);
        return { code: Number(code), text };
      }
      if (this.#isLost) throw new LinkLost('SMTP');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async must(code: number): Promise<void> {
    const reply = await this.reply();
    // RFC 5321 §3.8: a server that is shut down says 421 at any time.
    if (reply.code === 421) throw new LinkLost('421');
    if (reply.code !== code) throw new Error(`Not ${code} but ${reply.text}`);
  }

  close(): void {
    this.#socket.destroy();
  }
}
