/** Python's smtplib, imaplib and poplib. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../support/command.ts';
import { waitForMessages } from '../support/mailbox.ts';
import { peer } from '../support/peer.ts';
import { ALICE, startPostrider } from '../support/postrider.ts';

const python = peer('python3');

const SEND = `
import smtplib, ssl, sys
from email.message import EmailMessage
context = ssl._create_unverified_context()
message = EmailMessage()
message['From'] = 'bob@example.test'
message['To'] = 'alice@example.test'
message['Subject'] = 'Grüße aus Python'
message.set_content('Zeile eins\\n.\\nZeile drei ünd Schluß\\n')
message.add_attachment(bytes(range(256)) * 40, maintype='application', subtype='octet-stream', filename='räw.bin')
with smtplib.SMTP('127.0.0.1', int(sys.argv[1])) as smtp:
    smtp.starttls(context=context)
    smtp.login('bob@example.test', 'bob-secret')
    refused = smtp.send_message(message)
    assert refused == {}, refused
    try:
        smtp.sendmail('bob@example.test', ['nobody@example.test'], 'Subject: x\\r\\n\\r\\nx')
        raise SystemExit('an unknown recipient was taken')
    except smtplib.SMTPRecipientsRefused as error:
        assert error.recipients['nobody@example.test'][0] == 550, error.recipients
    smtp.sendmail('bob@example.test', ['alice@example.test'], 'Subject: again\\r\\n\\r\\nsame session')
`;

const READ = `
import email, email.policy, imaplib, ssl, sys, time
context = ssl._create_unverified_context()
imap = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
assert 'LOGINDISABLED' in imap.capabilities, imap.capabilities
imap.starttls(context)
imap.login('alice@example.test', 'alice-secret')
assert imap.create('"Projects"')[0] == 'OK'
kind, data = imap.select('INBOX')
assert kind == 'OK' and int(data[0]) == 2, data
kind, data = imap.getquotaroot('INBOX')
assert kind == 'OK' and data == [[b'INBOX ""'], [b'"" (MAILBOX 7 10000)']], data
assert imap.getquota('""') == ('OK', [b'"" (MAILBOX 7 10000)'])
assert imap.setquota('""', '(STORAGE 1)')[0] == 'NO'
kind, data = imap.uid('FETCH', '1:*', '(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)')
assert kind == 'OK' and len(data) >= 2, data
kind, data = imap.search(None, 'SUBJECT', '"again"')
assert data[0].split() == [b'2'], data
kind, data = imap.fetch('1', '(RFC822)')
message = email.message_from_bytes(data[0][1], policy=email.policy.default)
assert message['Subject'] == 'Grüße aus Python', message['Subject']
text = message.get_body().get_content().replace('\\r\\n', '\\n')
assert text == 'Zeile eins\\n.\\nZeile drei ünd Schluß\\n', repr(text)
attachment = next(message.iter_attachments())
assert attachment.get_filename() == 'räw.bin' and attachment.get_content() == bytes(range(256)) * 40
assert imap.fetch('1', '(FLAGS)')[1][0].find(b'\\\\Seen') > 0
assert imap.copy('1', 'Projects')[0] == 'OK'
assert imap.store('2', '+FLAGS', '(\\\\Deleted)')[0] == 'OK'
assert imap.expunge()[1] == [b'2']
assert imap.append('Projects', '(\\\\Draft)', imaplib.Time2Internaldate(time.time()), b'Subject: own\\r\\n\\r\\nx\\r\\n')[0] == 'OK'
assert imap.select('Projects')[1] == [b'2']
assert imap.rename('Projects', 'Archive/Projects')[0] == 'OK'
assert imap.close()[0] == 'OK'
assert imap.delete('Archive/Projects')[0] == 'OK'
imap.logout()
`;

const POP = `
import poplib, ssl, sys
context = ssl._create_unverified_context()
def signed_in():
    pop = poplib.POP3('127.0.0.1', int(sys.argv[1]))
    assert 'USER' not in pop.capa() and 'STLS' in pop.capa(), pop.capa()
    pop.stls(context)
    pop.utf8()
    pop.user('alice@example.test')
    pop.pass_('alice-secret')
    return pop
pop = signed_in()
assert pop.stat()[0] == 2, pop.stat()
uidls = pop.uidl()[1]
_, lines, octets = pop.retr(1)
assert b'=?utf-8?' in b'\\n'.join(lines) and sum(len(line) + 2 for line in lines) == int(pop.list(1).split()[2])
assert pop.top(1, 0)[1][-1] == b''
try:
    signed_in()
    raise SystemExit('two sessions have the maildrop')
except poplib.error_proto as error:
    assert b'[IN-USE]' in error.args[0], error
pop.dele(1)
pop.rset()
pop.dele(2)
pop.quit()
again = signed_in()
assert again.uidl()[1] == uidls[:1], again.uidl()
again.quit()
`;

/** imaplib knows no COMPRESS: its octets pass through zlib here. */
const COMPRESSED = `
import imaplib, io, ssl, sys, zlib
class Deflated(io.RawIOBase):
    def __init__(self, sock):
        self.sock, self.have = sock, b''
        self.inflate = zlib.decompressobj(-15)
    def readable(self):
        return True
    def readinto(self, into):
        while not self.have:
            octets = self.sock.recv(4096)
            if not octets:
                return 0
            self.have = self.inflate.decompress(octets)
        n = min(len(into), len(self.have))
        into[:n], self.have = self.have[:n], self.have[n:]
        return n
imaplib.Commands['COMPRESS'] = ('AUTH', 'SELECTED')
context = ssl._create_unverified_context()
imap = imaplib.IMAP4('127.0.0.1', int(sys.argv[1]))
imap.starttls(context)
imap.login('alice@example.test', 'alice-secret')
assert 'COMPRESS=DEFLATE' in imap.capability()[1][0].decode().split()
kind, data = imap._simple_command('COMPRESS', 'DEFLATE')
assert kind == 'OK', data
deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
def send(octets):
    imap.sock.sendall(deflate.compress(octets) + deflate.flush(zlib.Z_SYNC_FLUSH))
imap.send = send
imap._file = imap.file = io.BufferedReader(Deflated(imap.sock))
imap.read, imap.readline = imap.file.read, imap.file.readline
body = b'Subject: big\\r\\n\\r\\n' + b'A line that says the same again and again.\\r\\n' * 20000
assert imap.append('INBOX', None, None, body)[0] == 'OK'
assert imap.select('INBOX')[1] == [b'1']
assert imap.fetch('1', '(BODY.PEEK[])')[1][0][1] == body
imaplib.Commands['REPLACE'] = ('SELECTED',)
imap.literal = b'Subject: small\\r\\n\\r\\nx\\r\\n'
kind, data = imap._simple_command('REPLACE', '1', 'INBOX', '(\\\\Draft)')
assert kind == 'OK', data
assert imap.response('EXPUNGE')[1] == [b'1'], imap.untagged_responses
assert imap.uid('FETCH', '1:*', '(FLAGS)')[1] == [b'1 (UID 2 FLAGS (\\\\Draft))']
kind, data = imap._simple_command('APPEND', 'INBOX', '(\\\\Seen)', 'CATENATE (URL "/INBOX/;UID=2" URL "/INBOX/;UID=2/;section=TEXT")')
assert kind == 'OK', data
assert imap.uid('FETCH', '3', '(BODY.PEEK[])')[1][0][1] == b'Subject: small\\r\\n\\r\\nx\\r\\nx\\r\\n'
assert imap.logout()[0] == 'BYE'
`;

