/**
 * Forwarding and reports between Postrider and a Postfix: what an alias sends on leaves with a rewritten reverse-path, what
 * Postfix bounces back to it reaches the author, a list's bounces its owner; and both report success to each other.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTransport, type Transporter } from 'nodemailer';
import { startDnsServer } from '../support/dns-server.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import type { FarAgent } from '../support/far-agent.ts';
import { startPostfix } from '../support/postfix.ts';
import {
  ALICE,
  BOB,
  freeBasePort,
  postrider,
  startPostrider,
  type RunningPostrider,
} from '../support/postrider.ts';

const postfix = peer('postfix');
const notRoot = process.getuid?.() === 0 ? undefined : 'Postfix is started by root only';
const skip = postfix.skip ?? notRoot;
const FAR = 'far.test';
const CARL = `carl@${FAR}`;
/** Takes its mail, and then cannot deliver it. */
const GONE = `gone@${FAR}`;

type World = AsyncDisposable & {
  readonly far: FarAgent;
  readonly server: RunningPostrider;
  /** Mail that comes from Postfix's side. */
  readonly fromFar: Transporter;
  readonly fromHere: Transporter;
  alias(...words: readonly string[]): Promise<unknown>;
};

async function world(): Promise<World> {
  const closing = new AsyncDisposableStack();
  const dns = closing.use(
    await startDnsServer({
      [FAR]: { mx: [{ preference: 10, exchange: `mx.${FAR}` }] },
      [`mx.${FAR}`]: { a: ['127.0.0.1'] },
    }),
  );
  const basePort = await freeBasePort();
  const far = closing.use(
    await startPostfix({ domain: FAR, relayPort: basePort + 25, bouncingUser: 'gone' }),
  );
  const server = closing.use(
    await startPostrider({
      basePort,
      config: `[resolver]\nservers = ["127.0.0.1:${dns.port}"]\n[outgoing]\nport = ${far.port}\n`,
    }),
  );
  const fromFar = createTransport({ host: '127.0.0.1', port: far.port, tls: { rejectUnauthorized: false } });
  const fromHere = createTransport({
    host: '127.0.0.1',
    port: server.port('submissions'),
    secure: true,
    tls: { rejectUnauthorized: false },
    auth: { user: BOB.address, pass: BOB.password },
  });
  closing.defer(() => fromFar.close());
  closing.defer(() => fromHere.close());
  return {
    far,
    server,
    fromFar,
    fromHere,
    alias: (...words) =>
      postrider(['alias', 'set', ...words, '--config', `${server.directory}/postrider.toml`]),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

async function messagesOf(far: FarAgent, count: number): Promise<readonly string[]> {
  const end = Date.now() + 20_000;
  for (;;) {
    const messages = await far.messages('carl');
    if (messages.length >= count || Date.now() > end) return messages;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const domainOf = (address: string): string => address.slice(address.indexOf('@') + 1);
const HERE = domainOf(ALICE.address);

test(
  'forwarded mail leaves with SRS, and what Postfix bounces back reaches the author',
  { skip },
  async () => {
    await using made = await world();
    const { far, fromFar, server } = made;
    await made.alias(`away@${HERE}`, CARL);
    await made.alias(`lost@${HERE}`, GONE);
    await fromFar.sendMail({ from: CARL, to: `away@${HERE}`, subject: 'round', text: 'x' });
    const [forwarded = ''] = await messagesOf(far, 1);
    const path = /^Return-Path: <(.*)>$/m.exec(forwarded)?.[1] ?? '';
    assert.match(path, new RegExp(`^SRS0=[^=]{4}=[A-Z2-7]{2}=${FAR}=carl@${HERE}$`), await far.log());
    assert.match(forwarded, new RegExp(`^Delivered-To: away@${HERE}$`, 'm'));

    await fromFar.sendMail({ from: CARL, to: `lost@${HERE}`, subject: 'lost', text: 'x' });
    const bounce = (await messagesOf(far, 2)).find((one) => one.includes('multipart/report')) ?? '';
    assert.match(bounce, /^Return-Path: <>$/m, `${await far.log()}\n${server.output()}`);
    assert.match(bounce, new RegExp(`^Final-Recipient: rfc822; ?${GONE}$`, 'm'));
    assert.match(bounce, new RegExp(`^Original-Recipient: rfc822; ?lost@${HERE}$`, 'm'));
    assert.match(bounce, /^Action: failed$/m);
    assert.match(bounce, new RegExp(`^Delivered-To: SRS0=.*@${HERE}$`, 'm'));

    // Nobody else gets through such an address.
    await assert.rejects(
      createTransport({
        host: '127.0.0.1',
        port: server.port('smtp'),
        tls: { rejectUnauthorized: false },
      }).sendMail({
        from: 'spammer@elsewhere.test',
        to: path,
        text: 'x',
      }),
      /5\.7\.1 Only reports/,
    );
  },
);

test("a list's bounces reach its owner, and say by their address whom they are about", { skip }, async () => {
  await using made = await world();
  const { far, fromFar, server } = made;
  await made.alias(`news@${HERE}`, CARL, GONE, BOB.address, '--owner', ALICE.address, '--verp');
  await fromFar.sendMail({ from: CARL, to: `news@${HERE}`, subject: 'to all', text: 'x' });
  const [copy = ''] = await messagesOf(far, 1);
  const [owner] = ALICE.address.split('@');
  assert.match(copy, new RegExp(`^Return-Path: <${owner}\\+carl=${FAR}@${HERE}>$`, 'm'), await far.log());
  const [kept = ''] = await waitForMessages(server, BOB, 1);
  assert.match(kept, new RegExp(`^Return-Path: <${owner}\\+bob=${HERE}@${HERE}>\r$`, 'm'));
  const [bounce = ''] = await waitForMessages(server, ALICE, 1);
  assert.match(bounce, new RegExp(`^Delivered-To: ${owner}\\+gone=${FAR}@${HERE}\r$`, 'm'));
  assert.match(bounce, new RegExp(`^Final-Recipient: rfc822; ?${GONE}\r$`, 'm'));
});

test('success is reported both ways, with what the sender gave (RFC 3461 §5.2)', { skip }, async () => {
  await using made = await world();
  const { far, fromFar, fromHere, server } = made;
  const dsn = { id: 'QQ314159', return: 'headers', notify: 'success,failure' } as const;
  await fromHere.sendMail({
    from: BOB.address,
    to: CARL,
    subject: 'to afar',
    text: 'x',
    dsn: { ...dsn, recipient: `rfc822;${CARL}` },
  });
  const [theirs = ''] = await waitForMessages(server, BOB, 1);
  assert.match(theirs, /^Original-Envelope-Id: QQ314159\r$/m, await far.log());
  assert.match(theirs, new RegExp(`^Original-Recipient: rfc822; ?${CARL}\r$`, 'm'));
  assert.match(theirs, /^Action: delivered\r$/m);

  await fromFar.sendMail({
    from: CARL,
    to: ALICE.address,
    subject: 'from afar',
    text: 'x',
    dsn: { ...dsn, recipient: `rfc822;${ALICE.address}` },
  });
  const reports = (await messagesOf(far, 2)).filter((one) => one.includes('multipart/report'));
  const [ours = ''] = reports;
  assert.equal(reports.length, 1, await far.log());
  assert.match(ours, /^Original-Envelope-Id: QQ314159$/m);
  assert.match(ours, new RegExp(`^Original-Recipient: rfc822; ${ALICE.address}$`, 'm'));
  assert.match(ours, /^Action: delivered$/m);
  assert.match(ours, new RegExp(`^Received-From-MTA: dns; mx\\.${FAR} \\(\\[127\\.0\\.0\\.1\\]\\)$`, 'm'));
  assert.match(ours, /^Auto-Submitted: auto-replied$/m);
  assert.doesNotMatch(ours, /^x$/m, 'the header alone comes back');
});

const postsrsd = peer('postsrsd');
test('PostSRSd knows our addresses, and we know its', { skip: postsrsd.skip }, async () => {
  const { decodeSrs, encodeSrs } = await import('../../src/delivery/return-path/srs.ts');
  const { startPostsrsd } = await import('../support/postsrsd.ts');
  await using theirs = await startPostsrsd('ours.test', 'our-very-own-secret');
  const settings = { secrets: ['our-very-own-secret'], hashCharacters: 4, ageDaysMax: 21 };
  for (const sender of [
    'alice@example.org',
    'Bob.Smith+x@Sub.Example.ORG',
    'SRS0=HHHH=TT=orig.example=joe@first.example',
    'SRS1=HHHH=zero.example==HHHH=TT=orig.example=joe@first.example',
  ]) {
    const ours = encodeSrs(sender, 'ours.test', settings, Date.now()) ?? '';
    const rewritten = await theirs.forward(sender);
    assert.equal(ours, rewritten);
    const original = await theirs.reverse(ours);
    assert.deepEqual(decodeSrs(rewritten, settings, Date.now()), { kind: 'address', address: original });
  }
});
