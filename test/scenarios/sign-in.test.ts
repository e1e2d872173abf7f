/** GNU SASL, msmtp and curl sign in: by SCRAM, bound to the channel and not, and by certificate. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { scramClient } from '../../src/sasl/scram-client.ts';
import { makeCertificate } from '../support/certificates.ts';
import { run, type Ran } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, BOB, postrider, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const gsasl = peer('gsasl');
const curl = peer('curl');
const msmtp = peer('msmtp');

type Attempt = {
  readonly service: 'submission' | 'imap';
  readonly mechanism: string;
  readonly password?: string;
  readonly args?: readonly string[];
};

/** Signs in as alice; GNU SASL ends with 0 where it was let in and the server has proved itself. */
async function tryGsasl(server: RunningPostrider, attempt: Attempt): Promise<Ran> {
  const { service, mechanism, password = ALICE.password, args = [] } = attempt;
  return run('gsasl', [
    service === 'imap' ? '--imap' : '--smtp',
    `--connect=127.0.0.1:${server.port(service)}`,
    `--mechanism=${mechanism}`,
    `--authentication-id=${ALICE.address}`,
    `--password=${password}`,
    '--hostname=localhost',
    '--no-client-first',
    '--x509-ca-file=',
    '--quiet',
    ...args,
  ]);
}

const PLUS = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-1-PLUS'];

test('GNU SASL by SCRAM, bound to the channel of either version of TLS', { skip: gsasl.skip }, async () => {
  await using server = await startPostrider();
  for (const service of ['submission', 'imap'] as const)
    for (const mechanism of PLUS)
      for (const priority of ['NORMAL', 'NORMAL:-VERS-TLS1.3']) {
        const attempt = { service, mechanism, args: [`--priority=${priority}`] };
        const right = await tryGsasl(server, attempt);
        assert.equal(right.code, 0, `${service} ${mechanism} ${priority}\n${right.stdout}${right.stderr}`);
      }
  const wrong = await tryGsasl(server, {
    service: 'imap',
    mechanism: 'SCRAM-SHA-256-PLUS',
    password: 'wrong',
  });
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stdout + wrong.stderr, /AUTHENTICATIONFAILED/);
});

test('GNU SASL by the other mechanisms', { skip: gsasl.skip }, async () => {
  await using server = await startPostrider();
  for (const service of ['submission', 'imap'] as const)
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN', 'LOGIN']) {
      const right = await tryGsasl(server, { service, mechanism, args: ['--no-cb'] });
      assert.equal(right.code, 0, `${service} ${mechanism}\n${right.stdout}${right.stderr}`);
    }
});

test(
  'our client and the server of GNU SASL prove themselves to each other',
  { skip: gsasl.skip },
  async () => {
    for (const hash of ['SHA-1', 'SHA-256'] as const)
      for (const [password, isContent] of [
        ['päss wörd', true],
        ['wrong', false],
      ] as const) {
        const args = [
          '--server',
          `--mechanism=SCRAM-${hash}`,
          '--password=päss wörd',
          '--iteration-count=4096',
          '--quiet',
        ];
        const child = spawn('gsasl', args, {
          stdio: ['pipe', 'pipe', 'ignore'],
          env: { ...process.env, LC_ALL: 'C.UTF-8' },
        });
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
        const client = scramClient(
          { authenticationId: 'jürgen,=@example.test', password },
          { hash, binding: 'not-supported', nonce: 'abcdefghijklmnop' },
        );
        let response: Uint8Array | undefined = client.initial();
        const challenge = async (): Promise<Buffer | undefined> => {
          for (let line = await lines.next(); line.done !== true; line = await lines.next())
            if (/^[A-Za-z0-9+/]{8,}=*$/.test(line.value)) return Buffer.from(line.value, 'base64');
          return undefined;
        };
        while (response !== undefined && response.length > 0) {
          child.stdin.write(`${Buffer.from(response).toString('base64')}\n`);
          const said = await challenge();
          response = said === undefined ? undefined : await client.respond(said);
        }
        child.stdin.end();
        if (child.exitCode === null) await once(child, 'exit');
        assert.equal(client.isSatisfied(), isContent, `${hash} ${password}`);
      }
  },
);

