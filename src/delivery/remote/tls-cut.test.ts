/** Real TLS on loopback that is cut at each point of a session, by a host that closes without a word of TLS (RFC 8446 §6.1). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { TLSSocket } from 'node:tls';
import { hopTarget, singleSessions } from '../../../test/support/routes.ts';
import { hopMessage } from '../../../test/support/scripted-hop.ts';
import { REAL_CLOCK, seededRandom } from '../../../test/support/world.ts';
import { connect } from '../../net/connect.ts';
import { selfSigned } from '../../net/self-signed.ts';
import { SMTP_TIMEOUTS } from '../../smtp/client/timeouts.ts';
import type { HopVisit } from './hop.ts';
import { SmtpHop } from './smtp-hop.ts';

const HELLO = '250-mx.far.example\r\n250 STARTTLS\r\n';

type Point =
  | 'STARTTLS'
  | 'the handshake'
  | 'EHLO'
  | 'MAIL'
  | 'RCPT'
  | 'DATA'
  | 'the content'
  | 'the final dot';

/** Cuts the connection under TLS as soon as it has come so far. */
async function startCutting(point: Point) {
  const { chain, key } = await selfSigned(['mx.far.example'], Date.now());
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write('220 mx.far.example\r\n');
    socket.on('data', function plain(chunk: Buffer) {
      const line = chunk.toString('latin1');
      if (!line.startsWith('STARTTLS')) {
        socket.write(HELLO);
        return;
      }
      if (point === 'STARTTLS') {
        socket.resetAndDestroy();
        return;
      }
      socket.off('data', plain);
      socket.write('220 go\r\n');
      if (point === 'the handshake') socket.once('data', () => socket.resetAndDestroy());
      else underTls(new TLSSocket(socket, { isServer: true, cert: chain, key }), socket);
    });
  });
  const underTls = (secure: TLSSocket, socket: Socket): void => {
    let inData = false;
    secure.on('error', () => undefined);
    secure.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      const isEnd = text.endsWith('\r\n.\r\n');
      const at = inData ? (isEnd ? 'the final dot' : 'the content') : text.slice(0, 4);
      if (at === point || (point === 'the content' && inData)) socket.resetAndDestroy();
      else if (!inData) {
        inData = text.startsWith('DATA');
        secure.write(inData ? '354 go\r\n' : '250 mx.far.example\r\n');
      }
    });
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const BLOCK = Buffer.from(`${'x'.repeat(70)}\r\n`.repeat(1000));
/** More than the system takes while nobody reads. */
const BLOCKS = 400;

const cases: readonly { readonly point: Point; readonly want: string }[] = [
  { point: 'STARTTLS', want: 'tls-failed reset' },
  { point: 'the handshake', want: 'tls-failed handshake' },
  { point: 'EHLO', want: 'tls-failed reset' },
  { point: 'MAIL', want: 'lost mail reset' },
  { point: 'RCPT', want: 'lost rcpt reset' },
  { point: 'DATA', want: 'lost mail reset' },
  { point: 'the content', want: 'lost rcpt reset' },
  // It may have arrived.
  { point: 'the final dot', want: 'lost content reset' },
];
for (const { point, want } of cases)
  test(`TLS that is cut at ${point}: ${want}`, async () => {
    const { server, port } = await startCutting(point);
    const hop = new SmtpHop({
      connect,
      clock: REAL_CLOCK,
      connectTimeoutMs: 5000,
      connectSoonMs: 5000,
      random: seededRandom(),
      timeouts: SMTP_TIMEOUTS,
      sessions: singleSessions(REAL_CLOCK),
    });
    const isLarge = point === 'the content';
    const message = hopMessage(
      isLarge
        ? {
            octets: BLOCK.length * BLOCKS,
            content: async function* content() {
              for (let block = 0; block < BLOCKS; block += 1) yield BLOCK;
            },
          }
        : {},
    );
    try {
      const target = hopTarget({ host: 'mx.far.example', address: '127.0.0.1', port });
      const found = await hop.visit(target, message, new AbortController().signal);
      assert.equal(short(found), want);
    } finally {
      server.close();
    }
  });

function short(found: HopVisit): string {
  if (found.kind === 'tls-failed') return `tls-failed ${found.failure.kind}`;
  const [answer] = found.kind === 'session' ? found.answers : [];
  return answer?.kind === 'lost' ? `lost ${answer.at} ${answer.how}` : found.kind;
}