test(
  'smtplib sends and imaplib reads, copies, flags, expunges and appends',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider();
    const sent = await run('python3', ['-c', SEND, String(server.port('submission'))]);
    assert.equal(sent.code, 0, sent.stderr);
    await waitForMessages(server, ALICE, 2);
    const read = await run('python3', ['-c', READ, String(server.port('imap'))]);
    assert.equal(read.code, 0, read.stderr);
  },
);

test('imaplib reads, appends and replaces through COMPRESS=DEFLATE', { skip: python.skip }, async () => {
  await using server = await startPostrider();
  const done = await run('python3', ['-c', COMPRESSED, String(server.port('imap'))]);
  assert.equal(done.code, 0, done.stderr);
});

test(
  'Python fetches by POP3, deletes by QUIT, and finds the same names again',
  { skip: python.skip },
  async () => {
    await using server = await startPostrider();
    const sent = await run('python3', ['-c', SEND, String(server.port('submission'))]);
    assert.equal(sent.code, 0, sent.stderr);
    await waitForMessages(server, ALICE, 2);
    const read = await run('python3', ['-c', POP, String(server.port('pop3'))]);
    assert.equal(read.code, 0, read.stderr);
    assert.equal((await waitForMessages(server, ALICE, 1)).length, 1);
  },
);