/** As bob, to alice. */
async function sendByMsmtp(server: RunningPostrider, auth: string, password: string): Promise<Ran> {
  return run(
    'msmtp',
    [
      '--host=127.0.0.1',
      `--port=${server.port('submission')}`,
      '--tls=on',
      '--tls-starttls=on',
      '--tls-certcheck=off',
      `--auth=${auth}`,
      `--user=${BOB.address}`,
      `--passwordeval=echo ${password}`,
      `--from=${BOB.address}`,
      '--',
      ALICE.address,
    ],
    { input: `From: ${BOB.address}\nSubject: ${auth}\n\nx\n` },
  );
}

test('msmtp takes SCRAM of its own', { skip: msmtp.skip }, async () => {
  await using server = await startPostrider();
  for (const auth of ['on', 'scram-sha-256', 'plain']) {
    const sent = await sendByMsmtp(server, auth, BOB.password);
    assert.equal(sent.code, 0, `${auth}: ${sent.stderr}`);
  }
  assert.equal((await waitForMessages(server, ALICE, 3)).length, 3);
});

test(
  'a certificate lets its holder in: by its fingerprint, or by an address that our authority vouches for',
  { skip: gsasl.skip ?? curl.skip },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postrider-certificates-'));
    try {
      const authority = await makeCertificate({ name: 'Our people', ca: true });
      const vouched = await makeCertificate({ name: 'Alice', names: [ALICE.address], issuer: authority });
      const kept = await makeCertificate({ name: 'Kept' });
      const strange = await makeCertificate({ name: 'Strange', names: [ALICE.address] });
      await writeFile(join(folder, 'authority.pem'), authority.pem);
      for (const [name, { pem, keyPem }] of Object.entries({ vouched, kept, strange })) {
        await writeFile(join(folder, `${name}.pem`), pem);
        await writeFile(join(folder, `${name}.key`), keyPem);
      }
      await using server = await startPostrider({
        config: '',
        tls: `clientCertificates = true\nclientCaFile = ${JSON.stringify(join(folder, 'authority.pem'))}`,
      });
      const config = ['--config', join(server.directory, 'postrider.toml')];
      await postrider([
        'account',
        'certificate',
        'add',
        BOB.address,
        '--file',
        join(folder, 'kept.pem'),
        ...config,
      ]);
      assert.match(
        await postrider(['account', 'show', BOB.address, ...config]),
        /1 certificates \(EXTERNAL\)/,
      );

      const byGsasl = async (service: 'imap' | 'submission', identity = ''): Promise<number | null> => {
        const shown = [
          `--x509-cert-file=${join(folder, 'vouched.pem')}`,
          `--x509-key-file=${join(folder, 'vouched.key')}`,
        ];
        const args = [...shown, `--authorization-id=${identity}`];
        return (await tryGsasl(server, { service, mechanism: 'EXTERNAL', args })).code;
      };
      for (const service of ['imap', 'submission'] as const) {
        assert.equal(await byGsasl(service), 0);
        assert.equal(await byGsasl(service, ALICE.address), 0);
        assert.notEqual(await byGsasl(service, BOB.address), 0);
      }

      const byCurl = async (name: string, user: string): Promise<Ran> =>
        run('curl', [
          '--silent',
          '--show-error',
          '--insecure',
          '--cert',
          join(folder, `${name}.pem`),
          '--key',
          join(folder, `${name}.key`),
          '--login-options',
          'AUTH=EXTERNAL',
          '--user',
          `${user}:`,
          `imaps://127.0.0.1:${server.port('imaps')}/`,
        ]);
      const listed = await byCurl('vouched', ALICE.address);
      assert.match(listed.stdout, /^\* LIST .* INBOX/m, listed.stderr);
      assert.notEqual((await byCurl('vouched', BOB.address)).code, 0);
      // GnuTLS shows no certificate of an authority that the server does not name; OpenSSL does.
      assert.equal((await byCurl('kept', BOB.address)).code, 0);
      assert.notEqual((await byCurl('strange', ALICE.address)).code, 0);
    } finally {
      await rm(folder, { recursive: true });
    }
  },
);

