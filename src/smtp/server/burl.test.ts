/** BURL: RFC 4468. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ALICE, office, Talk, toCodes, type Office } from '../../../test/support/smtp-ports.ts';
import type { Principal } from '../../auth/principal.ts';
import { err, ok } from '../../base/result.ts';
import { SMTP_LIMITS } from './limits.ts';
import type { UrlContents } from './ports.ts';
import { LMTP, RELAY, SUBMISSION, type SmtpRole } from './role.ts';

const CONTENT = 'Subject: from a mailbox\r\n\r\nHello\r\n';
const TRANSACTION = 'MAIL FROM:<alice@example.test>\r\nRCPT TO:<alice@example.test>\r\n';
const BEGUN = ['250 2.1.0', '250 2.1.5'];

/** URLs by what they give: `imap://x/message`, a refusal, or a fault. */
function urls(asked: { url: string; principal: Principal }[] = []): UrlContents {
  const pieces = (text: string): AsyncIterable<Uint8Array> =>
    (async function* () {
      for (let at = 0; at < text.length; at += 7) yield Buffer.from(text.slice(at, at + 7), 'latin1');
    })();
  return {
    offer: ['imap', 'imap://mail.example.test'],
    open(url, principal) {
      asked.push({ url, principal });
      const what = url.slice('imap://x/'.length);
      if (what === 'not-trusted' || what === 'not-authorized' || what === 'not-found')
        return Promise.resolve(err({ kind: what }));
      if (what === 'fault') return Promise.reject(new Error('disk away'));
      const text =
        what === 'message' ? CONTENT : what === 'bare' ? 'a\nb' : what === 'empty' ? '' : 'x'.repeat(100);
      const read = (): AsyncIterable<Uint8Array> =>
        what === 'damaged'
          ? (async function* () {
              yield Buffer.from('x');
              await Promise.reject(new Error('damaged'));
            })()
          : pieces(text);
      return Promise.resolve(ok({ octets: text.length, read }));
    },
  };
}

async function user(change: Parameters<typeof office>[0] = {}): Promise<{ talk: Talk; here: Office }> {
  const here = office({ role: SUBMISSION, urls: urls(), ...change });
  const talk = new Talk(here, { tls: true });
  await talk.hear();
  await talk.say('EHLO client.test\r\n');
  await talk.say(`AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`);
  return { talk, here };
}

describe('a message by URL', () => {
  test('whole, pipelined, asked for by who has signed in (RFC 4468 §3.2)', async () => {
    const asked: { url: string; principal: Principal }[] = [];
    const { talk, here } = await user({ urls: urls(asked) });
    assert.deepEqual(await talk.codes(`${TRANSACTION}BURL imap://x/message LAST\r\nNOOP\r\n`), [
      ...BEGUN,
      '250 2.0.0',
      '250 2.0.0',
    ]);
    assert.equal(here.taken[0]?.content, CONTENT);
    assert.deepEqual(asked, [{ url: 'imap://x/message', principal: ALICE }]);
    assert.equal(here.open, 0);
  });

  test('among chunks that the client sends (RFC 4468 §3.2)', async () => {
    const { talk, here } = await user();
    assert.deepEqual(
      await talk.codes(
        `${TRANSACTION}BDAT 6\r\nA: b\r\nBURL imap://x/message\r\nBURL imap://x/empty\r\nBDAT 3 LAST\r\nx\r\n`,
      ),
      [...BEGUN, '250 2.0.0', '250 2.0.0', '250 2.0.0', '250 2.0.0'],
    );
    assert.equal(here.taken[0]?.content, `A: b\r\n${CONTENT}x\r\n`);
    assert.deepEqual(await talk.codes(`${TRANSACTION}BURL imap://x/message\r\nBDAT 0 LAST\r\n`), [
      ...BEGUN,
      '250 2.0.0',
      '250 2.0.0',
    ]);
    assert.equal(here.taken[1]?.content, CONTENT);
  });
});

