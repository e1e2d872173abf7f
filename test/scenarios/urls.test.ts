/** A message that is put together, authorized, submitted by URL and fetched by URL: imaplib and smtplib, with a restart between. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { readMessages, waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { BOB, startPostrider, type RunningPostrider } from '../support/postrider.ts';

const python = peer('python3');

const IMAP = `
import imaplib, ssl, sys
context = ssl._create_unverified_context()
for name in ('GENURLAUTH', 'RESETKEY', 'URLFETCH'):
    imaplib.Commands[name] = ('AUTH', 'SELECTED')
def signed_in(user):
    imap = imaplib.IMAP4_SSL('127.0.0.1', int(sys.argv[1]), ssl_context=context)
    imap.login(user + '@example.test', user + '-secret')
    return imap
def ok(answer):
    assert answer[0] == 'OK', answer
    return answer[1]
def fetched(imap, url):
    ok(imap._simple_command('URLFETCH', '"' + url + '"'))
    return imap.response('URLFETCH')[1]
`;

const AUTHORIZE = `${IMAP}
alice = signed_in('alice')
capability = ok(alice.capability())[0].split()
assert {b'CATENATE', b'URLAUTH', b'URLAUTH=BINARY', b'REPLACE', b'UIDONLY'} <= set(capability), capability
ok(alice.append('Drafts', None, None, b'From: alice@example.test\\r\\nTo: bob@example.test\\r\\nSubject: by URL\\r\\n\\r\\nfirst\\r\\n'))
ok(alice._simple_command('APPEND', 'Drafts', 'CATENATE (URL "/Drafts/;UID=1" URL "/Drafts/;UID=1/;SECTION=TEXT")'))
base = 'imap://alice%40example.test@mail.example.test/Drafts/;UID=2'
ok(alice._simple_command('GENURLAUTH', '"%s;URLAUTH=submit+alice%%40example.test" INTERNAL "%s/;SECTION=TEXT;URLAUTH=user+bob%%40example.test" INTERNAL' % (base, base)))
print(alice.response('GENURLAUTH')[1][0].decode())
`;

const SUBMIT = `
import smtplib, ssl, sys
with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as smtp:
    smtp.starttls(context=ssl._create_unverified_context())
    smtp.login('alice@example.test', 'alice-secret')
    smtp.ehlo()
    assert smtp.esmtp_features['burl'].split() == ['imap', 'imap://mail.example.test'], smtp.esmtp_features
    def begin():
        assert smtp.mail('alice@example.test')[0] == 250
        assert smtp.rcpt('bob@example.test')[0] == 250
    begin()
    code, text = smtp.docmd('BURL', sys.argv[2][:-1] + ('1' if sys.argv[2][-1] == '0' else '0') + ' LAST')
    assert code == 554 and text.startswith(b'5.7.0'), (code, text)
    begin()
    code, text = smtp.docmd('BURL', sys.argv[2] + ' LAST')
    assert code == 250, (code, text)
    begin()
    code, text = smtp.docmd('BURL', 'imap://alice%40example.test@mail.example.test/Drafts/;UID=1')
    assert code == 250, (code, text)
    smtp.putcmd('BDAT', '6 LAST')
    smtp.send(b'last\\r\\n')
    assert smtp.getreply()[0] == 250
`;

const FETCH = `${IMAP}
url = sys.argv[2]
assert fetched(signed_in('bob'), url)[0][1] == b'first\\r\\nfirst\\r\\n'
alice = signed_in('alice')
assert fetched(alice, url)[0].endswith(b' NIL')
assert ok(alice._simple_command('RESETKEY', 'Drafts'))[-1].startswith(b'[URLMECH INTERNAL]')
assert fetched(signed_in('bob'), url)[0].endswith(b' NIL')
`;

async function ran(script: string, ...words: readonly (string | number)[]): Promise<string> {
  const done = await run('python3', ['-c', script, ...words.map(String)]);
  assert.equal(done.code, 0, done.stderr);
  return done.stdout;
}

async function authorize(server: RunningPostrider): Promise<readonly string[]> {
  const said = await ran(AUTHORIZE, server.port('imaps'));
  return [...said.matchAll(/"([^"]+)"/g)].map(([, url = '']) => url);
}

test(
  'parts are catenated, authorized, submitted by BURL, and fetched by somebody else until the key is reset',
  { skip: python.skip },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'postrider-urls-'));
    const options = { directory, hostname: 'mail.example.test' };
    try {
      const first = await startPostrider(options);
      const [forSubmission = '', forBob = ''] = await authorize(first);
      assert.equal(await first.stop(), 0);
      // The keys outlive a restart.
      await using server = await startPostrider(options);
      await ran(SUBMIT, server.port('submission'), forSubmission);
      await waitForMessages(server, BOB, 2);
      const bodies = await readMessages(server, BOB);
      for (const end of ['\r\n\r\nfirst\r\nfirst\r\n', '\r\n\r\nfirst\r\nlast\r\n'])
        assert.ok(
          bodies.some((text) => text.endsWith(end)),
          bodies.join('----\n'),
        );
      await ran(FETCH, server.port('imaps'), forBob);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);
