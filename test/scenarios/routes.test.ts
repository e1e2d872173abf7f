/** Two post offices and a route between them: over LMTP, and by SMTP with a login through a SOCKS proxy; what has no way is refused or kept. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createTransport } from 'nodemailer';
import { waitForMessages } from '../support/mailbox.ts';
import { ALICE, BOB, postrider, startPostrider } from '../support/postrider.ts';
import { startSocksServer } from '../support/socks-server.ts';

const CARL = { address: 'carl@far.test', password: 'carl-secret' };
const LOGIN = { username: 'us', password: 'proxy-secret' };

test('mail goes by the routes of the configuration, and postrider route says so', async () => {
  const files = await mkdtemp(join(tmpdir(), 'routes-test-'));
  try {
    await writeFile(join(files, 'proxy'), `${LOGIN.password}\n`);
    await using far = await startPostrider({ accounts: [`${CARL.address}:${CARL.password}`] });
    await using proxy = await startSocksServer({ login: LOGIN, names: { 'inside.test': '127.0.0.1' } });
    await using server = await startPostrider({
      config: `
[outgoing]
port = 2525
[[routes]]
name = "lmtp"
recipients = ["far.test"]
accounts = ["${ALICE.address}"]
hosts = ["127.0.0.1:${far.port('lmtp')}"]
protocol = "lmtp"
pool = "second"
[[routes]]
name = "proxied"
recipients = ["far.test"]
hosts = ["inside.test:${far.port('smtp')}"]
proxy = "127.0.0.1:${proxy.port}"
proxyUsername = "${LOGIN.username}"
proxyPasswordFile = "${join(files, 'proxy')}"
[[routes]]
name = "closed"
recipients = [".closed.test"]
action = "refuse"
text = "We do not write there"
[[routes]]
name = "kept"
recipients = ["kept.test"]
action = "hold"
text = "Not before Monday"
[[pools]]
name = "second"
sources = [{ address = "127.0.0.2", helloName = "second.example.test" }]
`,
    });
    const from = (who: typeof ALICE) =>
      createTransport({
        host: '127.0.0.1',
        port: server.port('submissions'),
        secure: true,
        tls: { rejectUnauthorized: false },
        auth: { user: who.address, pass: who.password },
      });
    const alice = from(ALICE);
    const bob = from(BOB);

    await alice.sendMail({ from: ALICE.address, to: CARL.address, subject: 'by LMTP', text: 'x' });
    const [first = ''] = await waitForMessages(far, CARL, 1);
    assert.match(
      first,
      /^Received: from second\.example\.test \(\[127\.0\.0\.2\]\)\r\n\tby \S+ with LMTP/m,
      server.output(),
    );

    await bob.sendMail({ from: BOB.address, to: CARL.address, subject: 'through', text: 'x' });
    const second =
      (await waitForMessages(far, CARL, 2)).find((one) => /^Subject: through\r$/m.test(one)) ?? '';
    assert.match(second, /^Received: from mail\.example\.test .*\r\n\tby \S+ with ESMTPS/m, server.output());
    assert.deepEqual(proxy.asked, [`inside.test:${far.port('smtp')}`]);

    await assert.rejects(
      bob.sendMail({ from: BOB.address, to: 'x@sub.closed.test', subject: 'no', text: 'x' }),
      /550 5\.7\.1 We do not write there/,
    );
    await bob.sendMail({ from: BOB.address, to: 'x@kept.test', subject: 'later', text: 'x' });
    const config = ['--json', '--config', join(server.directory, 'postrider.toml')];
    const states = async (): Promise<string> => postrider(['queue', 'list', ...config]);
    for (let tries = 0; tries < 100 && !(await states()).includes('route.held'); tries += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.match(await states(), /Not before Monday/);

    const explained = async (...words: string[]) => {
      const found = JSON.parse(await postrider(['route', CARL.address, ...words, ...config])) as {
        readonly remote: readonly {
          readonly ways: readonly { readonly route: string; readonly pool?: string }[];
        }[];
      };
      return found.remote[0]?.ways.map(({ route, pool }) => [route, pool]);
    };
    assert.deepEqual(await explained('--account', ALICE.address), [['lmtp', 'second']]);
    assert.deepEqual(await explained('--from', BOB.address), [['proxied', undefined]]);
    await server.stop();
    assert.deepEqual(await explained('--account', ALICE.address), [['lmtp', 'second']], 'stopped as well');
    alice.close();
    bob.close();
  } finally {
    await rm(files, { recursive: true, force: true });
  }
});