describe('what is refused fails the whole transaction', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['of another server (RFC 4468 §6)', 'not-trusted', '554 5.7.8'],
    ['not authorized (RFC 4468 §3.4)', 'not-authorized', '554 5.7.0'],
    ['of no message (RFC 4468 §6)', 'not-found', '554 5.6.6'],
    ['when the store is away', 'fault', '451 4.3.0'],
    ['when the message is damaged', 'damaged', '451 4.3.0'],
    ['with a bare newline (RFC 5321 §2.3.8)', 'bare', '550 5.6.11'],
  ];
  for (const [what, url, code] of cases) {
    test(`${what}, with LAST: the next transaction begins`, async () => {
      const { talk, here } = await user();
      assert.deepEqual(
        await talk.codes(`${TRANSACTION}BURL imap://x/${url} LAST\r\n${TRANSACTION}RSET\r\n`),
        [...BEGUN, code, ...BEGUN, '250 2.0.0'],
      );
      assert.deepEqual([here.taken.length, here.open], [0, 0]);
    });

    test(`${what}, before LAST: only RSET goes on`, async () => {
      const { talk, here } = await user();
      assert.deepEqual(
        await talk.codes(
          `${TRANSACTION}BURL imap://x/${url}\r\nBURL imap://x/message LAST\r\nBDAT 1 LAST\r\nxRSET\r\n`,
        ),
        [...BEGUN, code, '503 5.5.1', '503 5.5.1', '250 2.0.0'],
      );
      assert.deepEqual([here.taken.length, here.open], [0, 0]);
    });
  }

  test('too large, and nothing of it is read (RFC 4468 §6)', async () => {
    const limits = { ...SMTP_LIMITS, messageOctetsMax: 120 };
    const { talk, here } = await user({ limits });
    const large = 'BURL imap://x/large';
    assert.deepEqual(await talk.codes(`${TRANSACTION}${large}\r\n${large} LAST\r\n`), [
      ...BEGUN,
      '250 2.0.0',
      '552 5.3.4',
    ]);
    assert.deepEqual([here.taken.length, here.open], [0, 0]);
  });

  test('without recipients the URL is not looked at (RFC 4468 §3.2)', async () => {
    const asked: { url: string; principal: Principal }[] = [];
    const { talk } = await user({ urls: urls(asked) });
    assert.deepEqual(
      await talk.codes(
        'BURL imap://x/message LAST\r\nMAIL FROM:<alice@example.test>\r\nRCPT TO:<nobody@example.test>\r\nBURL imap://x/message LAST\r\n',
      ),
      ['503 5.5.1', '250 2.1.0', '550 5.1.1', '503 5.5.1'],
    );
    assert.deepEqual(asked, []);
  });

  test('DATA behind a URL (RFC 3030 §2)', async () => {
    const { talk } = await user();
    assert.deepEqual(await talk.codes(`${TRANSACTION}BURL imap://x/message\r\nDATA\r\n`), [
      ...BEGUN,
      '250 2.0.0',
      '503 5.5.1',
    ]);
  });
});

describe('where it is offered (RFC 4468 §3.1, §3.3)', () => {
  async function keywords(role: SmtpRole, signedIn: boolean, offered = true): Promise<readonly string[]> {
    const here = office({ role, urls: offered ? urls() : undefined });
    const talk = new Talk(here, { tls: true });
    await talk.hear();
    const hello = role === LMTP ? 'LHLO x\r\n' : 'EHLO x\r\n';
    if (signedIn) {
      await talk.say(hello);
      await talk.say(`AUTH PLAIN ${Buffer.from('\0alice\0secret').toString('base64')}\r\n`);
    }
    const lines = (await talk.say(hello)).split('\r\n').map((line) => line.slice(4));
    return lines.filter((line) => line.startsWith('BURL'));
  }

  test('to submission, in full to who has signed in', async () => {
    assert.deepEqual(await keywords(SUBMISSION, false), ['BURL']);
    assert.deepEqual(await keywords(SUBMISSION, true), ['BURL imap imap://mail.example.test']);
    assert.deepEqual(await keywords(SUBMISSION, true, false), []);
    assert.deepEqual(await keywords(RELAY, false), []);
    assert.deepEqual(await keywords(LMTP, false), []);
  });

  test('HELP names it where it is (RFC 5321 §4.1.1.8)', async () => {
    const { talk } = await user();
    assert.match(await talk.say('HELP\r\n'), / BURL/);
    assert.match(await talk.say('HELP BURL\r\n'), /^214 2\.0\.0 BURL url \[LAST\]/);
    assert.deepEqual(toCodes(await (await user({ urls: undefined })).talk.say('HELP BURL\r\n')), [
      '504 5.5.4',
    ]);
  });

  test('elsewhere there is no such command, and before signing in it is not for you', async () => {
    const relay = new Talk(office({ urls: urls() }));
    await relay.hear();
    assert.deepEqual(toCodes(await relay.say('EHLO x\r\nBURL imap://x/message LAST\r\n')).slice(-1), [
      '502 5.5.1',
    ]);
    const none = await user({ urls: undefined });
    assert.deepEqual(await none.talk.codes(`${TRANSACTION}BURL imap://x/message LAST\r\n`), [
      ...BEGUN,
      '502 5.5.1',
    ]);
    const stranger = new Talk(office({ role: SUBMISSION, urls: urls() }), { tls: true });
    await stranger.hear();
    assert.deepEqual(toCodes(await stranger.say('EHLO x\r\nBURL imap://x/message LAST\r\n')).slice(-1), [
      '530 5.7.0',
    ]);
  });
});
