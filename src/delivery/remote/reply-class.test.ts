import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ReplyClass } from './reply-class.ts';
import { classOf, reasonOf, retryDecision } from './reply-class.ts';

/** As hosts say it: the code, then the lines. Addresses and names are of examples. */
const said: readonly (readonly [who: string, want: ReplyClass, reply: string])[] = [
  [
    'Gmail',
    'address',
    "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking the recipient's email address for typos or unnecessary spaces. https://support.example/NoSuchUser",
  ],
  [
    'Gmail',
    'mailbox-full',
    '452 4.2.2 The email account that you tried to reach is over quota. Please direct the recipient to OverQuotaTemp',
  ],
  ['Gmail', 'mailbox-full', "552 5.2.2 The recipient's inbox is out of storage space and inactive."],
  ['Gmail', 'mailbox-closed', '550 5.2.1 The email account that you tried to reach is disabled.'],
  [
    'Gmail',
    'mailbox-busy',
    '450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. Please resend your message at a later time.',
  ],
  [
    'Gmail',
    'rate',
    '421 4.7.28 Our system has detected an unusual rate of unsolicited mail originating from your IP address. To protect our users from spam, mail sent from your IP address has been temporarily rate limited.',
  ],
  ['Gmail', 'rate', '550 5.4.5 Daily user sending quota exceeded.'],
  [
    'Gmail',
    'sender-auth',
    '550 5.7.26 This mail has been blocked because the sender is unauthenticated. Gmail requires all senders to authenticate with either SPF or DKIM.',
  ],
  ['Gmail', 'sender-auth', '421 4.7.0 The IP address sending this message does not have a PTR record setup.'],
  [
    'Gmail',
    'content',
    '550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked.',
  ],
  [
    'Gmail',
    'content',
    '552 5.7.0 This message was blocked because its content presents a potential security issue.',
  ],
  ['Gmail', 'too-big', "552 5.3.4 Your message exceeded Google's message size limits."],
  ['Gmail', 'rate', '454 4.7.0 Too many login attempts, please try again later.'],
  ['Gmail', 'login', '535 5.7.8 Username and Password not accepted.'],
  ['Gmail', 'tls', '530 5.7.0 Must issue a STARTTLS command first.'],
  [
    'Outlook',
    'address',
    '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient bob@far.example not found by SMTP address lookup',
  ],
  ['Outlook', 'address', '550 5.4.1 Recipient address rejected: Access denied. AS(201806281)'],
  ['Outlook', 'address', '550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).'],
  [
    'Outlook',
    'block-list',
    "550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140).",
  ],
  [
    'Outlook',
    'block-list',
    '550 5.7.606 Access denied, banned sending IP [192.0.2.1]. To request removal from this list please visit https://sender.example/',
  ],
  ['Outlook', 'block-list', '550 5.7.511 Access denied, banned sender[192.0.2.1].'],
  [
    'Outlook',
    'block-list',
    '550 SC-001 (BAY004-MC1F1) Unfortunately, messages from 192.0.2.1 were not sent.',
  ],
  [
    'Outlook',
    'rate',
    '451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation. (S775)',
  ],
  [
    'Outlook',
    'rate',
    "421 RP-001 (SNT004-MC5F8) Unfortunately, some messages from 192.0.2.1 weren't sent. Please try again. We have limits for how many messages can be sent per hour and per day.",
  ],
  ['Outlook', 'rate', '451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)'],
  [
    'Outlook',
    'sender-auth',
    "550 5.7.515 Access denied, sending domain here.example doesn't meet the required authentication level.",
  ],
  [
    'Outlook',
    'sender-auth',
    '550 5.7.509 Access denied, sending domain [here.example] does not pass DMARC verification',
  ],
  ['Outlook', 'mailbox-full', '554 5.2.2 mailbox full; STOREDRV.Deliver; mailbox is full'],
  ['Outlook', 'system', '432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded'],
  ['Outlook', 'system', '452 4.3.1 Insufficient system resources'],
  [
    'Yahoo',
    'rate',
    '421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.example/error-codes',
  ],
  [
    'Yahoo',
    'block-list',
    '421 4.7.1 [TSS03] All messages from 192.0.2.1 will be permanently deferred; Retrying will NOT succeed.',
  ],
  [
    'Yahoo',
    'block-list',
    "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list",
  ],
  [
    'Yahoo',
    'address',
    "554 delivery error: dd This user doesn't have a yahoo.com account (bob@yahoo.com) [0]",
  ],
  ['Yahoo', 'address', '552 1 Requested mail action aborted, mailbox not found'],
  [
    'Yahoo',
    'policy',
    '554 5.7.9 Message not accepted for policy reasons. See https://postmaster.example/error-codes',
  ],
  [
    'Postfix',
    'address',
    '550 5.1.1 <bob@far.example>: Recipient address rejected: User unknown in local recipient table',
  ],
  [
    'Postfix',
    'greylist',
    '450 4.2.0 <bob@far.example>: Recipient address rejected: Greylisted, see http://postgrey.example/help/far.example.html',
  ],
  ['Postfix', 'greylist', '451 4.7.1 Greylisting in action, please come back in 00:05:00'],
  [
    'Postfix',
    'block-list',
    '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.example/query/ip/192.0.2.1',
  ],
  ['Postfix', 'sender-auth', '450 4.7.25 Client host rejected: cannot find your hostname, [192.0.2.1]'],
  ['Postfix', 'policy', '554 5.7.1 <bob@far.example>: Relay access denied'],
  ['Postfix', 'storage', '452 4.3.1 Insufficient system storage'],
  ['Postfix', 'too-big', '552 5.3.4 Message size exceeds fixed limit'],
  ['Postfix', 'rate', '421 4.7.0 mx.far.example Error: too many connections from 192.0.2.1'],
  ['Postfix', 'rate', '450 4.7.1 Error: too much mail from 192.0.2.1'],
  ['Postfix', 'system', '451 4.3.0 Error: queue file write error'],
  ['Postfix', 'system', '451 4.3.5 Server configuration problem'],
  ['Postfix', 'sender', '550 5.1.8 <a@here.example>: Sender address rejected: Domain not found'],
  ['Postfix', 'tls', '454 4.7.0 TLS not available due to local problem'],
  ['Postfix', 'too-many-recipients', '452 4.5.3 Error: too many recipients'],
  ['Exim', 'address', '550 Unrouteable address'],
  ['Exim', 'address', '550 Unknown user'],
  ['Exim', 'policy', '550 relay not permitted'],
  ['Exim', 'system', '451 Temporary local problem - please try later'],
  [
    'Exim',
    'block-list',
    '550 JunkMail rejected - host.here.example [192.0.2.1] is in an RBL: see https://list.example',
  ],
  ['Exim', 'block-list', '550 rejected because 192.0.2.1 is in a black list at zen.spamhaus.org'],
  ['Exim', 'rate', '421 Too many concurrent SMTP connections; please try again later.'],
  ['Exim', 'sender', '550 Sender verify failed'],
  [
    'Exim',
    'greylist',
    '451 host 192.0.2.1 is not yet authorized to deliver mail from <a@here.example> to <bob@far.example>',
  ],
  ['Exim', 'content', '550 maximum allowed line length is 998 octets, got 1200: line too long'],
  ['rspamd', 'content', '554 5.7.1 Spam message rejected'],
  ['Proofpoint', 'block-list', '554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1'],
  [
    'Cisco',
    'block-list',
    "554 Your access to this mail system has been rejected due to the sending MTA's poor reputation.",
  ],
  [
    'GMX',
    'block-list',
    '554 gmx.example (mxgmx001) Nemesis ESMTP Service not available No SMTP service IP address is blacklisted',
  ],
  [
    'T-Online',
    'block-list',
    '554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.)',
  ],
  ['Orange', 'rate', '421 opme11oxm02nd1.example ESMTP Too many connections, slow down. OFR004_104 [104]'],
  [
    'Comcast',
    'block-list',
    '554 imta.example comcast 192.0.2.1 found on one or more DNSBLs, see https://postmaster.example BL000000',
  ],
  ['Zimbra', 'mailbox-full', '452 4.2.2 Over quota'],
  ['Dovecot', 'mailbox-full', '552 5.2.2 <bob@far.example> Quota exceeded (mailbox for user is full)'],
  ['only a status', 'network', '450 4.4.2 hm'],
  ['only a status', 'content', '550 5.6.0 hm'],
  ['only a status', 'login', '550 5.7.8 hm'],
  ['only a status', 'policy', '550 5.7.1 hm'],
  ['only a code', 'closing', '421 hm'],
  ['only a code', 'storage', '452 hm'],
  ['only a code', 'too-big', '552 hm'],
  ['only a code', 'login', '530 hm'],
  ['only a code', 'refused', '550 hm'],
];
for (const [who, want, text] of said)
  test(`${who} means ${want}: ${text.slice(0, 70)}`, () => {
    assert.equal(classOf({ code: Number(text.slice(0, 3)), lines: [text.slice(4)] }), want);
  });

test('what follows: greylisting soon, full mailboxes slowly, rates and lists for the whole destination', () => {
  const decided = (['greylist', 'mailbox-full', 'rate', 'block-list', 'policy'] as const).map((means) => {
    const { pace, backsOff } = retryDecision(reasonOf(means));
    return `${means} ${pace} ${backsOff}`;
  });
  assert.deepEqual(decided, [
    'greylist soon false',
    'mailbox-full slow false',
    'rate usual true',
    'block-list slow true',
    'policy usual false',
  ]);
});

test('no text takes more than linear time, and each has a decision', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(421, 450, 550, 554),
      fc.array(fc.string({ maxLength: 500 })),
      (code, lines) => {
        assert.ok(retryDecision(reasonOf(classOf({ code, lines }))) !== undefined);
      },
    ),
  );
  const words = ['mailbox ', 'message ', 'a ', 'is ', 'recipient <', 'x'.repeat(200), 'ip 1', 'user '];
  for (const word of words) {
    const lines = Array.from({ length: 100 }, () => word.repeat(200));
    assert.ok(classOf({ code: 550, lines }) !== undefined);
  }
});
