import assert from 'node:assert/strict';
import { test } from 'node:test';
import { office, Talk } from '../../test/support/smtp-ports.ts';
import { withoutBlindCopies } from './blind-copies.ts';

test('a submitted message is kept without its Bcc, by DATA and by BDAT (RFC 5322 §3.6.3)', async () => {
  const here = office();
  Object.assign(here.deps, { intake: withoutBlindCopies(here.deps.intake) });
  const talk = new Talk(here);
  const envelope = 'MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@example.test>\r\n';
  await talk.say(`EHLO c.test\r\n${envelope}DATA\r\n`);
  await talk.say('From: a@b.test\r\nBcc: x@y.test,\r\n z@y.test\r\nSubject: x\r\n\r\nBcc: stays\r\n.\r\n');
  await talk.say(`${envelope}BDAT 4\r\nBcc `);
  await talk.say('BDAT 13\r\n: x@y.test\r\nT');
  await talk.say('BDAT 13 LAST\r\no: q@r.t\r\n\r\nx');
  await talk.say(`${envelope}BDAT 3 LAST\r\nBcc`);
  assert.deepEqual(
    here.taken.map(({ content }) => content),
    ['From: a@b.test\r\nSubject: x\r\n\r\nBcc: stays\r\n', 'To: q@r.t\r\n\r\nx', 'Bcc'],
  );
  await talk.say(`${envelope}BDAT 3\r\nBcc`);
  talk.client.destroy();
  await talk.done;
  assert.equal(here.open, 0);
});
