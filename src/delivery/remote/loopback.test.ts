/** The whole way to another host over real sockets: our DNS stub, our client, TLS, and our server at the other end. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startDnsServer } from '../../../test/support/dns-server.ts';
import { newMessage, queued, remoteRecipient } from '../../../test/support/queued.ts';
import { directRoute, singleSessions } from '../../../test/support/routes.ts';
import { office } from '../../../test/support/smtp-ports.ts';
import { REAL_CLOCK, seededRandom } from '../../../test/support/world.ts';
import { fromLatin1 } from '../../base/bytes.ts';
import { SystemResolver } from '../../dns/system/resolver.ts';
import { connect } from '../../net/connect.ts';
import { listen } from '../../net/listener.ts';
import { selfSigned } from '../../net/self-signed.ts';
import { serverTls } from '../../net/tls-context.ts';
import { SMTP_TIMEOUTS } from '../../smtp/client/timeouts.ts';
import { serveSmtp } from '../../smtp/server/session.ts';
import { openMemoryBlobStore } from '../../store/memory/blob-store.ts';
import { BrokenTls } from './broken-tls.ts';
import { RemoteDelivery } from './remote-delivery.ts';
import { Routing } from './routing.ts';
import { SmtpHop } from './smtp-hop.ts';
import { uniformTlsPolicy } from './tls-policy.ts';

async function otherHost(startTls: boolean) {
  const here = office();
  const certificate = await selfSigned(['mx.example.test'], Date.now());
  const tls = serverTls(certificate);
  const listener = await listen({
    address: '127.0.0.1',
    port: 0,
    serverTls: tls.tls,
    implicitTls: false,
    handshakeMs: 5000,
    reusePort: false,
    enter: () => () => undefined,
    refusal: Buffer.from('421 no\r\n'),
    serve: (connection) => serveSmtp(connection, { ...here.deps, clock: REAL_CLOCK, startTls }),
    onRefused: () => undefined,
    onTlsFailure: () => undefined,
    onBug: (cause) => assert.ifError(cause),
  });
  return { here, listener };
}

for (const startTls of [true, false])
  test(`a message arrives octet by octet ${startTls ? 'under TLS' : 'in plain'}, a refused recipient is told apart`, async () => {
    const { here, listener } = await otherHost(startTls);
    await using dns = await startDnsServer({
      'example.test': {
        mx: [
          { preference: 5, exchange: 'gone.example.test' },
          { preference: 10, exchange: 'mx.example.test' },
        ],
      },
      'gone.example.test': { a: ['127.0.0.99'] },
      'mx.example.test': { a: ['127.0.0.1'] },
    });
    const blobs = openMemoryBlobStore();
    const writer = blobs.create();
    const text = `Subject: x\r\n\r\n.\r\n..dots\r\n${'ä'.repeat(40_000)}\r\n`;
    await writer.write(Buffer.from(text));
    const blob = await writer.finish();
    const delivery = new RemoteDelivery({
      routing: new Routing({
        resolver: new SystemResolver({
          clock: REAL_CLOCK,
          random: seededRandom(),
          servers: [{ address: dns.address, port: dns.port, trusted: true }],
        }),
        random: seededRandom(),
        ownNames: ['here.example'],
        ownAddresses: [],
        loopbackAllowed: true,
      }),
      tlsPolicy: uniformTlsPolicy({ kind: 'opportunistic' }),
      hop: new SmtpHop({
        connect,
        clock: REAL_CLOCK,
        connectTimeoutMs: 2000,
        connectSoonMs: 2000,
        random: seededRandom(),
        timeouts: SMTP_TIMEOUTS,
        sessions: singleSessions(REAL_CLOCK),
      }),
      brokenTls: new BrokenTls(REAL_CLOCK, 0),
      blobs,
      clock: REAL_CLOCK,
      events: () => undefined,
    });
    const recipients = ['bob@example.test', 'nobody@example.test'].map((path) => remoteRecipient(path));
    const message = queued(
      newMessage(recipients, { blob, prefix: fromLatin1('Received: y\r\n'), body: '8bitmime' }),
    );
    try {
      const { outcomes } = await delivery.deliver(
        message,
        directRoute('example.test', listener.port),
        message.recipients,
        new AbortController().signal,
      );
      assert.deepEqual(
        [...outcomes]
          .map(([number, one]) => `${number} ${one.kind} ${one.answer?.host} ${one.answer?.status}`)
          .toSorted(),
        ['0 relayed mx.example.test 2.0.0', '1 failed mx.example.test 5.1.1'],
      );
      assert.equal(here.taken.length, 1);
      const [taken] = here.taken;
      assert.equal(Buffer.from(taken?.content ?? '', 'latin1').toString(), `Received: y\r\n${text}`);
      assert.equal(taken?.session.tls !== undefined, startTls);
      assert.equal(taken?.session.hello?.domain, 'here.example');
    } finally {
      listener.close();
      listener.destroy();
    }
  });