test('a token lets in, as its authority says of it', { skip: curl.skip ?? msmtp.skip }, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postrider-tokens-'));
  const login = `Basic ${Buffer.from('postrider:s3cret').toString('base64')}`;
  const authority = createServer((request, response) => {
    void text(request).then((body) => {
      const isGood = new URLSearchParams(body).get('token') === 'good.token';
      response.statusCode = request.headers.authorization === login ? 200 : 401;
      response.end(JSON.stringify({ active: isGood, username: BOB.address, scope: 'profile mail' }));
    });
  });
  authority.listen(0, '127.0.0.1');
  await once(authority, 'listening');
  try {
    const at = authority.address();
    const port = at !== null && typeof at === 'object' ? at.port : 0;
    await writeFile(join(folder, 'secret'), 's3cret\n');
    await using server = await startPostrider({
      config: [
        '[oauth]',
        `introspectionUrl = "http://127.0.0.1:${port}/introspect"`,
        'clientId = "postrider"',
        `clientSecretFile = ${JSON.stringify(join(folder, 'secret'))}`,
        'scope = "mail"',
      ].join('\n'),
    });
    const byCurl = async (mechanism: string, user: string, token: string): Promise<Ran> =>
      run('curl', [
        '--silent',
        '--show-error',
        '--insecure',
        '--oauth2-bearer',
        token,
        '--login-options',
        `AUTH=${mechanism}`,
        '--user',
        `${user}:`,
        `imaps://127.0.0.1:${server.port('imaps')}/`,
      ]);
    for (const mechanism of ['OAUTHBEARER', 'XOAUTH2']) {
      const listed = await byCurl(mechanism, BOB.address, 'good.token');
      assert.match(listed.stdout, /^\* LIST .* INBOX/m, listed.stderr);
      assert.notEqual((await byCurl(mechanism, BOB.address, 'bad.token')).code, 0);
      assert.notEqual((await byCurl(mechanism, ALICE.address, 'good.token')).code, 0);
    }
    for (const auth of ['oauthbearer', 'xoauth2']) {
      const sent = await sendByMsmtp(server, auth, 'good.token');
      assert.equal(sent.code, 0, `${auth}: ${sent.stderr}`);
      assert.notEqual((await sendByMsmtp(server, auth, 'bad.token')).code, 0);
    }
    assert.equal((await waitForMessages(server, ALICE, 2)).length, 2);
  } finally {
    authority.close();
    await rm(folder, { recursive: true });
  }
});

test(
  'SCRAM is offered once everybody whose password is from before has shown it',
  { skip: curl.skip },
  async () => {
    const offered = async (server: RunningPostrider): Promise<boolean> => {
      const said = await run('curl', [
        '--silent',
        '--insecure',
        '--verbose',
        '--user',
        `${ALICE.address}:${ALICE.password}`,
        '--login-options',
        'AUTH=PLAIN',
        `imaps://127.0.0.1:${server.port('imaps')}/`,
      ]);
      assert.equal(said.code, 0, said.stderr);
      return /AUTH=SCRAM-SHA-256/.test(said.stderr);
    };
    // As a version without SCRAM has left it.
    await using before = await startPostrider({
      accounts: [`${ALICE.address}:${ALICE.password}`],
      config: '[signIn]\nscram = "never"',
    });
    assert.equal(await offered(before), false);
    await before.stop();
    const again = {
      directory: before.directory,
      basePort: before.basePort,
      accounts: [] as string[],
      config: '',
    };
    await using first = await startPostrider(again);
    const config = ['--config', join(first.directory, 'postrider.toml')];
    assert.match(await postrider(['account', 'show', ALICE.address, ...config]), /\(PLAIN, LOGIN\)/);
    assert.match(await postrider(['account', 'list', '--without-scram', ...config]), /alice@example\.test/);
    assert.equal(await offered(first), false, 'alice would fail with it');
    assert.match(await postrider(['account', 'show', ALICE.address, ...config]), /\(PLAIN, LOGIN, SCRAM\)/);
    await first.stop();
    await using second = await startPostrider(again);
    assert.equal(await offered(second), true);
  },
);
